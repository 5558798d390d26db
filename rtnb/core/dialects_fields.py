"""Fields of the 2024 beta and of GA side by side, and how their values are translated.

The tables `SESSION`, `TRANSCRIPTION` and `RESPONSE` are read both ways: `nest` makes the nested GA object of a flat
beta one, `flatten` the flat one of a nested one. What a beta *client* sent is translated strictly: what the beta did
not know comes out under a marked name that GA does not know either, so that a validator of GA refuses it;
`rtnb.core.dialects_names` tells the refusal in the beta's own names.

Imports nothing of rtnb.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

__all__ = [
    "FORMAT_NAMES",
    "MARK",
    "RESPONSE",
    "SERVER_SESSION",
    "SERVER_TRANSCRIPTION",
    "SESSION",
    "TEMPERATURE",
    "TRANSCRIPTION",
    "Dropped",
    "Field",
    "flatten",
    "nest",
]

MARK: Final = "beta:"
"""Stands before a name or a value that the beta did not know, to have it refused; never shown to anybody."""

TEMPERATURE: Final = 0.8
"""The beta's default; GA has no such setting."""

_TEMPERATURES: Final = (0.6, 1.2)

_FORMATS: Final[Mapping[str, Mapping[str, Any]]] = {
    "pcm16": {"type": "audio/pcm", "rate": 24_000},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
}
FORMAT_NAMES: Final[Mapping[str, str]] = {form["type"]: name for name, form in _FORMATS.items()}
"""GA's type of an audio format -> the beta's name of it."""

_GONE: Final = object()
"""A converter's answer: this value has no counterpart."""


@dataclass(frozen=True)
class Dropped:
    """Something that could not be translated, and why.

    Attributes
    ----------
    param
        The dotted path where it stood, or the name of the event.
    reason
        Why it has no counterpart, as a sentence.
    """

    param: str
    reason: str


@dataclass(frozen=True)
class Field:
    """One field in both dialects.

    Attributes
    ----------
    beta
        Its name in the flat object.
    ga
        Its path in the nested one.
    to_ga, to_beta
        What becomes of its value.
    beta_only
        Why GA has no place for it; `ga` is then empty.
    """

    beta: str
    ga: tuple[str, ...] = ()
    to_ga: Callable[[Any, bool], Any] = lambda value, strict: value
    to_beta: Callable[[Any], Any] = lambda value: value
    beta_only: str = ""


# ---- values ----------------------------------------------------------------------------------------------------------


def _modalities_to_ga(value: Any, strict: bool) -> Any:
    if value in (["text", "audio"], ["audio", "text"]):
        return ["audio"]
    if value == ["audio"] and strict:
        return ["audio", "audio"]  # the beta had no audio without text
    return value


def _modalities_to_beta(value: Any) -> Any:
    return ["text", "audio"] if value == ["audio"] else value


def _format_to_ga(value: Any, strict: bool) -> Any:
    if isinstance(value, str):
        return dict(_FORMATS[value]) if value in _FORMATS else {"type": MARK + value}
    return {"type": value} if strict else value


def _format_to_beta(value: Any) -> Any:
    kind = value.get("type") if isinstance(value, Mapping) else None
    return FORMAT_NAMES.get(kind, _GONE) if isinstance(kind, str) else _GONE


def _voice_to_beta(value: Any) -> Any:
    return value if isinstance(value, str) else _GONE


def _knowing(*known: str) -> Callable[[Any, bool], Any]:
    """To GA: an object whose other fields were unknown to the beta."""

    def to_ga(value: Any, strict: bool) -> Any:
        if not (strict and isinstance(value, Mapping)):
            return value
        return {name if name in known else f"{MARK}{name}": inner for name, inner in value.items()}

    return to_ga


def _keeping(*known: str) -> Callable[[Any], Any]:
    """To beta: an object without the fields that the beta did not know."""

    def to_beta(value: Any) -> Any:
        return {name: value[name] for name in value if name in known} if isinstance(value, Mapping) else value

    return to_beta


def _tool_choice_to_ga(value: Any, strict: bool) -> Any:
    if isinstance(value, Mapping) and value.get("type") == "function" and "name" not in value:
        function = value.get("function")
        if isinstance(function, Mapping) and set(function) == {"name"} and set(value) == {"type", "function"}:
            return {"type": "function", "name": function["name"]}
    return value


def _tool_choice_to_beta(value: Any) -> Any:
    return _GONE if isinstance(value, Mapping) and value.get("type") == "mcp" else value


def _tools_to_beta(value: Any) -> Any:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return value
    return [tool for tool in value if not (isinstance(tool, Mapping) and tool.get("type") == "mcp")]


def _no_place(value: Any, strict: bool) -> Any:
    return _GONE


def _temperature_to_ga(value: Any, strict: bool) -> Any:
    low, high = _TEMPERATURES
    fine = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
    return _GONE if fine or value is None or not strict else value


# ---- tables ----------------------------------------------------------------------------------------------------------

_TRANSCRIBING: Final = ("model", "language", "prompt")
_DETECTING: Final = (
    "type",
    "threshold",
    "prefix_padding_ms",
    "silence_duration_ms",
    "create_response",
    "interrupt_response",
    "eagerness",
    "idle_timeout_ms",
)

