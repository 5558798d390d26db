"""Errors of the server that no call and no listener takes: a warning, unless a ``wait("error")`` takes them soon.

Imports `rtnb.core`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from rtnb.core.errors import ServerError
from rtnb.core.log import Entry, EventLog

__all__ = ["Unclaimed"]

logger = logging.getLogger(__name__)

_CLAIM_S: Final = 0.3
"""How long an error waits for somebody to wait for it: a cell sends, and its next line waits."""


class Unclaimed:
    """Holds errors back for a moment; lives on the session's loop.

    Parameters
    ----------
    log
        Of the session: the error that came is its last one.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._held: dict[int, tuple[ServerError, asyncio.TimerHandle]] = {}  # by index in the log
        self._claimed = -1  # the last error that somebody took

    def came(self, error: ServerError) -> None:
        """An error came just now, and nobody listens."""
        entry = self._log.last("error", direction="server")
        index = entry.index if entry is not None else len(self._log)
        if index > self._claimed:
            timer = asyncio.get_running_loop().call_later(_CLAIM_S, self._warn, index)
            self._held[index] = (error, timer)

    def claim(self, entry: Entry) -> None:
        """Somebody waited for this event and has it."""
        if entry.name == "error":
            self._claimed = max(self._claimed, entry.index)
            if (held := self._held.pop(entry.index, None)) is not None:
                held[1].cancel()

    def close(self) -> None:
        """Nobody will wait any more: warn of what is left."""
        for index, (_, timer) in list(self._held.items()):
            timer.cancel()
            self._warn(index)

    def _warn(self, index: int) -> None:
        error, _ = self._held.pop(index)
        logger.warning('the server reported an error and nobody listens to "error": %s', error)
