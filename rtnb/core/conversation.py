"""Events in, conversation out: a table from the name of an event to the small method that applies it.

`Conversation.apply` takes each event of both directions in the order of the log and tells in `Change` values what it
changed. It never raises, whatever comes: what is malformed, or unknown, is answered with a ``unknown`` change. Only the
server's word is a fact; of the client's events it remembers what the server will not repeat (the audio it was sent,
where an item was asked to go) until the server confirms.

What one event costs does not depend on how long the answer is or how many items there are: nothing is joined, decoded
or copied, and items are found by their id. An event that carries a whole text costs what that text is long.

Imports `rtnb.core.items`, `rtnb.core.order`, `rtnb.core.input_audio` and `rtnb.core.protocol`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from rtnb.core.input_audio import InputAudio
from rtnb.core.items import Change, Item, Kind, Part, Response, base64_bytes
from rtnb.core.order import Order
from rtnb.core.protocol import BYTES_PER_MS, Direction, Event

if TYPE_CHECKING:
    from rtnb.core.log import Entry

__all__ = ["Change", "Conversation", "Item", "Part", "Response"]

Changes: TypeAlias = tuple[Change, ...]

_GAP: Final = 16
"""How many content parts an event may leave out; a larger ``content_index`` is taken as malformed."""

_LOOSE_STATUS: Final = {"completed": "completed"}
"""Status of a response -> status of its items that nothing else has finished; any other: ``incomplete``."""


class Conversation:
    """What the events of a session add up to.

    Attributes
    ----------
    session : dict
        The effective session object, as the server gave it last; empty before ``session.created``.
    id : str or None
        Id of the conversation, when the server names one.
    rate_limits : list of dict
        As given last.
    active : Response or None
        The response of the conversation that is running. Responses out of band may run beside it.
    speech : Item or None
        The item that the user is speaking just now, as a speech detector hears it.

    Examples
    --------
    >>> conversation = Conversation()
    >>> item = {"id": "item_1", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    >>> conversation.apply({"type": "conversation.item.added", "item": item, "previous_item_id": None})[0].kind
    'item_added'
    >>> conversation.items[0].text
    'Hi'
    """

    def __init__(self) -> None:
        self.session: dict[str, Any] = {}
        self.id: str | None = None
        self.rate_limits: list[dict[str, Any]] = []
        self.active: Response | None = None
        self.speech: Item | None = None
        self._order = Order()
        self._known: dict[str, Item] = {}  # every item that was ever spoken of, by id
        self._responses: dict[str, Response] = {}
        self._calls: dict[str, Item] = {}  # function calls by call_id
        self._answers: dict[str, Item] = {}  # their outputs by call_id
        self._input = InputAudio()
        self._sent: dict[str, Event] = {}  # conversation.item.create of the client by item id, until it is answered
        self._output_bytes_per_ms = BYTES_PER_MS  # of the session's output format
        self._transcribes = False  # the session asks for transcription of the user's speech

    @classmethod
    def replay(cls, log: Iterable[Entry]) -> Conversation:
        """The conversation that a log adds up to."""
        conversation = cls()
        for entry in log:
            conversation.apply(entry.event, entry.direction)
        return conversation

    # -- reading ---------------------------------------------------------------------------------------------------

    @property
    def items(self) -> list[Item]:
        """The items of the conversation, in its order. A new list: reading costs what there is."""
        return list(self._order)

    @property
    def last(self) -> Item | None:
        """The last item of the conversation."""
        return self._order.last

    @property
    def count(self) -> int:
        """How many items the conversation has."""
        return self._order.count

    @property
    def responses(self) -> list[Response]:
        """All responses, also out of band, as they began."""
        return list(self._responses.values())

    def item(self, item_id: str) -> Item | None:
        """The item of that id: in the conversation, of a response out of band, announced, or deleted."""
        return self._known.get(item_id)

    def response(self, response_id: str) -> Response | None:
        """The response of that id."""
        return self._responses.get(response_id)

    def call(self, call_id: str) -> Item | None:
        """The function call of that id."""
        return self._calls.get(call_id)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values; two conversations are equal when these are."""
        return {
            "id": self.id,
            "session": self.session,
            "rate_limits": self.rate_limits,
            "items": [item.id for item in self._order],
            "known": [item.to_dict() for item in self._known.values()],
            "responses": [response.to_dict() for response in self._responses.values()],
            "active": self.active.id if self.active is not None else None,
            "speech": self.speech.id if self.speech is not None else None,
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Conversation) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]  # it changes all the time

    def __repr__(self) -> str:
        return f"<Conversation: {self._order.count} items, {len(self._responses)} responses>"

    # -- applying --------------------------------------------------------------------------------------------------

    def apply(self, event: Event, direction: Direction = "server") -> Changes:
        """Take one event; tell what it changed. Never raises."""
        try:
            handler = (_CLIENT if direction == "client" else _SERVER)[event["type"]]
        except (KeyError, TypeError, IndexError):  # no such event; no name in it; not even an object
            return () if direction == "client" else (Change("unknown", None, None, "", event),)
        return handler(self, event)

    # -- deltas: the hot path ----------------------------------------------------------------------------------------

    def _on_audio_delta(self, event: Event) -> Changes:
        delta = event.get("delta")
        item = self._spoken(event)
        part = _part(item, event.get("content_index"), "output_audio") if item is not None else None
        if item is None or part is None or type(delta) is not str:
            return _unknown(event)
        part.audio_chunks.append(delta)
        part.audio_bytes += base64_bytes(delta)
        return (Change("audio", item, item.response, delta, event),)

    def _on_transcript_delta(self, event: Event) -> Changes:
        delta = event.get("delta")
        item = self._spoken(event)
        part = _part(item, event.get("content_index"), "output_audio") if item is not None else None
        if item is None or part is None or type(delta) is not str:
            return _unknown(event)
        part.transcript_pieces.pieces.append(delta)
        part.heard_marks.append(part.audio_bytes)
        return (Change("transcript", item, item.response, delta, event),)

    def _on_text_delta(self, event: Event) -> Changes:
        delta = event.get("delta")
        item = self._spoken(event)
        part = _part(item, event.get("content_index"), "output_text") if item is not None else None
        if item is None or part is None or type(delta) is not str:
            return _unknown(event)
        part.text_pieces.pieces.append(delta)
        return (Change("text", item, item.response, delta, event),)

    def _on_arguments_delta(self, event: Event) -> Changes:
        delta = event.get("delta")
        item = self._spoken(event, "function_call")
        if item is None or type(delta) is not str:
            return _unknown(event)
        item.argument_pieces.pieces.append(delta)
        return (Change("arguments", item, item.response, delta, event),)

    def _spoken(self, event: Event, kind: str = "message") -> Item | None:
        """The item that an event of a running response speaks of; made when it is new."""
        item_id = event.get("item_id")
        if type(item_id) is not str:
            return None
        item = self._known.get(item_id)
        if item is None:
            item = self._make(item_id)
        if item.response is None:
            self._attach(item, self._response_of(event.get("response_id")))
        if not item.type:
            item.type = kind
            if kind == "message":
                item.role = "assistant"
        return item

    # -- ends of texts -----------------------------------------------------------------------------------------------

    def _on_text_done(self, event: Event) -> Changes:
        return self._settle(event, "text", "text")

    def _on_transcript_done(self, event: Event) -> Changes:
        return self._settle(event, "transcript", "transcript")

    def _on_audio_done(self, event: Event) -> Changes:
        item = self._spoken(event)
        if item is None:
            return _unknown(event)
        return (Change("audio_done", item, item.response, "", event),)

    def _settle(self, event: Event, field: str, kind: Kind) -> Changes:
        item = self._spoken(event)
        kind_of_part = "output_text" if field == "text" else "output_audio"
        part = _part(item, event.get("content_index"), kind_of_part) if item is not None else None
        if item is None or part is None:
            return _unknown(event)
        full = event.get(field)
        pieces = part.text_pieces if field == "text" else part.transcript_pieces
        rest = pieces.settle(full) if isinstance(full, str) else ""
        if rest:
            return (Change(kind, item, item.response, rest, event),)
        return (Change("item_updated", item, item.response, "", event),)

    def _on_arguments_done(self, event: Event) -> Changes:
        item = self._spoken(event, "function_call")
        if item is None:
            return _unknown(event)
        self._name_call(item, event)
        full = event.get("arguments")
        rest = item.argument_pieces.settle(full) if isinstance(full, str) else ""
        if rest:
            return (Change("arguments", item, item.response, rest, event),)
        return (Change("item_updated", item, item.response, "", event),)

    def _on_part(self, event: Event) -> Changes:
        item = self._spoken(event)
        content = event.get("part")
        if item is None or not isinstance(content, dict):
            return _unknown(event)
        part = _part(item, event.get("content_index"), "")
        if part is None:
            return _unknown(event)
        changes: list[Change] = []
        _fill(item, part, content, event, changes)
        changes.append(Change("item_updated", item, item.response, "", event))
        return tuple(changes)

    # -- items of the conversation -----------------------------------------------------------------------------------

    def _on_item_added(self, event: Event) -> Changes:
        item = self._described(event)
        if item is None:
            return _unknown(event)
        changes: list[Change] = []
        entered = self._place(item, event)
        self._take(item, event["item"], event, changes)
        changes.append(Change("item_added" if entered else "item_updated", item, item.response, "", event))
        return tuple(changes)

    def _on_item_created(self, event: Event) -> Changes:
        """The one event of the 2024 dialect where there are two today."""
        changes = self._on_item_added(event)
        item = changes[-1].item
        if item is not None and item.response is None and item.status == "completed":
            return changes + self._finish(item, event, None)
        return changes

    def _on_item_done(self, event: Event) -> Changes:
        item = self._described(event)
        if item is None:
            return _unknown(event)
        changes: list[Change] = []
        entered = self._place(item, event)
        self._take(item, event["item"], event, changes)
        if entered:
            changes.append(Change("item_added", item, item.response, "", event))
        changes.extend(self._finish(item, event, event["item"].get("status")))
        return tuple(changes)

    def _on_item_retrieved(self, event: Event) -> Changes:
        item = self._described(event)
        if item is None:
            return _unknown(event)
        changes: list[Change] = []
        if self._place(item, event):
            changes.append(Change("item_added", item, item.response, "", event))
        self._take(item, event["item"], event, changes)
        changes.append(Change("item_retrieved", item, item.response, "", event))
        return tuple(changes)

    def _on_item_deleted(self, event: Event) -> Changes:
        item = self._named(event)
        if item is None:
            return _unknown(event)
        if item.placed:
            self._order.remove(item)
        item.deleted = True
        return (Change("item_deleted", item, item.response, "", event),)

    def _on_item_truncated(self, event: Event) -> Changes:
        item = self._named(event)
        end = _whole(event.get("audio_end_ms"))
        if item is None or end is None:
            return _unknown(event)
        item.truncated_at_ms = end
        return (Change("item_truncated", item, item.response, "", event),)

    def _on_output_added(self, event: Event) -> Changes:
        return self._output_item(event, done=False)

    def _on_output_done(self, event: Event) -> Changes:
        return self._output_item(event, done=True)

    def _output_item(self, event: Event, *, done: bool) -> Changes:
        item = self._described(event)
        if item is None:
            return _unknown(event)
        if item.response is None:
            self._attach(item, self._response_of(event.get("response_id")))
        changes: list[Change] = []
        self._take(item, event["item"], event, changes)
        if done:
            changes.extend(self._finish(item, event, event["item"].get("status")))
        else:
            changes.append(Change("output_added", item, item.response, "", event))
        return tuple(changes)

    def _described(self, event: Event) -> Item | None:
        """The item whose description an event carries; made when it is new, or when it was deleted before."""
        described = event.get("item")
        item_id = described.get("id") if isinstance(described, dict) else None
        if type(item_id) is not str:
            return None
        item = self._known.get(item_id)
        if item is None or (item.deleted and event["type"] in _ENTERS):
            item = self._make(item_id)
        return item

    def _named(self, event: Event) -> Item | None:
        """The item whose id an event carries; made when it is new."""
        item_id = event.get("item_id")
        if type(item_id) is not str:
            return None
        return self._known.get(item_id) or self._make(item_id)

    def _make(self, item_id: str) -> Item:
        item = self._known[item_id] = Item(item_id, bytes_per_ms=self._output_bytes_per_ms)
        return item

    def _place(self, item: Item, event: Event) -> bool:
        """Put an item where the server says; tell if it was not in the conversation before.

        ``previous_item_id`` is the item just before. Null means the first place, yet only an item of the client can
        come there: for one of the server's own making (an answer, committed speech) null is how some servers say
        nothing, and it goes to the end; so does one that the client put at the end.
        """
        if item.placed or item.deleted:
            return False
        asked = self._sent.get(item.id)
        previous_id = event.get("previous_item_id")
        if isinstance(previous_id, str) and previous_id != item.id:
            item.follows = previous_id
            previous = self._known.get(previous_id)
            if previous is not None and previous.placed:
                self._order.insert(item, previous)
            elif previous_id == "root":
                self._order.insert(item, None)
            else:
                self._order.append(item, follows=previous_id)
            return True
        of_server = item.response is not None or item.follows is not None or item.audio_start_ms is not None
        to_end = asked is not None and asked.get("previous_item_id") is None
        if "previous_item_id" not in event or of_server or to_end:
            self._order.append(item)
        else:
            self._order.insert(item, None)
        return True

    def _take(self, item: Item, described: Mapping[str, Any], event: Event, changes: list[Change]) -> None:
        """Take the server's description of an item. What is null or empty in it never erases what came before."""
        item.raw = dict(described) if not isinstance(described, dict) else described
        kind, role, status = described.get("type"), described.get("role"), described.get("status")
        if isinstance(kind, str) and kind:
            item.type = kind
        if isinstance(role, str) and role:
            item.role = role
        if isinstance(status, str) and not (item.done and status == "in_progress"):
            item.status = status
        self._name_call(item, described)
        arguments, output = described.get("arguments"), described.get("output")
        if isinstance(arguments, str):
            rest = item.argument_pieces.settle(arguments)
            if rest and item.response is not None:
                changes.append(Change("arguments", item, item.response, rest, event))
        if isinstance(output, str):
            item.output = output
        content = described.get("content")
        if isinstance(content, list):
            for index, given in enumerate(content):
                part = _part(item, index, "")
                if part is not None and isinstance(given, dict):
                    _fill(item, part, given, event, changes)
        asked = self._sent.pop(item.id, None)
        if asked is not None:
            _take_sent_audio(item, asked)
        if item.role == "user" and item.transcription == "off" and any(p.type == "input_audio" for p in item.parts):
            if item.transcript:
                item.transcription = "done"
            elif self._transcribes:
                item.transcription = "awaiting"

    def _name_call(self, item: Item, given: Mapping[str, Any]) -> None:
        """Take name and id of a call; join a call and its output."""
        name, call_id = given.get("name"), given.get("call_id")
        if isinstance(name, str) and name:
            item.name = name
        if not isinstance(call_id, str) or not call_id:
            return
        item.call_id = call_id
        if item.type == "function_call_output":
            self._answers[call_id] = item
        elif item.type == "function_call":
            self._calls[call_id] = item
        call, answer = self._calls.get(call_id), self._answers.get(call_id)
        if call is not None and answer is not None:
            call.answer = answer

    def _finish(self, item: Item, event: Event, status: object) -> Changes:
        """The server says that an item is done; `status` is what this event gives, if it gives one.

        A call is given out only when the server calls the item completed: the arguments of a cancelled one end the
        same way. Where it gives no status the end of the response decides.
        """
        changes: Changes = (Change("item_updated" if item.done else "item_done", item, item.response, "", event),)
        item.done = True
        if item.status == "in_progress" and (item.type != "function_call" or item.response is None):
            item.status = "completed"
        if status == "completed" and item.type == "function_call" and item.response is not None and not item.called:
            item.called = True
            changes += (Change("call", item, item.response, "", event),)
        return changes

    # -- responses ---------------------------------------------------------------------------------------------------

    def _on_response_created(self, event: Event) -> Changes:
        response = self._describe_response(event)
        if response is None:
            return _unknown(event)
        if not response.out_of_band and not response.done:
            self.active = response
        return (Change("response_created", None, response, "", event),)

    def _on_response_done(self, event: Event) -> Changes:
        response = self._describe_response(event)
        if response is None:
            return _unknown(event)
        changes: list[Change] = []
        output = response.raw.get("output")
        named: dict[str, Item] = {}
        for described in output if isinstance(output, list) else ():
            item = self._described({"type": event["type"], "item": described})
            if item is None:
                continue
            if item.response is None:
                self._attach(item, response)
            self._take(item, described, event, changes)
            if item.response is response:
                named[item.id] = item
        response.output = [*named.values(), *(item for item in response.output if item.id not in named)]
        response.done = True
        if response.status == "in_progress":
            response.status = "completed"
        if self.active is response:
            self.active = None
        for item in response.output:
            changes.extend(self._finish_with(item, response, event))
        changes.append(Change("response_done", None, response, "", event))
        return tuple(changes)

    def _finish_with(self, item: Item, response: Response, event: Event) -> Changes:
        """What the end of a response means for one of its items."""
        if item.status == "in_progress":
            item.status = _LOOSE_STATUS.get(response.status, "incomplete")
        finished = item.status if response.status == "completed" else None
        if item.done and (item.called or item.type != "function_call" or finished != "completed"):
            return ()
        was_done = item.done
        changes = self._finish(item, event, finished)
        return changes[1:] if was_done else changes

    def _describe_response(self, event: Event) -> Response | None:
        described = event.get("response")
        if not isinstance(described, dict):
            return None
        response = self._response_of(described.get("id"))
        if response is None:
            return None
        response.raw = described
        status, details, usage = described.get("status"), described.get("status_details"), described.get("usage")
        if isinstance(status, str):
            response.status = status
        if isinstance(details, dict):
            response.status_details = details
        if isinstance(usage, dict):
            response.usage = usage
        if isinstance(described.get("metadata"), dict):
            response.metadata = described["metadata"]
        conversation_id = described.get("conversation_id")
        if isinstance(conversation_id, str):
            response.conversation_id = conversation_id
        response.out_of_band = "conversation_id" in described and conversation_id is None
        response.bytes_per_ms = _bytes_per_ms(described, "output", response.bytes_per_ms)
        return response

    def _response_of(self, response_id: object) -> Response | None:
        """The response of that id; made when it is new: its ``response.created`` may have been missed."""
        if type(response_id) is not str:
            return None
        response = self._responses.get(response_id)
        if response is None:
            response = self._responses[response_id] = Response(response_id, bytes_per_ms=self._output_bytes_per_ms)
        return response

    def _attach(self, item: Item, response: Response | None) -> None:
        if response is not None:
            item.response = response
            item.bytes_per_ms = response.bytes_per_ms
            response.output.append(item)

    # -- the user's speech -------------------------------------------------------------------------------------------

    def _on_speech_started(self, event: Event) -> Changes:
        item = self._user_item(event)
        if item is not None:
            item.audio_start_ms = _whole(event.get("audio_start_ms"))
            self.speech = item
        return (Change("speech_started", item, None, "", event),)

    def _on_speech_stopped(self, event: Event) -> Changes:
        item = self._user_item(event)
        if item is not None:
            item.audio_end_ms = _whole(event.get("audio_end_ms"))
        self.speech = None
        return (Change("speech_stopped", item, None, "", event),)

    def _on_timeout(self, event: Event) -> Changes:
        item = self._user_item(event)
        if item is not None:
            item.audio_start_ms = _whole(event.get("audio_start_ms"))
            item.audio_end_ms = _whole(event.get("audio_end_ms"))
        return (Change("timeout", item, None, "", event),)

    def _on_committed(self, event: Event) -> Changes:
        item = self._user_item(event)
        self.speech = None
        if item is None:
            return (Change("committed", None, None, "", event),)
        previous_id = event.get("previous_item_id")
        item.follows = previous_id if isinstance(previous_id, str) else ""
        part = _part(item, 0, "input_audio")
        if part is not None and not part.audio_chunks:
            self._input.committed(item, part)
        if self._transcribes and item.transcription == "off":
            item.transcription = "awaiting"
        return (Change("committed", item, None, "", event),)

    def _on_cleared(self, event: Event) -> Changes:
        self._input.cleared()
        self.speech = None
        return (Change("cleared", None, None, "", event),)

    def _user_item(self, event: Event) -> Item | None:
        """The user's item that an event of the input buffer, or of transcription, speaks of; made when it is new."""
        item = self._named(event)
        if item is not None and not item.type:
            item.type, item.role = "message", "user"
            item.bytes_per_ms = self._input.bytes_per_ms
        return item

    def _on_user_delta(self, event: Event) -> Changes:
        item = self._user_item(event)
        part = _part(item, event.get("content_index"), "input_audio") if item is not None else None
        if item is None or part is None:
            return _unknown(event)
        delta = event.get("delta")
        text = delta if isinstance(delta, str) else ""
        if text:
            part.transcript_pieces.pieces.append(text)
        if item.transcription == "off":
            item.transcription = "awaiting"
        return (Change("user_transcript", item, None, text, event),)

    def _on_user_completed(self, event: Event) -> Changes:
        item = self._user_item(event)
        part = _part(item, event.get("content_index"), "input_audio") if item is not None else None
        if item is None or part is None:
            return _unknown(event)
        full, usage = event.get("transcript"), event.get("usage")
        rest = part.transcript_pieces.settle(full) if isinstance(full, str) else ""
        item.transcription = "done"
        item.transcription_error = None
        if isinstance(usage, dict):
            item.transcription_usage = usage
        return (Change("user_transcript", item, None, rest or "", event),)

    def _on_user_failed(self, event: Event) -> Changes:
        item = self._user_item(event)
        if item is None:
            return _unknown(event)
        error = event.get("error")
        item.transcription = "failed"
        item.transcription_error = error if isinstance(error, dict) else {"message": str(error or "no reason given")}
        return (Change("user_transcript", item, None, "", event),)

    def _on_user_segment(self, event: Event) -> Changes:
        item = self._user_item(event)
        if item is None:
            return _unknown(event)
        item.segments.append(event)
        text = event.get("text")
        return (Change("segment", item, None, text if isinstance(text, str) else "", event),)

    # -- MCP ---------------------------------------------------------------------------------------------------------

    def _on_mcp_delta(self, event: Event) -> Changes:
        delta = event.get("delta")
        item = self._spoken(event, "mcp_call")
        if item is None or type(delta) is not str:
            return _unknown(event)
        item.argument_pieces.pieces.append(delta)
        return (Change("arguments", item, item.response, delta, event),)

    def _on_mcp_done(self, event: Event) -> Changes:
        item = self._spoken(event, "mcp_call")
        if item is None:
            return _unknown(event)
        full = event.get("arguments")
        rest = item.argument_pieces.settle(full) if isinstance(full, str) else ""
        return (Change("arguments" if rest else "item_updated", item, item.response, rest or "", event),)

    def _on_mcp_state(self, event: Event) -> Changes:
        item = self._named(event)
        if item is None:
            return _unknown(event)
        if not item.type:
            item.type = "mcp_list_tools" if event["type"].startswith("mcp_list_tools") else "mcp_call"
        item.status = event["type"].rpartition(".")[2]
        return (Change("item_updated", item, item.response, "", event),)

    # -- the session and the rest ------------------------------------------------------------------------------------

    def _on_session(self, event: Event) -> Changes:
        session = event.get("session")
        if not isinstance(session, dict):
            return _unknown(event)
        if event["type"] == "session.created":  # a new socket: an empty buffer, and nothing runs on the server
            self._input = InputAudio()
            self._sent.clear()
            self.active = self.speech = None
        self.session = session
        self._input.bytes_per_ms = _bytes_per_ms(session, "input", self._input.bytes_per_ms)
        self._output_bytes_per_ms = _bytes_per_ms(session, "output", self._output_bytes_per_ms)
        self._transcribes = bool(_at(session, "audio", "input", "transcription"))
        return (Change("session", None, None, "", event),)

    def _on_conversation(self, event: Event) -> Changes:
        conversation_id = _at(event, "conversation", "id")
        if isinstance(conversation_id, str):
            self.id = conversation_id
        return (Change("conversation", None, None, "", event),)

    def _on_rate_limits(self, event: Event) -> Changes:
        limits = event.get("rate_limits")
        if not isinstance(limits, list):
            return _unknown(event)
        self.rate_limits = [limit for limit in limits if isinstance(limit, dict)]
        return (Change("rate_limits", None, None, "", event),)

    def _on_error(self, event: Event) -> Changes:
        if _at(event, "error", "code") == "input_audio_buffer_commit_empty":
            self._input.commit_refused()
        message = _at(event, "error", "message")
        return (Change("error", None, None, message if isinstance(message, str) else "", event),)

    def _on_dtmf(self, event: Event) -> Changes:
        key = event.get("event")
        return (Change("dtmf", None, None, key if isinstance(key, str) else "", event),)

    def _on_output_buffer(self, event: Event) -> Changes:
        response = self._response_of(event.get("response_id"))
        return (Change(_OUTPUT_BUFFER[event["type"]], None, response, "", event),)

    # -- what the client sent ----------------------------------------------------------------------------------------

    def _sent_append(self, event: Event) -> Changes:
        audio = event.get("audio")
        if type(audio) is str:
            self._input.append(audio)
        return ()

    def _sent_commit(self, event: Event) -> Changes:
        self._input.commit_sent()
        return ()

    def _sent_clear(self, event: Event) -> Changes:
        self._input.clear_sent()
        return ()

    def _sent_item(self, event: Event) -> Changes:
        item_id = _at(event, "item", "id")
        if isinstance(item_id, str):
            self._sent[item_id] = event
        return ()


