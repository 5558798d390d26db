"""Usage, cost, turns, estimate and configuration of a scripted log, against sums done by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest

from rtnb.core.accounts import LatencyReport, TurnTable, cost_of, turns_of, usage_of
from rtnb.core.budget import Budget
from rtnb.core.charges import ChargeMeter, UsageReport, charges
from rtnb.core.configuration import configuration, configuration_of
from rtnb.core.conversation import Conversation
from rtnb.core.estimate import estimate
from rtnb.core.item_table import ItemTable
from rtnb.core.latency import Spread
from rtnb.core.log import EventLog
from rtnb.core.prices import PRICES, Price
from rtnb.core.tokens import Usage
from rtnb.core.usage import Cost

M = 1_000_000
BIG, MINI = "gpt-realtime-2.1", "gpt-realtime-2.1-mini"


def session(model: str = BIG, writer: str | None = "whisper-1", **more: Any) -> dict[str, Any]:
    transcription = None if writer is None else {"model": writer}
    return {"model": model, "audio": {"input": {"transcription": transcription}}, **more}


def usage(
    text: int = 0, audio: int = 0, image: int = 0, *, cached: tuple[int, int, int] = (0, 0, 0), out: tuple[int, int]
) -> dict[str, Any]:
    kinds = ("text_tokens", "audio_tokens", "image_tokens")
    return {
        "input_tokens": text + audio + image,
        "output_tokens": sum(out),
        "input_token_details": {
            **dict(zip(kinds, (text, audio, image), strict=True)),
            "cached_tokens": sum(cached),
            "cached_tokens_details": dict(zip(kinds, cached, strict=True)),
        },
        "output_token_details": {"text_tokens": out[0], "audio_tokens": out[1]},
    }


def a_log(*events: dict[str, Any]) -> EventLog:
    log = EventLog()
    for number, event in enumerate(events):
        event = dict(event)
        direction = event.pop("from", "server")
        log.append(event, direction, event.pop("at", float(number)))
    return log


def done(response_id: str, used: Any, status: str = "completed") -> dict[str, Any]:
    return {"type": "response.done", "response": {"id": response_id, "status": status, "usage": used, "output": []}}


def created(response_id: str) -> dict[str, Any]:
    return {"type": "response.created", "response": {"id": response_id}}


def transcribed(item_id: str, used: Any) -> dict[str, Any]:
    name = "conversation.item.input_audio_transcription.completed"
    return {"type": name, "item_id": item_id, "transcript": "hello", "usage": used}


def committed(item_id: str) -> dict[str, Any]:
    return {"type": "input_audio_buffer.committed", "item_id": item_id}


TALK = a_log(
    {"type": "session.created", "session": session(writer=None)},
    {"type": "session.updated", "session": session()},
    committed("item_1"),
    created("resp_1"),
    done("resp_1", usage(200, 1000, out=(50, 300))),
    transcribed("item_1", {"type": "duration", "seconds": 90}),
    committed("item_2"),
    created("resp_2"),
    transcribed("item_2", {"type": "duration", "seconds": 30}),
    done("resp_2", usage(300, 2000, 100, cached=(200, 1000, 0), out=(60, 400))),
)
# resp_1: 200 x 4 + 1000 x 32 + 50 x 24 + 300 x 64 = 800 + 32000 + 1200 + 19200
FIRST = 53_200 / M
# resp_2: 100 x 4 + 200 x 0.40 + 1000 x 32 + 1000 x 0.40 + 100 x 5 + 60 x 24 + 400 x 64
SECOND = (400 + 80 + 32_000 + 400 + 500 + 1_440 + 25_600) / M
WRITTEN = 2 * 0.006  # two minutes of whisper-1


# -- charges


def test_the_cost_of_a_session_is_that_of_its_responses_and_transcriptions() -> None:
    bill = cost_of(TALK)
    assert bill.usd == pytest.approx(FIRST + SECOND + WRITTEN, rel=1e-12)
    assert bill.transcription.usd == pytest.approx(WRITTEN, rel=1e-12)
    assert [line.kind for line in bill.transcription.lines] == ["minutes"]
    assert {line.model for line in bill.lines} == {BIG, "whisper-1"}


def test_the_usage_of_a_session_is_a_total_and_a_list_of_its_parts() -> None:
    report = usage_of(TALK)
    assert report == Usage(500, 3000, 100, 200, 1000, 0, 110, 700)
    assert Usage(500, 3000, 100, 200, 1000, 0, 110, 700) == report
    assert [(each.kind, each.id) for each in report] == [
        ("response", "resp_1"),
        ("transcription", "item_1"),
        ("transcription", "item_2"),
        ("response", "resp_2"),
    ]
    rows = report.rows()
    assert [row["usd"] for row in rows] == pytest.approx([FIRST, 0.009, 0.003, SECOND])
    assert (rows[1]["model"], rows[1]["seconds"], rows[0]["audio_in"], rows[3]["image_in"]) == (
        "whisper-1",
        90,
        1000,
        100,
    )
    assert report.transcription.seconds == 120
    assert len(report) == 4
    assert report[0].model == BIG


def test_a_charge_costs_what_the_model_of_its_time_costs() -> None:
    log = a_log(
        {"type": "session.created", "session": session(BIG)},
        created("a"),
        done("a", usage(M, out=(0, 0))),
        {"type": "session.created", "session": session(MINI)},  # another connection
        created("b"),
        done("b", usage(M, out=(0, 0))),
    )
    assert [(each.model, each.cost().usd) for each in charges(log)] == [(BIG, 4.0), (MINI, 0.6)]


def test_a_transcription_is_priced_by_the_model_that_was_configured_when_the_user_spoke() -> None:
    log = a_log(
        {"type": "session.updated", "session": session(writer="whisper-1")},
        committed("item_1"),
        {"type": "session.updated", "session": session(writer="gpt-live-transcribe")},
        transcribed("item_1", {"type": "duration", "seconds": 60}),
        committed("item_2"),
        {"type": "session.updated", "session": session(writer=None)},
        transcribed("item_2", {"type": "duration", "seconds": 60}),
    )
    assert [each.cost().usd for each in charges(log)] == [0.006, 0.017]


def test_a_transcription_by_tokens_costs_as_by_hand() -> None:
    used = {"type": "tokens", "input_tokens": 110, "output_tokens": 20, "input_token_details": {"audio_tokens": 100}}
    log = a_log({"type": "session.updated", "session": session(writer="gpt-4o-transcribe")}, transcribed("i", used))
    assert cost_of(log).usd == pytest.approx((110 * 2.5 + 20 * 10) / M)


def test_an_unknown_model_makes_the_sum_unknown_and_is_named() -> None:
    log = a_log(*(entry.event for entry in TALK), {"type": "session.updated", "session": session("my-model")})
    assert not math.isnan(cost_of(log).usd)  # nothing was asked of it
    log = a_log(*(entry.event for entry in log), created("c"), done("c", usage(5, out=(1, 0))))
    bill = cost_of(log)
    assert math.isnan(bill.usd)
    assert bill.at_least == pytest.approx(FIRST + SECOND + WRITTEN)
    assert str(bill) == "at least $0.1256 (price unknown: my-model)"
    mine = PRICES.with_prices({"my-model": Price(text_in=1.0, text_out=2.0, source="s", as_of="d")})
    assert cost_of(log, prices=mine).usd == pytest.approx(FIRST + SECOND + WRITTEN + 7 / M)


def test_tokens_that_the_server_does_not_report_are_no_zero() -> None:
    log = a_log({"type": "session.created", "session": session()}, created("a"), done("a", None))
    assert math.isnan(cost_of(log).usd)
    failed = a_log({"type": "session.created", "session": session()}, created("a"), done("a", None, "failed"))
    assert cost_of(failed).usd == 0


def test_an_answer_that_was_lost_with_its_connection_costs_an_unknown_amount_and_never_nothing() -> None:
    opened = {"type": "session.created", "session": session()}
    known = done("a", usage(M, out=(0, 0)))
    moved = a_log(opened, created("a"), known, created("b"), opened, created("c"), done("c", usage(M, out=(0, 0))))
    closed = a_log(opened, created("a"), known, created("b"))
    for log, usd in ((moved, 8.0), (closed, 4.0)):
        bill = cost_of(log)
        assert (math.isnan(bill.usd), bill.at_least) == (True, usd)
        assert str(bill) == f"at least ${usd:.2f} (tokens not reported: {BIG})"
        lost = [charge for charge in usage_of(log) if not charge.is_reported]
        assert [(charge.id, charge.status, charge.time) for charge in lost] == [("b", "lost", log[3].time)]
    assert str(cost_of(a_log(opened, created("b")))) == f"tokens not reported ({BIG})"
    assert str(cost_of(a_log(opened, created("a"), known))) == "$4.00", "an answer that ended is not lost"


def test_a_live_meter_and_a_saved_log_tell_the_same_of_what_was_lost() -> None:
    opened = {"type": "session.created", "session": session()}
    log = a_log(opened, created("a"), created("b"), done("b", usage(100, out=(0, 0))))
    meter = ChargeMeter()
    for entry in log:
        meter.push(entry)
    assert [charge.id for charge in meter.charges] == ["b"], "while the connection lives, nothing is lost"
    assert [charge.id for charge in meter.end()] == ["a"]
    assert meter.end() == []
    assert meter.charges == charges(log)


def test_a_response_is_charged_once() -> None:
    log = a_log({"type": "session.created", "session": session()}, *[done("a", usage(M, out=(0, 0)))] * 2)
    assert cost_of(log).usd == 4.0


def test_what_the_endpoint_gives_for_nothing_is_marked() -> None:
    bill = cost_of(TALK, is_free=True)
    assert (bill.billed, bill.hypothetical, str(bill)) == (0.0, True, "would have cost $0.1256")
    assert cost_of(EventLog(), is_free=True).hypothetical


def test_the_meter_goes_along_with_the_session() -> None:
    meter = ChargeMeter()
    told = [charge for entry in TALK if (charge := meter.push(entry)) is not None]
    assert told == meter.charges == charges(TALK)


@pytest.mark.parametrize("odd", [None, 3, "x", [], {"id": []}, {"usage": 3}, {"usage": {"input_tokens": "x"}}])
def test_no_event_is_too_odd(odd: Any) -> None:
    names = (
        "session.created",
        "response.created",
        "response.done",
        "conversation.item.added",
        "input_audio_buffer.committed",
    )
    log = a_log(*({"type": name, "session": odd, "response": odd, "item": odd, "item_id": odd} for name in names))
    log.append(transcribed(odd, odd), "server", 1.0)
    usage_of(log).rows()
    turns_of(log).to_dict()
    configuration_of(log).to_dict()


# -- turns


def test_a_turn_has_the_cost_of_its_responses_and_of_what_the_user_said() -> None:
    table = turns_of(TALK)
    rows = table.to_dict()
    assert [row["usd"] for row in rows] == pytest.approx([FIRST + 0.009, SECOND + 0.003])
    assert [row["item_id"] for row in rows] == ["item_1", "item_2"]
    assert sum(turn.cost.usd for turn in table if turn.cost) == pytest.approx(cost_of(TALK).usd)
    assert (rows[0]["created"], rows[0]["audio_out"], rows[1]["text_cached"]) == (1000, 300, 200)


def test_turns_are_a_list_and_a_table() -> None:
    table = turns_of(TALK, heard={})
    assert table == list(table)
    assert list(TurnTable.columns) == list(table.to_dict()[0])
    assert repr(table).startswith("<Turns: 2 turns, done ")
    shown = table._repr_html_()
    assert "$0.0622" in shown
    assert "<code>created</code>: the response began" in shown
    assert "first_heard" not in shown, "nobody heard anything"
    assert TurnTable()._repr_html_()


def test_a_turn_without_a_known_price_has_no_cost() -> None:
    (row,) = turns_of(
        a_log({"type": "session.created", "session": session("x")}, created("a"), done("a", usage(1, out=(0, 0))))
    ).to_dict()
    assert row["usd"] is None


def test_the_latency_of_a_session_reads_well() -> None:
    report = LatencyReport.of(turns_of(TALK))
    assert report["done"] == Spread(2500, 2950, 2)
    assert repr(report) == "<Latency: committed 0 ms (p95 0), created 1000 ms (p95 1000), done 2500 ms (p95 2950)>"
    assert "the answer was complete" in report._repr_html_()
    assert report.to_dict()[-1] == {"time": "done", "p50": 2500, "p95": 2950, "n": 2}
    assert repr(LatencyReport()) == "<Latency: no turns yet>"


# -- pandas


def test_usage_turns_latency_items_and_bill_become_frames() -> None:
    pandas = pytest.importorskip("pandas")
    items = ItemTable(Conversation.replay(SAID).items)
    for thing, rows in ((usage_of(TALK), 4), (turns_of(TALK), 2), (LatencyReport.of(turns_of(TALK)), 3), (items, 2)):
        frame = thing.to_pandas()
        assert isinstance(frame, pandas.DataFrame)
        assert len(frame) == rows
    assert usage_of(TALK).to_pandas()["usd"].sum() == pytest.approx(cost_of(TALK).usd)
    assert list(cost_of(TALK).to_pandas().columns) == ["for", "model", "kind", "amount", "price", "usd"]
    assert list(turns_of(EventLog()).to_pandas().columns) == list(TurnTable.columns)
    assert list(ItemTable().to_pandas().columns) == list(ItemTable.columns)
    assert "usd" in UsageReport().to_pandas().columns


def test_without_pandas_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pandas", None)
    for thing in (
        usage_of(TALK),
        turns_of(TALK),
        ItemTable(),
        cost_of(TALK),
        LatencyReport(),
        PRICES,
        configuration({}, {}),
    ):
        with pytest.raises(ImportError, match=r'pip install "rtnb\[pandas\]"'):
            thing.to_pandas()


# -- items


def message(item_id: str, role: str, text: str, previous: str | None = None) -> dict[str, Any]:
    kind = "output_text" if role == "assistant" else "input_text"
    item = {
        "id": item_id,
        "type": "message",
        "role": role,
        "status": "completed",
        "content": [{"type": kind, "text": text}],
    }
    return {"type": "conversation.item.added", "item": item, "previous_item_id": previous}


SAID = a_log(message("u", "user", "x" * 40), message("a", "assistant", "yes", "u"))


def test_items_are_a_list_that_shows_itself() -> None:
    plain = Conversation.replay(SAID).items
    items = ItemTable(plain)
    assert items == plain
    assert [row["text"] for row in items.to_dict()] == ["x" * 40, "yes"]
    assert ">assistant</td>" in items._repr_html_()


# -- estimate


def test_before_the_first_response_the_estimate_counts_what_there_is() -> None:
    session = {"instructions": "i" * 80, "output_modalities": ["text"]}
    guess = estimate(
        Conversation.replay(SAID), session=session, parts=[{"type": "input_text", "text": "q" * 20}], model=BIG
    )
    # instructions 20, user 10 + 4, assistant 1 + 4, question 5 + 4; 100 to write
    assert guess.usage == Usage(text_in=48, text_out=100)
    assert guess.usd == pytest.approx((48 * 4 + 100 * 24) / M)
    assert guess.uncached == guess.cost
    assert "no response has told its tokens yet" in guess.basis


def answered(used: dict[str, Any], *later: dict[str, Any]) -> Conversation:
    item = {"id": "a", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    whole = {**item, "status": "completed", "content": [{"type": "output_text", "text": "yes"}]}
    return Conversation.replay(
        a_log(
            message("u", "user", "x" * 40),
            created("r"),
            {"type": "response.output_item.added", "response_id": "r", "output_index": 0, "item": item},
            {"type": "conversation.item.added", "item": item, "previous_item_id": "u"},
            {"type": "conversation.item.done", "item": whole, "previous_item_id": "u"},
            {"type": "response.output_item.done", "response_id": "r", "output_index": 0, "item": whole},
            {"type": "response.done", "response": {"id": "r", "status": "completed", "usage": used, "output": [whole]}},
            *later,
        )
    )


def test_the_estimate_takes_what_was_read_before_as_cached_and_what_was_written_as_new() -> None:
    talk = answered(usage(300, 500, cached=(0, 0, 0), out=(30, 200)), message("u2", "user", "y" * 16, "a"))
    guess = estimate(talk, model=BIG)
    assert guess.usage == Usage(
        text_in=300 + 30 + 8, audio_in=500 + 200, text_cached=300, audio_cached=500, text_out=30, audio_out=200
    )
    out = 30 * 24 + 200 * 64
    assert guess.usd == pytest.approx((300 * 0.4 + 500 * 0.4 + 38 * 4 + 200 * 32 + out) / M)
    assert guess.uncached.usd == pytest.approx((338 * 4 + 700 * 32 + out) / M)
    assert guess.usd < guess.uncached.usd
    assert str(guess).endswith("when nothing is cached")
    assert "read before (cached)" in guess._repr_html_()
    assert guess.to_dict()["usd_uncached"] == guess.uncached.usd


def test_sound_and_pictures_that_would_be_asked_are_counted() -> None:
    second = "A" * (48_000 // 3 * 4)
    parts = [
        {"type": "input_audio", "audio": second},
        {"type": "input_image", "image_url": "data:", "detail": "low"},
        {"type": "input_image", "image_url": "data:"},
    ]
    guess = estimate(Conversation(), parts=parts, session={}, model=BIG)
    assert guess.usage == Usage(text_in=4, audio_in=10, image_in=850, text_out=40, audio_out=150)
    law = {"audio": {"input": {"format": {"type": "audio/pcmu"}}}}
    assert estimate(Conversation(), parts=parts[:1], session=law, model=BIG).usage.audio_in == 60


def test_an_estimate_without_a_price_says_so() -> None:
    guess = estimate(Conversation(), session={}, model="mine")
    assert math.isnan(guess.usd)
    assert "price unknown (mine)" in str(guess)
    assert "would have cost" in str(estimate(Conversation(), session={}, model=BIG, is_free=True))


# -- budget


def spent(usd: float) -> Cost:
    return cost_of(
        a_log({"type": "session.created", "session": session()}, done("a", usage(round(usd / 4 * M), out=(0, 0))))
    )


def test_a_budget_warns_once_at_eighty_percent() -> None:
    budget = Budget(1.0)
    assert budget.warning(0.79) is None
    assert "$0.8000 of the budget of $1.00 is spent (80 %)" in (budget.warning(0.8) or "")
    assert budget.warning(0.95) is None
    budget.limit = 1.1
    assert budget.warning(0.95) is not None, "another budget warns anew"


def test_a_spent_budget_refuses_in_words() -> None:
    budget = Budget(1.0)
    assert budget.refusal(spent(0.99), model=BIG, is_priced=True) is None
    refusal = budget.refusal(spent(1.0), model=BIG, is_priced=True)
    assert refusal is not None
    assert (refusal.spent, refusal.budget) == (1.0, 1.0)
    assert str(refusal) == (
        "the budget of $1.00 is spent (so far $1.00), so no new response was asked for. All that was said is still "
        "there; session.budget = 2 or so lets it go on."
    )
    assert Budget(None).refusal(spent(5), model=None, is_priced=False) is None


def test_a_budget_counts_what_was_lost_and_says_so() -> None:
    budget = Budget(1.0)
    assert budget.refusal(spent(0.5), model=BIG, is_priced=True, about=0.4) is None
    refusal = budget.refusal(spent(0.5), model=BIG, is_priced=True, about=0.5)
    assert refusal is not None
    assert refusal.spent == 1.0
    assert "(so far $1.00, of which about $0.5000 for answers that were lost)" in str(refusal)


def test_a_budget_that_cannot_be_kept_says_which_price_is_missing() -> None:
    refusal = Budget(1.0).refusal(Cost(), model="mine", is_priced=False)
    assert refusal is not None
    assert math.isnan(refusal.spent)
    assert "the price of mine is not known" in str(refusal)


@pytest.mark.parametrize("limit", [-1, math.nan, math.inf, "2", True])
def test_a_budget_is_a_number_of_dollars(limit: Any) -> None:
    with pytest.raises(ValueError, match="a budget is a number of US dollars"):
        Budget(limit)


# -- configuration


def rows(found: Any) -> dict[str, tuple[Any, Any, str]]:
    return {each.name: (each.requested, each.effective, each.verdict) for each in found}


def test_requested_and_effective_settings_stand_side_by_side() -> None:
    found = configuration(
        {
            "type": "realtime",
            "instructions": "be brief",
            "output_modalities": ["text"],
            "flavour": "mint",
            "audio": {
                "input": {"turn_detection": {"type": "server_vad", "threshold": 0.7}},
                "output": {"voice": "ash"},
            },
            "tools": [],
        },
        {
            "type": "realtime",
            "id": "sess_1",
            "instructions": "be brief",
            "output_modalities": ["audio"],
            "audio": {
                "input": {"turn_detection": {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 200}},
                "output": {"voice": {"id": "ash"}},
            },
        },
    )
    assert rows(found) == {
        "type": ("realtime", "realtime", "as asked"),
        "instructions": ("be brief", "be brief", "as asked"),
        "output_modalities": (["text"], ["audio"], "changed"),
        "flavour": ("mint", None, "ignored"),
        "audio.input.turn_detection.type": ("server_vad", "server_vad", "as asked"),
        "audio.input.turn_detection.threshold": (0.7, 0.5, "changed"),
        "audio.output.voice": ("ash", {"id": "ash"}, "as asked"),
        "tools": ([], None, "as asked"),
        "audio.input.turn_detection.silence_duration_ms": (None, 200, "default"),
    }
    assert [each.name for each in found.differences] == [
        "output_modalities",
        "flavour",
        "audio.input.turn_detection.threshold",
    ]
    assert "output_modalities changed, flavour ignored" in repr(found)
    assert "changed: the server uses another value" in found._repr_html_()


def test_what_was_switched_off_as_a_whole_is_changed() -> None:
    asked = {"audio": {"input": {"turn_detection": {"type": "server_vad"}}}}
    found = rows(configuration(asked, {"audio": {"input": {"turn_detection": None}}}))
    assert found == {"audio.input.turn_detection.type": ("server_vad", None, "changed")}
    found = rows(configuration({"audio": {"input": {"turn_detection": None}}}, asked))
    assert found == {"audio.input.turn_detection": (None, {"type": "server_vad"}, "changed")}


def test_a_tool_is_as_asked_when_the_server_adds_to_it() -> None:
    found = rows(configuration({"tools": [{"name": "f"}]}, {"tools": [{"name": "f", "description": None}]}))
    assert found["tools"][2] == "as asked"


def test_a_log_tells_what_was_asked_taken_and_refused() -> None:
    log = a_log(
        {"type": "session.created", "session": {"voice": "alloy", "speed": 1.0}},
        {"type": "session.update", "event_id": "e1", "session": {"voice": "ash"}, "from": "client"},
        {"type": "session.updated", "session": {"voice": "ash", "speed": 1.0}},
        {"type": "session.update", "event_id": "e2", "session": {"voice": "coral", "speed": 1.2}, "from": "client"},
        {"type": "error", "error": {"code": "cannot_update_voice", "message": "Cannot.", "event_id": "e2"}},
        {"type": "session.update", "event_id": "e3", "session": {"speed": 1.1}, "from": "client"},
        {"type": "session.updated", "session": {"voice": "ash", "speed": 1.1}},
    )
    found = configuration_of(log, requested={"model": BIG})
    assert rows(found) == {
        "model": (BIG, None, "ignored"),
        "speed": (1.1, 1.1, "as asked"),
        "voice": ("coral", "ash", "refused"),
    }
    assert found[-1].note == "cannot_update_voice: Cannot."


def test_before_the_connection_the_settings_wait() -> None:
    found = configuration({"output_modalities": ["text"]}, {})
    assert rows(found) == {"output_modalities": (["text"], None, "not connected")}
    assert repr(found) == "<Configuration: 1 settings, not connected yet>"


def test_the_page_on_cost_names_what_there_is() -> None:
    import pathlib
    import re

    import rtnb
    from rtnb.core.estimate import Estimate

    text = (pathlib.Path(__file__).parents[1] / "docs" / "cost.md").read_text(encoding="utf-8")
    owners = {"session": rtnb.Session, "session.cost": Cost, "estimate": Estimate}
    for owner, name in re.findall(r"(?<!\")\b(session\.cost|session|estimate)\.([a-z_]+)", text):
        known = {*dir(owners[owner]), *getattr(owners[owner], "__dataclass_fields__", ())}
        assert name in known, f"{owner}.{name}"
    assert all(f"`{name}`" in text for name in Usage().to_dict())
