"""What a breach of the protocol means in a learner's words, and how to mend it.

`explain` turns a `Violation` into a message and a fix. It looks for a reason that people are known to have (a name of
the 2024 beta, the form of the chat API, a WAV file instead of samples) and falls back to the service's own sentence.

Imports `rtnb.core.protocol`, `rtnb.core.dialects`, `rtnb.core.explain_codes`, `rtnb.core.lint_tables` and the shapes.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from rtnb.core.dialects import RENAMED, beta_to_ga_client
from rtnb.core.dialects_fields import MARK
from rtnb.core.explain_codes import CODES
from rtnb.core.lint_tables import FORMATS, OLD, OLD_PARTS, PARTS, UNKNOWN, VALUES, Told
from rtnb.core.protocol import CLIENT_EVENTS, SERVER_EVENTS
from rtnb.core.shape_words import Violation

__all__ = ["explain", "value_at"]

_STEP: Final = re.compile(r"[^.\[\]]+")
_NAMES: Final = sorted(CLIENT_EVENTS)
_OTHER_APIS: Final = ("session.input_audio.", "session.input_audio_buffer.", "session.start", "session.close")
_OFF: Final = ("none", "off", "", False)
_INDEX: Final = re.compile(r"\[\d+\]")


def value_at(event: object, param: str | None) -> Any:
    """The value at a dotted path, or ``None`` when there is none.

    Parameters
    ----------
    event
        The event.
    param
        The path, as in a `Violation`.
    """
    value: Any = event
    for step in _STEP.findall(param or ""):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list | tuple) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def explain(breach: Violation, event: Mapping[str, Any]) -> Told:
    """The meaning of a breach and its remedy.

    Parameters
    ----------
    breach
        What the shapes found.
    event
        The event that it was found in.
    """
    for reason in _REASONS:
        told = reason(breach, event)
        if told is not None:
            return told
    return breach.message, _plain_fix(breach)


def _plain_fix(breach: Violation) -> str:
    name = breach.param or "the event"
    if breach.code == "unknown_parameter":
        return f"Leave `{name}` out: the service rejects fields that it does not know."
    if breach.code == "missing_required_parameter":
        return f"Add `{name}`."
    wanted = re.search(r"expected (.*), but got|(?:Supported values are|Value must be):? (.*)\.$", breach.message)
    if wanted:
        return f"Give `{name}` {wanted[1]}." if wanted[1] else f"Use {wanted[2].replace(', and ', ' or ')}."
    bound = re.search(r"(<=|>=) (\S+),", breach.message)
    if bound:
        return f"Give `{name}` a value of {'at most' if bound[1] == '<=' else 'at least'} {bound[2]}."
    length = re.search(r"maximum length (\d+)", breach.message)
    if length:
        return f"Shorten it to {length[1]} characters."
    return CODES[breach.code][2] if breach.code in CODES else f"Correct `{name}`."


def _fragment(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):  # what was given is no JSON at all
        text = f"({type(value).__name__})"
    return text if len(text) <= 160 else text[:157] + "..."


# ---- the event's own name --------------------------------------------------------------------------------------------


def _wrong_event(breach: Violation, event: Mapping[str, Any]) -> Told | None:
    name = event.get("type")
    if breach.param != "type" or not isinstance(name, str):
        return None
    if name == "transcription_session.update":
        return (
            f"`{name}` was renamed to `session.update`; {OLD}.",
            'Send `session.update` with `"session": {"type": "transcription", ...}`.',
        )
    current = RENAMED.get(name, name)
    if current in SERVER_EVENTS:
        renamed = f" It is called `{current}` now; {OLD}." if current != name else ""
        return (
            f"`{name}` is an event that the server sends: a client waits for it and cannot send it.{renamed}",
            f'Wait for it instead: `session.wait("{current}")` or `session.on("{current}", ...)`.',
        )
    if name.startswith(_OTHER_APIS):
        return (
            f"`{name}` belongs to another API (Live or translation), not to a realtime session.",
            "Audio is sent with `input_audio_buffer.append`; a session ends by closing the connection.",
        )
    near = difflib.get_close_matches(name, _NAMES, n=1)
    fix = f"Did you mean `{near[0]}`?" if near else f"Use one of: {', '.join(f'`{one}`' for one in _NAMES)}."
    return f"There is no client event `{name[:64]}`.", fix


# ---- unknown fields --------------------------------------------------------------------------------------------------


def _renamed(breach: Violation, event: Mapping[str, Any]) -> Told | None:
    param = breach.param or ""
    if breach.code != "unknown_parameter" or param not in RENAMED:
        return None
    root, _, name = param.partition(".")
    new = RENAMED[param].partition(".")[2]
    verb = "update" if root == "session" else "create"
    value = value_at(event, param)
    if name == "turn_detection" and isinstance(value, Mapping) and value.get("type") in _OFF:
        value = None  # the readme of the 2024 client has it so, and the service never took it
    nested = beta_to_ga_client({"type": f"{root}.{verb}", root: {name: value}})
    inside = {key: value for key, value in nested[root].items() if key != "type"}
    text = _fragment(inside)[1:-1].replace(MARK, "").replace('["audio", "audio"]', '["audio"]')
    return f"`{param}` was renamed to `{new}`; {OLD}.", f"Write `{text}` inside `{root}`."


def _known_mistake(breach: Violation, event: Mapping[str, Any]) -> Told | None:
    if breach.code != "unknown_parameter":
        return None
    path = _INDEX.sub("[]", breach.param or "")
    for ending, told in UNKNOWN.items():
        if path == ending or path.endswith("." + ending):
            return told
    if re.fullmatch(r"session\.(id|object|expires_at)", path):
        return f"`{path}` is set by the server and cannot be sent.", "Leave it out."
    return None


# ---- missing fields --------------------------------------------------------------------------------------------------


def _missing(breach: Violation, event: Mapping[str, Any]) -> Told | None:
    if breach.code == "invalid_event" and "type" not in event:
        return "The event has no `type`: every event is an object with its name in `type`.", 'Add `"type": "..."`.'
    if breach.code != "missing_required_parameter":
        return None
    if breach.param == "session.type":
        return (
            "`session.type` is missing: since the 2024 beta ended, each update says which kind of session it is for.",
            'Add `"type": "realtime"` (or `"transcription"`) to `session`.',
        )
    part = value_at(event, (breach.param or "").rpartition(".")[0])
    if isinstance(part, Mapping) and part.get("type") == "output_audio":
        return (
            "An assistant's speech cannot be given back to the service, only its words.",
            'Send the transcript: `{"type": "output_text", "text": ...}`.',
        )
    return None


# ---- wrong types and values ------------------------------------------------------------------------------------------


def _turn_detection(breach: Violation, event: Mapping[str, Any]) -> Told | None:
    param = breach.param or ""
    if not re.search(r"turn_detection(\.type)?$", param) or breach.code not in ("invalid_value", "invalid_type"):
        return None
    value = value_at(event, param)
    if value in _OFF:
        return "Turn detection is switched off with null, not with a word.", 'Write `"turn_detection": null`.'
    if isinstance(value, str) and not param.endswith(".type"):
        return "Turn detection is an object.", f'Write `"turn_detection": {{"type": "{value[:32]}"}}`.'
    return None


def _format(breach: Violation, event: Mapping[str, Any]) -> Told | None:
    param = breach.param or ""
    if param.endswith(".format.rate"):
        return (
            f"`audio/pcm` has 24000 samples a second here, not {_fragment(value_at(event, param))}.",
            'Resample the audio to 24000 Hz (`Audio.resample(24_000)`) and write `"rate": 24000`.',
        )
    if not re.search(r"\.audio\.(input|output)\.format$", param) or breach.code != "invalid_type":
        return None
    value = value_at(event, param)
    form = FORMATS.get(value, FORMATS["pcm16"]) if isinstance(value, str) else FORMATS["pcm16"]
    message = "An audio format is an object now; names like `pcm16` were valid until May 2026."
    return message, f'Write `"format": {form}`.'


def _modalities(breach: Violation, event: Mapping[str, Any]) -> Told | None:
    if not breach.message.startswith("Invalid modalities"):
        return None
    return (
        f"`{breach.param}` takes either text or audio, never both: a spoken answer brings its transcript along.",
        'Write `["audio"]` or `["text"]`.',
    )


def _content(breach: Violation, event: Mapping[str, Any]) -> Told | None:
    path = _INDEX.sub("[]", breach.param or "")
    item = value_at(event, (breach.param or "").partition(".content")[0])
    role = item.get("role") if isinstance(item, Mapping) else None
    if not isinstance(role, str) or role not in PARTS:
        return None
    kind, words = PARTS[role]
    given = value_at(event, breach.param)
    if path.endswith("content[].type") and role == "assistant" and isinstance(given, str) and given in OLD_PARTS:
        return (
            f"A part `{given}` of the assistant's was renamed to `{OLD_PARTS[given]}`; {OLD}. {words}",
            f'Write `"type": "{kind}"`: of speech, too, the service takes the words only.',
        )
    if path.endswith("content[].type") and breach.code == "invalid_value":
        message = f"`{_fragment(given)}` is no content for the role `{role}`. {words}"
        return message, f'Write `"type": "{kind}"`.'
    if path.endswith(".content") and breach.code == "invalid_type":
        message = "The content of a message is a list of parts."
        return message, f'Write `"content": [{{"type": "{kind}", "text": ...}}]`.'
    return None


def _known_value(breach: Violation, event: Mapping[str, Any]) -> Told | None:
    path = _INDEX.sub("[]", breach.param or "")
    for pattern, code, told in VALUES:
        if code == breach.code and re.search(pattern, path):
            return told
    return None


def _audio(breach: Violation, event: Mapping[str, Any]) -> Told | None:
    if not re.fullmatch(r"audio|.*content\[\d+\]\.audio", breach.param or ""):
        return None
    value = value_at(event, breach.param)
    encode = "Encode the samples: `base64.b64encode(pcm).decode()`."
    if isinstance(value, bytes | bytearray | memoryview):
        return "`audio` holds raw bytes; events are JSON, which has none.", encode
    if breach.code == "string_above_max_length":
        return "One event carries at most 15 MiB of audio.", "Send it in pieces of a tenth of a second or so."
    if not isinstance(value, str) or breach.code != "invalid_value":
        return None
    if not value:
        return "There is no audio in this event.", "Send no event for an empty piece."
    if value.startswith("data:"):
        return "`audio` is plain base64, not a `data:` address.", "Cut off everything up to the comma."
    if re.search(r"[-_]", value):
        return "`audio` is in the URL-safe kind of base64.", "Use `base64.b64encode`, not `urlsafe_b64encode`."
    return "`audio` is not valid base64: letters, digits, `+` and `/` on one line, with padding.", encode


_REASONS: Final[tuple[Callable[[Violation, Mapping[str, Any]], Told | None], ...]] = (
    _wrong_event,
    _renamed,
    _known_mistake,
    _missing,
    _turn_detection,
    _format,
    _modalities,
    _content,
    _audio,
    _known_value,
)
