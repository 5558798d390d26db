"""The user's audio on the clock of the session, so that each spoken item gets the very audio it was made of.

The server counts all audio appended in a session and never starts over, whatever is committed or cleared in between;
``audio_start_ms`` and ``audio_end_ms`` are times of that clock. So the clock is kept here as bytes, the chunks as the
strings that were sent, and what was committed is let go.

Imports `rtnb.core.content`, `rtnb.core.items` and `rtnb.core.protocol`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque

from rtnb.core.content import Part, base64_bytes
from rtnb.core.items import Item
from rtnb.core.protocol import BYTES_PER_MS

__all__ = ["InputAudio"]


class InputAudio:
    """What was appended to the input buffer and has not become an item yet."""

    __slots__ = ("_chunks", "_clears", "_commits", "_ends", "_taken", "bytes_per_ms", "position")

    def __init__(self, *, bytes_per_ms: int = BYTES_PER_MS) -> None:
        self.bytes_per_ms = bytes_per_ms
        self.position = 0  # bytes appended since the session began
        self._taken = 0  # where the last committed or cleared stretch ended
        self._chunks: list[str] = []
        self._ends: list[int] = []  # position after each chunk
        self._commits: deque[int] = deque()  # position at each commit that was sent and not yet answered
        self._clears: deque[int] = deque()

    @property
    def chunks(self) -> list[str]:
        """What is in the buffer, base64 as it was appended; a chunk that was committed in part is still whole."""
        return list(self._chunks)

    def append(self, audio: str) -> None:
        """The client sent ``input_audio_buffer.append``."""
        self.position += base64_bytes(audio)
        self._chunks.append(audio)
        self._ends.append(self.position)

    def commit_sent(self) -> None:
        """The client sent ``input_audio_buffer.commit``."""
        self._commits.append(self.position)

    def clear_sent(self) -> None:
        """The client sent ``input_audio_buffer.clear``."""
        self._clears.append(self.position)

    def commit_refused(self) -> None:
        """The server refused the oldest commit that was not answered."""
        if self._commits:
            self._commits.popleft()

    def cleared(self) -> None:
        """The server emptied the buffer."""
        self._drop(self._clears.popleft() if self._clears else self.position)

    def committed(self, item: Item, part: Part) -> None:
        """The server made `item` of the buffer: give its audio to `part`.

        With the offsets of a speech detector the item is what lies between them; else it is all since the last
        commit or clear, up to where the client's commit was sent.
        """
        start, end = self._taken, self.position
        if item.audio_end_ms is not None:
            end = min(self.position, item.audio_end_ms * self.bytes_per_ms)
            if item.audio_start_ms is not None:
                start = max(start, item.audio_start_ms * self.bytes_per_ms)
        elif self._commits:
            end = self._commits.popleft()
        if end > start and self._chunks:
            first = bisect_right(self._ends, start)
            last = bisect_left(self._ends, end)
            chunks = self._chunks[first : last + 1]
            if chunks:
                begin = self._ends[first] - base64_bytes(chunks[0])
                skip = max(0, start - begin)
                whole = self._ends[first + len(chunks) - 1] == end
                part.hold(chunks, skip=skip, limit=None if whole else end - max(start, begin))
        self._drop(end)

    def _drop(self, position: int) -> None:
        """Let go of all that lies before `position`; a chunk across it is kept."""
        self._taken = max(self._taken, position)
        count = bisect_right(self._ends, self._taken)
        del self._chunks[:count]
        del self._ends[:count]
