"""A long upload goes no faster than the line carries it."""

from __future__ import annotations

import asyncio
import contextlib
import threading

import pytest
from helpers_session import Lab, eventually, lab
from hypothesis import given
from hypothesis import strategies as st

import rtnb
from rtnb.net.window import MOST, STEP, Window

__all__ = ["lab"]


class Line:
    """Pings whose pongs come when the test says so."""

    def __init__(self) -> None:
        self.pongs: list[asyncio.Future[float]] = []

    async def ping(self) -> asyncio.Future[float]:
        self.pongs.append(asyncio.get_running_loop().create_future())
        return self.pongs[-1]

    def answer(self) -> None:
        for pong in self.pongs:
            if not pong.done():
                pong.set_result(0.01)


async def test_what_fits_waits_for_nothing_and_asks_now_and_then() -> None:
    line = Line()
    window = Window(line.ping)
    for _ in range(MOST // 1000):
        await window.room(1000)
        await window.sent(1000)
    assert window.waits == 0
    assert len(line.pongs) == MOST // STEP - 1 or len(line.pongs) == MOST // STEP


async def test_beyond_it_waits_until_what_was_sent_has_arrived() -> None:
    line = Line()
    window = Window(line.ping, most=2 * STEP)
    await window.sent(2 * STEP)
    waiting = asyncio.create_task(window.room(1))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not waiting.done()
    line.answer()
    async with asyncio.timeout(10):
        await waiting
    assert window.under_way == 0


async def test_a_single_message_larger_than_the_window_goes_when_nothing_else_is_under_way() -> None:
    window = Window(Line().ping, most=1000)
    async with asyncio.timeout(10):
        await window.room(50_000)
    assert window.waits == 0


async def test_a_connection_that_ends_lets_the_sender_go_on_to_learn_it() -> None:
    line = Line()
    window = Window(line.ping, most=1000)
    await window.sent(STEP)
    waiting = asyncio.create_task(window.room(1))
    await asyncio.sleep(0)
    line.pongs[0].set_exception(ConnectionError("it ended"))
    async with asyncio.timeout(10):
        await waiting


@given(st.lists(st.integers(1, 3 * STEP), max_size=40))
def test_never_more_is_under_way_than_allowed(sizes: list[int]) -> None:
    async def run() -> None:
        line = Line()
        window = Window(line.ping)
        for size in sizes:
            before = window.under_way
            room = asyncio.create_task(window.room(size))
            await asyncio.sleep(0)
            if not room.done():
                assert before + size > MOST
                line.answer()
            async with asyncio.timeout(10):
                await room
            assert not window.under_way or window.under_way + size <= MOST
            await window.sent(size)
        line.answer()

    asyncio.run(run())


class SlowLine:
    """A TCP proxy that reads little until it is opened."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._ready = threading.Event()
        self.carried = 0
        self.port = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def open(self) -> None:
        self._loop.call_soon_threadsafe(self._open.set)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._client, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._port)

        async def up() -> None:
            while data := await reader.read(4096):
                self.carried += len(data)
                if self.carried > 100_000:
                    await self._open.wait()
                back.write(data)
                await back.drain()
            back.close()

        async def down() -> None:
            while data := await there.read(65_536):
                writer.write(data)
                await writer.drain()
            writer.close()

        with contextlib.suppress(asyncio.CancelledError):  # the test is over
            await asyncio.gather(up(), down())
        for each in (writer, back):
            each.close()


@pytest.mark.timeout(120)
def test_over_a_line_that_stands_still_a_long_clip_waits_here_and_not_in_buffers(lab: Lab) -> None:
    endpoint = lab.serve("Long, that was.")
    line = SlowLine(endpoint.port)
    session = rtnb.Session(
        f"ws://127.0.0.1:{line.port}/v1/realtime", output="text", transcription=None, turn_detection=None
    )
    try:
        session.connect()
        session.append_audio(b"\1\0" * (24_000 * 60))
        assert session._core.link is not None
        window = session._core.link._transport._inner.window  # type: ignore[attr-defined]
        eventually(lambda: window.waits, "the upload to wait")
        assert session.traffic.up < 100_000 + MOST + 300_000, "of 3.8 MB"
        line.open()
        session.commit(timeout=60)
        assert session.respond().text == "Long, that was."
        assert session.traffic.up > 3_500_000
    finally:
        line.open()
        session.close()
        line.close()
