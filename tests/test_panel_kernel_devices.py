"""The panel with the microphone and the loudspeaker of the kernel's machine; no browser, no sound card."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from helpers_panel import Page, Pages, shown
from helpers_session import Lab, eventually, lab
from helpers_sound import FedMicrophone
from helpers_sound_card import Slow, Stream, card, slow_card

__all__ = ["card", "lab", "shown", "slow_card"]

Show = Callable[[Any], Pages]


def open_streams() -> int:
    return sum(stream.open for stream in Stream.opened)


def until_answered(page: Page, *numbers: int) -> None:
    page.until(lambda: {message["n"] for message in page.told if message["kind"] == "answer"} >= set(numbers))


def test_a_release_before_the_device_is_open_leaves_no_microphone_open(
    lab: Lab, shown: Show, slow_card: object
) -> None:
    page = shown(lab.session().connect()).open()
    assert page.ask("source", name="kernel")
    pressed = page.say("record", on=True)
    assert Slow.reached.wait(20)
    released = page.say("record", on=False)
    assert page.ask("option", name="greet", value=False), "the release was taken, and waits"
    Slow.go.set()
    until_answered(page, pressed, released)
    assert len(Stream.opened) == 1
    assert open_streams() == 0
    page.until(lambda: not page.parts["talk"]["recording"])
    page.until(lambda: "hold the button" in " ".join(page.notices()))


def test_what_is_thrown_away_before_the_device_is_open_leaves_no_microphone_open(
    lab: Lab, shown: Show, slow_card: object
) -> None:
    page = shown(lab.session().connect()).open()
    assert page.ask("source", name="kernel")
    pressed = page.say("record", on=True)
    assert Slow.reached.wait(20)
    discarded = page.say("discard")
    assert page.ask("option", name="greet", value=False)
    Slow.go.set()
    until_answered(page, pressed, discarded)
    assert open_streams() == 0


def test_each_change_of_the_source_and_the_close_give_the_loudspeaker_back(lab: Lab, shown: Show, card: object) -> None:
    session = lab.session("One.", "Two.", "Three.", output="audio")
    pages = shown(session)
    page = pages.open()
    for number in (1, 2):
        assert page.ask("source", name="kernel")
        assert page.ask("source", name="kernel"), "a second time changes nothing"
        session.ask("Speak").wait()
        eventually(lambda number=number: len(Stream.opened) == number, "a loudspeaker that opens")
        assert page.ask("source", name="page")
        eventually(lambda: open_streams() == 0, "the end of the kernel's loudspeaker")
    assert page.ask("source", name="kernel")
    session.ask("Speak").wait()
    eventually(lambda: open_streams() == 1, "a loudspeaker that opens")
    session.attach(microphone=(own := FedMicrophone()))
    pages.panel.close()
    eventually(lambda: open_streams() == 0, "the end of the kernel's loudspeaker")
    assert session._core.sound.speaker is None, "or it would open it again"
    assert session._core.capture.microphone is own, "which is none of the panel's"


def test_a_panel_that_is_closed_while_its_microphone_opens_leaves_none_open(
    lab: Lab, shown: Show, slow_card: object
) -> None:
    pages = shown(lab.session().connect())
    page = pages.open()
    assert page.ask("source", name="kernel")
    page.say("record", on=True)
    assert Slow.reached.wait(20)
    pages.panel.close()
    Slow.go.set()
    eventually(lambda: Stream.opened, "a device that opens")
    eventually(lambda: open_streams() == 0, "the end of the recording")
