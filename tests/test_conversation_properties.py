"""What holds of any sequence of events, sound or not."""

from __future__ import annotations

import io
from typing import Any

from helpers_conversation import (
    UNHURRIED,
    buffer,
    call,
    delta,
    done,
    item,
    message,
    output,
    pcm,
    response,
    session,
    spoken,
    transcribing,
    transcription,
    user,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from rtnb.core.conversation import Conversation
from rtnb.core.log import EventLog
from rtnb.core.protocol import CLIENT_EVENTS, SERVER_EVENTS

WORDS = {"id", "type", "role", "status", "content", "text", "transcript", "audio", "image_url", "name", "call_id"}
WORDS |= {"arguments", "output", "usage", "metadata", "conversation_id", "status_details", "error", "message"}
WORDS |= {"reason", "format", "input", "transcription", "code"}
Sent = tuple[str, dict[str, Any]]
IDS = st.sampled_from(["item_1", "item_2", "resp_1", "call_1", "root", "", None, 7, ["item_1"]])
NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False), st.booleans(), st.none(), st.text(max_size=4))


@st.composite
def sessions(draw: st.DrawFn) -> list[Sent]:
    """A session as a sound server would have it: typed and spoken turns, answers of every kind and end."""
    events: list[Sent] = [("server", draw(st.sampled_from([session(), transcribing()])))]
    placed: list[str] = []
    late: list[Sent] = []

    def said(*of_server: dict[str, Any]) -> None:
        events.extend(("server", event) for event in of_server)

    for n in range(draw(st.integers(1, 5))):
        previous = placed[-1] if placed else None
        asked, answered, reply = f"item_u{n}", f"item_a{n}", f"resp_{n}"
        if draw(st.booleans()):
            events.append(("client", {"type": "conversation.item.create", "item": user(asked)["item"]}))
            said(user(asked, draw(st.text(max_size=9)), previous), user(asked, "", previous, "done"))
        else:
            events.append(("client", {"type": "input_audio_buffer.append", "audio": pcm(draw(st.integers(100, 140)))}))
            events.append(("client", {"type": "input_audio_buffer.commit"}))
            said(buffer("committed", asked, previous_item_id=previous), spoken(asked, previous))
            said(spoken(asked, previous, "done"))
            late.append(("server", transcription("completed", asked, transcript=draw(st.text(max_size=9)))))
        placed.append(asked)
        aside = draw(st.booleans())
        fields = {"conversation_id": None} if aside else {}
        said(response("created", reply, **fields))
        status = draw(st.sampled_from(["completed", "cancelled", "incomplete", "failed"]))
        ended = "completed" if status == "completed" else "incomplete"
        pieces = draw(st.lists(st.text(max_size=5), max_size=4))
        kind = draw(st.sampled_from(["text", "audio", "call"]))
        begun = call(answered) if kind == "call" else message(answered)
        said(output("added", begun, reply))
        if not aside:
            said(item("added", begun, asked))
            placed.append(answered)
        for piece in pieces:
            if kind == "text":
                said(delta("output_text", answered, piece, reply))
            elif kind == "audio":
                said(delta("output_audio_transcript", answered, piece, reply))
                said(delta("output_audio", answered, pcm(draw(st.integers(1, 9))), reply))
            else:
                said(delta("function_call_arguments", answered, piece, reply))
            if late and draw(st.booleans()):
                events.append(late.pop())
        whole = "".join(pieces)
        if kind == "call":
            final = call(answered, ended, whole)
        else:
            field = {"text": whole} if kind == "text" else {"transcript": whole}
            final = message(answered, ended, {"type": f"output_{kind}", **field})
            name = "output_text" if kind == "text" else "output_audio_transcript"
            said(done(name, answered, reply, **field))
        if not aside:
            said(item("done", final, asked))
        said(output("done", final, reply), response("done", reply, status=status, output=[final], **fields))
        if kind == "audio" and not aside and draw(st.booleans()):
            end = draw(st.integers(0, 30))
            said({"type": "conversation.item.truncated", "item_id": answered, "content_index": 0, "audio_end_ms": end})
        if draw(st.integers(0, 4)) == 0:
            gone = draw(st.sampled_from(placed))
            if gone != placed[-1]:
                placed.remove(gone)
                said({"type": "conversation.item.deleted", "item_id": gone})
    return [*events, *late]


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False), st.text(max_size=6), IDS
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(sorted(WORDS)),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=12,
)

