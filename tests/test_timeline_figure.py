"""The timeline as a picture: what is drawn, for what, and that it can be read on light and dark."""

from __future__ import annotations

import pathlib
import re

import numpy as np
import pytest
from helpers_session import Lab, lab  # noqa: F401 - a fixture
from helpers_timeline import Script, interrupted
from matplotlib.colors import to_rgb
from test_figures import PNG, contrast

import rtnb
from rtnb.core.log import EventLog
from rtnb.core.timeline import LANES
from rtnb.core.timeline_item import item_account
from rtnb.core.timeline_meter import timeline
from rtnb.notebook.timeline import show_timeline, timeline_of
from rtnb.notebook.timeline_figure import KIND_COLOURS, LANE_COLOURS, LANE_NAMES, plot_item, plot_timeline


class Recording:
    """What a timeline needs of a session."""

    def __init__(self, script: Script) -> None:
        self.events = script.log
        self.heard = script.heard


def words(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def lanes(figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def test_all_lanes_stand_on_one_clock() -> None:
    figure = show_timeline(Recording(interrupted()))
    assert lanes(figure) == [LANE_NAMES[lane] for lane in LANES]
    assert figure.axes[0].get_xlim() == (0.0, 6.0)
    assert figure._repr_png_().startswith(PNG)
    assert {"Tell me a story", "committed", "cut at 1.0 s", "cancelled", "add"} <= set(words(figure))


def test_lanes_in_which_nothing_happened_are_left_out() -> None:
    script = Script()
    script.server(1.0, "response.created", response={"id": "resp_1"})
    script.server(2.0, "response.done", response={"id": "resp_1", "status": "completed"})
    assert lanes(show_timeline(script.log)) == ["responses"]


def test_an_empty_log_is_drawn_all_the_same() -> None:
    assert show_timeline(EventLog())._repr_png_().startswith(PNG)


def test_a_part_is_drawn_alone() -> None:
    figure = show_timeline(Recording(interrupted()), start=4.5, end=5.8, title="a $ and a $")
    assert figure.axes[0].get_xlim() == (4.5, 5.8)
    assert lanes(figure) == ["responses", "tools"]
    assert figure.axes[0].get_title(loc="left") == "a $ and a $"


def test_sound_is_drawn_where_it_was_heard() -> None:
    figure = plot_timeline(timeline(interrupted().log, interrupted().heard))
    blue = [
        collection
        for collection in figure.axes[0].collections
        if len(collection.get_facecolor())
        and np.allclose(collection.get_facecolor()[0][:3], to_rgb(LANE_COLOURS["heard"]))
        and collection.get_facecolor()[0][3] == 1
    ]
    (heard,) = blue
    left = min(path.vertices[:, 0].min() for path in heard.get_paths())
    right = max(path.vertices[:, 0].max() for path in heard.get_paths())
    assert (left, right) == pytest.approx((3.1, 4.1), abs=0.02)


def talk(minutes: int) -> Recording:
    """A microphone that is never off, and every 20 s an answer of 8 s."""
    script = Script()
    for at in range(0, minutes * 60, 20):
        item, response = f"item_{at}", f"resp_{at}"
        script.speak(at, at + 4, frame=0.2)
        script.server(at + 4.0, "input_audio_buffer.committed", item_id=f"item_u{at}")
        script.server(at + 4.1, "response.created", response={"id": response})
        came = script.answer(at + 5.0, 8.0, item, response, "Once upon a time there was a laboratory")
        script.server(came, "response.done", response={"id": response, "status": "completed"})
        script.hear(at + 5.2, 8.0, item)
        script.speak(at + 4, at + 20, frame=0.2)
    return Recording(script)


def test_the_sound_of_an_hour_is_drawn_with_no_more_shapes_than_that_of_minutes() -> None:
    hour, short = show_timeline(talk(60)).axes[0], show_timeline(talk(6)).axes[0]
    assert hour.get_xlim()[1] > 3_590
    most = 1_600  # quads of a lane of sound: about as many as the picture has points
    for axes in (hour, short):
        assert sum(len(each.get_paths()) > most for each in axes.collections) == 0
        sizes = sorted(len(each.get_paths()) for each in axes.collections)
        assert sizes[-1] == most, "the microphone is never off"
    assert len(hour.collections) == len(short.collections) < 20, "one for each lane and colour, not for each turn"
    drawn = [
        sum(len(path.vertices) for each in axes.collections for path in each.get_paths()) for axes in (short, hour)
    ]
    turns = 60 * 3
    assert drawn[1] < 3 * most * 5 + turns * 40
    assert len(hour.texts) < 4 * 120


@pytest.mark.parametrize("colour", sorted({*LANE_COLOURS.values(), *KIND_COLOURS.values()}))
def test_each_colour_can_be_seen_on_light_and_dark(colour: str) -> None:
    for page in ((1, 1, 1), (0x11 / 255,) * 3):
        assert contrast(to_rgb(colour), page) >= 3


def test_the_picture_has_no_background() -> None:
    figure = show_timeline(Recording(interrupted()))
    assert figure.patch.get_alpha() == figure.axes[0].patch.get_alpha() == 0


def test_only_new_events_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = Recording(interrupted())
    read = []
    from rtnb.core.timeline_meter import TimelineMeter

    push = TimelineMeter.push
    monkeypatch.setattr(TimelineMeter, "push", lambda self, entry: (read.append(entry.index), push(self, entry)))
    first = timeline_of(recording)
    assert len(read) == len(recording.events)
    recording.events.append({"type": "error", "error": {"message": "late"}}, "server", 7.0)
    second = timeline_of(recording)
    assert read[len(recording.events) - 1 :] == [len(recording.events) - 1]
    assert (len(first.points), len(second.points)) == (3, 4)


# ---- an interrupted answer -------------------------------------------------------------------------------------------


def test_generated_delivered_heard_and_kept_are_counted_apart() -> None:
    script = interrupted()
    account = item_account(script.log, "item_a", script.heard)
    assert account.to_dict() == {"generated": 5.0, "delivered": 4.0, "heard": 1.0, "kept": 1.0}
    assert account.is_cut
    assert account.heard_words + account.unheard_words == "Once upon a time"
    assert account.status == "cancelled"


def test_without_a_loudspeaker_nobody_knows_what_was_heard() -> None:
    account = item_account(interrupted().log, "item_a")
    assert account.heard is None
    assert account.kept == 1.0


def test_an_answer_that_nobody_interrupted_is_kept_whole() -> None:
    script = Script()
    script.server(0.9, "response.created", response={"id": "resp_1"})
    script.answer(1.0, 2.0, "item_a", "resp_1", "All of it")
    account = item_account(script.log, "item_a", [])
    assert (account.delivered, account.kept, account.is_cut, account.unheard_words) == (2.0, 2.0, False, "")
    assert account.generated is None


def test_an_item_without_sound_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="give an item of an answer that was spoken"):
        show_timeline(Recording(interrupted()), item="item_u")


def test_an_interrupted_answer_is_one_figure() -> None:
    script = interrupted()
    figure = show_timeline(Recording(script), item="item_a")
    assert lanes(figure) == ["the answer", "generated", "delivered", "heard", "kept"]
    assert [text for text in words(figure) if re.match(r"\d", text)] == [
        "5.0 s: made by the model, and paid for",
        "4.0 s: came over the wire",
        "1.0 s: left the loudspeaker",
        "1.0 s: the model believes to have said",
    ]
    (cut,) = [line for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    assert list(cut.get_xdata()) == [1.0, 1.0]
    assert figure._repr_png_().startswith(PNG)


def test_what_is_not_known_is_said() -> None:
    assert "not known" in words(plot_item(item_account(interrupted().log, "item_a")))


# ---- of a session ----------------------------------------------------------------------------------------------------


def test_a_session_draws_its_timeline_and_parts_of_it(lab: Lab) -> None:  # noqa: F811
    session = lab.session("one", "two")
    first, second = session.ask("first"), session.ask("second")
    second.wait()
    whole = session.timeline()
    assert lanes(whole) == ["responses", "words"]
    for part in (session.timeline(reply=second), session.timeline(reply=2), session.timeline(turn=1)):
        start, end = part.axes[0].get_xlim()
        assert start <= session.turns[1].start
        assert end <= whole.axes[0].get_xlim()[1] + 1
    assert first.status == "completed"
    with pytest.raises(ValueError, match="no reply 3: there are 2"):
        session.timeline(reply=3)
    with pytest.raises(ValueError, match="no turn 7"):
        session.timeline(turn=7)
    with pytest.raises(ValueError, match="one reply, or one turn"):
        session.timeline(reply=1, turn=1)
    assert isinstance(session, rtnb.Session)


def test_a_recording_draws_what_its_session_drew(tmp_path: pathlib.Path, lab: Lab) -> None:  # noqa: F811
    session = lab.session("one two three", output="audio")
    session.attach(speaker=rtnb.SilentSpeaker(speed=20))
    reply = session.ask("speak")
    reply.wait_heard()
    session.save(tmp_path / "talk")
    recording = rtnb.load(tmp_path / "talk")
    assert timeline_of(recording).rows() == timeline_of(session).rows()
    assert lanes(recording.timeline()) == lanes(session.timeline())
    assert recording.timeline(start=0.0, end=0.5).axes[0].get_xlim() == (0.0, 0.5)
    mine, other = (timeline_of(each).outline("heard", 300).high for each in (session, recording))
    assert np.array_equal(mine, other, equal_nan=True)


def test_the_shipped_recording_shows_an_interruption() -> None:
    folder = pathlib.Path(__file__).parent.parent / "notebooks" / "data" / "recordings" / "interrupted"
    recording = rtnb.load(folder)
    found = timeline_of(recording)
    (cut,) = [point for point in found.points if point.kind == "cut"]
    account = item_account(recording.events, cut.item_id, recording.heard)
    assert account.kept <= account.heard < account.delivered
    assert "cancelled" in [span.kind for span in found.spans if span.lane == "response"]
