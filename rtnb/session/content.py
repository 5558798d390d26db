"""What a user may ask with: text, speech, pictures, or a list of them, as content parts of the protocol.

Imports `rtnb.core` and `rtnb.session.telephone`.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rtnb.core.audio import Audio
from rtnb.core.audiofiles import container_of
from rtnb.core.errors import ProtocolError
from rtnb.core.protocol import RATE, Event, input_audio, input_image, input_text
from rtnb.session.telephone import encoded

__all__ = ["content_parts", "pcm_of"]

_PICTURES: Final = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg"}
_FORMS: Final = "text, an rtnb.Audio, a picture (bytes, path, or Pillow image), a content part, or a list of these"


def content_parts(content: Any, input_format: str | None = None) -> list[Event]:
    """The content parts of a user message.

    Parameters
    ----------
    content
        Text; `rtnb.Audio` (resampled to 24 kHz); a PNG or JPEG as bytes, as a `pathlib.Path` or as a Pillow image; a
        content part of the protocol; or a sequence of these.
    input_format
        The session's input format, in which the service reads sound in messages too; PCM16 when not given.

    Raises
    ------
    ProtocolError
        For anything else, and for nothing at all.
    """
    if isinstance(content, Sequence) and not isinstance(content, (str, bytes, bytearray, Audio)):
        parts = [_part(each, input_format) for each in content]
    else:
        parts = [_part(content, input_format)]
    if not parts:
        raise ProtocolError(f"there is nothing to ask: give {_FORMS}")
    return parts


def pcm_of(sound: Any) -> bytes:
    """24 kHz PCM16 bytes of a sound: `rtnb.Audio`, bytes that are that already, or a float or int16 array at 24 kHz.

    Raises
    ------
    ProtocolError
        For an odd number of bytes, a whole sound file as bytes, or no sound at all.
    """
    if isinstance(sound, Audio):
        return sound.resample(RATE).pcm
    if isinstance(sound, (bytes, bytearray, memoryview)):
        data = bytes(sound)
        if len(data) % 2:
            raise ProtocolError(f"{len(data)} bytes are no whole number of 16-bit samples; was a chunk cut in two?")
        if kind := container_of(data):
            raise ProtocolError(
                f"these bytes are a whole {kind} file, and its header would be heard as noise: "
                "give rtnb.Audio.from_file(path), or rtnb.Audio.from_wav(data) for a file in memory"
            )
        return data
    if hasattr(sound, "__array__"):
        return Audio.from_array(sound, rate=RATE).pcm
    raise ProtocolError(f"a sound is rtnb.Audio, bytes of 24 kHz PCM16, or an array, not {type(sound).__name__}")


def _part(content: Any, input_format: str | None) -> Event:
    if isinstance(content, str):
        if not content.strip():
            raise ProtocolError("there is nothing to ask: the text is empty")
        return input_text(content)
    if isinstance(content, Audio):
        return input_audio(base64.b64encode(encoded(pcm_of(content), input_format)).decode("ascii"))
    if isinstance(content, Mapping):
        return dict(content)
    if isinstance(content, Path):
        return _picture(content.read_bytes(), str(content))
    if isinstance(content, (bytes, bytearray)):
        return _picture(bytes(content), "these bytes")
    if hasattr(content, "save") and hasattr(content, "size"):  # a Pillow image
        memory = io.BytesIO()
        content.save(memory, format="PNG")
        return _picture(memory.getvalue(), "the image")
    raise ProtocolError(f"{type(content).__name__} cannot be asked: give {_FORMS}")


def _picture(data: bytes, what: str) -> Event:
    for magic, kind in _PICTURES.items():
        if data.startswith(magic):
            return input_image(f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}")
    raise ProtocolError(
        f"{what} is neither a PNG nor a JPEG picture, the only ones the service takes; for sound use rtnb.Audio"
    )
