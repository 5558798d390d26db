"""Asking the user whether a tool may run: buttons in a notebook, a question in a terminal, no where nobody is.

Imports `rtnb.core.tools`; ipywidgets when a notebook asks.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any, Final

from rtnb.core.tools import Tool
from rtnb.notebook.live import in_kernel

__all__ = ["approve"]

_WAIT_S: Final = 60.0

logger = logging.getLogger(__name__)


async def approve(tool: Tool, arguments: dict[str, Any]) -> bool:
    """Ask, and wait at most a minute; silence is a no. Awaited on the session's loop."""
    words = f"{tool.name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"
    if in_kernel():
        return await _ask_by_buttons(words)
    if sys.stdin is not None and sys.stdin.isatty():
        answer = await asyncio.to_thread(input, f"The model wants to run {words}. Allow it? [y/N] ")
        return answer.strip().lower() in ("y", "yes")
    logger.warning("%s was not run: it needs consent, and nobody can be asked here", words)
    return False


async def _ask_by_buttons(words: str) -> bool:
    import ipywidgets
    from IPython.display import display

    loop = asyncio.get_running_loop()
    decided: asyncio.Future[bool] = loop.create_future()

    def decide(allowed: bool) -> None:
        if not decided.done():
            decided.set_result(allowed)

    yes = ipywidgets.Button(description="Allow", button_style="success", tooltip=f"Run {words}")
    no = ipywidgets.Button(description="Deny", tooltip=f"Do not run {words}")
    label = ipywidgets.Label(f"The model wants to run {words}")
    yes.on_click(lambda _: loop.call_soon_threadsafe(decide, True))
    no.on_click(lambda _: loop.call_soon_threadsafe(decide, False))
    box = ipywidgets.HBox([label, yes, no])
    display(box)
    try:
        allowed = await asyncio.wait_for(decided, _WAIT_S)
    except TimeoutError:
        allowed = False
        label.value = f"{words} was not run: nobody answered within {_WAIT_S:g} s"
    else:
        label.value = f"{words}: {'allowed' if allowed else 'denied'}"
    yes.disabled = no.disabled = True
    return allowed
