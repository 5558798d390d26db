"""A budget: it warns, it refuses in words before anything is sent, and nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest
from helpers_local import loud, silence
from helpers_session import Gate, Heard, Lab, eventually, lab

import rtnb
from rtnb.core.log import Entry
from rtnb.core.protocol import DEFAULT_MODEL, item_create, user_message
from rtnb.core.tokens import Usage
from rtnb.local.brains import call, wait
from rtnb.session.spending import Spending

__all__ = ["lab"]

VAD = {"type": "server_vad", "silence_duration_ms": 200, "prefix_padding_ms": 0}
DEAR = {DEFAULT_MODEL: {"text_in": 0.0, "text_cached": 0.0, "audio_in": 0.0, "text_out": 1_000_000.0}}
"""One dollar for each token of text that is written."""


def sent(session: rtnb.Session, name: str) -> int:
    return len(session.events.filter(name, direction="client"))


# -- asking


def test_a_spent_budget_refuses_before_anything_is_sent_and_loses_nothing(lab: Lab) -> None:
    session = lab.session("Hello there", "Again", prices=DEAR, budget=0.5)
    assert session.ask("hi").text == "Hello there"
    assert session.cost.usd == session.usage.text_out > 0.5
    before = len(session.events.filter(direction="client"))
    for refused in (
        lambda: session.ask("more"),
        lambda: session.respond(),
        lambda: session.respond(conversation="none", input=[]),
        lambda: session.send({"type": "response.create"}),
        lambda: session.send({"type": "response.create"}, check=False),
    ):
        with pytest.raises(rtnb.BudgetSpent, match=r"the budget of \$0\.5000 is spent .* session\.budget = "):
            refused()
    assert len(session.events.filter(direction="client")) == before
    assert [item.text for item in session.items] == ["hi", "Hello there"]
    assert session.replies[0].text == "Hello there"
    assert len(session.replies) == 1


def test_a_raised_budget_lets_the_session_go_on(lab: Lab) -> None:
    session = lab.session("Hello there", "Again", "Free", prices=DEAR, budget=0.5)
    session.ask("hi").wait()
    with pytest.raises(rtnb.BudgetSpent):
        session.ask("more")
    session.budget = session.cost.usd + 1
    assert session.ask("more").text == "Again"
    session.budget = None
    assert session.budget is None
    assert session.ask("more").text == "Free"


def test_other_events_are_still_sent(lab: Lab) -> None:
    session = lab.session("Hello", prices=DEAR, budget=0.0).connect()
    item = session.insert("kept")
    session.send(item_create(user_message("also kept")))
    session.update(instructions="be brief")
    session.delete(item)
    eventually(lambda: [item.text for item in session.items] == ["also kept"])


def test_a_question_that_waited_is_refused_when_the_answer_before_it_spent_the_budget(lab: Lab) -> None:
    gate = Gate()
    session = lab.session(["one", wait(gate)], "two", prices=DEAR, budget=0.5)
    first, second = session.ask("a"), session.ask("b")
    gate.open()
    assert first.text == "one"
    with pytest.raises(rtnb.BudgetSpent):
        _ = second.text
    assert second.status == "failed"
    assert sent(session, "response.create") == 1
    assert [item.text for item in session.items] == ["a", "one"]
    assert session.activity.value == "idle"


def test_tools_that_ran_while_the_budget_was_spent_give_their_output_and_nothing_follows(lab: Lab) -> None:
    session = lab.session(["I look.", call("look")], "Never said", prices=DEAR, budget=0.5)
    looked = []

    @session.tool
    def look() -> str:
        """Look."""
        looked.append(True)
        return "seen"

    reply = session.ask("look")
    with pytest.raises(rtnb.BudgetSpent):
        _ = reply.text
    assert reply.text_so_far == "I look."
    assert looked == [True]
    assert reply.tool_calls[0].output == "seen"
    eventually(lambda: any(item.type == "function_call_output" for item in session.items))
    assert sent(session, "response.create") == 1
    session.budget = 100
    assert session.respond().text == "Never said"


def test_a_fork_keeps_to_the_same_budget_and_prices(lab: Lab) -> None:
    session = lab.session("Hello there", "Again", prices=DEAR, budget=0.5)
    session.ask("hi").wait()
    fork = session.fork()
    try:
        assert (fork.budget, fork.cost.usd) == (0.5, 0)
        fork.ask("more").wait()
        with pytest.raises(rtnb.BudgetSpent):
            fork.ask("and more")
    finally:
        fork.close()


def test_an_answer_that_was_cut_off_counts_toward_the_budget(lab: Lab) -> None:
    gate = Gate()
    endpoint = lab.serve("Hello there", [wait(gate), "Never said"])
    session = lab.session(prices=DEAR, budget=1000, reconnect=False)
    session.ask("hi").wait()
    known = session.cost
    assert not known.unknown
    reply = session.ask("more")
    eventually(lambda: session.events.names["response.created"] == 2)
    endpoint.stop()
    eventually(lambda: reply.is_done)
    assert str(reply.cost) == f"tokens not reported ({DEFAULT_MODEL})"
    assert session.cost.at_least == known.usd
    assert str(session.cost) == f"at least ${known.usd:.2f} (tokens not reported: {DEFAULT_MODEL})"
    session.budget = known.usd + 1
    with pytest.raises(rtnb.BudgetSpent, match=r"of which about \$\d+\.\d\d for answers that were lost"):
        session.ask("again")


def test_an_answer_that_is_still_being_made_is_not_counted(lab: Lab) -> None:
    gate = Gate()
    session = lab.session([wait(gate), "Never said"], prices=DEAR, budget=1000)
    reply = session.ask("hi")
    session.wait("response.created", after=-1)
    assert session.cost.usd == 0
    session.close()
    assert str(session.cost) == str(reply.cost) == f"tokens not reported ({DEFAULT_MODEL})"


# -- telling


def test_it_warns_at_eighty_percent_and_tells_when_it_is_spent(lab: Lab) -> None:
    session = lab.session("Hello there", "Again", prices=DEAR)
    hints = Heard()
    session.on("session.hint", hints)
    session.ask("hi").wait()
    spent = session.cost.usd
    session.budget = spent / 0.9
    assert "of the budget of" in (hint := hints.next())
    assert "(90 %)" in hint
    session.budget = spent
    assert "is spent" in hints.next()
    session.budget = spent
    session.update(instructions="x")
    assert hints.all() == []


def test_a_budget_for_a_model_without_a_price_cannot_be_kept(lab: Lab) -> None:
    lab.serve("Hello", models=["my-model"])
    session = lab.session(model="my-model", prices={"other": {"text_in": 1.0}}, budget=1)
    with pytest.raises(rtnb.BudgetSpent, match="the price of my-model is not known"):
        session.ask("hi")
    session.prices = {"my-model": {"text_in": 1.0, "text_out": 1.0}}
    assert session.ask("hi").text == "Hello"
    assert session.cost.usd > 0


@pytest.mark.parametrize("budget", [0, 1e-9])
def test_where_nothing_is_paid_a_budget_never_bites(lab: Lab, budget: float) -> None:
    session = lab.session("Hello", "Again", budget=budget)
    session.ask("hi").wait()
    assert session.ask("more").text == "Again"
    assert session.cost.hypothetical
    assert session.cost.billed == 0
    assert session.cost.usd > 1e-9


@pytest.mark.parametrize("wrong", [-1, "1", float("nan")])
def test_a_wrong_budget_is_refused(lab: Lab, wrong: Any) -> None:
    with pytest.raises(rtnb.ProtocolError, match="a budget is a number of US dollars"):
        lab.session(budget=wrong)
    session = lab.session(budget=1)
    with pytest.raises(rtnb.ProtocolError):
        session.budget = wrong
    assert session.budget == 1


# -- speaking


def test_when_it_is_spent_detected_speech_is_kept_and_not_answered(lab: Lab) -> None:
    session = lab.session("Hello there", "I heard you.", prices=DEAR, budget=0.5, turn_detection=VAD)
    session.ask("hi").wait()
    told = session.wait("session.updated", where=_is_off)
    assert told["session"]["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 200
    session.append_audio(loud(300) + silence(400))
    item = session.wait("input_audio_buffer.committed")["item_id"]
    session.wait("conversation.item.done", where=lambda event: event["item"]["id"] == item, after=-1)
    assert session.events.names["response.created"] == 1
    assert session.items[-1].id == item
    session.budget = 1000
    session.wait("session.updated", where=lambda event: not _is_off(event))
    assert session.respond().text == "I heard you."


def test_a_session_that_connects_with_a_spent_budget_answers_no_speech(lab: Lab) -> None:
    session = lab.session("Never", prices=DEAR, budget=0, turn_detection=VAD).connect()
    session.wait("session.updated", where=_is_off, after=-1)
    session.update(turn_detection={**VAD, "threshold": 0.4})  # switches it on again: it is switched off again
    session.wait("session.updated", where=_is_off)
    session.append_audio(loud(300) + silence(400))
    session.wait("input_audio_buffer.committed")
    assert session.events.names["response.created"] == 0


def _is_off(event: dict[str, Any]) -> bool:
    return event["session"]["audio"]["input"]["turn_detection"]["create_response"] is False


def test_what_the_user_switched_off_is_not_switched_on_by_a_raised_budget(lab: Lab) -> None:
    session = lab.session("Hello", prices=DEAR, budget=0, turn_detection={**VAD, "create_response": False}).connect()
    session.budget = 1
    session.update(instructions="x")
    assert sent(session, "session.update") == 2
    assert session.settings["audio"]["input"]["turn_detection"]["create_response"] is False


def test_what_the_user_switched_off_meanwhile_stays_off(lab: Lab) -> None:
    session = lab.session("Never", prices=DEAR, budget=0, turn_detection=VAD).connect()
    session.wait("session.updated", where=_is_off, after=-1)
    session.update(turn_detection={**VAD, "create_response": False})
    session.budget = 1
    session.update(instructions="x")
    assert _is_off({"session": session.settings})


def test_speech_by_hand_becomes_an_item_and_its_answer_is_refused(lab: Lab) -> None:
    session = lab.session("Never", prices=DEAR, budget=0)
    with pytest.raises(rtnb.BudgetSpent), session.recording():
        session.append_audio(loud(300))
    assert [item.audio_ms for item in session.items] == [300]
    assert session.events.names["response.create"] == 0


# -- what the server began meanwhile, event by event


class Desk:
    """A `Spending` whose events are given by hand."""

    def __init__(self, budget: float) -> None:
        self.sent: list[dict[str, Any]] = []
        self.hints: list[str] = []
        self.is_ready = True
        self.spending = Spending(
            is_free=False,
            prices=DEAR,
            budget=budget,
            model=lambda: DEFAULT_MODEL,
            send=self.sent.append,
            is_ready=lambda: self.is_ready,
            hint=self.hints.append,
            expected=lambda: Usage(text_out=3),
        )

    def came(self, name: str, **fields: Any) -> None:
        self.spending.received(Entry(0, 0.0, "server", {"type": name, **fields}))

    def configured(self, detection: Any) -> None:
        session = {"model": DEFAULT_MODEL, "audio": {"input": {"turn_detection": detection}}}
        self.came("session.updated", session=session)

    def answered(self, response_id: str, tokens: int) -> None:
        usage = {"output_token_details": {"text_tokens": tokens}}
        self.came("response.done", response={"id": response_id, "status": "completed", "usage": usage})


def test_a_response_that_the_server_began_meanwhile_is_cancelled() -> None:
    desk = Desk(2.0)
    desk.configured(VAD)
    desk.came("response.created", response={"id": "resp_1"})
    assert desk.sent == []
    desk.answered("resp_1", 2)
    (update,) = desk.sent
    detection = update["session"]["audio"]["input"]["turn_detection"]
    assert (update["type"], detection) == ("session.update", {"type": "server_vad", "create_response": False})
    desk.came("response.created", response={"id": "resp_2"})
    assert (desk.sent[1]["type"], desk.sent[1]["response_id"]) == ("response.cancel", "resp_2")


def test_an_answer_that_was_open_when_the_next_connection_began_counts_as_much_as_it_was_estimated_to_take() -> None:
    desk = Desk(2.0)
    session = {"model": DEFAULT_MODEL}
    desk.came("session.created", session=session)
    desk.came("response.created", response={"id": "resp_1"})
    assert desk.spending.spent == 0
    desk.came("session.created", session=session)
    desk.spending.lost()
    assert desk.spending.spent == 3.0
    assert desk.spending.refusal() is not None
    assert len(desk.hints) == 1


def test_the_door_is_shut_once_and_opened_once() -> None:
    desk = Desk(2.0)
    desk.configured(VAD)
    desk.answered("resp_1", 1)
    desk.answered("resp_2", 1)
    desk.answered("resp_3", 1)
    desk.configured({**VAD, "create_response": False})
    assert len(desk.sent) == 1
    assert len([hint for hint in desk.hints if "is spent" in hint and "%" not in hint]) == 1
    desk.spending.budget.limit = 9
    desk.spending.look()
    desk.spending.look()
    assert [event["session"]["audio"]["input"]["turn_detection"]["create_response"] for event in desk.sent] == [
        False,
        True,
    ]


def test_nothing_is_sent_before_the_connection_is_ready() -> None:
    desk = Desk(0.0)
    desk.is_ready = False
    desk.configured(VAD)
    assert desk.sent == []
    desk.is_ready = True
    desk.spending.look()
    assert len(desk.sent) == 1


def test_without_a_budget_nothing_is_ever_sent_or_said() -> None:
    desk = Desk(1.0)
    desk.spending.budget.limit = None
    desk.configured(VAD)
    desk.answered("resp_1", 10_000)
    desk.came("response.created", response={"id": "resp_2"})
    assert (desk.sent, desk.hints) == ([], [])