def _unknown(event: Event) -> Changes:
    return (Change("unknown", None, None, "", event),)


def _part(item: Item, index: object, kind: str) -> Part | None:
    """The content part of that index, the first when none is given; made when it is new; None if malformed."""
    parts = item.parts
    if index is None:
        index = 0
    elif type(index) is not int or index < 0:
        return None
    if index < len(parts):
        part = parts[index]
        if not part.type:
            part.type = kind
        return part
    if index > len(parts) + _GAP:
        return None
    while len(parts) <= index:
        parts.append(Part())
    parts[index].type = kind
    return parts[index]


def _fill(item: Item, part: Part, given: Mapping[str, Any], event: Event, changes: list[Change]) -> None:
    """Take the server's description of a content part; what it brings that no delta brought is a change."""
    kind, text, transcript = given.get("type"), given.get("text"), given.get("transcript")
    audio, image_url = given.get("audio"), given.get("image_url")
    if isinstance(kind, str) and kind and not (part.type and kind in ("text", "audio")):
        part.type = kind
    if isinstance(text, str) and text:
        rest = part.text_pieces.settle(text)
        if rest and item.response is not None:
            changes.append(Change("text", item, item.response, rest, event))
    if isinstance(transcript, str) and transcript and item.truncated_at_ms is None:
        rest = part.transcript_pieces.settle(transcript)
        if rest and item.response is not None:
            changes.append(Change("transcript", item, item.response, rest, event))
    if isinstance(audio, str) and audio and (item.response is None or not part.audio_chunks):
        part.hold([audio])
    if isinstance(image_url, str):
        part.image_url = image_url


