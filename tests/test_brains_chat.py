from __future__ import annotations

import asyncio
import socket
import subprocess
import sys

import pytest
from helpers_brains import (
    arguments_of,
    call_delta,
    chat_server,
    delta,
    pieces,
    raw,
    request,
    stream,
    tool,
    user,
    words_of,
)

from rtnb.local.brains import ChatBrain
from rtnb.local.seams import Call, CallArguments, Failed, Finished, Say

HELLO = (delta(role="assistant", content=""), delta(content="Hel"), delta(content="lo"), delta("stop"))
WEATHER = tool("get_weather", "The weather", location="string")
KEY = "sk-" + "k" * 24


async def test_an_answer_is_streamed_piece_by_piece() -> None:
    async with chat_server(stream(*HELLO)) as server:
        said = await pieces(ChatBrain(server.url, "llama"), request([user("hi")]))
    assert said == [Say("Hel"), Say("lo")]


async def test_pieces_come_before_the_answer_is_whole() -> None:
    more = asyncio.Event()
    async with chat_server(stream(HELLO[1], more, HELLO[2], HELLO[3])) as server:
        answer = ChatBrain(server.url, "llama").think(request([user("hi")]))
        assert await asyncio.wait_for(anext(answer), 10) == Say("Hel")
        more.set()
        assert [piece async for piece in answer] == [Say("lo")]


