"""What the tests of recordings share: logs that are made up, sessions that were held, and keys to hide in them."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from rtnb.core.log import EventLog
from rtnb.core.recorded import Recording

INSTANTLY = math.inf


def a_key(letter: str = "x", prefix: str = "sk-proj-") -> str:
    """Something that looks like a key; made when the test runs, so that no scanner finds one in a file."""
    return prefix + letter * 28


def sound(*values: int) -> str:
    return base64.b64encode(bytes(values)).decode()


def log_of(
    sent: Iterable[tuple[str, dict[str, Any]]], *, apart: float = 0.01, origin: float | None = 1.7e9
) -> EventLog:
    """A log of (direction, event) pairs, so many seconds apart."""
    log = EventLog(origin=origin)
    for n, (direction, event) in enumerate(sent):
        log.append(event, direction, round(n * apart, 6))  # type: ignore[arg-type]
    return log


def recording_of(*sent: tuple[str, dict[str, Any]], **options: Any) -> Recording:
    return Recording(log_of(sent), **{"kind": "local", "model": "gpt-realtime-2.1-mini", **options})


def everything_in(folder: Path) -> bytes:
    """The names and the bytes of all that lies in a folder."""
    return b"\n".join(
        str(path.relative_to(folder)).encode() + b"\n" + (path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
    )


def names(log: Iterable[Any]) -> list[str]:
    return [f"{entry.direction[0]} {entry.name}" for entry in log]


REPORTS = st.lists(
    st.tuples(
        st.floats(0, 1e6, allow_nan=False),
        st.sampled_from(["item_a0", "item_a1"]),
        st.integers(0, 10**9),
        st.booleans(),
    ),
    max_size=4,
)
