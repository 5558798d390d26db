"""What a live session tells of its usage, cost, latency and settings, over a real socket."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from helpers_local import Dictation, loud
from helpers_session import Lab, eventually, lab
from helpers_sound import NotingSpeaker

import rtnb
from rtnb.core.accounts import cost_of, turns_of, usage_of
from rtnb.core.prices import PRICES, PriceTable
from rtnb.local.brains import call

__all__ = ["lab"]

PNG = b"\x89PNG\r\n\x1a\n"


def test_a_session_accounts_for_what_its_log_holds(lab: Lab) -> None:
    session = lab.session("Hello there", "Again")
    for question in ("hi", "more"):
        session.ask(question).wait()
    log = session.events
    assert session.cost == cost_of(log, is_free=True)
    assert session.usage == usage_of(log)
    assert session.turns == turns_of(log, asked=session._core.asked_at, is_free=True)
    assert session.cost.usd == pytest.approx(sum(reply.cost.usd for reply in session.replies))
    assert sum((reply.usage for reply in session.replies), session.usage.__class__()) == session.usage
    assert [row["usd"] for row in session.turns.to_dict()] == pytest.approx([r.cost.usd for r in session.replies])


def test_transcription_is_a_line_of_its_own_in_the_cost_of_a_session(lab: Lab) -> None:
    lab.serve("I hear you.", hearing=Dictation("hello"))
    session = lab.session(transcription="whisper-1").connect()
    session.append_audio(loud(1500))
    session.commit()
    reply = session.respond()
    reply.wait()
    eventually(lambda: session.cost.transcription.lines)
    (line,) = session.cost.transcription.lines
    assert (line.model, line.kind) == ("whisper-1", "minutes")
    assert line.amount == pytest.approx(1.5 / 60, rel=0.05)
    assert session.cost.usd == pytest.approx(reply.cost.usd + line.usd)
    assert session.cost.responses.usd == pytest.approx(reply.cost.usd)
    assert "whisper-1 (transcription)" in session.cost._repr_html_()


def test_prices_of_ones_own_make_the_local_endpoint_a_paid_one(lab: Lab) -> None:
    session = lab.session("Hello there", prices={"gpt-realtime-2.1-mini": {"text_in": 0, "text_out": 1_000_000}})
    session.ask("hi").wait()
    assert session.cost.usd == session.usage.text_out
    assert not session.cost.hypothetical
    assert session.cost.billed == session.cost.usd
    session.prices = PriceTable({})
    assert str(session.cost).startswith("price unknown")
    session.prices = None
    assert session.cost.hypothetical
    assert session.prices is PRICES


def test_an_unknown_model_says_so_in_a_reply_and_in_the_session(lab: Lab) -> None:
    lab.serve("Hello", models=["my-model"])
    session = lab.session(model="my-model")
    reply = session.ask("hi")
    assert str(reply.cost) == str(session.cost) == "price unknown (my-model)"
    assert "price unknown" in session.turns._repr_html_()


def test_an_estimate_is_near_what_comes(lab: Lab) -> None:
    session = lab.session("Hello there, how are you?", "Fine as well", instructions="Be brief and kind.").connect()
    first = session.estimate("hi there")
    reply = session.ask("hi there")
    assert abs(reply.usage.text_in - first.usage.text_in) <= 4
    second = session.estimate("and you?")
    later = session.ask("and you?")
    assert abs(later.usage.text_in - second.usage.text_in) <= 8
    assert second.usage.text_cached == reply.usage.text_in
    assert second.usage.text_out == reply.usage.text_out
    assert session.events.names["response.create"] == 2


def test_an_estimate_needs_no_connection(lab: Lab) -> None:
    session = lab.session("Never", instructions="x" * 400)
    guess = session.estimate("q" * 40)
    assert guess.usage.text_in == 100 + 10 + 4
    assert session.estimate(rtnb.Audio.silence(2.0)).usage.audio_in == 20
    assert len(session.events) == 0


def test_a_reply_with_tools_is_one_turn_with_the_time_of_its_tools(lab: Lab) -> None:
    session = lab.session([call("add", a=1, b=2)], "Three.", output="text")

    @session.tool
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    reply = session.ask("add")
    assert reply.text == "Three."
    (turn,) = session.turns
    assert (turn.kind, turn.tool_calls, len(turn.responses)) == ("text", 1, 2)
    assert turn.latency.tools is not None
    assert turn.latency.first_text is not None
    assert turn.latency.tools < turn.latency.first_text < (turn.latency.done or 0)
    assert reply.latency == turn.latency
    assert turn.usage == reply.usage
    assert session.latency["tools"].n == 1


def test_what_was_heard_and_what_waited_is_in_the_turn(lab: Lab) -> None:
    speaker = NotingSpeaker()
    session = lab.session("Hello.", output="audio").connect()
    session.attach(speaker=speaker)
    reply = session.ask("hi")
    reply.wait()
    item = reply.items[0].id
    speaker.report(item, 20)
    latency = eventually(lambda: session.turns[0].latency.first_heard and session.turns[0].latency)
    assert latency.browser_queue == pytest.approx(latency.first_heard - latency.first_audio, abs=0.01)
    assert latency.kernel_queue >= 0
    assert reply.latency == latency


def test_the_settings_stand_side_by_side(lab: Lab) -> None:
    session = lab.session("Hello", instructions="be brief", turn_detection="server_vad")
    assert repr(session.configuration).endswith("not connected yet>")
    session.connect()
    found = {each.name: each for each in session.configuration}
    assert found["instructions"].verdict == "as asked"
    assert found["model"].verdict == "as asked"
    assert found["audio.input.turn_detection.type"].effective == "server_vad"
    assert found["audio.input.turn_detection.silence_duration_ms"].verdict == "default"
    assert list(session.configuration.differences) == []
    session.update(voice="coral")
    assert next(each for each in session.configuration if each.name == "audio.output.voice").verdict == "as asked"
    assert "as asked" in session.configuration._repr_html_()


def test_a_refused_setting_is_told_with_its_reason(lab: Lab) -> None:
    session = lab.session("Hello", output="audio").connect()
    session.ask("hi").wait()
    with pytest.raises(rtnb.ServerError, match="That means: The voice is fixed"):
        session.update(voice="coral")
    (row,) = session.configuration.differences
    assert (row.name, row.requested, row.verdict) == ("audio.output.voice", "coral", "refused")
    assert row.note.startswith("cannot_update_voice")


def test_items_are_a_list_with_rows(lab: Lab) -> None:
    session = lab.session("Hello")
    session.ask("hi").wait()
    assert session.items == session._core.conversation.items
    assert [row["text"] for row in session.items.to_dict()] == ["hi", "Hello"]
    assert len(session.items.to_pandas()) == 2
    assert len(session.events.to_pandas()) == len(session.events)


def test_an_event_that_never_came_was_counted_0_times(lab: Lab) -> None:
    session = lab.session("Hello")
    session.ask("hi").wait()
    assert session.events.names["response.done"] == 1
    assert session.events.names["rate_limits.never"] == 0
    assert "rate_limits.never" not in session.events.names


# -- the chart


def colours(figure: Any) -> set[str]:
    from matplotlib.colors import to_hex

    return {to_hex(patch.get_facecolor()) for patch in figure.axes[0].patches if patch.get_height() > 0}


def test_the_chart_has_a_bar_for_each_response_and_grows_with_what_it_cost(lab: Lab) -> None:
    session = lab.session("Hello", "Again", "And again")
    for question in ("hi", "more", "and more"):
        session.ask(question).wait()
    figure = session.cost_chart()
    assert figure._repr_png_().startswith(PNG)
    axes, read = figure.axes
    tops: dict[int, float] = {}
    for patch in axes.patches:
        place = round(patch.get_x() + patch.get_width() / 2)
        tops[place] = max(tops.get(place, 0.0), patch.get_y() + patch.get_height())
    assert [tops[n] for n in (1, 2, 3)] == pytest.approx([reply.cost.usd for reply in session.replies])
    (line,) = read.lines
    assert list(line.get_ydata()) == [reply.usage.input for reply in session.replies]
    assert "nothing to pay here; it would have cost" in axes.get_title(loc="left")


def test_the_chart_shows_what_is_missing(lab: Lab) -> None:
    lab.serve("Hello", models=["my-model"])
    session = lab.session(model="my-model")
    assert session.cost_chart().axes[0].get_title(loc="left") == "No response yet"
    session.ask("hi").wait()
    assert "price unknown: my-model" in session.cost_chart().axes[0].get_title(loc="left")


def test_the_chart_gives_speech_and_transcription_colours_of_their_own(lab: Lab) -> None:
    lab.serve("I hear you.", hearing=Dictation("hello"))
    session = lab.session(transcription="whisper-1", output="audio").connect()
    session.append_audio(loud(1500))
    session.commit()
    session.respond().wait()
    eventually(lambda: session.cost.transcription.lines)
    assert {"#3b79b8", "#d07f2b", "#86ad5f"} <= colours(session.cost_chart())


def test_importing_rtnb_and_accounting_loads_no_heavy_package() -> None:
    code = (
        "import sys, rtnb, rtnb.core.accounts, rtnb.core.explain, rtnb.core.estimate, rtnb.core.configuration\n"
        "print([name for name in ('pandas', 'matplotlib', 'pydantic', 'ipywidgets') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_a_saved_recording_gives_the_same_accounts(lab: Lab, tmp_path: Any) -> None:
    lab.serve([call("add", a=1, b=2)], "Three.", "Again", hearing=Dictation("hello"))
    session = lab.session(transcription="whisper-1")

    @session.tool
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    session.ask("add").wait()
    session.append_audio(loud(500))
    session.commit()
    session.respond().wait()
    eventually(lambda: session.cost.transcription.lines)
    again = rtnb.load(session.save(tmp_path / "talk"))
    assert again.cost == session.cost
    assert again.usage == session.usage
    assert again.usage.rows() == session.usage.rows()
    assert again.turns == session.turns
    assert again.latency == session.latency
    assert again.configuration == session.configuration
    assert again.cost_chart().axes[0].get_title(loc="left") == session.cost_chart().axes[0].get_title(loc="left")
    assert [row["text"] for row in again.items.to_dict()] == [row["text"] for row in session.items.to_dict()]
