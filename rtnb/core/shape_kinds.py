"""The kinds of which the shapes of client events are made, and how each one refuses a value.

A kind is a frozen dataclass with ``check(value, path)``: an iterator over the breaches of `value`, which stands at the
dotted `path` of its event. Codes and sentences are those of the service, taken from its recorded errors. Of an object
it first names what is missing, then what it does not know, then what is wrong in the fields: so the first breach is the
one that the service would report. Nothing here raises, whatever JSON comes in.

Imports `rtnb.core.shape_words` only.
"""

from __future__ import annotations

import binascii
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from rtnb.core.shape_words import (
    Violation,
    at,
    bounds,
    listed,
    missing,
    short,
    too_long,
    wrong_choice,
    wrong_type,
)

__all__ = [
    "Anything",
    "Array",
    "Audio",
    "Boolean",
    "Choice",
    "Either",
    "ImageUrl",
    "Integer",
    "Kind",
    "Modalities",
    "Nullable",
    "Number",
    "Pairs",
    "Record",
    "Text",
    "Variants",
]


class Kind(Protocol):
    """What a value may be."""

    @property
    def expected(self) -> str:
        """The kind in words, with its article: ``a string``."""
        ...

    def check(self, value: object, path: str) -> Iterator[Violation]:
        """The breaches of `value`, which stands at `path`."""
        ...


@dataclass(frozen=True)
class Anything:
    """Any JSON value: what the service stores or hands on without a look."""

    expected: str = "a value"

    def check(self, value: object, path: str) -> Iterator[Violation]:
        """Nothing is wrong."""
        return iter(())


@dataclass(frozen=True)
class Nullable:
    """Another kind, or ``null``."""

    kind: Kind

    @property
    def expected(self) -> str:
        """The other kind's words."""
        return self.kind.expected

    def check(self, value: object, path: str) -> Iterator[Violation]:
        """The other kind's breaches."""
        return iter(()) if value is None else self.kind.check(value, path)


@dataclass(frozen=True)
class Text:
    """A string, of limited length or of a pattern."""

    max_length: int | None = None
    min_length: int = 0
    pattern: str | None = None
    expected: str = "a string"

    def check(self, value: object, path: str) -> Iterator[Violation]:
        """Type, length, pattern."""
        if not isinstance(value, str):
            yield wrong_type(path, self.expected, value)
        elif len(value) < self.min_length:
            message = (
                f"Invalid '{path}': empty string. "
                f"Expected a string with minimum length {self.min_length}, but got an empty string instead."
            )
            yield Violation("empty_string", message, path)
        elif self.max_length is not None and len(value) > self.max_length:
            yield too_long(path, self.max_length, len(value))
        elif self.pattern is not None and not re.search(self.pattern, value):
            message = (
                f"Invalid '{path}': string does not match pattern. "
                f"Expected a string that matches the pattern '{self.pattern}'."
            )
            yield Violation("invalid_value", message, path)


@dataclass(frozen=True)
class Choice:
    """One of a few strings."""

    values: tuple[str, ...]

    @property
    def expected(self) -> str:
        """The strings."""
        return listed(self.values, "or") if len(self.values) == 1 else f"one of {listed(self.values, 'or')}"

    def check(self, value: object, path: str) -> Iterator[Violation]:
        """Type, then membership."""
        if not isinstance(value, str):
            yield wrong_type(path, self.expected, value)
        elif value not in self.values:
            yield wrong_choice(path, self.values, value)


@dataclass(frozen=True)
class Boolean:
    """``true`` or ``false``."""

    expected: str = "a boolean"

    def check(self, value: object, path: str) -> Iterator[Violation]:
        """Type only."""
        if not isinstance(value, bool):
            yield wrong_type(path, self.expected, value)


@dataclass(frozen=True)
class Integer:
    """A whole number, written as one: ``5.0`` is a decimal number to the service."""

    low: int | None = None
    high: int | None = None
    expected: str = "an integer"

    def check(self, value: object, path: str) -> Iterator[Violation]:
        """Type and range."""
        if isinstance(value, bool) or not isinstance(value, int):
            yield wrong_type(path, self.expected, value)
        else:
            yield from bounds(path, "integer", value, self.low, self.high)


@dataclass(frozen=True)
class Number:
    """Any number."""

    low: float | None = None
    high: float | None = None
    expected: str = "a decimal number"

    def check(self, value: object, path: str) -> Iterator[Violation]:
        """Type and range."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield wrong_type(path, self.expected, value)
        elif isinstance(value, float) and not math.isfinite(value):
            message = f"Invalid type for '{path}': expected {self.expected}, but got {value} instead."
            yield Violation("invalid_type", message, path)
        else:
            yield from bounds(path, "decimal", value, self.low, self.high)


@dataclass(frozen=True)
class Array:
    """A list of one kind."""

    item: Kind
    expected: str = "an array of objects"

    def check(self, value: object, path: str) -> Iterator[Violation]:
        """Type, then each element."""
        if not isinstance(value, list | tuple):
            yield wrong_type(path, self.expected, value)
            return
        for index, element in enumerate(value):
            yield from self.item.check(element, f"{path}[{index}]")


@dataclass(frozen=True)
class Pairs:
    """An object with keys of the client's choice."""

    value: Kind
    max_pairs: int | None = None
    max_key: int | None = None
    expected: str = "an object"

    def check(self, value: object, path: str) -> Iterator[Violation]:
        """Type, number of pairs, then each key and value."""
        if not isinstance(value, Mapping):
            yield wrong_type(path, self.expected, value)
            return
        if self.max_pairs is not None and len(value) > self.max_pairs:
            message = (
                f"Invalid '{path}': too many properties. Expected an object with at most {self.max_pairs} properties, "
                f"but got an object with {len(value)} properties instead."
            )
            yield Violation("object_above_max_properties", message, path)
        for key, element in value.items():
            where = at(path, key)
            if self.max_key is not None and len(str(key)) > self.max_key:
                message = (
                    f"Invalid property name in '{path}': '{short(str(key))}' is too long. Expected a string with "
                    f"maximum length {self.max_key}, but got a string with length {len(str(key))} instead."
                )
                yield Violation("string_above_max_length", message, where)
            yield from self.value.check(element, where)


