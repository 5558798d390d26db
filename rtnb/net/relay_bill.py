"""What one relayed session costs: from the usage that upstream reports, and an estimate of what it did not report.

A response that was cut off (its client went, upstream broke off) cost money too. Of such a one is charged what came of
it, one token for 4 characters or for 50 ms of speech, and to read what the response before it read. Pure.

May import `rtnb.core`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from rtnb.core.prices import PRICES, PriceTable
from rtnb.core.tokens import TranscriptionUsage, Usage
from rtnb.core.usage import Cost, cost, transcription_cost

__all__ = ["Bill"]

_TRANSCRIPTION: Final = "conversation.item.input_audio_transcription."
_CHARS: Final = 4
_SPOKEN_CHARS: Final = 50 * 48 * 4 / 3  # base64 of 50 ms of 24 kHz PCM16
_TELEPHONE_CHARS: Final = 50 * 8 * 4 / 3


class Bill:
    """What one session costs, from the events of its upstream that tell it.

    Parameters
    ----------
    prices
        Where to look.
    model
        The model that was asked for; the upstream's own word wins.
    """

    def __init__(self, prices: PriceTable = PRICES, model: str | None = None) -> None:
        self._prices = prices
        self._model = model
        self._hearing: str | None = None
        self._spoken_chars = _SPOKEN_CHARS
        self._last = Usage()  # of the response before
        self._text = 0  # characters that came of the open responses
        self._sound = 0
        self._hearings: set[str] = set()  # items whose transcription began
        self.responses: set[str] = set()
        """Ids of the responses that began and did not end: what they cost is not told yet."""
        self.unknown: str | None = None
        """A model whose price is not known: what it costs cannot be limited."""

    @property
    def is_open(self) -> bool:
        """Whether something began of which it is not told yet what it costs."""
        return bool(self.responses or self._hearings)

    def heard(self, characters: int) -> None:
        """Note the size of a ``response.output_audio.delta``."""
        if self.responses:
            self._sound += characters

    def add(self, event: Mapping[str, Any]) -> float:
        """Dollars of one event; 0 for most."""
        name = str(event.get("type"))
        if name in ("session.created", "session.updated"):
            self._session(event.get("session"))
        elif name == "response.created":
            self.responses.add(_id(event))
        elif name == "response.done":
            return self._done(event)
        elif name.startswith(_TRANSCRIPTION):
            return self._transcribed(name.removeprefix(_TRANSCRIPTION), event)
        elif name.endswith(".delta") and self.responses:
            size = len(str(event.get("delta")))
            if name == "response.output_audio.delta":
                self._sound += size
            else:
                self._text += size
        return 0.0

    def rest(self) -> float:
        """Dollars of the open responses, about; nothing more is told of them."""
        if not self.responses:
            return 0.0
        used = Usage(
            text_out=math.ceil(self._text / _CHARS) if self._text else 0,
            audio_out=math.ceil(self._sound / self._spoken_chars) if self._sound else 0,
        )
        read = replace(self._last, text_out=0, audio_out=0)
        for _ in self.responses:
            used += read
        self._forget()
        return self._dollars(cost(used, self._model, prices=self._prices))

    def _done(self, event: Mapping[str, Any]) -> float:
        self.responses.discard(_id(event))
        if not self.responses:
            self._forget()
        response = event.get("response")
        usage = Usage.of(response.get("usage") if isinstance(response, Mapping) else None)
        if usage:
            self._last = usage
        return self._dollars(cost(usage, self._model, prices=self._prices))

    def _transcribed(self, what: str, event: Mapping[str, Any]) -> float:
        item_id = str(event.get("item_id"))
        if what == "delta":
            self._hearings.add(item_id)
            return 0.0
        if what in ("completed", "failed"):
            self._hearings.discard(item_id)
        if what != "completed":
            return 0.0
        used = TranscriptionUsage.of(event.get("usage"))
        return self._dollars(transcription_cost(used, self._hearing, prices=self._prices))

    def _forget(self) -> None:
        self.responses.clear()
        self._text = self._sound = 0

    def _session(self, session: Any) -> None:
        if not isinstance(session, Mapping):
            return
        self._model = str(session.get("model") or self._model or "") or None
        audio = session.get("audio")
        heard, spoken = (_part(audio, name) for name in ("input", "output"))
        self._hearing = _part(heard, "transcription").get("model")
        form = _part(spoken, "format").get("type")
        self._spoken_chars = _TELEPHONE_CHARS if form in ("audio/pcmu", "audio/pcma") else _SPOKEN_CHARS
        for model in (self._model, self._hearing):
            if model is not None and model not in self._prices:
                self.unknown = model

    def _dollars(self, bill: Cost) -> float:
        if bill.unknown:
            self.unknown = bill.unknown[0]
        return bill.at_least


def _part(value: Any, name: str) -> Mapping[str, Any]:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _id(event: Mapping[str, Any]) -> str:
    return str(_part(event, "response").get("id"))
