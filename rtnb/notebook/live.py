"""What a cell shows while something happens: replies that grow, and one-line notices.

Imports `rtnb.core.errors`, `rtnb.session.reply` and `rtnb.notebook.static`; IPython when it is there.
"""

from __future__ import annotations

import base64
import html
import sys
import threading
import time
from typing import Any, Final

from rtnb.core.errors import redact
from rtnb.notebook.static import reply_html
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

    is_done = reply.is_done  # before it is drawn: it may end meanwhile
    handle = display(_bundle(reply), raw=True, display_id=True)
    if not is_done:
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
    shown = [_rich(call.shown, reply._host.secrets) for call in reply.tool_calls_so_far if call.shown is not None]
    return {"text/plain": reply.as_plain(), "text/html": reply_html(reply) + "".join(shown)}


def _rich(value: Any, secrets: tuple[str, ...]) -> str:
    """What a tool wants a person to see (`rtnb.Result`), as HTML: its own, its picture, or its text.

    In HTML of its own only the keys in use are hidden: names of classes may look like keys.
    """
    from IPython.core.formatters import DisplayFormatter
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    formatter = shell.display_formatter if shell is not None else DisplayFormatter()
    data, _ = formatter.format(value)
    if "text/html" in data:
        own = str(data["text/html"])
        for secret in secrets:
            own = own.replace(html.escape(secret), "[key]")
        return own
    if "image/png" in data:
        png = data["image/png"]
        text = base64.b64encode(png).decode("ascii") if isinstance(png, bytes) else str(png).strip()
        return f'<img alt="picture of a tool" style="max-width:100%" src="data:image/png;base64,{text}">'
    if "image/svg+xml" in data:
        return str(data["image/svg+xml"])
    return f"<pre>{html.escape(redact(str(data.get('text/plain', value)), *secrets))}</pre>"
