"""``rtnb serve``: a local realtime endpoint for any client, until Ctrl-C or SIGTERM.

Imports `rtnb.local` when it runs.
"""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Final

from rtnb.core.errors import ConnectionFailed, redact

if TYPE_CHECKING:
    from rtnb.local.seams import Brain

__all__ = ["run"]

_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


def run(options: argparse.Namespace) -> int:
    """Serve until told to end; 0 when it ended as told."""
    from rtnb.local.faults import Fault

    if any(fault.strip() == "list" for fault in options.fault):
        return _list_faults()
    faults = []
    try:
        faults = [Fault.of(fault) for fault in options.fault]
    except ValueError as exc:
        print(f"rtnb serve: --fault: {exc}", file=sys.stderr)
        return 2
    brain_options = _brain_problem(options)
    if brain_options is not None:
        print(f"rtnb serve: {brain_options}", file=sys.stderr)
        return 2
    from rtnb.local.server import LocalEndpoint

    stopping = threading.Event()
    for name in ("SIGTERM", "SIGINT"):
        signal.signal(getattr(signal, name), lambda *_: stopping.set())
    endpoint = LocalEndpoint(
        host=options.host,
        port=options.port,
        key=options.key,
        beta=options.beta,
        brain=_brain(options),
        faults=faults,
    )
    try:
        endpoint.start()
    except OSError as exc:
        raise ConnectionFailed(_why_not(options, exc), reason="endpoint") from exc
    try:
        print(f"Local endpoint ready: {endpoint.url}", flush=True)
        if options.key is None and options.host not in _LOOPBACK:
            print("rtnb serve: whoever reaches this machine can use it; --key KEY lets only some in", file=sys.stderr)
        while not stopping.wait(0.5):  # in slices: elsewhere than on POSIX a wait without end hears no Ctrl-C
            pass
    finally:
        endpoint.stop()
    return 0


def _list_faults() -> int:
    from rtnb.local.faults import FAULTS, FORM

    print(f"What can be made to go wrong, with --fault {FORM}:\n")
    for name, words in FAULTS.items():
        print(f"  {name:<17} {words.replace('`seconds`', 'SECONDS')}")
    print("\nSECONDS is 1 and TIMES is 1 when not given. Each befalls the next answers of any client, in this order.")
    return 0


def _brain_problem(options: argparse.Namespace) -> str | None:
    wants_chat = options.brain == "chat" or options.chat_url or options.chat_model
    if options.brain == "practice" and wants_chat:
        return "--brain practice answers by rules: leave out --chat-url and --chat-model, or --brain"
    if wants_chat and not (options.chat_url and options.chat_model):
        return "a chat endpoint needs both --chat-url URL and --chat-model NAME"
    return None


def _brain(options: argparse.Namespace) -> Brain | None:
    if not options.chat_url:
        return None
    from rtnb.local.brains import ChatBrain

    return ChatBrain(options.chat_url, options.chat_model, api_key=os.environ.get("RTNB_CHAT_KEY") or None)


def _why_not(options: argparse.Namespace, exc: OSError) -> str:
    cause = exc.__cause__ or exc
    number = getattr(cause, "errno", None)
    where = f"{options.host}:{options.port}"
    if number == errno.EADDRINUSE:
        return f"{where} is taken by another program: end that, or give another --port (0 picks a free one)"
    if number in (errno.EACCES, errno.EPERM):
        return f"this user may not listen on {where}: give a --port above 1023 (0 picks a free one)"
    return redact(f"it could not listen on {where}: {cause}", options.key)
