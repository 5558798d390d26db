"""What the panel shows: settings and what locks them, errors, captions, cost and latency; no browser."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from typing import Any

import pytest
from helpers_panel import Pages, shown
from helpers_session import Gate, Lab, eventually, in_thread, lab

import rtnb
from rtnb.core.audio import Audio
from rtnb.core.log import EventLog
from rtnb.core.protocol import DEFAULT_MODEL
from rtnb.local.brains.script import fail, wait
from rtnb.notebook.panel_notices import Notices
from rtnb.notebook.panel_state import Counter, Picture

__all__ = ["lab", "shown"]

Show = Callable[[Any], Pages]


# ---- settings --------------------------------------------------------------------------------------------------------


def test_turn_detection_is_switched_before_and_during_a_connection(lab: Lab, shown: Show) -> None:
    session = lab.session()
    page = shown(session).open()
    assert page.ask("vad", detection={"type": "server_vad", "threshold": 0.7})
    assert page.parts["talk"]["detection"]["threshold"] == 0.7
    assert page.ask("connect")
    page.until(lambda: page.parts["talk"]["detection"].get("silence_duration_ms"))
    assert page.ask("vad", detection={"type": "semantic_vad", "eagerness": "low"})
    assert session.settings["audio"]["input"]["turn_detection"]["eagerness"] == "low"
    assert page.ask("vad", detection=None)
    assert page.parts["talk"]["detection"] is None
    assert session.settings["audio"]["input"]["turn_detection"] is None


def test_a_refused_parameter_is_told_and_changes_nothing(lab: Lab, shown: Show) -> None:
    session = lab.session(turn_detection="server_vad").connect()
    page = shown(session).open()
    assert not page.ask("vad", detection={"type": "server_vad", "threshold": 7})
    assert "threshold" in page.notices()[0]
    assert page.parts["talk"]["detection"]["threshold"] == 0.5


def test_voice_model_output_and_instructions_are_set_and_locked_where_the_service_refuses(
    lab: Lab, shown: Show
) -> None:
    session = lab.session("Said aloud.", output="audio")
    page = shown(session).open()
    assert page.ask("set", name="model", value="gpt-realtime")
    assert page.ask("set", name="voice", value="cedar")
    page.ask("connect")
    page.until(lambda: page.parts["settings"]["model"]["locked"])
    assert page.parts["settings"]["model"]["value"] == "gpt-realtime"
    assert page.parts["settings"]["voice"] == {**page.parts["settings"]["voice"], "value": "cedar", "locked": ""}
    assert page.ask("set", name="instructions", value="Be brief.")
    assert session.settings["instructions"] == "Be brief."
    session.ask("Say something").wait()
    page.until(lambda: "has spoken" in page.parts["settings"]["voice"]["locked"])
    assert not page.ask("set", name="voice", value="ash"), "the service refuses it, and says so"
    assert not page.ask("set", name="model", value="gpt-realtime-mini")
    assert "disconnect" in " ".join(page.notices()) or "close it" in " ".join(page.notices())
    assert page.ask("set", name="output", value="text")
    assert page.parts["settings"]["output"]["value"] == "text"
    page.ask("new")
    page.until(lambda: page.parts["settings"]["voice"]["locked"] == "")


@pytest.mark.parametrize(("kind", "fields"), [("set", {"name": "x"}), ("option", {"name": "x"}), ("dance", {})])
def test_what_the_panel_does_not_know_is_said_in_words(
    lab: Lab, shown: Show, kind: str, fields: dict[str, Any]
) -> None:
    page = shown(lab.session()).open()
    assert not page.ask(kind, **fields)
    assert page.notices()


def test_a_handler_that_breaks_is_shown_and_logged(lab: Lab, shown: Show, caplog: pytest.LogCaptureFixture) -> None:
    pages = shown(lab.session())
    page = pages.open()

    async def broken(*_: object) -> None:
        raise ZeroDivisionError("no such number")

    pages.panel._desk.handlers["interrupt"] = broken
    with caplog.at_level(logging.ERROR):
        assert not page.ask("interrupt")
    assert page.notices() == ["ZeroDivisionError: no such number"]
    assert "ZeroDivisionError" in caplog.text


# ---- what is shown ---------------------------------------------------------------------------------------------------


def test_an_error_of_the_server_is_told_once_with_its_words(lab: Lab, shown: Show) -> None:
    session = lab.session().connect()
    page = shown(session).open()
    session.send({"type": "conversation.item.delete", "item_id": "item_that_is_not_there"})
    page.until(page.notices)
    assert "item_that_is_not_there" in page.notices()[0]
    assert len(page.notices()) == 1
    number = page.parts["notices"][0]["number"]
    assert page.ask("dismiss", notice=number)
    assert page.notices() == []


def test_the_same_error_again_is_told_again(lab: Lab, shown: Show) -> None:
    session = lab.session().connect()
    page = shown(session).open()

    def told() -> list[tuple[str, int]]:
        return [(notice["text"].split()[0], notice["times"]) for notice in page.parts["notices"]]

    assert not page.ask("set", name="voice", value="nobody")
    page.until(lambda: told() == [("invalid_value", 1)])
    assert not page.ask("dance")
    assert told() == [("invalid_value", 1), ("the", 1)]
    assert not page.ask("set", name="voice", value="nobody")
    page.until(lambda: told() == [("the", 1), ("invalid_value", 2)])
    assert not page.ask("dance")
    assert told() == [("invalid_value", 2), ("the", 2)]
    for times in (1, 2):
        session.send({"type": "conversation.item.delete", "item_id": "none"})
        page.until(lambda times=times: told()[-1] == ("item_delete_invalid_item_id", times))


def test_a_failed_answer_shows_in_the_account(lab: Lab, shown: Show) -> None:
    session = lab.session([fail("server_error", "Nothing works.")])
    page = shown(session).open()
    session.ask("Hello").wait()
    page.until(lambda: [turn["status"] for turn in page.parts["account"]["turns"]] == ["failed"])


def test_cost_latency_and_packets_are_counted(lab: Lab, shown: Show) -> None:
    session = lab.session("One.", "Two.", output="audio")
    page = shown(session).open()
    session.ask("first").wait()
    session.ask("second").wait()
    page.until(lambda: len(page.parts["account"]["turns"]) == 2)
    account, counters = page.parts["account"], page.parts["counters"]
    assert account["answers"] == 2
    assert account["tokens"] == session.usage.total > 0
    assert account["latency"]["n"] == 2
    page.until(lambda: page.parts["counters"]["received"] == len(session.events.filter(direction="server")))
    assert page.parts["counters"]["sent"] == len(session.events.filter(direction="client"))
    assert counters["audio_received_s"] > 0


def test_the_cost_of_a_transcript_that_comes_after_the_answer_is_shown(lab: Lab, shown: Show) -> None:
    session = lab.session("One.", transcription="gpt-4o-mini-transcribe").connect()
    page = shown(session).open()
    lab.endpoint.fault("late_transcripts", seconds=0.5)
    session.append_audio(Audio.tone(seconds=2.0))
    session.commit()
    session.respond().wait()
    page.until(lambda: page.parts["account"]["answers"] == 1)
    eventually(lambda: len(session.usage) == 2, "the transcript")
    page.until(lambda: page.parts["account"]["cost"] == str(session.cost))


def test_other_prices_show_in_the_account(lab: Lab, shown: Show) -> None:
    session = lab.session("One.")
    page = shown(session).open()
    session.ask("first").wait()
    page.until(lambda: page.parts["account"]["answers"] == 1)
    before = page.parts["account"]["cost"]
    session.prices = {str(session.model): {"text_in": 1000.0, "text_out": 1000.0}}
    page.until(lambda: page.parts["account"]["cost"] == str(session.cost) != before)


def test_an_answer_that_was_lost_leaves_the_account_and_the_budget_readable(lab: Lab, shown: Show) -> None:
    lab.serve("One.", [wait(Gate()), "Never said"])
    session = lab.session(reconnect=False, budget=1000, prices={DEFAULT_MODEL: {"text_in": 1.0, "text_out": 1e6}})
    page = shown(session).open()
    session.ask("first").wait()
    reply = session.ask("second")
    eventually(lambda: session.events.names["response.created"] == 2)
    lab.endpoint.stop()
    eventually(lambda: reply.is_done)
    page.until(lambda: page.parts["account"]["cost"] == str(session.cost))
    account = page.parts["account"]
    assert account["short"].startswith("at least $")
    assert session.cost.at_least < float(account["budget"]["spent"][1:]) < 10
    assert 0 < account["budget"]["part"] < 0.1


def test_events_are_counted_once_however_often_one_looks(lab: Lab) -> None:
    session = lab.session("One.")
    session.ask("first").wait()
    picture = Picture(session)
    first, second = picture.look()["counters"], picture.look()["counters"]
    assert first == second
    assert first["sent"] + first["received"] == len(session.events)


def test_sound_of_a_telephone_is_counted_by_its_length_not_by_its_bytes(lab: Lab) -> None:
    law = {"format": {"type": "audio/pcmu"}}
    session = lab.session(
        "Some words. " * 20, output="audio", config={"audio": {"input": law, "output": law}}
    ).connect()
    picture = Picture(session)
    session.append_audio(Audio.tone(seconds=2.0))
    reply = session.respond().wait()
    counters = picture.look()["counters"]
    assert counters["audio_sent_s"] == 2.0
    assert reply.audio.seconds > 1
    assert counters["audio_received_s"] == pytest.approx(reply.audio.seconds, abs=0.06)


def test_events_are_counted_once_whichever_threads_look() -> None:
    log = EventLog()
    for number in range(5000):
        log.append({"type": "response.output_audio.delta", "delta": "AAAA"}, "server", number / 100)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        counter = Counter()
        looks = [in_thread(lambda: counter.count(log)) for _ in range(3)]
        for look in looks:
            look()
    finally:
        sys.setswitchinterval(before)
    assert counter.received == len(log)


def test_captions_tell_what_was_not_heard(lab: Lab, shown: Show) -> None:
    session = lab.session("A long answer that somebody interrupts.", output="audio")
    reply = session.ask("Tell me").wait()
    item = reply.items[0]
    session.truncate(item, audio_end_ms=150)
    page = shown(session).open()
    row = page.parts["captions"][-1]
    assert row["state"] == "interrupted"
    assert 0 < row["heard"] < len(row["text"])


def test_no_caption_and_no_notice_shows_a_key(lab: Lab, shown: Show) -> None:
    key, own = "sk-proj-" + "aB3dE5" * 8, "our-" + "token" * 3
    endpoint = lab.serve(f"Your key is {key}, " + "x" * 580, key=own)
    session = rtnb.Session(endpoint.url, key=own, output="text")
    pages = shown(session)
    page = pages.open()

    async def broken(*_: object) -> None:
        raise OSError(f"no such file: {key}")

    pages.panel._desk.handlers["interrupt"] = broken
    page.ask("ask", text=f"My key is {key}, and ours is {own}")
    session.replies[0].wait()
    page.until(lambda: [row["state"] for row in page.parts["captions"]] == ["done", "done"])
    assert page.parts["captions"][0]["text"] == "My key is [key], and ours is [key]"
    page.ask("interrupt")
    page.ask("set", name=f"{key} {own}", value="x")
    session._core.hint(f"look at {key}")
    page.until(lambda: len(page.notices()) == 3)
    told = json.dumps(pages.told)
    assert "dE5aB3" not in told, "nor a part of it"
    assert own not in told
    session.close()


def test_what_was_heard_is_counted_in_the_letters_that_are_shown(lab: Lab) -> None:
    key = "sk-proj-" + "aB3dE5" * 8
    session = lab.session(f"It is {key} as you know, and it stays as it is.", output="audio")
    item = session.ask("What is my key?").wait().items[0]
    session.truncate(item, audio_end_ms=round(item.audio_ms * (6 + len(key) + 3) / len(item.text)))
    row = Picture(session).look()["captions"][-1]
    assert row["text"] == "It is [key] as you know, and it stays as it is."
    assert row["text"][: row["heard"]].startswith("It is [key] ")
    assert row["heard"] < 20


def test_notices_are_few_and_what_comes_again_is_counted_and_the_newest() -> None:
    changes: list[int] = []
    notices = Notices(lambda: changes.append(1))
    for text in ("a", "a", "b", *"cdefgh", "d"):
        notices.add("hint", text)
    assert [notice.text for notice in notices] == list("cefghd")
    assert [notice["times"] for notice in notices.to_dict()] == [1, 1, 1, 1, 1, 2]
    assert len(changes) == 10
    notices.remove(0)
    assert len(notices) == 0


def test_outside_a_kernel_a_session_is_shown_as_text(lab: Lab) -> None:
    session = lab.session()
    assert set(session._repr_mimebundle_()) == {"text/plain"}
    assert session._panel is None, "and no panel is made for it"


def test_a_panel_is_shown_as_a_widget_with_words_beside_it(lab: Lab, shown: Show) -> None:
    panel = shown(lab.session()).panel
    bundle = panel._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/plain"] == repr(panel.session)
    panel.close()
    assert "application/vnd.jupyter.widget-view+json" not in panel._repr_mimebundle_()


def test_a_closed_panel_tells_its_pages(lab: Lab, shown: Show) -> None:
    pages = shown(lab.session())
    page = pages.open()
    pages.panel.close()
    assert page.told[-1]["kind"] == "gone"
