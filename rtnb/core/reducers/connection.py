"""What a new connection means for a conversation that a former one began.

The server keeps nothing of a session whose connection ended: the client opens a new one and puts the items into it
again, under their old ids. So all that stood keeps standing here, and what was under way ends where it stood.

Imports `rtnb.core.changes`, `input_audio`, `items`, `protocol` and `rtnb.core.reducers.state`.
"""

from __future__ import annotations

from typing import Final

from rtnb.core.changes import Change, Changes
from rtnb.core.input_audio import InputAudio
from rtnb.core.items import Response
from rtnb.core.protocol import Event
from rtnb.core.reducers.state import State

__all__ = ["new_connection"]

_NO_TRANSCRIPT: Final = {
    "type": "connection_lost",
    "code": "connection_lost",
    "message": "the connection was lost before the transcript came",
    "param": None,
}


def new_connection(state: State, event: Event) -> Changes:
    """Take the ``session.created`` of a new connection, in the midst of a conversation.

    ===============================  ==================================================================================
    an answer under way              what was said or written of it stays, as incomplete; what had only begun goes, and
                                     so do calls that came without their ``response.done``: nobody has carried them out
    a transcript that was awaited    failed; a server that transcribes the item again may still bring it
    speech that was committed        stands, also where the server had not yet put it into the conversation
    audio in the buffer              gone, and the clock of ``audio_start_ms`` begins again
    ===============================  ==================================================================================
    """
    changes: list[Change] = []
    for response in state.responses.values():
        if not response.done:
            _cut(state, response, event, changes)
    for item in state.known.values():  # committed, and not yet said to be in the conversation
        if item.follows is not None and item.role == "user" and not (item.placed or item.deleted or item.done):
            state.order.append(item)
            item.status, item.done = "completed", True
            changes.append(Change("item_added", item, None, "", event))
            changes.append(Change("item_done", item, None, "", event))
    for item in state.order:
        if item.transcription == "awaiting":
            item.transcription, item.transcription_error = "failed", _NO_TRANSCRIPT
            changes.append(Change("user_transcript", item, None, "", event))
    state.input = InputAudio(bytes_per_ms=state.input.bytes_per_ms)
    state.sent.clear()
    state.active = state.speech = None
    state.restoring = {item.id for item in state.order}
    return tuple(changes)


def _cut(state: State, response: Response, event: Event, changes: list[Change]) -> None:
    was_said = False
    for item in list(response.output):
        if item.type == "message" and (item.text or item.audio_bytes):
            was_said = True
            if not (item.placed or response.out_of_band):
                state.order.append(item)
                changes.append(Change("item_added", item, response, "", event))
            if not item.done:
                item.status, item.done = "incomplete", True
                changes.append(Change("item_done", item, response, "", event))
        elif not response.out_of_band:
            if item.placed:
                state.order.remove(item)
            item.deleted = True
            changes.append(Change("item_deleted", item, response, "", event))
    response.status = "incomplete" if was_said else "failed"
    response.status_details = {"type": response.status, "reason": "connection_lost"}
    response.done = True
    changes.append(Change("response_done", None, response, "", event))
