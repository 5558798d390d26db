"""The views' kernel side without a browser: what they send, when, and how little; and the folding of runs."""

from __future__ import annotations

import itertools
import json
import pathlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import ipywidgets
import pytest

import rtnb
from rtnb.core.entry import Entry
from rtnb.core.folding import Folder, clock, fold, is_trouble, summary, type_filter
from rtnb.core.log import EventLog
from rtnb.notebook import feed
from rtnb.notebook.conversation import ConversationView
from rtnb.notebook.conversation_rows import Wave, call_times
from rtnb.notebook.events import MOST_ROWS, EventTable
from rtnb.notebook.feed import View
from rtnb.notebook.side_panels import SidePanels

# ---- folding


def entries(*events: dict[str, Any] | tuple[str, dict[str, Any]]) -> list[Entry]:
    told = [each if isinstance(each, tuple) else ("server", each) for each in events]
    return [Entry(n, n / 10, side, event) for n, (side, event) in enumerate(told)]  # type: ignore[arg-type]


def done(response: dict[str, Any]) -> dict[str, Any]:
    return {"type": "response.done", "response": response}


SOUND = {"type": "response.output_audio.delta", "item_id": "a", "delta": "A" * 6400}
WORD = {"type": "response.output_audio_transcript.delta", "item_id": "a", "delta": "one "}
FRAME = ("client", {"type": "input_audio_buffer.append", "audio": "A" * 2560})
DONE = {"type": "response.output_audio.done", "item_id": "a"}


def test_interleaved_streams_are_one_row_each_until_something_else_comes() -> None:
    rows = fold(entries(SOUND, WORD, FRAME, SOUND, FRAME, WORD, DONE, SOUND))
    assert [(row.name.split(".")[1], row.count) for row in rows] == [
        ("output_audio", 2),
        ("output_audio_transcript", 2),
        ("append", 2),
        ("output_audio", 1),
        ("output_audio", 1),
    ]
    assert list(rows[0].members) == [0, 3]
    assert (rows[0].n_bytes, rows[0].ms) == (9600, 200)
    assert (rows[2].n_bytes, rows[2].ms) == (3840, 80)


def test_streams_of_two_items_are_two_rows() -> None:
    rows = fold(entries(SOUND, {**SOUND, "item_id": "b"}, SOUND))
    assert [row.count for row in rows] == [2, 1]


def test_the_same_event_again_and_again_is_one_row_but_not_across_another() -> None:
    limits = {"type": "rate_limits.updated"}
    assert [row.count for row in fold(entries(limits, limits, SOUND, limits, DONE, limits))] == [2, 1, 1, 1, 1]


def test_errors_are_never_folded() -> None:
    error = {"type": "error", "error": {"code": "x", "message": "no"}}
    rows = fold(entries(error, error))
    assert [(row.count, row.trouble, row.words) for row in rows] == [(1, True, "x: no")] * 2


def test_the_sound_of_a_telephone_lasts_six_times_longer() -> None:
    law = {"type": "session.created", "session": {"audio": {"output": {"format": {"type": "audio/pcmu"}}}}}
    folder = Folder()
    for entry in entries(law, SOUND, FRAME):
        folder.push(entry)
    assert folder.ms == {"server": 600, "client": 40}
    assert folder.counts == {"server": 2, "client": 1}
    old = {"type": "session.created", "session": {"output_audio_format": "g711_alaw"}}
    assert fold(entries(old, SOUND))[1].ms == 600


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (
            done({"status": "failed", "status_details": {"error": {"message": "full"}}}),
            "failed: full",
        ),
        (done({"status": "completed", "usage": {"total_tokens": 7}}), "completed, 7 tokens"),
        ({"type": "x", "item": {"type": "function_call", "name": "f", "arguments": "{}"}}, "f({})"),
        ({"type": "session.updated", "session": {"instructions": "x" * 9000}}, ""),
        ({"type": "x", "deep": {"key": "sk-" + "x" * 24}}, None),
        ({"type": "error", "error": "a text"}, None),
        ({}, None),
    ],
)
def test_a_row_says_in_a_few_words_what_its_event_says(event: dict[str, Any], words: str | None) -> None:
    told = summary(event)
    assert len(told) <= 120
    assert "x" * 20 not in told
    if words is not None:
        assert told == words


