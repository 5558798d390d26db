"""What becomes of open answers while the connection is opened again: the sequencer's part of staying connected.

==================================  ===================================================================================
an answer that                      when the connection is lost
==================================  ===================================================================================
waits in the queue                  waits on
was asked for, and has not begun    is asked for again, in the new connection
has begun, and nothing of it came   is asked for again: an empty beginning and calls nobody carried out are forgotten
of which something came             ends as ``incomplete`` and keeps it; its `Reply.error` tells why. It is not asked
                                    for again: what was heard once is not said twice
runs its tools                      goes on: outputs go into the new connection, then the follow-up is asked for
was called off                      ends as ``cancelled``
the server owes to detected speech  is asked for, since the new connection does not know that it owes it
==================================  ===================================================================================

Imports `rtnb.core` and its neighbours in `rtnb.session`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rtnb.core.errors import RtnbError
from rtnb.core.protocol import Event, new_id
from rtnb.session.reply import Reply, Status

if TYPE_CHECKING:
    from rtnb.session.sequencer import Turn

__all__ = ["Suspendable"]


class Suspendable:
    """A part of `rtnb.session.sequencer.Sequencer`."""

    queue: deque[Turn]
    asked: Turn | None
    active: str | None
    replies: dict[str, Reply]
    _apart: dict[str, Turn]
    _rounds: dict[Reply, Any]
    _foreign_due: int
    _send: Callable[[Event], object]
    _adopt: Callable[[], Reply]

    def __init__(self) -> None:
        self.is_suspended = False
        """Whether nothing can be sent now, because the connection is being opened again."""
        self._held: list[Event] = []  # outputs of tools that ended meanwhile
        self._asked_for: dict[str, Turn] = {}  # turns whose response runs, by response id

    def _turn(self, reply: Reply, settings: dict[str, Any]) -> Turn:
        raise NotImplementedError

    def _ask(self, turn: Turn) -> None:
        raise NotImplementedError

    def _end(self, reply: Reply, status: Status, error: RtnbError | None = None) -> None:
        raise NotImplementedError

    def _pump(self) -> None:
        raise NotImplementedError

    def suspend(
        self,
        error: RtnbError,
        *,
        is_open: Callable[[Event], bool],
        has_come: Callable[[str], bool],
        answers_speech: bool,
        asks_again: bool = True,
    ) -> list[Reply]:
        """The connection is gone and is being opened again; gives the replies that were cut by it.

        Parameters
        ----------
        error
            Why it is gone.
        is_open
            Whether a client event was never sent, or never answered.
        has_come
            Whether anything was said or written in a response, by its id.
        answers_speech
            The server answers detected speech by itself.
        asks_again
            False: what was asked for ended the connection; it fails instead.
        """
        self.is_suspended = True
        cut: list[Reply] = []
        again: list[Turn] = []
        aside: list[Turn] = list(self._apart.values())
        for response_id, reply in self.replies.items():
            turn = self._asked_for.get(response_id)
            rounds = self._rounds.get(reply)
            if reply.is_done or (rounds is not None and rounds.stopped):
                self._end(reply, "cancelled")
            elif has_come(response_id):
                self._end(reply, "incomplete", error)
                cut.append(reply)
            elif not asks_again or (turn is None and not answers_speech):
                self._end(reply, "failed", error)
                cut.append(reply)
            elif turn is not None and turn.settings.get("conversation") == "none":
                aside.append(self._turn(reply, turn.settings))
            else:
                again.append(self._turn(reply, turn.settings if turn is not None else {}))
        if self.asked is not None:
            cut += self._take_back(self.asked, again, error, is_open, asks_again)
        if self._foreign_due and answers_speech and asks_again and not again:
            again.append(self._turn(self._adopt(), {}))
        self.asked = self.active = None
        self._foreign_due = 0
        self.replies.clear()
        self._asked_for.clear()
        for turn in aside:
            turn.event_id = new_id("event")
        self._apart = {turn.event_id: turn for turn in aside}
        self.queue.extendleft(reversed(again))
        self._pump()  # tells the state
        return cut

    def _take_back(
        self, turn: Turn, again: list[Turn], error: RtnbError, is_open: Callable[[Event], bool], asks_again: bool
    ) -> list[Reply]:
        """Ask again what was asked for; of its items only those that are not in the conversation are sent again."""
        rounds = self._rounds.get(turn.reply)
        turn.items = [event for event in turn.items if is_open(event)]
        if turn.reply.is_done:
            self._end(turn.reply, "cancelled")
        elif not asks_again:
            self._end(turn.reply, "failed", error)
            return [turn.reply]
        elif not (turn.is_follow_up and rounds is not None and rounds.unseen):  # those are owed still
            turn.event_id, turn.behind, turn.is_follow_up = new_id("event"), None, False
            again.append(turn)
        return []

    def resume(self) -> None:
        """There is a connection again, with the whole conversation: go on."""
        self.is_suspended = False
        held, self._held = self._held, []
        for event in held:
            self._send(event)
        self._apart = {key: turn for key, turn in self._apart.items() if not turn.reply.is_done}
        for turn in list(self._apart.values()):
            self._ask(turn)
        self._pump()

    def _hold(self, event: Event) -> None:
        """Keep what must reach the new connection; what was about the former one is void."""
        if event.get("type") == "conversation.item.create":
            self._held.append(event)

    def _forget(self) -> None:
        """There will be no new connection."""
        self.is_suspended = False
        self._held.clear()
        self._asked_for.clear()