def _take_sent_audio(item: Item, asked: Event) -> None:
    """Give an item the audio and pictures that the client sent for it: the server repeats no audio."""
    content = _at(asked, "item", "content")
    for index, given in enumerate(content if isinstance(content, list) else ()):
        part = _part(item, index, "")
        if part is not None and isinstance(given, dict):
            audio, image_url = given.get("audio"), given.get("image_url")
            if isinstance(audio, str) and not part.audio_chunks:
                part.hold([audio])
            if isinstance(image_url, str) and part.image_url is None:
                part.image_url = image_url


def _at(value: Any, *keys: str) -> Any:
    """The member at a path; None where there is none."""
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _whole(value: object) -> int | None:
    """A time in ms as the server gave it, as a whole number; None if it is none."""
    if type(value) is int:
        return max(0, value)
    if type(value) is float and 0 <= value < 1e15:
        return int(value)
    return None


def _bytes_per_ms(settings: Mapping[str, Any], side: str, default: int) -> int:
    """Bytes in a millisecond of the ``input`` or ``output`` audio of a session or response."""
    kind = _at(settings, "audio", side, "format", "type")
    if not isinstance(kind, str):
        return default
    return BYTES_PER_MS if kind == "audio/pcm" else 8  # audio/pcmu and audio/pcma: 8 kHz, a byte a sample


