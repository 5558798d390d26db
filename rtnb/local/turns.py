"""Turn detection: when the user begins to speak, and when they have finished.

`make_turns` gives one `Turns` for a session. Audio goes in by `push`, `SpeechStarted` and `SpeechStopped` come out, on
the timeline of **all** audio appended in the session, as the service counts it: a commit, a clear or a change of
settings does not set it back.

- ``server_vad``: speech starts where the detector first hears it, minus ``prefix_padding_ms``, but never before the end
  of the segment before it. It stops when ``silence_duration_ms`` have passed without speech; the silence is part of it.
- ``semantic_vad``: **an approximation.** The service's model judges from the words whether the user has finished. Here
  the partial transcript is judged by simple rules (`completeness`): what looks complete ends after a short pause, what
  breaks off ("and", "the", "um") only after the longest wait of the eagerness.

What the server does with the events (create a response, interrupt one, report an idle timeout) is its own affair.
Pure: no clock, no asyncio. Imports rtnb.core.protocol and `rtnb.local.seams`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from rtnb.core.protocol import RATE
from rtnb.local.detect import default_detector
from rtnb.local.seams import Detector

__all__ = [
    "MAX_WAIT_MS",
    "SpeechStarted",
    "SpeechStopped",
    "TurnEvent",
    "Turns",
    "completeness",
    "default_detector",
    "make_turns",
]

MAX_WAIT_MS: Final[Mapping[str, int]] = {"low": 8000, "medium": 4000, "high": 2000, "auto": 4000}
"""The longest silence that ``semantic_vad`` waits through, for each eagerness."""

_SHORT_WAIT_MS: Final[Mapping[str, int]] = {"low": 900, "medium": 600, "high": 350, "auto": 600}
_BYTES_PER_MS: Final = 2 * RATE // 1000

# The network wavers at the edge of speech: speech once begun goes on down to this much below the threshold.
_HYSTERESIS: Final = 0.15
# One frame alone may be a knock; two in a row, or one that is nearly certain, are speech. It began with the first.
_FRAMES_TO_START: Final = 2


@dataclass(frozen=True)
class SpeechStarted:
    """Speech has begun; `audio_start_ms` is where its segment begins, the padding included."""

    audio_start_ms: int


@dataclass(frozen=True)
class SpeechStopped:
    """Speech has ended; `audio_end_ms` is where its segment ends, the silence included."""

    audio_end_ms: int


TurnEvent: TypeAlias = SpeechStarted | SpeechStopped


def make_turns(settings: Mapping[str, Any] | None, detector: Detector | None = None) -> Turns:
    """Make the turn detection of one session.

    Parameters
    ----------
    settings
        The session's ``turn_detection`` object; None: switched off, only the clock runs.
    detector
        The speech detector, for this session alone; by default the best that is installed.
    """
    return Turns(settings, detector if detector is not None else default_detector())


class Turns:
    """The turns of one session; see `make_turns`.

    Attributes
    ----------
    speaking : bool
        Whether a segment is open: started and not yet stopped.
    """

    def __init__(self, settings: Mapping[str, Any] | None, detector: Detector) -> None:
        self._detector = detector
        self._n_bytes = 0  # all bytes appended so far
        self._skip = 0  # bytes to leave out before the detector's next sample
        self._frames_from = 0.0  # ms: where the detector's frames are counted from
        self._n_frames = 0  # frames seen since then
        self._floor = 0.0  # ms: no segment may begin before it: end of the last one, of a commit or a clear
        self._run = 0  # frames of speech in a row, before speech has started
        self._onset = 0.0  # ms: where that row began
        self._voiced_until = 0.0  # ms: end of the last frame with speech in it
        self._hint = ""  # partial transcript of the open segment
        self.speaking = False
        self._settings: Mapping[str, Any] | None = None
        self.update(settings)

    @property
    def position_ms(self) -> int:
        """The length of all audio appended in the session."""
        return self._n_bytes // _BYTES_PER_MS

    @property
    def voiced_ms(self) -> float:
        """Where the last frame with speech in it ended, of the segment that is open or was the last."""
        return self._voiced_until

    @property
    def settings(self) -> Mapping[str, Any] | None:
        """The settings in force."""
        return self._settings

    def update(self, settings: Mapping[str, Any] | None) -> None:
        """Change the settings, at any time; the clock runs on, and so does an open segment.

        Switching off (None) drops an open segment without an event; what is said next after switching on again is a new
        one.
        """
        if settings is None:
            self._drop()
        elif self._settings is None:
            self._detector.reset()
            self._skip = self._n_bytes % 2  # the second half of a sample whose first half came before
            self._frames_from = (self._n_bytes + self._skip) / _BYTES_PER_MS
            self._n_frames = 0
            self._floor = self._frames_from
        self._settings = dict(settings) if settings is not None else None

    def push(self, pcm: bytes) -> list[TurnEvent]:
        """Take 24 kHz PCM16, any length; return what has happened by its end."""
        self._n_bytes += len(pcm)
        if self._settings is None:
            return []
        if self._skip and pcm:
            pcm = pcm[1:]
            self._skip = 0
        events: list[TurnEvent] = []
        for probability in self._detector.push(pcm):
            start = self._frames_from + self._n_frames * self._detector.frame_ms
            self._n_frames += 1
            events += self._frame(probability, start, start + self._detector.frame_ms)
        return events

    def hint(self, partial_text: str) -> None:
        """Tell what the user has said so far in the open segment; ``semantic_vad`` ends it the earlier for it."""
        if self.speaking:
            self._hint = partial_text

    def commit(self) -> None:
        """The buffer was committed by hand: an open segment ends here without an event."""
        self._drop()

    def clear(self) -> None:
        """The buffer was cleared: an open segment is dropped without an event."""
        self._drop()

    def _drop(self) -> None:
        self._floor = self._n_bytes / _BYTES_PER_MS
        self._run = 0
        self.speaking = False
        self._hint = ""

    def _frame(self, probability: float, start: float, end: float) -> list[TurnEvent]:
        threshold = self._number("threshold", 0.5)
        if not self.speaking:
            return self._waiting(probability, threshold, start, end)
        if probability >= max(threshold - _HYSTERESIS, threshold / 3):
            self._voiced_until = end
            return []
        stop = self._voiced_until + self._silence_ms()
        if end < stop:
            return []
        # A hint or new settings may shorten the silence after the fact: an end in the past would be a lie.
        stop = max(stop, start)
        self._floor = stop
        self._run = 0
        self.speaking = False
        self._hint = ""
        return [SpeechStopped(round(stop))]

    def _waiting(self, probability: float, threshold: float, start: float, end: float) -> list[TurnEvent]:
        if probability < threshold:
            self._run = 0
            return []
        if self._run == 0:
            self._onset = start
        self._run += 1
        if self._run < _FRAMES_TO_START and probability < (1 + threshold) / 2:
            return []
        self.speaking = True
        self._voiced_until = end
        begin = max(self._onset - self._number("prefix_padding_ms", 300), self._floor, 0.0)
        return [SpeechStarted(round(begin))]

    def _silence_ms(self) -> float:
        assert self._settings is not None
        if self._settings.get("type") != "semantic_vad":
            return self._number("silence_duration_ms", 500)
        eagerness = str(self._settings.get("eagerness") or "auto")
        longest = MAX_WAIT_MS.get(eagerness, MAX_WAIT_MS["auto"])
        shortest = _SHORT_WAIT_MS.get(eagerness, _SHORT_WAIT_MS["auto"])
        return shortest + (1 - completeness(self._hint)) * (longest - shortest)

    def _number(self, key: str, default: float) -> float:
        value = (self._settings or {}).get(key)
        return default if value is None else float(value)


def _listed(words: str) -> list[str]:
    return words.split()


_WORD: Final = re.compile(r"[a-z']+|\d+")
_HESITATION: Final = frozenset(_listed("um uh uhm hm hmm er erm ah mm well like so"))
_OPEN: Final = frozenset(
    _listed(
        "a an the my your his her its our their this that these those some any every each no "
        "and or but because if when while although unless until than then as whether "
        "of in on at to for from with by about into over under between through during without near plus minus times "
        "is are was were am be been being do does did have has had can could will would shall should may might must "
        "i he she we they which whose very more most too not just also"
    )
)
_WHOLE: Final = re.compile(
    r"what (?:is|are|was) .*\b(?:this|that|it)$|.*\b(?:i am|yes i do|i do|i can|i have|of course i will)$|"
    r".*\b(?:he|she|it|they|we|you) (?:is|are|was|were|do|does|did|can|could|will|would|has|have)$|"
    r".*\bno$|.*\b(?:come|go|carry|turn|log|sign) (?:in|on|over|by)$|.*\bnot$|.*\btoo$|what(?: is it)? (?:about|for)$"
)


def completeness(text: str) -> float:
    """Judge how finished a partial transcript looks: 1 complete, 0 broken off, between them when one cannot tell.

    A rule of thumb for English, in place of the service's model.

    Examples
    --------
    >>> completeness("what is the weather in New York")
    1.0
    >>> completeness("what is the weather in")
    0.0
    >>> completeness("")
    0.5
    """
    words = _WORD.findall(text.lower().replace("’", "'"))
    if not words:
        return 0.5  # no recogniser, or it has understood nothing yet
    if text.rstrip().endswith((".", "!", "?")):
        return 1.0
    if text.rstrip().endswith((",", "...", "…", "-")) or words[-1] in _HESITATION:
        return 0.0
    if words[-1] in _OPEN and not _WHOLE.fullmatch(" ".join(words)):
        return 0.0
    return 1.0
