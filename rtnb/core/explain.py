"""`explain`: what an event, an error or a code means, what causes it, and what to do.

The words stand in tables: events in `rtnb.core.explain_events`, codes and outcomes in `explain_codes`, errors of rtnb
and close codes in `explain_errors`, names of the 2024 beta in `rtnb.core.dialects`, fields of other APIs in
`rtnb.core.lint_tables`: the lint has the same words.

Imports these tables, `rtnb.core.items`, `rtnb.core.lint` and `rtnb.core.log`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from html import escape
from typing import Any, Final, TypeAlias

from rtnb.core.dialects import RENAMED
from rtnb.core.errors import ConnectionClosed, ConnectionFailed, ResponseFailed, ServerError, redact
from rtnb.core.explain_codes import CODES, REASONS, RTNB_CODES
from rtnb.core.explain_errors import CLOSES, CONNECTING, ERRORS
from rtnb.core.explain_events import CLIENT, OWN, SERVER
from rtnb.core.explain_short import refusal, renamed
from rtnb.core.items import Response
from rtnb.core.lint import Finding, lint
from rtnb.core.log import Entry

__all__ = ["Explanation", "explain", "known_names"]

_Told: TypeAlias = tuple[str, str, str]

_SOURCES: Final = (
    ("event that a client sends (realtime protocol)", CLIENT),
    ("event that the server sends (realtime protocol)", SERVER),
    ("error code of the service", {code: told for code, told in CODES.items() if code not in RTNB_CODES}),
    ("outcome of a response (realtime protocol)", REASONS),
    ("error of rtnb", ERRORS),
    ("reason of rtnb.ConnectionFailed", CONNECTING),
    ("name that session.on knows", OWN),
    ("error code of rtnb: of the local endpoint, a replay or a lost connection", RTNB_CODES),
)
"""Where a name is looked for, in this order, and what it is then."""

_BETA: Final = "name of the 2024 beta"


@dataclass(frozen=True)
class Explanation:
    """What something means.

    Attributes
    ----------
    name : str
        What is explained: the name of an event, a code, a class of errors.
    what : str
        What it is.
    cause : str
        Why it comes.
    fix : str
        What to do.
    source : str
        What kind of name it is, and so where the words come from.
    """

    name: str
    what: str
    cause: str = ""
    fix: str = ""
    source: str = ""

    def to_dict(self) -> dict[str, str]:
        """As plain values."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.what}"]
        lines += [f"  {label}: {text}" for label, text in self._parts()]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _parts(self) -> Iterator[tuple[str, str]]:
        if self.cause:
            yield "why", self.cause
        if self.fix:
            yield "what to do", self.fix
        if self.source:
            yield "it is", self.source

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<dt style='font-weight:normal;opacity:.75'>{label}</dt><dd>{_marked(text)}</dd>"
            for label, text in self._parts()
        )
        return f"<div><code>{escape(self.name)}</code>: {_marked(self.what)}<dl style='margin:.3em 0'>{rows}</dl></div>"


