"""What compatible servers leave out, put back: so that all above reads one protocol.

Servers that call themselves compatible lack events, send explicit nulls, or give pieces without the id of what they
are a piece of. `Regular` looks at both directions of one connection and repairs what the protocol promises and a
session relies on; everything else passes as it is. What it had to repair is remembered in words, for
``session.capabilities``. Pure: it knows no clock, so it repairs only what follows from what was seen.

Imports `rtnb.core.protocol`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from rtnb.core.protocol import Event, new_id

__all__ = ["REPAIRS", "Regular"]

REPAIRS: Final[Mapping[str, str]] = {
    "response.created": "a response began without response.created; its first piece stands for it",
    "nulls": "members without a value are sent as null; they are left out",
    "status": "a response ended without a status; it is taken as completed, or as cancelled when that was asked",
    "response_id": "pieces of an answer come without response_id; they belong to the response that is active",
    "item_id": "pieces of an answer come without item_id; they belong to the item that came last",
    "error.event_id": "errors do not say which event they are about; they are held against what was asked last",
}
"""What can be repaired, in words."""

_KEPT_NULLS: Final = frozenset({"previous_item_id"})
_PIECES: Final = ("response.output_", "response.content_part.", "response.function_call_arguments.", "response.text.")


class Regular:
    """Repairs what one server says: tell it each client event with `sent`, call it with each server event.

    Attributes
    ----------
    repaired : set of str
        Names of `REPAIRS` that were needed.
    """

    def __init__(self) -> None:
        self.repaired: set[str] = set()
        self.active: str | None = None
        """Id of the response that is running, as far as is known."""
        self._last_item: str | None = None  # of the running response
        self._created: set[str] = set()  # responses that began
        self._asked: deque[Event] = deque(maxlen=50)  # response.create that no response answered yet
        self._update: str | None = None  # event id of a session.update that was not answered yet
        self._cancelled = False  # since the running response began

    def sent(self, event: Event) -> None:
        """Note a client event.

        Parameters
        ----------
        event
            What is sent now.
        """
        name = event.get("type")
        if name == "response.create":
            self._asked.append(event)
        elif name == "response.cancel":
            self._cancelled = True
        elif name == "session.update":
            self._update = event.get("event_id")

    def __call__(self, event: Event) -> list[Event]:
        """The events that stand for what the server said; nearly always the event itself.

        Parameters
        ----------
        event
            What the server said, in GA.
        """
        name = event.get("type")
        if not isinstance(name, str):
            return [event]
        if None in event.values():
            event = self._without_nulls(event)
        if name == "error":
            return [self._error(event)]
        if name == "session.updated":
            self._update = None
        if not name.startswith("response."):
            self._note_item(event)
            return [event]
        if name == "response.created":
            return [self._began(event)]
        if name == "response.done":
            return self._done(event)
        return self._piece(event, name)

    # ---- by kind of event

    def _began(self, event: Event) -> Event:
        response = event.get("response")
        if not isinstance(response, Mapping):
            return event
        response = self._response(response)
        self._begin(str(response.get("id") or ""))
        if self._asked:
            self._asked.popleft()
        return {**event, "response": response}

    def _begin(self, response_id: str) -> None:
        self._created.add(response_id)
        self.active, self._last_item, self._cancelled = response_id, None, False

    def _done(self, event: Event) -> list[Event]:
        response = event.get("response")
        if not isinstance(response, Mapping):
            return [event]
        response = self._response(response)
        if not isinstance(response.get("status"), str) or response["status"] == "in_progress":
            self.repaired.add("status")
            response["status"] = "cancelled" if self._cancelled else "completed"
        response_id = str(response.get("id") or "")
        before = [] if response_id in self._created else self._missing_start(response_id)
        if response_id == self.active:
            self.active = None
        return [*before, {**event, "response": response}]

    def _response(self, response: Mapping[str, Any]) -> dict[str, Any]:
        """Without nulls that would say more than they mean: a null conversation_id means out of band."""
        apart = any((_settings(asked).get("conversation") == "none") for asked in self._asked)
        kept = {
            name: value
            for name, value in response.items()
            if value is not None or (name == "conversation_id" and apart) or name not in ("conversation_id", "output")
        }
        if len(kept) < len(response):
            self.repaired.add("nulls")
        kept.setdefault("output", [])
        return kept

    def _piece(self, event: Event, name: str) -> list[Event]:
        changed = dict(event)
        if name.startswith(_PIECES):
            if not isinstance(event.get("response_id"), str) and self.active is not None:
                self.repaired.add("response_id")
                changed["response_id"] = self.active
            if "item" not in event and not isinstance(event.get("item_id"), str) and self._last_item is not None:
                self.repaired.add("item_id")
                changed["item_id"] = self._last_item
        self._note_item(changed)
        response_id = changed.get("response_id")
        if isinstance(response_id, str) and response_id not in self._created:
            return [*self._missing_start(response_id), changed]
        return [changed]

    def _missing_start(self, response_id: str) -> list[Event]:
        self.repaired.add("response.created")
        self._begin(response_id)
        response: Event = {"id": response_id, "object": "realtime.response", "status": "in_progress", "output": []}
        if self._asked:
            metadata = _settings(self._asked.popleft()).get("metadata")
            if isinstance(metadata, Mapping):
                response["metadata"] = dict(metadata)
        return [{"type": "response.created", "event_id": new_id("event"), "response": response}]

    def _error(self, event: Event) -> Event:
        error = event.get("error")
        if not isinstance(error, Mapping) or error.get("event_id") is not None:
            return event
        asked = self._update
        if asked is None and self._asked and "cancel" not in str(error.get("message")).lower():
            asked = self._asked.popleft().get("event_id")
        if asked is None:
            return event
        self._update = None
        self.repaired.add("error.event_id")
        return {**event, "error": {**error, "event_id": asked}}

    # ---- inside

    def _note_item(self, event: Event) -> None:
        item = event.get("item")
        item_id = item.get("id") if isinstance(item, Mapping) else event.get("item_id")
        is_answer = not isinstance(item, Mapping) or item.get("role", "assistant") == "assistant"
        if isinstance(item_id, str) and is_answer:
            self._last_item = item_id

    def _without_nulls(self, event: Event) -> Event:
        kept = {name: value for name, value in event.items() if value is not None or name in _KEPT_NULLS}
        if len(kept) < len(event):
            self.repaired.add("nulls")
        return kept


def _settings(asked: Event) -> Mapping[str, Any]:
    response = asked.get("response")
    return response if isinstance(response, Mapping) else {}
