"""What a cell shows while something happens: replies that grow, and one-line notices.

Imports `rtnb.session.reply`; IPython when it is there.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Any, Final

from rtnb.session.reply import Reply

__all__ = ["in_kernel", "say", "show_reply"]

_EVERY_S: Final = 0.05
"""Twenty updates a second at most: Jupyter drops output beyond 1,000 messages a second, eyes need no more."""


def in_kernel() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def say(text: str) -> None:
    """Tell the user one line where somebody looks: in a notebook's cell."""
    if in_kernel():
        print(text)  # noqa: T201 - a cell's output is where its user looks; elsewhere the library stays silent


def show_reply(reply: Reply) -> None:
    """Show a reply in the current cell and keep it growing there until it is complete."""
    from IPython.display import display

    handle = display(_bundle(reply), raw=True, display_id=True)
    if not reply.is_done:
        threading.Thread(target=_follow, args=(reply, handle), name="rtnb display", daemon=True).start()


def _follow(reply: Reply, handle: Any) -> None:
    news = threading.Event()
    reply.watch(lambda _: news.set())
    while not reply.is_done:
        if news.wait(1.0):
            news.clear()
            if not reply.is_done:
                handle.update(_bundle(reply), raw=True)
                time.sleep(_EVERY_S)
    handle.update(_bundle(reply), raw=True)


def _bundle(reply: Reply) -> dict[str, str]:
    return {"text/plain": reply.as_plain(), "text/html": reply.as_html()}
