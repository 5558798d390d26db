"""What a tool gave, as the one plain string that goes back to the model.

A text goes as it is, everything else as JSON, encoded once: numpy, pandas, dataclasses, pydantic models, dates,
decimals, enums, sets, bytes and paths have a form; NaN and infinity, which JSON does not know, become ``null``; what
has no form goes as its ``repr``. Imports only `rtnb.core.errors`; numpy, pandas and pydantic are looked at only when
the tool's author has loaded them.
"""

from __future__ import annotations

import base64
import collections.abc
import dataclasses
import datetime
import decimal
import enum
import itertools
import json
import math
import pathlib
import re
import sys
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rtnb.core.errors import ToolError, redact

__all__ = [
    "OUTPUT_CHARS",
    "Result",
    "background_output",
    "background_result",
    "encode_output",
    "error_output",
    "error_text",
]

OUTPUT_CHARS: Final = 16_000
"""The longest output that is sent, in characters: some 4,000 tokens, an eighth of the context of a 32k model."""

_ERROR_CHARS: Final = 400
_DEPTH: Final = 30
_REPR_CHARS: Final = 1_000

_PATH: Final = re.compile(
    r"(?<![\w/\\:.])(?:[A-Za-z]:)?(?:[\\/][^\s\\/'\"<>|:;,()\[\]]+)*[\\/]([^\s\\/'\"<>|:;,()\[\]]+)"
)
_URL_SECRETS: Final = re.compile(r"\b(\w+://)(?:[^\s/@'\"]+@)?([^\s?#'\"<>]*)(?:[?#][^\s'\"<>]*)?")


@dataclass(frozen=True)
class Result:
    """A result with something to show: the model gets one thing, the person at the notebook sees another.

    Attributes
    ----------
    for_model
        What goes back to the model, encoded like any other result.
    show
        Anything that a notebook can show: a figure, a table, a map, an `Audio`, or a list of them.

    Examples
    --------
    >>> Result({"mean": 4.2}, show="a histogram")
    Result(for_model={'mean': 4.2}, show='a histogram')
    """

    for_model: Any
    show: Any = None


def encode_output(value: Any, *, limit: int = OUTPUT_CHARS) -> str:
    """A result as the text that the model reads.

    Parameters
    ----------
    value
        Whatever a tool returned; of a `Result` the part for the model.
    limit
        The most characters to send. A longer text is cut, and a note at its end says so.
    """
    if isinstance(value, Result):
        value = value.for_model
    if isinstance(value, str) and not isinstance(value, enum.Enum):
        return _cut(value, limit, exact=True)
    encoder = _Encoder(limit)
    text = json.dumps(encoder.plain(value, 0), ensure_ascii=False, allow_nan=False)
    return _cut(text, limit, exact=encoder.left > 0)


def error_output(message: str) -> str:
    """A failure as the output of a call: ``{"error": "..."}``. The model reads it and can say so, or try again."""
    return json.dumps({"error": _short(message)}, ensure_ascii=False)


def error_text(error: BaseException, *known: str | None) -> str:
    """An exception in one short line, fit for a model: no traceback, no folder names, no keys.

    Parameters
    ----------
    error
        The text of a `ToolError` stands for itself; others are led by the name of their class.
    known
        Keys in use, see `rtnb.core.errors.redact`.
    """
    if isinstance(error, ToolError):
        return _short(str(error), *known) or "the tool failed"
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - a broken __str__ of a foreign class must not hide that the tool failed
        message = ""
    name = type(error).__name__
    return _short(f"{name}: {message}" if message.strip() else name, *known)


def background_output(name: str) -> str:
    """The output that is sent at once for a tool with ``background=True``.

    Parameters
    ----------
    name
        The tool.
    """
    return json.dumps(
        {
            "status": "under way",
            "note": f"{name} takes a while. Tell the user that it is under way and go on; do not call it again for "
            "this. The result will come in a later message.",
        }
    )


def background_result(name: str, output: str) -> str:
    """The text of the later system message that brings the result of a background call.

    Parameters
    ----------
    name
        The tool.
    output
        The output of the call, a result or an error.
    """
    return f"Result of {name} (it was under way; tell the user now): {output}"


