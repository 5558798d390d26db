"""`detect_turns`: what turn detection would make of a clip, without a session.

The very `Turns` of the local endpoint is run over the clip, frame by frame, so that the times are those of its events.
For ``semantic_vad`` the recogniser of the local endpoint listens too, and its partial texts are the hints.

Imports `rtnb.core.audio`, `rtnb.core.errors`, `rtnb.core.protocol`, `rtnb.core.shapes` and its neighbours.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

from rtnb.core.audio import Audio
from rtnb.core.errors import ProtocolError
from rtnb.core.protocol import RATE, session_update
from rtnb.core.shapes import violations
from rtnb.local.hearing import default_hearing
from rtnb.local.seams import Detector, Hearing, Listener
from rtnb.local.session_state import SEMANTIC_VAD, SERVER_VAD
from rtnb.local.turns import SpeechStarted, Turns, make_turns

__all__ = ["DetectedTurn", "detect_turns"]

_PIECE_S: Final = 0.032  # a frame of the detector: so each event is seen when it comes
_BYTES_PER_S: Final = 2 * RATE
_BEHIND_S: Final = 0.2  # partial texts come in steps of this
_LOOK_S: Final = 0.002
_PATIENCE: Final = 1_500  # so often nothing new, and the recogniser is not waited for any more


@dataclass(frozen=True)
class DetectedTurn:
    """A turn that would have been cut out of a clip. All times are seconds of the clip.

    Attributes
    ----------
    start : float
        Where it begins: ``audio_start_ms`` of ``speech_started``, the padding included.
    end : float
        Where it ends: ``audio_end_ms`` of ``speech_stopped``, the silence included.
    speech_end : float
        Where the last sound of speech ended.
    noticed : float
        When ``speech_started`` would have come: an answer would be interrupted then.
    ended : float
        When ``speech_stopped`` would have come.
    text : str
        What had been understood of it by then; only ``semantic_vad`` listens to words.
    """

    start: float
    end: float
    speech_end: float
    noticed: float
    ended: float
    text: str = ""

    @property
    def wait(self) -> float:
        """How long the user waits, from their last sound until the turn is over and an answer can begin."""
        return self.ended - self.speech_end

    @property
    def seconds(self) -> float:
        """How much sound it cuts out."""
        return self.end - self.start

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values, `wait` too."""
        return {**asdict(self), "wait": self.wait}


def detect_turns(
    audio: Audio,
    turn_detection: str = "server_vad",
    *,
    threshold: float | None = None,
    prefix_padding_ms: int | None = None,
    silence_duration_ms: int | None = None,
    eagerness: str | None = None,
    detector: Detector | None = None,
    hearing: Hearing | None = None,
) -> list[DetectedTurn]:
    """Find the turns that turn detection would cut out of a clip, and when it would have known.

    Speech that goes on to the end of the clip is no turn: append silence, as an open microphone would.

    Parameters
    ----------
    audio
        The clip, of any rate.
    turn_detection
        ``"server_vad"`` or ``"semantic_vad"``.
    threshold, prefix_padding_ms, silence_duration_ms
        Of ``server_vad``; those not given are what the service begins with: 0.5, 300, 200.
    eagerness
        Of ``semantic_vad``: ``"low"``, ``"medium"``, ``"high"`` or ``"auto"``. The service's model judges the words;
        here simple rules do, on what the local recogniser has understood so far.
    detector, hearing
        Of the local endpoint, instead of the best ones that are installed.

    Raises
    ------
    ProtocolError
        The service would refuse such settings.

    Examples
    --------
    >>> clip = Audio.silence(0.5) + Audio.speak("Hello there") + Audio.silence(1)
    >>> [turn] = detect_turns(clip, silence_duration_ms=400)  # doctest: +SKIP
    >>> turn.wait  # doctest: +SKIP
    0.42
    """
    given = {
        "threshold": threshold,
        "prefix_padding_ms": prefix_padding_ms,
        "silence_duration_ms": silence_duration_ms,
        "eagerness": eagerness,
    }
    settings = {"type": turn_detection, **{name: value for name, value in given.items() if value is not None}}
    session = {"type": "realtime", "audio": {"input": {"turn_detection": settings}}}
    for breach in violations(session_update(session)):
        raise ProtocolError(breach.message, param=breach.param)
    defaults = SEMANTIC_VAD if turn_detection == "semantic_vad" else SERVER_VAD
    turns = make_turns({**defaults, **settings}, detector)
    pcm = audio.resample(RATE).pcm
    if turn_detection != "semantic_vad":
        return _cut(turns, pcm)
    return _in_thread(lambda: _listened(turns, pcm, hearing or default_hearing()))


