"""Threads of a session: none is left behind, none is stopped by busy code, and Ctrl-C ends every wait."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from helpers_session import TIMEOUT_S, Gate, Lab, eventually, lab

import rtnb
from rtnb.local.brains import call, wait

__all__ = ["lab"]


def descriptors() -> int:
    """How many files and sockets this process has open."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def test_a_busy_main_thread_does_not_stop_the_stream(lab: Lab) -> None:
    session = lab.session("one two three", call("nothing"), "four")
    for _ in range(2):
        reply = session.ask("count")
        end = time.monotonic() + TIMEOUT_S
        while not reply.is_done and time.monotonic() < end:
            sum(range(100))
        assert reply.is_done


def test_closing_leaves_no_thread_behind(lab: Lab) -> None:
    lab.serve("one", call("add", a=1, b=1), "two")
    before = set(threading.enumerate())
    session = lab.session()
    session.on("response.done", lambda event: None)

    @session.tool
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    session.ask("a").wait()
    session.ask("b").wait()
    assert set(threading.enumerate()) - before
    session.close()
    eventually(lambda: set(threading.enumerate()) <= before, "the threads to end")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts descriptors in /proc")
def test_closing_leaves_no_socket_behind(lab: Lab) -> None:
    lab.serve(*["hi"] * 12)
    lab.session().ask("warm up").wait()
    before = descriptors()
    for _ in range(10):
        with lab.session() as session:
            session.ask("x").wait()
    eventually(lambda: descriptors() <= before, "the sockets to be closed")


async def test_an_async_close_leaves_no_thread_behind(lab: Lab) -> None:
    lab.serve("one")
    before = set(threading.enumerate())
    session = lab.session()
    await session.ask("a")
    await session.aio.close()
    eventually(lambda: set(threading.enumerate()) <= before, "the threads to end")


def test_a_tool_that_hangs_does_not_hold_up_the_close(lab: Lab) -> None:
    go_on, running = threading.Event(), threading.Event()
    session = lab.session(call("hang"))

    @session.tool
    def hang() -> None:
        """Hang."""
        running.set()
        go_on.wait(TIMEOUT_S)

    reply = session.ask("x")
    assert running.wait(TIMEOUT_S)
    session.close()
    assert reply.status == "failed"
    go_on.set()


def test_closing_in_the_middle_of_an_answer_leaves_nothing_behind(lab: Lab) -> None:
    gate = Gate()
    lab.serve(["one ", wait(gate)])
    before = set(threading.enumerate())
    session = lab.session()
    reply = session.ask("a")
    next(iter(reply))
    session.close()
    assert isinstance(reply.error, rtnb.ConnectionClosed)
    eventually(lambda: set(threading.enumerate()) <= before, "the threads to end")


# ---- other processes

PREAMBLE = """
import gc, socket, sys, threading
import rtnb
from rtnb.local.brains import ScriptBrain, wait
import asyncio
brain = ScriptBrain(*STEPS)
endpoint = rtnb.LocalEndpoint(brain=brain).start()
session = rtnb.Session(endpoint, output="text", transcription=None)
"""

ENDINGS = {
    "never opened": "",
    "left open": "session.ask('x').wait()",
    "in the middle of an answer": "next(iter(session.ask('y')))",
    "while it connects": "session.ask('x')",
    "dropped": "session.ask('x').wait(); del session; gc.collect()",
    "by sys.exit": "session.ask('x').wait(); sys.exit(0)",
    "with the endpoint gone": "session.ask('x').wait(); endpoint.stop()",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_program_ends_quietly(ending: str) -> None:
    steps = "['one ', wait(asyncio.Event())]" if "middle" in ending else "'hello'"
    code = PREAMBLE.replace("*STEPS", steps) + ENDINGS[ending]
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    said = [line for line in done.stderr.splitlines() if "it is being opened again" not in line]  # the notice of a loss
    assert (done.returncode, said) == (0, [])


INTERRUPTED_WITHIN_S = 5.0
"""It is promised within half a second; a busy machine takes longer, and what waits for its own time-out much longer."""

WAITS = {
    "text": "session.ask('x').text",
    "wait": "session.wait('never', timeout=100)",
    "iteration": "for piece in session.ask('x'): pass",
    "reply.wait": "session.ask('x').wait()",
    "await": "asyncio.run(awaited())",
}

INTERRUPTED = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)
async def awaited():
    await session.ask('x')
session.connect()
try:
    threading.Timer(0.3, lambda: print("waiting", flush=True)).start()
    WAIT
except KeyboardInterrupt:
    print("interrupted", time.monotonic(), flush=True)
session.interrupt()
session.replies and session.replies[-1].wait(20)
print(session.ask("again").text, flush=True)
session.close()
"""


def interrupt_when_it_waits(code: str) -> str:
    """Run a program that waits for a minute or longer, and interrupt it; what it prints after that."""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        start = time.monotonic()  # one clock for all processes where there is SIGINT
        process.send_signal(signal.SIGINT)
        word, ended = process.stdout.readline().split()
        # Not by `communicate`, which knows nothing of what `readline` has taken from the pipe beyond its line.
        assert process.stderr is not None
        out, err = process.stdout.read(), process.stderr.read()
        process.wait(30)
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, err) == (0, "")
    assert word == "interrupted"
    assert float(ended) - start < INTERRUPTED_WITHIN_S
    return out


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
@pytest.mark.parametrize("what", WAITS)
def test_ctrl_c_ends_a_wait_and_leaves_the_session_usable(what: str) -> None:
    steps = "'hello again'" if what == "wait" else "['one ', wait(asyncio.Event())], 'hello again'"
    code = PREAMBLE.replace("*STEPS", steps) + INTERRUPTED.replace("WAIT", WAITS[what])
    assert interrupt_when_it_waits(code) == "hello again\n"


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_ends_connect_and_the_next_one_begins_anew() -> None:
    code = textwrap.dedent(
        """
        import signal, socket, threading, time
        import rtnb
        from rtnb.local.brains import ScriptBrain
        signal.signal(signal.SIGINT, signal.default_int_handler)
        silent = socket.create_server(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        session = rtnb.Session(f"ws://127.0.0.1:{port}/v1/realtime", output="text", transcription=None)
        try:
            threading.Timer(0.3, lambda: print("waiting", flush=True)).start()
            session.connect(timeout=1000)
        except KeyboardInterrupt:
            print("interrupted", time.monotonic(), flush=True)
        accepted, _ = silent.accept()
        accepted.close()
        silent.close()
        rtnb.LocalEndpoint(port=port, brain=ScriptBrain("hello again")).start()
        print(session.ask("again").text, flush=True)
        session.close()
        """
    )
    assert interrupt_when_it_waits(code) == "hello again\n"
