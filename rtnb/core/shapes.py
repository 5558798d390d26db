"""The shape of every client event, as tables, and a check against them.

`CLIENT_SHAPES` says for each event of a GA session which fields it has, of which kind, and which of them must be there.
`violations` walks an event along its table. It knows nothing of a session's state: whether an item exists, whether a
response runs, whether audio makes whole samples is for others to judge.

``null`` is taken where the service uses it to clear a setting, and for the ids that an event may leave out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from rtnb.core.protocol import LIMITS
from rtnb.core.shape_kinds import Audio, Choice, Integer, Kind, Nullable, Record, Text, Variants
from rtnb.core.shape_tables import INPUT_ITEM, ITEM, RESPONSE, SESSION
from rtnb.core.shape_words import Violation, type_name

__all__ = [
    "CLIENT_SHAPES",
    "INPUT_ITEM",
    "ITEM",
    "RESPONSE",
    "SECRET_REQUEST",
    "SESSION",
    "Violation",
    "first_violation",
    "item_violations",
    "secret_violations",
    "session_violations",
    "violations",
]

_MOST: Final = 64
"""Breaches told of one event; a hostile event cannot make the list long."""

_COUNT: Final = Integer(low=0)


def _event(*required: str, **fields: Kind) -> Record:
    event_id = Nullable(Text(max_length=LIMITS.EVENT_ID_CHARS))
    return Record({"type": Text(), "event_id": event_id, **fields}, required=required)


CLIENT_SHAPES: Final[Mapping[str, Record]] = {
    "session.update": _event("session", session=SESSION),
    "input_audio_buffer.append": _event("audio", audio=Audio(LIMITS.APPEND_BYTES)),
    "input_audio_buffer.commit": _event(),
    "input_audio_buffer.clear": _event(),
    "conversation.item.create": _event("item", item=ITEM, previous_item_id=Nullable(Text())),
    "conversation.item.truncate": _event(
        "item_id", "content_index", "audio_end_ms", item_id=Text(), content_index=_COUNT, audio_end_ms=_COUNT
    ),
    "conversation.item.delete": _event("item_id", item_id=Text()),
    "conversation.item.retrieve": _event("item_id", item_id=Text()),
    "response.create": _event(response=Nullable(RESPONSE)),
    "response.cancel": _event(response_id=Nullable(Text())),
    "output_audio_buffer.clear": _event(),
}
"""The fields of every client event of a realtime or transcription session."""

_ANY_EVENT: Final = Variants("type", CLIENT_SHAPES, unlisted=frozenset({"output_audio_buffer.clear"}))

SECRET_REQUEST: Final = Record(
    {
        "expires_after": Record({"anchor": Choice(("created_at",)), "seconds": Integer(*LIMITS.SECRET_TTL_S)}),
        "session": SESSION,
    }
)
"""The body of a request for a client secret."""


def violations(event: object) -> list[Violation]:
    """All breaches of a client event, the one that the service would report first; empty when there are none.

    Parameters
    ----------
    event
        Any JSON value. Never raises.
    """
    return list(islice(_walk(event), _MOST))


def first_violation(event: object) -> Violation | None:
    """The breach that the service would report, or ``None``: cheaper than `violations` for a server.

    Parameters
    ----------
    event
        Any JSON value. Never raises.
    """
    return next(_walk(event), None)


def session_violations(session: object, path: str = "session") -> list[Violation]:
    """The breaches of a session object.

    Parameters
    ----------
    session
        Any JSON value.
    path
        Where it stands, for the messages.
    """
    return list(islice(SESSION.check(session, path), _MOST))


def item_violations(item: object, path: str = "item") -> list[Violation]:
    """The breaches of an item.

    Parameters
    ----------
    item
        Any JSON value.
    path
        Where it stands, for the messages.
    """
    return list(islice(ITEM.check(item, path), _MOST))


def secret_violations(body: object) -> list[Violation]:
    """The breaches of a request body for a client secret.

    Parameters
    ----------
    body
        Any JSON value.
    """
    if not isinstance(body, Mapping):
        return [Violation("invalid_type", f"Invalid body: expected an object, but got {type_name(body)} instead.")]
    return list(islice(SECRET_REQUEST.check(body, ""), _MOST))


def _walk(event: object) -> Iterator[Violation]:
    if not isinstance(event, Mapping):
        message = f"Invalid event: expected an object, but got {type_name(event)} instead."
        return iter((Violation("invalid_event", message),))
    if "type" not in event:
        return iter((Violation("invalid_event", "The 'type' field is missing."),))
    return _ANY_EVENT.check(event, "")
