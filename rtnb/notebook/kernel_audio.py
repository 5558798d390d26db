"""Microphone and loudspeaker of the machine where the kernel runs, by `sounddevice`, behind AudioIO's interface.

For front ends that have no microphone (VS Code, a page without https) when the kernel runs on the user's own machine.
On a remote server it would record the server's room: there is no device, and `KernelAudio` says so.

`sounddevice` is an extra and is imported when the first device is opened.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rtnb.core.errors import RtnbError, WaitTimeout
from rtnb.core.protocol import RATE
from rtnb.notebook.collecting import Collector

__all__ = ["KernelAudio", "KernelMicrophone", "KernelSpeaker", "load_sounddevice"]

FRAME: Final = RATE * 40 // 1000
BLOCK: Final = RATE // 50  # 20 ms
REPORT: Final = RATE // 10
FADE: Final = RATE // 200  # 5 ms
KEPT_IDS: Final = 1000

_log = logging.getLogger(__name__)


def load_sounddevice() -> Any:
    """Import `sounddevice`; say in words what is missing.

    Raises
    ------
    RtnbError
        The package or its PortAudio library is missing; the text has the line that installs it.
    """
    try:
        import sounddevice
    except ImportError as exc:
        raise RtnbError(
            "The kernel's microphone and loudspeaker need the package sounddevice: pip install 'rtnb[sounddevice]'"
        ) from exc
    except OSError as exc:
        raise RtnbError(
            "sounddevice is installed, but not the PortAudio library that it drives. On Debian and Ubuntu: "
            "sudo apt install libportaudio2; with conda: conda install -c conda-forge portaudio. "
            "On Windows and macOS the library comes with the package: reinstall it with pip."
        ) from exc
    return sounddevice


def _open(kind: str, make: Callable[[], Any]) -> Any:
    """Open and start a PortAudio stream, or tell why not."""
    sounddevice = load_sounddevice()
    try:
        stream = make()
        stream.start()
    except (sounddevice.PortAudioError, ValueError) as exc:
        what = "microphone" if kind == "input" else "loudspeaker"
        found = [device["name"] for device in sounddevice.query_devices() if device[f"max_{kind}_channels"] > 0]
        if not found:
            raise RtnbError(
                f"The machine where the kernel runs has no {what} (PortAudio finds no {kind} device). "
                "If it is a remote server, use the page's own: rtnb.notebook.audio_io.AudioIO."
            ) from exc
        raise RtnbError(
            f"The kernel's {what} cannot be opened: {exc}. Another program may be using it. "
            f"Devices: {', '.join(found)}."
        ) from exc
    return stream


class _Item:
    """One item's audio, until it was heard; counted in samples."""

    def __init__(self) -> None:
        self.chunks: list[npt.NDArray[np.int16]] = []
        self.sent = 0
        self.drawn = 0
        self.heard = 0
        self.told = -1
        self.ended = False
        self.half = b""

    def draw(self, n: int) -> npt.NDArray[np.int16]:
        parts: list[npt.NDArray[np.int16]] = []
        while n and self.chunks:
            first = self.chunks[0]
            parts.append(first[:n])
            if len(first) > n:
                self.chunks[0] = first[n:]
            else:
                self.chunks.pop(0)
            n -= len(parts[-1])
        out = np.concatenate(parts) if parts else np.zeros(0, np.int16)
        self.drawn += len(out)
        return out


