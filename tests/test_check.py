"""`rtnb.check` and ``rtnb check`` as they run: a program, a terminal, a page, a service that is not there."""

from __future__ import annotations

import asyncio
import json
import pathlib
import sys
import threading
from collections.abc import Iterator

import pytest
from helpers_cli import rtnb
from websockets.asyncio.client import connect

import rtnb as package
from rtnb import LocalEndpoint
from rtnb.notebook import checkup
from rtnb.notebook.checkup import check_endpoint
from rtnb.notebook.checkup_page import PageLook
from rtnb.notebook.lane_hub import Hub

KEY = "sk-" + "k" * 24


@pytest.fixture
def look() -> Iterator[PageLook]:
    made = PageLook()
    yield made
    made.close()
    Hub.shared().close()


async def answer(look: PageLook, *reports: dict[str, object]) -> None:
    address = look._address
    async with connect(f"ws://127.0.0.1:{address['port']}/", proxy=None) as socket:
        await socket.send(json.dumps({"kind": "hello", "token": address["token"], "page": "p", "lane": "websocket"}))
        for report in reports:
            await socket.send(json.dumps(report))
        await asyncio.to_thread(look.wait, 10)


def test_a_program_learns_what_works_without_a_page() -> None:
    found = package.check("local")
    assert found.ok, found
    assert found["front end"].text.startswith("none")
    assert found["key"].text == "none is needed, and none is used"
    assert found.best_input.name in ("kernel microphone", "clip")
    assert "versions" in repr(found)


async def test_what_the_page_tells_becomes_facts(look: PageLook) -> None:
    lanes = [{"name": "websocket", "ms": 0.8}, {"name": "control", "ms": None, "why": "no"}, "nonsense", {}]
    facts = {"app": "JupyterLab", "secure": True, "microphones": 2, "permission": "granted"}
    await answer(look, {"kind": "facts", "facts": facts}, {"kind": "lanes", "lanes": lanes})
    assert look.page is not None
    assert (look.page.app, look.page.microphones) == ("JupyterLab", 2)
    assert [(lane.name, lane.ms) for lane in look.found] == [("websocket", 0.8), ("control", None), ("", None)]
    assert look.during_cell is False


def test_nobody_who_answers_ends_the_wait(look: PageLook) -> None:
    assert look.wait(0.2) is None


def test_an_answer_that_came_between_cells_is_found_by_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    first = PageLook()
    first.on_message({"kind": "facts", "facts": {"app": "Some front end"}}, b"")
    first.on_message({"kind": "lanes", "lanes": [{"name": "comm", "ms": 3000.0}]}, b"")
    monkeypatch.setattr(checkup, "_last_look", first)
    page, lanes, during_cell = checkup._look(0.2)
    assert page is not None
    assert page.app == "Some front end"
    assert [lane.name for lane in lanes] == ["comm"]
    assert during_cell is False
    assert checkup._last_look is not None
    checkup._last_look.close()
    Hub.shared().close()


def test_a_service_that_is_not_there_is_a_problem_and_not_an_exception() -> None:
    rows = check_endpoint("ws://127.0.0.1:9/v1/realtime", timeout=2)
    assert rows[-1].status == "problem"
    assert rows[-1].name == "network"
    assert check_endpoint("no address")[0].status == "problem"


def test_a_server_on_this_machine_is_asked_and_measured() -> None:
    with LocalEndpoint(key=KEY) as endpoint:
        rows = check_endpoint(endpoint.url, key=KEY, upload=True)
        assert [row.name for row in rows if row.name in ("key", "upload")] == ["key", "upload"]
        assert "Mbit/s" in rows[-1].text or "kbit/s" in rows[-1].text
        wrong = check_endpoint(endpoint.url, key="sk-" + "w" * 24, upload=True)
        assert any(row.status != "ok" for row in wrong)
        assert "w" * 24 not in repr(wrong)


def test_a_look_that_hangs_becomes_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    work = checkup._Background(lambda: gate.wait() and [], 0.05)
    (row,) = work.rows()
    gate.set()
    assert row.status == "problem"
    assert "in time" in row.text


def test_a_look_that_fails_becomes_a_row_without_the_key() -> None:
    def fail() -> list[object]:
        raise ValueError(f"odd {KEY}")

    (row,) = checkup._Background(fail, 5).rows()  # type: ignore[arg-type]
    assert row.status == "problem"
    assert KEY not in row.text


def test_the_command_prints_rows_and_ends_with_0(tmp_path: pathlib.Path) -> None:
    done = rtnb("check", "--endpoint", "local", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("ok")
    assert "Best input here" in done.stdout


def test_the_command_ends_with_1_on_a_problem_and_speaks_json(tmp_path: pathlib.Path) -> None:
    done = rtnb("check", "--endpoint", "ws://127.0.0.1:9/v1/realtime", "--json", "--timeout", "3", cwd=tmp_path)
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["ok"] is False
    assert any(row["status"] == "problem" and row["fix"] for row in told["rows"])


def test_it_loads_nothing_that_the_import_of_rtnb_would_not(tmp_path: pathlib.Path) -> None:
    import subprocess

    code = "import sys, rtnb; print([m for m in ('httpx', 'anywidget', 'matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
