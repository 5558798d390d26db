"""The state of a conversation and what its reducers share: finding, describing, placing and finishing items.

Imports `rtnb.core.changes`, `content`, `input_audio`, `items`, `order` and `protocol`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from rtnb.core.changes import Change, Changes
from rtnb.core.content import Part
from rtnb.core.input_audio import InputAudio
from rtnb.core.items import Item, Response
from rtnb.core.order import Order
from rtnb.core.protocol import BYTES_PER_MS, Event

__all__ = ["Handler", "State", "at", "content_part", "fill", "unknown", "whole"]

_GAP: Final = 16
"""How many content parts an event may leave out; a larger ``content_index`` is taken as malformed."""


class State:
    """All that a conversation knows. Only the reducers change it.

    Attributes
    ----------
    session : dict
        The effective session object, as given last.
    id : str or None
        Id of the conversation.
    rate_limits : list of dict
        As given last.
    active : Response or None
        The response of the conversation that is running.
    speech : Item or None
        What the user is speaking just now.
    order : Order
        The items of the conversation.
    known : dict
        Every item that was ever spoken of, by id.
    responses : dict
        Every response, by id.
    calls, answers : dict
        Function calls and their outputs, by ``call_id``.
    input : InputAudio
        The user's audio that is no item yet.
    sent : dict
        ``conversation.item.create`` of the client by item id, until the server answers.
    output_bytes_per_ms : int
        Of the session's output format.
    transcribes : bool
        The session asks for the transcription of the user's speech.
    restoring : set of str
        Ids of the items that a former connection had: when a new one confirms them, nothing of them changes.
    """

    __slots__ = (
        "active",
        "answers",
        "calls",
        "confirmed",
        "id",
        "input",
        "known",
        "order",
        "output_bytes_per_ms",
        "rate_limits",
        "responses",
        "restoring",
        "sent",
        "session",
        "speech",
        "transcribes",
    )

    def __init__(self) -> None:
        self.session: dict[str, Any] = {}
        self.id: str | None = None
        self.rate_limits: list[dict[str, Any]] = []
        self.active: Response | None = None
        self.speech: Item | None = None
        self.order = Order()
        self.known: dict[str, Item] = {}
        self.responses: dict[str, Response] = {}
        self.calls: dict[str, Item] = {}
        self.answers: dict[str, Item] = {}
        self.input = InputAudio()
        self.sent: dict[str, Event] = {}
        self.confirmed: set[str] = set()  # items of the client's own that the server took
        self.output_bytes_per_ms = BYTES_PER_MS
        self.transcribes = False
        self.restoring: set[str] = set()

    # -- finding -----------------------------------------------------------------------------------------------------

    def make(self, item_id: str) -> Item:
        """A new item under that id."""
        item = self.known[item_id] = Item(item_id, bytes_per_ms=self.output_bytes_per_ms)
        return item

    def named(self, event: Event) -> Item | None:
        """The item whose id an event carries; made when it is new. None: there is no id."""
        item_id = event.get("item_id")
        if type(item_id) is not str:
            return None
        return self.known.get(item_id) or self.make(item_id)

    def spoken(self, event: Event, kind: str = "message") -> Item | None:
        """The item that an event of a running response speaks of; made when it is new."""
        item_id = event.get("item_id")
        if type(item_id) is not str:
            return None
        item = self.known.get(item_id) or self.make(item_id)
        if item.response is None:
            self.attach(item, self.response_of(event.get("response_id")))
        if not item.type:
            item.type = kind
            if kind == "message":
                item.role = "assistant"
        return item

    def described(self, described: object, *, enters: bool = False) -> Item | None:
        """The item of a description; made when it is new, or when it `enters` again after it was deleted."""
        item_id = described.get("id") if isinstance(described, dict) else None
        if type(item_id) is not str:
            return None
        item = self.known.get(item_id)
        if item is None or (enters and item.deleted):
            item = self.make(item_id)
        return item

    def response_of(self, response_id: object) -> Response | None:
        """The response of that id; made when it is new: its ``response.created`` may have been missed."""
        if type(response_id) is not str:
            return None
        response = self.responses.get(response_id)
        if response is None:
            response = self.responses[response_id] = Response(response_id, bytes_per_ms=self.output_bytes_per_ms)
        return response

    def attach(self, item: Item, response: Response | None) -> None:
        """Note that `response` made `item`."""
        if response is not None:
            item.response = response
            item.bytes_per_ms = response.bytes_per_ms
            response.output.append(item)

    def restores(self, item: Item) -> bool:
        """Whether the server only confirms an item that a former connection had: then nothing of it changes."""
        if item.id not in self.restoring:
            return False
        item.restored = True
        self.sent.pop(item.id, None)
        return True

    # -- changing ----------------------------------------------------------------------------------------------------

    def place(self, item: Item, event: Event) -> bool:
        """Put an item where the server says; tell if it was not in the conversation before.

        ``previous_item_id`` is the item just before. Null means the first place, yet only an item of the client can
        come there: for one of the server's own making (an answer, committed speech) null is how some servers say
        nothing, and it goes to the end; so does one that the client put at the end.
        """
        if item.placed or item.deleted:
            return False
        asked = self.sent.get(item.id)
        previous_id = event.get("previous_item_id")
        if not isinstance(previous_id, str):
            previous_id = item.follows  # as the commit has told
        if previous_id and previous_id != item.id:
            item.follows = previous_id
            previous = self.known.get(previous_id)
            if previous is not None and previous.placed:
                self.order.insert(item, previous)
            elif previous_id == "root":
                self.order.insert(item, None)
            else:
                self.order.append(item, follows=previous_id)
            return True
        of_server = item.response is not None or item.follows is not None or item.audio_start_ms is not None
        to_end = asked is not None and asked.get("previous_item_id") is None
        if "previous_item_id" not in event or of_server or to_end:
            self.order.append(item)
        else:
            self.order.insert(item, None)
        return True

    def take(self, item: Item, described: dict[str, Any], event: Event, changes: list[Change]) -> None:
        """Take the server's description of an item. What is null or empty in it never erases what came before."""
        item.raw = described
        kind, role, status = described.get("type"), described.get("role"), described.get("status")
        if isinstance(kind, str) and kind:
            item.type = kind
        if isinstance(role, str) and role:
            item.role = role
        if isinstance(status, str) and not (item.done and status == "in_progress"):
            item.status = status
        self.name_call(item, described)
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
                part = content_part(item, index, "")
                if part is not None and isinstance(given, dict):
                    fill(item, part, given, event, changes)
        asked = self.sent.pop(item.id, None)
        if asked is not None:
            self.confirmed.add(item.id)
            _take_sent(item, asked)
        if item.role == "user" and item.transcription == "off" and any(p.type == "input_audio" for p in item.parts):
            if item.transcript:
                item.transcription = "done"
            elif self.transcribes and item.id not in self.confirmed:  # sound in an item of the client's own never is
                item.transcription = "awaiting"

    def name_call(self, item: Item, given: Mapping[str, Any]) -> None:
        """Take name and id of a call; join a call and its output."""
        name, call_id = given.get("name"), given.get("call_id")
        if isinstance(name, str) and name:
            item.name = name
        if not isinstance(call_id, str) or not call_id:
            return
        item.call_id = call_id
        if item.type == "function_call_output":
            self.answers[call_id] = item
        elif item.type == "function_call":
            self.calls[call_id] = item
        call, answer = self.calls.get(call_id), self.answers.get(call_id)
        if call is not None and answer is not None:
            call.answer = answer

    def finish(self, item: Item, event: Event, status: object) -> Changes:
        """The server says that an item is done; `status` is what this event gives, if it gives one.

        A call is given out only when the server calls the item completed: the arguments of a cancelled one end the
        same way. Where it gives no status the end of the response decides.
        """
        changes: Changes = (Change("item_updated" if item.done else "item_done", item, item.response, "", event),)
        item.done = True
        is_call = item.type == "function_call" and item.response is not None
        if item.status == "in_progress" and not is_call:
            item.status = "completed"
        if status == "completed" and is_call and not item.called:
            item.called = True
            changes += (Change("call", item, item.response, "", event),)
        return changes


