"""`PageSpeaker` and `PageMicrophone`: the page's two devices, as a session takes them.

`rtnb.notebook.audio_io.AudioIO` makes them and hands on what the page tells. The speaker keeps the books of what was
sent and heard of each item; the microphone only asks for frames, AudioIO sees to whom they belong.

Imports only `rtnb.notebook.lanes` of rtnb.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from rtnb.notebook.lanes import Link

__all__ = ["PageMicrophone", "PageSpeaker"]

REPORT_S: Final = 1.0  # a page that has not reported a stop after so long will not
KEPT_IDS: Final = 1000


@dataclass
class _Playing:
    """One item on its way to the ear, in samples at 24 kHz."""

    sent: int = 0
    heard: int = 0
    half: bytes = b""  # an odd byte, until its other half comes


class PageSpeaker:
    """The loudspeaker of the page. Made by `AudioIO`; `play`, `end` and `stop` return at once, from any thread.

    Attributes
    ----------
    on_heard
        ``(item_id, samples at 24 kHz that were heard of it, final)``, every 100 ms while it plays, and once as the last
        report of each item: when it was heard to its end, was stopped, or when the page went away.
    late
        Bytes that came for an item after it was stopped, and were dropped.
    """

    on_heard: Callable[[str, int, bool], None] | None = None

    def __init__(self, link: Link, fail: Callable[[str, BaseException], None]) -> None:
        self._link = link
        self._fail = fail
        self._lock = threading.Lock()
        self._items: dict[str, _Playing] = {}  # without their last report
        self._stopped: OrderedDict[str, None] = OrderedDict()
        self._has_page = False
        self.late = 0

    def __repr__(self) -> str:
        return f"<PageSpeaker, {len(self._items)} items unheard>"

    def play(self, item_id: str, pcm: bytes) -> None:
        """Append 24 kHz PCM16 to the item's queue. Audio of a stopped item is dropped."""
        with self._lock:
            if item_id in self._stopped:
                self.late += len(pcm)
                return
            item = self._items.setdefault(item_id, _Playing())
            if item.half or len(pcm) % 2:
                pcm = item.half + pcm
                item.half = pcm[len(pcm) & ~1 :]
                pcm = pcm[: len(pcm) & ~1]
            item.sent += len(pcm) // 2
            if pcm:
                self._link.send({"kind": "play", "item": item_id}, bytes(pcm))

    def end(self, item_id: str) -> None:
        """No more audio will come for the item; its last report follows when all of it was heard."""
        with self._lock:
            if item_id in self._stopped:
                return
            self._items.setdefault(item_id, _Playing())
            self._link.send({"kind": "end", "item": item_id})

    def stop(self) -> None:
        """Silence at once: drop what is queued, and what will still come for these items."""
        with self._lock:
            items = list(self._items)
            self._forget(items)
            self._link.send({"kind": "stop", "items": items})
        if items:
            self._link.hub.call(self._settle_later, items)

    # ---- from the hub's thread

    def _forget(self, items: Sequence[str]) -> None:
        for item_id in items:
            self._stopped[item_id] = None
        while len(self._stopped) > KEPT_IDS:
            self._stopped.popitem(last=False)
        self._link.discard(items)

    def _settle_later(self, items: Sequence[str]) -> None:
        if self._has_page:
            self._link.hub.loop.call_later(REPORT_S, self._settle, items)
        else:
            self._settle(items)

    def _settle(self, items: Sequence[str]) -> None:
        """The last report of items of which no page will tell more."""
        self.take_reports([(item_id, -1, True) for item_id in items], stopped=True)

    def take_reports(self, reports: Sequence[tuple[str, int, bool]], stopped: bool) -> None:
        """Take what the page tells of items: name, samples heard, final (called by AudioIO)."""
        told: list[tuple[str, int, bool]] = []
        with self._lock:
            for item_id, samples, final in reports:
                item = self._items.get(item_id)
                if item is None:
                    continue
                item.heard = min(item.sent, max(item.heard, samples))
                if final:
                    del self._items[item_id]
                    if stopped:
                        self._forget([item_id])
                told.append((item_id, item.heard, final))
        for report in told:
            if self.on_heard is not None:
                try:
                    self.on_heard(*report)
                except Exception as exc:  # noqa: BLE001 - a callback must not end the lane; it is shown
                    self._fail("on_heard", exc)

    def on_page(self, page: str | None) -> None:
        """Items that a page got and another did not: heard as far as the last report says (called by AudioIO)."""
        if self._has_page:
            with self._lock:
                begun = list(self._items)
            self._settle(begun)
        self._has_page = page is not None


class PageMicrophone:
    """The microphone of the page. Made by `AudioIO`; `start` and `stop` return at once, from any thread.

    Attributes
    ----------
    on_audio
        ``(24 kHz PCM16, sequence number)``; frames of 40 ms, the last of a recording may be shorter. Numbers start at 0
        with each recording, the first frames are from the moment before it was started (pre-roll).
    on_dropped
        ``(frames lost so far)``, when one more was lost.
    on_recording
        ``(is recording)``, when the user pressed or released the button, and after `start` and `stop`. The last frame
        of a recording comes before its ``False``.
    why_silent
        Tells in words why no frame comes.
    """

    on_audio: Callable[[bytes, int], None] | None = None
    on_dropped: Callable[[int], None] | None = None
    on_recording: Callable[[bool], None] | None = None

    def __init__(self, link: Link, why_silent: Callable[[], str], is_lent: Callable[[], bool]) -> None:
        self._link = link
        self.why_silent = why_silent
        self._is_lent = is_lent  # to `AudioIO.record`

    def __repr__(self) -> str:
        return "<PageMicrophone>"

    def start(self) -> None:
        """Open the microphone if need be, and send its frames. The browser may ask the user first."""
        self._link.send({"kind": "mic", "on": True})

    def stop(self, release: bool = False) -> None:
        """Send no more frames. The device is closed after `AudioIO.keep_open_s`, or at once with `release`."""
        self._link.send({"kind": "mic", "on": False, "release": release})

    def give_back(self) -> None:
        """Send no more frames, and close the device; not while `AudioIO.record` has it."""
        if not self._is_lent():
            self.stop(release=True)
