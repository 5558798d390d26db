"""The session's thread: what is asked of it while it ends is told so, and waits for nothing."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator

import pytest
from helpers_session import TIMEOUT_S, in_thread

import rtnb
from rtnb.session.bell import Bell
from rtnb.session.runner import Runner


@pytest.fixture
def runner() -> Iterator[Runner]:
    made = Runner("the thread of a test")
    yield made
    made.stop()


async def begun(sign: threading.Event) -> None:
    sign.set()
    await asyncio.Event().wait()


def test_who_waits_when_the_thread_is_ended_is_told(runner: Runner) -> None:
    sign = threading.Event()
    waiting = in_thread(lambda: runner.call(begun(sign)))
    assert sign.wait(TIMEOUT_S)
    runner.stop()
    with pytest.raises(rtnb.ConnectionClosed, match="the thread of a test was closed before this was done"):
        waiting()


async def test_who_awaits_when_the_thread_is_ended_is_told_and_not_cancelled(runner: Runner) -> None:
    sign = threading.Event()
    awaiting = asyncio.create_task(runner.bridge(begun(sign)))
    assert await asyncio.to_thread(sign.wait, TIMEOUT_S)
    await asyncio.to_thread(runner.stop)
    with pytest.raises(rtnb.ConnectionClosed, match="closed before"):
        await asyncio.wait_for(awaiting, TIMEOUT_S)


async def test_cancelling_an_await_cancels_what_is_awaited(runner: Runner) -> None:
    sign, cancelled = threading.Event(), threading.Event()

    async def work() -> None:
        try:
            await begun(sign)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    awaiting = asyncio.create_task(runner.bridge(work()))
    assert await asyncio.to_thread(sign.wait, TIMEOUT_S)
    awaiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await awaiting
    assert await asyncio.to_thread(cancelled.wait, TIMEOUT_S)


def test_no_call_is_lost_between_a_thread_that_ends_and_the_next_one(runner: Runner) -> None:
    async def one() -> int:
        return 1

    def called() -> list[int]:
        done = []
        for _ in range(100):
            try:
                done.append(runner.call(one()))
            except rtnb.ConnectionClosed:
                done.append(0)
        return done

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        calls = [in_thread(called) for _ in range(3)]
        for _ in range(100):
            runner.stop()
        for each in calls:
            assert len(each()) == 100
    finally:
        sys.setswitchinterval(interval)


async def test_a_cancellation_that_comes_with_the_news_is_not_lost() -> None:
    bell = Bell()

    async def waits() -> None:
        while True:
            await bell.until(lambda: False)

    for _ in range(20):
        waiting = asyncio.create_task(waits())
        await asyncio.sleep(0)
        bell.ring()
        await asyncio.sleep(0)  # the news is there, and the one who waits has not run yet
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(waiting, TIMEOUT_S)