def test_whatever_comes_can_be_folded() -> None:
    odd: list[Any] = [
        {},
        {"type": 3},
        {"type": "error"},
        {"type": SOUND["type"], "delta": 5},
        {"type": "response.done", "response": []},
    ]
    assert [row.count for row in fold(entries(*odd))] == [2, 1, 1, 1]
    assert not is_trouble({"type": "response.done", "response": []})
    assert clock(-1) == "00:00.00"
    assert type_filter("")("x")


# ---- the feed


def until(condition: Callable[[], Any], timeout: float = 30) -> Any:
    """Wait for something another thread does."""
    end = time.monotonic() + timeout
    tick = threading.Event()
    while not (value := condition()):
        assert time.monotonic() < end, "it did not happen"
        tick.wait(0.005)
    return value


class Kept:
    """What a view sends, kept."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.messages: list[dict[str, Any]] = []
        self.buffers: list[Any] = []
        self.flushes: list[float] = []
        """When the batches of which something was sent began, on the feed's clock."""
        view.send = self.send  # type: ignore[method-assign]

    def send(self, content: Any, buffers: Any = None) -> None:
        if self.view._sent_at >= 0 and self.view._sent_at not in self.flushes:
            self.flushes.append(self.view._sent_at)
        self.messages.append(json.loads(json.dumps(content)))
        self.buffers.append(buffers)

    def page(self, **message: Any) -> None:
        """A message of the page."""
        self.view._on_page(self.view, message, [])

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [each for each in self.messages if each["kind"] == kind]

    def wait(self, kind: str, count: int = 1) -> dict[str, Any]:
        return until(lambda: len(self.of(kind)) >= count and self.of(kind)[count - 1])

    def settle(self) -> None:
        """Wait until the feed has done what waits."""
        done = threading.Event()
        until(lambda: not self.view._has_news)
        self.view.later(done.set)
        assert done.wait(10)


@pytest.fixture
def session() -> Iterator[rtnb.Session]:
    with rtnb.Session("local", output="audio") as made:
        yield made


def rows_of(kept: Kept) -> dict[int, list[Any]]:
    return {row[0]: row for message in kept.of("rows") for row in message["rows"]}


def test_nothing_is_sent_before_a_page_says_hello(session: rtnb.Session) -> None:
    views = [EventTable(session), ConversationView(session)]
    kept = [Kept(view) for view in views]
    session.ask("What is 4 plus 6?").wait()
    assert [each.messages for each in kept] == [[], []]
    for each in kept:
        each.page(kind="hello")
    assert kept[0].wait("rows")["rows"]
    assert kept[1].wait("items")["rows"]
    for view in views:
        view.close()


def test_times_of_events_count_from_when_their_connection_was_made() -> None:
    log = EventLog()
    for at, name in ((2.0, "session.created"), (3.5, "session.updated"), (60.0, "session.created"), (61.0, "error")):
        log.append({"type": name}, "server", at)
    view = EventTable(log)
    kept = Kept(view)
    kept.page(kind="hello")
    kept.wait("rows")
    assert [row[1] for row in rows_of(kept).values()] == [0.0, 1.5, 0.0, 1.0]
    kept.page(kind="expand", row=3, member=0)
    assert kept.wait("event")["time"] == 1.0
    log.append({"type": "session.created"}, "server", 70.0)
    log.append({"type": "rate_limits.updated"}, "server", 70.25)
    kept.page(kind="hello")
    kept.wait("rows", 2)
    assert [row[1] for row in kept.of("rows")[-1]["rows"]][-2:] == [0.0, 0.25]
    view.close()


def test_no_content_of_a_view_is_widget_state(session: rtnb.Session) -> None:
    session.ask("A sentence that nobody else says").wait()
    for view in (EventTable(session), ConversationView(session), SidePanels(session)):
        Kept(view).page(kind="hello")
        state = json.dumps(
            {name: value for name, value in view.get_state().items() if name not in ("_esm", "_css")}, default=str
        )
        assert "nobody else says" not in state
        assert len(state) < 2_000
        view.close()


