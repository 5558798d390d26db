"""The words in which a breach of the protocol is told: codes and sentences of the service.

Taken from errors of the live service that were recorded in public, 2024 to 2026.

Imports nothing of rtnb.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = [
    "SHOWN_NAME_CHARS",
    "Violation",
    "at",
    "bounds",
    "listed",
    "missing",
    "short",
    "too_long",
    "type_name",
    "wrong_choice",
    "wrong_type",
]

_SHOWN_CHARS: Final = 24
"""Longer values are shown by their ends, as the service does (it wrote ``'tra...ate'``)."""

SHOWN_NAME_CHARS: Final = 96
"""Longer names of fields are shown by their ends: a message never grows with the event."""


_LARGE: Final = 10**18


@dataclass(frozen=True)
class Violation:
    """One breach of the protocol, in the words of the service.

    Attributes
    ----------
    code
        The service's code: ``unknown_parameter``, ``invalid_type``, ``invalid_value`` and so on.
    message
        Its sentence.
    param
        The dotted path of the field at fault, ``None`` for the event as a whole.
    """

    code: str
    message: str
    param: str | None = None


def type_name(value: object) -> str:
    """The JSON type of a value in the service's words: ``a string``, ``an integer``, ``null``.

    Parameters
    ----------
    value
        Any JSON value.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int):
        return "an integer"
    if isinstance(value, float):
        return "a decimal number"
    if isinstance(value, str):
        return "a string"
    return "an object" if isinstance(value, Mapping) else "an array"


def listed(values: Sequence[str], word: str = "and") -> str:
    """Quoted values as the service lists them: ``'a'``, ``'a' and 'b'``, ``'a', 'b', and 'c'``.

    Parameters
    ----------
    values
        What to list.
    word
        The last conjunction.
    """
    quoted = [f"'{value}'" for value in values]
    if len(quoted) < 3:
        return f" {word} ".join(quoted)
    return f"{', '.join(quoted[:-1])}, {word} {quoted[-1]}"


def short(text: str, limit: int = _SHOWN_CHARS) -> str:
    """A text of the client's for a message: its ends only when it is long, and always encodable."""
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= limit else f"{text[:3]}...{text[-3:]}"


def at(path: str, key: object) -> str:
    """The path of a field within `path`."""
    name = short(str(key), SHOWN_NAME_CHARS)
    return f"{path}.{name}" if path else name


def missing(path: str) -> Violation:
    """A required field is not there."""
    return Violation("missing_required_parameter", f"Missing required parameter: '{path}'.", path)


def wrong_type(path: str, expected: str, value: object) -> Violation:
    """A value of another JSON type than expected."""
    message = f"Invalid type for '{path}': expected {expected}, but got {type_name(value)} instead."
    return Violation("invalid_type", message, path)


def wrong_choice(path: str, choices: Sequence[str], value: str) -> Violation:
    """A string that is none of the choices."""
    rule = f"Value must be '{choices[0]}'" if len(choices) == 1 else f"Supported values are: {listed(choices)}"
    return Violation("invalid_value", f"Invalid value: '{short(value)}'. {rule}.", path)


def too_long(path: str, limit: int, length: int) -> Violation:
    """A string above its limit."""
    message = (
        f"Invalid '{path}': string too long. "
        f"Expected a string with maximum length {limit}, but got a string with length {length} instead."
    )
    return Violation("string_above_max_length", message, path)


def bounds(path: str, word: str, value: float, low: float | None, high: float | None) -> Iterator[Violation]:
    """A number outside of its range; `word` is ``integer`` or ``decimal``."""
    shown = value if -_LARGE < value < _LARGE else "a number with many digits"
    if low is not None and value < low:
        message = f"Invalid '{path}': {word} below minimum value. Expected a value >= {low}, but got {shown} instead."
        yield Violation(f"{word}_below_min_value", message, path)
    if high is not None and value > high:
        message = f"Invalid '{path}': {word} above maximum value. Expected a value <= {high}, but got {shown} instead."
        yield Violation(f"{word}_above_max_value", message, path)
