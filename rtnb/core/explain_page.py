"""The page ``docs/troubleshooting.md``, made from the tables of `rtnb.core.explain`; run as a program it writes it.

Imports these tables.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Final

from rtnb.core.dialects import RENAMED
from rtnb.core.explain_codes import CODES, REASONS, RTNB_CODES, Told
from rtnb.core.explain_errors import CLOSES, CONNECTING, ERRORS
from rtnb.core.explain_events import CLIENT, SERVER
from rtnb.core.lint_tables import UNKNOWN

__all__ = ["page"]

_CONNECT_CODES: Final = (
    "invalid_api_key",
    "missing_model",
    "invalid_model",
    "model_not_found",
    "beta_api_shape_disabled",
    "insufficient_quota",
    "billing_hard_limit_reached",
    "account_deactivated",
    "session_expired",
)
_LIMIT_CODES: Final = ("rate_limit_exceeded", "inference_rate_limit_exceeded", "server_error")

_INTRO: Final = """# Troubleshooting

What each error, code and event means, why it comes, and what to do. The same words are in the errors themselves, in the
panel, and in a cell:

```python
import rtnb

rtnb.explain("cannot_update_voice")  # a code, the name of an event, a name of the 2024 beta, a close code
rtnb.explain(error)  # what was raised
rtnb.explain(session.events[-1])  # an event as it came
```

`rtnb.check()` looks at this machine: key, network, microphone, browser. `rtnb.lint(event)` says what the service would
refuse of an event before you send it, and `session.configuration` what it made of your settings.

This page is made from the tables of `rtnb.core.explain`: `python -m rtnb.core.explain_page > docs/troubleshooting.md`.
"""


def page() -> str:
    """The page in Markdown."""
    refusals = [
        (code, told) for code, told in CODES.items() if code not in (*_CONNECT_CODES, *_LIMIT_CODES, *RTNB_CODES)
    ]
    parts = [
        _INTRO,
        "## It does not connect\n",
        "`ConnectionFailed.reason` names the cause in one word.\n",
        _table("reason", CONNECTING.items()),
        "The service accepts a connection before it looks at the key, so the cause may come as an error code:\n",
        _table("code", ((code, CODES[code]) for code in _CONNECT_CODES)),
        "## The connection ended\n",
        "`ConnectionClosed.code` is the close code of the WebSocket.\n",
        _table("close code", ((str(code), told) for code, told in CLOSES.items())),
        "## The service refuses an event\n",
        "Most refusals leave the session open and change nothing. `error.param` is the path of the field at fault.\n",
        _table("code", refusals),
        "### Code written for the 2024 beta\n",
        "The beta was shut off in May 2026. Its names, and what they are called now:\n",
        _pairs(("then", "now"), ((f"`{old}`", f"`{new}`") for old, new in RENAMED.items())),
        'Audio formats are objects (`pcm16` is `{"type": "audio/pcm", "rate": 24000}`), `output_modalities` takes text '
        "or audio and never both, and each `session.update` says its `type`.\n",
        "### Fields of other APIs\n",
        _pairs(
            ("field", "what it means", "what to do"),
            ((f"`{name}`", what, fix) for name, (what, fix) in UNKNOWN.items()),
        ),
        "## An answer ends early, or fails\n",
        "`response.status` and `response.status_details.reason`:\n",
        _table("status or reason", REASONS.items()),
        "and the code of a failed one:\n",
        _table("code", ((code, CODES[code]) for code in _LIMIT_CODES)),
        "### Codes of rtnb\n",
        "They come from the local endpoint, a replay or a lost connection, and never from the service:\n",
        _table("code", RTNB_CODES),
        "## Errors of rtnb\n",
        "All of them are `rtnb.RtnbError`.\n",
        _table("error", ERRORS.items()),
        "## Events\n",
        "### That a client sends\n",
        _table("event", CLIENT.items()),
        "### That the server sends\n",
        _table("event", SERVER.items()),
    ]
    return "\n".join(parts)


def _table(name: str, rows: Iterable[tuple[str, Told]] | Mapping[str, Told]) -> str:
    listed = rows.items() if isinstance(rows, Mapping) else rows
    return _pairs((name, "what it means", "why", "what to do"), ((f"`{key}`", *told) for key, told in listed))


def _pairs(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [_row(head), _row(tuple("---" for _ in head)), *map(_row, rows)]
    return "\n".join(lines) + "\n"


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    sys.stdout.write(page())
