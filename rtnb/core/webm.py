"""WebM, as browsers record it, put into a file that soundfile reads: Opus packets into Ogg, float samples into WAV.

A browser's ``MediaRecorder`` writes WebM; libsndfile reads Opus, but only out of Ogg. The packets are the same, so
nothing is decoded here: the sound is taken out of one wrapping and put into the other.

Theory of operation
-------------------
A WebM file is a tree of elements: an id, a length, a body. Masters (`_INSIDE`) hold other elements; a recorder that
cannot go back leaves their length open. So the tree is read as a flat row: the header of a master is passed over and
its children follow, every other element is taken or skipped by its length. The first audio track is taken.

An Ogg page holds packets cut into segments of at most 255 bytes, a running number, a checksum, and the position (in
samples at 48 kHz) of the end of its last packet. How long a packet lasts is in its first two bytes (RFC 6716, 3.1).

References: RFC 8794 (EBML), RFC 9559 (Matroska), RFC 3533 (Ogg), RFC 7845 (Opus in Ogg). Imports nothing of rtnb.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

__all__ = ["unwrap_webm"]

_SEGMENT: Final = 0x18538067
_TRACKS: Final = 0x1654AE6B
_TRACK: Final = 0xAE
_AUDIO: Final = 0xE1
_CLUSTER: Final = 0x1F43B675
_BLOCK_GROUP: Final = 0xA0
_INSIDE: Final = frozenset({_SEGMENT, _TRACKS, _TRACK, _AUDIO, _CLUSTER, _BLOCK_GROUP})

_NUMBER: Final = 0xD7
_CODEC: Final = 0x86
_PRIVATE: Final = 0x63A2
_RATE: Final = 0xB5
_CHANNELS: Final = 0x9F
_BLOCKS: Final = frozenset({0xA3, 0xA1})  # SimpleBlock, Block
_DISCARD: Final = 0x75A2

_OPUS: Final = "A_OPUS"
_FLOAT: Final = "A_PCM/FLOAT/IEEE"
_LACING: Final = 0x06
_MOST_CHANNELS: Final = 8
_MOST_RATE: Final = 768_000
_SERIAL: Final = 0x72746E62
_SEGMENTS: Final = 255
_PACKETS: Final = 50  # to a page: a second of 20 ms
_FRAME_48K: Final = ((480, 960, 1920, 2880), (480, 960), (120, 240, 480, 960))  # SILK, hybrid, CELT


@dataclass
class _Track:
    """The audio track of a recording."""

    codec: str = ""
    private: bytes = b""
    rate: float = 8000.0  # the default of the format
    channels: int = 1
    packets: list[bytes] = field(default_factory=list)
    discard_ns: int = 0  # of the last packet's end


def unwrap_webm(data: bytes) -> bytes:
    """Take the sound out of a WebM recording, as an Ogg file (Opus) or a WAV file (float samples).

    Parameters
    ----------
    data
        The whole file. One that breaks off gives what it holds up to there.

    Raises
    ------
    ValueError
        It holds no audio, none in a form that is known here, or is no WebM.
    """
    track = _read(data)
    if not track.packets:
        raise ValueError("this WebM recording holds no audio: it was stopped before anything came, or is damaged")
    if not (1 <= track.channels <= _MOST_CHANNELS and 1 <= track.rate <= _MOST_RATE):
        raise ValueError(f"this WebM recording claims {track.channels} channels at {track.rate:g} Hz: it is damaged")
    if track.codec == _OPUS:
        return _ogg(track)
    if track.codec == _FLOAT:
        return _wav(track)
    raise ValueError(f"the sound in this WebM recording is {track.codec}; Opus and float samples are understood")


# ---- reading


def _read(data: bytes) -> _Track:
    tracks: dict[int, _Track] = {}
    current = _Track()
    wanted: int | None = None
    for element, body in _elements(data):
        if element == _TRACK:
            current = _Track()
        elif element == _NUMBER:
            tracks[int.from_bytes(body, "big")] = current
        elif element == _CODEC:
            current.codec = body.rstrip(b"\0").decode("ascii", "replace")
        elif element == _PRIVATE:
            current.private = bytes(body)
        elif element == _RATE and len(body) in (4, 8):
            current.rate = struct.unpack(">d" if len(body) == 8 else ">f", body)[0]
        elif element == _CHANNELS:
            current.channels = int.from_bytes(body, "big")
        elif element in _BLOCKS:
            number, width = _number(body, 0, keep_marker=False)
            if wanted is None:
                wanted = next((each for each, track in tracks.items() if track.codec.startswith("A_")), None)
            if number != wanted or len(body) < width + 3:
                continue
            if body[width + 2] & _LACING:
                raise ValueError("this WebM recording packs several packets into a block, which no browser does")
            tracks[number].packets.append(bytes(body[width + 3 :]))
            tracks[number].discard_ns = 0
        elif element == _DISCARD and wanted is not None:
            tracks[wanted].discard_ns = int.from_bytes(body, "big", signed=True)
    return tracks[wanted] if wanted is not None else _Track()


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Every element in its order, those inside of masters too; a master itself comes with an empty body."""
    if data[:4] != b"\x1a\x45\xdf\xa3":
        raise ValueError("this is no WebM recording")
    at = 0
    while at < len(data):
        try:
            element, width = _number(data, at, keep_marker=True)
            size, more = _number(data, at + width, keep_marker=False)
        except ValueError:
            return  # it breaks off here
        at += width + more
        if element in _INSIDE:
            yield element, b""
            continue
        if at + size > len(data):
            return
        yield element, data[at : at + size]
        at += size


