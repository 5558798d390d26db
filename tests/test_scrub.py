"""`rtnb scrub`: a key planted in every place it could hide is found and taken out, and nothing else is touched."""

from __future__ import annotations

import base64
import gzip
import json
import os
import stat
import struct
import sys
import urllib.parse
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from helpers_cli import rtnb as command
from helpers_conversation import UNHURRIED
from helpers_recordings import a_key, everything_in, recording_of
from hypothesis import given, settings
from hypothesis import strategies as st

import rtnb
from rtnb.cli import main
from rtnb.core.scrubbing import scrubbed_file

KEY = a_key("Ab3")
BARE = "0f" * 16
HEX = "a1" * 24


def scrub(*words: object) -> int:
    return main(["scrub", *map(str, words)])


# -- what a key looks like

SHAPES: dict[str, tuple[str, str]] = {
    "a project key": (f"key {KEY} end", "key [key] end"),
    "an old key": (f"key sk-{'Ab3' * 16} end", "key [key] end"),
    "an ephemeral key": (f"ek_{'Ab3' * 8}", "[key]"),
    "a bearer header": (f"Authorization: Bearer {BARE}", "Authorization: Bearer [key]"),
    "a bearer header in Python": (f"{{'Authorization': 'Bearer {BARE}'}}", "{'Authorization': 'Bearer [key]'}"),
    "a bearer header in a tuple": (f"('Authorization', 'Bearer {BARE}')", "('Authorization', 'Bearer [key]')"),
    "a basic header": (f"authorization: Basic {BARE}", "authorization: Basic [key]"),
    "a header of curl": (f"curl -H 'api-key: {BARE}'", "curl -H 'api-key: [key]'"),
    "Azure's header": (f'"api-key": "{BARE}"', '"api-key": "[key]"'),
    "a client secret": (
        f'{{"client_secret": {{"value": "{BARE}", "x": 1}}}}',
        '{"client_secret": {"value": "[key]", "x": 1}}',
    ),
    "a flat client secret": (f'"client_secret": "{BARE}"', '"client_secret": "[key]"'),
    "a token in an address": (
        f"http://127.0.0.1:8888/lab?token={HEX}&x=1",
        "http://127.0.0.1:8888/lab?token=[key]&x=1",
    ),
    "a token later in an address": (f"ws://h/v1?model=m&api-key={BARE}", "ws://h/v1?model=m&api-key=[key]"),
    "a signature in an address": (f"https://h/f?sv=1&sig={BARE}%3D", "https://h/f?sv=1&sig=[key]"),
    "a Jupyter token on a command line": (f"--IdentityProvider.token={HEX}", "--IdentityProvider.token=[key]"),
    "a Jupyter token in a file": (f'{{"token": "{HEX}"}}', '{"token": "[key]"}'),
    "a Hugging Face token": ("hf_" + "Ab3" * 11, "[key]"),
    "a GitHub token": ("ghp_" + "Ab3" * 12, "[key]"),
    "an AWS key": ("AKIA" + "A1B2" * 4, "[key]"),
    "a Google key": ("AIza" + "Ab3de" * 7, "[key]"),
    "a signed token": (f"eyJ{'Ab3' * 6}.{'Cd4' * 6}.{'Ef5' * 6}", "[key]"),
    "a password in an address": (f"https://me:{BARE}@host/x", "https://me:[key]@host/x"),
    "a line of a settings file": (f"MY_SERVICE_TOKEN={BARE}\n", "MY_SERVICE_TOKEN=[key]\n"),
    "a line of Python": (f'client = Client(api_key="{BARE}")', 'client = Client(api_key="[key]")'),
    "a browser's subprotocol": (f"openai-insecure-api-key.{BARE}", "openai-insecure-api-key.[key]"),
    "a private key": (
        "-----BEGIN " + f"PRIVATE KEY-----\n{'Ab3d' * 12}\n-----END PRIVATE KEY-----\n",
        "[key]\n",
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_each_shape_of_a_key_is_taken_out(name: str) -> None:
    text, cleaned = SHAPES[name]
    found = scrubbed_file(text.encode())
    assert found.data == cleaned.encode()
    assert len(found.findings) == 1
    assert scrubbed_file(cleaned.encode()).findings == (), "what is clean stays clean"


@pytest.mark.parametrize("colour", ["\x1b[31m", "\x1b[38;5;241m", "\\u001b[0m"])
def test_colours_before_after_and_within_a_key_hide_nothing(colour: str) -> None:
    text = f"is {colour}{KEY[:12]}{colour}{KEY[12:]}{colour}?"
    assert scrubbed_file(text.encode()).data == f"is {colour}[key]{colour}?".encode()
    assert scrubbed_file(f"is{colour}{KEY}{colour}?".encode()).data == f"is{colour}[key]{colour}?".encode()


@pytest.mark.parametrize("name", [name for name in SHAPES if "private" not in name])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_each_shape_is_taken_out_of_json_within_json(name: str, depth: int) -> None:
    text, cleaned = SHAPES[name]
    for _ in range(depth):
        text, cleaned = json.dumps({"a": text}), json.dumps({"a": cleaned})
    assert scrubbed_file(text.encode()).data == cleaned.encode()


INNOCENT = [
    "sk-toggleable__content sk-estimator-doc-link sk-container-id-12",  # class names of scikit-learn's tables
    '{"max_output_tokens": 4096, "token": "Hello", "logprob": -0.1}',
    "token = tokenizer.encode(text)",
    "api_key = os.environ['OPENAI_API_KEY']",
    'headers={"Authorization": f"Bearer {key}"}',
    "OPENAI_API_KEY=your-key-here-1234567890",
    'OPENAI_API_KEY = "sk-..."',
    "Bearer tokens are sent with each request",
    "def connect(token: str | None = None, *, api_key: str = DEFAULT_API_KEY_NAME):",
    "https://example.org:8080/path@version",
    "event_" + "Ab3" * 7 + " item_" + "Ab3" * 7 + " resp_" + "Ab3" * 7 + " call_" + "Ab3" * 7,
    "f" * 64 + " " + "Ab3d" * 30,
    "[key]",
    'Authorization: Bearer [key], "api_key": "[key]", https://h/?token=[key]&x=1, https://me:[key]@host/',
]


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_no_key_is_left_alone(text: str) -> None:
    found = scrubbed_file(text.encode())
    assert found.findings == ()
    assert found.data == text.encode()


# -- where it hides in a notebook


def notebook() -> Any:
    """A notebook with one of everything."""
    cells = [nbformat.v4.new_markdown_cell("# Title"), nbformat.v4.new_code_cell("print(1)")]
    made = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "x"}})
    return json.loads(nbformat.writes(made))


