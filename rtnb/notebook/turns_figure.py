"""A clip and the turns that several settings of turn detection would cut out of it, as a picture.

May import the core; matplotlib is imported with this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from matplotlib.ticker import MaxNLocator

from rtnb.core.audio import Audio, envelope

from .clip import WAVE_COLOUR
from .figures import TEXT_COLOUR, Picture, new_figure

__all__ = ["plot_turns"]

_TURN: Final = "#0d9488"
_WAIT: Final = "#d97706"
_BINS: Final = 1_200
_FONT: Final = 8


class Turn(Protocol):
    """What is drawn of a turn, as `rtnb.detect_turns` gives it."""

    start: float
    end: float
    speech_end: float
    ended: float

    @property
    def wait(self) -> float:
        """How long the user waits."""
        ...


def plot_turns(audio: Audio, detected: Mapping[str, Sequence[Turn]], *, title: str | None = None) -> Picture:
    """Draw a clip, and below it a row of turns for each of several settings.

    A bar is a turn, from its padding to the end of its silence. The hatched part is the wait: from the last sound of
    speech until the turn is known to be over.

    Parameters
    ----------
    audio
        The clip.
    detected
        For each name of a row what `rtnb.detect_turns` found.
    title
        Text above it.
    """
    n_rows = len(detected)
    figure, axes = new_figure(8.6, 1.5 + 0.36 * n_rows)
    axes.set_xlim(0.0, audio.seconds or 1.0)
    axes.set_ylim(-n_rows, 2.4)
    low, high = envelope(audio.samples, _BINS)
    if low.size:
        peak = max(0.05, float(abs(low).max()), float(abs(high).max()))
        times = [index * audio.seconds / low.size for index in range(low.size)]
        axes.fill_between(times, 1.25 + low / peak * 0.95, 1.25 + high / peak * 0.95, color=WAVE_COLOUR, linewidth=0.4)
    for row, turns in enumerate(detected.values()):
        y = -row - 0.5
        for turn, following in zip(turns, [*turns, None][1:], strict=True):
            axes.barh(y, turn.end - turn.start, left=turn.start, height=0.62, color=_TURN, alpha=0.25, linewidth=0)
            axes.plot([turn.start] * 2, [y - 0.31, y + 0.31], color=_TURN, linewidth=2)
            axes.barh(
                y,
                turn.wait,
                left=turn.speech_end,
                height=0.62,
                facecolor="none",
                edgecolor=_WAIT,
                hatch="////",
                linewidth=0.8,
            )
            is_tight = following is not None and following.start - turn.ended < 0.06 * audio.seconds
            x, side = (turn.speech_end - 0.03, "right") if is_tight else (turn.ended + 0.03, "left")
            axes.text(x, y, f"{turn.wait:.1f} s", va="center", ha=side, color=TEXT_COLOUR, fontsize=_FONT)
    axes.set_yticks([1.25, *(-row - 0.5 for row in range(n_rows))], ["the clip", *detected])
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=9, steps=[1, 2, 5, 10]))
    axes.set_xlabel("seconds of the clip; hatched: how long the user waits", color=TEXT_COLOUR, fontsize=9)
    if title:
        axes.set_title(title, loc="left", parse_math=False, color=TEXT_COLOUR, fontsize=9)
    return figure
