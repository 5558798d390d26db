"""The log of events: looking, filtering, writing, reading."""

from __future__ import annotations

import builtins
import io
import json
from pathlib import Path
from typing import Any

import pytest
from helpers_conversation import UNHURRIED
from hypothesis import given
from hypothesis import strategies as st

from rtnb.core.log import Entry, EventLog, matcher
from rtnb.core.recording import shown

APPEND = {"type": "input_audio_buffer.append", "audio": "AAAAAAAA"}
DELTA = {"type": "response.output_audio.delta", "event_id": "event_1", "delta": "AAAA"}


def a_log() -> EventLog:
    log = EventLog(origin=1_700_000_000.5)
    log.append({"type": "session.created", "session": {"id": "sess_1"}}, "server", 0.1)
    log.append(APPEND, "client", 0.2)
    log.append({"type": "response.create"}, "client", 0.3)
    log.append({"type": "response.created", "response": {"id": "resp_1"}}, "server", 0.4)
    log.append(DELTA, "server", 0.5)
    log.append({"type": "response.done", "response": {"id": "resp_1"}}, "server", 0.75)
    return log


def written(log: EventLog, **options: Any) -> bytes:
    file = io.BytesIO()
    log.to_jsonl(file, **options)
    return file.getvalue()


def read(data: bytes) -> EventLog:
    return EventLog.from_jsonl(io.BytesIO(data))


# -- looking


def test_a_log_is_a_list_of_entries() -> None:
    log = a_log()
    assert len(log) == 6
    assert log[0] == Entry(0, 0.1, "server", {"type": "session.created", "session": {"id": "sess_1"}})
    assert log[-1].name == "response.done"
    assert [entry.index for entry in log] == list(range(6))
    assert not EventLog()


def test_the_very_event_is_kept() -> None:
    assert EventLog().append(DELTA, "server", 0.0).event is DELTA


def test_a_slice_is_a_log_that_keeps_index_and_origin() -> None:
    part = a_log()[2:4]
    assert isinstance(part, EventLog)
    assert [entry.index for entry in part] == [2, 3]
    assert part.origin == 1_700_000_000.5


@pytest.mark.parametrize(
    ("patterns", "direction", "indexes"),
    [
        (("response.*",), None, [2, 3, 4, 5]),
        (("response.*",), "server", [3, 4, 5]),
        (("*.delta", "*.done"), None, [4, 5]),
        (("response.create",), None, [2]),
        ((), "client", [1, 2]),
        (("nothing",), None, []),
    ],
)
def test_events_are_found_by_globs_and_direction(patterns: tuple[str, ...], direction: Any, indexes: list[int]) -> None:
    found = a_log().filter(*patterns, direction=direction)
    assert isinstance(found, EventLog)
    assert [entry.index for entry in found] == indexes


def test_events_are_found_by_what_they_say() -> None:
    log = a_log()
    assert [entry.index for entry in log.filter(where=lambda event: "response" in event)] == [3, 5]


def test_first_and_last_are_found() -> None:
    log = a_log()
    first, last = log.find("response.*"), log.last("response.*", where=lambda event: "response" in event)
    assert (first and first.index, last and last.index) == (2, 5)
    later = log.find("response.*", after=2)
    assert later is not None
    assert later.index == 3
    assert log.find("x") is None
    assert log.last("x") is None


def test_a_pattern_without_glob_signs_is_the_whole_name() -> None:
    fits = matcher("response.done")
    assert fits("response.done")
    assert not fits("response.done.x")
    assert not matcher()("response.done")


def test_names_are_counted() -> None:
    log = a_log()
    log.append(DELTA, "server", 1.0)
    assert log.names["response.output_audio.delta"] == 2


def test_what_is_no_event_has_no_name() -> None:
    log = EventLog()
    for odd in ({}, {"type": 3}, None, []):
        log.append(odd, "server", 0.0)  # type: ignore[arg-type]
    assert [entry.name for entry in log] == [""] * 4
    assert len(log.filter("*")) == 4


