"""Recordings: a session saved and read again is the same, and what is damaged is read as far as it goes."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers_recordings import a_key, everything_in, log_of, recording_of, sound
from helpers_session import Lab, eventually, lab

import rtnb
from rtnb.core.log import Entry
from rtnb.core.recorded import Recording
from rtnb.core.saved import Heard
from rtnb.core.saved_folder import write_folder
from rtnb.local.brains.script import call

__all__ = ["lab"]


def held(lab: Lab, **options: Any) -> rtnb.Session:
    """A short talk: a tool, a spoken answer that is heard, and a second question."""
    session = lab.session(
        call("calculate_sum", {"a": 4, "b": 6}), "It is ten.", "You are welcome.", output="audio", **options
    )

    @session.tool
    def calculate_sum(a: float, b: float) -> float:
        """Add two numbers."""
        return a + b

    session.attach(speaker=rtnb.SilentSpeaker())
    session.ask("What is 4 plus 6?").wait()
    eventually(lambda: any(report.final for report in session.heard), "the answer was heard")
    session.append_audio(rtnb.Audio.tone(seconds=0.5))
    session.commit()
    session.respond().wait()
    return session


# -- the same objects back


def test_a_session_saved_and_loaded_is_the_same(lab: Lab, tmp_path: Path) -> None:
    session = held(lab)
    session.close()
    folder = session.save(tmp_path / "talk")
    assert folder == tmp_path / "talk"
    recording = rtnb.load(folder)
    assert recording.missing == []
    assert recording.events == session.events
    assert recording.events.origin == session.events.origin
    assert recording.heard == session.heard
    assert recording.conversation == session._core.conversation
    assert [item.id for item in recording.items] == [item.id for item in session.items]
    assert recording.usage == session.usage
    assert str(recording.cost) == str(session.cost)
    assert recording.turns.to_dict() == session.turns.to_dict()
    assert recording.latency == session.latency
    assert recording.settings == session.settings
    assert recording.model == session.model
    assert recording.configuration.to_dict() == session.configuration.to_dict()


def test_the_sound_of_each_item_lies_in_a_file_of_its_own_that_anything_plays(lab: Lab, tmp_path: Path) -> None:
    session = held(lab)
    folder = session.save(tmp_path / "talk")
    recording = rtnb.load(folder)
    spoken = [item for item in session.items if item.role == "assistant"]
    assert len(spoken) == 2
    for item in spoken:
        (file,) = (folder / "audio").glob(f"*-{item.id}.flac")
        assert rtnb.Audio.from_file(file).pcm == item.audio() == recording.audio(item).pcm
        assert recording.audio(item.id).rate == 24_000
    (file,) = (folder / "audio").glob("*-microphone.flac")
    assert rtnb.Audio.from_file(file).seconds == pytest.approx(0.5)
    assert recording.audio().pcm == rtnb.Audio.from_file(file).pcm


def test_the_lines_hold_no_sound_and_can_be_read_by_a_person(lab: Lab, tmp_path: Path) -> None:
    folder = held(lab).save(tmp_path / "talk")
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    deltas = [line for line in lines[1:] if line["event"]["type"] == "response.output_audio.delta"]
    assert deltas
    assert all(line["event"]["delta"].endswith(" bytes>") for line in deltas)
    assert max(map(len, (folder / "events.jsonl").read_text().splitlines())) < 6_000
    assert len(rtnb.EventLog.from_jsonl(folder / "events.jsonl")) == len(lines) - 1  # also by who knows no recordings


def test_the_manifest_tells_what_wrote_it_and_with_what(lab: Lab, tmp_path: Path) -> None:
    session = held(lab, name="lesson")
    session.close()  # or an event may come after the save
    about = json.loads((session.save(tmp_path / "talk") / "manifest.json").read_text())
    assert about["rtnb_recording"] == 1
    assert about["rtnb"] == rtnb.__version__
    assert about["protocol"] == {"name": "realtime", "dialect": "ga"}
    assert about["endpoint"] == {"kind": "local", "model": session.model}
    assert about["name"] == "lesson"
    assert about["events"] == len(session.events)
    assert about["recorded"].startswith("20")
    assert "127.0.0.1" not in json.dumps(about)


def test_odd_pieces_of_sound_come_back_as_they_were(tmp_path: Path) -> None:
    delta = {"type": "response.output_audio.delta", "response_id": "r", "item_id": "item_1", "content_index": 0}
    recording = recording_of(
        ("server", {**delta, "delta": sound(1, 2, 3)}),
        ("server", {**delta, "delta": sound(4)}),
        ("server", {**delta, "delta": sound(5)}),
        ("server", {**delta, "content_index": 1, "delta": sound(6, 7)}),
        ("server", {**delta, "delta": "no base64 at all!"}),
        ("server", {**delta, "delta": "AAA"}),
        ("server", {**delta, "delta": ""}),
        ("client", {"type": "input_audio_buffer.append", "audio": sound(8)}),
    )
    again = rtnb.load(recording.save(tmp_path / "talk"))
    assert again == recording
    assert again.missing == []


def test_names_of_items_that_no_file_may_have_are_kept(tmp_path: Path) -> None:
    delta = {"type": "response.output_audio.delta", "delta": sound(1, 2)}
    ids = ["../../escape", "con", "item_A", "item_a", "x" * 500, "", "ä/ö", "a\x00b"]
    recording = recording_of(*(("server", {**delta, "item_id": each}) for each in ids))
    folder = recording.save(tmp_path / "talk")
    assert rtnb.load(folder) == recording
    files = [path.name.lower() for path in (folder / "audio").iterdir()]
    assert len(set(files)) == len(ids)
    assert {path.name for path in tmp_path.iterdir()} == {"talk"}


@pytest.mark.parametrize(("name", "decoded"), [("audio/pcmu", "decode_pcmu"), ("audio/pcma", "decode_pcma")])
def test_telephone_sound_is_kept_as_it_is_and_can_be_heard(tmp_path: Path, name: str, decoded: str) -> None:
    from rtnb.core import audio

    settings = {"type": "realtime", "audio": {"output": {"format": {"type": name}}}}
    delta = {"type": "response.output_audio.delta", "response_id": "r", "item_id": "item_1", "content_index": 0}
    body = bytes(range(256))
    recording = recording_of(
        ("server", {"type": "session.created", "session": settings}),
        ("server", {"type": "response.created", "response": {"id": "r", **settings}}),
        (
            "server",
            {"type": "response.output_item.added", "response_id": "r", "item": {"id": "item_1", "type": "message"}},
        ),
        ("server", {**delta, "delta": sound(*body)}),
    )
    folder = recording.save(tmp_path / "talk")
    again = rtnb.load(folder)
    assert again == recording
    assert [path.suffix for path in (folder / "audio").iterdir()] == [".wav"]
    heard = again.audio("item_1")
    assert heard.rate == 8_000
    assert (heard.samples == getattr(audio, decoded)(body)).all()


def test_without_soundfile_the_sound_is_wav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    append = {"type": "input_audio_buffer.append", "audio": sound(*range(100))}
    recording = recording_of(("client", append), ("client", append))
    folder = recording.save(tmp_path / "talk")
    assert [path.name for path in (folder / "audio").iterdir()] == ["00-microphone.wav"]
    assert rtnb.load(folder) == recording


def test_flac_without_soundfile_is_told_to_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = recording_of(("client", {"type": "input_audio_buffer.append", "audio": sound(1, 2)})).save(
        tmp_path / "talk"
    )
    monkeypatch.setitem(sys.modules, "soundfile", None)
    again = rtnb.load(folder)
    assert "pip install soundfile" in again.missing[0]
    assert len(again.events) == 1


# -- where it is written


def test_a_recording_is_not_overwritten_unless_asked_for(tmp_path: Path) -> None:
    one, other = (recording_of(("client", {"type": "response.create", "event_id": each})) for each in "ab")
    folder = one.save(tmp_path / "talk")
    with pytest.raises(rtnb.RtnbError, match="overwrite=True"):
        other.save(folder)
    assert rtnb.load(folder) == one
    assert other.save(folder, overwrite=True) == folder
    assert rtnb.load(folder) == other
    assert [path.name for path in tmp_path.iterdir()] == ["talk"]


def test_what_is_no_recording_is_never_overwritten(tmp_path: Path) -> None:
    recording = recording_of(("client", {"type": "response.create"}))
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    (tmp_path / "file").write_text("of mine")
    for name in ("thesis", "file"):
        with pytest.raises(rtnb.RtnbError, match="name"):
            recording.save(tmp_path / name, overwrite=True)
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "years of work"
    assert (tmp_path / "file").read_text() == "of mine"


def test_a_file_that_somebody_put_into_a_recording_is_not_lost(tmp_path: Path) -> None:
    append = ("client", {"type": "input_audio_buffer.append", "audio": sound(1, 2)})
    folder = recording_of(append).save(tmp_path / "talk")
    (folder / "notes.txt").write_text("mine")
    (folder / "pictures").mkdir()
    (folder / "pictures" / "a.png").write_bytes(b"x")
    (folder / "audio" / "list.txt").write_text("also mine")
    recording_of(("client", {"type": "response.create"})).save(folder, overwrite=True)
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "pictures" / "a.png").read_bytes() == b"x"
    assert [path.name for path in (folder / "audio").iterdir()] == ["list.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["talk"]
    assert rtnb.load(folder).missing == []


def test_an_empty_folder_may_become_a_recording(tmp_path: Path) -> None:
    recording = recording_of(("client", {"type": "response.create"}))
    assert rtnb.load(recording.save(tmp_path)) == recording


def test_folders_above_are_made(tmp_path: Path) -> None:
    recording = recording_of(("client", {"type": "response.create"}))
    assert rtnb.load(recording.save(tmp_path / "a" / "b" / "talk")) == recording


def test_a_recording_that_cannot_be_written_whole_is_not_there_at_all(tmp_path: Path) -> None:
    def entries() -> Any:
        yield Entry(0, 0.0, "client", {"type": "response.create"})
        raise OSError("the disk is full")

    with pytest.raises(rtnb.RtnbError, match="the disk is full"):
        write_folder(tmp_path / "talk", entries(), [], about={}, origin=None)
    assert list(tmp_path.iterdir()) == []


def test_a_recording_that_cannot_be_replaced_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = recording_of(("client", {"type": "response.create"}))
    folder = recording.save(tmp_path / "talk")
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name.endswith(".saving"):
            raise OSError("not now")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(rtnb.RtnbError, match="not now"):
        recording_of(("client", {"type": "response.cancel"})).save(folder, overwrite=True)
    monkeypatch.undo()
    assert rtnb.load(folder) == recording
    assert [path.name for path in tmp_path.iterdir()] == ["talk"]


# -- no key, wherever it hides


def test_no_key_is_in_a_saved_folder_wherever_it_stood(lab: Lab, tmp_path: Path) -> None:
    key, other, mine = a_key(), a_key("b", "ek_"), "my-very-own-password"
    session = lab.session(
        call("look_up", {"what": key}),
        f"Your key is {key}, and {mine}.",
        instructions=f"The key is {key}.",
        key=mine,
        name=f"lesson {other}",
    )

    @session.tool
    def look_up(what: str) -> str:
        """Look something up."""
        return json.dumps({"Authorization": f"Bearer {other}", "nested": json.dumps({"key": what})})

    session.ask(f"What about {other}?", metadata={"note": key}).wait()
    session.send({"type": "conversation.item.delete", "item_id": key}, check=False)
    session.wait("error")
    folder = session.save(tmp_path / "talk")
    text = everything_in(folder)
    for secret in (key, other, mine):
        assert secret.encode() not in text
    assert b"[key]" in text
    again = rtnb.load(folder)
    assert again.missing == []
    assert len(again.events) == len(session.events)
    assert "[key]" in again.items[-1].text


def test_a_key_in_the_address_of_an_endpoint_is_not_saved(lab: Lab, tmp_path: Path) -> None:
    secret = "quite" + "unusual" + "7"
    session = rtnb.Session(f"{lab.endpoint.url}?api-key={secret}", output="text", key=f"{secret}-2")
    session.connect()
    session.ask(f"Is it {secret}-2 or {secret}?").wait()
    session.close()
    assert secret.encode() not in everything_in(session.save(tmp_path / "talk"))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20])
def test_a_key_that_was_streamed_in_pieces_is_not_saved(tmp_path: Path, size: int) -> None:
    key = a_key()
    text = f"It is {key}, really."
    delta = {"type": "response.output_text.delta", "response_id": "r", "item_id": "item_1", "content_index": 0}
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    recording = recording_of(*(("server", {**delta, "delta": piece}) for piece in pieces))
    again = rtnb.load(recording.save(tmp_path / "talk"))
    assert "".join(entry.event["delta"] for entry in again.events) == "It is [key], really."
    assert len(again.events) == len(pieces)


@pytest.mark.parametrize(
    "place",
    [
        lambda key: {"type": "error", "error": {"message": f"Incorrect API key provided: {key}."}},
        lambda key: {"type": "x", key: 1},
        lambda key: {"type": key},
        lambda key: {"type": "response.output_audio.delta", "item_id": key, "delta": sound(1, 2)},
        lambda key: {"type": "x", "audio": key},
        lambda key: {
            "type": "x",
            "item": {"content": [{"type": "input_image", "image_url": f"https://x?token={key}"}]},
        },
        lambda key: {"type": "x", "arguments": json.dumps({"a": json.dumps({"b": key})})},
        lambda key: {"type": "x", "text": key.replace("-", "\\u002d")},
        lambda key: {"type": "x", "session": {"client_secret": {"value": f"{key}", "expires_at": 1}}},
        lambda key: {"type": "x", "headers": {"api-key": key.removeprefix("sk-proj-") + "1234"}},
    ],
)
def test_no_place_of_an_event_keeps_a_key(tmp_path: Path, place: Any) -> None:
    key = a_key()
    recording = recording_of(("server", place(key)), name=key)
    folder = recording.save(tmp_path / "talk")
    text = everything_in(folder)
    assert key.encode() not in text
    assert key.removeprefix("sk-proj-").encode() not in text
    again = rtnb.load(folder)
    assert len(again.events) == 1
    assert again.missing == []


def test_no_key_is_in_a_report_of_the_loudspeaker(tmp_path: Path) -> None:
    recording = recording_of(("client", {"type": "response.create"}), heard=[(1.0, a_key(), 5, True)])
    folder = recording.save(tmp_path / "talk")
    assert a_key().encode() not in everything_in(folder)
    assert rtnb.load(folder).heard == [Heard(1.0, "[key]", 5, True)]


# -- what is damaged, or only partly there


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A recording with events, sound of two items, and reports."""
    delta = {"type": "response.output_audio.delta", "response_id": "r", "content_index": 0}
    loud = bytes(range(1, 201)) * 48
    return recording_of(
        ("server", {"type": "session.created", "session": {"id": "s", "model": "gpt-realtime"}}),
        ("client", {"type": "response.create"}),
        ("server", {"type": "response.created", "response": {"id": "r"}}),
        *(("server", {**delta, "item_id": each, "delta": sound(*loud)}) for each in ("item_a", "item_b")),
        ("server", {"type": "response.done", "response": {"id": "r", "status": "completed"}}),
        heard=[(1.0, "item_a", 100, False), (2.0, "item_a", 200, True)],
    ).save(tmp_path / "talk")


