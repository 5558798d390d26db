"""%%realtime in an IPython shell, against the local endpoint."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from typing import Any

import pytest
from helpers_session import Lab, lab
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

import rtnb
from rtnb.notebook import magics
from rtnb.session.reply import Reply

__all__ = ["lab"]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    made = InteractiveShell.instance()
    made.user_ns.clear()
    made.init_user_ns()
    magics.register(made)
    yield made
    for value in list(made.user_ns.values()):
        if isinstance(value, rtnb.Session):
            value.close()
    InteractiveShell.clear_instance()


def run(shell: InteractiveShell, line: str, cell: str | None = "Hello") -> Any:
    if cell is None:
        return shell.run_line_magic("realtime", line)
    return shell.run_cell_magic("realtime", line, cell)


def test_the_text_of_the_cell_is_asked_of_the_session_in_the_variable(shell: InteractiveShell, lab: Lab) -> None:
    shell.user_ns["session"] = session = lab.session("Hello to you.")
    reply = run(shell, "", "  Say hello\nplease\n")
    assert isinstance(reply, Reply)
    assert reply.text == "Hello to you."
    assert session.items[0].text == "Say hello\nplease"


def test_the_reply_is_in_the_underscore_afterwards(
    shell: InteractiveShell, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(builtins, "_", raising=False)  # doctests leave one, and IPython then leaves its own alone
    shell.user_ns["session"] = lab.session("Hello to you.")
    assert shell.run_cell("%%realtime\nSay hello", store_history=True).success
    assert shell.run_cell("text = _.text", store_history=True).success
    assert shell.user_ns["text"] == "Hello to you."


def test_a_session_is_made_when_there_is_none_and_used_again(
    shell: InteractiveShell, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.serve("One.", "Two.")
    monkeypatch.setenv("RTNB_ENDPOINT", lab.endpoint.url)
    assert run(shell, '--session talk -o text -i "Be brief." -m gpt-realtime').text == "One."
    session = shell.user_ns["talk"]
    assert session.settings["instructions"] == "Be brief."
    assert session.model == "gpt-realtime"
    assert session.settings["output_modalities"] == ["text"]
    assert run(shell, "-s talk").text == "Two."
    assert shell.user_ns["talk"] is session


def test_the_endpoint_of_a_new_session_can_be_named(shell: InteractiveShell, lab: Lab) -> None:
    lab.serve("One.", "Two.")
    assert run(shell, f"-o text -e {lab.endpoint.url}").text == "One."
    first = shell.user_ns["session"]
    with pytest.raises(UsageError, match="--new"):
        run(shell, f"-e {lab.endpoint.url}")
    assert run(shell, f"--new -o text -e {lab.endpoint.url}").text == "Two."
    assert first.state.value == "closed"


def test_options_change_the_session_that_is_there(shell: InteractiveShell, lab: Lab) -> None:
    shell.user_ns["session"] = session = lab.session("One.", "Two.")
    run(shell, "-v cedar -o audio -m gpt-realtime").wait()
    assert session.settings["audio"]["output"]["voice"] == "cedar"
    assert session.items[-1].audio_ms > 0, "this answer is spoken"
    with pytest.raises(UsageError, match="connected with gpt-realtime"):
        run(shell, "-m another")
    assert run(shell, "").items[0].audio_ms == 0, "the next one is written, as the session has it"


def test_one_line_asks_too_and_an_apostrophe_is_one(shell: InteractiveShell, lab: Lab) -> None:
    shell.user_ns["session"] = session = lab.session("Noon.")
    assert run(shell, "What's the time?", None).text == "Noon."
    assert session.items[0].text == "What's the time?"


def test_help_tells_the_options_and_asks_nothing(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(shell, "-h", None) is None
    assert run(shell, "--help") is None
    told = capsys.readouterr().out
    for option in ("--session", "--voice", "--output", "--model", "--instructions", "examples:"):
        assert option in told
    assert "session" not in shell.user_ns


@pytest.mark.parametrize(
    ("line", "cell", "words"),
    [
        ("--colour red", "Hello", "unrecognized arguments: --colour"),
        ("-o both", "Hello", "invalid choice"),
        ("Hello", "there", "stands in the lines below"),
        ("", "   ", "there is no question"),
        ("", None, "there is no question"),
        ("-s 4you", "Hello", "no name of a variable"),
        ("-s number", "Hello", "holds no session but int"),
        ('-i "open', "Hello", "double quotes"),
    ],
)
def test_a_mistake_is_said_in_one_line(shell: InteractiveShell, line: str, cell: str | None, words: str) -> None:
    shell.user_ns["number"] = 4
    with pytest.raises(UsageError, match=words):
        run(shell, line, cell)


def test_loading_the_extension_makes_the_magic_known_and_unloading_takes_it_away(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nest_asyncio2.apply", lambda: None)
    shell.extension_manager.loaded.discard("rtnb")
    shell.magics_manager.magics["cell"].pop("realtime")
    rtnb.load_ipython_extension(shell)
    assert shell.find_cell_magic("realtime") is not None
    from rtnb.notebook.extension import unload_ipython_extension

    unload_ipython_extension(shell)
    assert shell.find_cell_magic("realtime") is None