@dataclass(frozen=True)
class Record:
    """An object with known fields."""

    fields: Mapping[str, Kind]
    required: tuple[str, ...] = ()
    expected: str = "an object"

    def check(self, value: object, path: str) -> Iterator[Violation]:
        """Type, missing fields, unknown fields, then each field in the order of the event."""
        if not isinstance(value, Mapping):
            yield wrong_type(path, self.expected, value)
            return
        for name in self.required:
            if name not in value:
                yield missing(at(path, name))
        for name in value:
            if name not in self.fields:
                where = at(path, name)
                yield Violation("unknown_parameter", f"Unknown parameter: '{where}'.", where)
        for name, element in value.items():
            kind = self.fields.get(name)
            if kind is not None:
                yield from kind.check(element, at(path, name))


@dataclass(frozen=True)
class Variants:
    """An object whose fields depend on the value of one of them.

    Attributes
    ----------
    key
        The field that decides.
    table
        Its values and the kinds they choose.
    unlisted
        Values that are taken but that the service leaves out of its list of supported ones.
    """

    key: str
    table: Mapping[str, Kind]
    unlisted: frozenset[str] = field(default_factory=frozenset)
    expected: str = "an object"

    def check(self, value: object, path: str) -> Iterator[Violation]:
        """Type, the deciding field, then the chosen kind."""
        where = at(path, self.key)
        if not isinstance(value, Mapping):
            yield wrong_type(path, self.expected, value)
        elif self.key not in value:
            yield missing(where)
        else:
            chosen = value[self.key]
            shown = tuple(name for name in self.table if name not in self.unlisted)
            if not isinstance(chosen, str):
                yield from Choice(shown).check(chosen, where)
            elif chosen not in self.table:
                yield wrong_choice(where, shown, chosen)
            else:
                yield from self.table[chosen].check(value, path)


@dataclass(frozen=True)
class Either:
    """One of several kinds, told apart by the JSON type of the value."""

    kinds: tuple[Kind, ...]

    @property
    def expected(self) -> str:
        """All of them in words."""
        words = [kind.expected.removeprefix("one of ") for kind in self.kinds]
        return f"one of {', '.join(words[:-1])} or {words[-1]}"

    def check(self, value: object, path: str) -> Iterator[Violation]:
        """The breaches of the kind whose JSON type the value has."""
        for kind in self.kinds:
            found = list(kind.check(value, path))
            if not any(breach.code == "invalid_type" and breach.param == path for breach in found):
                return iter(found)
        return iter((wrong_type(path, self.expected, value),))


@dataclass(frozen=True)
class Modalities:
    """What a response consists of: ``["text"]`` or ``["audio"]``, never both."""

    expected: str = "an array of strings"

    def check(self, value: object, path: str) -> Iterator[Violation]:
        """Type, each word, then the combination."""
        if not isinstance(value, list | tuple):
            yield wrong_type(path, self.expected, value)
            return
        found = list(Array(Choice(("text", "audio"))).check(value, path))
        yield from found
        if not found and list(value) not in (["text"], ["audio"]):
            words = "[" + ", ".join(f"'{word}'" for word in value[:8]) + "]"
            message = f"Invalid modalities: {words}. Supported combinations are: ['text'] and ['audio']."
            yield Violation("invalid_value", message, path)


@dataclass(frozen=True)
class Audio:
    """Audio in base64. Whether its bytes make whole samples depends on the session's format: not asked here."""

    max_bytes: int
    expected: str = "a string"

    def check(self, value: object, path: str) -> Iterator[Violation]:
        """Type, length, alphabet and padding."""
        if not isinstance(value, str):
            yield wrong_type(path, self.expected, value)
            return
        limit = -(-self.max_bytes // 3) * 4
        if len(value) > limit:
            yield too_long(path, limit, len(value))
            return
        try:
            problem = "" if binascii.a2b_base64(value, strict_mode=True) else "empty bytes"
        except ValueError:
            problem = "an invalid value"
        if problem:
            message = f"Invalid '{path}'. Expected base64-encoded audio bytes (mono PCM16 at 24kHz) but got {problem}."
            yield Violation("invalid_value", message, path)


@dataclass(frozen=True)
class ImageUrl:
    """A picture in the event itself: a ``data:`` address with base64."""

    types: tuple[str, ...] = ("image/png", "image/jpeg")
    expected: str = "a string"

    def check(self, value: object, path: str) -> Iterator[Violation]:
        """Type, then the beginning of the address."""
        if not isinstance(value, str):
            yield wrong_type(path, self.expected, value)
            return
        head = value[:64].partition(",")[0]
        mime = head[5:].partition(";")[0].lower()
        if value[:5].lower() != "data:":
            problem = "a value without the 'data:' prefix"
        elif mime not in (*self.types, "image/jpg"):
            problem = f"unsupported MIME type '{short(mime)}'"
        elif not head.lower().endswith(";base64"):
            problem = "a value without the 'base64' marker"
        else:
            return
        message = (
            f"Invalid '{path}'. Expected a base64-encoded data URL with an image MIME type "
            f"(e.g. 'data:image/png;base64,aW1nIGJ5dGVzIGhlcmU='), but got {problem}."
        )
        yield Violation("invalid_value", message, path)
