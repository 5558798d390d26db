"""What holds of any recording: saved and read it is the same; damaged in any way it raises nothing but an RtnbError."""

from __future__ import annotations

import itertools
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from helpers_conversation import UNHURRIED
from helpers_recordings import REPORTS, log_of
from hypothesis import given, settings
from hypothesis import strategies as st
from test_conversation_properties import GARBAGE, JSON, Sent, sessions

import rtnb
from rtnb.core.conversation import Conversation
from rtnb.core.key_pieces import cleaned_deltas
from rtnb.core.keys import find_keys, without_keys
from rtnb.core.recorded import Recording
from rtnb.core.recording import loads
from rtnb.core.saved import Layout, Restorer

FEW = settings(UNHURRIED, max_examples=25)
BASE64 = st.binary(max_size=40).map(lambda data: __import__("base64").b64encode(data).decode())


@contextmanager
def somewhere() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rtnb-test-") as folder:
        yield Path(folder) / "talk"


@FEW
@given(sessions(), REPORTS)
def test_any_session_saved_and_loaded_is_the_same(sent: list[Sent], heard: list[Any]) -> None:
    recording = Recording(log_of(sent), heard, kind="openai", model="gpt-realtime")
    with somewhere() as folder:
        again = rtnb.load(recording.save(folder))
        twice = rtnb.load(again.save(folder, overwrite=True))
    assert again.missing == []
    assert again == recording == twice
    assert again.conversation == Conversation.replay(recording.events)
    assert {item.id: item.audio() for item in again.items} == {item.id: item.audio() for item in recording.items}
    assert again.turns.to_dict() == recording.turns.to_dict()
    assert str(again.cost) == str(recording.cost)
    assert again.configuration.to_dict() == recording.configuration.to_dict()


@given(st.lists(st.tuples(st.sampled_from(["client", "server"]), GARBAGE | st.dictionaries(st.text(max_size=5), JSON))))
@settings(UNHURRIED, max_examples=60)
def test_whatever_events_hold_comes_back(sent: list[Any]) -> None:
    log = log_of(sent)
    layout = Layout()
    lines = json.loads(json.dumps([layout.line(entry) for entry in log]))
    clips = {clip.name: (b"".join(clip.pieces()), clip.format) for clip in layout.clips}
    restorer = Restorer(clips)
    assert [restorer.row(line) for line in lines] == [(entry.time, entry.direction, entry.event) for entry in log]
    assert restorer.short == {}


@given(st.lists(BASE64 | st.text(max_size=9)), st.sampled_from(["delta", "append", "item", "deep"]))
def test_payloads_of_every_size_and_kind_come_back(payloads: list[str], place: str) -> None:
    shape: Any = {
        "delta": lambda text: {"type": "response.output_audio.delta", "item_id": "i", "delta": text},
        "append": lambda text: {"type": "input_audio_buffer.append", "audio": text},
        "item": lambda text: {"type": "x", "item": {"id": "i", "content": [{"type": "input_audio", "audio": text}]}},
        "deep": lambda text: {"type": "x", "a": [[{"b": {"audio": text}}]]},
    }[place]
    log = log_of([("client", shape(text)) for text in payloads])
    layout = Layout()
    lines = [layout.line(entry) for entry in log]
    restorer = Restorer({clip.name: (b"".join(clip.pieces()), clip.format) for clip in layout.clips})
    assert [restorer.row(line)[2] for line in lines] == [entry.event for entry in log]  # type: ignore[index]


SPOKEN: Any = {"type": "response.output_audio.delta", "response_id": "r", "item_id": "item_1", "content_index": 0}
WHOLE = Recording(
    log_of(
        [
            ("server", {"type": "session.created", "session": {"id": "s"}}),
            ("client", {"type": "input_audio_buffer.append", "audio": "AAECAwQF"}),
            ("client", {"type": "response.create", "event_id": "event_1"}),
            ("server", {"type": "response.created", "response": {"id": "r"}}),
            ("server", {**SPOKEN, "delta": "AAECAwQF"}),
            ("server", {"type": "response.done", "response": {"id": "r", "status": "completed"}}),
        ]
    ),
    heard=[(1.0, "item_1", 3, True)],
)
FILES = ["manifest.json", "events.jsonl", "heard.jsonl", "audio/00-microphone.flac", "audio/01-item_1.flac"]

DAMAGE = st.lists(
    st.tuples(
        st.sampled_from(FILES),
        st.sampled_from(["gone", "cut", "flipped", "garbage", "doubled", "folder"]),
        st.integers(0, 10_000),
        st.binary(max_size=30),
    ),
    min_size=1,
    max_size=4,
)


def damage(folder: Path, name: str, how: str, where: int, data: bytes) -> None:
    path = folder / name
    if not path.is_file():
        return
    old = path.read_bytes()
    at = where % (len(old) + 1)
    if how == "gone":
        path.unlink()
    elif how == "folder":
        path.unlink()
        path.mkdir()
    else:
        new = {"cut": old[:at], "flipped": old[:at] + data + old[at + len(data) :], "garbage": data, "doubled": old * 2}
        path.write_bytes(new[how])


