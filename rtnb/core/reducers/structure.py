"""Items and responses as they begin, end, move and go.

Imports `rtnb.core.changes`, `items`, `protocol` and `rtnb.core.reducers.state`.
"""

from __future__ import annotations

from typing import Any, Final

from rtnb.core.changes import Change, Changes
from rtnb.core.items import Item, Response
from rtnb.core.protocol import Event
from rtnb.core.reducers.state import Handler, State, bytes_per_ms, unknown, whole

__all__ = ["STRUCTURE"]


def _item_added(state: State, event: Event) -> Changes:
    described = event.get("item")
    item = state.described(described, enters=True)
    if item is None or not isinstance(described, dict):
        return unknown(event)
    if state.restores(item):
        return ()
    changes: list[Change] = []
    entered = state.place(item, event)
    state.take(item, described, event, changes)
    changes.append(Change("item_added" if entered else "item_updated", item, item.response, "", event))
    return tuple(changes)


def _item_created(state: State, event: Event) -> Changes:
    """The one event of the 2024 dialect where there are two today."""
    changes = _item_added(state, event)
    item = changes[-1].item if changes else None
    if item is not None and item.response is None and item.status == "completed":
        return changes + state.finish(item, event, None)
    return changes


def _item_done(state: State, event: Event) -> Changes:
    described = event.get("item")
    item = state.described(described)
    if item is None or not isinstance(described, dict):
        return unknown(event)
    if state.restores(item):
        return ()
    changes: list[Change] = []
    entered = state.place(item, event)
    state.take(item, described, event, changes)
    if entered:  # its "added" was missed
        changes.append(Change("item_added", item, item.response, "", event))
    changes.extend(state.finish(item, event, described.get("status")))
    return tuple(changes)


def _item_retrieved(state: State, event: Event) -> Changes:
    described = event.get("item")
    item = state.described(described)
    if item is None or not isinstance(described, dict):
        return unknown(event)
    changes: list[Change] = []
    if state.place(item, event):  # we joined a conversation that had begun
        changes.append(Change("item_added", item, item.response, "", event))
    if not item.restored:  # the server has less of it than we
        state.take(item, described, event, changes)
    changes.append(Change("item_retrieved", item, item.response, "", event))
    return tuple(changes)


def _item_deleted(state: State, event: Event) -> Changes:
    item = state.named(event)
    if item is None:
        return unknown(event)
    if item.placed:
        state.order.remove(item)
    item.deleted = True
    state.restoring.discard(item.id)
    return (Change("item_deleted", item, item.response, "", event),)


def _item_truncated(state: State, event: Event) -> Changes:
    item = state.named(event)
    end = whole(event.get("audio_end_ms"))
    if item is None or end is None:
        return unknown(event)
    item.truncated_at_ms = end
    return (Change("item_truncated", item, item.response, "", event),)


def _output_added(state: State, event: Event) -> Changes:
    return _output(state, event, done=False)


def _output_done(state: State, event: Event) -> Changes:
    return _output(state, event, done=True)


def _output(state: State, event: Event, *, done: bool) -> Changes:
    described = event.get("item")
    item = state.described(described)
    if item is None or not isinstance(described, dict):
        return unknown(event)
    if item.response is None:
        state.attach(item, state.response_of(event.get("response_id")))
    changes: list[Change] = []
    state.take(item, described, event, changes)
    if done:
        changes.extend(state.finish(item, event, described.get("status")))
    else:
        changes.append(Change("output_added", item, item.response, "", event))
    return tuple(changes)


def _response_created(state: State, event: Event) -> Changes:
    response = _described_response(state, event)
    if response is None:
        return unknown(event)
    if not response.out_of_band and not response.done:
        state.active = response
    return (Change("response_created", None, response, "", event),)


def _response_done(state: State, event: Event) -> Changes:
    response = _described_response(state, event)
    if response is None:
        return unknown(event)
    changes: list[Change] = []
    output: Any = response.raw.get("output")
    named: dict[str, Item] = {}
    for described in output if isinstance(output, list) else ():
        item = state.described(described)
        if item is None:
            continue
        if item.response is None:
            state.attach(item, response)
        state.take(item, described, event, changes)
        if item.response is response:
            named[item.id] = item
    response.output = [*named.values(), *(item for item in response.output if item.id not in named)]
    response.done = True
    if response.status == "in_progress":
        response.status = "completed"
    if state.active is response:
        state.active = None
    for item in response.output:
        changes.extend(_finish_with(state, item, response, event))
    changes.append(Change("response_done", None, response, "", event))
    return tuple(changes)


def _finish_with(state: State, item: Item, response: Response, event: Event) -> Changes:
    """What the end of a response means for one of its items that nothing else has finished."""
    completed = response.status == "completed"
    if item.status == "in_progress":
        item.status = "completed" if completed else "incomplete"
    if not item.done:
        return state.finish(item, event, item.status if completed else None)
    if completed and item.status == "completed" and not item.called:
        return state.finish(item, event, "completed")[1:]  # a call whose own end had no status
    return ()


def _described_response(state: State, event: Event) -> Response | None:
    described = event.get("response")
    if not isinstance(described, dict):
        return None
    response = state.response_of(described.get("id"))
    if response is None:
        return None
    response.raw = described
    status, details = described.get("status"), described.get("status_details")
    usage, metadata = described.get("usage"), described.get("metadata")
    if isinstance(status, str):
        response.status = status
    if isinstance(details, dict):
        response.status_details = details
    if isinstance(usage, dict):
        response.usage = usage
    if isinstance(metadata, dict):
        response.metadata = metadata
    conversation_id = described.get("conversation_id")
    if isinstance(conversation_id, str):
        response.conversation_id = conversation_id
    elif "conversation_id" in described and response.conversation_id is None:
        response.out_of_band = True
    response.bytes_per_ms = bytes_per_ms(described, "output", response.bytes_per_ms)
    return response


STRUCTURE: Final[dict[str, Handler]] = {
    "conversation.item.added": _item_added,
    "conversation.item.created": _item_created,
    "conversation.item.done": _item_done,
    "conversation.item.retrieved": _item_retrieved,
    "conversation.item.deleted": _item_deleted,
    "conversation.item.truncated": _item_truncated,
    "response.output_item.added": _output_added,
    "response.output_item.done": _output_done,
    "response.created": _response_created,
    "response.done": _response_done,
}
"""Server events about items and responses as a whole."""
