"""Every event, code and error has an explanation; the page is made from them; the lint and the errors use them."""

from __future__ import annotations

import ast
import importlib
import pathlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest
from helpers_conversation import UNHURRIED
from hypothesis import given
from hypothesis import strategies as st

import rtnb
from rtnb.core.dialects import RENAMED
from rtnb.core.dialects_events import BETA_EVENTS
from rtnb.core.errors import BudgetSpent, ConnectionClosed, ConnectionFailed, ResponseFailed, RtnbError, ServerError
from rtnb.core.explain import Explanation, explain, known_names
from rtnb.core.explain_codes import CODES, REASONS
from rtnb.core.explain_errors import CLOSES, CONNECTING
from rtnb.core.explain_page import page
from rtnb.core.items import Response
from rtnb.core.lint import lint
from rtnb.core.log import EventLog
from rtnb.core.protocol import CLIENT_EVENTS, SERVER_EVENTS, session_update
from rtnb.local.brains import chat
from rtnb.replay import player

ROOT = pathlib.Path(rtnb.__file__).parents[1]
SOURCE = pathlib.Path(rtnb.__file__).parent


def is_known(found: Explanation) -> bool:
    return "rtnb does not know" not in found.what and bool(found.what and found.fix and found.source)


@pytest.mark.parametrize("name", sorted(CLIENT_EVENTS | SERVER_EVENTS))
def test_every_event_is_explained(name: str) -> None:
    found = explain(name)
    assert is_known(found)
    assert (found.name, bool(found.cause)) == (name, True)
    assert ("a client sends" in found.source) == (name in CLIENT_EVENTS)


def all_errors() -> list[type[RtnbError]]:
    for info in pkgutil.walk_packages(rtnb.__path__, "rtnb."):
        if not info.name.endswith(("__main__", "_child")):
            importlib.import_module(info.name)
    found = [RtnbError]
    for each in found:
        found += [kind for kind in each.__subclasses__() if kind.__module__.startswith("rtnb.")]
    return found


def test_every_error_of_rtnb_is_explained_by_its_own_name() -> None:
    kinds = all_errors()
    assert BudgetSpent in kinds
    for kind in kinds:
        found = explain(kind.__name__)
        assert is_known(found), kind
        assert explain(kind).what == found.what


OURS = [path for part in ("local", "net", "replay") for path in SOURCE.glob(f"{part}/**/*.py")]
CARRIERS = {"Problem": 0, "Violation": 0, "_refuse": 0, "_failed": 0, "problem_event": 0, "Breach": 1, "_problem": 2}
"""What is called with a code, and which of its arguments that is."""


def calls(paths: list[pathlib.Path]) -> Iterator[tuple[str, ast.Call]]:
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield getattr(node.func, "id", getattr(node.func, "attr", "")), node


def our_codes() -> set[str]:
    """Every code that an endpoint, a relay, a replay and the shapes write, and that a lost connection leaves."""
    codes: set[str] = set()
    paths = [*OURS, *SOURCE.glob("core/shape*.py"), *SOURCE.glob("core/reducers/*.py")]
    spoken = [
        path for path in paths if path.parent.name not in ("hearing", "voice")
    ]  # there `_failed` takes words only
    for name, call in calls(spoken):
        place = CARRIERS.get(name)
        if place is not None and len(call.args) > place:
            codes |= _strings(call.args[place])
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Dict):  # {"code": "server_error"}
                codes |= {code for key, value in zip(node.keys, node.values, strict=True) for code in _code(key, value)}
            elif isinstance(node, ast.FunctionDef) and node.name == "_why":  # gives code and words
                returns = [each.value for each in ast.walk(node) if isinstance(each, ast.Return)]
                codes |= {code for each in returns if isinstance(each, ast.Tuple) for code in _strings(each.elts[0])}
    return codes | {code for _, code in chat._CODES.values()} | {player.NOT_RECORDED}


def _code(key: ast.expr | None, value: ast.expr) -> set[str]:
    is_code = isinstance(key, ast.Constant) and key.value == "code"
    return _strings(value) if is_code else set()


