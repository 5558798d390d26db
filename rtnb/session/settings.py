"""The options of a session, as the session object of the protocol.

Imports `rtnb.core`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from rtnb.core.errors import ProtocolError

__all__ = ["TRANSCRIPTION", "TurnDetection", "is_apart", "merged", "response_object", "session_object"]

TurnDetection: TypeAlias = str | Mapping[str, Any] | None

TRANSCRIPTION: Final = {"model": "gpt-transcribe"}
"""How the user's speech is transcribed unless told otherwise: the cheapest model that is not on its way out."""

_NAMES: Final = ("instructions", "voice", "output", "turn_detection", "transcription", "speed", "max_output_tokens")


def session_object(settings: Mapping[str, Any], *, config: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The ``session`` of a ``session.update`` from the options that are present.

    Parameters
    ----------
    settings
        Any of ``instructions``, ``voice``, ``output``, ``turn_detection``, ``transcription``, ``speed``,
        ``max_output_tokens`` and ``tools`` (definitions); what is absent stays as it is on the server.
    config
        Merged over it as it stands, in the protocol's own names.

    Raises
    ------
    ProtocolError
        For a value that the service would refuse, with what it takes.
    """
    session: dict[str, Any] = {"type": "realtime"}
    for name, value in settings.items():
        build = _BUILDERS.get(name)
        if build is None:
            raise ProtocolError(
                f"there is no setting {name!r}; there are {', '.join(_NAMES)}, and config={{...}} for all else",
                param=name,
            )
        session = merged(session, build(value))
    return merged(session, config or {})


def response_object(options: Mapping[str, Any]) -> dict[str, Any]:
    """The ``response`` of a ``response.create`` from the options that are not None.

    Parameters
    ----------
    options
        ``output``, and any member of the object in its own name.

    Raises
    ------
    ProtocolError
        `output` is none that the service knows.
    """
    response = {name: value for name, value in options.items() if value is not None and name != "output"}
    if options.get("output") is not None:
        response.update(_output(options["output"]))
    return response


def is_apart(response: object) -> bool:
    """Whether what a ``response.create`` asks for is out of band, beside the conversation.

    Parameters
    ----------
    response
        Its ``response``, whatever it is: unchecked events may carry anything.
    """
    return isinstance(response, Mapping) and response.get("conversation") == "none"


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` laid over it, objects merged member by member, as the service does it."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def _output(value: object) -> dict[str, Any]:
    if value not in ("audio", "text"):
        raise ProtocolError(
            f"output is 'audio' or 'text', not {value!r} (an audio answer has its transcript anyway, so never both)",
            param="output_modalities",
        )
    return {"output_modalities": [value]}


def _voice(value: object) -> dict[str, Any]:
    if not isinstance(value, (str, Mapping)):
        raise ProtocolError(f"voice is a name such as 'marin', not {value!r}", param="audio.output.voice")
    return {"audio": {"output": {"voice": value}}}


def _turn_detection(value: object) -> dict[str, Any]:
    if value in ("none", "manual", "off", False):
        raise ProtocolError("no turn detection is turn_detection=None", param="audio.input.turn_detection")
    if isinstance(value, str):
        if value not in ("server_vad", "semantic_vad"):
            raise ProtocolError(
                f"turn_detection is None, 'server_vad', 'semantic_vad' or a dict, not {value!r}",
                param="audio.input.turn_detection",
            )
        value = {"type": value}
    if value is not None and not isinstance(value, Mapping):
        raise ProtocolError(
            f"turn_detection is None, 'server_vad', 'semantic_vad' or a dict, not {value!r}",
            param="audio.input.turn_detection",
        )
    return {"audio": {"input": {"turn_detection": None if value is None else dict(value)}}}


def _transcription(value: object) -> dict[str, Any]:
    if value is ...:
        value = TRANSCRIPTION
    elif isinstance(value, str):
        value = {"model": value}
    elif value is False:
        value = None
    if value is not None and not isinstance(value, Mapping):
        raise ProtocolError(
            f"transcription is None, a model name or a dict, not {value!r}", param="audio.input.transcription"
        )
    return {"audio": {"input": {"transcription": None if value is None else dict(value)}}}


def _tools(value: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    if not all(isinstance(each, Mapping) for each in value):
        raise ProtocolError("functions become tools with session.tool and session.add_tool", param="tools")
    return {"tools": [dict(each) for each in value]}


_BUILDERS: Final = {
    "instructions": lambda value: {"instructions": value},
    "voice": _voice,
    "output": _output,
    "turn_detection": _turn_detection,
    "transcription": _transcription,
    "speed": lambda value: {"audio": {"output": {"speed": value}}},
    "max_output_tokens": lambda value: {"max_output_tokens": value},
    "tools": _tools,
}