@settings(UNHURRIED, max_examples=120)
@given(DAMAGE)
def test_a_damaged_folder_raises_nothing_but_an_rtnb_error(damages: list[tuple[str, str, int, bytes]]) -> None:
    with somewhere() as folder:
        WHOLE.save(folder)
        for each in damages:
            damage(folder, *each)
        try:
            again = rtnb.load(folder)
        except rtnb.RtnbError:
            assert not (folder / "events.jsonl").is_file(), "events can be read whatever else is lost"
            assert not is_manifest(folder / "manifest.json"), "what it was about can be told without its events"
            return
        look_at(again)


def is_manifest(path: Path) -> bool:
    found = loads(path.read_bytes()) if path.is_file() else None
    return isinstance(found, dict) and found != {}


def look_at(recording: Recording) -> None:
    """All that a person may ask of it."""
    for what in ("items", "usage", "cost", "latency", "turns", "settings", "model", "configuration", "responses"):
        repr(getattr(recording, what))
    repr(recording)
    recording._repr_html_()
    for step in itertools.islice(recording.steps(), 50):
        repr(step)
    for item in recording.items:
        try:
            recording.audio(item)
        except rtnb.RtnbError:
            continue


def test_each_file_cut_off_at_each_place_is_read() -> None:
    with somewhere() as whole:
        WHOLE.save(whole)
        for name in FILES[:3]:
            size = (whole / name).stat().st_size
            for at in range(0, size - 1, max(1, size // 40)):  # without its last sign all is there
                with somewhere() as folder:
                    shutil.copytree(whole, folder)
                    (folder / name).write_bytes((whole / name).read_bytes()[:at])
                    again = rtnb.load(folder)
                    look_at(again)
                    assert again.missing


LINES = st.one_of(
    st.fixed_dictionaries(
        {"time": JSON, "direction": st.sampled_from(["client", "server", "x"]), "event": GARBAGE | JSON},
        optional={
            "sound": st.lists(
                st.one_of(
                    JSON,
                    st.tuples(
                        st.lists(st.sampled_from(["delta", "audio", 0, "item"]), max_size=3),
                        st.sampled_from(["00-microphone", "../x", "01-item_1", ""]),
                        st.integers(-9, 10**20),
                        st.integers(-9, 10**20),
                    ),
                ),
                max_size=3,
            )
        },
    ),
    JSON,
)


@settings(UNHURRIED, max_examples=60)
@given(st.lists(LINES, max_size=6), JSON)
def test_any_lines_are_read_or_refused(lines: list[Any], about: Any) -> None:
    with somewhere() as folder:
        WHOLE.save(folder)
        (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        (folder / "manifest.json").write_text(json.dumps({"rtnb_recording": 1, "clips": about, "asked": about}))
        look_at(rtnb.load(folder))


# -- keys

PLAIN = st.text(st.characters(codec="utf-8"), max_size=30)


@given(PLAIN, PLAIN, st.integers(0, 4))
def test_a_key_is_found_in_json_within_json_and_the_json_stays_json(before: str, after: str, depth: int) -> None:
    key = "sk-" + "Ab3" * 9
    value: Any = {"text": f"{before} {key} {after}"}
    for _ in range(depth):
        value = {"inner": json.dumps(value)}
    text = json.dumps(value)
    cleaned = without_keys(text)
    assert key not in cleaned
    inner = json.loads(cleaned)
    for _ in range(depth):
        inner = json.loads(inner["inner"])
    assert inner["text"] == f"{before} {key} {after}".replace(key, "[key]")


@given(
    st.lists(st.booleans(), min_size=27, max_size=27), st.sampled_from(["\\u{:04x}", "%{:02X}", "&#{};", "&#x{:x};"])
)
def test_a_key_is_found_with_any_of_its_characters_escaped(which: list[bool], form: str) -> None:
    key = "sk-" + "Ab3" * 8
    written = "".join(
        form.format(ord(sign)) if is_escaped else sign for sign, is_escaped in zip(key, which, strict=True)
    )
    assert without_keys(f"before {written} after") == "before [key] after"


@given(st.text(max_size=200))
def test_text_without_keys_is_left_as_it_is(text: str) -> None:
    found = find_keys(text)
    assert all(text[each.start : each.end] for each in found)
    assert found or without_keys(text) == text


@given(PLAIN.filter(lambda text: not find_keys(text)), st.lists(st.integers(1, 60), max_size=6))
def test_a_key_in_pieces_leaves_the_other_words_alone(words: str, cuts: list[int]) -> None:
    key = "sk-" + "Ab3" * 9
    text = f"{words} {key} {words}"
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[start:end] for start, end in itertools.pairwise(places)]
    events = [{"type": "response.output_text.delta", "item_id": "i", "delta": piece} for piece in pieces]
    cleaned = cleaned_deltas(events)
    assert "".join(cleaned.get(n, piece) for n, piece in enumerate(pieces)) == text.replace(key, "[key]")
