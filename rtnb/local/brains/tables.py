"""Compact ways to write tables of words. Imports nothing of rtnb."""

from __future__ import annotations

__all__ = ["bag", "pairs"]


def bag(words: str) -> frozenset[str]:
    """A set of words, written with spaces between them."""
    return frozenset(words.split())


def pairs(rows: str) -> dict[str, str]:
    """A mapping, written as ``"left=right|left=right"``."""
    return dict(row.split("=", 1) for row in rows.split("|"))