def _marked(text: str) -> str:
    """HTML of a text in which ``code`` stands in backticks."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text, quote=False))


def explain(thing: object) -> Explanation:
    """Explain an event, an error, or the name or code of one. Never raises, whatever it is given.

    Parameters
    ----------
    thing
        An event (a dict, or an entry of ``session.events``); an exception; a response, or a reply that failed; the name
        of an event; an error code, the reason of a failed or cancelled response, a WebSocket close code; a name or
        field of the 2024 beta; what `rtnb.lint` found.

    Examples
    --------
    >>> explain("cannot_update_voice")
    cannot_update_voice: The voice is fixed once the model has spoken.
      why: A `session.update` with another voice; none of its other settings was taken either.
      what to do: Set the voice before the first answer, or open a new session.
      it is: error code of the service
    >>> explain("session.voice").what
    '`session.voice` was renamed to `session.audio.output.voice`; the old name was valid until May 2026.'
    """
    if isinstance(thing, Entry):
        return _event(thing.event, is_client=thing.direction == "client")
    if isinstance(thing, Mapping):
        return _event(thing)
    if isinstance(thing, BaseException):
        return _error(thing)
    if isinstance(thing, type) and issubclass(thing, BaseException):
        return _class(thing)
    if isinstance(thing, Finding):
        return Explanation(thing.param or "the event", thing.message, "", thing.fix, "found by rtnb.lint")
    if isinstance(thing, int) and not isinstance(thing, bool):
        return _close(thing)
    if isinstance(thing, Response):
        return _done({"response": {"status": thing.status, "status_details": thing.status_details}})
    if isinstance(error := getattr(thing, "error", None), BaseException):  # a reply that failed
        return _error(error)
    return _name(thing) if isinstance(thing, str) else _nothing(type(thing).__name__)


# ---- names -----------------------------------------------------------------------------------------------------------


def known_names() -> set[str]:
    """Every name and code that there is an explanation for."""
    return {name for _, table in _SOURCES for name in table} | set(RENAMED) | {str(code) for code in CLOSES}


def _name(name: str) -> Explanation:
    name = name.strip()
    if (beta := _beta(name)) is not None:
        return beta
    for source, table in _SOURCES:
        if (told := table.get(name)) is not None:
            return Explanation(name, *told, source)
    if name.isdigit():
        return _close(int(name))
    if re.fullmatch(r"http_\d{3}", name):
        what = f"The chat endpoint behind the local one answered with HTTP status {name[5:]}."
        return Explanation(name, what, "The message has its words.", "Its own log says more.", _SOURCES[-1][0])
    last = name.rpartition(".")[2]
    if "." in name and last in CODES:  # the reason of a close: invalid_request_error.invalid_model
        return _name(last)
    field = refusal("unknown_parameter", None, name) if "." in name else None
    if field is not None and field != CODES["unknown_parameter"]:
        return Explanation(name, *field, "field that the service does not take")
    return _nothing(name)


def _beta(name: str) -> Explanation | None:
    told = renamed(name)
    if told is None or name in SERVER:
        return None
    new = RENAMED[name]
    return Explanation(name, told[0], told[1], f"Listen to `{new}`." if new in SERVER else told[2], _BETA)


def _close(code: int) -> Explanation:
    told = CLOSES.get(code)
    if told is not None:
        return Explanation(str(code), *told, "close code of the WebSocket")
    if 3000 <= code < 5000:
        what, cause = "The server closed the connection with a code of its own.", "Its reason says more."
        return Explanation(str(code), what, cause, "Read `error.reason`.", "close code of the WebSocket")
    return _nothing(str(code))


def _nothing(name: str) -> Explanation:
    name = redact(name)
    near = difflib.get_close_matches(name, sorted(known_names()), n=1)
    fix = f"Did you mean `{near[0]}`?" if near else "Give an event, an error, the name of an event, or an error code."
    return Explanation(name[:80], "rtnb does not know this name.", "", fix)


# ---- events ----------------------------------------------------------------------------------------------------------


def _event(event: Mapping[str, Any], *, is_client: bool | None = None) -> Explanation:
    name = event.get("type")
    if not isinstance(name, str):
        return Explanation("no event", "It has no `type`, so it is no event.", "", 'Add `"type": "..."`.')
    if name == "error":
        return _error(ServerError(event))
    if name == "response.done":
        return _done(event)
    if is_client or name in CLIENT:
        errors = [finding for finding in lint(event) if finding.severity == "error"]
        if errors:
            found = _name(name)
            causes, fixes = [each.message for each in errors[:3]], [each.fix for each in errors[:3]]
            what = f"{found.what} This one would be refused."
            return Explanation(name, what, " ".join(causes), " ".join(dict.fromkeys(fixes)), found.source)
    return _name(name)


def _done(event: Mapping[str, Any]) -> Explanation:
    response = event.get("response")
    response = response if isinstance(response, Mapping) else {}
    status, details = response.get("status"), response.get("status_details")
    details = details if isinstance(details, Mapping) else {}
    if status == "failed":
        return _error(ResponseFailed("the response failed", response=response))
    told = REASONS.get(str(details.get("reason"))) or REASONS.get(str(status))
    what = SERVER["response.done"][0]
    if told is None or status == "completed":
        return Explanation("response.done", what, *SERVER["response.done"][1:], _SOURCES[1][0])
    return Explanation(f"response.done ({status})", told[0], told[1], told[2], _SOURCES[1][0])


# ---- errors ----------------------------------------------------------------------------------------------------------


def _error(error: BaseException) -> Explanation:
    if isinstance(error, ServerError):
        return _refusal(error)
    if isinstance(error, ResponseFailed):
        return _failure(error)
    if isinstance(error, ConnectionFailed) and (told := CONNECTING.get(error.reason)) is not None:
        return Explanation(f"ConnectionFailed ({error.reason})", *told, _SOURCES[4][0])
    if isinstance(error, ConnectionClosed):
        found = _close(error.code)
        if (code := error.reason.rpartition(".")[2]) in CODES:
            found = _name(code)
        return Explanation(f"ConnectionClosed ({error.code})", found.what, found.cause, found.fix, _SOURCES[4][0])
    found = _class(type(error))
    return Explanation(found.name, found.what, redact(str(error)) or found.cause, found.fix, found.source)


def _class(kind: type[BaseException]) -> Explanation:
    for each in kind.__mro__:
        if (told := ERRORS.get(each.__name__)) is not None and each.__module__.startswith("rtnb."):
            return Explanation(kind.__name__, *told, _SOURCES[4][0])
    return Explanation(
        kind.__name__, "An error of Python or of another package, not one of rtnb.", "", "Read its text and traceback."
    )


def _refusal(error: ServerError) -> Explanation:
    name = error.code or error.type or "error"
    told = refusal(error.code, error.type, error.param)
    if told is None:
        return Explanation(name, *SERVER["error"], "error event of the server")
    is_general = told in (CODES.get(name), CODES.get(str(error.type)))
    where = f" It was at `{error.param}`." if error.param and is_general else ""
    return Explanation(name, told[0] + where, told[1], told[2], _SOURCES[2][0])


def _failure(error: ResponseFailed) -> Explanation:
    details = error.response.get("status_details")
    reason = details.get("error") if isinstance(details, Mapping) else None
    reason = reason if isinstance(reason, Mapping) else {}
    for key in ("code", "type"):
        if (told := CODES.get(str(reason.get(key)))) is not None:
            return Explanation(f"ResponseFailed ({reason[key]})", *told, _SOURCES[2][0])
    return Explanation("ResponseFailed", *ERRORS["ResponseFailed"], _SOURCES[4][0])
