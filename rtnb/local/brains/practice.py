"""The practice brain: a set of rules that answers the lessons' questions and says that it is one."""

from __future__ import annotations

from collections.abc import AsyncIterator

from rtnb.local.brains.pieces import words
from rtnb.local.seams import Piece, Request, Say

__all__ = ["PracticeBrain"]


class PracticeBrain:
    """Answers by rules."""

    name = "practice"

    async def think(self, request: Request) -> AsyncIterator[Piece]:
        """Stream the answer, word by word."""
        text = "I am the practice brain: a set of rules, no language model."
        if "web socket" in str(request.items).casefold():
            text = (
                "A web socket is one connection that stays open, over which both sides can send messages at any time."
            )
        for word in words(text):
            yield Say(word)
