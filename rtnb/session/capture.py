"""From the microphone to the server: frames while it records, and the turn when push-to-talk ends.

Without turn detection a recording is a turn: pressing Record interrupts what is being said, releasing it commits and
asks for an answer; less than 100 ms is thrown away with a hint. With turn detection the server decides, and frames just
stream; only when the microphone is switched off in the middle of a sentence, whose end the server would then wait for
for ever, it is committed here.

Frames come on any thread. What is said before the connection is open is kept and sent first; but while a lost
connection is opened again, the frames of a microphone that is always open are dropped and counted.

Imports `rtnb.core` and its neighbours in `rtnb.session`.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from rtnb.core.gate import Gate
from rtnb.core.protocol import BYTES_PER_MS, LIMITS
from rtnb.session.bell import Bell
from rtnb.session.link import Link
from rtnb.session.sound import Microphone
from rtnb.session.telephone import Line

__all__ = ["Capture", "CaptureHost"]

_EARLY_FRAMES: Final = 250
_LAST_FRAME_S: Final = 1.0  # how long the last frame of a recording may take
_LATE_REPORT_S: Final = 5.0  # so late may a microphone tell of a recording that is over already
_NO_FRAME_S: Final = 0.1  # after so long without one there is none, where the microphone does not tell its end


class CaptureHost(Protocol):
    """What capturing needs of its session: `post`, `count_audio` and properties on any thread, the rest on the loop."""

    link: Link | None
    line: Line

    def post(self, call: Callable[..., object], *args: object) -> None:
        """Run on the session's loop."""
        ...

    def count_audio(self, n_bytes: int) -> None:
        """So many bytes go into the server's buffer."""
        ...

    def begin_speaking(self) -> None:
        """The user pressed Record: connect if needed, and interrupt."""
        ...

    def end_speaking(self) -> None:
        """The user released it: commit and answer."""
        ...

    def discard_speech(self) -> None:
        """What was recorded is no turn: empty the buffer."""
        ...

    def hint(self, text: str) -> None:
        """Tell the user something worth knowing."""
        ...

    @property
    def detects_turns(self) -> bool:
        """Whether the server says when a turn ends."""
        ...

    @property
    def is_away(self) -> bool:
        """Whether the connection was lost, and is being opened again."""
        ...

    @property
    def hears_speech(self) -> bool:
        """Whether the server hears the user speak just now."""
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
        Whether the microphone is deaf while an answer is heard, where the server says when a turn ends: against echo
        where no canceller helps. Pressing Record without turn detection silences the answer anyway.
    is_recording
        Whether the microphone says that it records.
    """

    def __init__(self, host: CaptureHost) -> None:
        self._host = host
        self.microphone: Microphone | None = None
        self.half_duplex = False
        self.is_recording = False
        self._lock = threading.Lock()
        self._heard_nothing = False  # no frame came since the last `begin`
        self._news = Bell()  # rings with each frame, and when the microphone told the end of a recording
        self._has_ended = False
        self._has_framed = False
        self._by_hand = False  # within `session.recording()`, which sends the turn itself
        self._was_by_hand = -math.inf  # when one ended of which the microphone had not told yet
        self._early: deque[bytes] = deque()  # frames from before the connection was open
        self._taken = 0  # bytes of this recording
        self._dropped = 0  # frames lost here, or because the socket did not keep up
        self._lost_before = 0  # frames that former microphones lost
        self._lost = 0  # frames that this one lost
        self._gate: Gate | None = None  # keeps silence back, where that is wanted

    @property
    def dropped(self) -> int:
        """How many frames were lost, wherever it was."""
        return self._dropped + self._lost_before + self._lost

    @property
    def gate(self) -> Gate | None:
        """What keeps silence back; None: everything is sent."""
        return self._gate

    @gate.setter
    def gate(self, gate: Gate | None) -> None:
        with self._lock:
            self._gate = gate

    # ---- the microphone

    def attach(self, microphone: Microphone | None) -> None:
        """Listen to this microphone from now on; None for none. A recording of another one ends without a turn."""
        old = self.microphone
        if old is microphone:
            return
        if old is not None and old.on_audio == self.take:  # else somebody else has taken it
            old.on_audio = old.on_recording = old.on_dropped = None
            old.stop()
        with self._lock:
            was_recording, self.is_recording = self.is_recording, False
            self._early.clear()
            self._lost_before, self._lost = self._lost_before + self._lost, 0
        if was_recording and not self._by_hand and not self._host.detects_turns:
            self._host.post(self._host.discard_speech)
        self.microphone = microphone
        if microphone is not None:
            microphone.on_audio = self.take
            microphone.on_recording = self._told
            microphone.on_dropped = self._told_lost

    def take(self, pcm: bytes, seq: int = 0) -> None:
        """Take a frame; from any thread."""
        self._heard_nothing = False
        host = self._host
        if self.half_duplex and host.detects_turns and host.is_playing:
            return
        gate, passing = self._gate, [pcm]
        if gate is not None:
            with self._lock:
                passing = gate.push(pcm, hold=host.detects_turns and host.hears_speech)
        for frame in passing:
            self._pass(frame)
        self._has_framed = True
        self._news.ring()

    def _pass(self, pcm: bytes) -> None:
        host = self._host
        with self._lock:
            self._taken += len(pcm)
            link = host.link
            if link is not None and link.is_open:
                self._flush(link)
                self._put(link, pcm)
            elif host.is_away and host.detects_turns:  # it would be heard too late to be answered
                self._dropped += 1
            elif self.is_recording:  # nobody asked to hear the rest
                if len(self._early) == _EARLY_FRAMES:
                    self._early.popleft()
                    self._dropped += 1
                self._early.append(pcm)

    def _told(self, on: bool) -> None:
        """The microphone began or ended a recording; on any thread."""
        with self._lock:
            if on == self.is_recording:
                return
            self.is_recording = on
            taken = self._taken
            self._taken = 0
            if on:
                self._early.clear()
                if self._gate is not None:
                    self._gate.reset()
        if not self._by_hand and time.monotonic() - self._was_by_hand > _LATE_REPORT_S:
            self._host.post(self._switched, on, taken)
        elif not on:
            self._was_by_hand = -math.inf
        if on:
            self._has_ended = False
        else:
            self._has_ended = True
            self._news.ring()

    def _told_lost(self, frames: int) -> None:
        self._lost = frames

    # ---- turns

    def _switched(self, on: bool, taken: int) -> None:
        host = self._host
        if on:
            host.begin_speaking()
        elif host.detects_turns:
            if host.hears_speech:
                host.end_speaking()
        elif taken >= LIMITS.MIN_COMMIT_MS * BYTES_PER_MS:
            host.end_speaking()
        else:
            with self._lock:
                self._early.clear()
            host.discard_speech()
            silent = " that are no silence" if self._gate is not None else ""
            host.hint(f"only {taken / BYTES_PER_MS:.0f} ms{silent} were recorded: hold the button while you speak")

    def begin(self) -> None:
        """Start the microphone, if there is one, for a turn that somebody else sends; from any thread but the loop's.

        Raises
        ------
        RtnbError
            The microphone refuses; its words.
        """
        self._by_hand = True
        self._heard_nothing = True
        self._was_by_hand = -math.inf
        if self.microphone is not None:
            self._has_ended = False
            try:
                self.microphone.start()
            except BaseException:
                self._by_hand = False
                raise

    def finish(self) -> None:
        """Stop the microphone and wait for its last frame, a second at most."""
        try:
            if self.microphone is None:
                return
            tells = self.is_recording
            self.microphone.stop()
            if tells:
                if not self._news.wait_until(lambda: self._has_ended, _LAST_FRAME_S):
                    self._was_by_hand = time.monotonic()
                return
            self._was_by_hand = time.monotonic()  # it may yet tell that it began, and that it ended
            for _ in range(round(_LAST_FRAME_S / _NO_FRAME_S)):
                self._has_framed = False
                if not self._news.wait_until(lambda: self._has_framed, _NO_FRAME_S):
                    return
        finally:
            self._by_hand = False

    def why_silent(self) -> str:
        """Why the microphone gave nothing since `begin`, in its words; empty when it did, or does not know."""
        why = getattr(self.microphone, "why_silent", None)
        return str(why()) if self._heard_nothing and why is not None else ""

    # ---- the connection

    def connected(self) -> None:
        """Send what was said while the connection was being opened."""
        with self._lock:
            if self._host.link is not None:
                self._flush(self._host.link)

    def lose(self, frames: int) -> None:
        """So many frames were given to the connection, and it was lost before it sent them."""
        self._dropped += frames

    def closed(self) -> None:
        """The session was closed: no microphone stays open for it."""
        with self._lock:
            was_recording, self.is_recording = self.is_recording, False
            self._early.clear()
        microphone = self.microphone
        if microphone is None or microphone.on_audio != self.take:
            return
        give_back = getattr(microphone, "give_back", None)
        if give_back is not None:
            give_back()
        elif was_recording:
            microphone.stop()

    def _flush(self, link: Link) -> None:
        while self._early:
            self._put(link, self._early.popleft())

    def _put(self, link: Link, pcm: bytes) -> None:
        before = link.dropped
        if frame := self._host.line.push(pcm):
            link.put_frame(frame)
        self._dropped += link.dropped - before
        self._host.count_audio(len(pcm))
