"""A session that nobody holds any more: it closes by itself, but not under an answer that is still read."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

from helpers_session import TIMEOUT_S, Gate, Lab, eventually, lab

import rtnb
from rtnb.local.brains import wait

__all__ = ["lab"]


def threads() -> set[str]:
    return {
        thread.name for thread in threading.enumerate() if thread.name.startswith(("rtnb session", "rtnb listeners"))
    }


def make(lab: Lab, *, name: str) -> rtnb.Session:
    """A session that the lab does not hold."""
    return rtnb.Session(lab.endpoint, output="text", transcription=None, name=name)


def test_a_session_that_is_dropped_closes_its_thread_and_its_socket(lab: Lab) -> None:
    lab.serve("one")
    session = make(lab, name="dropped")
    session.on("response.done", lambda event: None)
    assert session.ask("a").text == "one"
    assert lab.endpoint.sessions == 1
    gone = weakref.ref(session)
    del session
    gc.collect()
    assert gone() is None
    eventually(lambda: lab.endpoint.sessions == 0, "the end of the socket")
    eventually(lambda: not any("dropped" in name for name in threads()), "the end of the threads")


def test_an_answer_is_read_to_its_end_though_its_session_is_dropped(lab: Lab) -> None:
    gate = Gate()
    lab.serve(["one ", wait(gate), "two"])
    reply = make(lab, name="read on").ask("a")
    assert gate.reached.wait(TIMEOUT_S)
    gc.collect()
    gate.open()
    assert reply.text == "one two"
    assert reply.items[0].text == "one two"
    eventually(lambda: lab.endpoint.sessions == 0, "the end of the socket")


async def test_the_awaitable_calls_hold_their_session(lab: Lab) -> None:
    lab.serve("one")
    aio = make(lab, name="awaited").aio
    await aio.connect()
    gc.collect()
    await asyncio.sleep(0)
    await aio.update(instructions="Still there.")
    await aio.close()


def test_a_session_that_is_dropped_while_it_is_opened_again_ends_too(lab: Lab) -> None:
    lab.serve("one")
    session = make(lab, name="away")
    session.connect()
    core = session._core
    lab.endpoint.stop()
    eventually(lambda: core.is_away, "the loss")
    del session
    gc.collect()
    eventually(lambda: not any("away" in name for name in threads()), "the end of the threads")


def test_one_that_was_never_opened_or_was_closed_is_simply_gone(lab: Lab) -> None:
    before = threads()
    session = make(lab, name="never")
    del session
    session = make(lab, name="closed")
    session.connect()
    session.close()
    del session
    gc.collect()
    assert threads() <= before
