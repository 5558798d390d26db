from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest

from rtnb.core import services
from rtnb.core.audio import Audio
from rtnb.notebook.figures import Picture, plot_audio

PNG = b"\x89PNG\r\n\x1a\n"


def relative_luminance(colour) -> float:
    """Of WCAG 2: of a colour with parts from 0 to 1."""
    parts = np.asarray(colour[:3], dtype=float)
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one, other) -> float:
    light, dark = sorted((relative_luminance(one), relative_luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_a_waveform_is_drawn_over_seconds():
    figure = plot_audio(Audio.tone(440, 2.5), title="a tone for $5 and $6")
    (axes,) = figure.axes
    assert axes.get_xlim() == (0.0, 2.5)
    assert axes.get_xlabel() == "seconds"
    assert axes.get_title(loc="left") == "a tone for $5 and $6"
    low, high = axes.get_ylim()
    assert low == -high
    assert 0.5 < high < 0.6
    assert figure._repr_png_().startswith(PNG)


def test_a_short_clip_is_drawn_sample_by_sample():
    audio = Audio.tone(440, 0.02)
    (line,) = plot_audio(audio).axes[0].lines
    assert np.array_equal(line.get_ydata(), audio.array)
    assert line.get_xdata()[-1] == pytest.approx(479 / 24_000)


def test_an_hour_is_drawn_from_a_bounded_number_of_points_and_keeps_a_click():
    samples = np.zeros(3_600 * 24_000, dtype=np.int16)
    samples[1_800 * 24_000] = 29_491
    (axes,) = plot_audio(Audio.from_array(samples)).axes
    (stairs,) = axes.patches
    high, edges, _ = stairs.get_data()
    assert len(high) <= 2_000
    (at,) = np.flatnonzero(high)
    assert high[at] == pytest.approx(0.9, abs=0.001)
    assert edges[at] <= 1_800 < edges[at + 1]
    assert axes.get_xlabel() == "minutes:seconds"
    axes.figure.draw_without_rendering()
    ticks = [label.get_text() for label in axes.get_xticklabels() if 0 <= label.get_position()[0] <= 3_600]
    assert ticks == ["0:00", "10:00", "20:00", "30:00", "40:00", "50:00", "60:00"]


@pytest.mark.parametrize("audio", [Audio(), Audio.silence(3), Audio.from_array([0.5])], ids=["empty", "silent", "one"])
def test_sound_with_nothing_to_see_is_drawn_all_the_same(audio):
    figure = plot_audio(audio)
    low, high = figure.axes[0].get_ylim()
    assert high >= 0.1
    assert low == -high
    assert figure._repr_png_().startswith(PNG)


def test_it_draws_into_axes_of_the_user_and_leaves_their_colours():
    from matplotlib.figure import Figure

    figure = Figure()
    first, second = figure.subplots(2, 1)
    first.set_facecolor("black")
    assert plot_audio(Audio.tone(440, 1), ax=first, title="mine") is figure
    assert first.get_title(loc="left") == "mine"
    assert first.get_facecolor()[:3] == (0, 0, 0)
    assert not second.patches


def test_figures_have_no_background_and_read_on_light_and_dark():
    figure = plot_audio(Audio.tone(440, 1), title="tone")
    (axes,) = figure.axes
    assert figure.patch.get_alpha() == axes.patch.get_alpha() == 0
    from matplotlib.colors import to_rgb

    colours = {
        to_rgb(axes.title.get_color()) if axes.get_title() else to_rgb(axes.xaxis.label.get_color()),
        to_rgb(axes.patches[0].get_facecolor()),
        to_rgb(axes.xaxis.get_ticklabels()[0].get_color()),
    }
    for colour in colours:
        for page in ((1, 1, 1), (0x11 / 255,) * 3):
            assert contrast(colour, page) >= 3, (colour, page)


def test_figures_may_be_drawn_in_any_thread():
    done = []
    thread = threading.Thread(target=lambda: done.append(plot_audio(Audio.tone(440, 1))._repr_png_()))
    thread.start()
    thread.join(60)
    assert done
    assert done[0].startswith(PNG)


def test_pyplot_is_never_imported():
    code = (
        "import sys; from rtnb.core import audio as a, services; "
        "services.provide('audio.plot', 'rtnb.notebook.figures:plot_audio'); a.Audio.tone(440, 1).plot()._repr_png_(); "
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True)
    assert done.stdout.strip() == "False"


def test_a_cell_that_ends_with_a_plot_shows_it_without_pyplot(monkeypatch):
    from IPython.core.formatters import DisplayFormatter

    monkeypatch.setitem(services._targets, "audio.plot", "rtnb.notebook.figures:plot_audio")
    figure = Audio.tone(440, 1).plot()
    assert isinstance(figure, Picture)
    data, _ = DisplayFormatter().format(figure)
    assert "image/png" in data
