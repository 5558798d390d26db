"""The input audio buffer, on the clock of all audio that was ever appended.

Offsets in milliseconds (``audio_start_ms``, ``audio_end_ms``) count every appended sample of the session; neither a
commit nor a clear sets them back. Old audio in which nobody speaks is forgotten, so that an open microphone does not
fill the memory.

May import `rtnb.core.protocol`.
"""

from __future__ import annotations

from typing import Final

from rtnb.core.protocol import BYTES_PER_MS

__all__ = ["InputBuffer"]

_KEEP_SILENCE_MS: Final = 30_000  # what is kept of audio that may still be committed by hand while nobody speaks


class InputBuffer:
    """Appended, not yet committed audio; 24 kHz PCM16."""

    def __init__(self) -> None:
        self._audio = bytearray()
        self._start = 0  # bytes on the session's clock before the first one that is held

    @property
    def end_ms(self) -> int:
        """The session's audio clock: milliseconds of all audio appended so far."""
        return (self._start + len(self._audio)) // BYTES_PER_MS

    @property
    def start_ms(self) -> int:
        """Where the held audio begins on that clock."""
        return self._start // BYTES_PER_MS

    @property
    def ms(self) -> float:
        """Milliseconds that are held."""
        return len(self._audio) / BYTES_PER_MS

    def append(self, pcm: bytes) -> None:
        """Take whole samples."""
        self._audio += pcm

    def read(self, start_ms: int, end_ms: int | None = None) -> bytes:
        """A copy of the audio between two times of the clock, as far as it is held."""
        begin = max(0, start_ms * BYTES_PER_MS - self._start)
        end = len(self._audio) if end_ms is None else max(0, end_ms * BYTES_PER_MS - self._start)
        return bytes(self._audio[begin:end])

    def take(self, start_ms: int | None = None, end_ms: int | None = None) -> bytes:
        """Cut out the audio between two times; all before its end is gone from the buffer."""
        taken = self.read(self.start_ms if start_ms is None else start_ms, end_ms)
        until = len(self._audio) if end_ms is None else max(0, end_ms * BYTES_PER_MS - self._start)
        self._drop(min(until, len(self._audio)))
        return taken

    def clear(self) -> None:
        """Throw away what is held; the clock stands where it stood."""
        self._drop(len(self._audio))

    def forget_silence(self, keep_ms: int = _KEEP_SILENCE_MS) -> None:
        """Forget all but the last `keep_ms`; called while nobody speaks."""
        surplus = len(self._audio) - keep_ms * BYTES_PER_MS
        if surplus > keep_ms * BYTES_PER_MS // 4:  # in strides, because each one moves the rest
            self._drop(surplus & ~1)

    def _drop(self, n_bytes: int) -> None:
        del self._audio[:n_bytes]
        self._start += n_bytes
