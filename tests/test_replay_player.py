"""A replay without sockets: what is matched, what is answered when, and what is refused."""

from __future__ import annotations

import math
from typing import Any

from helpers_conversation import UNHURRIED, buffer, delta, item, message, response, session, user
from helpers_recordings import log_of
from hypothesis import given, settings
from test_conversation_properties import GARBAGE, Sent, sessions

from rtnb.replay.player import NOT_RECORDED, Player
from rtnb.replay.script import Script

Event = dict[str, Any]


def ask(text: str, item_id: str | None = "item_q", **fields: Any) -> Event:
    described: Event = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    if item_id is not None:
        described["id"] = item_id
    return {"type": "conversation.item.create", "item": {**described, **fields}}


def create(event_id: str = "event_c", **settings: Any) -> Event:
    return {"type": "response.create", "event_id": event_id, "response": {"metadata": {"reply": event_id}, **settings}}


def answer(text: str, response_id: str, event_id: str, item_id: str) -> list[Sent]:
    fields: Event = {"metadata": {"reply": event_id}}
    return [
        ("server", response("created", response_id, **fields)),
        ("server", {"type": "response.output_item.added", "response_id": response_id, "item": message(item_id)}),
        ("server", item("added", message(item_id))),
        ("server", delta("output_text", item_id, text, response_id)),
        ("server", response("done", response_id, **fields)),
    ]


def opened() -> list[Sent]:
    update = {"type": "session.update", "event_id": "event_u", "session": {}}
    return [("server", session()), ("client", update), ("server", session("updated"))]


def talk() -> list[Sent]:
    """Two questions and their answers."""
    return [
        *opened(),
        ("client", ask("What is the capital of France?", "item_1")),
        ("client", create("event_1")),
        ("server", user("item_1", "What is the capital of France?")),
        *answer("Paris", "resp_1", "event_1", "item_a1"),
        ("client", ask("And of Italy?", "item_2")),
        ("client", create("event_2")),
        ("server", user("item_2", "And of Italy?")),
        *answer("Rome", "resp_2", "event_2", "item_a2"),
    ]


class Stage:
    """A player with a clock that is turned by hand."""

    def __init__(self, sent: list[Sent], *, apart: float = 1.0, speed: float = math.inf, **options: Any) -> None:
        self.now = 100.0
        self.player = Player(Script(log_of(sent, apart=apart)), self.now, speed=speed, name="talk", **options)

    def send(self, *events: Event) -> list[Event]:
        return [said for event in events for said in self.player.receive(event, self.now)]

    def said(self, seconds: float = 0.0) -> list[Event]:
        """What is due within the next seconds; turns the clock."""
        end, events = self.now + seconds, []
        while self.player.due is not None and self.player.due <= end:
            self.now = max(self.now, self.player.due)
            events.append(self.player.pop())
        self.now = end
        return events

    def names(self, seconds: float = 0.0) -> list[str]:
        return [event["type"] for event in self.said(seconds)]


def texts(events: list[Event]) -> list[str]:
    return [event["delta"] for event in events if event["type"] == "response.output_text.delta"]


UPDATE: Event = {"type": "session.update", "event_id": "event_mine", "session": {"instructions": "other"}}


# -- what is answered


def test_nothing_is_said_before_the_client_does_what_it_did() -> None:
    stage = Stage(talk())
    assert stage.names() == ["session.created"]
    assert stage.send(UPDATE) == []
    assert stage.names() == ["session.updated"]
    assert stage.names(1_000) == []
    stage.send(ask("What is the capital of France?", "item_mine"))
    assert stage.names() == ["conversation.item.added"]
    stage.send(create("event_mine"))
    assert texts(stage.said()) == ["Paris"]


def test_ids_that_the_client_made_come_back_as_it_made_them() -> None:
    stage = Stage(talk())
    stage.send(UPDATE, ask("What is the capital of France?", "item_mine"), create("event_mine"))
    said = stage.said()
    assert said[2]["item"]["id"] == "item_mine"
    created = next(event for event in said if event["type"] == "response.created")
    assert created["response"]["metadata"] == {"reply": "event_mine"}
    assert created["response"]["id"] == "resp_1"