class KernelSpeaker:
    """The loudspeaker of the kernel's machine; see `rtnb.notebook.page_audio.PageSpeaker` for the methods' meaning.

    Attributes
    ----------
    on_heard
        ``(item_id, samples heard at 24 kHz, final)``, from PortAudio's thread or the caller's.
    underruns
        Times the loudspeaker ran dry inside an item.
    """

    on_heard: Callable[[str, int, bool], None] | None = None

    def __init__(self, device: int | str | None = None, prebuffer_ms: int = 200) -> None:
        self.device = device
        self.prebuffer = RATE * prebuffer_ms // 1000
        self.underruns = 0
        self.late = 0
        self._opening = threading.Lock()
        self._lock = threading.Lock()
        self._items: OrderedDict[str, _Item] = OrderedDict()
        self._stopped: OrderedDict[str, None] = OrderedDict()
        self._segments: list[tuple[int, _Item, int, int]] = []  # (clock, item, its offset, samples) until heard
        self._clock = 0
        self._reported = 0
        self._playing = False
        self._waited = 0
        self._fade: npt.NDArray[np.int16] = np.zeros(0, np.int16)
        self._latency = 0
        self._stream: Any = None

    def __repr__(self) -> str:
        return f"<KernelSpeaker {'open' if self._stream is not None else 'closed'}>"

    def play(self, item_id: str, pcm: bytes) -> None:
        """Append 24 kHz PCM16 to the item's queue; the device is opened with the first."""
        self._open()
        with self._lock:
            if item_id in self._stopped:
                self.late += len(pcm)
                return
            item = self._items.setdefault(item_id, _Item())
            data = item.half + pcm
            item.half = data[len(data) & ~1 :]
            samples = np.frombuffer(data[: len(data) & ~1], "<i2").astype(np.int16)
            if len(samples):
                item.chunks.append(samples)
                item.sent += len(samples)

    def end(self, item_id: str) -> None:
        """No more audio will come for the item."""
        self._open()
        with self._lock:
            if item_id not in self._stopped:
                self._items.setdefault(item_id, _Item()).ended = True

    def stop(self) -> None:
        """Silence after 5 ms; drop what is queued and what will still come for these items."""
        with self._lock:
            self._advance()
            told = [(item_id, item.heard, True) for item_id, item in self._items.items()]
            if self._playing:
                fade = self._draw(FADE)
                self._fade = (fade * np.linspace(1, 0, len(fade))).astype(np.int16)
            for item_id in self._items:
                self._stopped[item_id] = None
            while len(self._stopped) > KEPT_IDS:
                self._stopped.popitem(last=False)
            self._items.clear()
            self._segments.clear()
            self._playing = False
        self._tell(told)

    def close(self) -> None:
        """Stop, and give the device back. May be called twice."""
        self.stop()
        with self._opening:
            stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _open(self) -> None:
        with self._opening:
            if self._stream is not None:
                return
            sounddevice = load_sounddevice()
            stream = _open(
                "output",
                lambda: sounddevice.OutputStream(
                    samplerate=RATE, channels=1, dtype="int16", blocksize=BLOCK, device=self.device, callback=self._fill
                ),
            )
            self._latency = round(float(stream.latency) * RATE)
            self._stream = stream

    # ---- PortAudio's thread

    def _fill(self, out: npt.NDArray[np.int16], frames: int, _time: object, _status: object) -> None:
        with self._lock:
            at = min(len(self._fade), frames)
            out[:at, 0] = self._fade[:at]
            self._fade = self._fade[at:]
            samples = self._draw(frames - at)
            out[at : at + len(samples), 0] = samples
            out[at + len(samples) :, 0] = 0
            self._clock += frames - at - len(samples)
            told = self._reports() if self._clock - self._reported >= REPORT else []
        self._tell(told)

    def _draw(self, n: int) -> npt.NDArray[np.int16]:
        """The next samples, fewer than `n` when there are no more."""
        if not self._playing:
            queued = sum(item.sent - item.drawn for item in self._items.values())
            complete = any(item.ended and item.drawn < item.sent for item in self._items.values())
            self._waited = self._waited + n if queued else 0
            if not queued or not (complete or max(queued, self._waited) >= self.prebuffer):
                return np.zeros(0, np.int16)
            self._playing, self._waited = True, 0
        parts: list[npt.NDArray[np.int16]] = []
        for item in self._items.values():
            offset = item.drawn
            part = item.draw(n - sum(map(len, parts)))
            if len(part):
                self._segments.append((self._clock, item, offset, len(part)))
                self._clock += len(part)
                parts.append(part)
        drawn = np.concatenate(parts) if parts else np.zeros(0, np.int16)
        if len(drawn) < n:
            self._playing = False
            self.underruns += any(not item.ended for item in self._items.values())
        return drawn

    def _advance(self) -> None:
        now = self._clock - self._latency
        while self._segments and self._segments[0][0] < now:
            at, item, offset, n = self._segments[0]
            item.heard = max(item.heard, offset + min(n, now - at))
            if at + n > now:
                break
            self._segments.pop(0)

    def _reports(self) -> list[tuple[str, int, bool]]:
        self._reported = self._clock
        self._advance()
        told = []
        for item_id, item in list(self._items.items()):
            final = item.ended and item.heard >= item.sent
            if final:
                del self._items[item_id]
            if final or item.heard != item.told:
                told.append((item_id, item.heard, final))
            item.told = item.heard
        return told

    def _tell(self, told: list[tuple[str, int, bool]]) -> None:
        for report in told:
            if self.on_heard is not None:
                try:
                    self.on_heard(*report)
                except Exception:  # noqa: BLE001 - PortAudio would end the stream without a word
                    _log.exception("on_heard failed")