Handler: TypeAlias = Callable[[State, Event], Changes]
"""What applies one kind of event."""


def unknown(event: Event) -> Changes:
    """The answer to what is malformed."""
    return (Change("unknown", None, None, "", event),)


def content_part(item: Item, index: object, kind: str) -> Part | None:
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


def fill(item: Item, part: Part, given: Mapping[str, Any], event: Event, changes: list[Change]) -> None:
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


def at(value: Any, *keys: str) -> Any:
    """The member at a path; None where there is none."""
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def whole(value: object) -> int | None:
    """A time in ms as the server gave it, as a whole number; None if it is none."""
    if type(value) is int:
        return max(0, value)
    if type(value) is float and 0 <= value < 1e15:
        return int(value)
    return None


def bytes_per_ms(settings: Mapping[str, Any], side: str, default: int) -> int:
    """Bytes in a millisecond of the ``input`` or ``output`` audio of a session or response."""
    kind = at(settings, "audio", side, "format", "type")
    if not isinstance(kind, str):
        return default
    return BYTES_PER_MS if kind == "audio/pcm" else 8  # audio/pcmu and audio/pcma: 8 kHz, a byte a sample


def _take_sent(item: Item, asked: Event) -> None:
    """Give an item the audio and pictures that the client sent for it: the server does not repeat them."""
    content = at(asked, "item", "content")
    for index, given in enumerate(content if isinstance(content, list) else ()):
        part = content_part(item, index, "")
        if part is not None and isinstance(given, dict):
            audio, image_url = given.get("audio"), given.get("image_url")
            if isinstance(audio, str) and not part.audio_chunks:
                part.hold([audio])
            if isinstance(image_url, str) and part.image_url is None:
                part.image_url = image_url
