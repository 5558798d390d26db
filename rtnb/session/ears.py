"""Who hears the reports of a loudspeaker: several sessions may share one, and somebody may have listened before.

Imports nothing of rtnb.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol, TypeAlias

__all__ = ["Hearable", "OnHeard", "listen", "unlisten"]

OnHeard: TypeAlias = Callable[[str, int, bool], None]
"""``(item_id, samples at 24 kHz that were heard of it, whether it is the last report)``."""


class Hearable(Protocol):
    """What reports."""

    on_heard: OnHeard | None


class _Ears:
    """Hands the reports of one loudspeaker to all sessions that play through it, and to who listened before."""

    def __init__(self, before: OnHeard | None) -> None:
        self.before = before
        self.listeners: tuple[OnHeard, ...] = ()

    def __call__(self, item_id: str, samples: int, final: bool) -> None:
        for listener in self.listeners if self.before is None else (self.before, *self.listeners):
            listener(item_id, samples, final)


_ears_lock = threading.Lock()


def listen(speaker: Hearable, listener: OnHeard) -> None:
    """Hear its reports too, once."""
    with _ears_lock:
        ears = speaker.on_heard
        if not isinstance(ears, _Ears):
            ears = speaker.on_heard = _Ears(ears)
        ears.listeners = (*(each for each in ears.listeners if each != listener), listener)


def unlisten(speaker: Hearable, listener: OnHeard) -> None:
    """Hear them no more; the last that leaves puts back who listened before."""
    with _ears_lock:
        ears = speaker.on_heard
        if not isinstance(ears, _Ears):
            return  # somebody else took it
        ears.listeners = tuple(each for each in ears.listeners if each != listener)
        if not ears.listeners:
            speaker.on_heard = ears.before
