"""Events in, conversation out: a table from the name of an event to the small function that applies it.

`Conversation.apply` takes each event of both directions in the order of the log and tells in `Change` values what it
changed. It never raises, whatever comes: what is malformed, or unknown, is answered with an ``unknown`` change. Only
the server's word is a fact; of the client's events it remembers what the server will not repeat (the audio it was
sent, where an item was asked to go) until the server confirms.

What one event costs does not depend on how long the answer is or how many items there are: nothing is joined, decoded
or copied, and items are found by their id. An event that carries a whole text costs what that text is long.

Imports `rtnb.core.changes`, `content`, `items`, `protocol` and `rtnb.core.reducers`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from rtnb.core.changes import Change, Changes
from rtnb.core.content import Part
from rtnb.core.items import Item, Response
from rtnb.core.protocol import Direction, Event
from rtnb.core.reducers.answers import ANSWERS
from rtnb.core.reducers.speech import SENT, SPEECH
from rtnb.core.reducers.state import Handler, State
from rtnb.core.reducers.structure import STRUCTURE
from rtnb.core.reducers.surroundings import SURROUNDINGS

if TYPE_CHECKING:
    from rtnb.core.log import Entry

__all__ = ["Change", "Conversation", "Item", "Part", "Response"]

_SERVER: Final[dict[str, Handler]] = {**ANSWERS, **STRUCTURE, **SPEECH, **SURROUNDINGS}


class Conversation:
    """What the events of a session add up to.

    It is changed by one thread, through `apply`; any thread may read it meanwhile.

    Examples
    --------
    >>> conversation = Conversation()
    >>> item = {"id": "item_1", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    >>> conversation.apply({"type": "conversation.item.added", "item": item, "previous_item_id": None})[0].kind
    'item_added'
    >>> conversation.items[0].text
    'Hi'
    """

    __slots__ = ("_state",)

    def __init__(self) -> None:
        self._state = State()

    @classmethod
    def replay(cls, log: Iterable[Entry]) -> Conversation:
        """The conversation that a log adds up to."""
        conversation = cls()
        for entry in log:
            conversation.apply(entry.event, entry.direction)
        return conversation

    def apply(self, event: Event, direction: Direction = "server") -> Changes:
        """Take one event; tell what it changed. Never raises for anything that JSON can hold."""
        try:
            handler = (SENT if direction == "client" else _SERVER)[event["type"]]
        except (KeyError, TypeError, IndexError):  # no such event; no name in it; not even an object
            return () if direction == "client" else (Change("unknown", None, None, "", event),)
        return handler(self._state, event)

    @property
    def items(self) -> list[Item]:
        """The items of the conversation, in its order. A new list: reading costs what there is."""
        return list(self._state.order)

    @property
    def last(self) -> Item | None:
        """The last item of the conversation."""
        return self._state.order.last

    @property
    def count(self) -> int:
        """How many items the conversation has."""
        return self._state.order.count

    @property
    def responses(self) -> list[Response]:
        """All responses, also out of band, in the order in which they began."""
        return list(self._state.responses.values())

    @property
    def active(self) -> Response | None:
        """The response of the conversation that is running. Responses out of band may run beside it."""
        return self._state.active

    @property
    def speech(self) -> Item | None:
        """The item that the user is speaking just now, as a speech detector hears it."""
        return self._state.speech

    @property
    def session(self) -> dict[str, Any]:
        """The effective session object, as the server gave it last; empty before ``session.created``."""
        return self._state.session

    @property
    def id(self) -> str | None:
        """Id of the conversation, when the server has named one."""
        return self._state.id

    @property
    def rate_limits(self) -> list[dict[str, Any]]:
        """The limits, as given last."""
        return self._state.rate_limits

    @property
    def uncommitted(self) -> list[str]:
        """The user's audio that is in the server's buffer and no item yet: base64, as it was appended."""
        return self._state.input.chunks

    @property
    def input_bytes_per_ms(self) -> int:
        """How many bytes of the user's audio make a millisecond on the wire: 48 of PCM, 8 of G.711."""
        return self._state.input.bytes_per_ms

    @property
    def input_ms(self) -> float:
        """How much audio the client has appended in this session: the clock of ``audio_start_ms``."""
        return self._state.input.position / self._state.input.bytes_per_ms

    def item(self, item_id: str) -> Item | None:
        """The item of that id: in the conversation, of a response out of band, announced, or deleted."""
        return self._state.known.get(item_id)

    def response(self, response_id: str) -> Response | None:
        """The response of that id."""
        return self._state.responses.get(response_id)

    def call(self, call_id: str) -> Item | None:
        """The function call of that id."""
        return self._state.calls.get(call_id)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values; two conversations are equal when these are."""
        state = self._state
        return {
            "id": state.id,
            "session": state.session,
            "rate_limits": state.rate_limits,
            "items": [item.id for item in state.order],
            "known": [item.to_dict() for item in state.known.values()],
            "responses": [response.to_dict() for response in state.responses.values()],
            "active": state.active.id if state.active is not None else None,
            "speech": state.speech.id if state.speech is not None else None,
            "input_ms": self.input_ms,
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Conversation) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]  # it changes all the time

    def __repr__(self) -> str:
        return f"<Conversation: {self.count} items, {len(self._state.responses)} responses>"
