"""A look at the clock now and then: is an answer stalled, is a transcript late? Silence is never left unexplained.

Imports `rtnb.core` and its neighbours in `rtnb.session`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rtnb.core.items import Item

if TYPE_CHECKING:
    from rtnb.session.core import Core

__all__ = ["STALL_S", "Watch"]

STALL_S = 10.0
"""So long nothing may come of an answer, or of a transcript, until the user is told."""

_LAST_ITEMS = 8  # how far back transcripts are looked for


class Watch:
    """Looks while a connection is open; lives on the session's loop.

    Parameters
    ----------
    core
        The session.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._timer: asyncio.TimerHandle | None = None
        self._told = -1  # index of the event after which the silence was told
        self._awaited: dict[str, float] = {}  # since when a transcript is awaited, by item
        self._late: set[str] = set()  # items whose late transcript was told

    def start(self) -> None:
        """The connection is open."""
        self.stop()
        self._timer = asyncio.get_running_loop().call_later(STALL_S / 4, self._look)

    def stop(self) -> None:
        """It is not."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._look_at_answers()
        self._look_at_transcripts()
        self.start()

    def _look_at_answers(self) -> None:
        core = self._core
        sequencer = core.sequencer
        reply = sequencer.asked.reply if sequencer.asked is not None else next(iter(sequencer.replies.values()), None)
        last = core.log.last(direction="server") if reply is not None else None
        if reply is None or last is None or self._told == last.index or core.clock() - last.time < STALL_S:
            return
        self._told = last.index
        core.hint(
            f"nothing has come of answer {reply.number} for {core.clock() - last.time:.0f} s: the server or the "
            "network is slow; it goes on as soon as something comes, and reply.cancel() ends it"
        )

    def _look_at_transcripts(self) -> None:
        core, now = self._core, self._core.clock()
        awaited: dict[str, float] = {}
        item: Item | None = core.conversation.last
        for _ in range(_LAST_ITEMS):
            if item is None:
                break
            if item.transcription == "awaiting" and item.follows is not None:  # committed
                awaited[item.id] = self._awaited.get(item.id, now)
            item = item.previous
        self._awaited = awaited
        for item_id, since in awaited.items():
            if now - since >= STALL_S and item_id not in self._late:
                self._late.add(item_id)
                core.hint("the transcript of what you said is late; answers do not wait for it, and it may still come")
