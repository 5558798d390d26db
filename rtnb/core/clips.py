"""Clips of sound as files: FLAC, or WAV where there is no soundfile, and for G.711; read as far as they go.

Nothing is resampled, mixed or rounded: a clip that was written and read is the same, byte for byte.

Imports `rtnb.core.audiofiles` and `rtnb.core.saved`; soundfile when it is first used.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from rtnb.core.audiofiles import encode_wav
from rtnb.core.protocol import RATE
from rtnb.core.saved import Clip

__all__ = ["read_clip", "write_clip"]

_LAWS: Final = {"audio/pcm": 1, "audio/pcma": 6, "audio/pcmu": 7}
_FORMATS: Final = {law: format for format, law in _LAWS.items()}
_TELEPHONE: Final = 8_000
_BLOCK: Final = 1 << 16
_AT_ONCE: Final = 1 << 27  # samples that are read in one go; a damaged file may claim any number
_FLAC_BLOCK: Final = 1 << 10  # frames read at a time: where a file breaks off, so much is lost


def write_clip(folder: Path, clip: Clip) -> Path:
    """Write a clip into `folder`; gives the file, whose suffix depends on what can be written here."""
    if clip.format == "audio/pcm":
        with contextlib.suppress(ImportError, OSError):  # OSError: soundfile is there, the library under it is not
            return _write_flac(folder / f"{clip.name}.flac", clip)
    path = folder / f"{clip.name}.wav"
    law = _LAWS[clip.format]
    path.write_bytes(encode_wav(b"".join(clip.pieces()), RATE if law == 1 else _TELEPHONE, law=law))
    return path


def _write_flac(path: Path, clip: Clip) -> Path:
    import soundfile

    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16", format="FLAC", compression_level=0.6) as file:
        for block in _whole(clip.pieces()):
            file.write(np.frombuffer(block, "<i2"))
    return path


def _whole(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in larger pieces of whole samples; half a sample at the end is made a whole one."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        if len(waiting) >= _BLOCK:
            n = len(waiting) & ~1
            yield bytes(waiting[:n])
            del waiting[:n]
    if waiting:
        yield bytes(waiting + b"\0" * (len(waiting) % 2))


def read_clip(path: Path) -> tuple[bytes, str]:
    """Read a clip as far as it goes: its bytes, none when nothing can be read, and their format.

    Raises
    ------
    ValueError
        Nothing of it can be read; the text says why.
    OSError
        The file cannot be read.
    """
    return _read_wav(path.read_bytes()) if path.suffix == ".wav" else (_read_flac(path), "audio/pcm")


def _read_flac(path: Path) -> bytes:
    try:
        import soundfile
    except (ImportError, OSError):
        raise ValueError("reading FLAC needs soundfile: pip install soundfile") from None
    with contextlib.suppress(soundfile.LibsndfileError, TypeError), soundfile.SoundFile(path) as file:
        if file.frames * file.channels < _AT_ONCE:
            return _first_channel(file.read(dtype="int16", always_2d=True))
    pieces: list[bytes] = []  # it breaks off somewhere: block by block, as far as it goes
    try:
        with soundfile.SoundFile(path) as file:
            while len(block := file.read(_FLAC_BLOCK, dtype="int16", always_2d=True)):
                pieces.append(_first_channel(block))
    except (soundfile.LibsndfileError, TypeError) as exc:
        if not pieces:
            raise ValueError(f"it is no FLAC file ({getattr(exc, 'error_string', exc)})") from exc
    return b"".join(pieces)


def _first_channel(samples: Any) -> bytes:
    return np.ascontiguousarray(samples[:, 0], "<i2").tobytes()


def _read_wav(data: bytes) -> tuple[bytes, str]:
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError("it is no WAV file")
    at, format = 12, "audio/pcm"
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int(struct.unpack_from("<I", data, at + 4)[0])
        at += 8
        if name == b"fmt " and at + 2 <= len(data):
            format = _FORMATS.get(struct.unpack_from("<H", data, at)[0], format)
        elif name == b"data":
            return data[at : at + size], format
        at += size + size % 2
    raise ValueError("the WAV file has no sound in it")
