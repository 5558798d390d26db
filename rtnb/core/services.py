"""What lower floors ask of upper ones, by name: the one place where the house calls upwards.

`Audio.plot` needs a picture, `Session` the embedded endpoint, `Reply` a cell to stream into. Each of these stands on a
floor above, which must not be imported from below; so the package root says once, in words, where a service is found
(``"package.module:function"``), and it is imported when first asked for.

Imports `rtnb.core.errors` only.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

from rtnb.core.errors import RtnbError

__all__ = ["SERVICES", "is_provided", "provide", "service"]

SERVICES: Final = {
    "audio.speak": "(text, *, voice, speed) -> Audio: a voice",
    "audio.record": "(seconds) -> Audio: a microphone",
    "audio.from_recorder": "(recorder) -> Audio: a recorder of the page",
    "audio.plot": "(audio, *, ax, title) -> Figure: a waveform",
    "audio.show": "(audio) -> mime bundle: how an Audio is shown in a cell",
    "reply.show": "(reply) -> None: streams a reply into the current cell",
    "reply.html": "(reply) -> str: a reply as HTML without scripts, with its sound",
    "endpoint.local": "() -> str: the address of the embedded endpoint, started when it is not",
    "endpoint.replay": "(recording, **options) -> ReplayEndpoint: replays a recording to any client",
    "session.say": "(text) -> None: one line for the user of this session",
    "session.approve": "(tool, arguments, context, secrets) -> awaitable bool or None: may a tool run?",
    "session.cost_chart": "(usage) -> Picture: what each response cost, by kind of token",
    "session.panel": "(session) -> Panel: the console",
    "session.timeline": "(session, recording or log, start, end, **options) -> Picture or widget: all on one clock",
}
"""Every service, with what it takes and gives."""

_targets: dict[str, str] = {}


def provide(name: str, target: str) -> None:
    """Name the function that carries out a service.

    Parameters
    ----------
    name
        One of `SERVICES`.
    target
        ``"package.module:function"``.
    """
    if name not in SERVICES:
        raise ValueError(f"There is no service {name!r}; there are {', '.join(SERVICES)}.")
    module, _, function = target.partition(":")
    if not module or not function:
        raise ValueError(f"A provider is named 'package.module:function', not {target!r}.")
    _targets[name] = target


def service(name: str) -> Any:
    """The function that carries out a service, imported now.

    Raises
    ------
    RtnbError
        Nobody provides it.
    """
    target = _targets.get(name)
    if target is None:
        raise RtnbError(f"nothing here provides {SERVICES[name].split(': ')[1]}; start from `import rtnb`")
    module, _, function = target.partition(":")
    return getattr(importlib.import_module(module), function)


def is_provided(name: str) -> bool:
    """Whether somebody provides it."""
    return name in _targets
