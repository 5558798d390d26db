"""Text to speech for the local endpoint.

| Engine | Class | Licence | Where it runs |
|---|---|---|---|
| eSpeak NG | `EspeakVoice` (the default with the ``local`` extra) | GPLv3 or later | a process of its own, over pipes |
| tones | `ToneVoice` (the default without it): not speech | MIT (rtnb) | here |
| any server with ``/v1/audio/speech`` | `HttpVoice` | the server's | behind a URL |
| Piper | `PiperVoice` | GPLv3 or later; each voice its own | a program of its own for each sentence |
| Kokoro | `KokoroVoice` | MIT, model Apache 2.0; loads eSpeak NG (GPLv3) | a thread here |

`default_voice` chooses; `synthesize` is the plain function for one clip. To put in another engine, write a class like
`rtnb.local.seams.Voice` and give it to the endpoint.

Imports rtnb.core.protocol, rtnb.core.errors and its neighbours in rtnb.local.
"""

from __future__ import annotations

import asyncio
import threading

from rtnb.local.seams import Voice
from rtnb.local.voice.engines import KokoroVoice, PiperVoice
from rtnb.local.voice.espeak import CHARACTERS, Character, EspeakVoice, locate
from rtnb.local.voice.service import HttpVoice
from rtnb.local.voice.tone import ToneVoice

__all__ = [
    "CHARACTERS",
    "Character",
    "EspeakVoice",
    "HttpVoice",
    "KokoroVoice",
    "PiperVoice",
    "ToneVoice",
    "default_voice",
    "synthesize",
]


def default_voice() -> Voice:
    """Choose the best voice that is installed: eSpeak NG, else tones.

    Starts nothing: the engine starts with the first sentence.
    """
    return EspeakVoice() if locate() is not None else ToneVoice()


def synthesize(text: str, voice: str = "alloy", speed: float = 1.0) -> bytes:
    """Speak a text and wait for all of it; works in a script, in a cell, and within a running loop.

    Parameters
    ----------
    text
        Any number of sentences.
    voice
        A voice of the service (``"alloy"``), or ``"espeak:NAME"`` for one of eSpeak NG's own.
    speed
        0.25 to 1.5.

    Returns
    -------
    bytes
        24 kHz PCM16 little-endian mono.

    Examples
    --------
    >>> pcm = synthesize("Hello")
    >>> len(pcm) > 4_800
    True
    """
    outcome: list[bytes] = []
    problems: list[BaseException] = []

    def work() -> None:
        try:
            outcome.append(asyncio.run(_whole(text, voice, speed)))
        except BaseException as exc:  # noqa: BLE001  (handed to the caller's thread)
            problems.append(exc)

    # A thread of its own has no loop, so it does not matter whether this one has.
    thread = threading.Thread(target=work, name="rtnb-synthesize", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.1)  # in slices, so that Ctrl-C gets through
    if problems:
        raise problems[0]
    return outcome[0]


async def _whole(text: str, voice: str, speed: float) -> bytes:
    engine = default_voice()
    try:
        return b"".join([speech.pcm async for speech in engine.speak(text, voice=voice, speed=speed)])
    finally:
        await engine.close()