class _Encoder:
    """Turns values into what `json` can write; stops early when there is more than could ever be sent."""

    def __init__(self, limit: int) -> None:
        self.left = limit  # elements still worth encoding: each takes at least one character
        self._inside: set[int] = set()

    def plain(self, value: Any, depth: int) -> Any:
        self.left -= 1
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, enum.Enum):
            return self.plain(value.value, depth)
        if isinstance(value, str):
            return str(value)
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else None
        scalar = self._scalar(value)
        if scalar is not _NONE:
            return scalar
        if depth >= _DEPTH or id(value) in self._inside:
            return _repr(value)
        self._inside.add(id(value))
        try:
            return self._container(value, depth + 1)
        finally:
            self._inside.discard(id(value))

    def _scalar(self, value: Any) -> Any:
        match value:
            case datetime.datetime() | datetime.date() | datetime.time():
                return None if value != value else value.isoformat()  # pandas' NaT is a datetime, and not itself
            case datetime.timedelta():
                return str(value)
            case decimal.Decimal():
                if not value.is_finite():
                    return None
                return float(value) if decimal.Decimal(repr(float(value))) == value else str(value)
            case bytes() | bytearray() | memoryview():
                return _bytes(bytes(value[: self.left + 1]))
            case pathlib.PurePath() | uuid.UUID() | complex():
                return str(value)
            case BaseException():
                return error_text(value)
        return self._numpy_scalar(value)

    def _numpy_scalar(self, value: Any) -> Any:
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(value, numpy.generic):
            if isinstance(value, (numpy.datetime64, numpy.timedelta64)):
                return None if numpy.isnat(value) else str(value)
            item = value.item()
            return _repr(value) if isinstance(item, numpy.generic) else self.plain(item, 0)
        pandas = sys.modules.get("pandas")
        if pandas is not None and (value is pandas.NA or value is pandas.NaT):
            return None
        return _NONE

    def _container(self, value: Any, depth: int) -> Any:
        numpy, pandas, pydantic = (sys.modules.get(name) for name in ("numpy", "pandas", "pydantic"))
        if isinstance(value, Mapping):
            return self._mapping(value.items(), depth)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._mapping(((each.name, getattr(value, each.name)) for each in dataclasses.fields(value)), depth)
        if pydantic is not None and isinstance(value, pydantic.BaseModel):
            return self._mapping(value, depth)
        if pandas is not None and isinstance(value, pandas.DataFrame):
            return self._frame(value, depth)
        if pandas is not None and isinstance(value, pandas.Series):
            counts = isinstance(value.index, pandas.RangeIndex) or not value.index.is_unique
            return self._iterable(value, depth) if counts else self._mapping(value.items(), depth)
        if numpy is not None and isinstance(value, numpy.ndarray):
            return self.plain(value[()], depth) if value.ndim == 0 else self._iterable(value, depth)
        if isinstance(value, tuple) and hasattr(value, "_asdict"):
            return self._mapping(value._asdict().items(), depth)
        if isinstance(value, collections.abc.Set):
            return self._iterable(_sorted(value), depth)
        if isinstance(
            value, (list, tuple, collections.abc.Sequence, collections.abc.Iterator, collections.abc.ValuesView)
        ):
            return self._iterable(value, depth)
        if pandas is not None and isinstance(value, pandas.Index):
            return self._iterable(value, depth)
        return _repr(value)

    def _mapping(self, pairs: Iterable[tuple[Any, Any]], depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if self.left <= 0:
                break
            found[_key(key)] = self.plain(value, depth)
        return found

    def _iterable(self, values: Iterable[Any], depth: int) -> list[Any]:
        found: list[Any] = []
        for value in values:
            if self.left <= 0:
                break
            found.append(self.plain(value, depth))
        return found

    def _frame(self, frame: Any, depth: int) -> list[Any]:
        pandas = sys.modules["pandas"]
        few = frame.head(max(self.left, 0) + 1)
        if not isinstance(frame.index, pandas.RangeIndex):
            few = few.reset_index(names=[_key(name or "index") for name in frame.index.names], allow_duplicates=True)
        names = [_key(name) for name in few.columns]
        rows = (zip(names, row, strict=True) for row in few.itertuples(index=False, name=None))
        return [self._mapping(row, depth) for row in itertools.takewhile(lambda _: self.left > 0, rows)]


_NONE: Final = object()


def _key(key: Any) -> str:
    if isinstance(key, enum.Enum):
        key = key.value
    if isinstance(key, tuple):
        return " ".join(str(part) for part in key)
    return key.isoformat() if isinstance(key, (datetime.datetime, datetime.date)) else str(key)


def _sorted(values: Iterable[Any]) -> list[Any]:
    try:
        return sorted(values)
    except TypeError:
        return list(values)


def _bytes(value: bytes) -> str:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return base64.b64encode(value).decode("ascii")
    return text if text.isprintable() or text.split() else base64.b64encode(value).decode("ascii")


def _repr(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a broken __repr__ of a foreign class must not lose the call
        text = f"<{type(value).__name__}>"
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", text)
    return text if len(text) <= _REPR_CHARS else text[: _REPR_CHARS - 1] + "…"


def _cut(text: str, limit: int, *, exact: bool) -> str:
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair cannot be sent
    if len(text) <= limit and exact:
        return text
    size = f"{len(text):,} characters" if exact else f"more than {limit:,} characters"
    note = f"\n[cut: the result had {size}; ask for less at a time]"
    return text[: max(limit - len(note), 0)] + note


def _short(message: str, *known: str | None) -> str:
    text = _URL_SECRETS.sub(r"\1\2", redact(" ".join(message.split()), *known))
    text = _PATH.sub(r"\1", text)
    return text if len(text) <= _ERROR_CHARS else text[: _ERROR_CHARS - 1] + "…"
