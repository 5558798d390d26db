"""The kernel's own microphone and loudspeaker, over a sound card that is turned by hand."""

from __future__ import annotations

import builtins
import sys
import threading
import types
from typing import Any

import numpy as np
import pytest
from helpers_session import Lab, eventually, lab
from helpers_sound_card import PortAudioError, Slow, Stream, card, slow_card

from rtnb.core.errors import RtnbError
from rtnb.notebook.kernel_audio import KernelAudio, load_sounddevice
from rtnb.session.session import SessionState

__all__ = ["card", "lab", "slow_card"]


def speaker_with_reports() -> tuple[KernelAudio, list[tuple[str, int, bool]]]:
    audio, heard = KernelAudio(), []
    audio.speaker.on_heard = lambda *report: heard.append(report)
    return audio, heard


def test_what_is_played_is_what_was_sent_and_it_is_counted_to_the_end(card: object) -> None:
    audio, heard = speaker_with_reports()
    sent = np.arange(1, 10_001, dtype="<i2")
    raw = sent.tobytes()
    for at in range(0, len(raw), 999):  # odd pieces
        audio.speaker.play("a", raw[at : at + 999])
    audio.speaker.end("a")
    out = Stream.opened[0].take(40)
    assert np.array_equal(out[:10_000], sent)
    assert not out[10_000:].any()
    assert heard[-1] == ("a", 10_000, True)
    assert [samples for _, samples, _ in heard] == sorted(samples for _, samples, _ in heard)
    assert all(item_samples <= 10_000 for _, item_samples, _ in heard)


def test_a_gap_counts_for_no_item(card: object) -> None:
    audio, heard = speaker_with_reports()
    audio.speaker.play("a", b"\1\0" * 4800)
    stream = Stream.opened[0].take(40) is not None and Stream.opened[0]
    assert heard[-1] == ("a", 4800, False)
    assert audio.speaker.underruns == 1
    audio.speaker.play("a", b"\1\0" * 4800)
    audio.speaker.end("a")
    stream.take(40)
    assert heard[-1] == ("a", 9600, True)


def test_stop_fades_tells_every_item_and_drops_what_comes_late(card: object) -> None:
    audio, heard = speaker_with_reports()
    audio.speaker.play("a", b"\0\x20" * 24_000)
    audio.speaker.play("b", b"\0\x20" * 24_000)
    stream = Stream.opened[0]
    stream.take(25)
    audio.speaker.stop()
    assert heard[-2:] == [("a", 12_000 - 240, True), ("b", 0, True)]  # 10 ms are still on their way
    out = stream.take(2)
    assert out[0] == 0x2000
    assert not out[120:].any()
    audio.speaker.play("a", b"\0\x20" * 24_000)
    assert not stream.take(20).any()
    audio.speaker.stop()
    assert len([1 for item, _, final in heard if item == "a" and final]) == 1
    audio.close()
    audio.close()
    assert not stream.open


def test_the_microphone_gives_numbered_frames_and_counts_overflows(card: object) -> None:
    audio = KernelAudio()
    frames: list[tuple[bytes, int]] = []
    lost: list[int] = []
    audio.microphone.on_audio = lambda pcm, seq: frames.append((pcm, seq))
    audio.microphone.on_dropped = lost.append
    audio.microphone.start()
    stream = Stream.opened[0]
    stream.give(np.arange(960, dtype=np.int16))
    stream.give(np.arange(960, dtype=np.int16), overflow=True)
    audio.microphone.stop()
    assert [seq for _, seq in frames] == [0, 1]
    assert frames[0][0] == np.arange(960, dtype="<i2").tobytes()
    assert lost == [1]
    assert not stream.open


def test_a_microphone_that_is_stopped_while_it_opens_does_not_stay_open(slow_card: object) -> None:
    microphone = KernelAudio().microphone
    told: list[bool] = []
    microphone.on_recording = told.append
    thread = threading.Thread(target=microphone.start)
    thread.start()
    assert Slow.reached.wait(10)
    microphone.stop()
    Slow.go.set()
    thread.join(10)
    assert [stream.open for stream in Stream.opened] == [False]
    assert told == [], "it never recorded"
    microphone.start()
    assert [stream.open for stream in Stream.opened] == [False, True]
    microphone.stop()
    assert told == [True, False]


def test_record_waits_for_as_much_as_was_asked(card: object) -> None:
    audio = KernelAudio()
    got: list[bytes] = []
    opened = threading.Event()
    start = Stream.start

    class Watched(Stream):
        def start(self) -> None:
            start(self)
            opened.set()

    card.InputStream = Watched  # type: ignore[attr-defined]
    thread = threading.Thread(target=lambda: got.append(audio.record(0.1)))
    thread.start()
    assert opened.wait(10)
    for _ in range(3):
        Stream.opened[0].give(np.ones(960, np.int16))
    thread.join(10)
    assert got == [b"\1\0" * 2400]


