"""Pictures drawn with matplotlib: waveforms over seconds.

Only matplotlib's object-oriented interface is used: no `pyplot`, so no figure of the user's is touched, none stays
open, and any thread may draw. A figure made here shows itself in a cell by its own methods, also where pyplot was never
imported. Backgrounds are transparent and lines are mid-tones, so that a picture can be read on a light and on a dark
page.

May import the core; matplotlib is imported with this module, so import this module where a picture is asked for.
"""

from __future__ import annotations

import io
import math
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from rtnb.core.audio import Audio, envelope

from .clip import WAVE_COLOUR

__all__ = ["GRID_COLOUR", "TEXT_COLOUR", "Picture", "new_figure", "plot_audio", "quieten"]

TEXT_COLOUR: Final = "#7d7d7d"
"""Grey with a contrast of about 4:1 to white and to JupyterLab's dark background."""

GRID_COLOUR: Final = "#80808040"
"""A quarter of grey over whatever is behind it."""

_BINS: Final = 1_600  # a little more than the pixels of a wide picture
_LINE_SAMPLES: Final = 1_600  # up to so many samples the line itself is drawn, not its envelope


class Picture(Figure):
    """A matplotlib figure that a cell shows by itself, without pyplot."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=144, bbox_inches="tight", metadata={"Software": None})
        return buffer.getvalue()


def new_figure(width: float = 8.0, height: float = 2.0) -> tuple[Picture, Axes]:
    """Make a transparent figure with one set of quiet axes; sizes in inches."""
    figure = Picture(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.patch.set_alpha(0.0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0.0)
    quieten(axes)
    return figure, axes


def quieten(axes: Axes) -> None:
    """Give axes grey labels, a faint grid and no box."""
    axes.tick_params(colors=TEXT_COLOUR, labelsize=9, length=3)
    for side, spine in axes.spines.items():
        spine.set_color(TEXT_COLOUR)
        spine.set_visible(side == "bottom")
    axes.grid(True, color=GRID_COLOUR, linewidth=0.6)
    axes.set_axisbelow(True)


def plot_audio(audio: Audio, *, ax: Axes | None = None, title: str | None = None) -> Figure:
    """Draw a waveform over seconds.

    Every sample counts: each point of a long sound is the lowest and the highest sample of its stretch, so that a
    single click in an hour is seen. The vertical axis fits the peak, down to a tenth of full scale.

    Parameters
    ----------
    audio
        The sound.
    ax
        Axes to draw into, which keep their own colours; without, a figure is made.
    title
        Text above it, drawn as it stands (a ``$`` is a dollar).

    Returns
    -------
    matplotlib.figure.Figure
        The figure that holds the axes.
    """
    words: dict[str, Any] = {}
    if ax is None:
        _, ax = new_figure()
        words = {"color": TEXT_COLOUR, "fontsize": 9}
    peak = _draw(ax, audio)
    ax.set_xlim(0.0, audio.seconds or 1.0)
    reach = max(0.1, peak) * 1.08
    ax.set_ylim(-reach, reach)
    if audio.seconds >= 120:
        ax.xaxis.set_major_locator(MultipleLocator(_minutes_apart(audio.seconds)))
        ax.xaxis.set_major_formatter(FuncFormatter(_clock))
        ax.set_xlabel("minutes:seconds", **words)
    else:
        ax.xaxis.set_major_locator(MaxNLocator(nbins=9, steps=[1, 2, 5, 10]))
        ax.set_xlabel("seconds", **words)
    ax.set_ylabel("full scale = 1", **words)
    if title:
        ax.set_title(title, loc="left", parse_math=False, **words)
    figure = ax.get_figure(root=True)
    assert figure is not None  # axes without a figure cannot be made
    return figure


def _draw(ax: Axes, audio: Audio) -> float:
    """Draw the line or the envelope; return the peak."""
    if len(audio) <= _LINE_SAMPLES:
        samples = audio.array
        ax.plot(np.arange(samples.size) / audio.rate, samples, color=WAVE_COLOUR, linewidth=1.2)
        return float(np.max(np.abs(samples), initial=0.0))
    low, high = envelope(audio.samples, _BINS)
    times = np.linspace(0.0, audio.seconds, low.size + 1)
    # A step per bin; the thin edge keeps silence and a single click visible.
    ax.stairs(high, times, baseline=low, fill=True, facecolor=WAVE_COLOUR, edgecolor=WAVE_COLOUR, linewidth=0.6)
    return float(np.max(np.abs([low, high])))


def _minutes_apart(seconds: float) -> float:
    """Distance of the ticks of a long sound: at most nine of them, at round times."""
    for step in (30, 60, 120, 300, 600, 900, 1_800):
        if seconds / step <= 8:
            return step
    return 3_600 * math.ceil(seconds / 3_600 / 8)


def _clock(seconds: float, _position: int) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