def test_a_client_without_metadata_gets_none() -> None:
    stage = Stage(talk())
    stage.send(UPDATE, ask("What is the capital of France?", None), {"type": "response.create"})
    said = stage.said()
    assert said[2]["item"]["id"] == "item_1"
    assert next(event for event in said if event["type"] == "response.created")["response"]["metadata"] is None


def test_times_are_those_of_the_recording_divided_by_the_speed() -> None:
    for speed, apart in ((1.0, 1.0), (4.0, 0.25)):
        stage = Stage(talk(), apart=1.0, speed=speed)
        stage.said()
        stage.send(UPDATE)
        assert stage.names(apart * 0.99) == []
        assert stage.names(apart * 0.02) == ["session.updated"]
        stage.said(77)  # the client thinks longer than it did
        stage.send(ask("What is the capital of France?"), create())
        assert stage.names(apart * 0.99) == []
        assert stage.names(apart * 1.02) == ["conversation.item.added", "response.created"]
        assert stage.names(apart * 1.0) == ["response.output_item.added"]


def test_an_answer_never_comes_before_its_question_was_taken_however_fast_it_was_asked_for() -> None:
    question = "What is the capital of France?"
    slow = [  # three seconds until the server takes it, and but two from there to the answer
        *opened(),
        ("client", ask(question, "item_1")),
        ("client", {"type": "input_audio_buffer.clear"}),
        ("client", create("event_1")),
        ("server", user("item_1", question)),
        *answer("Paris", "resp_1", "event_1", "item_a1"),
    ]
    stage = Stage(slow, speed=1.0)
    stage.send(UPDATE)
    stage.said(10)
    stage.send(ask(question), create())
    assert stage.names(2.9) == []
    assert stage.names(0.2) == ["conversation.item.added", "response.created", "response.output_item.added"]
    assert stage.names(0.9) == ["conversation.item.added"]


def test_the_second_question_first_gets_the_second_answer() -> None:
    stage = Stage(talk())
    stage.send(UPDATE, ask("And of Italy?"), create("a"))
    assert texts(stage.said()) == ["Rome"]
    stage.send(ask("What is the capital of France?"), create("b"))
    assert texts(stage.said()) == ["Paris"]


def test_another_wording_is_the_same_question() -> None:
    stage = Stage(talk())
    stage.send(UPDATE)
    assert stage.send(ask("what is the CAPITAL of france"), create()) == []
    assert texts(stage.said()) == ["Paris"]


def test_tool_outputs_are_matched_by_their_call_and_may_say_something_else() -> None:
    def output(call_id: str, text: str) -> Event:
        described = {"type": "function_call_output", "call_id": call_id, "output": text, "id": f"item_{call_id}"}
        return {"type": "conversation.item.create", "item": described}

    sent: list[Sent] = [
        *opened(),
        ("client", output("call_1", "noon")),
        ("client", output("call_2", "rain")),
        ("client", create("event_1")),
        ("server", item("added", output("call_1", "noon")["item"])),
        ("server", item("added", output("call_2", "rain")["item"])),
        *answer("It rains at noon.", "resp_1", "event_1", "item_a"),
    ]
    stage = Stage(sent)
    stage.send(UPDATE)
    stage.said()
    assert stage.send(output("call_2", "sun")) == []
    assert [event["item"]["id"] for event in stage.said()] == ["item_call_2"]
    assert stage.send(output("call_1", "eight"), create()) == []
    assert texts(stage.said()) == ["It rains at noon."]
    (refused,) = stage.send(output("call_9", "x"))
    assert refused["error"]["code"] == NOT_RECORDED


