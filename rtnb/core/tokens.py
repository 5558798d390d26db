"""Tokens: what a response, or a transcription, used, as the service reports it.

A token is counted once: `Usage` splits what the service reports into text, audio and image, fresh and cached, in and
out. What it costs is told by `rtnb.core.usage`.

Imports nothing of rtnb.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

__all__ = ["TranscriptionUsage", "Usage"]


@dataclass(frozen=True, slots=True, eq=False)
class Usage:
    """Tokens of one response, or of several added up. Inputs include what of them was cached, as the service counts.

    Attributes
    ----------
    text_in, audio_in, image_in : int
        Input tokens.
    text_cached, audio_cached, image_cached : int
        How many of these were cached.
    text_out, audio_out : int
        Output tokens; an answer in sound also has text tokens, those of its transcript.

    Examples
    --------
    >>> one = Usage.of({"input_token_details": {"text_tokens": 7}, "output_token_details": {"audio_tokens": 20}})
    >>> (one + one).total
    54
    """

    text_in: int = 0
    audio_in: int = 0
    image_in: int = 0
    text_cached: int = 0
    audio_cached: int = 0
    image_cached: int = 0
    text_out: int = 0
    audio_out: int = 0

    @classmethod
    def of(cls, wire: Mapping[str, Any] | None) -> Usage:
        """The ``usage`` of a ``response.done``; none, or a damaged one, counts as no tokens.

        Tokens that the details do not account for are taken as text, so that the totals are those of the service.
        """
        given = _mapping(wire)
        inputs, outputs = _mapping(given.get("input_token_details")), _mapping(given.get("output_token_details"))
        cached = _mapping(inputs.get("cached_tokens_details"))
        text_in, audio_in, image_in = (_count(inputs, kind) for kind in ("text_tokens", "audio_tokens", "image_tokens"))
        text_in += max(0, _count(given, "input_tokens") - text_in - audio_in - image_in)
        text_out, audio_out = _count(outputs, "text_tokens"), _count(outputs, "audio_tokens")
        text_out += max(0, _count(given, "output_tokens") - text_out - audio_out)
        in_cache = [
            min(_count(cached, "text_tokens"), text_in),
            min(_count(cached, "audio_tokens"), audio_in),
            min(_count(cached, "image_tokens"), image_in),
        ]
        left = _count(inputs, "cached_tokens") - sum(in_cache)
        for kind, whole in enumerate((text_in, audio_in, image_in)):  # cached, but not said what
            more = min(max(0, left), whole - in_cache[kind])
            in_cache[kind] += more
            left -= more
        text_cached, audio_cached, image_cached = in_cache
        return cls(text_in, audio_in, image_in, text_cached, audio_cached, image_cached, text_out, audio_out)

    @property
    def input(self) -> int:
        """All input tokens."""
        return self.text_in + self.audio_in + self.image_in

    @property
    def cached(self) -> int:
        """All cached input tokens."""
        return self.text_cached + self.audio_cached + self.image_cached

    @property
    def output(self) -> int:
        """All output tokens."""
        return self.text_out + self.audio_out

    @property
    def total(self) -> int:
        """All tokens."""
        return self.input + self.output

    def __add__(self, other: Usage) -> Usage:
        if not isinstance(other, Usage):
            return NotImplemented
        return Usage(*(one + more for one, more in zip(self._counts(), other._counts(), strict=True)))

    def __radd__(self, other: object) -> Usage:
        return self if other == 0 else NotImplemented  # sum() begins with 0

    def __bool__(self) -> bool:
        return self.total > 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Usage):
            return NotImplemented
        return self._counts() == other._counts()

    def __hash__(self) -> int:
        return hash(self._counts())

    def _counts(self) -> tuple[int, ...]:
        return tuple(getattr(self, f.name) for f in fields(Usage))

    def to_dict(self) -> dict[str, int]:
        """The counts by name."""
        return dict(zip((f.name for f in fields(Usage)), self._counts(), strict=True))

    def __str__(self) -> str:
        return f"{self.input:,} tokens in ({self.cached:,} cached), {self.output:,} out"


@dataclass(frozen=True, slots=True)
class TranscriptionUsage:
    """What one transcription used, or several: tokens with some models, seconds of audio with others."""

    text_in: int = 0
    audio_in: int = 0
    text_out: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, wire: Mapping[str, Any] | None) -> TranscriptionUsage:
        """The ``usage`` of an ``input_audio_transcription.completed``: of type ``tokens`` or ``duration``."""
        given = _mapping(wire)
        seconds = given.get("seconds")
        if isinstance(seconds, (int, float)) and not isinstance(seconds, bool):
            return cls(seconds=max(0.0, float(seconds)))
        details = _mapping(given.get("input_token_details"))
        text, audio = _count(details, "text_tokens"), _count(details, "audio_tokens")
        audio += max(0, _count(given, "input_tokens") - text - audio)
        return cls(text, audio, _count(given, "output_tokens"))

    def __add__(self, other: TranscriptionUsage) -> TranscriptionUsage:
        if not isinstance(other, TranscriptionUsage):
            return NotImplemented
        return TranscriptionUsage(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __radd__(self, other: object) -> TranscriptionUsage:
        return self if other == 0 else NotImplemented

    def __bool__(self) -> bool:
        return bool(self.text_in or self.audio_in or self.text_out or self.seconds)

    def to_dict(self) -> dict[str, float]:
        """The counts by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _count(given: Mapping[str, Any], key: str) -> int:
    value = given.get(key)
    return max(0, value) if isinstance(value, int) and not isinstance(value, bool) else 0
