"""Sound files, read and written: WAV, FLAC, OGG and MP3 through soundfile; WAV in memory with nothing but numpy.

What comes in is mixed down to one channel (the mean of all) and rounded to 16 bits; the rate stays the file's. The
errors say what is wrong with the file and what to do, because a lesson's first mistake is often a path.

May import numpy, and soundfile when it is first used.
"""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import Any, BinaryIO, Final

from .pcm16 import float_to_pcm16, pcm16_to_float

__all__ = ["WRITABLE", "container_of", "encode_sound", "encode_wav", "read_sound", "write_sound"]

WRITABLE: Final = {".wav": ("WAV", "PCM_16"), ".flac": ("FLAC", "PCM_16"), ".ogg": ("OGG", "VORBIS")}
"""Suffix -> (format, subtype) of the files that can be written. OGG (Vorbis) loses a little, the others nothing."""

_BLOCK: Final = 1 << 16  # frames read or written at a time: an hour of stereo is never in memory as floats

_HEAD: Final = 64  # bytes within which a file names its format

_HEADERLESS: Final = {".pcm", ".raw", ".sw", ".s16"}


def container_of(data: bytes) -> str | None:
    """Name the file format that `data` begins with, or None when it begins like bare samples.

    At least five bytes of a header are looked at, so that bare samples are not mistaken for one.
    """
    head = data[:_HEAD]
    if head[:4] in (b"RIFF", b"RIFX", b"RF64") and head[8:12] == b"WAVE":
        return "WAV"
    if head[:6] == b"OggS\0\x02":  # version 0, first page
        return "OGG"
    if head[:8] == b"fLaC\0\0\0\x22" or head[:8] == b"fLaC\x80\0\0\x22":  # a STREAMINFO of 34 bytes comes first
        return "FLAC"
    if head[:4] == b"\x1a\x45\xdf\xa3" and (b"webm" in head or b"matroska" in head):
        return "WebM"
    if head[:3] == b"\0\0\0" and head[4:8] == b"ftyp":
        return "MP4"
    if (
        head[:3] == b"ID3"
        and head[3:5] in (b"\x02\0", b"\x03\0", b"\x04\0")
        and len(head) > 9
        and max(head[6:10]) < 0x80
    ):
        return "MP3"
    return None


def read_sound(source: str | os.PathLike[str] | BinaryIO) -> tuple[bytes, int]:
    """Read a sound file as mono PCM16.

    Parameters
    ----------
    source
        A path, or an open binary file that can be sought.

    Returns
    -------
    (pcm, rate)
        The samples, clipped to 16 bits where a file holds more, and samples a second.

    Raises
    ------
    FileNotFoundError
        If there is no such file; the text names the folder that was looked in.
    ValueError
        If it is empty, is not a sound file, or is one that cannot be read.
    """
    if not isinstance(source, str | os.PathLike):
        return _decode(source, getattr(source, "name", None) or "what was given")
    path = Path(source).expanduser()
    if path.is_dir():
        raise IsADirectoryError(f"{str(path)!r} is a folder; name the sound file in it.")
    if not path.exists():
        raise FileNotFoundError(f"There is no file {str(path)!r} (looked in {str(path.absolute().parent)!r}).")
    if path.suffix.lower() in _HEADERLESS:
        raise ValueError(
            f"{path.name!r} says nothing of its own rate; read its bytes and use Audio.from_bytes(data, rate=...)."
        )
    with path.open("rb") as file:
        return _decode(file, path.name)


def _decode(file: BinaryIO, name: object) -> tuple[bytes, int]:
    import soundfile

    head = file.read(_HEAD)
    if not head:
        raise ValueError(f"{name!r} is empty (0 bytes).")
    file.seek(-len(head), io.SEEK_CUR)
    pieces = []
    try:
        with soundfile.SoundFile(file) as sound:
            rate = int(sound.samplerate)
            while len(block := sound.read(_BLOCK, dtype="float32", always_2d=True)):
                pieces.append(float_to_pcm16(block.mean(axis=1)))
    except (soundfile.LibsndfileError, TypeError) as error:
        kind = container_of(head)
        if kind in ("WebM", "MP4"):
            what = f"{name!r} is {kind}, which soundfile does not read; convert it first: ffmpeg -i IN out.wav"
        elif kind:
            what = f"{name!r} begins like a {kind} file, but cannot be read: {_reason(error)}"
        else:
            what = f"{name!r} is not a sound file that can be read (WAV, FLAC, OGG, MP3): {_reason(error)}"
        raise ValueError(what) from error
    if not any(pieces):
        raise ValueError(f"{name!r} is a sound file without a single sample.")
    return b"".join(pieces), rate


def _reason(error: Exception) -> str:
    return str(getattr(error, "error_string", error))


def write_sound(path: str | os.PathLike[str], pcm: bytes, rate: int) -> Path:
    """Write mono PCM16 as the format that the suffix names; an existing file is replaced.

    Raises
    ------
    ValueError
        If the suffix is not one of `WRITABLE`, or the format cannot hold the rate.
    FileNotFoundError
        If the folder does not exist.
    """
    target = Path(path).expanduser()
    kind = WRITABLE.get(target.suffix.lower())
    if kind is None:
        raise ValueError(f"{target.name!r} should end with {', '.join(WRITABLE)}: the suffix chooses the format.")
    if not target.absolute().parent.is_dir():
        raise FileNotFoundError(f"There is no folder {str(target.absolute().parent)!r}; make it first.")
    if target.suffix.lower() == ".wav":
        target.write_bytes(encode_wav(pcm, rate))
    else:
        target.write_bytes(encode_sound(pcm, rate, *kind))
    return target


def encode_sound(pcm: bytes, rate: int, container: str, subtype: str, **options: Any) -> bytes:
    """Mono PCM16 as a file in memory.

    Parameters
    ----------
    container, subtype
        Names of soundfile: ``"OGG"``, ``"OPUS"``.
    options
        Further settings of `soundfile.SoundFile`, such as ``compression_level``.

    Raises
    ------
    ValueError
        If the format is not there, or does not take the rate.
    """
    import soundfile

    buffer = io.BytesIO()
    try:
        with soundfile.SoundFile(buffer, "w", rate, 1, subtype, format=container, **options) as sound:
            for start in range(0, len(pcm), 2 * _BLOCK):
                sound.write(pcm16_to_float(pcm[start : start + 2 * _BLOCK]))
    except (soundfile.LibsndfileError, ValueError, TypeError) as error:
        raise ValueError(
            f"{container}/{subtype} cannot be written at {rate} samples a second: {_reason(error)}"
        ) from error
    return buffer.getvalue()


def encode_wav(samples: bytes, rate: int, *, law: int = 1) -> bytes:
    """Samples as a mono WAV file in memory.

    Parameters
    ----------
    samples
        The body as it stands: PCM16, or one byte a sample for mu-law and A-law.
    law
        The format tag of WAV: 1 PCM16, 6 A-law, 7 mu-law.
    """
    width = 2 if law == 1 else 1
    form = struct.pack("<HHIIHH", law, 1, rate, rate * width, width, 8 * width)
    if law != 1:
        form += struct.pack("<H", 0)  # no extra fields: their length is required for all but PCM
    chunks = b"fmt " + struct.pack("<I", len(form)) + form
    if law != 1:
        chunks += b"fact" + struct.pack("<II", 4, len(samples))
    padding = b"\0" * (len(samples) % 2)  # chunks begin at even places
    chunks += b"data" + struct.pack("<I", len(samples)) + samples + padding
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks
