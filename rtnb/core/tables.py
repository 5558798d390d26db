"""Lists that show themselves as a table: rows of plain values, a small HTML table, a pandas frame on request.

Imports nothing of rtnb; pandas only when asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final, TypeVar

__all__ = ["Table", "frame", "html_table"]

T = TypeVar("T")

_HTML_ROWS: Final = 40
"""How many rows a table shows in a notebook: the first and the last ones."""


def frame(rows: Iterable[Mapping[str, Any]], columns: Sequence[str] | None = None) -> Any:
    """Rows as a ``pandas.DataFrame``; `columns` hold also when there are no rows.

    Raises
    ------
    ImportError
        pandas is not installed; the text says how to.
    """
    try:
        import pandas
    except ImportError as exc:
        raise ImportError('to_pandas() needs pandas: pip install "rtnb[pandas]"') from exc
    return pandas.DataFrame(list(rows), columns=None if columns is None else list(columns))


def html_table(
    head: Sequence[str], rows: Sequence[Sequence[object]], *, caption: str = "", foot: Sequence[Sequence[object]] = ()
) -> str:
    """A table without scripts or styles of its own; numbers stand right, long tables lose their middle.

    Parameters
    ----------
    head
        Names of the columns.
    rows, foot
        Cells; what is no text is shown with `str`, None as a dash.
    caption
        A sentence above it.
    """
    sides = [_side(column) for column in zip(*rows, strict=True)] if rows else ["left"] * len(head)

    def line(cells: Sequence[object], tag: str = "td") -> str:
        return "<tr>" + "".join(_cell(cell, side, tag) for cell, side in zip(cells, sides, strict=True)) + "</tr>"

    lines: list[str] = []
    hidden = len(rows) - _HTML_ROWS
    if hidden > 0:
        half = _HTML_ROWS // 2
        lines += [line(row) for row in rows[:half]]
        lines.append(f'<tr><td colspan="{len(head)}" style="text-align:center">… {hidden} more …</td></tr>')
        lines += [line(row) for row in rows[-half:]]
    else:
        lines += [line(row) for row in rows]
    above = f'<caption style="text-align:left">{escape(caption)}</caption>' if caption else ""
    below = f"<tfoot>{''.join(map(line, foot))}</tfoot>" if foot else ""
    return f"<table>{above}<thead>{line(head, 'th')}</thead><tbody>{''.join(lines)}</tbody>{below}</table>"


def _side(column: Sequence[object]) -> str:
    """Numbers stand right, with their dashes and their head."""
    return "right" if any(isinstance(cell, (int, float)) and not isinstance(cell, bool) for cell in column) else "left"


def _cell(value: object, side: str, tag: str) -> str:
    if value is None:
        text = "–"
    elif isinstance(value, float):
        text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    elif isinstance(value, int):
        text = f"{value:,}"
    else:
        text = str(value)
    return f'<{tag} style="text-align:{side};padding:0 .5em">{escape(text)}</{tag}>'


class Table(list[T]):
    """A list whose entries have a ``to_dict``: it equals any list of the same entries.

    Examples
    --------
    >>> class Word(str):
    ...     def to_dict(self):
    ...         return {"word": str(self), "length": len(self)}
    >>> Table([Word("one"), Word("three")]).to_dict()
    [{'word': 'one', 'length': 3}, {'word': 'three', 'length': 5}]
    """

    __slots__ = ()

    columns: Sequence[str] = ()
    """Names of the columns, also of an empty table; taken from the first row when there are none."""

    def to_dict(self) -> list[dict[str, Any]]:
        """One plain row for each entry."""
        rows: list[dict[str, Any]] = []
        for each in self:
            row: dict[str, Any] = each.to_dict()  # type: ignore[attr-defined]  # what a table holds can do this
            rows.append(row)
        return rows

    def to_pandas(self) -> Any:
        """The rows as a ``pandas.DataFrame``.

        Raises
        ------
        ImportError
            pandas is not installed; the text says how to.
        """
        return frame(self.to_dict(), self.columns or None)

    def _repr_html_(self) -> str:
        rows = self.to_dict()
        head = list(self.columns) or list(rows[0] if rows else ())
        return html_table(head, [[row.get(name) for name in head] for row in rows], caption=self._caption())

    def _caption(self) -> str:
        return f"{len(self)} rows"
