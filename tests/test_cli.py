"""`rtnb`, `rtnb ask`: what is printed where, and the exit codes."""

from __future__ import annotations

import asyncio
import pathlib
import re
import subprocess
import sys

import pytest
from helpers_cli import RTNB, environment, rtnb, running

from rtnb import LocalEndpoint, __version__
from rtnb.local.brains import ScriptBrain, fail, wait

SUMMARY = re.compile(r"\[first word \d+\.\d\d s, total \d+\.\d\d s, \d+ tokens in, \d+ out, free \(.*\)\]")
KEY = "sk-" + "x" * 24


def test_the_version_is_told(tmp_path: pathlib.Path) -> None:
    assert rtnb("--version", cwd=tmp_path).stdout == f"rtnb {__version__}\n"


def test_the_installed_command_is_the_same(tmp_path: pathlib.Path) -> None:
    command = pathlib.Path(sys.executable).with_name("rtnb")
    done = subprocess.run([command, "--version"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"rtnb {__version__}\n"


def test_without_a_command_it_shows_what_there_is(tmp_path: pathlib.Path) -> None:
    done = rtnb(cwd=tmp_path)
    assert done.returncode == 2
    assert all(f"    {command} " in done.stdout for command in ("lab", "ask", "serve"))


@pytest.mark.parametrize(
    "words",
    [
        ["sing"],
        ["ask"],
        ["ask", "hello", "--output", "smell"],
        ["ask", "hello", "--timeout", "0"],
        ["serve", "--port", "65536"],
        ["serve", "--port", "-1"],
        ["serve", "--chat-url", "http://127.0.0.1:1"],
        ["serve", "--brain", "chat"],
        ["serve", "--brain", "practice", "--chat-url", "http://127.0.0.1:1", "--chat-model", "m"],
    ],
)
def test_what_is_typed_wrongly_is_told_with_exit_code_2(words: list[str], tmp_path: pathlib.Path) -> None:
    done = rtnb(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("rtnb")
    assert "Traceback" not in done.stderr


def test_ask_prints_the_answer_and_one_line_about_it(tmp_path: pathlib.Path) -> None:
    done = rtnb("ask", "What is 4 plus 6?", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    *answer, last = done.stdout.splitlines()
    assert "10" in " ".join(answer)
    assert SUMMARY.fullmatch(last), last
    assert done.stderr.count("\n") == 1
    assert "local endpoint" in done.stderr
    assert "costs nothing" in done.stderr


def test_a_voice_means_a_spoken_answer_and_its_words_are_printed(tmp_path: pathlib.Path) -> None:
    with LocalEndpoint(brain=ScriptBrain("Ten, of course.")) as endpoint:
        done = rtnb("ask", "hi", "--voice", "marin", "--endpoint", endpoint.url, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "Ten, of course."


def test_the_answer_is_printed_while_it_comes(tmp_path: pathlib.Path) -> None:
    brain = ScriptBrain(["The first line.\n", wait(asyncio.Event()), "Never."])
    with (
        LocalEndpoint(brain=brain, pace=None) as endpoint,
        running("ask", "hi", "--endpoint", endpoint.url, cwd=tmp_path) as command,
    ):
        assert command.line() == "The first line."
        assert command.process.poll() is None


def test_instructions_and_model_reach_the_endpoint(tmp_path: pathlib.Path) -> None:
    with LocalEndpoint(brain=ScriptBrain("Yes."), models=["my-model"]) as endpoint:
        words = ["ask", "hi", "--model", "my-model", "--instructions", "Be short.", "--endpoint", endpoint.url]
        done = rtnb(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "Yes."
    assert "price unknown" in done.stdout
    assert "my-model" in done.stderr


def test_no_answer_in_time_is_told(tmp_path: pathlib.Path) -> None:
    with LocalEndpoint(brain=ScriptBrain([wait(asyncio.Event())])) as endpoint:
        done = rtnb("ask", "hi", "--timeout", "1.5", "--endpoint", endpoint.url, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "rtnb ask: no complete answer within 1.5 s; --timeout gives it more"


def test_a_failed_answer_is_one_sentence_after_what_had_come(tmp_path: pathlib.Path) -> None:
    with LocalEndpoint(brain=ScriptBrain(["It begins", fail("the model fell over")])) as endpoint:
        done = rtnb("ask", "hi", "--endpoint", endpoint.url, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines()[:1] == ["It begins"]
    assert "the model fell over" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--endpoint", "ws://127.0.0.1:1/v1/realtime"], "nothing listens at"),
        (["--endpoint", "openai"], "needs a key"),
        (["--endpoint", "somewhere"], "is no endpoint"),
    ],
)
def test_what_cannot_be_reached_is_one_sentence(words: list[str], said: str, tmp_path: pathlib.Path) -> None:
    done = rtnb("ask", "hi", *words, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    last = done.stderr.splitlines()[-1]
    assert last.startswith("rtnb ask: ")
    assert said in last
    assert "Traceback" not in done.stderr


def test_a_refused_key_appears_nowhere(tmp_path: pathlib.Path) -> None:
    with LocalEndpoint(key="another") as endpoint:
        done = rtnb("ask", "hi", "--endpoint", endpoint.url, cwd=tmp_path, env={"RTNB_API_KEY": KEY})
    assert done.returncode == 1
    assert KEY not in done.stdout + done.stderr
    assert "key" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_key_in_a_env_file_is_found_and_the_price_is_announced(tmp_path: pathlib.Path) -> None:
    (tmp_path / ".env").write_text(f"OPENAI_API_KEY={KEY}\n")
    code = "import rtnb; print(rtnb.Session().endpoint)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith("OpenAI, ")
    assert "costs money" in done.stdout
    assert KEY not in done.stdout


def test_a_reader_that_goes_away_is_no_error_with_a_traceback(tmp_path: pathlib.Path) -> None:
    with LocalEndpoint(brain=ScriptBrain(["a line\n"] * 200)) as endpoint:
        command = [*RTNB, "ask", "hi", "--endpoint", endpoint.url]
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.close()
        _, error = process.communicate(timeout=60)
    assert b"Traceback" not in error, error
    assert b"Exception ignored" not in error, error