def _strings(node: ast.expr) -> set[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {node.value}
    if isinstance(node, ast.JoinedStr):  # f"item_{verb}_invalid_item_id", f"{word}_below_min_value"
        text = "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        words = ("truncate", "retrieve", "delete") if text.startswith("item_") else ("integer", "decimal")
        return {text.replace("{}", word) for word in words}
    return set()


def our_closes() -> set[int]:
    """Every close code that stands in the source of what closes connections."""
    found: set[int] = set()
    for path in OURS:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and type(node.value) is int and 1000 < node.value < 1016:
                found.add(node.value)
    for name, call in calls(OURS):
        if name in ("close", "end", "_refuse", "Close", "Ending", "Breach"):
            values = [*call.args, *(each.value for each in call.keywords)]
            numbers = (each.value for each in values if isinstance(each, ast.Constant) and type(each.value) is int)
            found |= {number for number in numbers if number >= 1000}
    return found


def test_every_code_of_ours_is_explained() -> None:
    codes = our_codes()
    assert {"cannot_update_voice", "invalid_json", "unknown_parameter", "item_delete_invalid_item_id"} <= codes
    assert {"audio_unintelligible", "connection_lost", "not_in_recording", "upstream_unavailable"} <= codes
    assert {"insufficient_quota", "broken_stream", "connection_failed", "forbidden"} <= codes
    assert {code for code in (*codes, "http_502") if not is_known(explain(code))} == set()


def test_every_close_code_of_ours_is_explained_in_words_of_its_own() -> None:
    closes = our_closes()
    assert {1001, 1011, 1012, 1013, 1014, 3000, 4000} <= closes
    assert closes - set(CLOSES) == set()


# those of the protocol's reference that the local endpoint does not write
OTHERS = [
    "inference_rate_limit_exceeded",
    "insufficient_quota",
    "rate_limit_exceeded",
    "model_not_found",
    "account_deactivated",
    "billing_hard_limit_reached",
    "beta_api_shape_disabled",
    "server_error",
    "invalid_request_error",
]


@pytest.mark.parametrize("code", OTHERS)
def test_codes_that_only_the_service_sends_are_explained(code: str) -> None:
    assert is_known(explain(code))


@pytest.mark.parametrize("name", [*RENAMED, *BETA_EVENTS])
def test_every_name_of_the_beta_says_what_it_is_called_now(name: str) -> None:
    found = explain(name)
    assert is_known(found)
    assert RENAMED[name] in found.what
    if name not in SERVER_EVENTS:
        assert "the old name was valid until May 2026" in found.what


@pytest.mark.parametrize("code", [1000, 1001, 1005, 1006, 1009, 1011, 1012, 1013, 1015, 3000, 4000, 4004])
def test_close_codes_are_explained_as_number_and_as_text(code: int) -> None:
    assert is_known(explain(code))
    assert explain(str(code)) == explain(code)
    assert is_known(explain(ConnectionClosed("it ended", code=code)))


def test_every_reason_of_a_failed_connection_is_explained() -> None:
    used = set()
    for path in [*SOURCE.glob("net/*.py"), *SOURCE.glob("session/*.py")]:
        used |= set(re.findall(r'ConnectionFailed\([^)]*reason="(\w+)"', path.read_text(), re.DOTALL))
    used |= set(re.findall(r'"(\w+)"', ConnectionFailed.__doc__ or ""))
    assert len(used) > 10
    assert used <= set(CONNECTING)
    assert is_known(explain(ConnectionFailed("no", reason="proxy")))


# -- what it is given


def an_error(code: str | None, param: str | None = None, kind: str = "invalid_request_error") -> dict[str, Any]:
    return {"type": "error", "error": {"code": code, "type": kind, "param": param, "message": "No."}}


def test_an_error_event_is_explained_by_its_code() -> None:
    found = explain(an_error("cannot_update_voice"))
    assert found.what == CODES["cannot_update_voice"][0]
    assert found == explain(ServerError(an_error("cannot_update_voice")))
    assert explain(an_error(None)).what == CODES["invalid_request_error"][0]
    assert "at `session.tools`" in explain(an_error("invalid_type", "session.tools")).what


def test_an_unknown_field_that_is_the_betas_is_told_as_such() -> None:
    found = explain(an_error("unknown_parameter", "session.input_audio_transcription"))
    assert "was renamed to `session.audio.input.transcription`" in found.what
    assert "no `strict`" in explain(an_error("unknown_parameter", "session.tools[2].strict")).what


def test_an_entry_of_the_log_is_explained() -> None:
    log = EventLog()
    sent = log.append({"type": "response.create"}, "client", 0.0)
    assert explain(sent).what == explain("response.create").what


def test_a_finished_response_is_explained_by_its_outcome() -> None:
    def done(status: str, **details: Any) -> dict[str, Any]:
        return {"type": "response.done", "response": {"status": status, "status_details": details or None}}

    assert explain(done("completed")).name == "response.done"
    assert explain(done("cancelled", reason="turn_detected")).what == REASONS["turn_detected"][0]
    assert explain(done("incomplete", reason="max_output_tokens")).what == REASONS["max_output_tokens"][0]
    failed = explain(done("failed", error={"type": "tokens", "code": "rate_limit_exceeded", "message": "wait"}))
    assert failed.what == CODES["rate_limit_exceeded"][0]
    assert explain(done("failed")).what == explain("ResponseFailed").what


def test_a_response_and_a_failed_reply_are_explained() -> None:
    response = Response("resp_1")
    response.status, response.status_details = "incomplete", {"reason": "content_filter"}
    assert explain(response).what == REASONS["content_filter"][0]

    class Reply:
        error = ServerError(an_error("cannot_update_voice"))

    assert explain(Reply()).what == CODES["cannot_update_voice"][0]


def test_an_event_that_would_be_refused_is_explained_in_the_words_of_the_lint() -> None:
    event = session_update({"voice": "ash"})
    (finding,) = lint(event)
    found = explain(event)
    assert "would be refused" in found.what
    assert (found.cause, found.fix) == (finding.message, finding.fix)
    assert explain(finding).what == finding.message
    assert "would be refused" not in explain(session_update({"instructions": "hi"})).what


def test_a_close_with_a_reason_is_explained_by_that() -> None:
    closed = ConnectionClosed("no", code=4000, reason="invalid_request_error.missing_model")
    assert explain(closed).what == CODES["missing_model"][0]
    assert explain("invalid_request_error.missing_model").what == CODES["missing_model"][0]


def test_an_error_of_another_package_is_said_to_be_one() -> None:
    found = explain(KeyError("x"))
    assert "not one of rtnb" in found.what
    assert found.name == "KeyError"


def test_an_unknown_name_gets_the_nearest_one() -> None:
    assert "Did you mean `cannot_update_voice`?" in explain("canot_update_voice").fix
    assert "rtnb does not know" in explain(None).what


def test_a_key_is_not_repeated() -> None:
    key = "sk-" + "x" * 24
    for thing in (key, ValueError(f"with {key}"), {"type": key}):
        assert key not in str(explain(thing)), thing
        assert key not in explain(thing)._repr_html_()


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "error", "response", "code", "status", "status_details", "session"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@UNHURRIED
@given(ODD, st.sampled_from([None, "error", "response.done", "session.update", "response.create"]))
def test_nothing_makes_it_raise(thing: Any, name: str | None) -> None:
    if isinstance(thing, dict) and name is not None:
        thing = {**thing, "type": name}
    found = explain(thing)
    assert found.what
    assert str(found)
    assert found._repr_html_()


# -- how it is shown, and where it is used


def test_an_explanation_reads_well_in_a_terminal_and_a_cell() -> None:
    found = explain("response.cancel")
    assert str(found).splitlines()[0] == "response.cancel: Stops the answer that is under way."
    shown = found._repr_html_()
    assert "<code>reply.cancel()</code>" in shown
    assert "<script>" not in Explanation("<script>", "<script>", "`<script>`")._repr_html_()


def test_the_text_of_a_servers_error_says_what_it_means_and_what_to_do() -> None:
    text = str(ServerError(an_error("input_audio_buffer_commit_empty")))
    what, _, fix = CODES["input_audio_buffer_commit_empty"]
    assert text == f"input_audio_buffer_commit_empty: No. That means: {what} What to do: {fix}"
    assert "was renamed to `session.audio.output.voice`" in str(
        ServerError(an_error("unknown_parameter", "session.voice"))
    )
    assert str(ServerError(an_error("brand_new", kind="strange_error"))) == "brand_new: No."


def test_the_text_of_a_failed_response_says_what_it_means_and_what_to_do() -> None:
    response = {"status": "failed", "status_details": {"error": {"code": "insufficient_quota"}}}
    text = str(ResponseFailed("the response failed", response=response))
    assert text.endswith(f"What to do: {CODES['insufficient_quota'][2]}")
    assert str(ResponseFailed("the response failed")) == "the response failed"


def test_the_page_is_what_the_tables_give() -> None:
    committed = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    assert committed == page(), "run: python -m rtnb.core.explain_page > docs/troubleshooting.md"


def test_the_page_has_every_name_that_there_is() -> None:
    text = page()
    own = {name for name in known_names() if explain(name).source == "name that session.on knows"}
    assert {name for name in known_names() - own if f"`{name}`" not in text} == set()
    assert {str(code) for code in CLOSES} <= known_names()


def test_the_page_on_latency_defines_every_time() -> None:
    from dataclasses import fields

    from rtnb.core.accounts import MEANINGS
    from rtnb.core.latency import Latency

    text = (ROOT / "docs" / "latency.md").read_text(encoding="utf-8")
    names = [field.name for field in fields(Latency)]
    assert list(MEANINGS) == names
    assert [name for name in names if f"| `{name}` |" not in text] == []
