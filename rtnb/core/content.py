"""The content of an item: parts with text, transcript and audio, which grow as events come.

Nothing is joined or decoded when an event comes: text is kept in the pieces that came and audio as the very strings
of the events, so a payload exists once, in the log and here. Joining happens when somebody reads.

Imports nothing of rtnb.
"""

from __future__ import annotations

import binascii
from typing import Any, Final

__all__ = ["Part", "Pieces", "base64_bytes"]

_WORD_CHARS: Final = 24
"""How far back a cut through a transcript looks for the start of the word: no longer word is worth keeping whole."""


def base64_bytes(text: str) -> int:
    """How many bytes well-formed base64 `text` decodes to, in constant time; padding may be missing.

    >>> base64_bytes("AAAA"), base64_bytes("AAA="), base64_bytes("AA==")
    (3, 2, 1)
    """
    size = len(text)
    if text.endswith("=="):
        size -= 2
    elif text.endswith("="):
        size -= 1
    return size * 3 // 4


def _decoded(chunk: str) -> bytes:
    try:
        return binascii.a2b_base64(chunk + "=" * (-len(chunk) % 4))
    except ValueError:  # not base64 at all: nothing that could be heard
        return b""


class Pieces:
    """A text that comes in pieces: adding one costs the same however long it is; joined when read.

    Reading is safe while another thread adds: the join is remembered together with how far it went.
    """

    __slots__ = ("_joined", "pieces")

    def __init__(self) -> None:
        self.pieces: list[str] = []  # as they came; replaced, never cut, when the server settles on another text
        self._joined: tuple[list[str], int, str] = (self.pieces, 0, "")  # of which list, how many pieces, the join

    @property
    def value(self) -> str:
        """The whole text so far."""
        pieces = self.pieces
        source, done, text = self._joined
        if source is not pieces:
            done, text = 0, ""
        count = len(pieces)
        if count != done:
            text += "".join(pieces[done:count])
            self._joined = (pieces, count, text)
        return text

    def settle(self, full: str) -> str | None:
        """Take the server's final text; return what the pieces had not brought, None if they said something else.

        An empty text never erases one that came: after a truncation the server has none, yet it was spoken.
        """
        value = self.value
        if not full or full == value:
            return ""
        if full.startswith(value):
            rest = full[len(value) :]
            self.pieces.append(rest)
            return rest
        self.pieces = [full]
        return None


class Part:
    """One content part of an item.

    Attributes
    ----------
    type : str
        As the server names it: ``input_text``, ``input_audio``, ``input_image``, ``output_text``, ``output_audio``;
        events of a running response say ``text`` and ``audio``.
    audio_chunks : list of str
        Base64 as it came, each chunk encoded on its own.
    audio_bytes : int
        How many bytes the chunks decode to, counted without decoding.
    heard_marks : list of int
        For each piece of the transcript the bytes of audio that had come before it.
    image_url : str or None
        The data URI of a picture.
    """

    __slots__ = (
        "_limit",
        "_skip",
        "audio_bytes",
        "audio_chunks",
        "heard_marks",
        "image_url",
        "text_pieces",
        "transcript_pieces",
        "type",
    )

    def __init__(self, type: str = "") -> None:
        self.type = type
        self.text_pieces = Pieces()
        self.transcript_pieces = Pieces()
        self.audio_chunks: list[str] = []
        self.audio_bytes = 0
        self.heard_marks: list[int] = []
        self.image_url: str | None = None
        self._skip = 0  # bytes of the first chunk that belong to what came before
        self._limit: int | None = None  # bytes after which the last chunk belongs to what comes next

    @property
    def text(self) -> str:
        """The text of a text part."""
        return self.text_pieces.value

    @property
    def transcript(self) -> str:
        """What is said in an audio part."""
        return self.transcript_pieces.value

    def audio(self) -> bytes:
        """The audio, decoded now: in the format of the session, usually PCM16 at 24 kHz."""
        joined = b"".join(map(_decoded, self.audio_chunks[:]))
        end = None if self._limit is None else self._skip + self._limit
        return joined[self._skip : end]

    def hold(self, chunks: list[str], *, skip: int = 0, limit: int | None = None) -> None:
        """Take `chunks` as the whole audio: of their bytes leave out `skip` in front, then keep `limit`."""
        size = max(0, sum(map(base64_bytes, chunks)) - skip)
        self._skip, self._limit = skip, limit
        self.audio_chunks = chunks
        self.audio_bytes = size if limit is None else min(size, limit)

    def heard(self, position: int) -> int:
        """How many characters of the transcript were spoken within the first `position` bytes of audio.

        An estimate, since the protocol gives no times of words: the share of the audio, taken of the transcript, but
        never more than what had been written when that audio came (a transcript runs ahead of its audio, not behind),
        and cut back to the start of a word.
        """
        transcript = self.transcript
        if position <= 0 or not transcript:
            return 0
        if position >= self.audio_bytes:
            return len(transcript)
        count = len(transcript) * position // self.audio_bytes
        pieces = self.transcript_pieces.pieces
        if len(self.heard_marks) == len(pieces):
            count = min(
                count, sum(len(p) for p, mark in zip(pieces, self.heard_marks, strict=False) if mark < position)
            )
        if count >= len(transcript) or transcript[count].isspace():
            return count
        start = count
        while start > max(0, count - _WORD_CHARS) and not transcript[start - 1].isspace():
            start -= 1
        at_word = start == 0 or transcript[start - 1].isspace()
        return start if at_word else count

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values, audio as its chunks."""
        return {
            "type": self.type,
            "text": self.text,
            "transcript": self.transcript,
            "audio": (tuple(self.audio_chunks), self._skip, self._limit),
            "audio_bytes": self.audio_bytes,
            "image_url": self.image_url,
        }
