"""GA and the 2024 beta: every event of one dialect in the other, both directions, both sides.

=====================  =================================================================================
`beta_to_ga_client`    what a beta client sent: the local endpoint and the relay serve it as GA
`GaToBetaServer`       what a GA server says, to a beta client
`ga_to_beta_client`    what our session sends, to a beta server
`BetaToGaServer`       what a beta server says, to our session
=====================  =================================================================================

What has no counterpart is left out; each translator tells what and why in `Dropped` values. A wrong event of a beta
client stays wrong, and the refusal is told in the beta's names (`beta_param`, and in `GaToBetaServer` the whole
``error`` event). Translators never raise and never change the event that they were given.

Imports `rtnb.core.protocol` and the tables of `rtnb.core.dialects_fields`, `..._names` and `..._events`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rtnb.core.dialects_events import (
    BETA_EVENTS,
    NOT_IN_BETA,
    beta_item,
    beta_response,
    beta_session,
    client_item,
    ga_item,
    ga_response,
    ga_session,
    with_items,
)
from rtnb.core.dialects_fields import (
    RESPONSE,
    SESSION,
    TEMPERATURE,
    TRANSCRIPTION,
    Dropped,
    flatten,
    nest,
)
from rtnb.core.dialects_names import RENAMED_FIELDS, beta_message, beta_param, ga_param
from rtnb.core.protocol import Event, new_id

__all__ = [
    "RENAMED",
    "BetaToGaServer",
    "Dropped",
    "GaToBetaServer",
    "beta_message",
    "beta_param",
    "beta_to_ga_client",
    "beta_to_ga_secret_request",
    "ga_param",
    "ga_to_beta_client",
    "ga_to_beta_secret",
]

RENAMED: Final[Mapping[str, str]] = {**BETA_EVENTS, **RENAMED_FIELDS}
"""Beta name -> GA name, of events and of fields (as dotted paths: ``session.voice``), for explanations."""

_GA_EVENTS: Final = {ga: beta for beta, ga in BETA_EVENTS.items() if not beta.startswith("transcription_session")}


# ---- client events ---------------------------------------------------------------------------------------------------


def beta_to_ga_client(event: Event, dropped: list[Dropped] | None = None) -> Event:
    """What a beta client sent, as GA.

    Strict: a field that the beta did not know comes out as one that GA does not know either.

    Parameters
    ----------
    event
        An event of a beta client, right or wrong.
    dropped
        Gets what GA has no place for: ``temperature``, for one.
    """
    if not isinstance(event, Mapping):
        return event
    name = event.get("type")
    if name == "session.update":
        return _with_nested(event, "session", "realtime", dropped)
    if name == "transcription_session.update":
        return {**_with_nested(event, "session", "transcription", dropped), "type": "session.update"}
    if name == "conversation.item.create" and "item" in event:
        return {**event, "item": client_item(event["item"])}
    if name == "response.create" and isinstance(event.get("response"), Mapping):
        settings = dict(event["response"])
        if "max_output_tokens" in settings and "max_response_output_tokens" not in settings:
            settings["max_response_output_tokens"] = settings.pop("max_output_tokens")
        response = nest(settings, RESPONSE, strict=True, path="response", dropped=dropped)
        if "input" in response:
            response["input"] = with_items(response["input"], client_item)
        return {**event, "response": response}
    return event


def ga_to_beta_client(event: Event, dropped: list[Dropped] | None = None) -> Event:
    """What a GA client sends, for a beta server.

    Parameters
    ----------
    event
        A right event of a GA client.
    dropped
        Gets what the beta did not know, with the reason.
    """
    if not isinstance(event, Mapping):
        return event
    name = event.get("type")
    if name == "session.update" and isinstance(event.get("session"), Mapping):
        session = {key: value for key, value in event["session"].items() if key != "type"}
        if event["session"].get("type") == "transcription":
            flat = flatten(session, TRANSCRIPTION, path="session", dropped=dropped)
            return {**event, "type": "transcription_session.update", "session": flat}
        return {**event, "session": flatten(session, SESSION, path="session", dropped=dropped)}
    if name == "conversation.item.create" and "item" in event:
        return {**event, "item": beta_item(event["item"], dropped)}
    if name == "response.create" and isinstance(event.get("response"), Mapping):
        response = flatten(event["response"], RESPONSE, path="response", dropped=dropped)
        if "input" in response:
            response["input"] = with_items(response["input"], lambda item: beta_item(item, dropped, "response.input"))
        return {**event, "response": response}
    return event


def _with_nested(event: Event, name: str, kind: str, dropped: list[Dropped] | None) -> Event:
    session = event.get(name)
    if not isinstance(session, Mapping):
        return dict(event)
    table = TRANSCRIPTION if kind == "transcription" else SESSION
    return {**event, name: {"type": kind, **nest(session, table, strict=True, path=name, dropped=dropped)}}


# ---- server events ---------------------------------------------------------------------------------------------------


class GaToBetaServer:
    """What a GA server says, for one beta client: call it with each event in turn.

    Parameters
    ----------
    conversation_id
        The id told in ``conversation.created``, which follows ``session.created``; by default a fresh one.

    Attributes
    ----------
    dropped : list of Dropped
        What the beta had no name for, the last 100.
    """

    def __init__(self, *, conversation_id: str | None = None) -> None:
        self.dropped: list[Dropped] = []
        self._conversation_id = conversation_id
        self._told = False  # conversation.created
        self._created: set[str] = set()  # items told and not done yet
        self._temperature = TEMPERATURE

    def note(self, event: Event) -> None:
        """What the beta client sent: its temperature is echoed, though nothing heeds it.

        Parameters
        ----------
        event
            A beta client's event, before translation.
        """
        session = event.get("session") if isinstance(event, Mapping) else None
        value = session.get("temperature") if isinstance(session, Mapping) else None
        if isinstance(value, int | float) and not isinstance(value, bool) and 0.6 <= value <= 1.2:
            self._temperature = value

    def __call__(self, event: Event) -> list[Event]:
        """The beta events that take the place of a GA event, in order; often one, sometimes none.

        Parameters
        ----------
        event
            A server's event in GA.
        """
        name = event.get("type") if isinstance(event, Mapping) else None
        if not isinstance(name, str):
            return [event]
        if name == "conversation.item.done":
            return self._done(event)
        if name in NOT_IN_BETA:
            self._drop(name, NOT_IN_BETA[name])
            return []
        return self._translate(event, name)

    def _translate(self, event: Event, name: str) -> list[Event]:
        if name in ("session.created", "session.updated"):
            return self._session(event, name)
        if name == "conversation.created":
            return [] if self._told else self._tell(event)
        if name in ("conversation.item.added", "conversation.item.created"):
            return self._added(event)
        if name in ("response.created", "response.done"):
            return [{**event, "response": beta_response(event.get("response"), self._temperature)}]
        if name == "error":
            return [_with_error(event, beta_param, beta_message)]
        if "item" in event:
            return [] if self._foreign(event) else [{**event, "item": beta_item(event["item"])}]
        return [{**event, "type": _GA_EVENTS[name]}] if name in _GA_EVENTS else [event]

    def _session(self, event: Event, name: str) -> list[Event]:
        session = event.get("session")
        transcription = isinstance(session, Mapping) and session.get("type") == "transcription"
        lost: list[Dropped] = []
        flat = {**event, "session": beta_session(session, self._temperature, lost)}
        for item in lost:
            self._drop(item.param, item.reason)
        if transcription:
            return [{**flat, "type": f"transcription_{name}"}]
        if name == "session.updated" or self._told:
            return [flat]
        conversation = {"id": self._conversation_id or new_id("conv"), "object": "realtime.conversation"}
        told = {"type": "conversation.created", "event_id": new_id("event"), "conversation": conversation}
        return [flat, *self._tell(told)]

    def _tell(self, event: Event) -> list[Event]:
        self._told = True
        return [event]

    def _added(self, event: Event) -> list[Event]:
        item = event.get("item")
        if self._foreign(event):
            return []
        if isinstance(item, Mapping) and isinstance(item.get("id"), str):
            self._created.add(item["id"])
        return [{**event, "type": "conversation.item.created", "item": beta_item(item)}]

    def _done(self, event: Event) -> list[Event]:
        item = event.get("item")
        id = item.get("id") if isinstance(item, Mapping) else None
        if isinstance(id, str) and id not in self._created and not self._foreign(event):
            return [{**event, "type": "conversation.item.created", "item": beta_item(item)}]
        self._created.discard(id if isinstance(id, str) else "")
        self._drop("conversation.item.done", NOT_IN_BETA["conversation.item.done"])
        return []

    def _foreign(self, event: Event) -> bool:
        item = event.get("item")
        kind = item.get("type") if isinstance(item, Mapping) else None
        if not (isinstance(kind, str) and kind.startswith("mcp_")):
            return False
        self._drop(f"item.type {kind}", "Tools of MCP servers came after the beta.")
        return True

    def _drop(self, param: str, reason: str) -> None:
        self.dropped.append(Dropped(param, reason))
        del self.dropped[:-100]


class BetaToGaServer:
    """What a beta server says, for a GA client: call it with each event in turn."""

    def __init__(self) -> None:
        self._open: dict[str, Any] = {}  # items in progress: id -> previous_item_id

    def __call__(self, event: Event) -> list[Event]:
        """The GA events that take the place of a beta event, in order.

        Parameters
        ----------
        event
            A server's event in the beta dialect.
        """
        name = event.get("type") if isinstance(event, Mapping) else None
        if not isinstance(name, str):
            return [event]
        if name == "conversation.item.created":
            return self._created(event)
        if name == "response.output_item.done":
            item = ga_item(event.get("item"))
            return [*self._done(item), {**event, "item": item}]
        if name == "response.done":
            response = ga_response(event.get("response"))
            output = response.get("output") if isinstance(response, Mapping) else None
            late = [done for item in output for done in self._done(item)] if isinstance(output, list) else []
            return [*late, {**event, "response": response}]
        if name == "response.created":
            return [{**event, "response": ga_response(event.get("response"))}]
        if name in ("session.created", "session.updated"):
            return [{**event, "session": ga_session(event.get("session"), transcription=False)}]
        if name in ("transcription_session.created", "transcription_session.updated"):
            session = ga_session(event.get("session"), transcription=True)
            return [{**event, "type": BETA_EVENTS[name], "session": session}]
        if name == "error":
            return [_with_error(event, ga_param, lambda message, param: message)]
        if "item" in event:
            return [{**event, "item": ga_item(event["item"])}]
        return [{**event, "type": BETA_EVENTS[name]}] if name in BETA_EVENTS else [event]

    def _created(self, event: Event) -> list[Event]:
        item = ga_item(event.get("item"))
        added = {**event, "type": "conversation.item.added", "item": item}
        if not isinstance(item, Mapping):
            return [added]
        if _in_progress(item) and isinstance(item.get("id"), str):
            self._open[item["id"]] = event.get("previous_item_id")
            return [added]
        return [added, {**added, "type": "conversation.item.done", "event_id": new_id("event")}]

    def _done(self, item: Any) -> list[Event]:
        id = item.get("id") if isinstance(item, Mapping) else None
        if not isinstance(id, str) or id not in self._open:
            return []
        done: Event = {"type": "conversation.item.done", "event_id": new_id("event")}
        return [{**done, "previous_item_id": self._open.pop(id), "item": item}]


def _in_progress(item: Mapping[str, Any]) -> bool:
    """Whether more of an item will come; the early beta did not always give a status."""
    status = item.get("status")
    if isinstance(status, str):
        return status == "in_progress"
    return item.get("type") == "function_call" or (item.get("role") == "assistant" and not item.get("content"))


def _with_error(event: Event, rename: Any, retell: Any) -> Event:
    error = event.get("error")
    if not isinstance(error, Mapping):
        return event
    param, message = error.get("param"), error.get("message")
    changed = dict(error)
    if isinstance(message, str):
        changed["message"] = retell(message, param if isinstance(param, str) else None)
    if isinstance(param, str):
        changed["param"] = rename(param)
    return {**event, "error": changed}


# ---- client secrets --------------------------------------------------------------------------------------------------


def beta_to_ga_secret_request(body: Event, *, transcription: bool = False) -> Event:
    """The body of a beta request for a key (``/realtime/sessions``), as the body of today's request.

    Parameters
    ----------
    body
        A flat session, perhaps with ``client_secret.expires_after``.
    transcription
        It was sent to ``/realtime/transcription_sessions``.
    """
    if not isinstance(body, Mapping):
        return body
    kind = "transcription" if transcription else "realtime"
    request: Event = {"session": _with_nested({"session": body}, "session", kind, None)["session"]}
    secret = body.get("client_secret")
    if isinstance(secret, Mapping) and "expires_after" in secret:
        request["expires_after"] = secret["expires_after"]
    return request


def ga_to_beta_secret(answer: Event) -> Event:
    """The answer to a request for a key, in the beta's shape: the flat session, with the key in ``client_secret``.

    Parameters
    ----------
    answer
        ``value``, ``expires_at`` and ``session``, as GA answers.
    """
    session = beta_session(answer.get("session"))
    secret = {"value": answer.get("value"), "expires_at": answer.get("expires_at")}
    return {**(session if isinstance(session, Mapping) else {}), "client_secret": secret}
