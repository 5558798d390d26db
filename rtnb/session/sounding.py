"""The sound of a session: loudspeaker and microphone, push-to-talk, interruptions.

Imports `rtnb.core` and its neighbours in `rtnb.session`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from types import EllipsisType
from typing import Any

from rtnb.core.conversation import Conversation
from rtnb.core.errors import RtnbError, WaitTimeout
from rtnb.core.playback import Cut
from rtnb.core.protocol import Event, new_id
from rtnb.session.asking import Asking
from rtnb.session.capture import Capture
from rtnb.session.link import Link
from rtnb.session.listeners import Listeners
from rtnb.session.reconnect import Staying
from rtnb.session.reply import Reply
from rtnb.session.requested import Requested
from rtnb.session.router import Router
from rtnb.session.runner import Runner
from rtnb.session.sequencer import Sequencer, Turn
from rtnb.session.sound import Microphone, Sound, Speaker
from rtnb.session.telephone import Line

__all__ = ["Sounding"]


class Sounding:
    """A part of `rtnb.session.core.Core`: the host of `Capture`, and what `Sound` is given."""

    asking: Asking
    capture: Capture
    conversation: Conversation
    line: Line
    link: Link | None
    listeners: Listeners
    requested: Requested
    router: Router
    runner: Runner
    sequencer: Sequencer
    sound: Sound
    staying: Staying
    _appended: int
    _speaking: asyncio.Task[None] | None = None  # connects because Record was pressed

    async def do_connect(self, *, patience: float | None = None) -> None:
        """Open, or join whoever is opening, for `patience` seconds."""
        raise NotImplementedError

    @property
    def is_ready(self) -> bool:
        """Whether the connection is open."""
        raise NotImplementedError

    def hint(self, text: str) -> None:
        """Tell the user something worth knowing."""
        raise NotImplementedError

    def _put(self, event: Event) -> None:
        raise NotImplementedError

    # ---- devices

    def attach(
        self, speaker: Speaker | EllipsisType | None = ..., microphone: Microphone | EllipsisType | None = ...
    ) -> None:
        """Play through, and listen to, these from now on; from any thread."""
        if not isinstance(speaker, EllipsisType):
            self.runner.post(self.sound.attach, speaker)
        if not isinstance(microphone, EllipsisType):
            self.capture.attach(microphone)

    @property
    def is_playing(self) -> bool:
        """Whether an answer is being heard."""
        return self.sound.is_playing

    # ---- interruptions

    async def do_interrupt(self) -> bool:
        """Stop what is under way."""
        return self.interrupt()

    def interrupt(self) -> bool:
        """Silence, then cancel if something is active; the cut follows with the loudspeaker's last report."""
        was_playing = self.sound.silence()
        was_active = self.sequencer.interrupt()
        if was_playing or was_active:
            self.listeners.tell("conversation.interrupted", {"item": None})
        return was_playing or was_active

    def _send_cut(self, cut: Cut) -> None:
        item = self.conversation.item(cut.item_id)
        if item is not None and item.restored:
            return  # the server has no sound of it to cut
        self._put(
            {
                "type": "conversation.item.truncate",
                "event_id": new_id("event"),
                "item_id": cut.item_id,
                "content_index": 0,
                "audio_end_ms": cut.audio_end_ms,
            }
        )

    # ---- push-to-talk: the host of `Capture`

    @property
    def appended(self) -> int:
        """Bytes that were appended since the last commit."""
        return self._appended

    def count_audio(self, n_bytes: int) -> None:
        """So many bytes go into the server's buffer."""
        self._appended += n_bytes

    def begin_speaking(self) -> None:
        """Record was pressed."""
        self.interrupt()
        if not self.is_ready:
            self._speaking = asyncio.get_running_loop().create_task(self._connect_to_speak())

    async def _connect_to_speak(self) -> None:
        try:
            await self.do_connect(patience=math.inf)  # the opening has its own limit
        except RtnbError as exc:
            self.hint(f"nobody hears you: {exc}")

    def end_speaking(self) -> None:
        """Record was released: commit, and answer where the server was not told to wait for the client."""
        self._appended = 0
        if self.link is not None and (rest := self.line.flush()):
            self.link.put_frame(rest)
        commit: Event = {"type": "input_audio_buffer.commit", "event_id": new_id("event")}
        if self.detects_turns and not self.router.creates_responses:
            self._put(commit)
        elif not self.staying.keep(turn := Turn(self.asking.adopt(), items=[commit])):
            self.asking.begin(turn)

    def discard_speech(self) -> None:
        """The recording was no turn."""
        self._appended = 0
        self.line.clear()
        self._put({"type": "input_audio_buffer.clear"})

    @property
    def detects_turns(self) -> bool:
        """Whether the server says when a turn ends, or will when it is connected."""
        if self.is_ready:
            return self.router.detects_turns
        settings: Any = self.requested.config
        for name in ("audio", "input", "turn_detection"):
            settings = settings.get(name) if isinstance(settings, Mapping) else None
        return settings is not None

    @property
    def hears_speech(self) -> bool:
        """Whether the server hears the user speak just now."""
        return self.is_ready and self.conversation.speech is not None

    def gate_hangover_ms(self) -> float:
        """How long a gate stays open after the last speech: longer than the silence that ends a turn."""
        settings: Any = self.conversation.session if self.is_ready else self.requested.config
        for name in ("audio", "input", "turn_detection", "silence_duration_ms"):
            settings = settings.get(name) if isinstance(settings, Mapping) else None
        silence = settings if isinstance(settings, int | float) else 500.0
        return max(1_000.0, silence + 500.0)

    # ---- what was heard

    def wait_heard(self, reply: Reply, seconds: float | None, timeout: float) -> float:
        """Wait until so much of a reply was heard."""
        sound = self.sound

        async def has_speaker() -> bool:  # on the loop: after an `attach` that was handed over just before
            return sound.speaker is not None

        if not self.runner.call(has_speaker()):
            raise RtnbError(f"nobody hears it: {sound.failure or 'no loudspeaker is attached'}; see session.attach")
        heard = 0.0

        def is_enough() -> bool:
            nonlocal heard
            is_done = reply.is_done  # before its items are read: afterwards there are no more
            items = {item.id for response in reply.responses for item in response.output}
            samples, is_over = sound.heard_of(items)
            heard = samples / 24_000
            return (seconds is not None and heard >= seconds) or (is_done and is_over)

        # In small steps, for the end of the answer is not rung.
        if not sound.news.wait_until(is_enough, timeout, step=0.05):
            raise WaitTimeout(f"{heard:.1f} s of the answer were heard within {timeout:g} s; it goes on")
        return heard