def code(book: Any, output: Any) -> None:
    book["cells"][1]["outputs"] = [output]


PLACES: dict[str, Callable[[Any], object]] = {
    "source": lambda book: book["cells"][1].update(source=["import os\n", f"key = '{KEY}'\n"]),
    "an environment in the source": lambda book: book["cells"][1].update(
        source=["import os\n", f"os.environ['AZURE_OPENAI_API_KEY'] = \"{BARE}\"\n"]
    ),
    "markdown": lambda book: book["cells"][0].update(source=f"Use {KEY}."),
    "stream": lambda book: code(book, {"output_type": "stream", "name": "stdout", "text": ["a\n", f"{KEY}\n"]}),
    "text": lambda book: code(
        book, {"output_type": "display_data", "metadata": {}, "data": {"text/plain": f"{KEY!r}"}}
    ),
    "html": lambda book: code(
        book, {"output_type": "display_data", "metadata": {}, "data": {"text/html": [f"<b title='{KEY}'>x</b>"]}}
    ),
    "json": lambda book: code(
        book, {"output_type": "display_data", "metadata": {}, "data": {"application/json": {"a": [{KEY: KEY}]}}}
    ),
    "escaped page": lambda book: code(
        book,
        {
            "output_type": "display_data",
            "metadata": {},
            "data": {"text/html": "<iframe srcdoc='" + KEY.replace("-", "&#45;").replace("A", "&#x41;") + "'>"},
        },
    ),
    "traceback": lambda book: code(
        book, {"output_type": "error", "ename": "E", "evalue": KEY, "traceback": [f"\x1b[31m{KEY}\x1b[0m"]}
    ),
    "metadata of a cell": lambda book: book["cells"][1]["metadata"].update(note=KEY),
    "metadata of the notebook": lambda book: book["metadata"].update(widgets={"state": {"x": {"value": KEY}}}),
    "attachment": lambda book: book["cells"][0].update(attachments={"a.svg": {"image/svg+xml": f"<text>{KEY}</text>"}}),
    "address": lambda book: book["cells"][0].update(
        source=f"https://h/?q={urllib.parse.quote(KEY, safe='').replace('-', '%2D')}"
    ),
    "base64": lambda book: code(
        book,
        {
            "output_type": "display_data",
            "metadata": {},
            "data": {"text/html": "data:text/html;base64," + base64.b64encode(f"<p>{KEY}</p>".encode()).decode()},
        },
    ),
    "event": lambda book: code(
        book, {"output_type": "stream", "name": "stdout", "text": json.dumps({"a": json.dumps({"instructions": KEY})})}
    ),
}


