"""What was sent to the loudspeaker, what of it was heard, and where an interrupted answer is cut.

Audio comes several times faster than it plays. When the user interrupts, the model must be told how much of its
answer was *heard*: ``conversation.item.truncate`` with an ``audio_end_ms`` that is neither past what was heard (the
model would believe that it said things that it did not) nor past what was received (the service refuses that). Both
are counted here, item by item, from facts only: bytes that came, and samples that the loudspeaker reports as heard.

Counts are whole numbers, so that nothing is ever rounded up past an end.

Pure: no clock, no sockets. Imports `rtnb.core.protocol`.
"""

from __future__ import annotations

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
    n_bytes, bytes_per_ms
        How much of it came from the server, and how much makes a millisecond: 48 of PCM, 8 of G.711.
    heard
        How many samples (24 kHz) the loudspeaker reported as heard; never above `received`.
    is_complete
        The server sends no more of it.
    is_stopped
        It was interrupted: what still comes is not played.
    is_over
        The loudspeaker has given its last report.
    """

    item_id: str
    bytes_per_ms: int = BYTES_PER_MS
    n_bytes: int = 0
    heard: int = 0
    is_complete: bool = False
    is_stopped: bool = False
    is_over: bool = False

    @property
    def received(self) -> int:
        """How many samples (24 kHz) came from the server."""
        return self.n_bytes * _SAMPLES_PER_MS // self.bytes_per_ms

    @property
    def received_ms(self) -> float:
        """How much of it came from the server."""
        return self.n_bytes / self.bytes_per_ms

    @property
    def heard_ms(self) -> float:
        """How much of it was heard."""
        return self.heard / _SAMPLES_PER_MS

    @property
    def was_heard_to_its_end(self) -> bool:
        """Whether no whole millisecond is left of it."""
        return self.is_complete and self.received - self.heard < _SAMPLES_PER_MS


class Ledger:
    """The tracks of a session.

    Changed on one thread; `is_playing` and ``in`` may be asked on any.

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
        return iter(list(self._tracks.values()))

    @property
    def is_playing(self) -> bool:
        """Whether something is being heard, or waits to be, that was not stopped."""
        return any(not track.is_stopped for track in list(self._open.values()))

    @property
    def unsettled(self) -> list[Track]:
        """The tracks of which the last report has not come."""
        return list(self._open.values())

    def receive(
        self, item_id: str, n_bytes: int, *, bytes_per_ms: int = BYTES_PER_MS, is_unwanted: bool = False
    ) -> bool:
        """Note that audio of an item came; False when it is not to be played.

        Parameters
        ----------
        item_id, n_bytes, bytes_per_ms
            What came.
        is_unwanted
            The answer was interrupted before: an item that begins now is stopped from its beginning.
        """
        track = self._tracks.get(item_id)
        if track is None:
            track = Track(item_id, bytes_per_ms, is_stopped=is_unwanted)
            self._tracks[item_id] = self._open[item_id] = track
        track.n_bytes += n_bytes
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
            It is the last report: all was heard, or the sound was stopped, by `stop` or at the loudspeaker.

        Returns
        -------
        Cut or None
            For the last report of an item of which something was not heard.
        """
        track = self._tracks.get(item_id)
        if track is None or track.is_over:
            return None
        track.heard = max(track.heard, min(samples, track.received))
        if not final:
            return None
        track.is_over = True
        self._open.pop(item_id, None)
        return None if track.was_heard_to_its_end else Cut(item_id, track.heard // _SAMPLES_PER_MS)

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
