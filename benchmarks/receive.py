"""What receiving costs: a whole `Session` beside a bare loop and `openai`'s client, in CPU time for each event.

A server in another process replays events from memory, as fast as they are taken. The receiving process measures its
own CPU time (`time.process_time`, all threads) from the first event to the last. The three take turns, so that a noisy
machine is noisy for all; the table shows medians, and ratios, which travel between machines.

    uv run python benchmarks/receive.py            # about two minutes
    uv run python benchmarks/receive.py --quick    # a tenth of the events

=========  ============================================================================================================
bare       ``websockets`` with its defaults, ``json.loads``, ``base64.b64decode`` of the audio, pieces kept in a list
rtnb       a `Session` as a user has it: conversation, log, latency, reply; the audio kept, decoded when it is read
openai     ``AsyncOpenAI().realtime.connect()``, iterated: every event as a model of the package
=========  ============================================================================================================

The answers are 24 kHz PCM16 in deltas of 200 ms, with three words of transcript in each second.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gc
import json
import multiprocessing
import random
import statistics
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

DELTA_MS = 200
START, DONE = "bench.start", "bench.done"


# ---- what is replayed


def scenario(name: str, scale: float) -> tuple[list[str], list[str]]:
    """The events before the measurement, and those within."""
    if name == "answers-of-60-s":
        return [], [event for n in range(max(int(10 * scale), 1)) for event in answer(n, 60)]
    if name == "one-answer-of-600-s":
        return [], list(answer(0, 600 * scale))
    if name in ("among-10-items", "among-3000-items"):
        items = int(name.split("-")[1])
        return (
            [event for n in range(items) for event in item(f"old_{n}")],
            [event for n in range(max(int(500 * scale), 20)) for event in answer(n, 1)],
        )
    raise ValueError(name)


SCENARIOS = ("answers-of-60-s", "one-answer-of-600-s", "among-10-items", "among-3000-items")


def item(item_id: str) -> Iterator[str]:
    content = [{"type": "input_text", "text": "a question of some words"}]
    made = {"id": item_id, "object": "realtime.item", "type": "message", "role": "user", "content": content}
    for name in ("added", "done"):
        yield event(f"conversation.item.{name}", item={**made, "status": "completed"}, previous_item_id=None)


def answer(number: int, seconds: float) -> Iterator[str]:
    """The events of one spoken answer, as the service sends them."""
    noise = random.Random(number)
    response_id, item_id = f"resp_{number}", f"item_{number}"
    place = {"response_id": response_id, "item_id": item_id, "output_index": 0, "content_index": 0}
    response = {"id": response_id, "object": "realtime.response", "status": "in_progress", "output": []}
    response |= {"conversation_id": "conv_1", "output_modalities": ["audio"], "metadata": None, "usage": None}
    message = {"id": item_id, "object": "realtime.item", "type": "message", "role": "assistant", "content": []}
    started = {**message, "status": "in_progress"}
    yield event("response.created", response=response)
    yield event("response.output_item.added", response_id=response_id, output_index=0, item=started)
    yield event("conversation.item.added", previous_item_id=None, item=started)
    yield event("response.content_part.added", **place, part={"type": "audio", "transcript": ""})
    said = []
    for n in range(max(int(seconds * 1000 / DELTA_MS), 1)):
        audio = base64.b64encode(noise.randbytes(DELTA_MS * 48)).decode()
        yield event("response.output_audio.delta", **place, delta=audio)
        if n % 5 in (0, 2, 4):
            said.append(f" word{n}")
            yield event("response.output_audio_transcript.delta", **place, delta=said[-1])
    text = "".join(said)
    yield event("response.output_audio.done", **place)
    yield event("response.output_audio_transcript.done", **place, transcript=text)
    part = {"type": "output_audio", "transcript": text}
    yield event("response.content_part.done", **place, part={"type": "audio", "transcript": text})
    ended = {**message, "status": "completed", "content": [part]}
    yield event("response.output_item.done", response_id=response_id, output_index=0, item=ended)
    yield event("conversation.item.done", previous_item_id=None, item=ended)
    tokens = {"text_tokens": 50, "audio_tokens": int(seconds * 20)}
    usage = {"total_tokens": 100, "input_tokens": 50, "output_tokens": 50, "output_token_details": tokens}
    yield event("response.done", response={**response, "status": "completed", "output": [ended], "usage": usage})


def event(name: str, **members: Any) -> str:
    return json.dumps({"type": name, "event_id": "event_" + "x" * 21, **members})


# ---- the server's process


def serve(pipe: Connection, scale: float) -> None:
    """Replay a scenario to each client: its name is the query's ``model``."""
    from urllib.parse import parse_qs, urlsplit

    from websockets.asyncio.server import ServerConnection
    from websockets.asyncio.server import serve as listen

    kept = {name: scenario(name, scale) for name in SCENARIOS}
    session = {"type": "realtime", "object": "realtime.session", "id": "sess_1", "model": "gpt-realtime"}

    async def replay(client: ServerConnection) -> None:
        assert client.request is not None
        before, within = kept[parse_qs(urlsplit(client.request.path).query)["model"][0]]
        await client.send(event("session.created", session=session))
        await client.recv()  # session.update
        await client.send(event("session.updated", session=session))
        for text in before:
            await client.send(text)
        await client.send(event(START))
        await client.recv()
        for text in within:
            await client.send(text)
        await client.send(event(DONE, count=len(within)))
        await client.wait_closed()

    async def main() -> None:
        async with listen(replay, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
            pipe.send(server.sockets[0].getsockname()[1])
            await asyncio.to_thread(pipe.recv)

    asyncio.run(main())


# ---- the three receivers: each gives CPU microseconds for one event


def bare(port: int, name: str) -> float:
    from websockets.asyncio.client import connect

    async def main() -> float:
        audio: list[bytes] = []
        pieces: list[str] = []
        async with connect(f"ws://127.0.0.1:{port}/v1/realtime?model={name}", max_size=None) as socket:
            await socket.send(event("session.update", session={}))
            began = 0.0
            async for text in socket:
                got = json.loads(text)
                kind = got["type"]
                if kind == "response.output_audio.delta":
                    audio.append(base64.b64decode(got["delta"]))
                elif kind == "response.output_audio_transcript.delta":
                    pieces.append(got["delta"])
                elif kind == START:
                    gc.collect()  # what came before must not be collected within
                    began = time.process_time()
                    await socket.send(event("go"))
                elif kind == DONE:
                    return (time.process_time() - began) / got["count"] * 1e6
        raise RuntimeError("the server closed early")

    return asyncio.run(main())


def rtnb(port: int, name: str) -> float:
    import rtnb as package

    session = package.Session(f"ws://127.0.0.1:{port}/v1/realtime", model=name, turn_detection="server_vad")
    with session:
        session.wait(START, timeout=120)
        gc.collect()
        began = time.process_time()
        session.send({"type": "go"}, check=False)
        done = session.wait(DONE, timeout=600)
        spent = time.process_time() - began
        assert session.replies[-1].status == "completed"
    return spent / done["count"] * 1e6


def openai(port: int, name: str) -> float:
    from openai import AsyncOpenAI

    async def main() -> float:
        client = AsyncOpenAI(api_key="none", websocket_base_url=f"ws://127.0.0.1:{port}/v1")
        async with client.realtime.connect(model=name) as connection:
            await connection.session.update(session={"type": "realtime"})
            began = 0.0
            async for got in connection:
                if got.type == START:
                    gc.collect()
                    began = time.process_time()
                    await connection.send({"type": "go"})  # type: ignore[arg-type]
                elif got.type == DONE:
                    return (time.process_time() - began) / got.count * 1e6  # type: ignore[attr-defined]
        raise RuntimeError("the server closed early")

    return asyncio.run(main())


RECEIVERS: dict[str, Callable[[int, str], float]] = {"bare": bare, "rtnb": rtnb, "openai": openai}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the events")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=RECEIVERS, help="one receiver, one round: for a profiler")
    options = parser.parse_args()
    scale = 0.1 if options.quick else 1.0
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, scale), daemon=True)
    server.start()
    port = ours.recv()
    spent: dict[str, dict[str, list[float]]] = {name: {who: [] for who in RECEIVERS} for name in SCENARIOS}
    if options.only:
        print(f"{RECEIVERS[options.only](port, SCENARIOS[0]):.1f} us")
    else:
        for receive in RECEIVERS.values():  # warm-up: imports, caches
            receive(port, "among-10-items")
        for _ in range(options.rounds):
            for name in SCENARIOS:
                for who, receive in RECEIVERS.items():
                    spent[name][who].append(receive(port, name))
        print(table(spent))
    ours.send(None)
    server.join(5)


def table(spent: dict[str, dict[str, list[float]]]) -> str:
    lines = [
        "| scenario | bare loop, us | Session, us | openai, us | Session / bare | openai / Session |",
        "|---|---|---|---|---|---|",
    ]
    middle = {name: {who: statistics.median(values) for who, values in each.items()} for name, each in spent.items()}
    for name, each in spent.items():
        to_bare = statistics.median(b / a for a, b in zip(each["bare"], each["rtnb"], strict=True))
        to_openai = statistics.median(b / a for a, b in zip(each["rtnb"], each["openai"], strict=True))
        cells = " | ".join(f"{middle[name][who]:.0f}" for who in RECEIVERS)
        lines.append(f"| {name} | {cells} | {to_bare:.2f} | {to_openai:.1f} |")

    def grows(small: str, large: str) -> float:
        pairs = zip(spent[small]["rtnb"], spent[large]["rtnb"], strict=True)
        return statistics.median(b / a for a, b in pairs)

    long = grows("answers-of-60-s", "one-answer-of-600-s")
    many = grows("among-10-items", "among-3000-items")
    lines += ["", f"Session, one 600 s answer against 60 s answers: {long:.2f}; 3,000 items against 10: {many:.2f}"]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