class KernelMicrophone:
    """The microphone of the kernel's machine; see `rtnb.notebook.page_audio.PageMicrophone`.

    Attributes
    ----------
    on_audio
        ``(24 kHz PCM16 of 40 ms, sequence number)``, from PortAudio's thread.
    on_dropped
        ``(frames lost so far)``: PortAudio reported that its buffer ran over.
    on_recording
        ``(is recording)``, after `start` and `stop`.
    """

    on_audio: Callable[[bytes, int], None] | None = None
    on_dropped: Callable[[int], None] | None = None
    on_recording: Callable[[bool], None] | None = None

    def __init__(self, device: int | str | None = None) -> None:
        self.device = device
        self.dropped = 0
        self._opening = threading.Lock()  # held while a device opens, which may take a second
        self._lock = threading.RLock()
        self._is_wanted = False  # somebody called `start`, and not yet `stop`
        self._was_told = False  # what `on_recording` was told last
        self._seq = 0
        self._collectors: tuple[Callable[[bytes], None], ...] = ()  # of those who `record`: nobody else hears of it
        self._stream: Any = None

    def __repr__(self) -> str:
        return f"<KernelMicrophone {'open' if self._stream is not None else 'closed'}>"

    def start(self) -> None:
        """Open the device and deliver frames. No pre-roll: the device is closed between recordings."""
        with self._lock:
            self._seq = self._seq if self._is_wanted else 0
            self._is_wanted = True
        try:
            self._open()
        except RtnbError:
            self._is_wanted = False
            raise
        self._tell()

    def stop(self, release: bool = True) -> None:
        """Deliver no more frames and give the device back, also when it is just being opened."""
        with self._lock:
            self._is_wanted = False
        self._close_unless_needed()
        self._tell()

    def give_back(self) -> None:
        """Do as `stop` does: the device is never kept open."""
        self.stop()

    def record(self, seconds: float, timeout: float = 30.0) -> bytes:
        """Record and wait for it; see `KernelAudio.record`."""
        collect = Collector(math.ceil(seconds * RATE) * 2)
        with self._lock:
            self._collectors += (collect,)
        try:
            self._open()
            end = time.monotonic() + seconds + timeout
            while not collect.wait(0.1):
                if time.monotonic() > end:
                    raise WaitTimeout("The kernel's microphone is open but delivers nothing.")
        finally:
            with self._lock:
                self._collectors = tuple(each for each in self._collectors if each is not collect)
            self._close_unless_needed()
        return collect.pcm

    @property
    def _is_needed(self) -> bool:
        return self._is_wanted or bool(self._collectors)

    def _open(self) -> None:
        """Open the device, unless it is open, or nobody needs it any more."""
        with self._opening:
            if self._stream is not None or not self._is_needed:
                return
            sounddevice = load_sounddevice()
            stream = _open(
                "input",
                lambda: sounddevice.InputStream(
                    samplerate=RATE, channels=1, dtype="int16", blocksize=FRAME, device=self.device, callback=self._take
                ),
            )
            with self._lock:
                if self._is_needed:
                    self._stream, stream = stream, None
        if stream is not None:  # given up while it was being opened
            stream.close()

    def _close_unless_needed(self) -> None:
        with self._lock:
            if self._is_needed:
                return
            stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _tell(self) -> None:
        """Tell whether it records, when that is news: in the order in which it came to be, whichever thread did it."""
        with self._lock:
            is_recording = self._stream is not None and self._is_wanted
            if is_recording != self._was_told:
                self._was_told = is_recording
                if self.on_recording is not None:
                    self.on_recording(is_recording)

    def _take(self, data: npt.NDArray[np.int16], frames: int, _time: object, status: Any) -> None:
        try:
            if getattr(status, "input_overflow", False):
                self.dropped += 1
                if self.on_dropped is not None:
                    self.on_dropped(self.dropped)
            pcm = data[:, 0].astype("<i2").tobytes()
            for collect in self._collectors:
                collect(pcm)
            if self.on_audio is not None and self._is_wanted:
                seq, self._seq = self._seq, self._seq + 1
                self.on_audio(pcm, seq)
        except Exception:  # noqa: BLE001 - PortAudio would end the stream without a word
            _log.exception("on_audio failed")


class KernelAudio:
    """Microphone and loudspeaker of the kernel's machine: `microphone` and `speaker`, as of AudioIO.

    There is no echo cancellation here: use headphones.

    Examples
    --------
    >>> audio = KernelAudio()
    >>> pcm = audio.record(2.0)  # doctest: +SKIP
    """

    def __init__(self, *, input_device: int | str | None = None, output_device: int | str | None = None) -> None:
        self.microphone = KernelMicrophone(input_device)
        self.speaker = KernelSpeaker(output_device)

    def __repr__(self) -> str:
        return f"<KernelAudio {self.microphone!r} {self.speaker!r}>"

    def record(self, seconds: float, timeout: float = 30.0) -> bytes:
        """Record and wait for it: 24 kHz PCM16.

        A session that is attached does not hear it, unless its microphone is recording already.
        """
        return self.microphone.record(seconds, timeout)

    def close(self) -> None:
        """Give both devices back."""
        with contextlib.suppress(RtnbError):
            self.microphone.stop()
        self.speaker.close()