def test_events_come_in_batches_not_one_by_one(session: rtnb.Session) -> None:
    view = EventTable(session)
    kept = Kept(view)
    kept.page(kind="hello")
    kept.wait("rows")
    session.ask("Tell me a long story").wait()
    kept.settle()
    batches = kept.of("rows")[1:]
    assert len(session.events) > 300
    assert 0 < len(batches) <= len(kept.flushes)  # one message a batch
    gaps = [after - before for before, after in itertools.pairwise(kept.flushes)]
    assert all(gap > feed.EVERY_S - 1e-6 for gap in gaps), sorted(gaps)[:5]
    assert sum(row[4] for row in rows_of(kept).values()) == len(session.events)
    sent, received = kept.messages[-1]["totals"]
    assert sent[0] + received[0] == len(session.events)
    view.close()


def test_a_page_that_comes_later_gets_the_whole_history(session: rtnb.Session) -> None:
    view = EventTable(session)
    kept = Kept(view)
    kept.page(kind="hello")
    kept.wait("rows")
    session.ask("hello").wait()
    kept.settle()
    before = rows_of(kept)
    kept.messages.clear()
    kept.page(kind="hello")
    until(lambda: kept.of("rows") and kept.of("rows")[-1]["is_last"])
    assert rows_of(kept) == before
    assert kept.of("rows")[0]["names"]
    view.close()


def test_a_huge_log_goes_over_in_pieces_and_only_its_newest_rows() -> None:
    log = EventLog()
    for number in range(MOST_ROWS + 1_000):
        log.append({"type": f"kind.{number % 2}"}, "server", number / 100)
    view = EventTable(log)
    kept = Kept(view)
    kept.page(kind="hello")
    until(lambda: kept.of("rows") and kept.of("rows")[-1]["is_last"])
    assert max(len(message["rows"]) for message in kept.of("rows")) <= 2_000
    assert sorted(rows_of(kept)) == list(range(1_000, MOST_ROWS + 1_000))
    view.close()


def test_an_expanded_event_comes_trimmed_explained_and_without_keys() -> None:
    key = "sk-" + "x" * 24
    log = EventLog()
    log.append({"type": "session.update", "session": {"instructions": key}}, "client", 0)
    for _ in range(3):
        log.append(dict(SOUND), "server", 1)
    log.append(
        {"type": "error", "error": {"code": "conversation_already_has_active_response", "message": "busy"}}, "server", 2
    )
    view = EventTable(log)
    kept = Kept(view)
    kept.page(kind="hello")
    kept.wait("rows")
    for row, member in ((0, 0), (1, 2), (2, 0), (9, 0), (1, 7), (None, "x")):
        kept.page(kind="expand", row=row, member=member)
    kept.wait("event", 6)
    first, sound, error, *missing = kept.of("event")
    assert key not in json.dumps(kept.messages)
    assert "instructions" in first["json"]
    assert json.loads(sound["json"])["delta"] == "<4800 bytes>"
    assert sound["index"] == 3
    assert error["note"].get("what")
    assert all(each["json"] == "" for each in missing)
    view.close()


def test_a_search_looks_into_the_events_themselves() -> None:
    log = EventLog()
    log.append({"type": "session.created", "session": {"voice": "marin"}}, "server", 0)
    for piece in ("light", "house"):
        log.append({**WORD, "delta": piece}, "server", 1)
    log.append({"type": "response.done"}, "server", 2)
    view = EventTable(log)
    kept = Kept(view)
    kept.page(kind="hello")
    kept.page(kind="search", text="MARIN", of=1, after=-1, **{"from": "v"})
    kept.page(kind="search", text="lighthouse", of=2, after=-1, **{"from": "v"})
    kept.page(kind="search", text="marin", of=3, after=0, **{"from": "v"})
    kept.wait("found", 3)
    assert [(each["of"], each["ids"], each["end"], each["from"]) for each in kept.of("found")] == [
        (1, [0], 3, "v"),
        (2, [1], 3, "v"),
        (3, [], 3, "v"),
    ]
    view.close()