# -- plain values


def test_rows_show_audio_as_its_length_and_leave_the_event_alone() -> None:
    rows = a_log().rows()
    assert rows[1]["event"] == {"type": "input_audio_buffer.append", "audio": "<6 bytes>"}
    assert rows[4]["event"]["delta"] == "<3 bytes>"
    assert rows[4] == {**rows[4], "index": 4, "time": 0.5, "direction": "server", "type": "response.output_audio.delta"}
    assert DELTA["delta"] == "AAAA"
    assert a_log().to_dict() == rows


def test_audio_and_pictures_deep_within_are_shown_as_their_length() -> None:
    picture = "data:image/png;base64," + "A" * 400
    event = {"type": "x", "item": {"content": [{"audio": "AAAA"}, {"image_url": picture}, {"text": "t"}]}}
    audio, image, text = shown(event)["item"]["content"]
    assert (audio, image, text) == (
        {"audio": "<3 bytes>"},
        {"image_url": "data:image/png;base64,<300 bytes>"},
        {"text": "t"},
    )


def test_the_delta_of_a_text_is_shown() -> None:
    assert shown({"type": "response.output_text.delta", "delta": "AAAA"})["delta"] == "AAAA"


def test_pandas_gets_the_rows() -> None:
    frame = pytest.importorskip("pandas") and a_log().to_pandas()
    assert list(frame.columns) == ["index", "time", "direction", "type", "event"]
    assert len(frame) == 6


def test_without_pandas_the_error_tells_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def no_pandas(name: str, *rest: Any) -> Any:
        if name == "pandas":
            raise ImportError(name)
        return load(name, *rest)

    monkeypatch.setattr(builtins, "__import__", no_pandas)
    with pytest.raises(ImportError, match=r'pip install "rtnb\[pandas\]"'):
        a_log().to_pandas()


# -- files


def test_a_log_written_and_read_is_the_same(tmp_path: Path) -> None:
    log = a_log()
    log.to_jsonl(tmp_path / "events.jsonl")
    again = EventLog.from_jsonl(str(tmp_path / "events.jsonl"))
    assert again == log
    assert (again.origin, again.damaged) == (log.origin, 0)


def test_each_line_is_a_json_object() -> None:
    lines = [json.loads(line) for line in written(a_log()).splitlines()]
    assert lines[0] == {"rtnb": 1, "origin": 1_700_000_000.5}
    assert lines[3] == {"time": 0.3, "direction": "client", "event": {"type": "response.create"}}


def test_audio_may_be_left_out() -> None:
    data = written(a_log(), audio=False)
    assert b"AAAA" not in data
    assert [entry.name for entry in read(data)] == [entry.name for entry in a_log()]


def test_no_key_is_written_and_the_line_stays_json() -> None:
    key, known = "sk-" + "x" * 24, "my own key"
    log = EventLog()
    log.append({"type": "error", "error": {"message": f'wrong: "{key}" "Bearer {"b" * 9}" {known}'}}, "server", 0.0)
    again = read(written(log, keys=[known, None]))
    assert again.damaged == 0
    assert again[0].event["error"]["message"] == 'wrong: "[key]" "Bearer [key]" [key]'


def test_a_key_among_sound_is_found() -> None:
    log = EventLog()
    key = "sk-" + "x" * 300
    log.append({"type": "x", "audio": "A" * 9_000, "text": f"{'B' * 900} {key} {'C' * 900}"}, "client", 0.0)
    event = read(written(log))[0].event
    assert event["text"] == f"{'B' * 900} [key] {'C' * 900}"
    assert event["audio"] == "A" * 9_000