def test_a_session_does_not_hear_what_record_began(card: object) -> None:
    audio, told, heard = KernelAudio(), [], []
    audio.microphone.on_recording = told.append
    audio.microphone.on_audio = lambda pcm, seq: heard.append(seq)

    class Speaking(Stream):
        def start(self) -> None:
            super().start()
            self.give(np.ones(960, np.int16))

    card.InputStream = Speaking  # type: ignore[attr-defined]
    assert audio.record(0.04) == b"\1\0" * 960
    assert (told, heard, Stream.opened[0].open) == ([], [], False)
    audio.microphone.start()
    assert (told, heard) == ([True], [0])


def test_record_of_a_recording_that_runs_leaves_it_to_the_session(card: object) -> None:
    audio, told, heard = KernelAudio(), [], []
    audio.microphone.on_recording = told.append
    audio.microphone.on_audio = lambda pcm, seq: heard.append(seq)
    audio.microphone.start()
    spoken = threading.Thread(target=lambda: [Stream.opened[0].give(np.ones(960, np.int16)) for _ in range(20)])
    collect = threading.Thread(target=lambda: heard.append(len(audio.record(0.04))))
    collect.start()
    eventually(lambda: audio.microphone._collectors, "record to begin")
    spoken.start()
    collect.join(10)
    spoken.join(10)
    assert sorted(heard) == sorted([*range(20), 1920])
    assert told == [True]
    assert Stream.opened[0].open


def test_two_records_at_once_each_get_their_sound(card: object) -> None:
    audio = KernelAudio()
    got: dict[float, bytes] = {}
    threads = [
        threading.Thread(target=lambda seconds=seconds: got.update({seconds: audio.record(seconds)}))
        for seconds in (0.04, 0.12)
    ]
    for thread in threads:
        thread.start()
    eventually(lambda: len(audio.microphone._collectors) == 2 and Stream.opened, "both to begin")
    Stream.opened[0].give(np.ones(960, np.int16))
    threads[0].join(10)
    assert Stream.opened[0].open
    for _ in range(2):
        Stream.opened[0].give(np.ones(960, np.int16))
    threads[1].join(10)
    assert {seconds: len(pcm) for seconds, pcm in got.items()} == {0.04: 1920, 0.12: 5760}
    assert [stream.open for stream in Stream.opened] == [False]


def test_a_recording_that_begins_during_record_is_heard_and_goes_on(card: object) -> None:
    audio, told, heard = KernelAudio(), [], []
    audio.microphone.on_recording = told.append
    audio.microphone.on_audio = lambda pcm, seq: heard.append(seq)
    thread = threading.Thread(target=lambda: audio.record(0.12))
    thread.start()
    eventually(lambda: Stream.opened, "record to open the device")
    Stream.opened[0].give(np.ones(960, np.int16))
    audio.microphone.start()
    for _ in range(2):
        Stream.opened[0].give(np.ones(960, np.int16))
    thread.join(10)
    assert (told, heard, Stream.opened[0].open) == ([True], [0, 1], True)
    audio.microphone.stop()
    assert (told, Stream.opened[0].open) == ([True, False], False)


def test_a_session_that_closes_while_its_device_opens_stays_closed(lab: Lab, slow_card: object) -> None:
    session, audio = lab.session().connect(), KernelAudio()
    session.attach(microphone=audio.microphone)
    thread = threading.Thread(target=audio.microphone.start)
    thread.start()
    assert Slow.reached.wait(10)
    session.close()
    Slow.go.set()
    thread.join(10)
    assert [stream.open for stream in Stream.opened] == [False]
    assert session.state is SessionState.CLOSED


def test_no_device_is_told_in_words(card: types.ModuleType) -> None:
    def refuse(**_: Any) -> None:
        raise PortAudioError("Error querying device -1")

    card.InputStream = refuse  # type: ignore[attr-defined]
    with pytest.raises(RtnbError, match="has no microphone"):
        KernelAudio().microphone.start()
    card.query_devices = lambda: [{"name": "USB", "max_input_channels": 1}]  # type: ignore[attr-defined]
    with pytest.raises(RtnbError, match=r"Another program.*USB"):
        KernelAudio().microphone.start()


@pytest.mark.parametrize(
    ("error", "words"),
    [(ImportError("no module"), "pip install"), (OSError("PortAudio library not found"), "libportaudio2")],
)
def test_what_is_missing_is_named_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    real = builtins.__import__

    def fail(name: str, *args: Any, **options: Any) -> Any:
        if name == "sounddevice":
            raise error
        return real(name, *args, **options)

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.raises(RtnbError, match=words):
        load_sounddevice()
