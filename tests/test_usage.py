"""Tokens and cost, against sums done by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
from helpers_conversation import UNHURRIED
from hypothesis import given
from hypothesis import strategies as st

from rtnb.core.protocol import DEFAULT_MODEL
from rtnb.core.usage import (
    PRICES,
    Cost,
    Price,
    PriceTable,
    TranscriptionUsage,
    Usage,
    cost,
    transcription_cost,
    would_have_cost,
)

WIRE = {
    "total_tokens": 1850,
    "input_tokens": 1500,
    "output_tokens": 350,
    "input_token_details": {
        "text_tokens": 400,
        "audio_tokens": 1000,
        "image_tokens": 100,
        "cached_tokens": 600,
        "cached_tokens_details": {"text_tokens": 300, "audio_tokens": 250, "image_tokens": 50},
    },
    "output_token_details": {"text_tokens": 50, "audio_tokens": 300},
}

M = 1_000_000


def usd(bill: Cost) -> float:
    return bill.usd


def is_unknown(bill: Cost) -> bool:
    return math.isnan(bill.usd) and str(bill).startswith("price unknown")


def test_the_wires_usage_is_split_by_kind() -> None:
    usage = Usage.of(WIRE)
    assert usage == Usage(400, 1000, 100, 300, 250, 50, 50, 300)
    assert (usage.input, usage.cached, usage.output, usage.total) == (1500, 600, 350, 1850)


def test_what_the_details_leave_open_counts_as_text() -> None:
    usage = Usage.of({"input_tokens": 10, "output_tokens": 5, "input_token_details": {"audio_tokens": 4}})
    assert (usage.text_in, usage.audio_in, usage.text_out, usage.total) == (6, 4, 5, 15)


def test_cached_tokens_without_details_are_given_to_what_there_is() -> None:
    usage = Usage.of({"input_token_details": {"text_tokens": 3, "audio_tokens": 10, "cached_tokens": 5}})
    assert (usage.text_cached, usage.audio_cached, usage.cached) == (3, 2, 5)


@pytest.mark.parametrize(
    "wire", [None, {}, [], {"input_tokens": None}, {"input_token_details": None}, {"input_tokens": -4}]
)
def test_no_usage_is_no_tokens(wire: Any) -> None:
    assert Usage.of(wire) == Usage()
    assert not Usage.of(wire)


@UNHURRIED
@given(st.lists(st.builds(Usage, *[st.integers(0, 10**6)] * 8), max_size=5))
def test_usage_adds_up_kind_by_kind(parts: list[Usage]) -> None:
    total = sum(parts, Usage())
    assert total.total == sum(part.total for part in parts)
    assert total.to_dict() == {key: sum(part.to_dict()[key] for part in parts) for key in Usage().to_dict()}


def test_usage_reads_well() -> None:
    assert str(Usage.of(WIRE)) == "1,500 tokens in (600 cached), 350 out"


# -- cost, each kind alone: tokens of that kind at the price of gpt-realtime-2.1-mini


@pytest.mark.parametrize(
    ("usage", "dollars"),
    [
        (Usage(text_in=M), 0.60),
        (Usage(text_in=M, text_cached=M), 0.06),
        (Usage(text_out=M), 2.40),
        (Usage(audio_in=M), 10.0),
        (Usage(audio_in=M, audio_cached=M), 0.30),
        (Usage(audio_out=M), 20.0),
        (Usage(image_in=M), 0.80),
        (Usage(image_in=M, image_cached=M), 0.08),
    ],
)
def test_a_million_tokens_of_one_kind_cost_its_price(usage: Usage, dollars: float) -> None:
    assert usd(cost(usage, "gpt-realtime-2.1-mini")) == pytest.approx(dollars, rel=1e-12)


def test_the_cost_of_a_response_of_the_large_model_is_as_by_hand() -> None:
    # text 100 x 4 + 300 x 0.40, audio 750 x 32 + 250 x 0.40, image 50 x 5 + 50 x 0.50, out 50 x 24 + 300 x 64
    by_hand = (400 + 120 + 24_000 + 100 + 250 + 25 + 1_200 + 19_200) / M
    bill = cost(Usage.of(WIRE), "gpt-realtime-2.1")
    assert usd(bill) == pytest.approx(by_hand, rel=1e-12)
    assert [line.kind for line in bill.lines] == [
        "text_in",
        "text_cached",
        "audio_in",
        "audio_cached",
        "image_in",
        "image_cached",
        "text_out",
        "audio_out",
    ]


@pytest.mark.parametrize(
    ("snapshot", "text_out", "audio_in"),
    [
        ("gpt-realtime-2.1-2026-07-01", 24.0, 32.0),
        ("gpt-realtime-2025-08-28", 16.0, 32.0),
        ("gpt-realtime-mini-2025-12-15", 2.40, 10.0),
        ("gpt-realtime-mini-2025-10-06", 2.40, 10.0),
        ("gpt-4o-realtime-preview-2025-06-03", 20.0, 40.0),
        ("gpt-4o-realtime-preview-2024-10-01", 20.0, 100.0),
    ],
)
def test_a_snapshot_costs_what_its_family_costs_unless_it_has_a_row(
    snapshot: str, text_out: float, audio_in: float
) -> None:
    assert (PRICES[snapshot].text_out, PRICES[snapshot].audio_in) == (text_out, audio_in)


@pytest.mark.parametrize("model", ["", None, "my-deployment", "gpt-realtime-99", "gpt-realtime-2.1-mini-large"])
def test_an_unknown_model_has_no_cost_rather_than_none_to_pay(model: str | None) -> None:
    assert is_unknown(cost(Usage(text_in=1), model))
    assert is_unknown(transcription_cost(TranscriptionUsage(seconds=1), model))
    assert model in (None, "", *cost(Usage(text_in=1), model).unknown)


def test_one_missing_price_makes_the_whole_unknown() -> None:
    bill = cost(Usage(text_in=2 * M, image_in=1), "gpt-4o-realtime-preview")
    assert math.isnan(bill.usd)
    assert (bill.at_least, bill.unknown) == (10.0, ("gpt-4o-realtime-preview",))
    assert str(bill) == "at least $10.00 (price unknown: gpt-4o-realtime-preview)"
    assert is_unknown(cost(Usage(text_in=1), "whisper-1"))
    assert not is_unknown(cost(Usage(text_in=1), "gpt-4o-realtime-preview"))


def test_the_table_can_be_replaced() -> None:
    own = PRICES.with_prices({"mine": Price(text_in=1.0, text_cached=0.5, source="contract", as_of="2026-11-01")})
    bill = cost(Usage(text_in=3 * M, text_cached=M), "mine", prices=own)
    assert usd(bill) == pytest.approx(2.5)
    assert (bill.source, bill.as_of) == ("contract", "2026-11-01")
    assert "mine" not in PRICES
    assert is_unknown(cost(Usage(text_in=1), DEFAULT_MODEL, prices=PriceTable({})))


def test_each_price_says_where_it_is_from_and_of_when() -> None:
    assert DEFAULT_MODEL in PRICES
    assert all(PRICES[model].source and PRICES[model].as_of for model in PRICES)


def test_costs_add_up_line_by_line() -> None:
    one, other = cost(Usage(text_in=M), DEFAULT_MODEL), cost(Usage(text_in=M, audio_out=M), DEFAULT_MODEL)
    total = sum([one, other], Cost())
    assert total.usd == pytest.approx(0.60 + 0.60 + 20.0)
    assert [(line.kind, line.amount) for line in total.lines] == [("text_in", 2 * M), ("audio_out", M)]
    assert total.source == one.source


@pytest.mark.parametrize(
    ("tokens", "text"),
    [(0, "$0.00"), (2 * M, "$1.20"), (10_000, "$0.0060"), (1, "under $0.0001")],
)
def test_a_cost_reads_well(tokens: int, text: str) -> None:
    assert str(cost(Usage(text_in=tokens), DEFAULT_MODEL)) == text


def test_the_local_endpoint_says_what_the_tokens_would_have_cost() -> None:
    bill = would_have_cost(Usage(audio_out=M))
    assert bill.hypothetical
    assert (bill.usd, bill.billed) == (20.0, 0.0)
    assert str(bill) == "would have cost $20.00"
    assert is_unknown(would_have_cost(Usage(audio_out=1), "unknown"))


# -- transcription


def test_transcription_by_tokens_costs_as_by_hand() -> None:
    wire = {
        "type": "tokens",
        "input_tokens": 110,
        "output_tokens": 20,
        "input_token_details": {"text_tokens": 10, "audio_tokens": 100},
    }
    usage = TranscriptionUsage.of(wire)
    assert usage == TranscriptionUsage(text_in=10, audio_in=100, text_out=20)
    assert usd(transcription_cost(usage, "gpt-4o-transcribe")) == pytest.approx((110 * 2.5 + 20 * 10) / M)
    assert usd(transcription_cost(usage, "gpt-4o-mini-transcribe-2025-12-15")) == pytest.approx(
        (110 * 1.25 + 20 * 5) / M
    )


@pytest.mark.parametrize(("model", "per_minute"), [("whisper-1", 0.006), ("gpt-live-transcribe", 0.017)])
def test_transcription_by_time_costs_as_by_hand(model: str, per_minute: float) -> None:
    usage = TranscriptionUsage.of({"type": "duration", "seconds": 90})
    assert usd(transcription_cost(usage, model)) == pytest.approx(1.5 * per_minute)


def test_tokens_of_a_model_priced_by_time_have_no_known_cost() -> None:
    assert is_unknown(transcription_cost(TranscriptionUsage(audio_in=5), "whisper-1"))


def test_transcriptions_add_up() -> None:
    total = sum([TranscriptionUsage(seconds=1.5), TranscriptionUsage(1, 2, 3)], TranscriptionUsage())
    assert total == TranscriptionUsage(1, 2, 3, 1.5)


@pytest.mark.parametrize("wire", [None, {}, {"seconds": None}, {"seconds": True}, {"type": "tokens"}, {"seconds": -1}])
def test_an_odd_usage_of_a_transcription_is_none(wire: Any) -> None:
    assert not TranscriptionUsage.of(wire)


# -- rows of the user


def test_rows_of_the_user_are_laid_over_the_table() -> None:
    table = PriceTable.of(
        {"mine": {"text_in": 1.0, "audio_out": 2}, DEFAULT_MODEL: Price(text_in=9, source="s", as_of="d")}
    )
    assert usd(cost(Usage(text_in=M, audio_out=M), "mine", prices=table)) == 3.0
    assert usd(cost(Usage(text_in=M), DEFAULT_MODEL, prices=table)) == 9.0
    assert table["gpt-realtime-2.1"] == PRICES["gpt-realtime-2.1"]
    assert table["mine"].source == "given to this session"
    assert PriceTable.of(None) is PRICES
    assert PriceTable.of(table) is table


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"mine": {"text": 1.0}}, "a price has no 'text'; it has .*text_in"),
        ({"mine": {"text_in": "1"}}, "text_in of 'mine' is a number of dollars, not '1'"),
        ({"mine": {"text_in": -1}}, "not -1"),
        ({"mine": {"text_in": math.inf}}, "not inf"),
        ({"mine": 4.0}, "a Price or a dict of its fields, not float"),
        (4.0, "a dict of model to price"),
    ],
)
def test_a_price_that_is_none_is_refused_in_words(rows: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PriceTable.of(rows)


# -- how a bill is shown


def test_a_bill_in_a_cell_names_kinds_prices_source_and_sum() -> None:
    bill = cost(Usage.of(WIRE), "gpt-realtime-2.1") + transcription_cost(TranscriptionUsage(seconds=30), "whisper-1")
    shown = bill._repr_html_()
    for word in (
        "audio in, cached",
        "$32 a million",
        "minutes",
        "$0.006 a minute",
        "whisper-1 (transcription)",
        "2026-11",
    ):
        assert word in shown
    assert "Cost so far: $0.0483." in shown


def test_the_parts_of_a_bill_are_told_apart() -> None:
    spoken = transcription_cost(TranscriptionUsage(audio_in=M), "gpt-4o-transcribe")
    bill = cost(Usage(text_in=M), "gpt-realtime-2.1") + spoken
    assert (bill.responses.usd, bill.transcription.usd, bill.usd) == (4.0, 2.5, 6.5)
    assert [row["for"] for row in bill.to_dict()] == ["response", "transcription"]


def test_a_bill_is_one_line_in_a_terminal() -> None:
    assert repr(cost(Usage(text_out=M), "gpt-realtime-2.1")) == "<Cost: $24.00>"
    assert repr(would_have_cost(Usage(audio_out=M))) == "<Cost: would have cost $20.00>"


def test_a_free_bill_says_so_in_a_cell() -> None:
    assert (
        "costs nothing; with a paid one it would have cost $20.00" in would_have_cost(Usage(audio_out=M))._repr_html_()
    )
    assert "nothing is to pay" in Cost()._repr_html_()


def test_a_price_that_is_missing_is_seen_in_a_cell() -> None:
    assert "price unknown" in cost(Usage(text_in=1), "<b>mine</b>")._repr_html_()
    assert "<b>" not in cost(Usage(text_in=1), "<b>mine</b>")._repr_html_()


def test_the_price_table_shows_each_source() -> None:
    shown = PRICES._repr_html_()
    assert all(word in shown for word in ("gpt-realtime-2.1-mini", "litellm 1.109.1", "2026-11", "forum post"))
