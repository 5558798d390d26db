"""What the views cost the kernel: CPU and bytes for each 1,000 events, beside a plain `ipywidgets.Output` log.

Answers of 60 s arrive as deltas; every 50 ms there is news, as in a session. Bytes are those of the JSON that a comm
message would carry; CPU is that of the process, the writing of that JSON included. The three take turns in one run.

    uv run python benchmarks/panel.py            # about half a minute

============  ==================================================================================
events        `EventTable`
conversation  `ConversationView`
output        one line an event in an `ipywidgets.Output`, as a first attempt would have it
============  ==================================================================================
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import ipywidgets

from rtnb.core.conversation import Conversation
from rtnb.core.log import EventLog
from rtnb.notebook.conversation import ConversationView
from rtnb.notebook.events import EventTable
from rtnb.notebook.feed import View

GROUP = 25  # events in 50 ms: a fast server


class Source:
    """What a view sees of a session."""

    def __init__(self) -> None:
        self.events = EventLog()
        self.conversation = Conversation()
        self.replies: list[Any] = []
        self.state = None
        self.watchers: list[Callable[..., None]] = []

    def watch(self, fn: Callable[..., None]) -> None:
        self.watchers.append(fn)

    def unwatch(self, fn: Callable[..., None]) -> None:
        self.watchers = [each for each in self.watchers if each != fn]

    def on(self, name: str, fn: Callable[..., None]) -> None:
        pass

    off = on

    def take(self, event: dict[str, Any]) -> None:
        entry = self.events.append(event, "server", len(self.events) / 500)
        changes = self.conversation.apply(event)
        for fn in self.watchers:
            fn(entry, changes)


def answers(count: int) -> Iterator[dict[str, Any]]:
    """Events of spoken answers: 200 ms of sound and a word, in turn."""
    sound = base64.b64encode(random.Random(1).randbytes(9600)).decode()
    made, number = 0, 0
    while made < count:
        number += 1
        item = {"id": f"item_{number}", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
        of = {"response_id": f"resp_{number}", "item_id": item["id"], "output_index": 0, "content_index": 0}
        yield {"type": "response.created", "response": {"id": of["response_id"], "status": "in_progress"}}
        yield {"type": "response.output_item.added", "response_id": of["response_id"], "output_index": 0, "item": item}
        before = f"item_{number - 1}" if number > 1 else None
        yield {"type": "conversation.item.added", "previous_item_id": before, "item": item}
        for _ in range(300):
            yield {"type": "response.output_audio.delta", "delta": sound, **of}
            yield {"type": "response.output_audio_transcript.delta", "delta": "word ", **of}
        yield {"type": "conversation.item.done", "item": {**item, "status": "completed"}}
        yield {"type": "response.done", "response": {"id": of["response_id"], "status": "completed"}}
        made += 605


class Bytes:
    """Counts what would cross to the page."""

    def __init__(self) -> None:
        self.total = 0

    def __call__(self, content: Any, buffers: Any = None) -> None:
        self.total += len(json.dumps(content))


def view(make: Callable[[Any], View], events: list[dict[str, Any]]) -> tuple[float, int]:
    source, sent = Source(), Bytes()
    shown = make(source)
    shown.news = lambda: None  # type: ignore[method-assign]  # batches are made here, at their pace
    shown.send = sent  # type: ignore[method-assign]
    shown._is_shown = True
    shown.hello()
    baseline = Source()
    before = time.process_time()
    for event in events:
        baseline.take(event)
    bare = time.process_time() - before
    before = time.process_time()
    for start in range(0, len(events), GROUP):
        for event in events[start : start + GROUP]:
            source.take(event)
        shown._flush()
    cpu = time.process_time() - before - bare
    shown.close()
    return cpu, sent.total


def output(events: list[dict[str, Any]]) -> tuple[float, int]:
    log, sent = ipywidgets.Output(), Bytes()
    log.send_state = lambda key=None: sent({"outputs": log.outputs})  # type: ignore[method-assign]
    log.observe(lambda change: sent({"outputs": change["new"]}), "outputs")
    before = time.process_time()
    for event in events:
        log.append_stdout(f"{json.dumps(event)[:120]}\n")
    cpu = time.process_time() - before
    log.close()
    return cpu, sent.total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    events = list(answers(given.events))
    few = events[:1_000]  # the plain log grows with the square of what it holds
    ways: dict[str, tuple[Callable[[], tuple[float, int]], int]] = {
        "events": (lambda: view(EventTable, events), len(events)),
        "conversation": (lambda: view(ConversationView, events), len(events)),
        "output (first 1,000 only)": (lambda: output(few), len(few)),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(given.rounds):
        for name, (run, count) in ways.items():
            cpu, n_bytes = run()
            found[name].append((1e6 * cpu / count, n_bytes / count))  # ms, kB for 1,000 events
    print("| | kernel CPU, ms per 1,000 events | kB to the page per 1,000 events |\n|---|---|---|")
    for name, told in found.items():
        cpu = statistics.median(each for each, _ in told)
        print(f"| {name} | {cpu:.1f} | {statistics.median(each for _, each in told):.1f} |")


if __name__ == "__main__":
    main()
