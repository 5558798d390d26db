"""The mistakes that people are known to make, each with what it means and how to mend it.

Imports nothing of rtnb.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

__all__ = ["FORMATS", "OLD", "OLD_PARTS", "PARTS", "UNKNOWN", "VALUES", "Told"]

Told: TypeAlias = tuple[str, str]
"""What is wrong, and how to mend it."""

OLD: Final = "the old name was valid until May 2026"

FORMATS: Final = {
    "pcm16": '{"type": "audio/pcm", "rate": 24000}',
    "g711_ulaw": '{"type": "audio/pcmu"}',
    "g711_alaw": '{"type": "audio/pcma"}',
}
"""The beta's name of an audio format -> what to write today."""

PARTS: Final = {
    "user": ("input_text", "A user's words are `input_text`, speech is `input_audio`, pictures are `input_image`."),
    "system": ("input_text", "A system message holds `input_text` only."),
    "assistant": ("output_text", "An assistant's words are `output_text`."),
}
"""Role -> the type of its text part, and what it may hold."""

_OF_SESSION: Final = (
    "model",
    "turn_detection",
    "input_audio_format",
    "input_audio_noise_reduction",
    "input_audio_transcription",
    "include",
    "speed",
    "tracing",
    "truncation",
)

OLD_PARTS: Final = {"text": "output_text", "audio": "output_audio"}
"""What a part of the assistant's was called in the beta -> its name today."""

UNKNOWN: Final[Mapping[str, Told]] = {
    "session.temperature": (
        "`session.temperature` was removed: today's models have no temperature.",
        "Leave it out; ask for another style in `instructions`.",
    ),
    "response.temperature": (
        "`response.temperature` was removed: today's models have no temperature.",
        "Leave it out; ask for another style in `instructions`.",
    ),
    **{
        f"response.{name}": (
            f"`response.{name}` is a setting of the session, not of one response.",
            "Send it in a `session.update` before.",
        )
        for name in _OF_SESSION
    },
    "response.audio.input": (
        "`response.audio.input` is a setting of the session: a response hears nothing by itself.",
        "Send it in a `session.update` before.",
    ),
    "response.audio.output.speed": (
        "`response.audio.output.speed` is a setting of the session, not of one response.",
        "Send it in a `session.update` before.",
    ),
    **{
        f"session.{name}": (
            f"`session.{name}` is a setting of one response, not of the session.",
            "Send it in the `response` of a `response.create`.",
        )
        for name in ("conversation", "input", "metadata")
    },
    "session.client_secret": (
        "`session.client_secret` is not a setting: short-lived keys have a request of their own.",
        "Ask for one with `POST /v1/realtime/client_secrets`.",
    ),
    "item.role": (
        "Only messages have a role; function calls and their outputs have none.",
        "Leave `role` out.",
    ),
    "item.tool_call_id": (
        "`tool_call_id` is the chat API's name; here it is `call_id`.",
        "Write `call_id`, with the id of the function call that this answers.",
    ),
    "tools[].strict": (
        "Tools of a realtime session know no `strict`; that belongs to the chat API.",
        "Leave `strict` out.",
    ),
    "tools[].function": (
        "This tool has the form of the chat API, with its fields inside `function`.",
        'Move them up: `{"type": "function", "name": ..., "description": ..., "parameters": ...}`.',
    ),
    "tool_choice.function": (
        "This choice has the form of the chat API, with the name inside `function`.",
        'Write `{"type": "function", "name": ...}`.',
    ),
    "turn_detection.threshold": (
        "`semantic_vad` has no threshold: it listens to what is said, not to how loud it is.",
        'Use `"type": "server_vad"` to set a threshold, or `eagerness` with `semantic_vad`.',
    ),
    "turn_detection.silence_duration_ms": (
        "`semantic_vad` has no silence duration: it judges whether the sentence is over.",
        'Use `"type": "server_vad"` to set it, or `eagerness` with `semantic_vad`.',
    ),
    "turn_detection.eagerness": (
        "`eagerness` belongs to `semantic_vad`.",
        'Use `"type": "semantic_vad"`, or `silence_duration_ms` with `server_vad`.',
    ),
    "transcription.enabled": (
        "Transcription has no `enabled`: it is on when the object is there, off when it is null.",
        'Write `{"model": "gpt-4o-mini-transcribe"}`, or `null` to switch it off.',
    ),
}
"""Unknown field (the end of its path, indices as ``[]``) -> why it is there."""

VALUES: Final[tuple[tuple[str, str, Told], ...]] = (
    # path, code, what to say
    (
        r"image_url$",
        "invalid_value",
        (
            "Pictures are sent inside the event, as a data address of a PNG or JPEG; other addresses are not fetched.",
            "Load the file and write `data:image/png;base64,...`.",
        ),
    ),
    (
        r"(^|\.)call_id$",
        "string_above_max_length",
        (
            "A `call_id` has at most 32 characters.",
            "Use the id that the service gave; shorten ids of other systems, the same way for a call and its output.",
        ),
    ),
    (
        r"(^|\.)id$",
        "string_above_max_length",
        ("An item's id has at most 32 characters; a UUID with dashes has 36.", "Leave the dashes out, or the id."),
    ),
    (
        r"\.output$",
        "invalid_type",
        (
            "The output of a function is one string.",
            "Encode it once: `json.dumps(result)`; give a plain text as it is.",
        ),
    ),
    (
        r"\.arguments$",
        "invalid_type",
        ("The arguments of a function call are a string with JSON.", "Encode them: `json.dumps(arguments)`."),
    ),
    (
        r"\.parameters$",
        "invalid_type",
        ("The parameters of a tool are a JSON schema: an object.", 'Write `{"type": "object", "properties": {...}}`.'),
    ),
    (r"_ms$", "invalid_type", ("Milliseconds are whole numbers.", "Round them: `int(milliseconds)`.")),
    (
        r"metadata\.[^.]*$",
        "invalid_type",
        ("The values of `metadata` are strings.", "Turn them into text: `str(value)`."),
    ),
    (
        r"tools\[\]\.name$",
        "invalid_value",
        (
            "A tool's name consists of letters, digits, `_` and `-`.",
            "Rename the tool: `get_weather`, not `get weather`.",
        ),
    ),
)
"""Pattern of the path, code of the breach, what to say."""
