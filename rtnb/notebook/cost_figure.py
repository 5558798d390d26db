"""A picture of what each response cost, by kind of token: why later turns cost more.

May import the core and `rtnb.notebook.figures`; imported where a picture is asked for.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator

from rtnb.core.charges import UsageReport
from rtnb.core.usage import Cost, dollars
from rtnb.notebook.figures import TEXT_COLOUR, Picture, new_figure, quieten

__all__ = ["cost_chart"]

_PARTS: Final = (
    ("read again, cached", ("text_cached", "audio_cached", "image_cached"), "#9cc3e6"),
    ("read: text, pictures", ("text_in", "image_in"), "#6aa0d4"),
    ("read: speech", ("audio_in",), "#3b79b8"),
    ("written: text", ("text_out",), "#e9b872"),
    ("written: speech", ("audio_out", "unreported"), "#d07f2b"),
    ("transcription", None, "#86ad5f"),
)
"""What the bars are made of, from below: words, kinds of line, colour."""


def cost_chart(usage: UsageReport) -> Picture:
    """Draw a bar of dollars for each response, and the tokens that it read.

    Each answer reads the whole conversation again: the bars grow with it, and so do the tokens, though what is cached
    costs little.

    Parameters
    ----------
    usage
        What a session, or a recording of one, used.
    """
    charges = [each for each in usage if each.kind == "response"]
    figure, axes = new_figure(8.0, 2.8)
    numbers = np.arange(1, len(charges) + 1)
    heights = _heights(usage)
    base = np.zeros(len(charges))
    for (label, _, colour), height in zip(_PARTS, heights, strict=True):
        if height.any():
            axes.bar(numbers, height, bottom=base, width=0.7, color=colour, label=label)
        base = base + height
    read = axes.twinx()
    read.patch.set_alpha(0.0)
    quieten(read)
    read.grid(False)
    read.plot(numbers, [each.usage.input for each in charges], color=TEXT_COLOUR, marker=".", linewidth=1.0)
    read.set_ylim(bottom=0)
    read.set_ylabel("tokens read (line)", color=TEXT_COLOUR, fontsize=9)
    words: dict[str, Any] = {"color": TEXT_COLOUR, "fontsize": 9}
    axes.set_xlabel("response", **words)
    axes.set_ylabel("US dollars", **words)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(_money))
    axes.set_xlim(0.4, max(len(charges), 1) + 0.6)
    if not base.any():
        axes.set_ylim(0, 1)
        axes.set_yticks([])
    axes.set_title(_title(usage, len(charges)), loc="left", parse_math=False, **words)
    if base.any():
        figure.legend(fontsize=8, frameon=False, labelcolor=TEXT_COLOUR, loc="outside lower left", ncols=len(_PARTS))
    return figure


def _money(usd: float, _position: int) -> str:
    """Dollars on an axis, never in powers of ten."""
    return "$0" if usd == 0 else f"${np.format_float_positional(usd, precision=2, fractional=False, trim='-')}"


def _heights(usage: UsageReport) -> list[np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Dollars of each part for each response; a transcription stands with the response that came next."""
    total = sum(each.kind == "response" for each in usage)
    heights = [np.zeros(total) for _ in _PARTS]
    place = 0
    for charge in usage:
        bill = charge.cost(usage.prices)
        if charge.kind == "transcription":
            if total:
                heights[-1][min(place, total - 1)] += bill.at_least
            continue
        for line in bill.lines:
            for part, (_, kinds, _) in enumerate(_PARTS):
                if kinds is not None and line.kind in kinds and line.price is not None:
                    heights[part][place] += line.usd
        place += 1
    return heights


def _title(usage: UsageReport, n_responses: int) -> str:
    if not n_responses:
        return "No response yet"
    cost = sum((each.cost(usage.prices) for each in usage), Cost())
    said = dollars(cost.at_least)
    if cost.unknown:
        said = f"at least {said}, {cost.why_unknown}: {', '.join(cost.unknown)}"
    paid = f"nothing to pay here; it would have cost {said}" if usage.is_free else said
    return f"Each answer reads the whole conversation again ({paid})"
