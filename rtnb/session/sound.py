"""Sound in a session: from the answers to a loudspeaker, and interruptions.

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
at the loudspeaker itself   it was     no: whoever silenced it says what comes next              yes
==========================  =========  ========================================================  ========

The last row is a button in the page, another session on the same loudspeaker, a page that was closed: the last report
of an item comes before all of it was heard. As long as the response is still being made its cut is held back, since
what comes next is mostly one of the rows above.

Audio of an interrupted response may still be on its way, and may begin an item that nobody has heard of yet. None of
it is played; such an item is cut at 0 when its response is done.

A loudspeaker that fails (its device is gone, or cannot be opened) is told in a hint and attached no more: the session
goes on as one without a loudspeaker, in which nothing is cut but what was interrupted before.

Imports `rtnb.core` and its neighbours in `rtnb.session`.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Collection
from typing import Final, Protocol

from rtnb.core.changes import Change
from rtnb.core.content import base64_bytes
from rtnb.core.errors import RtnbError
from rtnb.core.items import Item, Response
from rtnb.core.playback import Cut, Ledger, looks_like_echo
from rtnb.core.protocol import BYTES_PER_MS
from rtnb.core.saved import Heard
from rtnb.session.bell import Bell
from rtnb.session.ears import OnHeard, listen, unlisten
from rtnb.session.silent_speaker import SilentSpeaker
from rtnb.session.telephone import FromTelephone, format_of

__all__ = ["Heard", "Microphone", "SilentSpeaker", "Sound", "Speaker"]

_log = logging.getLogger(__name__)

_MOST_SPOKEN_OVER: Final = 16


class Speaker(Protocol):
    """A loudspeaker. Its methods return at once, from any thread; one that fails says why in what it raises."""

    on_heard: OnHeard | None

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
    """A microphone. Its methods return at once, from any thread.

    Two more it may have: ``give_back()``, like `stop`, for one whose device otherwise stays open for a while; and
    ``why_silent()``, which tells in words why no frame comes.
    """

    on_audio: Callable[[bytes, int], None] | None
    on_dropped: Callable[[int], None] | None
    on_recording: Callable[[bool], None] | None

    def start(self) -> None:
        """Begin to send frames."""
        ...

    def stop(self) -> None:
        """Send no more."""
        ...


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
        self.failure = ""
        """Why the loudspeaker that was attached last plays no more, in its words; empty when it does."""
        self.first_heard: dict[str, float] = {}
        """When the first sample of an item was heard, in seconds of the log."""
        self.news = Bell()
        """Rings with each report, and when the connection is lost."""
        self.law: str = "audio/pcmu"
        """The session's output format, as far as it is not PCM."""
        self._samples: dict[str, int] = {}  # how much of each item was heard, also after the ledger was cleared
        self._items: dict[str, Item] = {}  # those in the ledger without their last report
        self._running: dict[str, Response] = {}  # responses that are being made
        self._muted: set[str] = set()  # responses that were interrupted
        self._unplayed: set[str] = set()  # items that began after the interruption of their response
        self._held: list[tuple[Cut, Item]] = []  # cuts that wait for the end of their response, or for an interruption
        self._was_silenced = False  # the loudspeaker fell silent by itself, and nobody has been told
        self._is_lost = False  # the connection is gone, or about to be
        self._spoken_over: dict[str, str] = {}  # user item -> what was being said when it began
        self._telephones: dict[str, FromTelephone] = {}  # by item

    # ---- the loudspeaker

    def attach(self, speaker: Speaker | None) -> None:
        """Play through this loudspeaker from now on; None for none. What is being heard through another one ends."""
        old = self.speaker
        if old is speaker:
            return
        if old is not None:
            if self.ledger.is_playing:
                try:
                    old.stop()
                except Exception:  # noqa: BLE001 - it is somebody's loudspeaker, and no concern of ours any more
                    _log.warning("the loudspeaker that was detached could not be silenced", exc_info=True)
            for track in self.ledger.unsettled:  # nobody will listen to their last reports
                if track.item_id not in self._unplayed:
                    self._heard(track.item_id, track.heard, True)
            unlisten(old, self._on_heard)
        self.speaker, self.failure = speaker, ""
        if speaker is not None:
            listen(speaker, self._on_heard)

    @property
    def is_playing(self) -> bool:
        """Whether an answer is being heard, or is about to be; from any thread."""
        return self.ledger.is_playing

    def _on_heard(self, item_id: str, samples: int, final: bool) -> None:
        """Take a report; on any thread. Those of other sessions and of former connections are none of ours."""
        if item_id in self.ledger:
            self._post(self._heard, item_id, samples, final)

    def _note(self, item_id: str, samples: int, final: bool) -> Cut | None:
        """Write a report down."""
        now = self._clock()
        self.heard.append(Heard(now, item_id, samples, final))
        if samples > 0:
            self.first_heard.setdefault(item_id, now)
        self._samples[item_id] = max(self._samples.get(item_id, 0), samples)
        cut = self.ledger.hear(item_id, samples, final=final)
        self.news.ring()
        return cut

    def _heard(self, item_id: str, samples: int, final: bool) -> None:
        cut = self._note(item_id, samples, final)
        if cut is None:
            return
        item = self._items.pop(item_id, None)
        if not self.ledger[item_id].is_stopped:
            self._was_silenced = True
            if item is not None and item.response is not None and self._is_at_work(item.response):
                self._held.append((cut, item))
                return
        self._send(cut, item)

    def _send(self, cut: Cut, item: Item | None) -> None:
        """Tell the server, if the item is in the conversation."""
        if item is None or not (item.deleted or (item.response is not None and item.response.out_of_band)):
            self._truncate(cut)

    def heard_of(self, items: Collection[str]) -> tuple[int, bool]:
        """How many samples (24 kHz) of some items were heard, and whether that is all; from any thread.

        Raises
        ------
        RtnbError
            The loudspeaker failed, and not all of them had been heard; its words.
        """
        if self.failure and not all(
            item_id in self.ledger and self.ledger[item_id].was_heard_to_its_end for item_id in items
        ):
            raise RtnbError(f"nobody hears the rest: {self.failure}")
        heard = sum(self._samples.get(item_id, 0) for item_id in items)
        return heard, not any(track.item_id in items for track in self.ledger.unsettled)

    def _use(self, call: Callable[..., None], *args: object) -> None:
        """Call the loudspeaker. When it fails, what of the session needs none goes on."""
        try:
            call(*args)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the hint has its words
            _log.info("the loudspeaker failed", exc_info=True)
            self._detach_failed(exc)

    def _detach_failed(self, exc: Exception) -> None:
        speaker, self.speaker = self.speaker, None
        if speaker is None:
            return
        unlisten(speaker, self._on_heard)
        self.failure = f"the loudspeaker failed ({exc or type(exc).__name__})"
        for track in self.ledger.unsettled:
            if track.item_id in self._unplayed:
                continue  # settled with its response
            if track.is_stopped:
                self._heard(track.item_id, track.heard, True)
            else:
                self._items.pop(track.item_id, None)
                self._note(track.item_id, track.heard, True)
        self._hint(f"{self.failure} and is attached no more: answers go on as text; see session.attach")

    # ---- what the server sends

    def connected(self) -> None:
        """A connection was opened."""
        self._is_lost = False

    def lost(self) -> None:
        """The connection is gone, or is being closed: be silent, and forget."""
        self._is_lost = True
        if self.speaker is not None and self.ledger.is_playing:
            self._use(self.speaker.stop)
        self.ledger.clear()
        self._items.clear()
        self._running.clear()
        self._muted.clear()
        self._unplayed.clear()
        self._held.clear()
        self._telephones.clear()
        self._spoken_over.clear()
        self.news.ring()

    def suspend(self) -> None:
        """The connection is opened again: what has come is played to its end, and nobody is told of cuts."""
        for item_id in self._unplayed:
            self.ledger.hear(item_id, 0, final=True)
        for track in self.ledger.unsettled:
            self._complete(track.item_id)
        self._running.clear()
        self._muted.clear()
        self._unplayed.clear()
        self._held.clear()

    def response_created(self, change: Change) -> None:
        """Follow a response."""
        if change.response is not None:
            self._running[change.response.id] = change.response
            self._was_silenced = False

    def mute(self, response_id: str) -> None:
        """A response that nobody wants any more was created: play nothing of it."""
        self._muted.add(response_id)

    def audio(self, change: Change) -> None:
        """Play a piece of an answer."""
        item, response, speaker = change.item, change.response, self.speaker
        if speaker is None or item is None or self._is_lost:
            return
        is_new = item.id not in self.ledger
        n_bytes = base64_bytes(change.delta)
        # A loudspeaker that was attached in the middle of an answer begins at its beginning: counts are from there.
        is_late = is_new and item.audio_bytes > n_bytes
        data = item.audio() if is_late else None
        is_wanted = self.ledger.receive(
            item.id,
            n_bytes if data is None else len(data),
            bytes_per_ms=item.bytes_per_ms,
            is_unwanted=response is not None and response.id in self._muted,
        )
        if is_new:
            self._items[item.id] = item
            if not is_wanted:
                self._unplayed.add(item.id)
        if not is_wanted:
            return
        if data is None:
            data = base64.b64decode(change.delta)
        if item.bytes_per_ms != BYTES_PER_MS:
            telephone = self._telephones.get(item.id)
            if telephone is None:
                named = format_of(response.raw, "output") if response is not None else None
                telephone = self._telephones[item.id] = FromTelephone(named or self.law)
            data = telephone.push(data)
        self._use(speaker.play, item.id, data)

    def audio_done(self, change: Change) -> None:
        """Note that an item has no more audio."""
        if change.item is not None:
            self._complete(change.item.id)

    def response_done(self, change: Change) -> None:
        """No more audio comes for any item of a response; those that nobody was to hear are cut."""
        response = change.response
        if response is None:
            return
        for item in response.output:
            self._complete(item.id)
            if item.id in self._unplayed:
                self._unplayed.discard(item.id)
                self._items.pop(item.id, None)
                cut = self.ledger.hear(item.id, 0, final=True)
                if cut is not None:
                    self._send(cut, item)
        self._running.pop(response.id, None)
        self._release()

    def _complete(self, item_id: str) -> None:
        if item_id not in self.ledger or self.ledger[item_id].is_complete:
            return
        self.ledger.complete(item_id)
        track = self.ledger[item_id]
        telephone = self._telephones.pop(item_id, None)
        if self.speaker is None or track.is_stopped or track.is_over:
            return
        if telephone is not None and (rest := telephone.flush()):
            self._use(self.speaker.play, item_id, rest)
        if self.speaker is not None:
            self._use(self.speaker.end, item_id)

    # ---- interruptions

    def silence(self) -> bool:
        """Stop the loudspeaker; cuts follow with its last reports. True when something was playing."""
        was_silenced, self._was_silenced = self._was_silenced, False
        self._muted.update(self._running)
        stopped = self.ledger.stop()
        if stopped and self.speaker is not None:
            self._use(self.speaker.stop)
        if self._held:
            self._post(self._release)  # after the cancel that follows
        return bool(stopped) or was_silenced

    def speech_began(self, item_id: str, spoken: str) -> None:
        """Remember what was being said when the user began, to tell an echo."""
        if self.is_playing:
            self._spoken_over[item_id] = spoken
            if len(self._spoken_over) > _MOST_SPOKEN_OVER:
                del self._spoken_over[next(iter(self._spoken_over))]

    def understood(self, item_id: str, text: str) -> None:
        """Compare what the user said with what was being said to them."""
        spoken = self._spoken_over.pop(item_id, "")
        if looks_like_echo(text, spoken):
            self._hint(
                "this looks like echo: the microphone hears the loudspeaker. Use headphones, turn the volume down, "
                "raise the threshold of turn_detection, or set session.half_duplex = True"
            )

    def _is_at_work(self, response: Response) -> bool:
        return response.id in self._running and response.id not in self._muted

    def _release(self) -> None:
        """Send the cuts whose responses are done or interrupted."""
        held, self._held = self._held, []
        for cut, item in held:
            if item.response is not None and self._is_at_work(item.response):
                self._held.append((cut, item))
            else:
                self._send(cut, item)