@pytest.mark.parametrize("indent", [None, 1, 4])
@pytest.mark.parametrize("place", PLACES)
def test_a_key_in_a_notebook_is_taken_out_wherever_it_stands(tmp_path: Path, place: str, indent: int | None) -> None:
    book = notebook()
    PLACES[place](book)
    path = tmp_path / "lesson.ipynb"
    path.write_text(json.dumps(book, indent=indent, ensure_ascii=place == "stream") + "\n")
    before = path.read_bytes()
    assert scrub(path) == 1
    after = path.read_bytes()
    for hidden in (KEY, KEY[3:], BARE, base64.b64encode(KEY.encode()).decode()[:20]):
        assert hidden.encode() not in after
    assert KEY not in urllib.parse.unquote(after.decode())
    again = json.loads(after)
    nbformat.validate(nbformat.from_dict(again))
    assert json.dumps(again, indent=indent, ensure_ascii=place == "stream") + "\n" == after.decode(), "the formatting"
    assert len(before.splitlines()) == len(after.splitlines())
    assert scrub(path) == 0
    assert path.read_bytes() == after


def test_nothing_but_the_key_changes(tmp_path: Path) -> None:
    path = tmp_path / "odd.json"
    text = '{ "b" : 1.50,\r\n\t"a":"\\u00e4 \\/ ä",  "a" : "KEY" ,"n":1E5}\r\n\r\n'
    path.write_bytes(text.replace("KEY", f"x {KEY} y").encode())
    assert scrub(path) == 1
    assert path.read_bytes() == text.replace("KEY", "x [key] y").encode()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_encoding_stays(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "server.log"
    path.write_bytes(f"Grüße, {KEY}!\r\n".encode(encoding))
    assert scrub(path) == 1
    assert path.read_bytes() == "Grüße, [key]!\r\n".encode(encoding)


def test_bytes_that_are_no_text_in_a_log_stay(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_bytes(b"\xff\xfe\x80 ok\n\xe4 " + KEY.encode() + b" \xfc\n")
    path.write_bytes(b"a \xe4 " + KEY.encode() + b" \xfc\n")
    assert scrub(path) == 1
    assert path.read_bytes() == b"a \xe4 [key] \xfc\n"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just(f"<{KEY}>"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(UNHURRIED)
@given(JSON, st.sampled_from([None, 1]), st.booleans())
def test_json_stays_json_and_the_rest_of_it_the_same(value: Any, indent: int | None, is_ascii: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=is_ascii)
    found = scrubbed_file(text.encode("utf-8", "surrogatepass") if is_ascii else text.encode("utf-8", "replace"))
    assert found.data is not None
    assert KEY.encode() not in found.data
    assert found.data.decode() == text.replace(KEY, "[key]") if is_ascii else True
    assert len(found.findings) == text.count(KEY)


# -- recordings


def test_a_recording_with_keys_is_cleaned_and_loads_as_before(tmp_path: Path) -> None:
    delta = {"type": "response.output_text.delta", "response_id": "r", "item_id": "i", "content_index": 0}
    pieces = [KEY[at : at + 5] for at in range(0, len(KEY), 5)]
    secret = a_key("q")
    recording = recording_of(
        ("client", {"type": "response.create", "response": {"instructions": secret}}),
        *(("server", {**delta, "delta": piece}) for piece in ["It is ", *pieces, ", yes"]),
        ("server", {"type": "response.output_audio.delta", "item_id": "i", "delta": "AAECAw=="}),
    )
    folder = recording.save(tmp_path / "talk")
    assert scrub(folder) == 0
    path = folder / "events.jsonl"
    lines = [
        {"time": entry.time, "direction": entry.direction, "event": entry.event}
        for entry in list(recording.events)[:-1]
    ]
    clean_lines = path.read_text().splitlines(keepends=True)
    path.write_text(clean_lines[0] + "".join(json.dumps(line) + "\n" for line in lines) + clean_lines[-1])
    (folder / "manifest.json").write_text(
        (folder / "manifest.json").read_text().replace("recording", f"talk {secret}", 1)
    )
    assert scrub(folder) == 1
    text = everything_in(folder)
    assert secret.encode() not in text
    again = rtnb.load(folder)
    said = "".join(entry.event["delta"] for entry in again.events.filter("response.output_text.delta"))
    assert said == "It is [key], yes"
    assert len(again.events) == len(recording.events)
    assert again.events[-1].event == recording.events[-1].event
    assert scrub(folder) == 0


# -- files and folders


def test_check_tells_and_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.log"
    path.write_text(f"one\ntwo {KEY}\n")
    before = path.stat()
    assert scrub("--check", path) == 1
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert path.read_text() == f"one\ntwo {KEY}\n"
    told = capsys.readouterr().out
    assert "1 key found (line 2: OpenAI key)" in told
    assert KEY not in told


def test_a_folder_is_looked_through_with_all_that_is_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a" / ".ipynb_checkpoints").mkdir(parents=True)
    hidden = tmp_path / "a" / ".ipynb_checkpoints" / "x.ipynb"
    hidden.write_text(json.dumps({"k": KEY}))
    (tmp_path / "clean.txt").write_text("nothing")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text(KEY)
    assert scrub(tmp_path) == 1
    assert KEY not in hidden.read_text()
    assert (tmp_path / ".git" / "config").read_text() == KEY
    assert "2 files, 1 key in 1 of them; a key that was shared must be revoked" in capsys.readouterr().out


def test_an_env_file_is_left_as_it_is_with_a_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in (".env", ".env.local"):
        (tmp_path / name).write_text(f"OPENAI_API_KEY={KEY}\n")
    assert scrub(tmp_path) == 0
    assert (tmp_path / ".env").read_text() == f"OPENAI_API_KEY={KEY}\n"
    assert capsys.readouterr().out.count("keys belong there; share it with nobody") == 2


def test_keys_in_use_are_found_whatever_they_look_like(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = "quite-an-ordinary-word"
    (tmp_path / ".env").write_text(f"AZURE_OPENAI_API_KEY={mine}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOME_SERVICE_TOKEN", "an/other+one")
    (tmp_path / "a.json").write_text(json.dumps({"x": f"{mine}!", "y": "an/other+one"}).replace("/", "\\/"))
    assert scrub("a.json") == 1
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": "[key]!", "y": "[key]"}


def test_a_key_in_the_name_of_a_file_is_told_and_not_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / f"{KEY}.log").write_text("nothing")
    assert scrub(tmp_path) == 1
    told = capsys.readouterr().out
    assert "there is a key in its name" in told
    assert KEY not in told


def png(text: str) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"tEXt", b"Comment\0" + text.encode()) + chunk(b"IEND", b"")
    )


def test_what_cannot_be_cleaned_is_told_and_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(png(KEY))
    assert scrub(path) == 1
    assert path.read_bytes() == png(KEY)
    assert "could not be taken out without breaking the file: share it with nobody" in capsys.readouterr().out
    path.write_bytes(png("nothing"))
    assert scrub(path) == 0
    path.write_bytes(b"\0\1" + KEY.encode("utf-16-le"))
    assert scrub(path) == 1


def test_what_is_packed_is_not_looked_into_and_that_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "logs.gz"
    path.write_bytes(gzip.compress(KEY.encode()))
    assert scrub(path) == 0
    assert "not looked into, it is packed" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="no such modes there")