def test_a_view_that_fails_is_logged_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(View):
        def hello(self) -> None:
            raise RuntimeError("broken on purpose")

    broken, whole = Broken(), EventTable(EventLog())
    Kept(broken).page(kind="hello")
    kept = Kept(whole)
    kept.page(kind="hello")
    kept.wait("rows")
    assert "broken on purpose" in caplog.text
    kept.page(kind="ping", of=3)
    assert kept.wait("pong")["of"] == 3
    broken.close()
    whole.close()


def test_a_closed_view_hears_of_nothing_any_more(session: rtnb.Session) -> None:
    views = [EventTable(session), ConversationView(session), SidePanels(session)]
    for view in views:
        view.close()
    assert session._core.router._watchers == ()


# ---- the conversation


def shown(kept: Kept) -> list[dict[str, Any]]:
    """The rows as a page has them, in order."""
    rows: dict[str, dict[str, Any]] = {}
    order: list[str] = []
    for message in kept.of("items"):
        if message["reset"]:
            rows.clear()
            order.clear()
        for item in message["gone"]:
            rows.pop(item)
            order.remove(item)
        for row in message["rows"]:
            told = {name: value for name, value in row.items() if name not in ("full", "add")}
            known = rows.get(row["id"])
            assert known is not None or row.get("full"), "a piece of an item that was never sent"
            rows[row["id"]] = told if row.get("full") else {**known, **told}  # type: ignore[dict-item]
            if "add" in row:
                rows[row["id"]]["text"] += row["add"]
            if known is None:
                order.insert(0 if row["after"] is None else order.index(row["after"]) + 1, row["id"])
    return [rows[each] for each in order]


@pytest.fixture
def talk(session: rtnb.Session) -> Iterator[tuple[rtnb.Session, Kept]]:
    view = ConversationView(session)
    kept = Kept(view)
    kept.page(kind="hello")
    kept.wait("items")
    yield session, kept
    view.close()


def test_the_rows_follow_the_conversation_with_call_and_result_in_one(talk: tuple[rtnb.Session, Kept]) -> None:
    session, kept = talk

    @session.tool
    def calculate_sum(a: float, b: float) -> float:
        """Add two numbers."""
        return a + b

    session.ask("What is 4 plus 6?").wait()
    until(lambda: len(shown(kept)) == 3 and not any(row["tone"] == "busy" for row in shown(kept)))
    question, call, answer = shown(kept)
    assert (question["who"], question["text"]) == ("user", "What is 4 plus 6?")
    assert (call["who"], call["call"]["name"], call["state"]) == ("tool", "calculate_sum", "done")
    assert json.loads(call["call"]["arguments"]) == {"a": 4, "b": 6}
    assert call["call"]["result"].startswith("10")
    assert call["call"]["ms"] >= 0
    assert answer["text"] == session.replies[-1].text
    assert answer["ms"] > 500
    assert 0 < len(answer["wave"]) <= 72
    assert max(answer["wave"]) == 100


def test_a_growing_text_is_sent_once_not_again_and_again(talk: tuple[rtnb.Session, Kept]) -> None:
    session, kept = talk
    text = session.ask("Tell me a long story").text
    until(lambda: shown(kept)[-1]["text"] == text)
    characters = sum(len(row.get("text", "")) + len(row.get("add", "")) for m in kept.of("items") for row in m["rows"])
    assert characters < len(text) * 1.5 + 200


def test_a_failing_tool_shows_its_error(talk: tuple[rtnb.Session, Kept]) -> None:
    session, kept = talk

    @session.tool
    def calculate_sum(a: float, b: float) -> float:
        """Add two numbers."""
        raise ZeroDivisionError("on purpose")

    session.ask("What is 4 plus 6?").wait()
    call = until(lambda: [row for row in shown(kept) if row["who"] == "tool" and row["tone"] == "bad"])[0]
    assert call["state"] == "failed"
    assert "on purpose" in call["call"]["error"]


