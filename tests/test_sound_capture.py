"""The microphone's side alone, with a link that keeps what it is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from helpers_sound import MS, FedMicrophone

from rtnb.session.capture import Capture
from rtnb.session.telephone import Line


class FakeLink:
    def __init__(self) -> None:
        self.is_open = True
        self.dropped = 0
        self.frames: list[bytes] = []

    def put_frame(self, pcm: bytes) -> None:
        self.frames.append(pcm)


class Host:
    """A session that notes what its microphone makes it do."""

    def __init__(self) -> None:
        self.link: Any = None
        self.calls: list[str] = []
        self.line = Line(lambda: "audio/pcm")
        self.n_bytes = 0
        self.detects_turns = self.hears_speech = self.is_playing = self.is_away = False

    def post(self, call: Callable[..., object], *args: object) -> None:
        call(*args)

    def count_audio(self, n_bytes: int) -> None:
        self.n_bytes += n_bytes

    def begin_speaking(self) -> None:
        self.calls.append("begin")

    def end_speaking(self) -> None:
        self.calls.append("end")

    def discard_speech(self) -> None:
        self.calls.append("discard")

    def hint(self, text: str) -> None:
        self.calls.append(text)


class Desk:
    def __init__(self) -> None:
        self.host = Host()
        self.capture = Capture(self.host)
        self.microphone = FedMicrophone()
        self.capture.attach(self.microphone)

    def open(self) -> list[bytes]:
        self.host.link = FakeLink()
        self.capture.connected()
        frames: list[bytes] = self.host.link.frames
        return frames


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_what_was_said_before_the_connection_goes_first(desk: Desk) -> None:
    desk.microphone.press()
    desk.microphone.say(b"\1\0" * 960)
    frames = desk.open()
    desk.microphone.say(b"\2\0" * 960)
    assert frames == [b"\1\0" * 960, b"\2\0" * 960]
    assert desk.host.n_bytes == 80 * MS


def test_what_was_said_when_no_connection_came_is_not_sent_with_the_next_recording(desk: Desk) -> None:
    desk.microphone.press()
    desk.microphone.say(bytes(400 * MS))
    desk.microphone.release()
    desk.microphone.press()
    desk.microphone.say(b"\2\0" * 960)
    assert desk.open() == [b"\2\0" * 960]


def test_what_nobody_asked_to_hear_is_not_kept(desk: Desk) -> None:
    desk.microphone.say(bytes(400 * MS))
    assert desk.open() == []
    assert desk.capture.dropped == 0


def test_a_touch_before_the_connection_leaves_nothing(desk: Desk) -> None:
    desk.microphone.press()
    desk.microphone.say(bytes(40 * MS))
    desk.microphone.release()
    assert desk.host.calls[:2] == ["begin", "discard"]
    assert desk.open() == []


def test_a_doubled_report_of_the_button_is_one_turn(desk: Desk) -> None:
    desk.open()
    desk.microphone.press()
    desk.microphone.press()
    desk.microphone.say(bytes(200 * MS))
    desk.microphone.release()
    desk.microphone.release()
    assert desk.host.calls == ["begin", "end"]


def test_half_duplex_does_not_hold_up_push_to_talk(desk: Desk) -> None:
    """Pressing the button silences the answer; the first syllable must not be lost until that is done."""
    frames = desk.open()
    desk.capture.half_duplex = desk.host.is_playing = True
    desk.microphone.press()
    desk.microphone.say(bytes(40 * MS))
    assert len(frames) == 1
    desk.host.detects_turns = True
    desk.microphone.say(bytes(40 * MS))
    assert len(frames) == 1


def test_another_microphone_ends_a_recording_without_a_turn(desk: Desk) -> None:
    desk.open()
    desk.microphone.press()
    desk.microphone.say(bytes(400 * MS))
    desk.capture.attach(FedMicrophone())
    assert desk.host.calls == ["begin", "discard"]
    assert desk.microphone.calls == ["stop"]
    assert desk.microphone.on_audio is None
    assert not desk.capture.is_recording


def test_a_microphone_that_refuses_is_told_and_leaves_push_to_talk_as_it_was(desk: Desk) -> None:
    desk.open()

    def refuse() -> None:
        raise OSError("no device")

    start, desk.microphone.start = desk.microphone.start, refuse  # type: ignore[method-assign]
    with pytest.raises(OSError, match="no device"):
        desk.capture.begin()
    desk.microphone.start = start  # type: ignore[method-assign]
    desk.microphone.press()
    assert desk.host.calls == ["begin"]


def test_late_reports_of_a_recording_by_hand_are_no_turn_and_no_hint(desk: Desk) -> None:
    desk.open()
    start, stop = desk.microphone.start, desk.microphone.stop
    desk.microphone.start = desk.microphone.stop = lambda *_: None  # type: ignore[assignment]
    desk.capture.begin()
    desk.capture.finish()
    desk.microphone.press()  # it tells only now that it began, and ended
    desk.microphone.say(bytes(80 * MS))
    desk.microphone.release()
    assert desk.host.calls == []
    desk.microphone.start, desk.microphone.stop = start, stop  # type: ignore[method-assign]
    desk.microphone.press()
    desk.microphone.say(bytes(200 * MS))
    desk.microphone.release()
    assert desk.host.calls == ["begin", "end"]


def test_closing_the_session_gives_a_device_back_that_would_stay_open(desk: Desk) -> None:
    given: list[str] = []
    desk.microphone.give_back = lambda: given.append("back")  # type: ignore[attr-defined]
    desk.microphone.press()
    desk.capture.closed()
    assert given == ["back"]
    desk.capture.attach(None)
    desk.capture.closed()
    assert given == ["back"]


def test_closing_the_session_stops_a_microphone_that_records(desk: Desk) -> None:
    desk.capture.closed()
    assert desk.microphone.calls == []
    desk.microphone.press()
    desk.capture.closed()
    assert desk.microphone.calls == ["stop"]


def test_a_microphone_that_gave_nothing_by_hand_is_asked_why(desk: Desk) -> None:
    assert desk.capture.why_silent() == ""
    desk.capture.begin()
    assert desk.capture.why_silent() == ""  # it does not know
    desk.microphone.why_silent = lambda: "it is refused"  # type: ignore[attr-defined]
    assert desk.capture.why_silent() == "it is refused"
    desk.microphone.say(bytes(40 * MS))
    assert desk.capture.why_silent() == ""
