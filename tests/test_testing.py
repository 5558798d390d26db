"""`rtnb.testing` as an app developer uses it: the page's examples in a folder of their own, with OpenAI's client."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from helpers_cli import environment

import rtnb
from rtnb.testing import KEY, ScriptedEndpoint, call, local_endpoint, make_local_endpoint, when

__all__ = ["local_endpoint", "make_local_endpoint"]

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n# (\S+\.py)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def run_pytest(folder: pathlib.Path, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words],
        cwd=folder,
        env={**environment(), "PYTEST_ADDOPTS": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_the_examples_of_the_page_pass(tmp_path: pathlib.Path) -> None:
    assert [name for name, _ in BLOCKS] == ["conftest.py", "test_app.py", "test_options.py"]
    for name, code in BLOCKS:
        (tmp_path / name).write_text(code)
    done = run_pytest(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 passed" in done.stdout


def test_an_app_that_asks_wrongly_fails_its_test(tmp_path: pathlib.Path) -> None:
    (tmp_path / "conftest.py").write_text(BLOCKS[0][1])
    (tmp_path / "test_it.py").write_text(
        textwrap.dedent("""
            import rtnb

            def test_both_modalities(local_endpoint):
                with rtnb.Session(local_endpoint) as session:
                    session.update(config={"output_modalities": ["text", "audio"]})
        """)
    )
    done = run_pytest(tmp_path)
    assert done.returncode == 1
    assert "1 failed" in done.stdout


def test_the_commands_and_files_that_the_page_names_are_there() -> None:
    from helpers_cli import rtnb as command

    assert "serve" in PAGE
    assert command("serve", "--help", cwd=ROOT).returncode == 0
    assert os.path.exists(ROOT / "docs" / "testing.md")


def test_without_a_script_each_answer_has_its_number(local_endpoint: ScriptedEndpoint) -> None:
    with rtnb.Session(local_endpoint, output="text") as session:
        assert [session.ask("hello").text for _ in range(2)] == ["Test answer 1.", "Test answer 2."]
    assert len(local_endpoint.requests) == 2


def test_rules_stand_beside_the_numbered_answers(local_endpoint: ScriptedEndpoint) -> None:
    local_endpoint.script(when("weather", "Sunny."))
    with rtnb.Session(local_endpoint, output="text") as session:
        assert session.ask("How is the weather?").text == "Sunny."
        assert session.ask("And you?").text == "Test answer 2."
        assert session.ask("The weather again?").text == "Sunny."


def test_a_tool_round_is_a_call_and_then_a_text(local_endpoint: ScriptedEndpoint) -> None:
    local_endpoint.script(call("double", n=4), "Eight.")

    def double(n: int) -> int:
        """Double a number."""
        return 2 * n

    with rtnb.Session(local_endpoint, output="text", tools=[double]) as session:
        reply = session.ask("Double four.")
        assert reply.text == "Eight."
        assert reply.tool_calls[0].output == "8"


def test_a_spoken_turn_is_understood_as_told_and_answered_in_sound(local_endpoint: ScriptedEndpoint) -> None:
    local_endpoint.understand("What time is it?")
    local_endpoint.script("Ten past four.")
    t = np.arange(24_000) / 24_000
    spoken = rtnb.Audio.from_array(np.concatenate([0.3 * np.sin(2 * np.pi * 300 * t), np.zeros(24_000)]), 24_000)
    with rtnb.Session(local_endpoint, turn_detection="server_vad") as session:
        session.append_audio(spoken)
        heard = session.wait("conversation.item.input_audio_transcription.completed", after=-1)
        assert heard["transcript"] == "What time is it?"
        session.wait("response.done", after=-1)
        assert session.replies[0].text == "Ten past four."
        assert session.replies[0].audio.seconds == pytest.approx(3 * 0.06)


def test_its_environment_is_enough_for_a_program(local_endpoint: ScriptedEndpoint, tmp_path: pathlib.Path) -> None:
    local_endpoint.script("From the environment.")
    code = "import rtnb\nprint(rtnb.Session(output='text').ask('hi').text)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**environment(), **local_endpoint.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == ["From the environment."], done.stderr
    assert KEY not in done.stdout + done.stderr
    assert local_endpoint.base_url.startswith("http://127.0.0.1:")


def test_each_test_gets_endpoints_of_its_own(make_local_endpoint: object) -> None:
    first, second = make_local_endpoint("one"), make_local_endpoint("two")  # type: ignore[operator]
    assert first.url != second.url
    with rtnb.Session(second, output="text") as session:
        assert session.ask("hi").text == "two"
    assert first.requests == []