def _cut(turns: Turns, pcm: bytes) -> list[DetectedTurn]:
    found: list[DetectedTurn] = []
    started = noticed = 0.0
    for at, piece in _pieces(pcm):
        for event in turns.push(piece):
            if isinstance(event, SpeechStarted):
                started, noticed = event.audio_start_ms / 1000, at
            else:
                found.append(_turn(turns, started, event.audio_end_ms, noticed, at))
    return found


async def _listened(turns: Turns, pcm: bytes, hearing: Hearing) -> list[DetectedTurn]:
    found: list[DetectedTurn] = []
    started = noticed = 0.0
    text, listener = "", None
    try:
        for at, piece in _pieces(pcm):
            if listener is not None:
                text = await _understood(listener, piece) or text
                turns.hint(text)
            for event in turns.push(piece):
                if isinstance(event, SpeechStarted):
                    started, noticed, text = event.audio_start_ms / 1000, at, ""
                    listener = await hearing.listen({})
                    await _understood(listener, pcm[_byte(started) : _byte(at)])
                else:
                    found.append(_turn(turns, started, event.audio_end_ms, noticed, at, text))
                    await listener.cancel()  # type: ignore[union-attr]  # nothing stops that has not started
                    listener = None
        if listener is not None:
            await listener.cancel()
    finally:
        await hearing.close()
    return found


async def _understood(listener: Listener, pcm: bytes) -> str:
    """Push, and wait until the recogniser has kept up: a clip comes faster than anybody speaks."""
    text = await listener.push(pcm)
    before, waited = -1.0, 0
    while (backlog := float(getattr(listener, "backlog_s", 0.0))) >= _BEHIND_S and waited < _PATIENCE:
        waited = waited + 1 if backlog == before else 0
        before = backlog
        await asyncio.sleep(_LOOK_S)
        text = await listener.push(b"")
    return text


def _turn(turns: Turns, start: float, end_ms: int, noticed: float, at: float, text: str = "") -> DetectedTurn:
    voiced = min(turns.voiced_ms, end_ms) / 1000
    return DetectedTurn(start, min(end_ms / 1000, at), round(voiced, 3), round(noticed, 3), round(at, 3), text)


def _pieces(pcm: bytes) -> list[tuple[float, bytes]]:
    """The clip in frames, each with the moment at which it would be complete."""
    step = _byte(_PIECE_S)
    return [
        (min(start + step, len(pcm)) / _BYTES_PER_S, pcm[start : start + step]) for start in range(0, len(pcm), step)
    ]


def _byte(seconds: float) -> int:
    return 2 * round(seconds * RATE)


def _in_thread(work: Callable[[], Any]) -> list[DetectedTurn]:
    """Run asynchronous work to its end, also where a loop runs already, as in a cell."""
    box: dict[str, Any] = {}

    def run() -> None:
        try:
            box["value"] = asyncio.run(work())
        except BaseException as exc:  # noqa: BLE001 - raised where it is waited for
            box["error"] = exc

    thread = threading.Thread(target=run, name="rtnb detect", daemon=True)
    thread.start()
    thread.join()
    if "error" in box:
        raise box["error"]
    found: list[DetectedTurn] = box["value"]
    return found
