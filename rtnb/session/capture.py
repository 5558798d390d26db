"""From the microphone to the server: frames while it records, and the turn when push-to-talk ends.

Without turn detection a recording is a turn: pressing Record interrupts what is being said, releasing it commits and
asks for an answer; less than 100 ms is thrown away with a hint. With turn detection the server decides, and frames just
stream.

Imports `rtnb.session.sound` and `rtnb.session.link`.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from rtnb.core.protocol import BYTES_PER_MS, LIMITS
from rtnb.session.link import Link
from rtnb.session.sound import Microphone

__all__ = ["Capture", "CaptureHost"]

logger = logging.getLogger(__name__)

_EARLY_FRAMES: Final = 250


class CaptureHost(Protocol):
    """What capturing needs of its session; all but `post` is called on the session's loop."""

    link: Link | None

    def post(self, call: Callable[..., object], *args: object) -> None:
        """Run on the session's loop, from any thread."""
        ...

    def begin_speaking(self) -> None:
        """The user pressed Record: connect if needed, and interrupt."""
        ...

    def end_speaking(self) -> None:
        """The user released it: commit and answer."""
        ...

    def discard_speech(self) -> None:
        """What was recorded is too short for a turn: empty the buffer."""
        ...

    def hint(self, text: str) -> None:
        """Tell the user something worth knowing."""
        ...

    @property
    def detects_turns(self) -> bool:
        """Whether the server says when a turn ends."""
        ...

    @property
    def is_playing(self) -> bool:
        """Whether an answer is being heard."""
        ...


class Capture:
    """The microphone's side of a session.

    Attributes
    ----------
    half_duplex
        Whether the microphone is deaf while an answer is heard: against echo where no canceller helps.
    """

    def __init__(self, host: CaptureHost) -> None:
        self._host = host
        self.microphone: Microphone | None = None
        self.half_duplex = False
        self.is_recording = False
        self._early: deque[bytes] = deque(maxlen=_EARLY_FRAMES)  # frames from before the connection was open
        self._taken = 0  # bytes of this recording

    def attach(self, microphone: Microphone | None) -> None:
        """Listen to this microphone from now on; None for none."""
        old = self.microphone
        if old is not None and old is not microphone:
            old.stop()
            old.on_audio = old.on_recording = None
        self.microphone = microphone
        if microphone is not None:
            microphone.on_audio = self.take
            microphone.on_recording = lambda on: self._host.post(self._switched, on)

    def take(self, pcm: bytes, seq: int = 0) -> None:
        """Take a frame; from any thread."""
        if self.half_duplex and self._host.is_playing:
            return
        self._taken += len(pcm)
        link = self._host.link
        if link is not None and link.is_open:
            while self._early:
                link.put_frame(self._early.popleft())
            link.put_frame(pcm)
        else:
            self._early.append(pcm)

    def connected(self) -> None:
        """Send what was said while the connection was being opened."""
        link = self._host.link
        while self._early and link is not None:
            link.put_frame(self._early.popleft())

    def _switched(self, on: bool) -> None:
        if on == self.is_recording:
            return
        self.is_recording = on
        if on:
            self._host.begin_speaking()
        elif not self._host.detects_turns:
            if self._taken < LIMITS.MIN_COMMIT_MS * BYTES_PER_MS:
                self._host.discard_speech()
                self._host.hint(
                    f"only {self._taken / BYTES_PER_MS:.0f} ms were recorded: hold the button while you speak"
                )
            else:
                self._host.end_speaking()
            self._taken = 0