_ENTERS: Final = frozenset({"conversation.item.added", "conversation.item.created", "conversation.item.done"})
"""Events that may bring an item back under the id of a deleted one."""

_OUTPUT_BUFFER: Final[Mapping[str, Kind]] = {
    "output_audio_buffer.started": "output_started",
    "output_audio_buffer.stopped": "output_stopped",
    "output_audio_buffer.cleared": "output_cleared",
}

_Handler: TypeAlias = Callable[[Conversation, Event], Changes]

_TRANSCRIPTION: Final = "conversation.item.input_audio_transcription."

_SERVER: Final[dict[str, _Handler]] = {
    "response.output_audio.delta": Conversation._on_audio_delta,
    "response.output_audio_transcript.delta": Conversation._on_transcript_delta,
    "response.output_text.delta": Conversation._on_text_delta,
    "response.function_call_arguments.delta": Conversation._on_arguments_delta,
    "response.output_audio.done": Conversation._on_audio_done,
    "response.output_audio_transcript.done": Conversation._on_transcript_done,
    "response.output_text.done": Conversation._on_text_done,
    "response.function_call_arguments.done": Conversation._on_arguments_done,
    "response.content_part.added": Conversation._on_part,
    "response.content_part.done": Conversation._on_part,
    "response.output_item.added": Conversation._on_output_added,
    "response.output_item.done": Conversation._on_output_done,
    "response.created": Conversation._on_response_created,
    "response.done": Conversation._on_response_done,
    "conversation.item.added": Conversation._on_item_added,
    "conversation.item.created": Conversation._on_item_created,
    "conversation.item.done": Conversation._on_item_done,
    "conversation.item.retrieved": Conversation._on_item_retrieved,
    "conversation.item.truncated": Conversation._on_item_truncated,
    "conversation.item.deleted": Conversation._on_item_deleted,
    _TRANSCRIPTION + "delta": Conversation._on_user_delta,
    _TRANSCRIPTION + "segment": Conversation._on_user_segment,
    _TRANSCRIPTION + "completed": Conversation._on_user_completed,
    _TRANSCRIPTION + "failed": Conversation._on_user_failed,
    "input_audio_buffer.speech_started": Conversation._on_speech_started,
    "input_audio_buffer.speech_stopped": Conversation._on_speech_stopped,
    "input_audio_buffer.timeout_triggered": Conversation._on_timeout,
    "input_audio_buffer.committed": Conversation._on_committed,
    "input_audio_buffer.cleared": Conversation._on_cleared,
    "input_audio_buffer.dtmf_event_received": Conversation._on_dtmf,
    **dict.fromkeys(_OUTPUT_BUFFER, Conversation._on_output_buffer),
    "response.mcp_call_arguments.delta": Conversation._on_mcp_delta,
    "response.mcp_call_arguments.done": Conversation._on_mcp_done,
    "response.mcp_call.in_progress": Conversation._on_mcp_state,
    "response.mcp_call.completed": Conversation._on_mcp_state,
    "response.mcp_call.failed": Conversation._on_mcp_state,
    "mcp_list_tools.in_progress": Conversation._on_mcp_state,
    "mcp_list_tools.completed": Conversation._on_mcp_state,
    "mcp_list_tools.failed": Conversation._on_mcp_state,
    "session.created": Conversation._on_session,
    "session.updated": Conversation._on_session,
    "conversation.created": Conversation._on_conversation,
    "rate_limits.updated": Conversation._on_rate_limits,
    "error": Conversation._on_error,
}

_CLIENT: Final[dict[str, _Handler]] = {
    "input_audio_buffer.append": Conversation._sent_append,
    "input_audio_buffer.commit": Conversation._sent_commit,
    "input_audio_buffer.clear": Conversation._sent_clear,
    "conversation.item.create": Conversation._sent_item,
}
