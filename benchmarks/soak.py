"""A long conversation over a network that breaks, and ten at once: does it stay whole, small and in time?

Two judges, run by hand; the endpoint lives in another process, so that memory and threads are the session's own.

    uv run python benchmarks/soak.py                       # three minutes and one
    uv run python benchmarks/soak.py --minutes 6 --seconds 10    # a short look

=========  ============================================================================================================
hour       an hour of conversation at 20 times its speed: spoken and written turns, with tools; the connection is
           dropped in the midst of an answer, or the session expires, every four minutes of it. Judged: every item is
           there, once and in order, here and at the server; no task, thread or file descriptor is left; memory beside
           the log is flat within 10 % after the first sixth. The log keeps every event, as it should: its size is told
ten        ten sessions hear an answer each, at the speed at which it is spoken, at once. Judged: at p99 no delta comes
           20 ms or more after the pacer of the endpoint was due to send it
=========  ============================================================================================================

Exit code 0: both judges are content.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import logging
import math
import multiprocessing
import os
import random
import statistics
import sys
import threading
import time
from array import array
from collections.abc import AsyncIterator, Mapping
from multiprocessing.connection import Connection
from typing import Any

import rtnb
from rtnb.local.seams import Call, Piece, Request, Say, Speech, Transcript

SPEED = 20
TURN_S = 12.0
DROP_S = 240.0
MS = 48
CHUNK_MS = 250
LATE_MS = 20.0


# ---- the endpoint, in a process of its own


class Brain:
    """Notes what it is asked with; calls the tool now and then; else speaks as long as it is told to."""

    name = "soak"

    def __init__(self, words: int) -> None:
        self.words = words
        self.seen: list[str] = []

    async def think(self, request: Request) -> AsyncIterator[Piece]:
        self.seen = [str(item["id"]) for item in request.items]
        last = request.items[-1]
        if last.get("type") != "function_call_output" and len(request.items) % 5 == 1 and request.tools:
            yield Call("note", "{}")
            return
        for number in range(self.words):
            yield Say(f"word{number}{'.' if number % 8 == 7 else ''} ")


class Voice:
    """A hum, 300 ms a word."""

    name = "hum"

    async def speak(self, text: str, *, voice: str, speed: float = 1.0) -> AsyncIterator[Speech]:
        for word in text.split(" "):
            if word:
                yield Speech(HUM, word + " ")

    async def close(self) -> None:
        pass


HUM = array("h", (int(4000 * math.sin(n / 15)) for n in range(300 * 24))).tobytes()


class Ears:
    """Understands the same of everybody."""

    name = "ears"

    async def listen(self, settings: Mapping[str, Any]) -> Ears:
        return Ears()

    async def push(self, pcm: bytes) -> str:
        return ""

    async def finish(self) -> Transcript:
        return Transcript("what was said")

    async def cancel(self) -> None:
        pass

    async def close(self) -> None:
        pass


def serve(pipe: Connection, words: int, pace: float | None) -> None:
    """Serve until told to end; do what is asked through the pipe."""
    brain = Brain(words)
    with rtnb.LocalEndpoint(brain=brain, voice=Voice(), hearing=Ears(), pace=pace) as endpoint:
        pipe.send(endpoint.url)
        while True:
            asked = pipe.recv()
            if asked == "seen":
                pipe.send(brain.seen)
            elif asked == "sessions":
                pipe.send(endpoint.sessions)
            elif asked == "end":
                return
            else:
                endpoint.fault(asked)


class Endpoint:
    """The other process."""

    def __init__(self, words: int, pace: float | None) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self._process = context.Process(target=serve, args=(other, words, pace), daemon=True)
        self._process.start()
        self.url: str = self.pipe.recv()

    def ask(self, what: str) -> Any:
        self.pipe.send(what)
        return self.pipe.recv()

    def fault(self, name: str) -> None:
        self.pipe.send(name)

    def end(self) -> None:
        self.pipe.send("end")
        self._process.join(10)
        self.pipe.close()


# ---- what is measured


def resident() -> float:
    """Megabytes of this process in memory, without what is free and only not given back to the system."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


