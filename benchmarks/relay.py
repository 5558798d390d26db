"""What the relay costs: CPU and latency beside a bare two-way pipe of ``websockets``, in one run.

Processes of their own: a client, an upstream, relays, and the bare pipe; a session is 25 frames of microphone a second
up (40 ms each) and an answer's audio down (200 ms deltas), as fast as it is spoken. The relay and the pipe take turns,
round by round, and measure their own CPU time, so that a noisy machine is noisy for both; the table shows medians, and
ratios, which travel between machines.

    uv run python benchmarks/relay.py            # about two minutes
    uv run python benchmarks/relay.py --quick

========  =============================================================================================================
bare      ``async for message in one: await other.send(message)``, both ways; no compression, no limit on sizes
relay     `rtnb.net.relay.Relay` as it is: today's dialect, its key, its counts
guarded   the same with tokens and every limit set, so that each is looked at
beta      the same with a client of 2024, whose events are translated
========  =============================================================================================================
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import multiprocessing
import statistics
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

FRAME = json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(bytes(40 * 48)).decode()})
SOUND = base64.b64encode(bytes(200 * 48)).decode()
PLACE = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
FRAMES_A_DELTA = 5
TOKEN = "benchmark-" + "t" * 20


def delta(number: int) -> str:
    event = {"type": "response.output_audio.delta", "event_id": f"event_{number:010}", **PLACE, "delta": SOUND}
    return json.dumps(event)


# ---- the other processes


def serve(pipe: Connection, make: Callable[[], Any]) -> None:
    """Run a server until told to end; answer each question with the CPU time so far."""

    async def main() -> None:
        loop, told = asyncio.get_running_loop(), asyncio.Event()

        def answer() -> None:
            while pipe.recv() == "cpu":
                pipe.send(time.process_time())
            loop.call_soon_threadsafe(told.set)

        async with make() as port:
            pipe.send(port)
            threading.Thread(target=answer, daemon=True).start()
            await told.wait()

    asyncio.run(main())


def upstream(pipe: Connection) -> None:
    """Answers every fifth frame with a delta."""
    from contextlib import asynccontextmanager

    from websockets.asyncio.server import ServerConnection
    from websockets.asyncio.server import serve as listen

    async def talk(client: ServerConnection) -> None:
        await client.send(json.dumps({"type": "session.created", "session": {"model": "gpt-realtime"}}))
        number = 0
        async for _ in client:
            number += 1
            if number % FRAMES_A_DELTA == 0:
                await client.send(delta(number))

    @asynccontextmanager
    async def make() -> Any:
        async with listen(talk, "127.0.0.1", 0, compression=None, max_size=None) as server:
            yield next(iter(server.sockets)).getsockname()[1]

    serve(pipe, make)


def bare(pipe: Connection, port: int) -> None:
    """The pipe that anybody would write."""
    from contextlib import asynccontextmanager, suppress

    from websockets.asyncio.client import connect
    from websockets.asyncio.server import ServerConnection
    from websockets.asyncio.server import serve as listen
    from websockets.exceptions import ConnectionClosed

    async def pump(source: Any, sink: Any) -> None:
        with suppress(ConnectionClosed):
            async for message in source:
                await sink.send(message)
        await sink.close()

    async def talk(client: ServerConnection) -> None:
        url = f"ws://127.0.0.1:{port}/v1/realtime"
        async with connect(url, compression=None, max_size=None, proxy=None) as other:
            await asyncio.gather(pump(client, other), pump(other, client))

    @asynccontextmanager
    async def make() -> Any:
        async with listen(talk, "127.0.0.1", 0, compression=None, max_size=None) as server:
            yield next(iter(server.sockets)).getsockname()[1]

    serve(pipe, make)


def relay(pipe: Connection, port: int, guarded: bool) -> None:
    """Ours."""
    import gc
    from contextlib import asynccontextmanager

    from rtnb.net.relay import Limits, Relay

    options: dict[str, Any] = {}
    if guarded:
        limits = Limits(sessions=1000, events_per_second=1e6, bytes_per_second=1e9, minutes=1e6, dollars=1e6)
        options = {"tokens": [TOKEN], "limits": limits}

    @asynccontextmanager
    async def make() -> Any:
        url = f"ws://127.0.0.1:{port}/v1/realtime"
        async with Relay(url, key="k" * 20, model="gpt-realtime", **options).serve() as running:
            gc.collect()
            gc.freeze()  # as the command does
            yield running.port

    serve(pipe, make)


class Process:
    def __init__(self, target: Any, *args: Any) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(target=target, args=(theirs, *args), daemon=True)
        self._process.start()
        self.port: int = self._pipe.recv()

    def cpu(self) -> float:
        self._pipe.send("cpu")
        seconds: float = self._pipe.recv()
        return seconds

    def end(self) -> None:
        self._pipe.send("end")
        self._process.join(10)


# ---- the client


async def sessions(port: int, count: int, seconds: float, beta: bool) -> tuple[int, list[float]]:
    """Talk for so long, paced as a microphone is: how many messages passed, and the round trips in seconds."""
    from websockets.asyncio.client import connect

    trips: list[float] = []
    passed = 0
    protocols: Any = ["realtime", "openai-beta.realtime-v1"] if beta else None
    headers = {"Authorization": f"Bearer {TOKEN}"}

    async def one(number: int) -> None:
        nonlocal passed
        url = f"ws://127.0.0.1:{port}/v1/realtime?model=gpt-realtime"
        options: Any = {"compression": None, "max_size": None, "proxy": None}
        async with connect(url, subprotocols=protocols, additional_headers=headers, **options) as socket:
            for _ in range(2 if beta else 1):
                await socket.recv()
            start = time.perf_counter() + number * 0.04 / count
            for frame in range(int(seconds * 25)):
                await asyncio.sleep(max(0.0, start + frame * 0.04 - time.perf_counter()))
                sent = time.perf_counter()
                await socket.send(FRAME)
                passed += 1
                if frame % FRAMES_A_DELTA == FRAMES_A_DELTA - 1:
                    await socket.recv()
                    trips.append(time.perf_counter() - sent)
                    passed += 1

    await asyncio.gather(*(one(number) for number in range(count)))
    return passed, trips


async def flood(port: int, deltas: int, beta: bool) -> int:
    """As many as the pipe takes, in one session: how many messages passed."""
    from websockets.asyncio.client import connect

    url = f"ws://127.0.0.1:{port}/v1/realtime?model=gpt-realtime"
    protocols: Any = ["realtime", "openai-beta.realtime-v1"] if beta else None
    headers = {"Authorization": f"Bearer {TOKEN}"}
    options: Any = {"compression": None, "max_size": None, "proxy": None, "max_queue": 256}
    async with connect(url, subprotocols=protocols, additional_headers=headers, **options) as socket:
        for _ in range(2 if beta else 1):
            await socket.recv()

        async def push() -> None:
            for _ in range(deltas * FRAMES_A_DELTA):
                await socket.send(FRAME)

        pushing = asyncio.create_task(push())
        for _ in range(deltas):
            await socket.recv()
        await pushing
    return deltas * (FRAMES_A_DELTA + 1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a quarter of it")
    parser.add_argument("--sessions", type=int, default=20)
    options = parser.parse_args()
    rounds, seconds, deltas = (3, 3.0, 400) if options.quick else (7, 6.0, 1000)
    other = Process(upstream)
    pipes = {
        "bare": (Process(bare, other.port), False),
        "relay": (Process(relay, other.port, False), False),
        "guarded": (Process(relay, other.port, True), False),
    }
    pipes["beta"] = (pipes["relay"][0], True)
    cost: dict[str, list[float]] = {name: [] for name in pipes}
    paced: dict[str, list[float]] = {name: [] for name in pipes}
    trips: dict[str, list[float]] = {name: [] for name in ("direct", *pipes)}
    for number in range(rounds + 1):
        for name, (process, beta) in pipes.items():
            before = process.cpu()
            passed = asyncio.run(flood(process.port, deltas, beta))
            middle = process.cpu()
            _, found = asyncio.run(sessions(process.port, options.sessions, seconds, beta))
            after = process.cpu()
            if number:  # the first round warms up
                cost[name].append((middle - before) / passed * 1e6)
                paced[name].append((after - middle) / (options.sessions * seconds))
                trips[name] += found
        if number:
            trips["direct"] += asyncio.run(sessions(other.port, options.sessions, seconds, False))[1]
    for process in {id(each): each for each, _ in pipes.values()}.values():
        process.end()
    other.end()

    def percentile(values: list[float], share: float) -> float:
        return sorted(values)[int(len(values) * share)] * 1e3

    print(f"\n{rounds} rounds, {options.sessions} sessions at once, {len(trips['bare'])} round trips each\n")
    print("| | CPU, µs an event | beside bare | added latency p50, ms | p99, ms | sessions per core |")
    print("|---|---|---|---|---|---|")
    for name in pipes:
        here = statistics.median(cost[name])
        ratio = statistics.median(one / two for one, two in zip(cost[name], cost["bare"], strict=True))
        added = [percentile(trips[name], share) - percentile(trips["direct"], share) for share in (0.5, 0.99)]
        cores = 1 / statistics.median(paced[name])
        print(f"| {name} | {here:.0f} | {ratio:.2f} | {added[0]:.2f} | {added[1]:.2f} | {cores:.0f} |")


if __name__ == "__main__":
    main()
