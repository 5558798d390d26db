"""AudioIO without a browser: what a session sees of it, and the books it keeps. A page is played by a WebSocket."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import ipywidgets
import pytest
from websockets.asyncio.client import ClientConnection, connect

import rtnb
from rtnb.core.errors import RtnbError, WaitTimeout
from rtnb.notebook.audio_io import AudioIO
from rtnb.notebook.lane_hub import Hub
from rtnb.notebook.wires import pack, unpack


class Heard:
    """Reports, in order, to wait for."""

    def __init__(self) -> None:
        self.all: list[Any] = []
        self._changed = threading.Condition()

    def __call__(self, *report: Any) -> None:
        with self._changed:
            self.all.append(report if len(report) > 1 else report[0])
            self._changed.notify_all()

    async def until(self, test: Callable[[list[Any]], bool]) -> None:
        def wait() -> bool:
            with self._changed:
                return self._changed.wait_for(lambda: test(self.all), 10)

        assert await asyncio.to_thread(wait), self.all


@pytest.fixture(autouse=True, scope="module")
def end_of_the_hub() -> Iterator[None]:
    yield
    Hub.shared().close()


@pytest.fixture
def audio() -> Iterator[AudioIO]:
    made = AudioIO()
    yield made
    made.close()


@pytest.fixture
def heard(audio: AudioIO) -> Heard:
    audio.speaker.on_heard = Heard()
    return audio.speaker.on_heard


class Page:
    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    @classmethod
    async def open(cls, audio: AudioIO, page: str = "p") -> Page:
        address = audio._address
        self = cls(await connect(f"ws://127.0.0.1:{address['port']}/"))
        await self.say({"kind": "hello", "token": address["token"], "page": page, "seen": 0, "lane": "websocket"})
        await self.next("welcome")
        return self

    async def say(self, header: dict[str, Any], payload: bytes = b"") -> None:
        await self.socket.send(pack(header, payload) if payload else json.dumps(header))

    async def frame(self, seq: int, take: int = 1, **more: Any) -> None:
        await self.say({"kind": "audio", "take": take, "seq": seq, "last": False, **more}, b"\1\0" * 960)

    async def heard(self, *reports: Any, stopped: bool = False) -> None:
        await self.say({"kind": "heard", "reports": reports, "stopped": stopped, "underruns": 0, "late": 0})

    async def next(self, kind: str) -> tuple[dict[str, Any], bytes]:
        async with asyncio.timeout(10):
            while True:
                header, payload = unpack(await self.socket.recv())
                if header["kind"] == kind:
                    return header, payload


async def test_reports_are_handed_on_and_never_exceed_what_was_sent(audio: AudioIO, heard: Heard) -> None:
    page = await Page.open(audio)
    audio.speaker.play("a", b"\1\0" * 1000)
    await page.next("play")
    await page.heard(["a", 400, False], ["unknown", 5, True])
    await page.heard(["a", 300, False])
    await page.heard(["a", 2000, False])
    audio.speaker.end("a")
    await page.heard(["a", 1000, True])
    await page.heard(["a", 1000, True])
    await heard.until(lambda all_: all_[-1:] == [("a", 1000, True)])
    assert heard.all == [("a", 400, False), ("a", 400, False), ("a", 1000, False), ("a", 1000, True)]
    await page.socket.close()


async def test_half_a_sample_waits_for_its_other_half(audio: AudioIO) -> None:
    page = await Page.open(audio)
    audio.speaker.play("a", b"\1\2\3")
    assert (await page.next("play"))[1] == b"\1\2"
    audio.speaker.play("a", b"\4")
    assert (await page.next("play"))[1] == b"\3\4"
    await page.socket.close()


async def test_stop_names_the_items_and_takes_the_report_of_the_page(audio: AudioIO, heard: Heard) -> None:
    page = await Page.open(audio)
    audio.speaker.play("a", b"\1\0" * 1000)
    await page.next("play")
    audio.speaker.stop()
    assert (await page.next("stop"))[0]["items"] == ["a"]
    await page.heard(["a", 700, True], stopped=True)
    await heard.until(lambda all_: all_ == [("a", 700, True)])
    audio.speaker.play("a", b"\1\0" * 10)
    audio.speaker.end("a")
    audio.speaker.play("b", b"\2\0" * 10)
    header, _ = await page.next("play")
    assert header["item"] == "b"
    assert audio.speaker.late == 20
    await page.socket.close()


async def test_every_item_gets_one_last_report_even_from_a_silent_page(audio: AudioIO, heard: Heard) -> None:
    page = await Page.open(audio)
    audio.speaker.play("a", b"\1\0" * 1000)
    await page.heard(["a", 300, False])
    await heard.until(bool)
    audio.speaker.stop()
    await heard.until(lambda all_: all_[-1:] == [("a", 300, True)])
    await page.heard(["a", 900, True], stopped=True)  # too late
    await page.heard(["b", 1, False])
    audio.speaker.stop()
    assert [report for report in heard.all if report[2]] == [("a", 300, True)]
    await page.socket.close()


async def test_without_a_page_stop_reports_at_once_that_nothing_was_heard(audio: AudioIO, heard: Heard) -> None:
    audio.speaker.play("a", b"\1\0" * 1000)
    audio.speaker.stop()
    await heard.until(lambda all_: all_ == [("a", 0, True)])
    page = await Page.open(audio)
    audio.speaker.play("b", b"\2\0")
    assert (await page.next("play"))[0]["item"] == "b", "nothing of the stopped item is kept for a later page"
    await page.socket.close()


async def test_a_page_that_stops_by_itself_stops_the_item_here_too(audio: AudioIO, heard: Heard) -> None:
    page = await Page.open(audio)
    audio.speaker.play("a", b"\1\0" * 1000)
    await page.next("play")
    await page.heard(["a", 10, True], stopped=True)
    await heard.until(lambda all_: all_ == [("a", 10, True)])
    audio.speaker.play("a", b"\1\0" * 50)
    assert audio.speaker.late == 100
    await page.socket.close()


async def test_a_page_that_goes_ends_what_it_played_and_a_recording(audio: AudioIO, heard: Heard) -> None:
    recordings = Heard()
    audio.microphone.on_recording = recordings
    page = await Page.open(audio)
    audio.speaker.play("a", b"\1\0" * 1000)
    await page.next("play")
    await page.frame(0)
    await recordings.until(lambda all_: all_ == [True])
    await page.heard(["a", 300, False])
    await page.say({"kind": "bye"})
    await heard.until(lambda all_: all_[-1:] == [("a", 300, True)])
    await recordings.until(lambda all_: all_ == [True, False])
    assert (audio.lane, audio.microphone_state) == ("", "off")
    await page.socket.close()


async def test_frames_come_with_their_numbers_and_gaps_are_counted_once(audio: AudioIO) -> None:
    frames, dropped = Heard(), Heard()
    audio.microphone.on_audio = lambda pcm, seq: frames((seq, len(pcm)))
    audio.microphone.on_dropped = dropped
    page = await Page.open(audio)
    for seq in (0, 1, 4):
        await page.frame(seq, dropped=2 if seq == 4 else 0)
    await page.frame(0, take=2, dropped=2)
    await page.frame(3, take=2, dropped=4)
    await frames.until(lambda all_: len(all_) == 5)
    assert frames.all == [(0, 1920), (1, 1920), (4, 1920), (0, 1920), (3, 1920)]
    assert (dropped.all, audio.dropped) == ([2, 4], 4)
    assert -91 < audio.level < -89
    await page.socket.close()


async def test_a_failing_callback_is_shown_and_does_not_end_the_lane(
    audio: AudioIO, caplog: pytest.LogCaptureFixture
) -> None:
    calls = Heard()

    def fail(pcm: bytes, seq: int) -> None:
        calls(seq)
        raise KeyError("mine")

    audio.microphone.on_audio = fail
    page = await Page.open(audio)
    await page.frame(0)
    await page.frame(1)
    await calls.until(lambda all_: all_ == [0, 1])
    assert "on_audio failed: KeyError" in audio.error
    assert "on_audio failed" in caplog.text
    await page.socket.close()


async def test_microphone_commands_reach_the_page_that_comes_later(audio: AudioIO) -> None:
    audio.microphone.start()
    page = await Page.open(audio)
    assert (await page.next("mic"))[0]["on"] is True
    audio.microphone.stop(release=True)
    assert (await page.next("mic"))[0] | {"seq": 0} == {"kind": "mic", "on": False, "release": True, "seq": 0}
    await page.socket.close()


async def test_record_gives_the_wanted_length_without_pre_roll(audio: AudioIO) -> None:
    page = await Page.open(audio)
    task = asyncio.create_task(asyncio.to_thread(audio.record, 0.1, 10))
    assert (await page.next("mic"))[0]["on"] is True
    await page.frame(0, pre=True)
    for seq in range(1, 5):
        await page.frame(seq)
    assert await task == b"\1\0" * 2400
    assert (await page.next("mic"))[0]["release"] is True
    await page.socket.close()


async def test_a_session_does_not_hear_what_record_began(audio: AudioIO) -> None:
    frames, told = Heard(), Heard()
    audio.microphone.on_audio = lambda pcm, seq: frames(seq)
    audio.microphone.on_recording = told
    page = await Page.open(audio)
    task = asyncio.create_task(asyncio.to_thread(audio.record, 0.08, 10))
    await page.next("mic")
    await page.say({"kind": "state", "microphone": "on", "recording": True, "take": 1})
    await page.frame(0)
    await page.frame(1)
    assert len(await task) == 3840
    assert (await page.next("mic"))[0]["on"] is False
    await page.frame(2)  # was on its way
    await page.frame(3, last=True)
    await page.say({"kind": "state", "microphone": "on", "recording": False, "take": 1})
    await page.frame(10, take=2)
    await page.say({"kind": "state", "microphone": "on", "recording": False, "take": 2})
    await told.until(lambda all_: all_[-1:] == [False])
    assert (frames.all, told.all) == ([10], [True, False])
    await page.socket.close()


async def test_a_recording_that_begins_before_the_end_of_record_was_told_is_heard(audio: AudioIO) -> None:
    frames, told = Heard(), Heard()
    audio.microphone.on_audio = lambda pcm, seq: frames(seq)
    audio.microphone.on_recording = told
    page = await Page.open(audio)
    task = asyncio.create_task(asyncio.to_thread(audio.record, 0.04, 10))
    await page.next("mic")
    await page.frame(0)
    await task
    audio.microphone.start()
    await page.frame(1, last=True)
    await page.frame(0, take=2)
    await frames.until(lambda all_: all_ == [0])
    assert told.all == [True]
    await page.socket.close()


async def test_two_records_in_a_row_are_both_kept_from_the_session(audio: AudioIO) -> None:
    frames, told = Heard(), Heard()
    audio.microphone.on_audio = lambda pcm, seq: frames(seq)
    audio.microphone.on_recording = told
    page = await Page.open(audio)
    for take in (1, 2):  # the second begins before the end of the first was told
        task = asyncio.create_task(asyncio.to_thread(audio.record, 0.04, 10))
        while (await page.next("mic"))[0]["on"] is False:
            pass
        await page.frame(0, take=take)
        await task
    await page.frame(1, take=2)
    await page.say({"kind": "state", "microphone": "on", "recording": False, "take": 2})
    await page.frame(9, take=3)
    await frames.until(bool)
    assert (frames.all, told.all) == ([9], [True])
    await page.socket.close()


async def test_record_of_a_recording_that_runs_leaves_it_to_the_session(audio: AudioIO) -> None:
    frames = Heard()
    audio.microphone.on_audio = lambda pcm, seq: frames(seq)
    page = await Page.open(audio)
    await page.frame(0)
    await frames.until(lambda all_: all_ == [0])
    task = asyncio.create_task(asyncio.to_thread(audio.record, 0.04, 10))
    async with asyncio.timeout(10):
        while not audio._collectors:
            await asyncio.sleep(0.01)
    await page.frame(1)
    assert len(await task) == 1920
    assert frames.all == [0, 1]
    await page.socket.close()


async def test_record_says_why_nothing_came(audio: AudioIO) -> None:
    with pytest.raises(WaitTimeout, match="no page is connected"):
        await asyncio.to_thread(audio.record, 0.1, 0)
    page = await Page.open(audio)
    task = asyncio.create_task(asyncio.to_thread(audio.record, 0.1, 10))
    await page.next("mic")
    await page.say({"kind": "state", "microphone": "opening", "error": ""})
    await page.say({"kind": "state", "microphone": "refused", "error": "No microphone was found."})
    with pytest.raises(RtnbError, match="No microphone was found"):
        await task
    await page.socket.close()


async def test_a_turn_by_hand_of_which_nothing_came_says_why(audio: AudioIO) -> None:
    def speak() -> None:
        with rtnb.Session("local") as session:
            session.attach(audio)
            with session.recording():
                pass

    with pytest.raises(RtnbError, match="no page is connected"):
        await asyncio.to_thread(speak)


async def test_a_microphone_that_is_given_back_is_closed_at_once(audio: AudioIO) -> None:
    page = await Page.open(audio)
    audio.microphone.start()
    audio.microphone.give_back()
    assert (await page.next("mic"))[0]["on"] is True
    assert (await page.next("mic"))[0]["release"] is True
    await page.socket.close()


async def test_a_microphone_that_record_has_is_not_given_back(audio: AudioIO, monkeypatch: pytest.MonkeyPatch) -> None:
    page = await Page.open(audio)
    task = asyncio.create_task(asyncio.to_thread(audio.record, 0.1, 10))
    assert (await page.next("mic"))[0]["on"] is True
    stopped = Heard()
    monkeypatch.setattr(audio.microphone, "stop", lambda release=False: stopped(release))
    audio.microphone.give_back()
    for seq in range(4):
        await page.frame(seq)
    assert await task == b"\1\0" * 2400
    assert stopped.all == [True], "once, by record itself"
    await page.socket.close()


async def test_the_state_of_the_page_is_told_by_traits(audio: AudioIO) -> None:
    changed = Heard()
    audio.observe(lambda change: changed(change["name"]), ["sound", "muted", "devices", "microphone_state", "device"])
    page = await Page.open(audio)
    devices = [{"id": "x", "label": "USB"}]
    await page.say({"kind": "state", "sound": "running", "muted": True, "devices": devices, "microphone": "on"})
    await page.say({"kind": "device", "id": "x"})
    await changed.until(lambda all_: len(all_) == 5)
    assert (audio.sound, audio.muted, audio.devices, audio.device) == ("running", True, devices, "x")
    assert repr(audio) == "<AudioIO websocket, microphone on, sound running>"
    await page.socket.close()


async def test_muting_is_told_before_what_follows_and_a_report_from_before_does_not_undo_it(audio: AudioIO) -> None:
    changed = Heard()
    audio.observe(lambda change: changed(change["new"]), "error")
    page = await Page.open(audio)
    audio.muted = True
    audio.microphone.start()
    header, _ = await page.next("mute")
    assert (header["on"], header["n"]) == (True, 1)
    await page.next("mic")
    await page.say({"kind": "state", "muted": False, "mutes": 0, "error": "one"})  # it was on its way
    await changed.until(lambda all_: all_[-1:] == ["one"])
    assert audio.muted
    await page.say({"kind": "state", "muted": False, "mutes": 1, "error": "two"})  # the user pressed the button
    await changed.until(lambda all_: all_[-1:] == ["two"])
    assert not audio.muted
    audio.muted = True
    header, _ = await page.next("mute")
    assert header["n"] == 2
    await page.socket.close()


def test_the_secret_is_in_no_repr_and_closing_twice_is_fine() -> None:
    audio = AudioIO(muted=True, keep_open_s=1)
    token = audio._address["token"]
    assert token not in repr(audio) + repr(audio.speaker) + repr(audio.microphone) + str(audio)
    audio.close()
    audio.close()
    audio.speaker.play("a", b"\0\0")
    audio.microphone.start()


def test_a_media_stream_of_the_page_can_be_the_source() -> None:
    ipywebrtc = pytest.importorskip("ipywebrtc")
    stream = ipywebrtc.AudioStream(audio=ipywidgets.Audio(value=b"RIFF"))
    audio = AudioIO(source=stream)
    assert audio.get_state("source")["source"] == f"IPY_MODEL_{stream.model_id}"
    audio.close()
