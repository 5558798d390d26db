"""One answer on its own clock: how much of it was generated, delivered, heard, and kept.

The four differ when an answer is interrupted. *Generated* is what the model made and what is paid for, from the usage
of the response. *Delivered* is what came. *Heard* is what the loudspeaker reported. *Kept* is what the conversation
holds after the truncation: what the model believes to have said.

Imports numpy and its neighbours in `rtnb.core`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from rtnb.core.conversation import Conversation
from rtnb.core.log import Entry
from rtnb.core.timeline_tape import Tape

__all__ = ["ItemAccount", "item_account"]

_TOKEN_S: Final = 0.05  # output audio: a token for 50 ms
_RATE: Final = 24_000


@dataclass(frozen=True)
class ItemAccount:
    """How much there is of an answer's sound, in seconds from its beginning.

    Attributes
    ----------
    item_id : str
    status : str
        Of its response.
    generated : float or None
        By the audio tokens of its response; None when there is no usage yet, or several spoken items share it.
    delivered : float
    heard : float or None
        None when no loudspeaker reported.
    kept : float
        Up to where the conversation has it.
    is_cut : bool
        It was truncated.
    heard_words, unheard_words : str
        The transcript, parted where it was cut; an estimate, since the protocol gives no times of words.
    tape : Tape
        The outline of what was delivered.
    """

    item_id: str
    status: str
    generated: float | None
    delivered: float
    heard: float | None
    kept: float
    is_cut: bool
    heard_words: str
    unheard_words: str
    tape: Tape = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The four lengths by name."""
        return {name: getattr(self, name) for name in ("generated", "delivered", "heard", "kept")}


def item_account(log: Iterable[Entry], item_id: str, heard: Iterable[tuple[float, str, int, bool]] = ()) -> ItemAccount:
    """Read from a log what became of one answer.

    Parameters
    ----------
    log
        A log.
    item_id
        An item with sound that the model made.
    heard
        Reports of the loudspeaker, as `rtnb.Session.heard` gives them.

    Raises
    ------
    ValueError
        There is no sound of such an item.
    """
    conversation = Conversation()
    tape: Tape | None = None
    responses: set[str] = set()
    for entry in log:
        event: Any = entry.event
        name = entry.name
        if not name.startswith(("session.", "response.", "conversation.item.")):
            continue
        mine = event.get("item_id") == item_id or _id(event.get("item")) == item_id
        if mine and isinstance(event.get("response_id"), str):
            responses.add(event["response_id"])
        if mine or name.startswith(("session.", "response.created", "response.done")):
            conversation.apply(event, entry.direction)
        if mine and name == "response.output_audio.delta" and isinstance(event.get("delta"), str):
            if tape is None:
                tape = Tape(_format(conversation.session))
            tape.push(event["delta"])
    item = conversation.item(item_id)
    if tape is None or item is None:
        raise ValueError(f"there is no sound of an item {item_id!r}: give an item of an answer that was spoken")
    response = next((found for each in responses if (found := conversation.response(each)) is not None), None)
    reports = [samples for _, each, samples, _ in heard if each == item_id]
    is_cut = item.truncated_at_ms is not None
    return ItemAccount(
        item_id=item_id,
        status=response.status if response is not None else "in_progress",
        generated=_generated(response.raw) if response is not None else None,
        delivered=tape.seconds,
        heard=max(reports) / _RATE if reports else None,
        kept=min(item.truncated_at_ms / 1000, tape.seconds) if item.truncated_at_ms is not None else tape.seconds,
        is_cut=is_cut,
        heard_words=item.heard_transcript,
        unheard_words=item.unheard,
        tape=tape,
    )


def _generated(response: Any) -> float | None:
    usage = response.get("usage")
    details = usage.get("output_token_details") if isinstance(usage, dict) else None
    tokens = details.get("audio_tokens") if isinstance(details, dict) else None
    spoken = [item for item in response.get("output") or () if isinstance(item, dict) and item.get("type") == "message"]
    if len(spoken) > 1 or not isinstance(tokens, (int, float)):
        return None
    return float(tokens) * _TOKEN_S


def _id(item: object) -> object:
    return item.get("id") if isinstance(item, dict) else None


def _format(session: Any) -> str:
    for name in ("audio", "output", "format", "type"):
        session = session.get(name) if isinstance(session, dict) else None
    return session if isinstance(session, str) else "audio/pcm"
