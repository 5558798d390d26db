"""The lint: what the service will refuse, and why, before it is sent.

An **error** will be refused, or heard as noise; a **warning** will be taken and is probably not what was meant. Each
finding says what is wrong in plain words and how to mend it.

Imports `rtnb.core.lint_words`, `rtnb.core.shapes` and `rtnb.core.protocol`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from rtnb.core.lint_words import explain
from rtnb.core.shapes import Violation, violations

__all__ = ["Finding", "lint"]


@dataclass(frozen=True)
class Finding:
    """One thing that the lint found.

    Attributes
    ----------
    severity
        ``"error"``: the service will refuse the event, or hear noise. ``"warning"``: probably you meant something else.
    message
        What is wrong, and why.
    fix
        What to do.
    param
        The dotted path of the field, ``None`` for the event as a whole.
    """

    severity: Literal["error", "warning"]
    message: str
    fix: str
    param: str | None = None

    def __str__(self) -> str:
        return f"{self.message} {self.fix}"


def lint(event: object) -> list[Finding]:
    """What is wrong with a client event: errors first, in the order in which the service would find them.

    Parameters
    ----------
    event
        What is about to be sent. Never raises, whatever it is.
    """
    if not isinstance(event, Mapping):
        message = f"An event is an object (a `dict`), not {_kind(event)}."
        return [Finding("error", message, 'Write `{"type": "...", ...}`.')]
    findings = [_finding(breach, event) for breach in _breaches(event)]
    findings += [Finding("warning", *told) for told in _doubts(event)]
    findings += [Finding("error", *told) for told in _files(event)]
    return sorted(findings, key=lambda finding: finding.severity != "error")


def _kind(value: object) -> str:
    return "nothing" if value is None else f"a `{type(value).__name__}`"


def _breaches(event: Mapping[str, Any]) -> list[Violation]:
    found = violations(event)
    if [breach.param for breach in found] == ["session.type"] and found[0].code == "missing_required_parameter":
        # without its type the shape of a session is unknown; people mean a realtime one, so look at the rest too
        found += violations({**event, "session": {"type": "realtime", **event["session"]}})
    nested = {breach.param for breach in found if breach.param and breach.param.endswith(".function")}
    follow = {param.removesuffix(".function") + ".name" for param in nested}
    # what only follows from the chat API's form is not told twice
    return [breach for breach in found if not (breach.code == "missing_required_parameter" and breach.param in follow)]


def _finding(breach: Violation, event: Mapping[str, Any]) -> Finding:
    message, fix = explain(breach, event)
    # other servers have other voices: they must stay usable
    voice = breach.code == "invalid_value" and (breach.param or "").endswith(".voice")
    return Finding("warning" if voice else "error", message, fix, breach.param)


# ---- what the service takes, but should not get ----------------------------------------------------------------------

_Told = tuple[str, str, str | None]


def _doubts(event: Mapping[str, Any]) -> Iterator[_Told]:
    name = event.get("type")
    if name == "output_audio_buffer.clear":
        yield (
            "`output_audio_buffer.clear` is for WebRTC and SIP; over a WebSocket the service refuses it.",
            "Stop your own player, then send `response.cancel` and `conversation.item.truncate`.",
            "type",
        )
    for param, text in _audio_fields(event):
        if isinstance(text, str) and len(text) % 4 == 0 and (len(text) // 4 * 3 - text[-2:].count("=")) % 2:
            yield (
                f"`{param}` holds an odd number of bytes, and a sample of `audio/pcm` has two: half a sample is left.",
                "Keep the last byte for the next piece (G.711 has one byte a sample: there it is right).",
                param,
            )
    if name == "conversation.item.create":
        yield from _item_doubts(event.get("item"))
    for root in ("session", "response"):
        settings = event.get(root)
        if isinstance(settings, Mapping):
            yield from _tool_doubts(settings.get("tools"), root)
    session = event.get("session")
    if name == "session.update" and isinstance(session, Mapping):
        yield from _session_doubts(session)


def _item_doubts(item: object) -> Iterator[_Told]:
    if not isinstance(item, Mapping):
        return
    output, arguments = item.get("output"), item.get("arguments")
    if item.get("type") == "function_call_output" and isinstance(output, str) and isinstance(_json(output), str):
        yield (
            "This output is encoded twice: it is a JSON string within a string, which confuses the model.",
            "Encode it once: give a text as it is, anything else through `json.dumps`.",
            "item.output",
        )
    if item.get("type") == "function_call" and isinstance(arguments, str) and not isinstance(_json(arguments), dict):
        yield (
            "The arguments of a function call are not a JSON object.",
            "Write `json.dumps({...})`.",
            "item.arguments",
        )


def _tool_doubts(tools: object, root: str) -> Iterator[_Told]:
    for index, tool in enumerate(tools if isinstance(tools, list) else ()):
        parameters = tool.get("parameters") if isinstance(tool, Mapping) else None
        if isinstance(parameters, Mapping) and parameters.get("type") != "object":
            yield (
                "The parameters of a tool are a JSON schema of an object.",
                'Write `{"type": "object", "properties": {...}, "required": [...]}`.',
                f"{root}.tools[{index}].parameters",
            )


_PLAIN_MODEL: Final = re.compile(r"gpt-(4o|audio|realtime(?!-2(\.\d+)?(-mini)?$))")
_STREAMING: Final = ("gpt-realtime-whisper", "gpt-live-transcribe")


def _session_doubts(session: Mapping[str, Any]) -> Iterator[_Told]:
    model = session.get("model")
    if session.get("reasoning") and isinstance(model, str) and _PLAIN_MODEL.match(model):
        yield (
            f"`{model}` does not reason: it refuses `reasoning`.",
            "Leave it out, or use a `gpt-realtime-2` model.",
            "session.reasoning",
        )
    audio = session.get("audio")
    hearing = audio.get("input") if isinstance(audio, Mapping) else None
    transcription = hearing.get("transcription") if isinstance(hearing, Mapping) else None
    if not isinstance(hearing, Mapping) or not isinstance(transcription, Mapping):
        return
    writer = transcription.get("model")
    if writer in _STREAMING and hearing.get("turn_detection") is not None:
        yield (
            f"`{writer}` writes while you speak and works without turn detection only.",
            'Write `"turn_detection": null` and commit the audio yourself.',
            "session.audio.input.turn_detection",
        )
    if writer == "gpt-realtime-whisper" and transcription.get("prompt"):
        yield f"`{writer}` takes no prompt.", "Leave it out.", "session.audio.input.transcription.prompt"


# ---- audio that is not what it should be -----------------------------------------------------------------------------

_HEADS: Final = {
    b"RIFF": "a WAV file",
    b"OggS": "an Ogg file",
    b"fLaC": "a FLAC file",
    b"ID3": "an MP3 file",
    b"\x1aE\xdf\xa3": "a WebM file",
}


def _audio_fields(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Path and base64 of all audio in an event."""
    if event.get("type") == "input_audio_buffer.append":
        yield "audio", event.get("audio", "")
    item = event.get("item")
    content = item.get("content") if isinstance(item, Mapping) else None
    for index, part in enumerate(content if isinstance(content, list) else ()):
        if isinstance(part, Mapping) and part.get("type") == "input_audio":
            yield f"item.content[{index}].audio", part.get("audio", "")


def _files(event: Mapping[str, Any]) -> Iterator[_Told]:
    for param, text in _audio_fields(event):
        if not isinstance(text, str):
            continue
        try:
            head = base64.b64decode(text[:8])
        except (ValueError, binascii.Error):
            continue
        for mark, kind in _HEADS.items():
            if head.startswith(mark):
                yield (
                    f"`{param}` begins like {kind}; the service takes bare samples and would play the header as a click"
                    " and noise.",
                    "Send samples only: `rtnb.Audio.from_file(path).resample(24_000)` gives them.",
                    param,
                )


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
