"""One utterance and its recogniser, as a task of the connection.

Audio is taken while it comes in; the engine learns of partial texts, and in the end, whatever happens, of one
`Transcript`: a response may be waiting for it.

May import `rtnb.core.errors` and its neighbours in `rtnb.local`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from rtnb.core.errors import redact
from rtnb.local.seams import Hearing, Listener, Transcript

__all__ = ["Utterance"]

_LOG = logging.getLogger(__name__)

_FINISH_S: Final = 60.0  # a recogniser that needs longer for its last word has failed


class Utterance:
    """One utterance.

    Parameters
    ----------
    hearing
        Gives the engine of recognition; it may raise when there is none.
    settings
        The session's ``audio.input.transcription``.
    partial, final
        Take what was understood so far, and at the end.
    """

    def __init__(
        self,
        hearing: Callable[[], Awaitable[Hearing]],
        settings: Mapping[str, Any],
        *,
        partial: Callable[[str], None],
        final: Callable[[Transcript], None],
    ) -> None:
        self._hearing, self._settings = hearing, settings
        self._partial, self._final = partial, final
        self._audio: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._ended = False

    def push(self, pcm: bytes) -> None:
        """The next audio."""
        self._audio.put_nowait(pcm)

    def end(self) -> None:
        """No more audio."""
        self._audio.put_nowait(None)

    async def run(self) -> None:
        """Listen to the end; cancelling throws the utterance away."""
        listener: Listener | None = None
        try:
            hearing = await self._hearing()
            listener = await hearing.listen(self._settings)
            while (pcm := await self._next()) is not None:
                text = await listener.push(pcm)
                if text and not self._ended:
                    self._partial(text)
            transcript = await asyncio.wait_for(listener.finish(), _FINISH_S)
        except asyncio.CancelledError:
            await _cancel(listener)
            raise
        except Exception as exc:  # noqa: BLE001 - recognisers are foreign code: their failure is a failed transcription
            _LOG.debug("recognition failed", exc_info=True)
            transcript = Transcript("", failed=redact(str(exc)) or f"Recognition failed: {type(exc).__name__}.")
            await _cancel(listener)
            while not self._ended:
                await self._next()
        self._final(transcript)

    async def _next(self) -> bytes | None:
        """All audio that is there, joined; None at the end."""
        if self._ended:
            return None
        chunks: list[bytes] = []
        chunk = await self._audio.get()
        while chunk is not None:
            chunks.append(chunk)
            if self._audio.empty():
                return b"".join(chunks)
            chunk = self._audio.get_nowait()
        self._ended = True
        return b"".join(chunks) if chunks else None


async def _cancel(listener: Listener | None) -> None:
    if listener is None:
        return
    try:
        await listener.cancel()
    except Exception:  # noqa: BLE001 - foreign code that has failed already, or is not wanted any more
        _LOG.debug("a recogniser could not be cancelled", exc_info=True)
