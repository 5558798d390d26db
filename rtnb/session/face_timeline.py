"""Pictures of what happened in a session. A part of `rtnb.Session`.

Imports `rtnb.core` and its neighbours in `rtnb.session`.
"""

from __future__ import annotations

from typing import Any

from rtnb.core.services import service

__all__ = ["TimelineFace"]


class TimelineFace:
    """Everything on one clock."""

    def timeline(
        self,
        start: float | None = None,
        end: float | None = None,
        *,
        reply: Any = None,
        turn: Any = None,
        item: Any = None,
        interactive: bool = False,
        title: str | None = None,
    ) -> Any:
        """Draw what happened, in lanes on one clock: sound sent, received and heard, responses, tools, words, errors.

        Parameters
        ----------
        start, end
            Only this part, in seconds of the log.
        reply
            Only this answer: a `rtnb.Reply`, or its number from 1.
        turn
            Only this turn: one of ``session.turns``, or its place in them.
        item
            Instead: the sound of this item of an answer on its own clock, as it was generated, delivered, heard, kept.
        interactive
            A view to zoom, hover and click in, instead of a picture.
        title
            Text above it.

        Raises
        ------
        ValueError
            There is nothing of what was asked for.

        Examples
        --------
        >>> session.timeline(reply=1)  # doctest: +SKIP
        """
        return service("session.timeline")(
            self, start, end, reply=reply, turn=turn, item=item, interactive=interactive, title=title
        )
