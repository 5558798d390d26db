"""The embedded endpoint: one for the whole process, started when a session first asks for it.

Imports `rtnb.local.server`.
"""

from __future__ import annotations

import threading

from rtnb.local.server import LocalEndpoint

__all__ = ["address", "stop"]

_lock = threading.Lock()
_endpoint: LocalEndpoint | None = None


def address() -> str:
    """Give the address of the embedded endpoint; starts it when it does not run."""
    global _endpoint
    with _lock:
        if _endpoint is None or not _endpoint.is_running:
            _endpoint = LocalEndpoint().start()
        return _endpoint.url


def stop() -> None:
    """Stop it; the next `address` starts a new one.

    Nothing needs to be called at the end of the program: its thread is a daemon, and the speech engines' processes end
    with the pipe to them.
    """
    global _endpoint
    with _lock:
        endpoint, _endpoint = _endpoint, None
    if endpoint is not None:
        endpoint.stop()