def test_nothing_is_missing_in_a_whole_one(folder: Path) -> None:
    assert rtnb.load(folder).missing == []


def test_a_line_cut_off_costs_itself_only(folder: Path) -> None:
    path = folder / "events.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    again = rtnb.load(folder)
    assert len(again.events) == 5
    assert again.missing == ["the last line of events.jsonl could not be read", "1 event of 6 are not there"]


def test_a_line_of_garbage_costs_itself_only(folder: Path) -> None:
    path = folder / "events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = b"\xff\xfe garbage\n"
    path.write_bytes(b"".join(lines))
    again = rtnb.load(folder)
    assert len(again.events) == 5
    assert "1 line of events.jsonl could not be read" in again.missing


def test_silence_stands_in_for_a_file_of_sound_that_is_not_there(folder: Path) -> None:
    (folder / "audio" / "00-item_a.flac").unlink()
    again = rtnb.load(folder)
    assert again.missing == ["the sound audio/00-item_a is not there: silence stands in for it"]
    assert set(again.audio("item_a").pcm) == {0}
    assert len(again.audio("item_a").pcm) == 9_600
    assert set(again.audio("item_b").pcm) != {0}


def test_sound_that_is_cut_off_is_read_as_far_as_it_goes(folder: Path) -> None:
    delta = {"type": "response.output_audio.delta", "response_id": "r", "content_index": 0, "item_id": "item_a"}
    noise = os.urandom(2 * 24_000 * 4)
    again = recording_of(("server", {**delta, "delta": sound(*noise)})).save(folder, overwrite=True)
    path = again / "audio" / "00-item_a.flac"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = rtnb.load(again)
    assert len(found.audio("item_a").pcm) == len(noise)
    intact = next(
        n for n, (one, other) in enumerate(zip(found.audio("item_a").pcm, noise, strict=True)) if one != other
    )
    assert intact > 2 * 24_000
    assert any("audio/00-item_a lacks" in each for each in found.missing)


