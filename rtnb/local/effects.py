"""What the engine asks of its shell: everything that takes time, or touches the world.

The engine returns a list that mixes server events (dicts, to be sent as they stand, in order) and these effects. The
shell carries an effect out and answers through the engine's methods: a brain's pieces with `Engine.say` and its
sisters, what was heard with `Engine.heard`.

May import `rtnb.core.protocol` and `rtnb.local.seams`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from rtnb.core.protocol import Event
from rtnb.local.seams import Request

__all__ = ["Close", "Effect", "Halt", "Hear", "HearCancel", "HearEnd", "Listen", "Output", "Think"]


@dataclass(frozen=True)
class Think:
    """Run the brain for a response; with ``request.output == "audio"`` also the voice.

    Attributes
    ----------
    request
        What the brain is asked.
    voice, speed
        How it is to be spoken.
    """

    request: Request
    voice: str = "alloy"
    speed: float = 1.0


@dataclass(frozen=True)
class Halt:
    """Stop the brain and the voice of a response at once; nothing of it is wanted any more."""

    response_id: str


@dataclass(frozen=True)
class Listen:
    """An utterance begins: start a recogniser under this key."""

    key: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Hear:
    """The next audio of the utterance, 24 kHz PCM16."""

    key: str
    pcm: bytes


@dataclass(frozen=True)
class HearEnd:
    """The utterance is over; answer with its transcript."""

    key: str


@dataclass(frozen=True)
class HearCancel:
    """The utterance is thrown away; no answer is wanted."""

    key: str


@dataclass(frozen=True)
class Close:
    """Close the connection after the events before this one."""

    code: int
    reason: str


Effect: TypeAlias = Think | Halt | Listen | Hear | HearEnd | HearCancel | Close
Output: TypeAlias = Event | Effect
