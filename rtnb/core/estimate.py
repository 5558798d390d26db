"""What the next response will cost, about: an estimate from the conversation so far.

How it is made
--------------
input, read before
    What the last response read, by its own report, is read again: the model has no memory but the conversation. It is
    taken as **cached**, for the cached price. `Estimate.uncached` says what it costs when the cache has forgotten it.
input, new
    What the last response wrote, by its own report, and what came after it: items, and the question that is given.
    Text: one token for 4 characters; speech of the user: one for 100 ms; of the model: one for 50 ms; a picture: 765,
    85 with ``detail: "low"``; 4 for each item. Before the first response also the instructions and the tools.
output
    The median of the responses so far; before the first 100 tokens of text, or 7.5 seconds of speech with its words.

A response that calls tools is followed by another one, which is not in the estimate.

Imports `rtnb.core.content`, `conversation`, `prices`, `tables`, `tokens` and `usage`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Final

from rtnb.core.content import base64_bytes
from rtnb.core.conversation import Conversation
from rtnb.core.items import Item, Response
from rtnb.core.prices import PRICES, PriceTable
from rtnb.core.protocol import BYTES_PER_MS
from rtnb.core.tables import html_table
from rtnb.core.tokens import Usage
from rtnb.core.usage import Cost, cost

__all__ = ["Estimate", "estimate"]

_CHARS: Final = 4
_HEARD_MS: Final = 100
_SPOKEN_MS: Final = 50
_PICTURE: Final = 765
_PICTURE_LOW: Final = 85
_ITEM: Final = 4
_OUTPUT: Final = {"text": Usage(text_out=100), "audio": Usage(text_out=40, audio_out=150)}


@dataclass(frozen=True)
class Estimate:
    """What a response will take, about; see `rtnb.core.estimate` for how it is made.

    Attributes
    ----------
    usage : Usage
        Tokens: cached is what was read before.
    cost : Cost
        What they cost.
    uncached : Cost
        What they cost when nothing is cached.
    basis : str
        What it is based on.
    """

    usage: Usage
    cost: Cost
    uncached: Cost
    basis: str

    @property
    def usd(self) -> float:
        """Dollars; ``nan`` when a price is not known."""
        return self.cost.usd

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {**self.usage.to_dict(), "usd": self.cost.usd, "usd_uncached": self.uncached.usd, "basis": self.basis}

    def __str__(self) -> str:
        dearer = f", {_amount(self.uncached)} when nothing is cached" if self.usage.cached else ""
        return f"about {self.usage}: {self.cost}{dearer}"

    def __repr__(self) -> str:
        return f"<Estimate: {self}>"

    def _repr_html_(self) -> str:
        used = self.usage
        rows: list[list[object]] = [
            ["read before (cached)", used.text_cached, used.audio_cached, used.image_cached],
            [
                "new to read",
                used.text_in - used.text_cached,
                used.audio_in - used.audio_cached,
                used.image_in - used.image_cached,
            ],
            ["to write", used.text_out, used.audio_out, None],
        ]
        table = html_table(["tokens", "text", "audio", "image"], rows, caption=str(self))
        return f"{table}<div style='opacity:.75'>An estimate, {self.basis}.</div>"


def estimate(
    conversation: Conversation,
    *,
    parts: Iterable[Mapping[str, Any]] = (),
    session: Mapping[str, Any] | None = None,
    model: str | None = None,
    prices: PriceTable = PRICES,
    is_free: bool = False,
) -> Estimate:
    """Estimate the next response of a conversation.

    Parameters
    ----------
    conversation
        As it stands.
    parts
        Content parts that will be asked before.
    session
        The session object; the server's own when not given.
    model, prices, is_free
        For the cost.
    """
    settings = conversation.session if session is None else session
    said = [each for each in conversation.responses if each.done and not each.out_of_band and each.usage]
    last = next((each for each in reversed(said) if Usage.of(each.usage).input), None)
    items = conversation.items
    if last is None:
        before = Usage()
        new = _settings(settings)
        basis = "counted from the text and the sound there is, since no response has told its tokens yet"
    else:
        read = Usage.of(last.usage)
        before = Usage(
            read.text_in, read.audio_in, read.image_in, read.text_in, read.audio_in, read.image_in
        )  # all of it cached
        own = {item.id for item in last.output}
        place = max((index for index, item in enumerate(items) if item.id in own), default=-1)
        new = _written(last, read)
        items = items[place + 1 :] if place >= 0 else []
        basis = "from what the last response read and wrote, and from what came since"
    for item in items:
        new += _item(item)
    asked = [_part(part, settings) for part in parts]
    if asked:
        new += sum(asked, Usage(text_in=_ITEM))
    whole = before + new + _output(said, settings)
    used = replace(
        whole,
        text_cached=before.text_cached,
        audio_cached=before.audio_cached,
        image_cached=before.image_cached,
    )
    fresh = replace(used, text_cached=0, audio_cached=0, image_cached=0)
    costs = (replace(cost(each, model, prices=prices), hypothetical=is_free) for each in (used, fresh))
    return Estimate(used, next(costs), next(costs), basis)


def _text(text: object) -> int:
    return math.ceil(len(text) / _CHARS) if isinstance(text, str) else 0


def _settings(session: Mapping[str, Any]) -> Usage:
    tools = session.get("tools")
    return Usage(text_in=_text(session.get("instructions")) + (_text(json.dumps(tools, default=str)) if tools else 0))


def _item(item: Item) -> Usage:
    text = _ITEM + _text(item.name) + _text(item.arguments) + _text(item.output)
    spoken = item.role == "assistant"
    ms = item.audio_ms if item.truncated_at_ms is None else min(item.audio_ms, item.truncated_at_ms)
    image = 0
    for part in item.parts:
        text += _text(part.text)
        image += _PICTURE if part.image_url else 0
    if spoken and item.truncated_at_ms is None:  # a truncation takes the transcript away
        text += _text(item.transcript)
    return Usage(text_in=text, audio_in=math.ceil(ms / (_SPOKEN_MS if spoken else _HEARD_MS)), image_in=image)


def _written(response: Response, read: Usage) -> Usage:
    """What a response wrote, as the next one reads it."""
    if any(item.truncated_at_ms is not None for item in response.output):
        return sum((_item(item) for item in response.output), Usage())
    return Usage(text_in=read.text_out, audio_in=read.audio_out)


def _part(part: Mapping[str, Any], session: Mapping[str, Any]) -> Usage:
    kind = part.get("type")
    if kind == "input_audio":
        audio = part.get("audio")
        ms = base64_bytes(audio) / _bytes_per_ms(session) if isinstance(audio, str) else 0
        return Usage(audio_in=math.ceil(ms / _HEARD_MS))
    if kind == "input_image":
        return Usage(image_in=_PICTURE_LOW if part.get("detail") == "low" else _PICTURE)
    return Usage(text_in=_text(part.get("text")))


def _bytes_per_ms(session: Mapping[str, Any]) -> int:
    form: Any = session
    for name in ("audio", "input", "format", "type"):
        form = form.get(name) if isinstance(form, Mapping) else None
    return 8 if form in ("audio/pcmu", "audio/pcma") else BYTES_PER_MS


def _output(said: list[Response], session: Mapping[str, Any]) -> Usage:
    modalities = session.get("output_modalities")
    kind = "text" if isinstance(modalities, list) and "text" in modalities else "audio"
    used = [Usage.of(each.usage) for each in said if each.status == "completed"]
    alike = [each for each in used if each.output and bool(each.audio_out) == (kind == "audio")]
    if not alike:
        return _OUTPUT[kind]
    return Usage(
        text_out=round(median(each.text_out for each in alike)),
        audio_out=round(median(each.audio_out for each in alike)),
    )


def _amount(bill: Cost) -> str:
    return str(replace(bill, hypothetical=False))
