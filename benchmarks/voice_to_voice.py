"""From the end of the user's speech to the first sample that can be heard, split into its parts.

Run it with::

    uv run python benchmarks/voice_to_voice.py [--turns 20]

A spoken question is fed in 40 ms frames in real time into a session with ``server_vad`` on the local endpoint, as the
page's microphone does, and the moments are taken on one clock:

==================  ====================================================================================================
window              the last frame with speech was handed over -> ``speech_stopped``: the detector's silence window
                    (``silence_duration_ms``, 200 by default) and what the detector needs beside it
recognition         ``speech_stopped`` -> the transcript is final
model and voice     ``speech_stopped`` -> the first ``response.output_audio.delta``: recognition, brain and synthesis
toolkit, uplink     a frame is handed over -> its event is on the socket
toolkit, downlink   the first delta is read from the socket -> the loudspeaker is given its samples
==================  ====================================================================================================

The toolkit's own part, which is there with any server, is the sum of the two last. The loudspeaker adds its prebuffer
and the device's latency in the page (see ``benchmarks/lanes.py``). Machines differ and are noisy: look at the shares.
"""

from __future__ import annotations

import argparse
import statistics
import time

import rtnb
from rtnb.core.latency import percentile
from rtnb.local.voice import synthesize

FRAME_S = 0.04
FRAME_BYTES = 1920
QUESTION = "What is the capital of France"


class Loudspeaker:
    """Notes when it was given the first samples of each item."""

    def __init__(self) -> None:
        self.on_heard = None
        self.first: dict[str, float] = {}

    def play(self, item_id: str, pcm: bytes) -> None:
        self.first.setdefault(item_id, time.perf_counter())

    def end(self, item_id: str) -> None:
        if self.on_heard is not None:
            self.on_heard(item_id, 10**9, True)

    def stop(self) -> None:
        pass


class Microphone:
    """Feeds what it is given, in real time."""

    on_audio = None
    on_recording = None

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def feed(self, pcm: bytes, until) -> list[float]:
        """Send frames at their time, then silence until told to stop; gives when each frame was handed over."""
        frames = [pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm), FRAME_BYTES)]
        begin, sent, number = time.perf_counter(), [], 0
        while frames or not until():
            frame = frames.pop(0) if frames else bytes(FRAME_BYTES)
            delay = begin + number * FRAME_S - time.perf_counter()
            if delay > 0:
                time.sleep(delay)
            sent.append(time.perf_counter())
            self.on_audio(frame, number)
            number += 1
            if number * FRAME_S > 30:
                raise RuntimeError("no answer within 30 s")
        return sent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=20)
    turns = parser.parse_args().turns

    pcm = synthesize(QUESTION, "ash")
    pcm = pcm.rstrip(b"\0")
    pcm += bytes(len(pcm) % 2)
    rows: dict[str, list[float]] = {}

    def note(name: str, seconds: float) -> None:
        rows.setdefault(name, []).append(seconds * 1000)

    with rtnb.Session("local", turn_detection="server_vad") as session:
        core = session._core
        speaker, microphone = Loudspeaker(), Microphone()
        session.attach(speaker=speaker, microphone=microphone)
        for turn in range(turns + 1):
            start = len(session.events)
            sent = microphone.feed(pcm, lambda at=start: session.events.find("response.done", after=at - 1))
            if turn == 0:
                continue  # the first turn starts the speech engines
            log = session.events[start:]

            def at(name: str, log=log) -> float:
                return log.filter(name)[0].time + core.origin

            n_speech = len(pcm) // FRAME_BYTES
            appends = [entry.time + core.origin for entry in log.filter("input_audio_buffer.append")]
            delta = log.filter("response.output_audio.delta")[0]
            speech_end = sent[n_speech - 1]
            first = speaker.first[delta.event["item_id"]]
            uplink = statistics.median(there - here for here, there in zip(sent, appends, strict=False))
            note("window (200 ms and the detector)", at("input_audio_buffer.speech_stopped") - speech_end)
            note("recognition", at("*transcription.completed") - at("input_audio_buffer.speech_stopped"))
            note("recognition, brain and voice", delta.time + core.origin - at("input_audio_buffer.speech_stopped"))
            note("toolkit, uplink", uplink)
            note("toolkit, downlink", first - core.origin - delta.time)
            note("toolkit, both", uplink + first - core.origin - delta.time)
            note("end of speech to loudspeaker", first - speech_end)
            session.wait("response.done", after=start - 1)

    print(f"{turns} turns, milliseconds\n")
    print("| part | p50 | p95 |\n|---|---|---|")
    for name, values in rows.items():
        print(f"| {name} | {statistics.median(values):.2f} | {percentile(values, 95):.2f} |")


if __name__ == "__main__":
    main()
