"""`Audio.record` and `Audio.from_recorder`: a clip from a microphone, in one call.

In a notebook the page's microphone records, through one `AudioIO` that all who want it share (`shared_audio`). Where no
page answers, the microphone of the kernel's machine does. A microphone that the page *refuses* is not replaced by
another one behind the user's back: the error says why, and what else there is.

Imports `rtnb.core`, `rtnb.session.bell` and its neighbours in `rtnb.notebook`, these when first used.
"""

from __future__ import annotations

import contextlib
import io
import math
import threading
from typing import TYPE_CHECKING, Any, Final

from rtnb.core.audio import Audio
from rtnb.core.audiofiles import container_of
from rtnb.core.errors import RtnbError
from rtnb.core.protocol import RATE
from rtnb.session.bell import Bell

if TYPE_CHECKING:
    from rtnb.notebook.audio_io import AudioIO

__all__ = ["from_recorder", "record", "shared_audio"]

_PAGE_S: Final = 5.0  # a page that shows the notebook answers within a fraction of it
_MOST_S: Final = 600.0

_ELSE: Final = (
    "What works without a microphone: Audio.from_file(path), Audio.speak(text), and typed questions to session.ask."
)

_lock = threading.Lock()
_shared: AudioIO | None = None


def shared_audio() -> AudioIO:
    """The `AudioIO` of this kernel that everybody shares; made when first asked for, and anew after its close."""
    global _shared
    from rtnb.notebook.audio_io import AudioIO

    with _lock:
        if _shared is None or _shared.comm is None:
            _shared = AudioIO()
        return _shared


def record(seconds: float = 5.0) -> Audio:
    """Record from a microphone, and wait for it: 24 kHz.

    Parameters
    ----------
    seconds
        How long; up to ten minutes.

    Raises
    ------
    RtnbError
        There is no microphone, or it was refused; the text says why and what works instead.
    ValueError
        The length is none.
    """
    if not (isinstance(seconds, int | float) and math.isfinite(seconds) and 0 < seconds <= _MOST_S):
        raise ValueError(f"A recording lasts more than 0 and at most {_MOST_S:.0f} seconds; {seconds!r} is another.")
    no_page = "there is no notebook here"
    if _in_kernel():
        audio = shared_audio()
        if _has_page(audio):
            try:
                return Audio(audio.record(seconds), RATE)
            except RtnbError as exc:
                raise RtnbError(
                    f"{exc} The microphone of the kernel's machine, if it is yours: "
                    f"rtnb.notebook.kernel_audio.KernelAudio().record({seconds:g}). {_ELSE}"
                ) from exc
        no_page = (
            f"no page of this notebook answered within {_PAGE_S:.0f} s (if it is open in a browser, run the cell again)"
        )
    from rtnb.notebook.kernel_audio import KernelAudio

    kernel_audio = KernelAudio()
    try:
        return Audio(kernel_audio.record(seconds), RATE)
    except RtnbError as exc:
        raise RtnbError(f"No microphone: {no_page}, and beside the kernel: {exc} {_ELSE}") from exc
    finally:
        kernel_audio.close()


def from_recorder(recorder: Any) -> Audio:
    """Take what an ``AudioRecorder`` (or ``VideoRecorder``) of ipywebrtc recorded.

    It delivers its sound as one file, after it was stopped and a cell has ended since: widgets hear of the page between
    cells. For sound while it is spoken give the recorder's stream to an `AudioIO` as its ``source``.

    Parameters
    ----------
    recorder
        Its ``audio.value`` holds the file: WebM (Chromium), Ogg (Firefox) or WAV.

    Raises
    ------
    RtnbError
        It holds nothing yet, or a format that cannot be read here.
    TypeError
        It is no recorder.
    """
    holder = getattr(recorder, "audio", None) or getattr(recorder, "video", None)
    data = getattr(holder, "value", None)
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(
            f"An AudioRecorder of ipywebrtc has its sound in .audio.value; {type(recorder).__name__} has not."
        )
    data = bytes(data)
    if getattr(recorder, "recording", False):
        raise RtnbError("the recorder is still recording: press its button again, and take the sound in a later cell")
    if not data:
        raise RtnbError(
            "the recorder holds nothing yet: it delivers after it was stopped, and only between cells. Press its "
            "button, speak, press it again, and take the sound in a later cell."
        )
    try:
        if container_of(data) == "WebM":
            from rtnb.core.webm import unwrap_webm

            data = unwrap_webm(data)
        return Audio.from_file(io.BytesIO(data))
    except ValueError as exc:
        raise RtnbError(f"what the recorder holds cannot be read: {exc}") from exc


def _in_kernel() -> bool:
    with contextlib.suppress(ImportError):
        from IPython import get_ipython

        return getattr(get_ipython(), "kernel", None) is not None
    return False


def _has_page(audio: AudioIO) -> bool:
    """Wait a little for a page that carries sound."""
    bell = Bell()

    def look(_: object) -> None:
        bell.ring()

    audio.observe(look, "lane")
    try:
        return bell.wait_until(lambda: audio.lane, _PAGE_S)
    finally:
        audio.unobserve(look, "lane")