def test_an_error_that_was_recorded_names_the_event_of_this_client() -> None:
    refusal = {"type": "error", "error": {"code": "invalid_value", "message": "no", "event_id": "event_1"}}
    stage = Stage([*opened(), ("client", create("event_1")), ("server", refusal)])
    stage.send(UPDATE, create("event_mine"))
    assert stage.said()[-1]["error"]["event_id"] == "event_mine"


# -- speech


def spoken() -> list[Sent]:
    """The detector hears two turns, and the second interrupts the answer to the first."""
    append: Sent = ("client", {"type": "input_audio_buffer.append", "audio": "AAAA"})
    truncate = {"type": "conversation.item.truncate", "item_id": "item_a", "content_index": 0, "audio_end_ms": 500}
    return [
        *opened(),
        append,
        ("server", buffer("speech_started", "item_u")),
        append,
        ("server", buffer("speech_stopped", "item_u")),
        ("server", buffer("committed", "item_u")),
        ("server", response("created", "resp_1")),
        ("server", item("added", message("item_a"))),
        append,
        ("server", buffer("speech_started", "item_u2")),
        ("client", truncate),
        ("server", response("done", "resp_1", status="cancelled")),
        ("server", {**truncate, "type": "conversation.item.truncated"}),
    ]


def test_speech_that_was_recorded_happens_without_a_microphone() -> None:
    stage = Stage(spoken(), speed=1.0)
    stage.send(UPDATE)
    assert stage.names(20) == [
        "session.created",
        "session.updated",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "response.created",
        "conversation.item.added",
        "input_audio_buffer.speech_started",
        "response.done",
    ]


def test_a_cut_is_confirmed_to_a_client_that_makes_it_and_to_no_other() -> None:
    stage = Stage(spoken())
    stage.send(UPDATE)
    stage.said()
    cut = {"type": "conversation.item.truncate", "item_id": "item_a", "content_index": 0, "audio_end_ms": 480}
    assert stage.send(cut) == []
    assert stage.names() == ["conversation.item.truncated"]


def test_sound_that_is_appended_is_taken_where_there_was_sound() -> None:
    append = {"type": "input_audio_buffer.append", "audio": "AAAA"}
    assert Stage(spoken()).send(append, append) == []
    refused = Stage(talk()).send(append, append, append)
    assert len(refused) == 1
    assert "no sound of a microphone" in refused[0]["error"]["message"]


# -- what is refused


def test_what_the_recording_does_not_hold_is_refused_and_says_what_it_holds() -> None:
    stage = Stage(talk())
    stage.send(UPDATE)
    stage.said()
    (refused,) = stage.send({**ask("How tall is the Eiffel tower, in feet?"), "event_id": "event_x"})
    assert refused["error"]["code"] == NOT_RECORDED
    assert refused["error"]["event_id"] == "event_x"
    assert "'talk'" in refused["error"]["message"]
    assert "How tall is the Eiffel tower" in refused["error"]["message"]
    assert "What is the capital of France?" in refused["error"]["message"]
    assert len(stage.send(create("event_y"))) == 1, "the answer to a refused question is none of the recording"
    assert stage.send(ask("What is the capital of France?"), create("event_z")) == []
    assert texts(stage.said()) == ["Paris"]


def test_a_response_without_its_question_is_refused() -> None:
    stage = Stage(talk())
    stage.send(UPDATE)
    (refused,) = stage.send(create())
    assert "which holds a message of the user: " in refused["error"]["message"]


def test_the_end_is_told() -> None:
    stage = Stage(talk())
    stage.send(UPDATE, ask("What is the capital of France?"), create("a"), ask("And of Italy?"), create("b"))
    stage.said()
    assert stage.player.waits_for == ""
    (refused,) = stage.send(ask("And of Spain?"))
    assert "at its end" in refused["error"]["message"]


def test_every_client_can_connect_also_where_no_settings_were_recorded() -> None:
    stage = Stage([("server", user("item_1"))])
    assert stage.names()[:1] == ["session.created"]
    (confirmed,) = stage.send(UPDATE)
    assert confirmed["type"] == "session.updated"
    (refused,) = stage.send({**UPDATE, "session": {"instructions": "yet another"}})
    assert refused["error"]["code"] == NOT_RECORDED


