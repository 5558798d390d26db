"""What the tests of sound share: a conversation fed by hand, a loudspeaker that notes, a microphone that is fed."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from typing import Any

from rtnb.core.conversation import Conversation
from rtnb.core.playback import Cut
from rtnb.session.silent_speaker import SilentSpeaker
from rtnb.session.sound import Sound

MS = 48


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


class NotingSpeaker:
    """A loudspeaker that plays nothing; the test tells what was heard."""

    def __init__(self) -> None:
        self.on_heard: Callable[[str, int, bool], None] | None = None
        self.pcm: dict[str, bytes] = {}
        self.calls: list[tuple[str, str]] = []

    def play(self, item_id: str, pcm: bytes) -> None:
        self.pcm[item_id] = self.pcm.get(item_id, b"") + pcm
        self.calls.append(("play", item_id))

    def end(self, item_id: str) -> None:
        self.calls.append(("end", item_id))

    def stop(self) -> None:
        self.calls.append(("stop", ""))

    def report(self, item_id: str, ms: float, final: bool = False) -> None:
        if self.on_heard is not None:
            self.on_heard(item_id, round(ms * 24), final)


class Booth:
    """A `Sound` and the conversation that feeds it; what is posted runs when `settle` is called, or at once."""

    def __init__(self, speaker: Any = ..., *, at_once: bool = True) -> None:
        self.cuts: list[Cut] = []
        self.hints: list[str] = []
        self.posted: list[tuple[Callable[..., object], tuple[object, ...]]] = []
        self.at_once = at_once
        self.now = 0.0
        self.conversation = Conversation()
        self.sound = Sound(post=self._post, truncate=self.cuts.append, clock=lambda: self.now, hint=self.hints.append)
        self.speaker = NotingSpeaker() if speaker is ... else speaker
        self.sound.attach(self.speaker)

    def _post(self, call: Callable[..., object], *args: object) -> None:
        if self.at_once:
            call(*args)
        else:
            self.posted.append((call, args))

    def settle(self) -> None:
        posted, self.posted = self.posted, []
        for call, args in posted:
            call(*args)

    def feed(self, event: dict[str, Any]) -> None:
        sound = self.sound
        for change in self.conversation.apply(event):
            handler = {
                "audio": sound.audio,
                "audio_done": sound.audio_done,
                "response_created": sound.response_created,
                "response_done": sound.response_done,
            }.get(change.kind)
            if handler is not None:
                handler(change)

    def begin(self, response: str = "R", *, format: str | None = None, apart: bool = False) -> None:
        described: dict[str, Any] = {"id": response, "status": "in_progress", "output": []}
        described["conversation_id"] = None if apart else "conv_1"
        if format:
            described["audio"] = {"output": {"format": {"type": format}}}
        self.feed({"type": "response.created", "response": described})

    def item(self, item: str, response: str = "R", *, apart: bool = False) -> None:
        made = {"id": item, "type": "message", "role": "assistant", "status": "in_progress", "content": []}
        self.feed({"type": "response.output_item.added", "response_id": response, "output_index": 0, "item": made})
        if not apart:
            self.feed({"type": "conversation.item.added", "previous_item_id": None, "item": made})

    def delta(self, item: str, data: bytes, response: str = "R") -> None:
        where = {"response_id": response, "item_id": item, "output_index": 0, "content_index": 0}
        self.feed({"type": "response.output_audio.delta", **where, "delta": b64(data)})

    def end(self, item: str, response: str = "R") -> None:
        where = {"response_id": response, "item_id": item, "output_index": 0, "content_index": 0}
        self.feed({"type": "response.output_audio.done", **where})

    def done(self, response: str = "R", status: str = "completed") -> None:
        known = self.conversation.response(response)
        items = [
            {"id": item.id, "type": "message", "role": "assistant", "status": status, "content": []}
            for item in (known.output if known is not None else ())
        ]
        told = {key: value for key, value in (known.raw if known is not None else {}).items() if key == "audio"}
        self.feed({"type": "response.done", "response": {"id": response, "status": status, "output": items, **told}})

    def speak(self, item: str = "a", ms: int = 1000, response: str = "R") -> None:
        """A response with one item, complete."""
        self.begin(response)
        self.item(item, response)
        self.delta(item, bytes(ms * MS), response)
        self.end(item, response)
        self.done(response)


class FedMicrophone:
    """A microphone that hears what the test says."""

    def __init__(self, *, tells: bool = True) -> None:
        self.on_audio: Callable[[bytes, int], None] | None = None
        self.on_dropped: Callable[[int], None] | None = None
        self.on_recording: Callable[[bool], None] | None = None
        self.tells = tells
        self.is_on = False
        self.calls: list[str] = []
        self.last: bytes = b""  # comes after `stop`, from another thread, before its end is told
        self._seq = 0

    def start(self) -> None:
        self.calls.append("start")
        self.press()

    def stop(self) -> None:
        self.calls.append("stop")
        late = threading.Timer(0.05, self.release)
        late.daemon = True
        late.start()

    def press(self) -> None:
        self.is_on = True
        self._seq = 0
        if self.tells and self.on_recording is not None:
            self.on_recording(True)

    def release(self) -> None:
        self.say(self.last)
        self.last = b""
        self.is_on = False
        if self.tells and self.on_recording is not None:
            self.on_recording(False)

    def say(self, pcm: bytes, frame_ms: int = 40) -> None:
        for at in range(0, len(pcm), frame_ms * MS):
            if self.on_audio is not None:
                self.on_audio(pcm[at : at + frame_ms * MS], self._seq)
            self._seq += 1


class Hand:
    """A silent loudspeaker whose time the test turns, in any thread."""

    def __init__(self) -> None:
        self.now = 128.0
        self.speaker = SilentSpeaker(clock=lambda: self.now)

    def turn(self, seconds: float) -> None:
        self.now += seconds
        self.speaker.advance()
