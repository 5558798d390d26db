"""The sound of a recording: found in its events and items, and decoded to `Audio` whatever its format on the wire.

Imports `rtnb.core.audio`, `items`, `log` and `protocol`; with the first, numpy.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from rtnb.core.audio import Audio, decode_pcma, decode_pcmu
from rtnb.core.items import Item
from rtnb.core.log import EventLog
from rtnb.core.protocol import BYTES_PER_MS, RATE

__all__ = ["microphone_of", "sound_of"]

_TELEPHONE_RATE: Final = 8_000


def microphone_of(events: EventLog, settings: Mapping[str, Any]) -> Audio | None:
    """All that went into the server's buffer, as one sound; None when nothing did.

    Parameters
    ----------
    events
        The log.
    settings
        The effective session object: it tells the format.
    """
    pieces = []
    for entry in events.filter("input_audio_buffer.append", direction="client"):
        try:
            pieces.append(base64.b64decode(str(entry.event.get("audio"))))
        except ValueError:
            continue
    data = b"".join(pieces)
    return _audio(data, _format(settings, "input") or "audio/pcm") if data else None


def sound_of(item: Item, settings: Mapping[str, Any]) -> Audio | None:
    """The sound of an item; None when it has none.

    Parameters
    ----------
    item
        Any item.
    settings
        The effective session object: it tells the format where the item's response does not.
    """
    data = item.audio()
    if not data:
        return None
    if item.bytes_per_ms == BYTES_PER_MS:
        return Audio.from_bytes(data[: len(data) & ~1])
    side = "output" if item.response is not None else "input"
    raw = item.response.raw if item.response is not None else {}
    return _audio(data, _format(raw, side) or _format(settings, side) or "audio/pcmu")


def _audio(data: bytes, format: str) -> Audio:
    if format == "audio/pcma":
        return Audio(decode_pcma(data).astype("<i2").tobytes(), _TELEPHONE_RATE)
    if format == "audio/pcmu":
        return Audio(decode_pcmu(data).astype("<i2").tobytes(), _TELEPHONE_RATE)
    return Audio(data[: len(data) & ~1], RATE)


def _format(settings: object, side: str) -> str | None:
    inner = settings
    for name in ("audio", side, "format", "type"):
        inner = inner.get(name) if isinstance(inner, Mapping) else None
    return inner if isinstance(inner, str) else None
