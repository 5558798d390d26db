"""Run the real command ``rtnb`` in processes of its own."""

from __future__ import annotations

import contextlib
import os
import pathlib
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

RTNB = [sys.executable, "-m", "rtnb"]
ROOT = pathlib.Path(__file__).resolve().parent.parent


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """As a newcomer's: nothing of rtnb is set; and a terminal that shows what is printed at once."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RTNB_", "OPENAI_"))}
    return {**kept, "PYTHONPATH": str(ROOT), **(more or {})}


def rtnb(
    *words: str, cwd: pathlib.Path, env: Mapping[str, str] | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*RTNB, *words],
        cwd=cwd,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@dataclass
class Running:
    """A command that is running."""

    process: subprocess.Popen[str]
    lines: queue.Queue[str | None]

    def line(self, timeout: float = 60) -> str:
        """The next line of its standard output; fails with what it said on stderr when it ended."""
        line = self.lines.get(timeout=timeout)
        if line is None:
            raise AssertionError(f"it ended: {self.end()}")
        return line.rstrip("\n")

    def end(self, by: signal.Signals | None = None, timeout: float = 30) -> tuple[int, str]:
        """Send the signal, and wait: exit code and standard error."""
        if by is not None:
            self.process.send_signal(by)
        self.process.wait(timeout)
        assert self.process.stderr is not None
        return self.process.returncode, self.process.stderr.read()


@contextlib.contextmanager
def running(*words: str, cwd: pathlib.Path, env: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Start a command; it is ended with the block."""
    process = subprocess.Popen(
        [*RTNB, *words],
        cwd=cwd,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield Running(process, lines)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        reader.join()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
