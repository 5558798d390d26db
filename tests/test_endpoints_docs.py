"""What docs/endpoints.md and docs/relay.md say is so: their code runs, their commands and settings exist."""

from __future__ import annotations

import http.server
import json
import pathlib
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from helpers_cli import environment, rtnb

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = ("endpoints.md", "relay.md")


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page(name), re.MULTILINE | re.DOTALL)


class Chat(http.server.BaseHTTPRequestHandler):
    """An OpenAI-compatible chat endpoint with one answer."""

    asked: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append({"path": self.path, **body})
        pieces = [{"role": "assistant", "content": "A lasting "}, {"content": "connection."}]
        lines = [{"choices": [{"index": 0, "delta": piece, "finish_reason": None}]} for piece in pieces]
        lines.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        text = "".join(f"data: {json.dumps(line)}\n\n" for line in lines) + "data: [DONE]\n\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def chat() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    asked: list[dict[str, Any]] = []
    handler = type("Handler", (Chat,), {"asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()
        thread.join(20)


CODE = [(name, number) for name in PAGES for number in range(len(blocks(name, "python")))]


def test_there_is_code_to_run() -> None:
    assert len(CODE) >= 5


@pytest.mark.parametrize(("name", "number"), CODE)
def test_each_block_of_code_runs(
    name: str, number: int, chat: tuple[str, list[dict[str, Any]]], tmp_path: pathlib.Path
) -> None:
    url, asked = chat
    code = blocks(name, "python")[number].replace("http://127.0.0.1:11434", url)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    if "ChatBrain" in code:
        assert "A lasting connection." in done.stdout
        assert asked[0]["path"] == "/v1/chat/completions"
        assert asked[0]["model"] == "llama3.2"
        assert asked[0]["tools"][0]["function"]["name"] == "calculate_sum"


def test_the_served_assistant_answers_as_documented(
    chat: tuple[str, list[dict[str, Any]]], tmp_path: pathlib.Path
) -> None:
    from helpers_cli import running

    (commands,) = [block for block in blocks("endpoints.md", "bash") if "rtnb serve" in block]
    serve, ask = (line.split("  #")[0] for line in commands.strip().splitlines())
    words = serve.replace("http://127.0.0.1:11434", chat[0]).replace("8765", "0").split()[1:]
    with running(*words, cwd=tmp_path) as command:
        url = command.line().partition(": ")[2]
        question = re.search('"(.*)"', ask)
        assert question is not None
        assert ask == f'rtnb ask "{question[1]}" --endpoint ws://127.0.0.1:8765/v1/realtime'
        done = rtnb("ask", question[1], "--endpoint", url, cwd=tmp_path)
    assert done.stdout.startswith("A lasting connection."), done.stderr


@pytest.mark.parametrize("name", PAGES)
def test_every_command_and_option_of_ours_exists(name: str, tmp_path: pathlib.Path) -> None:
    text = page(name)
    commands = set(
        re.findall(r"(?:^|`| )rtnb (ask|serve|relay|lab|check|[a-z]+)(?= --|`| \"| +#|\n)", text, re.MULTILINE)
    )
    assert commands
    helps = {each: rtnb(each, "--help", cwd=tmp_path) for each in commands}
    assert [each for each, done in helps.items() if done.returncode] == []
    told = "".join(done.stdout for done in helps.values())
    others = {"--num_pipelines", "--jinja", "--port"}
    assert set(re.findall(r"(?<=[` (])--[a-z_-]+", text)) - others - set(re.findall(r"--[a-z-]+", told)) == set()


def test_every_setting_in_the_tables_is_read_and_every_setting_that_is_read_is_in_them() -> None:
    named = set(re.findall(r"\b(?:RTNB|OPENAI|AZURE_OPENAI)_[A-Z_]+\b", page("endpoints.md") + page("relay.md")))
    source = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "rtnb").rglob("*.py"))
    read = set(re.findall(r'"((?:RTNB|OPENAI|AZURE_OPENAI)_[A-Z_]+)"', source))
    assert named - read == set()
    doors = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "rtnb" / "net").glob("*.py"))
    assert set(re.findall(r'"((?:RTNB|OPENAI|AZURE_OPENAI)_[A-Z_]+)"', doors)) - named == {
        "OPENAI_URL"
    }  # a name of Python's


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_pages_that_are_there(name: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page(name))
    assert links
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


def test_the_reasons_of_a_failure_are_those_that_are_raised() -> None:
    told = set(re.findall(r"`([a-z]+)`", page("endpoints.md").split("cause in one word")[1].split(".")[0]))
    files = [file for file in (ROOT / "rtnb").rglob("*.py") if "relay" not in file.name]
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    raised = set(re.findall(r'reason="([a-z]+)"', source))
    assert raised - told - {"missing"} == set(), raised - told