def test_a_file_that_claims_to_be_endless_is_read_as_far_as_it_goes(folder: Path) -> None:
    path = folder / "audio" / "00-item_a.flac"
    data = bytearray(path.read_bytes())
    data[21:26] = bytes([data[21] | 0x0F, 0xFF, 0xFF, 0xFF, 0xFF])  # how many samples there are: 36 bits
    path.write_bytes(data)
    again = rtnb.load(folder)
    assert len(again.events) == 6
    assert len(again.audio("item_a").pcm) == 9_600


@pytest.mark.parametrize("data", [b"", b"fLaC", b"garbage" * 99])
def test_a_file_of_sound_that_is_none_is_told(folder: Path, data: bytes) -> None:
    (folder / "audio" / "00-item_a.flac").write_bytes(data)
    again = rtnb.load(folder)
    assert any("audio/00-item_a.flac could not be read" in each for each in again.missing)
    assert len(again.events) == 6


def test_the_events_alone_are_enough(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name != "events.jsonl":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    again = rtnb.load(folder)
    assert len(again.events) == 6
    assert again.model == "gpt-realtime"
    assert "manifest.json is not there" in again.missing[0]
    assert any("heard.jsonl is not there" in each for each in again.missing)
    assert rtnb.load(folder / "events.jsonl") == again


def test_the_manifest_alone_says_what_is_missing(folder: Path) -> None:
    (folder / "events.jsonl").unlink()
    again = rtnb.load(folder)
    assert len(again.events) == 0
    assert "events.jsonl is not there: no event is known" in again.missing
    assert repr(again)
    with pytest.raises(rtnb.RtnbError, match="nothing to replay"):
        again.endpoint()


def test_a_folder_of_a_newer_rtnb_is_read_and_told(folder: Path) -> None:
    path = folder / "manifest.json"
    about = json.loads(path.read_text())
    path.write_text(json.dumps({**about, "rtnb_recording": 99, "rtnb": "7.0"}))
    again = rtnb.load(folder)
    assert len(again.events) == 6
    assert any("newer rtnb (7.0)" in each and "pip install -U rtnb" in each for each in again.missing)


@pytest.mark.parametrize("text", ["", "garbage", "[]", "null", '{"rtnb_recording": "x", "clips": 7, "events": []}'])
def test_a_damaged_manifest_is_told(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text)
    again = rtnb.load(folder)
    assert len(again.events) == 6
    assert again.missing


@pytest.mark.parametrize("name", ["nowhere", "file.txt", "empty", "other"])
def test_what_is_no_recording_is_refused_in_words(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.csv").write_text("1,2")
    with pytest.raises(rtnb.RtnbError, match="recording") as caught:
        rtnb.load(tmp_path / name)
    assert name in str(caught.value)


def test_a_clip_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.wav").write_bytes(rtnb.Audio.tone(seconds=0.1).to_wav())
    (tmp_path / "talk").mkdir()
    line = {"time": 1, "direction": "client", "event": {"type": "x", "audio": "<10 bytes>"}}
    line["sound"] = [[["audio"], "../../secret", 0, 10]]
    (tmp_path / "talk" / "events.jsonl").write_text(json.dumps(line) + "\n")
    again = rtnb.load(tmp_path / "talk")
    assert again.events[0].event["audio"] == sound(*bytes(10))
    assert any("without a proper name" in each for each in again.missing)


# -- looking at it


def test_it_is_gone_through_step_by_step(lab: Lab) -> None:
    session = held(lab)
    recording = Recording(session.events, session.heard)
    steps = list(recording.steps())
    assert [step.entry for step in steps] == list(session.events)
    assert steps[-1].conversation == session._core.conversation
    counts = [step.conversation.count for step in steps]
    assert counts[0] == 0
    assert counts == sorted(counts)
    added = next(step for step in steps if step.changes and step.changes[0].kind == "item_added")
    assert added.conversation.count == 1
    assert "item_added" in repr(added)


def test_step_gives_one_event_after_the_other_until_the_end() -> None:
    recording = recording_of(("client", {"type": "response.create"}), ("server", {"type": "error", "error": {}}))
    assert [step.name for step in iter(recording.step, None)] == ["response.create", "error"]
    assert recording.step() is None
    recording.rewind()
    first = recording.step()
    assert first is not None
    assert first.index == 0


def test_the_repr_is_one_line_and_tells_what_is_missing(folder: Path) -> None:
    assert repr(rtnb.load(folder)) == "<Recording talk: 0.1 s, 0 items, 6 events, recorded with the local endpoint>"
    (folder / "heard.jsonl").unlink()
    assert repr(rtnb.load(folder)).endswith("; 1 thing missing>")


def test_the_page_shows_the_talk_without_scripts_and_without_keys() -> None:
    item = {"id": "i", "type": "message", "role": "user", "content": [{"type": "input_text", "text": f"<b>{a_key()}"}]}
    recording = recording_of(("server", {"type": "conversation.item.added", "item": item}), missing=["<script>"])
    page = recording._repr_html_()
    assert "&lt;b&gt;[key]" in page
    assert "&lt;script&gt;" in page
    assert "<script" not in page


def test_a_key_in_the_name_of_a_folder_is_not_shown() -> None:
    recording = Recording(log_of([("client", {"type": "response.create"})]), name=f"talk {a_key()}")
    with pytest.raises(rtnb.RtnbError) as caught:
        recording.audio()
    for shown in (repr(recording), recording._repr_html_(), str(caught.value)):
        assert "talk [key]" in shown


def test_sound_that_is_not_there_is_refused_in_words() -> None:
    item = {"id": "i", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    recording = recording_of(("server", {"type": "conversation.item.added", "item": item}))
    with pytest.raises(rtnb.RtnbError, match="no sound of item 'i'"):
        recording.audio("i")
    with pytest.raises(rtnb.RtnbError, match="there are: i"):
        recording.audio("j")
    with pytest.raises(rtnb.RtnbError, match="microphone"):
        recording.audio()


def test_a_recording_can_be_made_of_any_log() -> None:
    recording = Recording(log_of([("client", {"type": "response.create"})]), heard=[(1.0, "i", 5, True)])
    assert recording.heard[0].samples == 5
    assert recording.first_heard == {"i": 1.0}
    assert recording.kind is None
    assert "an unknown endpoint" in repr(recording)
