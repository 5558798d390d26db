"""What was sent to the loudspeaker, what of it was heard, and where an interrupted answer is cut.

Audio comes several times faster than it plays. When the user interrupts, the model must be told how much of its
answer was *heard*: ``conversation.item.truncate`` with an ``audio_end_ms`` that is neither past what was heard (the
model would believe that it said things that it did not) nor past what was received (the service refuses that). Both
are counted here, item by item, from facts only: bytes that came, and samples that the loudspeaker reports as heard.

Pure: no clock, no sockets. Imports `rtnb.core.protocol`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from rtnb.core.protocol import BYTES_PER_MS, RATE

__all__ = ["Cut", "Ledger", "Track", "looks_like_echo"]

_SAMPLES_PER_MS: Final = RATE // 1000
_ECHO_WORDS: Final = 3
_ECHO_SHARE: Final = 0.7


class Cut(NamedTuple):
    """Where an item is to be truncated: the ``audio_end_ms`` of ``conversation.item.truncate``."""

    item_id: str
    audio_end_ms: int


@dataclass
class Track:
    """The audio of one item.

    Attributes
    ----------
    received_ms
        How much of it came from the server.
    heard_ms
        How much of it the loudspeaker reported as heard; never above `received_ms`.
    is_complete
        The server sends no more of it.
    is_stopped
        It was interrupted: what still comes is not played.
    is_over
        The loudspeaker has given its last report.
    """

    item_id: str
    received_ms: float = 0.0
    heard_ms: float = 0.0
    is_complete: bool = False
    is_stopped: bool = False
    is_over: bool = False


class Ledger:
    """The tracks of a session.

    Examples
    --------
    >>> ledger = Ledger()
    >>> ledger.receive("item_1", 48_000)  # a second of PCM16
    True
    >>> ledger.stop()
    ['item_1']
    >>> ledger.hear("item_1", samples=6_000, final=True)
    Cut(item_id='item_1', audio_end_ms=250)
    """

    def __init__(self) -> None:
        self._tracks: dict[str, Track] = {}
        self._open: dict[str, Track] = {}  # those without their last report

    def __getitem__(self, item_id: str) -> Track:
        return self._tracks[item_id]

    def __contains__(self, item_id: object) -> bool:
        return item_id in self._tracks

    def __iter__(self) -> Iterator[Track]:
        return iter(self._tracks.values())

    @property
    def is_playing(self) -> bool:
        """Whether something is being heard, or waits to be, that was not stopped."""
        return any(not track.is_stopped for track in self._open.values())

    def receive(self, item_id: str, n_bytes: int, *, bytes_per_ms: int = BYTES_PER_MS) -> bool:
        """Note that audio of an item came; False when it is not to be played, because the item was stopped."""
        track = self._tracks.get(item_id)
        if track is None:
            track = self._tracks[item_id] = self._open[item_id] = Track(item_id)
        track.received_ms += n_bytes / bytes_per_ms
        return not (track.is_stopped or track.is_over)

    def complete(self, item_id: str) -> None:
        """Note that no more audio comes for an item."""
        track = self._tracks.get(item_id)
        if track is not None:
            track.is_complete = True

    def stop(self) -> list[str]:
        """Stop all that is playing or waits to; gives the items. Where to cut follows from their last reports."""
        stopped = [track for track in self._open.values() if not track.is_stopped]
        for track in stopped:
            track.is_stopped = True
        return [track.item_id for track in stopped]

    def hear(self, item_id: str, samples: int, *, final: bool) -> Cut | None:
        """Take a report of the loudspeaker: so many samples (24 kHz) of the item were heard.

        Parameters
        ----------
        item_id
            An unknown one changes nothing.
        samples
            Counted from the item's beginning. Reports may come late or doubled; the highest counts.
        final
            It is the last report: all was heard, or the sound was stopped.

        Returns
        -------
        Cut or None
            For the last report of an item that was stopped before all of it was heard.
        """
        track = self._tracks.get(item_id)
        if track is None or track.is_over:
            return None
        track.heard_ms = min(max(track.heard_ms, samples / _SAMPLES_PER_MS), track.received_ms)
        if not final:
            return None
        track.is_over = True
        self._open.pop(item_id, None)
        if not track.is_stopped or (track.is_complete and track.heard_ms >= track.received_ms):
            return None
        return Cut(item_id, math.floor(track.heard_ms))

    def clear(self) -> None:
        """Forget all, as when a connection ended; there is nobody to tell of cuts any more."""
        self._tracks.clear()
        self._open.clear()


def looks_like_echo(said: str, spoken: str) -> bool:
    """Whether what "the user said" is mostly what the loudspeaker was saying just then.

    Parameters
    ----------
    said
        The transcript of the user's turn.
    spoken
        The transcript of the answer that was playing.
    """
    words = re.findall(r"\w+", said.lower())
    known = set(re.findall(r"\w+", spoken.lower()))
    return len(words) >= _ECHO_WORDS and sum(word in known for word in words) / len(words) >= _ECHO_SHARE
