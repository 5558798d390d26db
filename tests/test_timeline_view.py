"""The kernel's side of the interactive timeline."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from helpers_timeline import Script, interrupted
from test_figures import PNG

from rtnb.notebook.timeline import show_timeline
from rtnb.notebook.timeline_view import TimelineView


class Recording:
    def __init__(self, script: Script) -> None:
        self.events = script.log
        self.heard = script.heard


class Told(TimelineView):
    """One whose messages to the page are kept."""

    def send(self, content: Any, buffers: Any = None) -> None:
        self.__dict__.setdefault("told", []).append(content)

    def ask(self, **content: Any) -> dict[str, Any]:
        self._on_message(self, content, [])
        return self.__dict__["told"].pop()


@pytest.fixture
def view() -> Told:
    made = show_timeline(Recording(interrupted()), interactive=True)
    return Told(made._source, made.timeline)


def unpacked(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), np.int8)


def test_the_page_is_given_marks_and_three_outlines(view: Told) -> None:
    data = view.data
    assert (data["start"], data["end"]) == (0.0, 6.0)
    assert {mark["lane"] for mark in data["marks"]} == set(data["lanes"]) - {"you"}
    assert set(data["sound"]["lanes"]) == {"you", "received", "heard"}
    low, high = map(unpacked, data["sound"]["lanes"]["heard"])
    there = high != -128
    first, last = np.flatnonzero(there)[[0, -1]] / there.size * 6
    assert (first, last) == pytest.approx((3.1, 4.1), abs=0.02)
    assert set(high[there]) == {127}
    assert set(low[there]) == {-127}


def test_a_closer_look_keeps_its_measure(view: Told) -> None:
    told = view.ask(kind="outline", start=3.02, end=3.18, bins=100)
    assert (told["start"], told["end"]) == (3.02, 3.18)
    assert "you" not in told["lanes"]
    _, high = map(unpacked, told["lanes"]["heard"])
    assert (high[:45] == -128).all()
    assert (high[55:] == 127).all()


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "outline", "start": "x", "end": 3, "bins": 10},
        {"kind": "outline", "start": 4, "end": 3, "bins": 10},
        {"kind": "outline"},
        {"kind": "event", "index": 10**6},
        {"kind": "event", "index": None},
        {"kind": "nonsense"},
        None,
    ],
)
def test_what_makes_no_sense_is_not_answered(view: Told, content: Any) -> None:
    view._on_message(view, content, [])
    assert not view.__dict__.get("told")


def test_an_event_is_told_with_what_it_means(view: Told) -> None:
    (error,) = [mark for mark in view.data["marks"] if mark["lane"] == "errors"]
    told = view.ask(kind="event", index=error["index"])
    assert told["title"].endswith(": error, from the server, at 6.000 s")
    assert "Unknown parameter: 'x'." in told["json"]
    assert told["what"]


def test_no_key_reaches_the_page() -> None:
    key = "sk-" + "x" * 24
    script = Script()
    script.server(1.0, "error", error={"message": f"bad key {key}", "code": "invalid_api_key"})
    made = show_timeline(script.log, interactive=True)
    view = Told(made._source, made.timeline)
    assert key not in repr(view.data)
    assert key not in repr(view.ask(kind="event", index=0))


def test_refreshing_shows_what_came_since(view: Told) -> None:
    view._source.events.append({"type": "error", "error": {"message": "late"}}, "server", 9.0)
    view._on_message(view, {"kind": "refresh"}, [])
    assert view.data["end"] == 9.0
    assert view.data["marks"][-1]["text"] == "late"


def test_a_saved_notebook_keeps_the_picture(view: Told) -> None:
    data, _ = view._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]).startswith(PNG)
    assert data["text/plain"] == "<TimelineView: 0.00 to 6.00 s, 8 spans, 3 points>"
    assert any("widget-view" in kind for kind in data)


def test_an_item_has_no_interactive_view() -> None:
    with pytest.raises(ValueError, match="leave out interactive"):
        show_timeline(Recording(interrupted()), item="item_a", interactive=True)
