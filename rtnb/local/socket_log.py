"""What websockets logs of the endpoint's clients, without their keys: at level DEBUG it writes every header.

May import `rtnb.core.errors`.
"""

from __future__ import annotations

import logging
import re
from typing import Any, Final

from rtnb.core.errors import redact

__all__ = ["SocketLogger"]

_SECRET_HEADERS: Final = re.compile(
    r"(?im)^([<> ]*(?:[\w-]*(?:authorization|key|token|cookie|protocol)[\w-]*) ?: ?).+$"
)
_HARMLESS: Final = re.compile(r"(?i)sec-websocket-(?:key|accept)\b")
_QUERY: Final = re.compile(r"(?m)^([<> ]*GET [^ ?]*)\?\S*")


class SocketLogger(logging.LoggerAdapter[logging.Logger]):
    """Passes on what websockets says, redacted as a whole.

    Parameters
    ----------
    logger
        Where it goes.
    known
        Keys in use, whatever they look like.
    """

    def __init__(self, logger: logging.Logger, *known: str | None) -> None:
        super().__init__(logger, {})
        self._known = known

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log one message."""
        if not self.isEnabledFor(level):
            return
        text = str(msg) % args if args else str(msg)
        if not _HARMLESS.search(text):
            text = _SECRET_HEADERS.sub(r"\1[hidden]", text)
        text = _QUERY.sub(r"\1", text)
        self.logger.log(level, "%s", redact(text, *self._known), **kwargs)