GARBAGE = st.fixed_dictionaries(
    {"type": st.one_of(st.sampled_from(sorted(SERVER_EVENTS | CLIENT_EVENTS)), JSON)},
    optional={
        "item_id": IDS,
        "response_id": IDS,
        "previous_item_id": IDS,
        "content_index": NUMBERS,
        "audio_start_ms": NUMBERS,
        "audio_end_ms": NUMBERS,
        "delta": st.one_of(st.text(max_size=6), JSON),
        "audio": JSON,
        "text": JSON,
        "transcript": JSON,
        "arguments": JSON,
        "item": st.one_of(
            JSON,
            st.fixed_dictionaries(
                {"id": IDS},
                optional={
                    "type": st.sampled_from(["message", "function_call", "function_call_output", None, 3]),
                    "role": st.sampled_from(["user", "assistant", None, {}]),
                    "status": st.sampled_from(["in_progress", "completed", "incomplete", None, []]),
                    "call_id": IDS,
                    "arguments": JSON,
                    "content": JSON,
                },
            ),
        ),
        "part": JSON,
        "response": st.one_of(JSON, st.fixed_dictionaries({"id": IDS, "output": JSON, "status": JSON})),
        "session": JSON,
        "conversation": JSON,
        "rate_limits": JSON,
        "error": JSON,
        "event": JSON,
    },
)

ANYTHING = st.lists(
    st.tuples(st.sampled_from(["server", "server", "server", "client"]), st.one_of(GARBAGE, GARBAGE, GARBAGE, JSON)),
    max_size=25,
)


def logged(events: list[Sent]) -> tuple[EventLog, Conversation]:
    log, conversation = EventLog(), Conversation()
    for n, (direction, event) in enumerate(events):
        log.append(event, direction, n / 10)  # type: ignore[arg-type]
        changes = conversation.apply(event, direction)  # type: ignore[arg-type]
        assert all(change.event is event for change in changes)
    return log, conversation


@UNHURRIED
@given(sessions())
def test_a_log_replayed_adds_up_to_the_same_conversation(events: list[Sent]) -> None:
    log, conversation = logged(events)
    file = io.BytesIO()
    log.to_jsonl(file)
    file.seek(0)
    again = EventLog.from_jsonl(file)
    assert again == log
    assert Conversation.replay(again) == conversation


@UNHURRIED
@given(sessions())
def test_a_sound_session_has_nothing_unknown_and_nothing_unfinished(events: list[Sent]) -> None:
    conversation = Conversation()
    changes = [change for direction, event in events for change in conversation.apply(event, direction)]  # type: ignore[arg-type]
    assert [change for change in changes if change.kind == "unknown"] == []
    assert all(item.done for item in conversation.items)
    assert all(response.done for response in conversation.responses)
    assert conversation.active is None


@UNHURRIED
@given(sessions())
def test_what_the_changes_tell_is_what_the_items_hold(events: list[Sent]) -> None:
    conversation = Conversation()
    texts: dict[str, str] = {}
    calls: list[str] = []
    for direction, event in events:
        for change in conversation.apply(event, direction):  # type: ignore[arg-type]
            if change.kind in ("text", "transcript", "arguments", "user_transcript"):
                assert change.item is not None
                texts[change.item.id] = texts.get(change.item.id, "") + change.delta
            elif change.kind == "call":
                assert change.item is not None
                calls.append(change.item.id)
    for item_id, text in texts.items():
        item = conversation.item(item_id)
        assert item is not None
        assert text == (item.arguments if item.type == "function_call" else item.text)
    made = [x for r in conversation.responses for x in r.calls if x.status == "completed"]
    assert sorted(calls) == sorted(item.id for item in made)


@settings(UNHURRIED, max_examples=300)
@given(ANYTHING)
def test_garbage_never_raises_and_replays_the_same(events: list[Sent]) -> None:
    log, conversation = logged(events)
    assert Conversation.replay(log) == conversation
    forwards = [item.id for item in conversation.items]
    backwards, at = [], conversation.last
    while at is not None:
        backwards.append(at.id)
        at = at.previous
    assert forwards == backwards[::-1]
    assert len(set(forwards)) == len(forwards) == conversation.count
    for thing in conversation.items:
        thing.audio()  # decodes whatever came
        assert thing.heard_transcript + thing.unheard == thing.transcript
