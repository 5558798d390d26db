"""What each error code, and each outcome of a response, means, why it comes, and what to do.

Imports nothing of rtnb.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

__all__ = ["CODES", "REASONS", "RTNB_CODES", "Told"]

Told: TypeAlias = tuple[str, str, str]
"""What it is, what causes it, what to do."""

_RANGE: Final = (
    "A number is outside of its range.",
    "The message names the bound.",
    "Give a value within it.",
)

_LOST: Final = (
    "The connection was lost before it was complete.",
    "The network, a server that stopped, or the session's time limit.",
    "What had come is kept; rtnb opens a new connection and asks again where nothing had come.",
)
_CHAT: Final = "The chat endpoint behind the local one: it is not started, or its address is wrong."

RTNB_CODES: Final[Mapping[str, Told]] = {
    # what was said could not be written down
    "audio_unintelligible": (
        "The speech could not be written down.",
        "The recogniser failed, or understood nothing; the message has its words.",
        "Speak again, or `Session(transcription=None)`: the model hears the sound itself, not the transcript.",
    ),
    "connection_lost": _LOST,
    # from a replay
    "not_in_recording": (
        "The replay holds nothing that answers this.",
        "Something else was sent than when it was recorded, or more.",
        'Do what the message says comes next, or ask a real endpoint: `rtnb.Session("local")` needs no key.',
    ),
    # from the chat endpoint behind a local one
    "connection_failed": ("The chat endpoint could not be reached.", _CHAT, "Start it, or check `chat_url`."),
    "connection_timeout": ("The chat endpoint was not reached in time.", _CHAT, "Start it, or check `chat_url`."),
    "broken_stream": (
        "The chat endpoint broke off its answer.",
        "It stopped, or sent what is no JSON.",
        "Ask again; its own log says more.",
    ),
    "invalid_request": (
        "The chat endpoint refused what it was asked.",
        "A model that takes no tools or no pictures, or a conversation that is too long for it.",
        "Read the message; choose another model there.",
    ),
    "forbidden": (
        "The chat endpoint does not allow this.",
        "The key there may not use this model.",
        "Check RTNB_CHAT_KEY and the name of the model.",
    ),
}
"""Codes that come from here and never from the service: of the local endpoint, a replay, a lost connection."""

CODES: Final[Mapping[str, Told]] = {
    # what the client sent
    "invalid_value": (
        "A value is none of those that the service takes.",
        "A wrong name or number; with `param` `type` an unknown event; with `audio_end_ms` a cut past the end.",
        "The message lists what is taken; `rtnb.lint(event)` says it before you send.",
    ),
    "invalid_type": (
        "A value has the wrong JSON type.",
        "Text for a number, a number for text, a word where an object belongs.",
        "The message names the type that is wanted.",
    ),
    "invalid_event": (
        "What was sent is no event.",
        "The `type` is missing, or the frame is binary.",
        "Send one JSON object with a `type` in each text frame.",
    ),
    "invalid_json": (
        "What was sent is no JSON.",
        "A cut or doubled text.",
        "Send one JSON object a frame: `json.dumps(event)`.",
    ),
    "missing_required_parameter": (
        "A field that must be there is not.",
        "Most often `session.type`, which the 2024 beta did not have.",
        "Add the field that `param` names.",
    ),
    "unknown_parameter": (
        "A field that the service does not know.",
        "A typing error, a name of the 2024 beta, or a field of another API. Nothing of the event was taken.",
        'Leave it out, or use today\'s name: `rtnb.explain("session.voice")` tells it.',
    ),
    "unsupported_parameter": (
        "A setting that this model or this kind of session does not have.",
        "For example `reasoning` with a model that does not reason.",
        "Leave it out, or choose another model.",
    ),
    "string_above_max_length": (
        "A text is too long.",
        "Ids have 32 characters at most, an input text 256,000.",
        "Shorten it; leave ids out, and the service makes them.",
    ),
    "empty_string": (
        "A text is empty that must not be.",
        "An id or a name without a character.",
        "Write it, or leave the field out.",
    ),
    "object_above_max_properties": (
        "An object has too many entries.",
        "`metadata` has 16 pairs at most.",
        "Leave some out.",
    ),
    "integer_below_min_value": _RANGE,
    "integer_above_max_value": _RANGE,
    "decimal_below_min_value": _RANGE,
    "decimal_above_max_value": _RANGE,
    # what does not fit the state of the session
    "conversation_already_has_active_response": (
        "A second answer was asked for while one was running.",
        "Two `response.create` at once, or one beside an answer that turn detection began.",
        'Wait for `response.done`: `session.ask` does. Beside it runs only `conversation="none"`.',
    ),
    "response_cancel_not_active": (
        "There was nothing to cancel.",
        "The answer had ended just before.",
        "Nothing: it is harmless.",
    ),
    "input_audio_buffer_commit_empty": (
        "There was too little sound to make a turn of.",
        "Less than 100 ms since the last commit; or turn detection had taken it already.",
        "Record a little longer; with turn detection do not commit by hand.",
    ),
    "item_truncate_invalid_item_id": (
        "The item that was to be cut is not there.",
        "It was deleted, or belongs to an answer out of band or to another connection.",
        "Take ids from `session.items`.",
    ),
    "item_retrieve_invalid_item_id": (
        "The item that was asked for is not there.",
        "It was deleted, or belongs to another connection.",
        "Take ids from `session.items`.",
    ),
    "item_delete_invalid_item_id": (
        "The item that was to be deleted is not there.",
        "It was deleted already, or belongs to another connection.",
        "Take ids from `session.items`.",
    ),
    "item_create_duplicate_item_id": (
        "The id of a new item is taken.",
        "The same event was sent twice, or ids are not unique.",
        "Leave `item.id` out, and the service makes one.",
    ),
    "item_create_invalid_previous_item_id": (
        "The item after which a new one was to stand is not there.",
        "It was deleted, or belongs to another connection.",
        "Leave `previous_item_id` out for the end, or write `root` for the front.",
    ),
    "invalid_tool_call_id": (
        "The output of a function belongs to no call of this conversation.",
        "A wrong `call_id`, or a call of an answer out of band.",
        "Use the `call_id` that came with the call.",
    ),
    "cannot_update_voice": (
        "The voice is fixed once the model has spoken.",
        "A `session.update` with another voice; none of its other settings was taken either.",
        "Set the voice before the first answer, or open a new session.",
    ),
    "session_expired": (
        "The session reached its time limit of 60 minutes.",
        "It was open for that long.",
        "rtnb opens a new connection before that, and puts the conversation into it (`Session(reconnect=...)`).",
    ),
    # who may connect, and with what
    "invalid_api_key": (
        "The key was refused.",
        "It is wrong, was revoked, or was copied with something missing or added.",
        'Check OPENAI_API_KEY, in the environment or in `.env`; `Session("local")` needs none.',
    ),
    "account_deactivated": (
        "The account of this key is deactivated.",
        "The service closed it.",
        'Ask its support; `Session("local")` needs no account.',
    ),
    "insufficient_quota": (
        "The account has no credit left.",
        "It is spent, or none was ever bought.",
        "See the account's billing page; trying again does not help.",
    ),
    "billing_hard_limit_reached": (
        "The account's own spending limit is reached.",
        "It was set on the billing page.",
        "Raise it there, or wait for the next month.",
    ),
    "rate_limit_exceeded": (
        "Too many requests or tokens in a minute.",
        "Many sessions at once, or long conversations in quick turns.",
        "Wait for the time in the message, then ask again; shorter conversations need fewer tokens.",
    ),
    "inference_rate_limit_exceeded": (
        "Too many answers at once.",
        "Many sessions that answer at the same time.",
        "Wait a little, then ask again.",
    ),
    "missing_model": (
        "No model was named.",
        "The address has no `?model=`.",
        "Give `Session(model=...)`.",
    ),
    "invalid_model": (
        "This model does not speak the realtime protocol.",
        "A chat or transcription model was named.",
        "Give a realtime model, such as `gpt-realtime-2.1-mini`.",
    ),
    "model_not_found": (
        "This model does not exist, or the account may not use it.",
        "A typing error, or a model that was shut off.",
        "Give `Session(model=...)` another name.",
    ),
    "beta_api_shape_disabled": (
        "The 2024 beta was asked for, which was shut off in May 2026.",
        "The header `OpenAI-Beta: realtime=v1`, or an old client.",
        "Leave the header out and use today's names: `rtnb.lint(event)` tells them.",
    ),
    # from a relay
    "upstream_unavailable": (
        "The relay could not reach the service behind it.",
        "The network between them, or the service.",
        "Try again soon; whoever runs the relay sees more in its log.",
    ),
    # types of errors, where there is no code
    "relay_error": (
        "A relay between here and the service refused it.",
        "One of its limits: sessions, events, time or money.",
        "Read the message; ask whoever runs the relay.",
    ),
    "server_error": (
        "The server had a fault of its own.",
        "Nothing that you sent.",
        "Ask again; if it stays, look at the status page of the service.",
    ),
    "invalid_request_error": (
        "The service refused what was sent.",
        "A bad event, or one that does not fit now.",
        "Read the message and `param`; `rtnb.lint(event)` knows most of them.",
    ),
    **RTNB_CODES,
}
"""Codes of ``error`` events and of failed responses, and types of errors."""

REASONS: Final[Mapping[str, Told]] = {
    "completed": ("The answer is complete.", "The model said all that it wanted to.", "Nothing."),
    "cancelled": (
        "The answer was stopped.",
        "The user spoke, or it was cancelled; the reason tells which.",
        "What had come is kept.",
    ),
    "incomplete": (
        "The answer was cut short.",
        "Its length limit, or the content filter; the reason tells which.",
        "What had come is kept.",
    ),
    "failed": (
        "The answer failed.",
        "A fault or a limit of the service; `status_details.error` tells which.",
        "Ask again, unless the code says that this does not help.",
    ),
    "turn_detected": (
        "The answer was stopped because the user began to speak.",
        "`interrupt_response` of the turn detection: also an echo or a noise.",
        "Meant so? Fine. If not: headphones, a higher `threshold`, or `session.half_duplex = True`.",
    ),
    "client_cancelled": (
        "The answer was stopped from here.",
        "`response.cancel`: an interruption, `reply.cancel()`, or a spent budget.",
        "Nothing.",
    ),
    "max_output_tokens": (
        "The answer reached its length limit.",
        "`max_output_tokens` of the session or of this answer; a spoken second has 20 tokens.",
        "Raise it, or ask for shorter answers in `instructions`.",
    ),
    "connection_lost": _LOST,
    "content_filter": (
        "The content filter stopped the answer.",
        "What was asked, or what was about to be said.",
        "Ask in other words.",
    ),
}
"""How a response ended, and why: ``status`` and ``status_details.reason``."""
