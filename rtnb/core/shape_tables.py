"""The tables of what client events carry: the session, its tools, the items, a response's settings.

``null`` is taken where the service uses it to clear a setting. Kinds are those of `rtnb.core.shape_kinds`.
"""

from __future__ import annotations

from typing import Final

from rtnb.core.protocol import LIMITS, RATE, VOICES
from rtnb.core.shape_kinds import (
    Anything,
    Array,
    Audio,
    Boolean,
    Choice,
    Either,
    ImageUrl,
    Integer,
    Kind,
    Modalities,
    Nullable,
    Number,
    Pairs,
    Record,
    Text,
    Variants,
)

__all__ = ["INPUT_ITEM", "ITEM", "RESPONSE", "SESSION"]

_STRINGS: Final = Array(Text(), expected="an array of strings")
_OBJECT: Final = Pairs(Anything())
_COUNT: Final = Integer(low=0)

# ---- session ---------------------------------------------------------------------------------------------------------

_FORMAT: Final = Variants(
    "type",
    {
        "audio/pcm": Record({"type": Text(), "rate": Integer(low=RATE, high=RATE)}),
        "audio/pcmu": Record({"type": Text()}),
        "audio/pcma": Record({"type": Text()}),
    },
)

_FLAGS: Final[dict[str, Kind]] = {"type": Text(), "create_response": Boolean(), "interrupt_response": Boolean()}

_TURN_DETECTION: Final = Variants(
    "type",
    {
        "server_vad": Record(
            {
                **_FLAGS,
                "threshold": Number(low=0, high=1),
                "prefix_padding_ms": _COUNT,
                "silence_duration_ms": _COUNT,
                "idle_timeout_ms": Nullable(Integer(*LIMITS.IDLE_TIMEOUT_MS)),
            }
        ),
        "semantic_vad": Record({**_FLAGS, "eagerness": Choice(("low", "medium", "high", "auto"))}),
    },
)

_TRANSCRIPTION: Final = Record(
    {
        "model": Text(),
        "language": Nullable(Text()),
        "languages": Nullable(_STRINGS),
        "prompt": Nullable(Text()),
        "keywords": Nullable(Array(Text(pattern=r"^[^<>\r\n]*\Z"), expected="an array of strings")),
        "delay": Nullable(Choice(("minimal", "low", "medium", "high", "xhigh"))),
    }
)

_NOISE_REDUCTION: Final = Record({"type": Choice(("near_field", "far_field")), "strength": Number()})

_AUDIO_INPUT: Final = Record(
    {
        "format": _FORMAT,
        "noise_reduction": Nullable(_NOISE_REDUCTION),
        "transcription": Nullable(_TRANSCRIPTION),
        "turn_detection": Nullable(_TURN_DETECTION),
    }
)

_VOICE: Final = Either((Choice(VOICES), Record({"id": Text()}, required=("id",))))

_AUDIO_OUTPUT: Final[dict[str, Kind]] = {"format": _FORMAT, "voice": _VOICE}

_INCLUDE: Final = Array(Choice(("item.input_audio_transcription.logprobs",)), expected="an array of strings")

_PROMPT: Final = Record(
    {
        "id": Text(),
        "version": Nullable(Text()),
        "variables": Nullable(Pairs(Either((Text(), _OBJECT)))),
    },
    required=("id",),
)

_TRACING: Final = Either(
    (Choice(("auto",)), Record({"workflow_name": Text(), "group_id": Text(), "metadata": Anything()}))
)

_TRUNCATION: Final = Either(
    (
        Choice(("auto", "disabled")),
        Variants(
            "type",
            {
                "retention_ratio": Record(
                    {
                        "type": Text(),
                        "retention_ratio": Number(low=0, high=1),
                        "token_limits": Record({"post_instructions": _COUNT}),
                    },
                    required=("retention_ratio",),
                )
            },
        ),
    )
)

