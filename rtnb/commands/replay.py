"""``rtnb replay``: serves a recording to any client, until Ctrl-C or SIGTERM.

Imports `rtnb.core` and `rtnb.replay` when it runs.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from typing import Final

__all__ = ["run"]

_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


def run(options: argparse.Namespace) -> int:
    """Serve until told to end; 0 when it ended as told."""
    from rtnb.core.errors import ConnectionFailed, redact
    from rtnb.core.recorded import load

    recording = load(options.folder)
    for sentence in recording.missing:
        print(f"rtnb replay: {redact(sentence)}", file=sys.stderr)
    stopping = threading.Event()
    for name in ("SIGTERM", "SIGINT"):
        signal.signal(getattr(signal, name), lambda *_: stopping.set())
    endpoint = recording.endpoint(
        speed=options.speed, film=options.film, host=options.host, port=options.port, key=options.key
    )
    try:
        endpoint.start()
    except OSError as exc:
        raise ConnectionFailed(redact(str(exc), options.key), reason="endpoint") from exc
    try:
        print(f"{recording!r}")
        print(f"Replay ready: {endpoint.url}", flush=True)
        if options.key is None and options.host not in _LOOPBACK:
            print("rtnb replay: whoever reaches this machine can read it; --key KEY lets only some in", file=sys.stderr)
        while not stopping.wait(0.5):  # in slices: elsewhere than on POSIX a wait without end hears no Ctrl-C
            pass
    finally:
        endpoint.stop()
    return 0
