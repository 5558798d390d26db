"""The check-up's rules: what is found in facts about versions, page, lanes, service and uplink."""

from __future__ import annotations

import datetime
from dataclasses import replace

import httpx
import pytest

from rtnb.core.check_facts import Kernel, Lane, Page
from rtnb.core.check_rules import (
    PCM_BYTES_S,
    PCMU_BYTES_S,
    engine_rows,
    front_end_row,
    inputs,
    lane_rows,
    microphone_rows,
    upload_row,
)
from rtnb.core.checkup import CheckUp, Row
from rtnb.core.known_trouble import model_finding, package_findings, release
from rtnb.net.endpoints import resolve
from rtnb.net.service_check import ask_models, models_url, service_rows
from rtnb.notebook.checkup import place_of

KEY = "sk-" + "k" * 24
LAB = Page(app="JupyterLab", version="4.6.6", browser="Chrome 156", host="localhost:8888", microphones=1)
LANES = [Lane("websocket", 0.7), Lane("control", 3.0, up=True, down=True)]
NOTEBOOK = Kernel(place="notebook", devices=0)


def best(kernel: Kernel, page: Page | None, lanes: list[Lane]) -> str:
    return CheckUp([], inputs(kernel, page, lanes)).best_input.name


# ---- versions and models


@pytest.mark.parametrize(("version", "found"), [("7.0.0", 1), ("7.3.9", 1), ("7.4.0", 0), ("6.31.0", 0), ("6.28.0", 1)])
def test_the_kernels_that_get_stuck_are_known(version: str, found: int) -> None:
    rows = package_findings({"ipykernel": version})
    assert [row.status for row in rows] == ["warning"] * found
    assert all("ipykernel>=7.4" in row.fix for row in rows)


def test_nest_asyncio_harms_only_where_it_was_imported() -> None:
    assert package_findings({"nest-asyncio": "1.6.0"}) == []
    (row,) = package_findings({"nest-asyncio": "1.6.0"}, ["nest_asyncio"])
    assert "%load_ext rtnb" in row.fix


def test_an_old_websockets_or_anywidget_is_a_problem() -> None:
    rows = package_findings({"websockets": "14.2", "anywidget": "0.9.17", "ipywidgets": "8.1.9"})
    assert [(row.name, row.status) for row in rows] == [("websockets", "problem"), ("anywidget", "problem")]


def test_odd_versions_stop_nothing() -> None:
    assert release("7.4.0rc1") == (7, 4, 0)
    assert release("unknown") == ()
    assert package_findings({"ipykernel": "unknown"}) == []


@pytest.mark.parametrize(
    ("model", "day", "status"),
    [
        ("gpt-realtime", "2026-08-01", "ok"),
        ("gpt-realtime", "2026-11-21", "warning"),
        ("gpt-realtime-mini-2025-12-15", "2027-01-20", "problem"),
        ("gpt-4o-realtime-preview-2024-10-01", "2026-11-21", "problem"),
        ("whisper-1", "2026-12-30", "warning"),
        ("gpt-realtime-2.1-mini", "2030-01-01", "ok"),
        ("gpt-transcribe", "2030-01-01", "ok"),
    ],
)
def test_a_models_end_is_told_ahead(model: str, day: str, status: str) -> None:
    row = model_finding(model, datetime.date.fromisoformat(day))
    assert row.status == status
    assert bool(row.fix) == (status != "ok" or "will be" in row.text)


# ---- page, lanes, microphone


def test_the_front_end_is_named_with_how_it_was_found() -> None:
    assert front_end_row(NOTEBOOK, LAB).text == "JupyterLab 4.6.6, in Chrome 156 (the page says so)"
    assert "VS Code" in front_end_row(NOTEBOOK, Page(vscode=True)).text
    assert "Binder" in front_end_row(Kernel(place="binder"), LAB).text
    assert front_end_row(NOTEBOOK, None).status == "warning"
    assert front_end_row(Kernel(place="python"), None).status == "ok"


