"""Names of fields in messages: the path of a field, and an error's sentence, in the other dialect.

Imports `rtnb.core.dialects_fields`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from rtnb.core.dialects_fields import FORMAT_NAMES, MARK, RESPONSE, SESSION

__all__ = ["RENAMED_FIELDS", "beta_message", "beta_param", "ga_param"]

RENAMED_FIELDS: Final[Mapping[str, str]] = {
    f"{root}.{entry.beta}": ".".join((root, *entry.ga))
    for root, table in (("session", SESSION), ("response", RESPONSE))
    for entry in table
    if entry.ga and entry.ga != (entry.beta,)
}
"""Beta path -> GA path of every field of session and response that has another name."""

_TO_GA: Final = sorted(RENAMED_FIELDS.items(), key=lambda pair: -len(pair[0]))
_TO_BETA: Final = sorted(((ga, beta) for beta, ga in RENAMED_FIELDS.items()), key=lambda pair: -len(pair[0]))

_VALUES: Final = {**FORMAT_NAMES, "output_text": "text", "output_audio": "audio"}
_RULE: Final = re.compile(r"Supported values are|Value must be|expected one of|Supported combinations are")


def beta_param(param: str) -> str:
    """The beta's name of a GA path: ``session.audio.output.voice`` was ``session.voice``.

    Parameters
    ----------
    param
        A dotted path as it stands in an error of GA.
    """
    for ga, beta in _TO_BETA:
        if param == ga or param.startswith((ga + ".", ga + "[")):
            rest = param[len(ga) :]
            # a format is one word in the beta, not an object
            return beta if ga.endswith(".format") else (beta + rest).replace(MARK, "")
    return param.replace(MARK, "")


def ga_param(param: str) -> str:
    """GA's name of a beta path.

    Parameters
    ----------
    param
        A dotted path as it stands in an error of the beta.
    """
    for beta, ga in _TO_GA:
        if param == beta or param.startswith((beta + ".", beta + "[")):
            return ga + param[len(beta) :]
    return param


def beta_message(message: str, param: str | None) -> str:
    """An error's sentence with the beta's names and values.

    Parameters
    ----------
    message
        GA's sentence.
    param
        The GA path that it is about.
    """
    if param:
        message = message.replace(f"'{param}'", f"'{beta_param(param)}'")
    message = message.replace(MARK, "").replace("['audio', 'audio']", "['audio']")
    rule = _RULE.search(message)
    if rule is None:
        return message
    head, tail = message[: rule.start()], message[rule.start() :]
    for ga, beta in _VALUES.items():
        tail = tail.replace(f"'{ga}'", f"'{beta}'")
    tail = tail.replace("['text'] and ['audio']", "['text'] and ['audio', 'text']")
    if param == "type":
        tail = tail.replace("'session.update', ", "'session.update', 'transcription_session.update', ", 1)
    return head + tail