def test_a_page_deletes_an_item_and_its_row_goes(talk: tuple[rtnb.Session, Kept]) -> None:
    session, kept = talk
    session.ask("hello").wait()
    first = until(lambda: len(shown(kept)) == 2 and shown(kept))[0]
    kept.page(kind="delete", id=first["id"])
    until(lambda: len(shown(kept)) == 1)
    assert [item.role for item in session.items] == ["assistant"]


def test_nothing_is_kept_of_items_that_are_gone_or_of_a_former_connection(talk: tuple[rtnb.Session, Kept]) -> None:
    session, kept = talk
    view = kept.view

    @session.tool
    def calculate_sum(a: float, b: float) -> float:
        """Add two numbers."""
        return a + b

    def known() -> list[int]:
        return [len(view._waves), len(view._wave_ms), len(view._calls)]

    session.ask("What is 4 plus 6?").wait()
    until(lambda: len(shown(kept)) == 3 and known() == [1, 1, 1])
    for item in list(session.items):
        session.delete(item)
    until(lambda: known() == [0, 0, 0])
    session.ask("What is 4 plus 6?").wait()
    until(lambda: known() == [1, 1, 1])
    session.close()
    session.connect()
    session.insert("Hello")
    until(lambda: [row.get("text") for row in shown(kept)] == ["Hello"])
    assert known() == [0, 0, 0]


def test_what_cannot_be_deleted_is_told(talk: tuple[rtnb.Session, Kept]) -> None:
    session, kept = talk
    session.ask("hello").wait()
    first = until(lambda: shown(kept))[0]
    session.close()
    kept.page(kind="delete", id=first["id"])
    assert "not deleted" in kept.wait("told")["text"]


def test_sound_is_fetched_on_demand_exact_when_short_small_when_long(talk: tuple[rtnb.Session, Kept]) -> None:
    session, kept = talk
    session.ask("hello").wait()
    session.ask("Tell me a long story").wait()
    short, long = (item for item in session.items if item.role == "assistant")
    assert not any(kept.buffers)
    for item in (short.id, long.id, "nobody"):
        kept.page(kind="audio", id=item)
    kept.wait("sound", 3)
    first, second, third = kept.of("sound")
    data = {m["id"]: b for m, b in zip(kept.messages, kept.buffers, strict=True) if m["kind"] == "sound"}
    assert first["mime"] == "audio/wav"
    assert rtnb.Audio.from_wav(data[short.id][0]).pcm == short.audio()
    assert second["mime"] == "audio/ogg"
    assert len(data[long.id][0]) < long.audio_bytes / 4
    assert "no sound" in third["why"]


def test_interrupted_answers_tell_heard_from_unheard(talk: tuple[rtnb.Session, Kept]) -> None:
    session, kept = talk
    session.ask("Tell me a long story").wait()
    session.truncate(session.items[-1], 2_000)
    row = until(lambda: [row for row in shown(kept) if row["cut"] == 2_000])[0]
    assert row["state"].startswith("interrupted: 2.0 s of ")
    assert row["text"].startswith("Once")
    assert row["rest"]
    assert row["text"] + row["rest"] == session.items[-1].transcript


def test_a_lost_connection_leaves_no_row_that_waits_for_ever(session: rtnb.Session) -> None:
    view = ConversationView(session)
    kept = Kept(view)
    kept.page(kind="hello")
    kept.wait("items")
    session.ask("Tell me a long story")
    until(lambda: any(row["who"] == "assistant" and row["tone"] == "busy" for row in shown(kept)))
    session.close()
    until(lambda: not any(row["tone"] == "busy" for row in shown(kept)))
    view.close()


def test_a_recording_is_shown_too_but_nothing_of_it_can_be_deleted(
    session: rtnb.Session, tmp_path: pathlib.Path
) -> None:
    session.ask("hello").wait()
    recording = rtnb.load(session.save(tmp_path / "talk"))
    view = ConversationView(recording)
    kept = Kept(view)
    kept.page(kind="hello")
    kept.wait("items")
    assert kept.messages[0]["can_delete"] is False
    assert [row["who"] for row in shown(kept)] == ["user", "assistant"]
    kept.page(kind="audio", id=shown(kept)[1]["id"])
    assert kept.wait("sound")["mime"] == "audio/wav"
    table = EventTable(recording)
    events = Kept(table)
    events.page(kind="hello")
    assert events.wait("rows")["rows"]
    view.close()
    table.close()