async def test_the_request_has_model_messages_tools_and_a_limit() -> None:
    async with chat_server(stream(*HELLO)) as server:
        brain = ChatBrain(server.url, "llama", options={"temperature": 0.2})
        wanted = request(
            [user("hi")], instructions="Be kind.", tools=[WEATHER], tool_choice="required", max_output_tokens=7
        )
        await pieces(brain, wanted)
    sent = server.bodies[0]
    assert sent["model"] == "llama"
    assert sent["messages"] == [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hi"}]
    assert sent["tools"][0]["function"]["name"] == "get_weather"
    assert (sent["tool_choice"], sent["max_tokens"], sent["temperature"]) == ("required", 7, 0.2)
    assert (sent["stream"], sent["stream_options"]) == (True, {"include_usage": True})


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/", "/v1/chat/completions"])
async def test_the_url_may_be_the_base_or_the_full_address(suffix: str) -> None:
    async with chat_server(stream(*HELLO)) as server:
        await pieces(ChatBrain(server.url + suffix, "llama"), request([user("hi")]))
    assert server.heads[0].startswith("POST /v1/chat/completions HTTP/1.1")


async def test_the_key_is_sent_as_a_bearer_token_and_is_in_no_repr() -> None:
    async with chat_server(stream(*HELLO)) as server:
        brain = ChatBrain(server.url, "llama", api_key=KEY, headers={"X-Team": "blue-team-7"})
        await pieces(brain, request([user("hi")]))
    assert f"authorization: bearer {KEY}" in server.heads[0].lower()
    assert "x-team: blue-team-7" in server.heads[0].lower()
    assert KEY not in repr(brain)


async def test_a_spoken_answer_is_asked_for_without_markup() -> None:
    async with chat_server(stream(*HELLO), stream(*HELLO)) as server:
        brain = ChatBrain(server.url, "llama")
        await pieces(brain, request([user("hi")], output="audio"))
        await pieces(brain, request([user("hi")], output="text"))
    assert "read aloud" in server.bodies[0]["messages"][0]["content"]
    assert server.bodies[1]["messages"] == [{"role": "user", "content": "hi"}]


async def test_a_tool_call_is_streamed() -> None:
    chunks = [
        call_delta('{"loc', index=0, id="call_7", name="get_weather"),
        call_delta('ation": "Oslo"}', index=0),
        delta("tool_calls"),
    ]
    async with chat_server(stream(*chunks)) as server:
        got = await pieces(ChatBrain(server.url, "llama"), request([user("hi")], tools=[WEATHER]))
    assert got == [Call("get_weather", "", "call_7"), CallArguments('{"loc'), CallArguments('ation": "Oslo"}')]


async def test_usage_is_handed_on() -> None:
    usage = {"choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}}
    async with chat_server(stream(*HELLO, usage)) as server:
        got = await pieces(ChatBrain(server.url, "llama"), request([user("hi")]))
    assert got[-1] == Finished(None, {"input_tokens": 12, "output_tokens": 3})


@pytest.mark.parametrize(("reason", "status"), [("length", "max_output_tokens"), ("content_filter", "content_filter")])
async def test_an_answer_cut_short_is_incomplete(reason: str, status: str) -> None:
    async with chat_server(stream(delta(content="Hel"), delta(reason))) as server:
        got = await pieces(ChatBrain(server.url, "llama"), request([user("hi")]))
    assert got == [Say("Hel"), Finished(status)]  # type: ignore[arg-type]


async def test_a_server_without_done_is_understood() -> None:
    async with chat_server(stream(*HELLO, done=False)) as server:
        assert words_of(await pieces(ChatBrain(server.url, "llama"), request([user("hi")]))) == "Hello"


async def test_a_connection_lost_after_the_finish_reason_does_no_harm() -> None:
    async with chat_server(stream(*HELLO, done=False, cut=True)) as server:
        assert await pieces(ChatBrain(server.url, "llama"), request([user("hi")])) == [Say("Hel"), Say("lo")]


async def test_a_server_that_does_not_stream_is_understood() -> None:
    whole = '{"choices": [{"message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}]}'
    async with chat_server(raw("200 OK", whole)) as server:
        assert await pieces(ChatBrain(server.url, "llama"), request([user("hi")])) == [Say("Hello")]


async def test_a_server_that_knows_no_stream_options_is_asked_again_without() -> None:
    refused = raw("400 Bad Request", '{"error": {"message": "Unrecognized request argument: stream_options"}}')
    async with chat_server(refused, stream(*HELLO)) as server:
        assert words_of(await pieces(ChatBrain(server.url, "llama"), request([user("hi")]))) == "Hello"
    assert "stream_options" not in server.bodies[1]


async def test_closing_the_answer_closes_the_connection() -> None:
    async with chat_server(stream(delta(content="Hel"), hold=asyncio.Event(), done=False)) as server:
        answer = ChatBrain(server.url, "llama").think(request([user("hi")]))
        assert await asyncio.wait_for(anext(answer), 10) == Say("Hel")
        assert not server.gone.is_set()
        await answer.aclose()  # type: ignore[attr-defined]
        await asyncio.wait_for(server.gone.wait(), 10)


async def test_cancelling_the_task_closes_the_connection() -> None:
    async with chat_server(stream(delta(content="Hel"), hold=asyncio.Event(), done=False)) as server:
        first = asyncio.Event()

        async def consume() -> None:
            async for _ in ChatBrain(server.url, "llama").think(request([user("hi")])):
                first.set()

        task = asyncio.create_task(consume())
        await asyncio.wait_for(first.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.gone.wait(), 10)


async def failure(*answers: object, **settings: object) -> Failed:
    async with chat_server(*answers) as server:  # type: ignore[arg-type]
        got = await pieces(ChatBrain(server.url, "llama", **settings), request([user("hi")]))  # type: ignore[arg-type]
    assert isinstance(got[-1], Failed), got
    assert "127.0.0.1" in got[-1].error["message"]
    return got[-1]


@pytest.mark.parametrize(
    ("status", "body", "code", "says"),
    [
        ("401 Unauthorized", '{"error": {"message": "No such key", "code": null}}', "invalid_api_key", "No such key"),
        (
            "404 Not Found",
            '{"error": {"message": "model \'llama\' not found"}}',
            "model_not_found",
            "model 'llama' not found",
        ),
        (
            "429 Too Many Requests",
            '{"error": {"message": "Slow", "code": "tokens_exceeded"}}',
            "tokens_exceeded",
            "Slow",
        ),
        ("500 Internal Server Error", "it broke", "http_500", "it broke"),
        ("503 Service Unavailable", "<html>busy</html>", "http_503", "no reason was given"),
        ("422 Unprocessable Entity", '{"detail": "bad tools"}', "http_422", "bad tools"),
        ("400 Bad Request", '{"error": "does not support tools"}', "invalid_request", "does not support tools"),
    ],
)
async def test_a_refusal_becomes_a_failure_with_its_reason(status: str, body: str, code: str, says: str) -> None:
    failed = await failure(raw(status, body))
    assert failed.error["code"] == code
    assert says in failed.error["message"]
    assert status.split()[0] in failed.error["message"]


async def test_a_key_that_the_server_echoes_is_in_no_message() -> None:
    failed = await failure(
        raw("401 Unauthorized", f'{{"error": {{"message": "Bad key {KEY}", "code": "{KEY}"}}}}'), api_key=KEY
    )
    assert KEY not in str(failed.error)
    assert "[key]" in failed.error["message"]


async def test_nobody_listening_is_said_in_words() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        (failed,) = await pieces(ChatBrain(f"http://127.0.0.1:{port}", "llama"), request([user("hi")]))
    assert isinstance(failed, Failed)
    assert failed.error["code"] == "connection_failed"
    assert "Is it running" in failed.error["message"]


async def test_a_stream_that_breaks_off_is_a_failure_after_what_was_said() -> None:
    async with chat_server(stream(delta(content="Hel"), done=False, cut=True)) as server:
        said, failed = await pieces(ChatBrain(server.url, "llama"), request([user("hi")]))
    assert said == Say("Hel")
    assert isinstance(failed, Failed)
    assert failed.error["code"] == "broken_stream"


async def test_a_stream_that_ends_without_a_reason_is_a_failure() -> None:
    assert (await failure(stream(delta(content="Hel"), done=False))).error["code"] == "broken_stream"


async def test_an_error_in_the_stream_is_a_failure() -> None:
    failed = await failure(
        stream(delta(content="Hel"), {"error": {"message": "out of memory", "code": 500}}, done=False)
    )
    assert "out of memory" in failed.error["message"]


async def test_silence_is_a_failure_after_the_timeout() -> None:
    failed = await failure(stream(delta(content="Hel"), hold=asyncio.Event(), done=False), timeout=0.2)
    assert failed.error["code"] == "timeout"


def test_a_url_that_is_none_is_refused_at_once() -> None:
    for url in ("", "ftp://host/v1", "http://"):
        with pytest.raises(ValueError, match="http or https"):
            ChatBrain(url, "llama")


def test_importing_the_brains_does_not_load_httpx() -> None:
    code = "import sys, rtnb.local.brains; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_two_answers_at_once_do_not_mix() -> None:
    hold = asyncio.Event()
    async with chat_server(stream(delta(content="one"), hold, delta("stop")), stream(*HELLO)) as server:
        brain = ChatBrain(server.url, "llama")
        first = brain.think(request([user("hi")]))
        assert await asyncio.wait_for(anext(first), 10) == Say("one")
        assert words_of(await pieces(brain, request([user("ho")]))) == "Hello"
        hold.set()
        assert [piece async for piece in first] == []


async def test_arguments_given_as_an_object_become_json_text() -> None:
    chunks = [call_delta({"location": "Oslo"}, id="x", name="get_weather"), delta("stop")]
    async with chat_server(stream(*chunks)) as server:
        got = await pieces(ChatBrain(server.url, "llama"), request([user("hi")], tools=[WEATHER]))
    assert got[0] == Call("get_weather", "", "x")
    assert arguments_of(got) == '{"location": "Oslo"}'