_REASONING: Final = Record({"effort": Choice(("minimal", "low", "medium", "high", "xhigh"))})

_MAX_OUTPUT_TOKENS: Final = Either((Integer(low=1, high=LIMITS.MAX_OUTPUT_TOKENS), Choice(("inf",))))

# ---- tools -----------------------------------------------------------------------------------------------------------

_TOOL_NAME: Final = Text(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")

_MCP_FILTER: Final = Record({"tool_names": _STRINGS, "read_only": Boolean()})

_TOOL: Final = Variants(
    "type",
    {
        "function": Record(
            {"type": Text(), "name": _TOOL_NAME, "description": Text(), "parameters": _OBJECT}, required=("name",)
        ),
        "mcp": Record(
            {
                "type": Text(),
                "server_label": Text(),
                "server_url": Text(),
                "connector_id": Choice(
                    (
                        "connector_dropbox",
                        "connector_gmail",
                        "connector_googlecalendar",
                        "connector_googledrive",
                        "connector_microsoftteams",
                        "connector_outlookcalendar",
                        "connector_outlookemail",
                        "connector_sharepoint",
                    )
                ),
                "tunnel_id": Text(),
                "authorization": Text(),
                "headers": Nullable(Pairs(Text())),
                "server_description": Text(),
                "allowed_tools": Nullable(Either((_STRINGS, _MCP_FILTER))),
                "require_approval": Nullable(
                    Either((Choice(("always", "never")), Record({"always": _MCP_FILTER, "never": _MCP_FILTER})))
                ),
                "allowed_callers": Nullable(Array(Choice(("direct", "programmatic")), expected="an array of strings")),
                "defer_loading": Boolean(),
            },
            required=("server_label",),
        ),
    },
)

_TOOL_CHOICE: Final = Either(
    (
        Choice(("none", "auto", "required")),
        Variants(
            "type",
            {
                "function": Record({"type": Text(), "name": Text()}, required=("name",)),
                "mcp": Record(
                    {"type": Text(), "server_label": Text(), "name": Nullable(Text())}, required=("server_label",)
                ),
            },
        ),
    )
)

_METADATA: Final = Pairs(
    Text(max_length=LIMITS.METADATA_VALUE_CHARS),
    max_pairs=LIMITS.METADATA_PAIRS,
    max_key=LIMITS.METADATA_KEY_CHARS,
    expected="a metadata object",
)

_SHARED: Final[dict[str, Kind]] = {
    "instructions": Nullable(Text()),
    "output_modalities": Modalities(),
    "tools": Nullable(Array(_TOOL)),
    "tool_choice": Nullable(_TOOL_CHOICE),
    "parallel_tool_calls": Nullable(Boolean()),
    "reasoning": Nullable(_REASONING),
    "max_output_tokens": Nullable(_MAX_OUTPUT_TOKENS),
    "prompt": Nullable(_PROMPT),
}
"""What a session and a single response both can set."""

SESSION: Final = Variants(
    "type",
    {
        "realtime": Record(
            {
                "type": Text(),
                "model": Text(),
                **_SHARED,
                "audio": Record(
                    {"input": _AUDIO_INPUT, "output": Record({**_AUDIO_OUTPUT, "speed": Number(*LIMITS.SPEED)})}
                ),
                "include": Nullable(_INCLUDE),
                "tracing": Nullable(_TRACING),
                "truncation": Nullable(_TRUNCATION),
            }
        ),
        "transcription": Record(
            {"type": Text(), "audio": Record({"input": _AUDIO_INPUT}), "include": Nullable(_INCLUDE)}
        ),
    },
)
"""The session object of ``session.update`` and of a request for a client secret."""

# ---- items -----------------------------------------------------------------------------------------------------------

_TEXT_PART: Final = Record({"type": Text(), "text": Text(max_length=LIMITS.TEXT_CHARS)}, required=("text",))

_AUDIO_PART: Final = Record(
    {"type": Text(), "audio": Audio(LIMITS.APPEND_BYTES), "transcript": Nullable(Text())}, required=("audio",)
)

_IMAGE_PART: Final = Record(
    {"type": Text(), "image_url": ImageUrl(), "detail": Choice(("auto", "low", "high"))}, required=("image_url",)
)

# The service wants the words of an assistant's speech as `text`: its audio cannot be given back to it.
_SPOKEN_PART: Final = Record(
    {
        "type": Text(),
        "text": Text(max_length=LIMITS.TEXT_CHARS),
        "transcript": Nullable(Text()),
        "audio": Nullable(Text()),
    },
    required=("text",),
)

_PARTS: Final[dict[str, Variants]] = {
    "system": Variants("type", {"input_text": _TEXT_PART}),
    "user": Variants(
        "type",
        {"input_text": _TEXT_PART, "input_audio": _AUDIO_PART, "input_image": _IMAGE_PART},
        unlisted=frozenset({"input_image"}),
    ),
    "assistant": Variants(
        "type", {"output_text": _TEXT_PART, "output_audio": _SPOKEN_PART}, unlisted=frozenset({"output_audio"})
    ),
}

_ITEM_BASE: Final[dict[str, Kind]] = {
    "type": Text(),
    "id": Text(max_length=LIMITS.ITEM_ID_CHARS),
    "object": Choice(("realtime.item",)),
    "status": Choice(("completed", "incomplete", "in_progress")),
}

_CALL_ID: Final = Text(max_length=LIMITS.CALL_ID_CHARS)


def _error(**fields: Kind) -> Record:
    return Record({"type": Text(), "message": Text(), **fields}, required=("message", *fields))


_MCP_ERROR: Final = Variants(
    "type",
    {
        "protocol_error": _error(code=Integer()),
        "tool_execution_error": _error(),
        "http_error": _error(code=Integer()),
    },
)

_LISTED_TOOL: Final = Record(
    {
        "name": Text(),
        "input_schema": Anything(),
        "description": Nullable(Text()),
        "annotations": Nullable(Anything()),
    },
    required=("name", "input_schema"),
)


def _item(*required: str, **fields: Kind) -> Record:
    return Record({**_ITEM_BASE, **fields}, required=required)


_ITEMS: Final[dict[str, Kind]] = {
    "message": Variants(
        "role",
        {role: _item("content", role=Text(), content=Array(parts)) for role, parts in _PARTS.items()},
    ),
    "function_call": _item("name", "arguments", name=Text(), arguments=Text(), call_id=_CALL_ID),
    "function_call_output": _item("call_id", "output", call_id=_CALL_ID, output=Text()),
    "mcp_approval_response": _item(
        "approval_request_id",
        "approve",
        approval_request_id=Text(),
        approve=Boolean(),
        reason=Nullable(Text()),
    ),
    "mcp_list_tools": _item("server_label", "tools", server_label=Text(), tools=Array(_LISTED_TOOL)),
    "mcp_call": _item(
        "server_label",
        "name",
        "arguments",
        server_label=Text(),
        name=Text(),
        arguments=Text(),
        output=Nullable(Text()),
        error=Nullable(_MCP_ERROR),
        approval_request_id=Nullable(Text()),
    ),
    "mcp_approval_request": _item(
        "server_label", "name", "arguments", server_label=Text(), name=Text(), arguments=Text()
    ),
}

ITEM: Final = Variants("type", _ITEMS)
"""An item of ``conversation.item.create``."""

INPUT_ITEM: Final = Variants(
    "type", {**_ITEMS, "item_reference": Record({"type": Text(), "id": Text()}, required=("id",))}
)

RESPONSE: Final = Record(
    {
        **_SHARED,
        "audio": Record({"output": Record(_AUDIO_OUTPUT)}),
        "conversation": Choice(("auto", "none")),
        "input": Array(INPUT_ITEM),
        "metadata": Nullable(_METADATA),
    }
)