def test_the_mode_of_a_file_and_a_link_to_it_stay(tmp_path: Path) -> None:
    path, link = tmp_path / "run.sh", tmp_path / "link.sh"
    path.write_text(f"export OPENAI_API_KEY={KEY}\n")
    path.chmod(0o750)
    link.symlink_to(path)
    assert scrub(link) == 1
    assert link.is_symlink()
    assert path.read_text() == "export OPENAI_API_KEY=[key]\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o750
    assert sorted(os.listdir(tmp_path)) == ["link.sh", "run.sh"]


def test_a_file_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scrub(tmp_path / "nothing.ipynb") == 1
    assert "there is no file or folder" in capsys.readouterr().err


def test_the_command_ends_with_its_code(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(KEY)
    done = command("scrub", "a.log", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert "taken out" in done.stdout
    done = command("scrub", "a.log", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "1 file, no key\n")
    assert command("scrub", cwd=tmp_path).returncode == 2


@pytest.mark.parametrize("folder", ["notebooks", "docs", "rtnb", "tests"])
def test_this_repository_has_nothing_that_looks_like_a_key(folder: str) -> None:
    """A key of a test is put together when it runs, so that nobody has to tell it from a real one."""
    assert scrub("--check", Path(__file__).resolve().parent.parent / folder) == 0