def test_five_hundred_items_cost_a_batch_only_what_changed() -> None:
    with rtnb.Session("local", output="text") as session:
        for number in range(60):
            session.insert(f"note {number}")
        view = ConversationView(session)
        kept = Kept(view)
        kept.page(kind="hello")
        kept.wait("items")
        assert len(shown(kept)) == 60
        kept.settle()
        count = len(kept.messages)
        session.insert("one more")
        until(lambda: len(shown(kept)) == 61)
        assert sum(len(message["rows"]) for message in kept.messages[count:]) <= 2
        view.close()


def test_a_waveform_that_grows_is_the_same_as_the_whole(session: rtnb.Session) -> None:
    session.ask("Tell me a long story").wait()
    item = session.items[-1]
    whole = Wave()
    whole.take(item)
    growing = Wave()
    assert growing._grow(item)
    assert growing.bars == whole.bars
    assert not growing._grow(item)


def test_how_long_a_call_took_is_read_from_a_log_alone() -> None:
    log = entries(
        {"type": "response.function_call_arguments.done", "call_id": "c"},
        ("client", {"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": "c"}}),
    )
    assert call_times(log) == {"c": pytest.approx(100)}


# ---- what tools show


def test_memory_and_weather_appear_when_there_are_such_tools() -> None:
    from rtnb.toolbox import Memory

    memory = Memory()
    with rtnb.Session("local", output="text") as session:
        view = SidePanels(session)
        kept = Kept(view)
        kept.page(kind="hello")
        first = kept.wait("panels")
        assert first["memory"] is None
        assert first["weather"] is None
        assert len(first["land"]) > 50
        for tool in memory.tools:
            session.tool(tool)

        @session.tool
        def get_weather(location: str) -> dict[str, Any]:
            """Get the weather of a place. Use it when asked for the weather."""
            return {"location": "Paris", "latitude": 48.9, "longitude": 2.3, "temperature": 9, "weather": "rain"}

        until(lambda: kept.messages[-1]["weather"] == [])
        assert kept.messages[-1]["memory"] == {"rows": [], "problem": ""}
        memory.set_memory("favorite color", "blue")
        until(lambda: kept.messages[-1]["memory"]["rows"] == [["favorite_color", "blue"]])
        session.ask("What is the weather in Paris?").wait()
        until(lambda: [place["location"] for place in kept.messages[-1]["weather"]] == ["Paris"])
        assert kept.messages[-1]["land"] is None
        view.close()


def test_a_memory_is_followed_by_every_panel_that_shows_it_and_by_the_users_own_function() -> None:
    from rtnb.toolbox import Memory

    memory, seen = Memory(), []
    memory.on_change = seen.append
    with rtnb.Session("local", output="text", tools=memory.tools) as session:
        views = [SidePanels(session), SidePanels(session)]
        for number in range(2):
            all_kept = [Kept(view) for view in views]
            for kept in all_kept:
                kept.page(kind="hello")
                kept.wait("panels")
            memory.set_memory("number", str(number))
            for kept in all_kept:
                until(lambda kept=kept, number=number: kept.messages[-1]["memory"]["rows"] == [["number", str(number)]])
            views.pop(0).close()
    assert seen == [memory, memory]
    for view in views:
        view.close()
    assert memory._watchers == ()


def test_the_panels_of_tools_take_the_room_for_their_map_with_them() -> None:
    with rtnb.Session("local", output="text") as session:
        view = SidePanels(session)
        view.tiles.children = (chart := ipywidgets.HTML(),)
        view.close()
        assert view.comm is view.tiles.comm is chart.comm is None


def test_of_sound_that_was_asked_as_an_item_no_transcript_is_awaited(talk: tuple[rtnb.Session, Kept]) -> None:
    session, kept = talk
    session.ask(rtnb.Audio.tone(440, 1.0)).wait()
    question = until(lambda: len(shown(kept)) >= 2 and shown(kept))[0]
    assert question["ms"] == 1_000
    assert "awaited" not in question["state"]
    assert session.items[0].transcription == "off"
