"""Sound in a session: from the answers to a loudspeaker, from a microphone to the server, and interruptions.

Theory of operation
-------------------
A loudspeaker and a microphone are seen through two small protocols (`Speaker`, `Microphone`); the page's `AudioIO`, the
kernel's own devices and `SilentSpeaker` have them. Their reports come on threads of theirs and are posted to the
session's loop, where all below runs.

An interruption takes three steps, in this order: *silence* (`Speaker.stop`, which drops what waits); *cancel*, only
when a response is active and the server does not do it by itself; *truncate*, when the loudspeaker's last report tells
how much was heard, at the smaller of heard and received (`rtnb.core.playback`).

==========================  =========  ========================================================  ========
cause                       silence    cancel                                                    truncate
==========================  =========  ========================================================  ========
user speaks (VAD)           yes        no: the server cancels where ``interrupt_response`` holds  yes
Record pressed, text asked  yes        when a response is active                                 yes
``session.interrupt()``     yes        when a response is active                                 yes
==========================  =========  ========================================================  ========

Imports `rtnb.core`.
"""

from __future__ import annotations

import base64
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

from rtnb.core.audio import Audio, decode_pcma, decode_pcmu
from rtnb.core.changes import Change
from rtnb.core.playback import Cut, Ledger, looks_like_echo
from rtnb.core.protocol import BYTES_PER_MS, RATE

__all__ = ["Heard", "Microphone", "SilentSpeaker", "Sound", "Speaker"]

logger = logging.getLogger(__name__)

_TELEPHONE_RATE: Final = 8_000


class Speaker(Protocol):
    """A loudspeaker. Its methods return at once, from any thread."""

    on_heard: Callable[[str, int, bool], None] | None

    def play(self, item_id: str, pcm: bytes) -> None:
        """Append 24 kHz PCM16 to what is played of an item."""
        ...

    def end(self, item_id: str) -> None:
        """No more comes for the item."""
        ...

    def stop(self) -> None:
        """Be silent at once; the last reports of the items follow through `on_heard`."""
        ...


class Microphone(Protocol):
    """A microphone. Its methods return at once, from any thread."""

    on_audio: Callable[[bytes, int], None] | None
    on_recording: Callable[[bool], None] | None

    def start(self) -> None:
        """Begin to send frames."""
        ...

    def stop(self) -> None:
        """Send no more."""
        ...


class Heard(NamedTuple):
    """One report of the loudspeaker: at `time` (seconds of the log) `samples` (24 kHz) of the item had been heard."""

    time: float
    item_id: str
    samples: int
    final: bool


class Sound:
    """The loudspeaker's side of a session; lives on the session's loop.

    Parameters
    ----------
    post
        Runs a function on the session's loop, from any thread.
    truncate
        Sends a cut to the server.
    clock
        Seconds of the log, now.
    hint
        Tells the user something worth knowing, in words.
    """

    def __init__(
        self,
        *,
        post: Callable[..., None],
        truncate: Callable[[Cut], None],
        clock: Callable[[], float],
        hint: Callable[[str], None],
    ) -> None:
        self._post = post
        self._truncate = truncate
        self._clock = clock
        self._hint = hint
        self.ledger = Ledger()
        self.speaker: Speaker | None = None
        self.heard: list[Heard] = []
        """All reports, oldest first."""
        self.first_heard: dict[str, float] = {}
        """When the first sample of an item was heard, in seconds of the log."""
        self._spoken_over: dict[str, str] = {}  # user item -> what was being said when it began
        self._speaking: str = ""  # text of the item that is heard now
        self._resamplers: dict[str, Any] = {}

    def attach(self, speaker: Speaker | None) -> None:
        """Play through this loudspeaker from now on; None for none."""
        if self.speaker is not None and self.speaker is not speaker:
            self.speaker.stop()
            self.speaker.on_heard = None
        self.speaker = speaker
        if speaker is not None:
            speaker.on_heard = lambda item_id, samples, final: self._post(self._heard, item_id, samples, final)

    @property
    def is_playing(self) -> bool:
        """Whether an answer is being heard, or is about to be."""
        return self.ledger.is_playing

    def audio(self, change: Change) -> None:
        """Play a piece of an answer."""
        item = change.item
        if self.speaker is None or item is None:
            return
        data = base64.b64decode(change.delta)
        if self.ledger.receive(item.id, len(data), bytes_per_ms=item.bytes_per_ms):
            self.speaker.play(
                item.id, data if item.bytes_per_ms == BYTES_PER_MS else self._from_telephone(item.id, data)
            )

    def audio_done(self, change: Change) -> None:
        """Note that an item has no more audio."""
        item = change.item
        if self.speaker is None or item is None or item.id not in self.ledger:
            return
        self.ledger.complete(item.id)
        self._resamplers.pop(item.id, None)
        if not self.ledger[item.id].is_stopped:
            self.speaker.end(item.id)

    def silence(self) -> bool:
        """Stop the loudspeaker; cuts follow with its last reports. True when something was playing."""
        stopped = self.ledger.stop()
        if stopped and self.speaker is not None:
            self.speaker.stop()
        return bool(stopped)

    def speech_began(self, item_id: str, spoken: str) -> None:
        """Remember what was being said when the user began, to tell an echo."""
        if self.is_playing:
            self._spoken_over[item_id] = spoken

    def understood(self, item_id: str, text: str) -> None:
        """Compare what the user said with what was being said to them."""
        spoken = self._spoken_over.pop(item_id, "")
        if looks_like_echo(text, spoken):
            self._hint(
                "this looks like echo: the microphone hears the loudspeaker. Use headphones, turn the volume down, "
                "raise the threshold of turn_detection, or set session.half_duplex = True"
            )

    def lost(self) -> None:
        """The connection is gone: be silent, and forget."""
        if self.speaker is not None and self.ledger.is_playing:
            self.speaker.stop()
        self.ledger.clear()
        self._resamplers.clear()

    def _heard(self, item_id: str, samples: int, final: bool) -> None:
        now = self._clock()
        self.heard.append(Heard(now, item_id, samples, final))
        if samples > 0:
            self.first_heard.setdefault(item_id, now)
        cut = self.ledger.hear(item_id, samples, final=final)
        if cut is not None:
            self._truncate(cut)

    def _from_telephone(self, item_id: str, data: bytes) -> bytes:
        """G.711 to 24 kHz PCM16; which of both laws is known by the session, see `law`."""
        from rtnb.core.audio import Resampler, float_to_pcm16

        resampler = self._resamplers.get(item_id)
        if resampler is None:
            resampler = self._resamplers[item_id] = Resampler(_TELEPHONE_RATE, RATE)
        decode = decode_pcma if self.law == "audio/pcma" else decode_pcmu
        return float_to_pcm16(resampler.push(decode(data).astype("float32") / 32768))

    law: str = "audio/pcmu"
    """The output format while it is not PCM."""


