"""Simple SQL from simple questions: counts, averages, lists. Pure.

Tables and columns are taken from the tool's own description, written as ``orders(id, customer, total)`` or
``tables: customers, orders``.
"""

from __future__ import annotations

import re
from typing import Final

from rtnb.local.brains.english import FILLER, stem
from rtnb.local.brains.tables import bag

__all__ = ["sql_for", "tables"]

_AGGREGATES: Final = (
    (r"\b(?:average|mean)\b", "AVG"),
    (r"\b(?:highest|maximum|max|largest|biggest|most expensive|greatest|oldest)\b", "MAX"),
    (r"\b(?:lowest|minimum|min|smallest|cheapest|least|youngest)\b", "MIN"),
    (r"\b(?:total|sum)\b", "SUM"),
)
_NOT_TABLES: Final = bag(
    "query run execute execut select sql statement read only table database e.g. select with count"
)


def tables(description: str) -> dict[str, list[str]]:
    """Table -> columns, as far as a description names them."""
    found: dict[str, list[str]] = {}
    for match in re.finditer(r"\b([A-Za-z_]\w*)\s*\(([\w\s,]+)\)", description):
        columns = [column.split()[0] for column in match[2].split(",") if column.strip()]
        if match[1].casefold() not in _NOT_TABLES and len(columns) > 1:
            found[match[1]] = columns
    if listing := re.search(
        r"\btables?(?: are|:| named| called)?:?\s+((?:[a-z_]\w*)(?:(?:,| and|, and)\s+[a-z_]\w*)*)", description
    ):
        for name in re.split(r",\s*(?:and\s+)?|\s+and\s+", listing[1]):
            if name and name not in FILLER and not any(name.startswith(known) for known in found):
                found.setdefault(name, [])
    return found


def sql_for(text: str, description: str) -> str | None:
    """A statement that answers `text`, or ``None`` when no rule makes one."""
    if said := re.search(r"\b(select\s.+)", text, re.IGNORECASE | re.DOTALL):
        return said[1].rstrip(" ?")
    known = tables(description)
    spoken = [stem(word) for word in re.findall(r"[a-z_]+", text.casefold())]
    if re.search(r"\b(?:which|what|list|show)\b.*\btables\b", text, re.IGNORECASE):
        return "SELECT name FROM sqlite_master WHERE type = 'table'"
    table = next((name for name in known if stem(name) in spoken), None)
    columns = [(name, column) for name, row in known.items() for column in row if stem(column) in spoken]
    if table is None and columns:
        table = columns[0][0]
    if table is None:
        table = _guessed(text)
    if table is None:
        return None
    column = next((column for name, column in columns if name == table), None)
    for pattern, function in _AGGREGATES:
        if column and re.search(pattern, text, re.IGNORECASE):
            return f"SELECT {function}({column}) FROM {table}"
    if re.search(r"\b(?:how many|count|number of)\b", text, re.IGNORECASE):
        return f"SELECT COUNT(*) FROM {table}"
    limit = re.search(r"\b(?:first|top)\s+(\d+)\b", text)
    what = column if column and re.search(r"\bnames?\b|\bonly\b", text) else "*"
    return f"SELECT {what} FROM {table} LIMIT {limit[1] if limit else 10}"


def _guessed(text: str) -> str | None:
    """The noun after *how many*, *all*, *list*, *from*, for want of a description."""
    match = re.search(
        r"\b(?:how many|number of|count(?: the)?|list(?: all)?(?: the)?|show(?: me)?(?: all)?(?:"
        r" the)?|all|from(?: the)?)\s+([a-z_]+s)\b",
        text.casefold(),
    )
    return match[1] if match else None