def test_the_best_lane_is_told_and_the_rest_does_not_matter() -> None:
    rows = CheckUp(lane_rows([Lane("websocket", None, "no connection"), *LANES[1:]], during_cell=False), [])
    assert "control" in rows["audio lane"].text
    assert rows["bytes"].status == "ok"
    assert "when the cell has ended" in rows["busy cell"].text


def test_widget_messages_alone_are_a_warning_with_what_to_do() -> None:
    rows = CheckUp(lane_rows([Lane("proxy", None, "404"), Lane("comm", 900.0, up=False)], during_cell=False), [])
    assert [row.status for row in rows] == ["warning"] * 3
    assert "proxy: 404" in rows["audio lane"].text
    assert "base64" in rows["bytes"].text
    assert rows["busy cell"].fix


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({}, "ok", "ask when you first record"),
        ({"permission": "granted"}, "ok", "allowed"),
        ({"permission": "denied"}, "problem", "refused"),
        ({"microphones": 0}, "problem", "no device"),
        ({"media": False}, "problem", "offers none"),
        ({"policy": False}, "problem", "server forbids"),
        ({"vscode": True}, "warning", "VS Code"),
        ({"secure": False, "host": "lab.example:8888"}, "problem", "http://lab.example:8888"),
    ],
)
def test_what_keeps_the_microphone_away_is_told(change: dict[str, object], status: str, words: str) -> None:
    page = replace(LAB, **{"permission": "prompt", **change})  # type: ignore[arg-type]
    rows = microphone_rows(page)
    assert rows[-1].status == status
    assert words in rows[-1].text
    assert bool(rows[-1].fix) == (status != "ok")
    assert (best(NOTEBOOK, page, LANES) == "browser microphone") == (status == "ok")


def test_a_page_that_sends_nonsense_is_taken_as_unknown() -> None:
    page = Page.from_message({"app": 5, "secure": "yes", "microphones": True, "host": "x" * 5000, "other": 1})
    assert page == Page(host="x" * 200)


def test_the_kernels_microphone_is_taken_only_where_it_can_be_the_users() -> None:
    with_one = replace(NOTEBOOK, devices=2)
    assert best(with_one, Page(vscode=True), []) == "kernel microphone"
    assert best(Kernel(place="python", devices=1), None, []) == "kernel microphone"
    far = replace(LAB, host="lab.example", secure=False)
    assert best(with_one, far, LANES) == "upload"
    assert best(replace(with_one, place="jupyterhub"), replace(LAB, microphones=0), LANES) == "upload"


def test_without_page_and_device_a_clip_then_spoken_then_typed_text_is_left() -> None:
    assert best(NOTEBOOK, None, []) == "clip"
    assert best(replace(NOTEBOOK, can_read_clips=False), None, []) == "spoken text"
    assert best(replace(NOTEBOOK, can_read_clips=False, can_speak=False), None, []) == "text"
    assert CheckUp([], []).best_input.name == "text"


@pytest.mark.parametrize(
    ("environment", "modules", "kernel", "place"),
    [
        ({}, [], True, "notebook"),
        ({"VSCODE_PID": "1"}, [], True, "vscode"),
        ({"BINDER_LAUNCH_HOST": "x", "JUPYTERHUB_USER": "y"}, [], True, "binder"),
        ({"JUPYTERHUB_USER": "y"}, [], True, "jupyterhub"),
        ({}, ["google.colab"], True, "colab"),
        ({}, [], False, "python"),
        ({}, ["marimo", "marimo._runtime.context"], False, "marimo"),
    ],
)
def test_the_surroundings_tell_the_place(
    environment: dict[str, str], modules: list[str], kernel: bool, place: str
) -> None:
    assert place_of(environment, dict.fromkeys(modules), kernel=kernel, ipython=False) == place


