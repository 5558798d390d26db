"""What one event changed: the values that `rtnb.core.conversation.Conversation.apply` returns.

Imports `rtnb.core.items` and `rtnb.core.protocol`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from rtnb.core.items import Item, Response
from rtnb.core.protocol import Event

__all__ = ["Change", "Changes", "Kind"]

Kind: TypeAlias = Literal[
    "session",
    "conversation",
    "item_added",
    "item_updated",
    "item_done",
    "item_retrieved",
    "item_truncated",
    "item_deleted",
    "output_added",
    "text",
    "transcript",
    "audio",
    "audio_done",
    "arguments",
    "call",
    "user_transcript",
    "segment",
    "response_created",
    "response_done",
    "speech_started",
    "speech_stopped",
    "committed",
    "cleared",
    "timeout",
    "dtmf",
    "output_started",
    "output_stopped",
    "output_cleared",
    "rate_limits",
    "error",
    "unknown",
]
"""What a `Change` tells; explained in the docstring of `Change`."""


class Change(NamedTuple):
    """What one event changed. A named tuple, since one is made for each event: it costs a fifth of a frozen dataclass.

    ===================  ==========================================================================================
    kind                 told when
    ===================  ==========================================================================================
    session              the session was created or updated; `Conversation.session` holds it whole
    conversation         the server named the conversation (old servers)
    item_added           an item entered the conversation; once for each
    output_added         a response began an item (also out of band, where no `item_added` follows)
    item_updated         something else of an item changed
    item_done            an item is finished, see its `status`; once for each
    item_retrieved       the answer to ``conversation.item.retrieve``: `item` now has the server's audio
    item_truncated       its audio was cut: see `truncated_at_ms`, `heard_transcript`, `unheard`
    item_deleted         it left the conversation
    text, transcript     `delta` was written, or is being said, by the model
    audio                `delta`, base64 as it came, is to be played
    audio_done           no more audio comes for `item`
    arguments            `delta` of the arguments of a call
    call                 a complete function call, to be carried out; never for a cancelled or incomplete item
    user_transcript      `delta` of what the user said; see `item.transcription` for done and failed. When the text
                         comes at once at the end, or a rest of it, `delta` is that
    segment              a speaker's stretch of the user's audio, the last of `item.segments`
    response_created     a response began
    response_done        a response ended, see its `status`
    speech_started       the user began to speak; `item` is what it will become
    speech_stopped       the user ended
    committed            the audio buffer became `item`
    cleared              the audio buffer was emptied
    timeout              nobody spoke for the idle time
    dtmf                 a telephone key, in `delta`
    output_started       the server began to play (WebRTC and SIP; also output_stopped, output_cleared)
    rate_limits          see `Conversation.rate_limits`
    error                the server's error; its message in `delta`
    unknown              anything else, kept as it came
    ===================  ==========================================================================================
    """

    kind: Kind
    item: Item | None
    response: Response | None
    delta: str
    event: Event


Changes: TypeAlias = tuple[Change, ...]
"""What one event changed; mostly one thing, sometimes nothing."""
