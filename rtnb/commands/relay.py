"""``rtnb relay``: browsers connect to it without a key; it adds the key. Until Ctrl-C, or SIGTERM and a drain.

Settings that are secret are never typed, where others could read them: tokens come from a file or from
``RTNB_RELAY_TOKENS``, the secret that signs ephemeral tokens from ``RTNB_RELAY_SECRET``, the key from where every key
comes (`rtnb.net.endpoints`). Imports `rtnb.net` when it runs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import gc
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rtnb.core.errors import ConnectionFailed, RtnbError

if TYPE_CHECKING:
    from rtnb.net.relay import Relay

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Relay until told to end; 0 when it ended as told."""
    from rtnb.net.relay import Limits, Relay
    from rtnb.net.relay_access import is_loopback

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    # of what other packages log nothing is known: it may hold a key
    logging.getLogger("httpx").setLevel(logging.WARNING)
    limits = Limits(
        sessions=options.max_sessions,
        events_per_second=options.max_events,
        bytes_per_second=options.max_bytes,
        minutes=options.max_minutes,
        dollars=options.max_dollars,
    )
    relay = Relay(
        options.upstream,
        host=options.host,
        port=options.port,
        model=options.model,
        tokens=_tokens(options.tokens),
        secret=os.environ.get("RTNB_RELAY_SECRET") or None,
        origins=options.origin,
        limits=limits,
        drain_s=options.drain,
    )
    if not is_loopback(options.host) and limits.dollars is None:
        print("rtnb relay: whoever has a token can spend without end; --max-dollars N limits it", file=sys.stderr)
    try:
        asyncio.run(_serve(relay))
    except OSError as exc:
        raise ConnectionFailed(_why_not(options, exc), reason="endpoint") from exc
    return 0


async def _serve(relay: Relay) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(name, told.set)
        except NotImplementedError:  # elsewhere than on POSIX
            signal.signal(name, lambda *_: loop.call_soon_threadsafe(told.set))
    async with relay.serve():
        gc.collect()
        gc.freeze()  # what was imported stays: to look through it again and again would cost a seventh of the CPU
        print(f"Relay ready: {relay.url} (today's clients), {_root(relay.url)} (the console of 2024)", flush=True)
        print(f"Upstream: {relay.upstream}", flush=True)
        while not told.is_set():  # in slices: elsewhere than on POSIX a loop that only waits hears no Ctrl-C
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(told.wait(), 0.5)
        told.clear()
        drained, hurried = asyncio.create_task(relay.drain()), asyncio.create_task(told.wait())
        await asyncio.wait({drained, hurried}, return_when=asyncio.FIRST_COMPLETED)  # a second signal hurries
        drained.cancel()
        hurried.cancel()


def _tokens(file: Path | None) -> list[str]:
    tokens = os.environ.get("RTNB_RELAY_TOKENS", "").split()
    if file is not None:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise RtnbError(f"the tokens in {file} cannot be read: {exc}") from None
        tokens += [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        if not tokens:
            raise RtnbError(f"there is no token in {file}: write one a line, of 16 characters and more")
    return tokens


def _root(url: str) -> str:
    return url.removesuffix("v1/realtime")


def _why_not(options: argparse.Namespace, exc: OSError) -> str:
    where = f"{options.host}:{options.port}"
    if exc.errno == errno.EADDRINUSE:
        return f"{where} is taken by another program: end that, or give another --port (0 picks a free one)"
    if exc.errno in (errno.EACCES, errno.EPERM):
        return f"this user may not listen on {where}: give a --port above 1023 (0 picks a free one)"
    return f"it could not listen on {where}: {exc}"
