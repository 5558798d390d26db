"""`Audio.speak`: a text as a clip, by the voice of the local endpoint; no key, no network.

Imports `rtnb.core.audio` and `rtnb.local.voice`.
"""

from __future__ import annotations

from typing import Final

from rtnb.core.audio import Audio
from rtnb.core.errors import RtnbError
from rtnb.core.protocol import LIMITS, RATE
from rtnb.local.voice import synthesize

__all__ = ["speak"]

_VOICE: Final = "alloy"


def speak(text: str, *, voice: str | None = None, speed: float = 1.0) -> Audio:
    """Have a text spoken, and wait for all of it.

    Parameters
    ----------
    text
        Any number of sentences. An empty one is an empty clip.
    voice
        A voice of the service (``"alloy"``, the default), or ``"espeak:NAME"`` for one of eSpeak NG's own. Without the
        ``local`` extra tones stand in for speech.
    speed
        0.25 to 1.5.

    Raises
    ------
    ValueError
        The speed is another.
    RtnbError
        The voice failed; the text says why.

    Examples
    --------
    >>> speak("Hello").seconds > 0.1
    True
    """
    if not isinstance(text, str):
        raise TypeError(f"What is to be spoken is text, not {type(text).__name__}.")
    slowest, fastest = LIMITS.SPEED
    if not slowest <= speed <= fastest:
        raise ValueError(f"A speed lies between {slowest:g} and {fastest:g}; {speed:g} does not.")
    if not text.strip():
        return Audio(b"", RATE)
    try:
        return Audio(synthesize(text, voice or _VOICE, speed), RATE)
    except OSError as exc:
        raise RtnbError(f"the local voice could not speak: {exc}") from exc
