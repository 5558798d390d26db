"""What a check-up found, as values: rows, the ways to give input, and the best of them.

The rules that make rows out of facts stand in `rtnb.core.check_rules`. Imports nothing of rtnb.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from typing import Any, Final, Literal, TypeAlias

__all__ = ["CheckUp", "Input", "Row", "Status"]

Status: TypeAlias = Literal["ok", "warning", "problem"]

_COLOURS: Final = {"ok": "#2e7d32", "warning": "#b45309", "problem": "#c62828"}  # 4.5:1 on white; words stand beside


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
        What it is about: ``"microphone"``.
    status : {"ok", "warning", "problem"}
        A warning works less well; a problem keeps something from working at all.
    text : str
        What was found, in words.
    fix : str
        What to do about it; empty when nothing needs to be done.
    """

    name: str
    status: Status
    text: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Input:
    """One way to give a session something to listen to.

    Attributes
    ----------
    name : str
        ``"browser microphone"``, ``"kernel microphone"``, ``"upload"``, ``"clip"``, ``"spoken text"`` or ``"text"``.
    works : bool
        Whether it does here.
    reason : str
        Why, or why not.
    how : str
        The line of code, or the step.
    """

    name: str
    works: bool
    reason: str
    how: str

    def __str__(self) -> str:
        return self.name


class CheckUp:
    """What works here, what does not, and what to do about it. Made by `rtnb.check`.

    Attributes
    ----------
    rows : list of Row
        In the order of the look; each has a name, a status, a text and a fix.
    inputs : list of Input
        The ways to give input, best first.

    Examples
    --------
    >>> found = CheckUp([Row("key", "problem", "it was refused", "check it")], [])
    >>> found.ok, found.problems[0].fix
    (False, 'check it')
    """

    def __init__(self, rows: Iterable[Row], inputs: Iterable[Input]) -> None:
        self.rows = list(rows)
        self.inputs = list(inputs)

    @property
    def ok(self) -> bool:
        """Whether nothing is a problem; there may be warnings."""
        return not self.problems

    @property
    def problems(self) -> list[Row]:
        """The rows that keep something from working."""
        return [row for row in self.rows if row.status == "problem"]

    @property
    def warnings(self) -> list[Row]:
        """The rows of what works less well than it could."""
        return [row for row in self.rows if row.status == "warning"]

    @property
    def best_input(self) -> Input:
        """The best way to give input here, with the reason; typed text when nothing else works."""
        return next((way for way in self.inputs if way.works), _TEXT)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> Row:
        """The row of that name, the worst when there are several; `KeyError` when there is none."""
        found = [row for row in self.rows if row.name == name]
        if not found:
            raise KeyError(f"{name!r}; there are {', '.join(sorted({row.name for row in self.rows}))}")
        return max(found, key=lambda row: ("ok", "warning", "problem").index(row.status))

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values, for JSON."""
        return {
            "ok": self.ok,
            "rows": [{"name": r.name, "status": r.status, "text": r.text, "fix": r.fix} for r in self.rows],
            "inputs": [{"name": i.name, "works": i.works, "reason": i.reason, "how": i.how} for i in self.inputs],
            "best_input": self.best_input.name,
        }

    def summary(self) -> str:
        """One line."""
        counts = [(len(self.problems), "problem"), (len(self.warnings), "warning")]
        found = ", ".join(f"{n} {word}{'s' if n > 1 else ''}" for n, word in counts if n) or "all is well"
        return f"{found}. Best input here: {self.best_input.name} ({self.best_input.reason})"

    def __repr__(self) -> str:
        width = max((len(row.name) for row in self.rows), default=0)
        lines = []
        for row in self.rows:
            lines.append(f"{row.status:<8} {row.name:<{width}}  {row.text}")
            if row.fix and row.status != "ok":
                lines.append(f"{'':<8} {'':<{width}}  fix: {row.fix}")
        return "\n".join([*lines, self.summary()])

    def _repr_html_(self) -> str:
        cells = []
        for row in self.rows:
            fix = f"<br><i>Fix: {escape(row.fix)}</i>" if row.fix and row.status != "ok" else ""
            colour = _COLOURS[row.status]
            cells.append(
                f'<tr><td style="text-align:left;color:{colour}"><b>{row.status}</b></td>'
                f'<td style="text-align:left">{escape(row.name)}</td>'
                f'<td style="text-align:left">{escape(row.text)}{fix}</td></tr>'
            )
        return (
            '<table><thead><tr><th style="text-align:left">status</th><th style="text-align:left">what</th>'
            f'<th style="text-align:left">found</th></tr></thead><tbody>{"".join(cells)}</tbody></table>'
            f"<p>{escape(self.summary())}</p>"
        )


_TEXT: Final = Input("text", True, "typing always works", 'session.ask("...")')