@pytest.mark.parametrize(
    "line",
    [
        b'{"time": 1, "direction": "server", "event": {"ty',
        b"not json",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"time": "x", "direction": "server", "event": {}}',
        b'{"time": 1, "direction": "nobody", "event": {}}',
        b'{"time": 1, "direction": "server", "event": []}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_line_costs_itself_only(line: bytes) -> None:
    lines = written(a_log()).splitlines()
    lines.insert(3, line)
    log = read(b"\n".join(lines))
    assert log.damaged == 1
    assert log == a_log()


def test_a_file_cut_off_anywhere_is_read_up_to_there() -> None:
    data = written(a_log())
    for end in range(len(data)):
        log = read(data[:end])
        assert list(log) == list(a_log())[: len(log)]
        assert log.damaged <= 1


def test_lines_without_a_heading_are_read() -> None:
    log = read(b'\n{"time": 1, "direction": "server", "event": {"type": "x"}}\n\n')
    assert [(entry.time, entry.name) for entry in log] == [(1, "x")]
    assert (log.origin, log.damaged) == (None, 0)


@pytest.mark.parametrize("odd", [2**80, "\ud800", {1: 2}, {"a": [None, 1.5]}, Path("x")])
def test_whatever_an_event_holds_can_be_written(odd: Any) -> None:
    log = EventLog()
    log.append({"type": "x", "odd": odd}, "client", 0.0)
    again = read(written(log))
    assert (len(again), again.damaged) == (1, 0)


@UNHURRIED
@given(st.binary(max_size=200))
def test_any_file_can_be_read(data: bytes) -> None:
    assert isinstance(read(data), EventLog)


# -- shown


def test_the_repr_is_one_line() -> None:
    assert repr(a_log()) == "<EventLog: 6 events, 0.75 s>"
    assert repr(EventLog()) == "<EventLog: 0 events, 0.00 s>"


def test_a_long_log_shows_its_first_and_last_entries() -> None:
    log = EventLog()
    for n in range(1000):
        log.append({"type": f"event.{n}.", "audio": "A" * 100_000}, "server", float(n))
    shown = log._repr_html_()
    assert "event.0." in shown
    assert "event.999." in shown
    assert "event.500." not in shown
    assert "960 more" in shown
    assert shown.count("<tr>") == 42
    assert len(shown) < 20_000


def test_a_run_of_the_same_event_is_one_row() -> None:
    log = EventLog()
    for n in range(50):
        log.append({"type": "response.output_audio.delta", "delta": "A" * 6400}, "server", float(n))
    shown = log._repr_html_()
    assert shown.count("<tr>") == 2
    assert "×50" in shown
    assert "5.0 s of sound" in shown


def test_what_an_event_says_cannot_become_part_of_the_page() -> None:
    log = EventLog()
    evil = "<script>alert(1)</script>"
    log.append({"type": evil, evil: evil}, evil, 0.0)  # type: ignore[arg-type]
    assert "<script" not in log._repr_html_()
    assert "&lt;script&gt;" in log._repr_html_()


def test_no_key_is_shown() -> None:
    log = EventLog()
    key = "sk-" + "x" * 24
    log.append({"type": "error", "error": {"message": key}}, "server", 0.0)
    assert key not in log._repr_html_()


def test_keys_in_use_are_neither_shown_nor_written_and_stay_in_the_entries() -> None:
    key = "quite" + "Ordinary" * 3
    log = EventLog(secrets=(key,))
    for before in ("", "x" * 100, "x" * 112):  # whole, and where the line is cut in the midst of it
        log.append({"type": "error", "error": {"message": f"{before} {key}"}}, "server", 0.0)
        log.append({"type": "odd.event", "what": f"{before} {key}"}, "server", 0.0)
    for part in (log, log[1:], log.filter("*")):
        file = io.BytesIO()
        part.to_jsonl(file)
        assert not [text for text in (part._repr_html_(), file.getvalue().decode()) if key[:8] in text]
    assert log[0].event["error"]["message"].endswith(key)