class LogSize:
    """Megabytes of what a log keeps, counted once for each event."""

    def __init__(self, log: rtnb.EventLog) -> None:
        self._log, self._done, self._bytes = log, 0, 0
        self._seen: set[int] = set()

    def now(self) -> float:
        for entry in self._log[self._done :]:
            self._bytes += self._size(entry.event) + 150
            self._done += 1
        return self._bytes / 1e6

    def _size(self, value: Any) -> int:
        size = sys.getsizeof(value)
        if isinstance(value, str) and size > 1000:  # speech that is put back again is the same string each time
            if id(value) in self._seen:
                return 0
            self._seen.add(id(value))
        if isinstance(value, dict):
            return size + sum(self._size(member) for member in value.values())
        if isinstance(value, list):
            return size + sum(map(self._size, value))
        return size


def fds() -> int:
    return len(os.listdir("/proc/self/fd"))


# ---- an hour


def hour(minutes: float) -> list[str]:
    """Have the conversation; gives what is wrong."""
    endpoint = Endpoint(words=12, pace=SPEED)
    before, files = set(threading.enumerate()), fds()
    chance = random.Random(1)
    clip = HUM * 8
    session = rtnb.Session(endpoint.url, transcription="whisper-1", name="soak")
    log = LogSize(session.events)
    hints: list[str] = []
    session.on("session.hint", hints.append)
    session.attach(speaker=rtnb.SilentSpeaker(speed=SPEED, keep_s=1.0))
    noted = []

    @session.tool
    def note() -> str:
        """Note."""
        noted.append(1)
        return "noted"

    replies, drops, samples = [], 0, []
    turns = max(round(minutes * 60 / TURN_S), 10)
    started = time.monotonic()
    for turn in range(turns):
        if turn and int(turn * TURN_S / DROP_S) > int((turn - 1) * TURN_S / DROP_S):
            endpoint.fault(chance.choice(["drop", "drop", "expire"]))
            drops += 1
        if turn % 2:
            replies.append(session.ask(f"question {turn}"))
        else:
            session.connect()
            session.append_audio(clip)
            session.commit(timeout=60)
            replies.append(session.respond())
        replies[-1].wait(120)
        if turn % max(turns // 30, 1) == 0:
            samples.append((turn / turns, resident(), log.now()))
        pause = started + (turn + 1) * TURN_S / SPEED - time.monotonic()
        time.sleep(max(pause, 0))
    last = session.ask("the last question")
    last.wait(120)
    samples.append((1.0, resident(), log.now()))
    items = [item.id for item in session.items]
    wrong = []
    created = session.events.names["session.created"]
    statuses = {status: sum(reply.status == status for reply in replies) for status in ("completed", "incomplete")}
    if sum(statuses.values()) != len(replies):
        wrong.append(f"answers failed: {[reply for reply in replies if reply.status not in statuses]}")
    if created != 1 + drops:
        wrong.append(f"{drops} drops, and {created} connections")
    asked = [item.text for item in session.items if item.text.startswith("question")]
    if asked != [f"question {turn}" for turn in range(turns) if turn % 2]:
        wrong.append("written questions are lost, doubled or in another order")
    if sum(item.audio_bytes == len(clip) for item in session.items if item.role == "user") != (turns + 1) // 2:
        wrong.append("spoken questions are lost or changed")
    if len(noted) != sum(item.type == "function_call_output" for item in session.items):
        wrong.append("calls of the tool are lost or doubled")
    seen = endpoint.ask("seen")
    if seen != items[: len(seen)] or len(items) - len(seen) not in (1, 3):
        wrong.append("the server has other items, or another order")
    session.close()
    for _ in range(150):  # the loudspeaker's thread ends a while after the last sound
        left = {thread.name for thread in set(threading.enumerate()) - before}
        if not left:
            break
        time.sleep(0.1)
    if left or fds() > files or endpoint.ask("sessions"):
        wrong.append(f"left behind: threads {left}, {fds() - files} files, {endpoint.ask('sessions')} connections")
    endpoint.end()

    rest = [(share, total - kept) for share, total, kept in samples]
    warm = statistics.median(value for share, value in rest if 1 / 6 <= share <= 1 / 3)
    end = statistics.median(value for share, value in rest if share >= 5 / 6)
    if end > 1.10 * warm:
        wrong.append(f"memory beside the log grew from {warm:.0f} to {end:.0f} MB")
    print(f"{minutes:g} minutes at {SPEED}x: {turns} turns, {len(items)} items, {len(session.events)} events")
    print(f"  {drops} drops, {created} connections, {statuses['incomplete']} answers cut, {len(hints)} notices")
    print(f"  memory {samples[-1][1]:.0f} MB, of it the log {samples[-1][2]:.0f} MB")
    print(f"  memory beside the log {warm:.1f} MB after warm-up, {end:.1f} MB at the end ({end / warm - 1:+.1%})")
    return wrong


# ---- ten at once


class Clock:
    """A loudspeaker that only notes when what comes."""

    def __init__(self) -> None:
        self.on_heard: Any = None
        self.came: list[tuple[float, int]] = []

    def play(self, item_id: str, pcm: bytes) -> None:
        self.came.append((time.perf_counter(), len(pcm)))

    def end(self, item_id: str) -> None:
        if self.on_heard is not None:
            self.on_heard(item_id, sum(size for _, size in self.came) // 2, True)

    def stop(self) -> None:
        pass


def ten(seconds: float, sessions: int) -> list[str]:
    """Let them all speak; gives what is wrong."""
    endpoint = Endpoint(words=max(round(seconds / 0.3), 20), pace=1.0)
    made = [rtnb.Session(endpoint.url, transcription=None, name=f"soak {n}") for n in range(sessions)]
    clocks = [Clock() for _ in made]
    for session, clock in zip(made, clocks, strict=True):
        session.attach(speaker=clock)
        session.connect()
    replies = [session.ask("speak") for session in made]
    for reply in replies:
        reply.wait(seconds * 2 + 60)
    late: list[float] = []
    for clock in clocks:
        late += lateness(clock.came)
    for session in made:
        session.close()
    endpoint.end()
    late.sort()
    p50, p99, worst = late[len(late) // 2], late[int(len(late) * 0.99)], late[-1]
    print(f"{sessions} sessions at once, {len(late)} deltas of up to {CHUNK_MS} ms on {os.cpu_count()} cores")
    print(f"  after the schedule: p50 {p50:.1f} ms, p99 {p99:.1f} ms, at most {worst:.1f} ms")
    return [] if p99 < LATE_MS else [f"p99 is {p99:.1f} ms: {LATE_MS:g} ms is the deadline"]


def lateness(came: list[tuple[float, int]], burst_ms: float = 2000.0) -> list[float]:
    """Milliseconds after which each delta came than it was due: at the speed of speech, after a first burst.

    The pacer's own start is not known here; it is the latest that no delta came before.
    """
    dues, sent = [], 0.0
    for _, size in came:
        sent += size / MS
        dues.append(max(0.0, sent - burst_ms))
    paced = [(when * 1000 - due) for (when, _), due in zip(came, dues, strict=True) if due > 0]
    return [value - min(paced) for value in paced] if paced else []


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="of conversation (60)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of speech for each of ten sessions (60)")
    parser.add_argument("--sessions", type=int, default=10)
    options = parser.parse_args()
    logging.getLogger("rtnb").setLevel(logging.ERROR)
    wrong = hour(options.minutes) + ten(options.seconds, options.sessions)
    for each in wrong:
        print(f"WRONG: {each}")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