_HEARING: Final = (
    Field("input_audio_format", ("audio", "input", "format"), _format_to_ga, _format_to_beta),
    Field(
        "input_audio_transcription",
        ("audio", "input", "transcription"),
        _knowing(*_TRANSCRIBING),
        _keeping(*_TRANSCRIBING),
    ),
    Field("input_audio_noise_reduction", ("audio", "input", "noise_reduction"), _knowing("type"), _keeping("type")),
    Field("turn_detection", ("audio", "input", "turn_detection"), _knowing(*_DETECTING), _keeping(*_DETECTING)),
    Field("include", ("include",)),
    Field("client_secret", to_ga=_no_place, beta_only="Client secrets have a request of their own in GA."),
)

_SPEAKING: Final = (
    Field("modalities", ("output_modalities",), _modalities_to_ga, _modalities_to_beta),
    Field("instructions", ("instructions",)),
    Field("voice", ("audio", "output", "voice"), to_beta=_voice_to_beta),
    Field("output_audio_format", ("audio", "output", "format"), _format_to_ga, _format_to_beta),
    Field("tools", ("tools",), to_beta=_tools_to_beta),
    Field("tool_choice", ("tool_choice",), _tool_choice_to_ga, _tool_choice_to_beta),
    Field("temperature", to_ga=_temperature_to_ga, beta_only="GA has no temperature."),
    Field("prompt", ("prompt",)),
)

_KEPT: Final = tuple(Field(name, (name,)) for name in ("id", "object", "expires_at"))
"""What only a server says of a session."""

SESSION: Final = (
    Field("model", ("model",)),
    *_SPEAKING,
    *_HEARING,
    Field("speed", ("audio", "output", "speed")),
    Field("tracing", ("tracing",)),
    Field("truncation", ("truncation",)),
    Field("max_response_output_tokens", ("max_output_tokens",)),
)
"""A realtime session."""

TRANSCRIPTION: Final = (
    *_HEARING,
    Field("modalities", to_ga=_no_place, beta_only="A transcription session of GA has no modalities."),
)
"""A transcription session."""

RESPONSE: Final = (
    *_SPEAKING,
    Field("max_response_output_tokens", ("max_output_tokens",)),
    Field("conversation", ("conversation",)),
    Field("metadata", ("metadata",)),
    Field("input", ("input",)),
)
"""The settings of one response; ``max_output_tokens``, the name of October 2024, is taken too."""

SERVER_SESSION: Final = (*_KEPT, *SESSION)
"""A realtime session as the server tells it."""

SERVER_TRANSCRIPTION: Final = (*_KEPT, *TRANSCRIPTION)
"""A transcription session as the server tells it."""

_LATER: Final = "It came after the beta."


def nest(
    flat: Mapping[str, Any],
    table: Sequence[Field],
    *,
    strict: bool,
    path: str,
    dropped: list[Dropped] | None = None,
) -> dict[str, Any]:
    """The nested GA object of a flat beta one.

    Parameters
    ----------
    flat
        The beta's object.
    table
        Its fields.
    strict
        It comes from a client: what is wrong must stay wrong. Otherwise what is unknown is kept as it is.
    path
        Where it stands, for `dropped`.
    dropped
        Gets what has no counterpart.
    """
    by_name = {entry.beta: entry for entry in table}
    nested: dict[str, Any] = {}
    for name, value in flat.items():
        entry = by_name.get(name)
        if entry is None:
            nested[f"{MARK}{name}" if strict else name] = value
            continue
        translated = entry.to_ga(value, strict)
        if entry.ga:
            _put(nested, entry.ga, translated)
        elif translated is not _GONE:
            nested[name] = translated
        elif dropped is not None:
            dropped.append(Dropped(f"{path}.{name}", entry.beta_only))
    return nested


def flatten(
    nested: Mapping[str, Any],
    table: Sequence[Field],
    *,
    path: str,
    dropped: list[Dropped] | None = None,
) -> dict[str, Any]:
    """The flat beta object of a nested GA one; what the beta did not know is left out.

    Parameters
    ----------
    nested
        The GA object.
    table
        Its fields.
    path
        Where it stands, for `dropped`.
    dropped
        Gets what has no counterpart.
    """
    by_path = {entry.ga: entry for entry in table if entry.ga}
    flat: dict[str, Any] = {}
    _flatten_into(flat, nested, (), by_path, path, dropped)
    return flat


def _flatten_into(
    flat: dict[str, Any],
    nested: Mapping[str, Any],
    above: tuple[str, ...],
    by_path: Mapping[tuple[str, ...], Field],
    path: str,
    dropped: list[Dropped] | None,
) -> None:
    for name, value in nested.items():
        where = (*above, name)
        entry = by_path.get(where)
        if entry is None and isinstance(value, Mapping) and where in (("audio",), *_SIDES):
            _flatten_into(flat, value, where, by_path, path, dropped)
            continue
        translated = _GONE if entry is None else entry.to_beta(value)
        if entry is not None and translated is not _GONE:
            flat[entry.beta] = translated
            if dropped is not None and translated != value:
                dropped.extend(_lost_within(value, translated, ".".join((path, *where))))
        elif dropped is not None:
            dropped.append(Dropped(".".join((path, *map(str, where))), _LATER))


_SIDES: Final = (("audio", "input"), ("audio", "output"))


def _lost_within(value: Any, translated: Any, path: str) -> list[Dropped]:
    if isinstance(value, Mapping) and isinstance(translated, Mapping):
        return [Dropped(f"{path}.{name}", _LATER) for name in value if name not in translated]
    if isinstance(value, Sequence) and isinstance(translated, Sequence) and len(translated) < len(value):
        return [Dropped(path, "Tools of MCP servers came after the beta.")]
    return []


def _put(nested: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        nested = nested.setdefault(name, {})
    nested[path[-1]] = value