def test_missing_engines_are_warnings_and_say_what_stands_in() -> None:
    assert {row.status for row in engine_rows(detector=True, recogniser=True, voice=True)} == {"ok"}
    rows = engine_rows(detector=False, recogniser=False, voice=False)
    assert {row.status for row in rows} == {"warning"}
    assert all("rtnb[local]" in row.fix for row in rows)


# ---- service and uplink


def answered(status: int, body: object, model: str | None = None) -> list[Row]:
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(status, json=body, headers={"Location": "https://elsewhere.example/"})

    endpoint = resolve("openai", model=model, key=KEY, environment={})
    rows = service_rows(endpoint, ask_models(endpoint, transport=httpx.MockTransport(answer)))
    assert [str(request.url) for request in seen] == ["https://api.openai.com/v1/models"]
    assert seen[0].headers["Authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(rows)
    return rows


def test_a_key_and_a_model_that_are_there_are_well() -> None:
    rows = answered(200, {"data": [{"id": "gpt-realtime-2.1"}, {"id": "tts-1"}]}, "gpt-realtime-2.1")
    assert [(row.name, row.status) for row in rows] == [("key", "ok"), ("model", "ok")]


def test_a_model_that_is_not_there_is_a_problem_that_names_others() -> None:
    (row,) = [row for row in answered(200, {"data": [{"id": "gpt-realtime-2.1"}]}, "gpt-x") if row.name == "model"]
    assert row.status == "problem"
    assert "gpt-realtime-2.1" in row.fix


@pytest.mark.parametrize(
    ("status", "found"), [(401, "problem"), (403, "problem"), (429, "warning"), (500, "warning"), (302, "warning")]
)
def test_a_refusal_is_told_without_the_key(status: int, found: str) -> None:
    (row,) = answered(status, {"error": {"message": f"Incorrect API key provided: {KEY}"}})
    assert (row.name, row.status) == ("key", found)


def test_an_odd_answer_stops_nothing() -> None:
    assert [row.status for row in answered(200, ["what"])] == ["ok"]
    assert [row.status for row in answered(200, {"data": [1, {"no": "id"}]})] == ["ok"]


def test_a_network_that_fails_is_told_in_words() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(f"no route, {KEY}")

    endpoint = resolve("openai", key=KEY, environment={})
    (row,) = service_rows(endpoint, ask_models(endpoint, transport=httpx.MockTransport(fail)))
    assert (row.name, row.status) == ("network", "problem")
    assert KEY not in row.text


def test_where_the_models_are_is_not_guessed() -> None:
    assert models_url(resolve("ws://127.0.0.1:9/v1/realtime", environment={})) == "http://127.0.0.1:9/v1/models"
    odd = resolve("ws://127.0.0.1:9/talk", environment={})
    assert models_url(odd) is None
    assert [row.status for row in service_rows(odd, ask_models(odd))] == ["ok"]


def test_a_slow_uplink_gets_advice_and_a_fast_one_none() -> None:
    fast, binder = upload_row(10 * PCM_BYTES_S), upload_row(125_000)
    assert (fast.status, fast.fix) == ("ok", "")
    assert binder.status == "warning"
    assert "1.0 Mbit/s" in binder.text
    assert "audio/pcmu" in binder.fix
    assert upload_row(PCM_BYTES_S / 2).status == "problem"
    assert "any microphone" in upload_row(PCMU_BYTES_S / 2).text


# ---- the value


def test_a_check_up_shows_itself_as_text_table_and_values() -> None:
    found = CheckUp([Row("key", "problem", "<refused>", "check it"), Row("voice", "ok", "there", "not shown")], [])
    assert not found.ok
    assert "fix: check it" in repr(found)
    assert "not shown" not in repr(found)
    html = found._repr_html_()
    assert "&lt;refused&gt;" in html
    assert "<refused>" not in html
    assert found.to_dict()["rows"][0]["fix"] == "check it"
    assert found["key"].fix == "check it"
    with pytest.raises(KeyError, match="voice"):
        found["nothing"]