def _number(data: bytes, at: int, *, keep_marker: bool) -> tuple[int, int]:
    """A number of variable length and how many bytes it takes; its first bits tell the length."""
    if at >= len(data) or not data[at]:
        raise ValueError("no number")
    width = 9 - data[at].bit_length()
    if at + width > len(data):
        raise ValueError("cut")
    number = int.from_bytes(data[at : at + width], "big")
    return (number if keep_marker else number & ((1 << 7 * width) - 1)), width


# ---- writing


def _ogg(track: _Track) -> bytes:
    head = track.private if track.private[:8] == b"OpusHead" and len(track.private) >= 19 else _opus_head(track)
    skip = int.from_bytes(head[10:12], "little")
    tags = b"OpusTags" + struct.pack("<I", 4) + b"rtnb" + struct.pack("<I", 0)
    pages = [_page([head], 0, 0, begins=True), _page([tags], 0, 1)]
    position, number, held, n_segments = 0, 2, list[bytes](), 0
    for packet in track.packets:
        segments = len(packet) // 255 + 1
        if segments > _SEGMENTS:
            raise ValueError("this WebM recording has a packet larger than Opus makes: it is damaged")
        if held and (n_segments + segments > _SEGMENTS or len(held) >= _PACKETS):
            pages.append(_page(held, position, number))
            number, held, n_segments = number + 1, [], 0
        held.append(packet)
        n_segments += segments
        position += _samples(packet)
    end = max(position - round(max(track.discard_ns, 0) * 48_000 / 1e9), skip)
    pages.append(_page(held, end, number, ends=True))
    return b"".join(pages)


def _opus_head(track: _Track) -> bytes:
    return b"OpusHead" + struct.pack("<BBHIHB", 1, track.channels, 0, round(track.rate), 0, 0)


def _samples(packet: bytes) -> int:
    """How long a packet lasts, in samples at 48 kHz."""
    if not packet:
        return 0
    config, code = packet[0] >> 3, packet[0] & 3
    lengths = _FRAME_48K[0 if config < 12 else 1 if config < 16 else 2]
    count = (1, 2, 2, packet[1] & 0x3F if len(packet) > 1 else 0)[code]
    return lengths[config % len(lengths)] * count


def _page(packets: list[bytes], position: int, number: int, *, begins: bool = False, ends: bool = False) -> bytes:
    lacing = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    flags = 2 * begins + 4 * ends
    head = struct.pack("<4sBBqIIIB", b"OggS", 0, flags, position, _SERIAL, number, 0, len(lacing))
    page = bytearray(head + lacing + b"".join(packets))
    page[22:26] = struct.pack("<I", _checksum(page))
    return bytes(page)


def _table() -> tuple[int, ...]:
    rows = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = ((value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
        rows.append(value)
    return tuple(rows)


_CRC: Final = _table()


def _checksum(page: bytes | bytearray) -> int:
    """The checksum of Ogg: CRC-32 without reflection, which `zlib` does not have."""
    value = 0
    for byte in page:
        value = ((value << 8) & 0xFFFFFFFF) ^ _CRC[(value >> 24) ^ byte]
    return value


def _wav(track: _Track) -> bytes:
    body = b"".join(track.packets)
    rate, channels = round(track.rate), track.channels
    form = struct.pack("<HHIIHHH", 3, channels, rate, rate * channels * 4, channels * 4, 32, 0)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form
    chunks += b"fact" + struct.pack("<II", 4, len(body) // (4 * channels))
    chunks += b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks
