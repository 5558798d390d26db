"""From a brain to an engine: one response carried out, with the voice when it is spoken.

Runs as a task of the connection; cancelling it stops brain and voice. The brain is read ahead while the voice speaks,
so that the second sentence is there when the first has been sent.

May import `rtnb.core` and its neighbours in `rtnb.local`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Final, TypeVar

from rtnb.core.errors import redact
from rtnb.core.protocol import BYTES_PER_MS
from rtnb.local.effects import Output, Think
from rtnb.local.engine import Engine
from rtnb.local.faults import Trouble
from rtnb.local.pacing import Pacer
from rtnb.local.seams import Brain, Call, CallArguments, Failed, Finished, Piece, Say, Voice
from rtnb.local.sentences import Sentences

__all__ = ["Answer"]

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")

_CHUNK_BYTES: Final = 250 * BYTES_PER_MS  # one delta; 12,000 bytes are 16,000 characters of base64
_READ_AHEAD: Final = 64  # pieces of the brain that may wait for the voice


class Answer:
    """One response.

    Parameters
    ----------
    think
        What the engine asked for.
    engine
        Where the pieces go.
    brain, voice
        Give what makes them; either may raise, which ends the answer as failed.
    pacer
        The schedule of the audio.
    clock
        The time for the engine.
    put
        Takes what the engine returned.
    ready
        Waits until the socket can take more.
    trouble
        What befalls it.
    """

    def __init__(
        self,
        think: Think,
        engine: Engine,
        *,
        brain: Callable[[], Brain],
        voice: Callable[[], Voice],
        pacer: Pacer,
        clock: Callable[[], float],
        put: Callable[[list[Output]], None],
        ready: Callable[[], Awaitable[None]],
        trouble: Trouble,
    ) -> None:
        self._think, self._engine = think, engine
        self._brain, self._voice = brain, voice
        self._pacer, self._clock, self._put, self._ready = pacer, clock, put, ready
        self._id = think.request.response_id
        self._trouble = trouble
        self._sentences = Sentences()
        self._has_sent = False

    async def run(self) -> None:
        """Carry the response out; whatever fails ends it as failed, in words."""
        try:
            await self._answer()
        except Exception as exc:  # noqa: BLE001 - brains and voices are foreign code: their failure is the answer's
            _LOG.debug("response %s failed", self._id, exc_info=True)
            error = {"type": "server_error", "code": "server_error", "message": _told(exc)}
            self._put(self._engine.failed(self._id, error, self._clock()))

    async def _answer(self) -> None:
        await self._trouble.before()
        pieces: asyncio.Queue[Piece | BaseException | None] = asyncio.Queue(_READ_AHEAD)
        reader = asyncio.create_task(self._read(pieces), name=f"brain {self._id}")
        try:
            while (piece := await pieces.get()) is not None:
                if isinstance(piece, BaseException):
                    raise piece
                await self._trouble.between()
                if await self._take(piece) or (self._has_sent and await self._is_in_trouble()):
                    return
            await self._speak_all(self._sentences.flush())
            if not await self._is_in_trouble():
                self._put(self._engine.ended(self._id, self._clock()))
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _is_in_trouble(self) -> bool:
        """Let the trouble happen, if there is any; True when it ended the answer."""
        ending = await self._trouble.midst()
        return ending is not None and await self._take(ending)

    async def _read(self, pieces: asyncio.Queue[Piece | BaseException | None]) -> None:
        try:
            # Brains are async generators in practice; closing them at once is what stops their work.
            async with aclosing(_generator(self._brain().think(self._think.request))) as answer:
                async for piece in answer:
                    await pieces.put(piece)
        except Exception as exc:  # noqa: BLE001 - handed over to the task that waits for the pieces
            await pieces.put(exc)
        else:
            await pieces.put(None)

    async def _take(self, piece: Piece) -> bool:
        """Hand one piece on; True when it ended the answer."""
        engine, now = self._engine, self._clock
        if isinstance(piece, Say):
            if self._think.request.output == "audio":
                await self._speak_all(self._sentences.push(piece.text))
            else:
                await self._ready()
                self._has_sent = True
                self._put(engine.say(self._id, piece.text, now()))
            return False
        if not isinstance(piece, CallArguments):
            await self._speak_all(self._sentences.flush())
        if isinstance(piece, Call):
            self._put(engine.call(self._id, piece.name, piece.arguments, piece.call_id, now()))
        elif isinstance(piece, CallArguments):
            self._put(engine.arguments(self._id, piece.delta, now()))
        elif isinstance(piece, Failed):
            self._put(engine.failed(self._id, piece.error, now()))
            return True
        elif isinstance(piece, Finished):
            if piece.usage:
                engine.told_usage(self._id, piece.usage)
            if piece.incomplete is None:
                self._put(engine.ended(self._id, now()))
            else:
                self._put(engine.incomplete(self._id, piece.incomplete, now()))
            return True
        return False

    async def _speak_all(self, texts: list[str]) -> None:
        for text in texts:
            await self._speak(text)

    async def _speak(self, text: str) -> None:
        if not text.strip():
            await self._send(b"", text)
            return
        said = ""
        speech = self._voice().speak(text, voice=self._think.voice, speed=self._think.speed)
        async with aclosing(_generator(speech)) as stretches:
            async for stretch in stretches:
                said += stretch.text
                words = stretch.text
                for start in range(0, max(1, len(stretch.pcm)), _CHUNK_BYTES):
                    await self._send(stretch.pcm[start : start + _CHUNK_BYTES], words)
                    words = ""
        if text.startswith(said) and said != text:  # a voice that reported fewer words than it was given
            await self._send(b"", text[len(said) :])

    async def _send(self, pcm: bytes, words: str) -> None:
        await self._ready()
        wait_s = self._pacer.wait(len(pcm) / BYTES_PER_MS, self._clock())
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        self._has_sent = True
        self._put(self._engine.speak(self._id, pcm, words, self._clock()))


async def _generator(source: AsyncIterator[_T]) -> AsyncGenerator[_T, None]:
    """Any async iterator as a generator that closes its source when it is closed."""
    try:
        async for value in source:
            yield value
    finally:
        close = getattr(source, "aclose", None)
        if close is not None:
            await close()


def _told(exc: Exception) -> str:
    return redact(str(exc)) or f"The answer failed: {type(exc).__name__}."
