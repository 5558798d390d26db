"""`session.timeline()`: what happened, on one clock, as a picture or as a view to look around in.

What a session's log has told is remembered between two calls, so that each reads only what is new.

Imports the core; matplotlib, or anywidget for the interactive view, when asked.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Sequence
from typing import Any

from rtnb.core.log import Entry, EventLog
from rtnb.core.timeline import Timeline
from rtnb.core.timeline_item import item_account
from rtnb.core.timeline_meter import TimelineMeter

__all__ = ["log_of", "show_timeline", "timeline_of"]


class _Followed:
    """A log, and the meter that has read the beginning of it."""

    def __init__(self, log: Sequence[Entry]) -> None:
        self.log = log
        self.meter = TimelineMeter()
        self.n_read = 0
        self.lock = threading.Lock()

    def result(self, heard: Iterable[tuple[float, str, int, bool]]) -> Timeline:
        with self.lock:
            new = self.log[self.n_read :] if isinstance(self.log, EventLog) else list(self.log)[self.n_read :]
            for entry in new:
                self.meter.push(entry)
            self.n_read += len(new)
            return self.meter.result(heard)


_followed: weakref.WeakKeyDictionary[Any, _Followed] = weakref.WeakKeyDictionary()
_followed_lock = threading.Lock()


def timeline_of(source: Any) -> Timeline:
    """All of a session, a recording or a log as a `rtnb.core.timeline.Timeline`."""
    log, heard = _parts(source)
    try:
        with _followed_lock:
            followed = _followed.get(source)
            if followed is None or followed.log is not log or followed.n_read > len(log):
                followed = _followed[source] = _Followed(log)
    except TypeError:  # it cannot be remembered
        followed = _Followed(log)
    return followed.result(heard)


def log_of(source: Any) -> Any:
    """The log of a session or a recording, or the log itself."""
    return _parts(source)[0]


def _parts(source: Any) -> tuple[Any, list[tuple[float, str, int, bool]]]:
    log = getattr(source, "events", None)
    if log is None or callable(log):
        return source, []
    return log, list(getattr(source, "heard", ()) or ())


def show_timeline(
    source: Any,
    start: float | None = None,
    end: float | None = None,
    *,
    reply: Any = None,
    turn: Any = None,
    item: Any = None,
    interactive: bool = False,
    title: str | None = None,
) -> Any:
    """Draw a session, a recording or a log.

    Parameters
    ----------
    source
        Something with ``events`` and ``heard``, or a log.
    start, end
        Seconds of the log.
    reply
        Only this answer: a `rtnb.Reply`, or its number from 1.
    turn
        Only this turn: one of ``session.turns``, or its place in them.
    item
        The sound of this item on its own clock: generated, delivered, heard, kept.
    interactive
        A view to zoom, hover and click in, instead of a picture.
    title
        Text above it.

    Raises
    ------
    ValueError
        There is nothing of what was asked for, or the end is not after the start.
    """
    if sum(each is not None for each in (reply, turn, item)) > 1:
        raise ValueError("a timeline is of one reply, or one turn, or one item")
    if item is not None:
        if interactive:
            raise ValueError("an item is drawn as a picture: leave out interactive")
        from rtnb.notebook.timeline_figure import plot_item

        log, heard = _parts(source)
        return plot_item(item_account(log, getattr(item, "id", item), heard), title=title)
    found = _selected(source, timeline_of(source), reply, turn)
    if start is not None or end is not None:
        found = found.between(start, end)
    if interactive:
        from rtnb.notebook.timeline_view import TimelineView

        return TimelineView(source, found, title=title)
    from rtnb.notebook.timeline_figure import plot_timeline

    return plot_timeline(found, title=title)


def _selected(source: Any, whole: Timeline, reply: Any, turn: Any) -> Timeline:
    if turn is not None:
        if isinstance(turn, int):
            turns = list(source.turns)
            if not -len(turns) <= turn < len(turns):
                raise ValueError(f"there is no turn {turn}: there are {len(turns)}")
            turn = turns[turn]
        return whole.around([turn.response_id], [turn.item_id] if turn.item_id else [], turn.start)
    if reply is not None:
        if isinstance(reply, int):
            replies = list(source.replies)
            if not 1 <= reply <= len(replies):
                raise ValueError(f"there is no reply {reply}: there are {len(replies)}, counted from 1")
            reply = replies[reply - 1]
        return whole.around([response.id for response in reply.responses], reply.sent_items, None)
    return whole