class SilentSpeaker:
    """A loudspeaker without sound: plays in real time into nothing, and reports what a listener would have heard.

    For notebooks without a browser, for tests, and to try interruptions without noise.

    Parameters
    ----------
    speed
        How many times faster than real time it plays.
    """

    def __init__(self, *, speed: float = 1.0) -> None:
        self.on_heard: Callable[[str, int, bool], None] | None = None
        self.speed = speed
        self._played: list[bytes] = []
        self._condition = threading.Condition()
        self._queue: dict[str, bytearray] = {}  # what was not heard yet, by item, in order
        self._heard: dict[str, int] = {}  # samples
        self._ended: set[str] = set()
        self._stopped: set[str] = set()
        self._begun: float | None = None  # when the piece that is heard now began
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"<SilentSpeaker, {len(self._queue)} items unheard>"

    @property
    def played(self) -> Audio:
        """All that was heard, as one sound."""
        return Audio(b"".join(self._played))

    def play(self, item_id: str, pcm: bytes) -> None:
        """Append 24 kHz PCM16 to the item's queue."""
        with self._condition:
            if item_id in self._stopped:
                return
            self._queue.setdefault(item_id, bytearray()).extend(pcm)
            self._heard.setdefault(item_id, 0)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="rtnb silent speaker", daemon=True)
                self._thread.start()
            self._condition.notify_all()

    def end(self, item_id: str) -> None:
        """No more comes for the item."""
        with self._condition:
            self._ended.add(item_id)
            self._condition.notify_all()

    def stop(self) -> None:
        """Stop, and report how much of each item was heard."""
        with self._condition:
            self._advance()
            reports = [(item_id, self._heard[item_id]) for item_id in self._queue]
            self._stopped.update(self._queue)
            self._queue.clear()
            self._begun = None
            self._condition.notify_all()
        for item_id, samples in reports:
            self._report(item_id, samples, True)

    def _run(self) -> None:
        """Report every 100 ms while there is something to hear; the thread ends after a second without."""
        while True:
            with self._condition:
                if not self._queue and not self._condition.wait_for(lambda: self._queue, timeout=1.0):
                    self._thread = None
                    return
                if self._begun is None:
                    self._begun = time.monotonic()
                self._condition.wait(0.1 / self.speed)
                reports = self._advance()
            for report in reports:
                self._report(*report)

    def _advance(self) -> list[tuple[str, int, bool]]:
        """Hear what the time that went by allows; gives the reports."""
        now = time.monotonic()
        samples = int((now - self._begun) * RATE * self.speed) if self._begun is not None else 0
        self._begun = now if self._queue else None
        reports: list[tuple[str, int, bool]] = []
        for item_id in list(self._queue):
            waiting = self._queue[item_id]
            taken = min(samples, len(waiting) // 2)
            self._played.append(bytes(waiting[: 2 * taken]))
            del waiting[: 2 * taken]
            samples -= taken
            self._heard[item_id] += taken
            is_over = not waiting and item_id in self._ended
            if taken or is_over:
                reports.append((item_id, self._heard[item_id], is_over))
            if not is_over:
                break
            del self._queue[item_id]
        return reports

    def _report(self, item_id: str, samples: int, final: bool) -> None:
        if self.on_heard is not None:
            self.on_heard(item_id, samples, final)
