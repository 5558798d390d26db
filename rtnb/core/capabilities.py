"""What a server can do: learned from what it said, what it refused, and what is known of its kind.

Everything here is computed from the log, whenever it is asked for. A thing that was tried and never answered counts as
lacking; a thing that was never tried is not known, and says so.

Imports `rtnb.core.log`, `protocol`, `regular` and `tables`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rtnb.core.log import Entry, EventLog
from rtnb.core.protocol import Event
from rtnb.core.regular import REPAIRS
from rtnb.core.tables import Table

__all__ = ["Capabilities", "Capability", "capabilities_of"]


@dataclass(frozen=True, slots=True)
class Capability:
    """One thing that a server can do, or cannot.

    Attributes
    ----------
    name
        In one or two words: ``tools``, ``turn detection``.
    has
        True: it was seen, or is known; False: it is lacking; None: nobody tried yet.
    words
        What that means here, as a sentence.
    source
        ``seen``, ``refused``, ``missing``, ``known`` or ``untried``.
    """

    name: str
    has: bool | None
    words: str
    source: str

    def to_dict(self) -> dict[str, Any]:
        """One plain row."""
        return {
            "what": self.name,
            "has": {True: "yes", False: "no", None: "not known"}[self.has],
            "because": self.source,
            "in words": self.words,
        }


class Capabilities(Table[Capability]):
    """All of them; a capability is found by its name: ``session.capabilities["tools"].has``."""

    __slots__ = ("dialect",)

    columns = ("what", "has", "because", "in words")

    def __init__(self, rows: Iterable[Capability] = (), dialect: str | None = None) -> None:
        super().__init__(rows)
        self.dialect = dialect
        """What the server speaks: ``"ga"``, ``"beta"``, or None while that is not known."""

    def __getitem__(self, name: Any) -> Any:
        """The capability of that name, or at that place."""
        if not isinstance(name, str):
            return super().__getitem__(name)
        for each in self:
            if each.name == name:
                return each
        raise KeyError(f"there is no {name!r}; there are: {', '.join(each.name for each in self)}")

    @property
    def lacks(self) -> list[str]:
        """What the server is known to lack, a sentence each."""
        return [f"{each.name}: {each.words}" for each in self if each.has is False]

    def _caption(self) -> str:
        spoken = {"ga": "today's protocol", "beta": "the dialect of 2024, translated here"}.get(self.dialect or "")
        return f"The server speaks {spoken or 'a dialect that is not known yet'}; it lacks {len(self.lacks)} things."

    def __repr__(self) -> str:
        lacking = "; ".join(self.lacks) or "nothing that was tried"
        return f"<Capabilities: dialect {self.dialect or 'not known'}, lacks {lacking}>"


@dataclass(frozen=True)
class _Feature:
    """How one thing is recognised: by server events, or by how client events fare."""

    name: str
    words: str
    lacking: str
    seen: tuple[str, ...] = ()
    asked: Callable[[Event], bool] = lambda event: False
    proof: Callable[[Event], bool] = lambda event: True


def _is(*names: str) -> Callable[[Event], bool]:
    return lambda event: event.get("type") in names


def _response(event: Event) -> Mapping[str, Any]:
    response = event.get("response")
    return response if isinstance(response, Mapping) else {}


def _parts(event: Event) -> list[str]:
    item = event.get("item")
    content = item.get("content") if isinstance(item, Mapping) else None
    return [str(part.get("type")) for part in content if isinstance(part, Mapping)] if isinstance(content, list) else []


def _wants(*path: str) -> Callable[[Event], bool]:
    def asked(event: Event) -> bool:
        value: Any = event.get("session") if event.get("type") == "session.update" else None
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        return bool(value)

    return asked


_FEATURES: Final = (
    _Feature("text", "it answers in text", "no answer in text", ("response.output_text.*",)),
    _Feature("speech", "it answers in speech", "no spoken answer", ("response.output_audio.*",)),
    _Feature(
        "tools",
        "it calls functions",
        "functions were declared and refused",
        ("response.function_call_arguments.*",),
        _wants("tools"),
    ),
    _Feature(
        "turn detection",
        "it says when the user begins to speak",
        "it does not say when the user speaks: commit turns by hand",
        ("input_audio_buffer.speech_started",),
    ),
    _Feature(
        "transcription",
        "it writes down what the user said",
        "what the user said is not written down",
        ("conversation.item.input_audio_transcription.*",),
    ),
    _Feature(
        "interruption",
        "an answer can be cancelled",
        "answers cannot be cancelled: playback stops, and the model does not know",
        ("response.done",),
        _is("response.cancel"),
        lambda event: _response(event).get("status") == "cancelled",
    ),
    _Feature(
        "truncation",
        "an answer can be cut where it was heard to",
        "the model believes that its whole answer was heard",
        ("conversation.item.truncated",),
        _is("conversation.item.truncate"),
    ),
    _Feature(
        "deletion",
        "items can be deleted",
        "items cannot be deleted",
        ("conversation.item.deleted",),
        _is("conversation.item.delete"),
    ),
    _Feature(
        "retrieval",
        "items can be fetched with their audio",
        "items cannot be fetched",
        ("conversation.item.retrieved",),
        _is("conversation.item.retrieve"),
    ),
    _Feature(
        "pictures",
        "it takes pictures",
        "pictures are refused",
        ("conversation.item.added", "conversation.item.created"),
        lambda event: event.get("type") == "conversation.item.create" and "input_image" in _parts(event),
        lambda event: "input_image" in _parts(event),
    ),
    _Feature(
        "usage",
        "answers tell their tokens",
        "answers do not tell their tokens: cost is not known",
        ("response.done",),
        _is("response.create"),
        lambda event: isinstance(_response(event).get("usage"), Mapping),
    ),
    _Feature(
        "metadata",
        "answers tell which request they are for",
        "answers do not tell which request they are for: they are matched by their order",
        ("response.done",),
        _is("response.create"),
        lambda event: bool(_response(event).get("metadata")),
    ),
    _Feature(
        "event ids",
        "events have ids",
        "events have no ids: they are told apart by their place in the log",
        ("*",),
        lambda event: True,
        lambda event: event.get("event_id") is not None,
    ),
    _Feature(
        "rate limits",
        "it tells what of its limits is left",
        "limits are met unannounced",
        ("rate_limits.updated",),
        _is("response.create"),
    ),
)

_ALL: Final = frozenset(feature.name for feature in _FEATURES)
_KNOWN: Final[Mapping[str, frozenset[str]]] = {
    "openai": _ALL - {"rate limits"},  # their presence is not dependable
    "azure": _ALL - {"rate limits"},
    "local": _ALL - {"pictures"},
}
_BETA_LACKS: Final[Mapping[str, str]] = {"pictures": "the beta took no pictures"}


def capabilities_of(
    log: EventLog,
    *,
    kind: str = "url",
    dialect: str | None = None,
    repaired: Iterable[str] = (),
    dropped: Iterable[tuple[str, str]] = (),
    greets: bool = True,
    confirms: bool = True,
) -> Capabilities:
    """What the server of this log can do.

    Parameters
    ----------
    log
        All that passed.
    kind
        Of the endpoint: ``"openai"``, ``"azure"``, ``"local"`` or ``"url"``.
    dialect
        What the server speaks, if that is known.
    repaired
        Names of `rtnb.core.regular.REPAIRS` that were needed.
    dropped
        What could not be said in its dialect: dotted path and reason.
    greets, confirms
        Whether it says ``session.created`` by itself, and ``session.updated``.
    """
    rows = [_judge(feature, log, kind, dialect) for feature in _FEATURES]
    if not greets:
        rows.append(Capability("greeting", False, "it says nothing until it is spoken to", "missing"))
    if not confirms:
        rows.append(Capability("settings", False, "it does not say whether settings hold (session.updated)", "missing"))
    rows += [Capability(name, False, REPAIRS[name], "missing") for name in sorted(repaired)]
    rows += [Capability(param, False, reason, "known") for param, reason in dropped]
    return Capabilities(rows, dialect)


def _judge(feature: _Feature, log: EventLog, kind: str, dialect: str | None) -> Capability:
    found = log.find(*feature.seen, direction="server", where=feature.proof)
    if found is not None:
        return Capability(feature.name, True, feature.words, "seen")
    asked = [entry for entry in log if entry.direction == "client" and feature.asked(entry.event)]
    refusal = _refusal(asked, log)
    if refusal is not None:
        return Capability(feature.name, False, f"{feature.lacking} (the server said: {refusal})", "refused")
    if asked and feature.name != "tools" and log.find("response.done", direction="server", after=asked[0].index):
        return Capability(feature.name, False, feature.lacking, "missing")
    if dialect == "beta" and feature.name in _BETA_LACKS:
        return Capability(feature.name, False, _BETA_LACKS[feature.name], "known")
    if feature.name in _KNOWN.get(kind, ()):
        return Capability(feature.name, True, feature.words, "known")
    return Capability(feature.name, None, "not tried yet", "untried")


def _refusal(asked: list[Entry], log: EventLog) -> str | None:
    """What the server said when it refused all of them."""
    ids = {event_id for entry in asked if isinstance(event_id := entry.event.get("event_id"), str)}
    if not ids:
        return None
    for entry in log.filter("error", direction="server"):
        error = entry.event.get("error")
        if not isinstance(error, Mapping) or str(error.get("code")) in _RACES:
            continue
        event_id = error.get("event_id")
        if isinstance(event_id, str) and event_id in ids:
            return str(error.get("message") or error.get("code") or "no")
    return None


_RACES: Final = frozenset({"response_cancel_not_active", "conversation_already_has_active_response"})
