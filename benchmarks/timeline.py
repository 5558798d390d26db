"""How long the picture of a long session takes.

Makes the log of an hour of talk (a microphone that is never off, 40 ms frames; an answer of 8 s every 20 s in pieces of
100 ms; ten reports of the loudspeaker a second), and times what `session.timeline()` does with it: reading the log
from its beginning, reading only what came since the last time, and drawing.

    python benchmarks/timeline.py [--minutes 60]

The goal is less than two seconds for reading and drawing together.
"""

from __future__ import annotations

import argparse
import base64
import time
from dataclasses import dataclass, field

import numpy as np

from rtnb.core.log import EventLog
from rtnb.notebook.timeline import show_timeline, timeline_of

ANSWER_S, EVERY_S = 8.0, 20.0


@dataclass(eq=False)
class Made:
    """A session that never was."""

    events: EventLog = field(default_factory=EventLog)
    heard: list[tuple[float, str, int, bool]] = field(default_factory=list)


def noise(rng: np.random.Generator, seconds: float) -> str:
    samples = rng.standard_normal(round(24_000 * seconds)) * 3_000
    return base64.b64encode(samples.clip(-32_768, 32_767).astype("<i2").tobytes()).decode()


def session_of(minutes: float) -> Made:
    made, rng = Made(), np.random.default_rng(1)
    frames = [noise(rng, 0.04) for _ in range(50)]
    pieces = [noise(rng, 0.1) for _ in range(50)]
    log = made.events
    for turn in range(round(minutes * 60 / EVERY_S)):
        at, item, response = turn * EVERY_S, f"item_{turn}", f"resp_{turn}"
        ids = {"item_id": item, "response_id": response}
        events = [
            (at + (number + 1) * 0.04, "client", {"type": "input_audio_buffer.append", "audio": frames[number % 50]})
            for number in range(round(EVERY_S / 0.04))
        ]
        spoken = f"item_u{turn}"
        events += [
            (at + time_, "server", event)
            for time_, event in (
                (1.0, {"type": "input_audio_buffer.speech_started", "item_id": spoken, "audio_start_ms": 1e3 * at}),
                (4.0, {"type": "input_audio_buffer.speech_stopped", "item_id": spoken, "audio_end_ms": 1e3 * at + 4e3}),
                (4.0, {"type": "input_audio_buffer.committed", "item_id": spoken}),
                (4.1, {"type": "response.created", "response": {"id": response}}),
                (
                    4.6,
                    {
                        "type": "conversation.item.input_audio_transcription.completed",
                        "item_id": spoken,
                        "transcript": "And then?",
                    },
                ),
                (5.9, {"type": "response.done", "response": {"id": response, "status": "completed"}}),
            )
        ]
        for number in range(round(ANSWER_S / 0.1)):
            came = at + 5.0 + number * 0.01
            delta = {"type": "response.output_audio.delta", "delta": pieces[number % 50], **ids}
            words = {"type": "response.output_audio_transcript.delta", "delta": "word ", **ids}
            events += [(came, "server", delta), (came, "server", words)]
            made.heard.append((at + 5.2 + number * 0.1, item, 2_400 * (number + 1), False))
        for when, direction, event in sorted(events, key=lambda row: row[0]):
            log.append(event, direction, when)
    return made


def timed(what: str, work: object) -> object:
    start = time.perf_counter()
    result = work()
    print(f"{what:<52} {time.perf_counter() - start:6.2f} s")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description="How long the picture of a long session takes.")
    parser.add_argument("--minutes", type=float, default=60)
    minutes = parser.parse_args().minutes
    show_timeline(session_of(0.5))._repr_png_()  # what is loaded once
    made = session_of(minutes)
    print(f"{minutes:g} minutes, {len(made.events):,} events, {len(made.heard):,} reports")
    start = time.perf_counter()
    whole = timed("reading the log from its beginning", lambda: timeline_of(made))
    figure = timed("laying out the picture", lambda: show_timeline(made))
    timed("drawing it as PNG", figure._repr_png_)
    print(f"{'together':<52} {time.perf_counter() - start:6.2f} s")
    for entry in session_of(0.34).events:
        made.events.append(entry.event, entry.direction, whole.length + entry.time)
    timed("another 20 s of talk later: reading and picture", lambda: show_timeline(made)._repr_png_())
    timed(
        "ten seconds of it", lambda: show_timeline(made, start=60 * minutes / 2, end=60 * minutes / 2 + 10)._repr_png_()
    )


if __name__ == "__main__":
    main()