def test_a_tool_may_be_declared_at_another_time_than_it_was() -> None:
    stage = Stage([("server", session(instructions="Be kind.")), *opened()[1:2]])
    stage.send(UPDATE)
    stage.said()
    later = {"type": "session.update", "session": {"type": "realtime", "instructions": "Be kind.", "tools": [1]}}
    (confirmed,) = stage.send(later)
    assert confirmed["session"]["tools"] == [1]
    (refused,) = stage.send({"type": "session.update", "session": {"instructions": "Be rude.", "tools": []}})
    assert refused["error"]["code"] == NOT_RECORDED


def test_a_tool_that_is_declared_late_takes_no_other_updates_place() -> None:
    brief = {"type": "session.update", "event_id": "event_2", "session": {"instructions": "Be brief."}}
    sent: list[Sent] = [*talk(), ("client", brief), ("server", session("updated", instructions="Be brief."))]
    stage = Stage(sent)
    stage.send(UPDATE, {"type": "session.update", "session": {"tools": [1]}})
    assert stage.names() == ["session.created", "session.updated"]
    stage.send(ask("What is the capital of France?"), create("a"))
    assert texts(stage.said()) == ["Paris"]
    stage.send(ask("And of Italy?"), create("b"))
    assert texts(stage.said()) == ["Rome"]
    stage.send(brief)
    assert stage.said()[0]["session"]["instructions"] == "Be brief."


def test_what_is_no_event_is_refused() -> None:
    for nothing in (None, [], "x", {}, {"type": 7}):
        (refused,) = Stage(talk()).player.receive(nothing, 100.0)
        assert refused["type"] == "error"


def test_what_the_client_should_do_next_is_told_in_words() -> None:
    stage = Stage(talk())
    stage.said()
    assert stage.player.waits_for == "session.update"
    stage.send(UPDATE)
    stage.said()
    assert stage.player.waits_for == "a message of the user: 'What is the capital of France?'"


# -- as a film


def test_a_film_waits_for_nothing_but_the_configuration() -> None:
    stage = Stage(talk(), film=True)
    assert stage.player.waits_for == ""
    stage.send(UPDATE)
    assert texts(stage.said(1_000)) == ["Paris", "Rome"]


# -- whatever


def test_the_end_of_a_session_lies_as_far_ahead_as_it_did() -> None:
    sent: list[Sent] = [("server", session(expires_at=1_000))]
    stage = Stage(sent, origin_shift=500.0)
    assert stage.said()[0]["session"]["expires_at"] == 1_500


@settings(UNHURRIED, max_examples=40)
@given(sessions())
def test_the_same_client_hears_the_whole_recording_again(sent: list[Sent]) -> None:
    stage = Stage(sent)
    said = stage.said()
    for direction, event in sent:
        if direction == "client":
            assert stage.send(event) == []
            said += stage.said()
    assert [event for event in said if event["type"].startswith("response.")] == [
        event for direction, event in sent if direction == "server" and event["type"].startswith("response.")
    ]
    assert sorted(map(str, said)) == sorted(str(event) for direction, event in sent if direction == "server")
    assert stage.player.is_over


@settings(UNHURRIED, max_examples=60)
@given(sessions())
def test_a_client_that_goes_backwards_does_not_break_it(sent: list[Sent]) -> None:
    stage = Stage(sent)
    for direction, event in [*reversed(sent), *sent]:
        if direction == "client":
            stage.send(event)
            stage.said()


@settings(UNHURRIED, max_examples=80)
@given(GARBAGE, GARBAGE)
def test_garbage_recorded_or_sent_raises_nothing(recorded: Event, sent: Event) -> None:
    stage = Stage([("server", recorded), ("client", recorded), ("server", recorded)])
    stage.send(sent, recorded)
    stage.said()
