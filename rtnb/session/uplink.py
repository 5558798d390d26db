"""How fast an endpoint takes audio: measured with silence that is thrown away again, so that nothing is billed.

A session is opened, ``input_audio_buffer.clear`` is sent and its answer awaited: one round trip. Then silence goes
before another ``clear``, whose answer comes when all of it has arrived: the time beyond the round trip is what the
bytes took. No response is asked for, so no token is used.

Imports `rtnb.core`, `rtnb.net` and its neighbours in `rtnb.session`.
"""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from typing import Final

from rtnb.core.conversation import Conversation
from rtnb.core.log import EventLog
from rtnb.net.endpoints import Endpoint
from rtnb.session.link import Link
from rtnb.session.opening import open_link
from rtnb.session.settings import session_object

__all__ = ["Uplink", "measure_uplink"]

_FIRST: Final = 64 * 1024  # bytes of the first try; on a line where they take no time, more are sent
_MOST: Final = 1024 * 1024
_ENOUGH_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Uplink:
    """What was measured.

    Attributes
    ----------
    bytes_s : float
        Bytes a second on the wire.
    round_trip_ms : float
        From an event to its answer.
    sent : int
        Bytes that were sent for it.
    """

    bytes_s: float
    round_trip_ms: float
    sent: int


async def measure_uplink(endpoint: Endpoint, *, timeout: float = 10.0) -> Uplink:
    """Open a session, time silence on its way, and close it.

    Raises
    ------
    RtnbError
        The session could not be opened, or the endpoint did not answer in time.
    """
    settings = session_object({"output": "text", "turn_detection": None, "transcription": None})
    link = await open_link(
        endpoint.started(),
        config=settings,
        timeout=timeout,
        log=EventLog(),
        conversation=Conversation(),
        origin=time.perf_counter(),
        received=lambda entry, changes: None,
        closed=lambda error: None,
    )
    try:
        await _cleared(link, timeout)
        trip = min([await _cleared(link, timeout) for _ in range(3)])
        size, sent = _FIRST, 0
        while True:
            sent += size
            took = await _cleared(link, timeout, size)
            if took - trip >= _ENOUGH_S or size >= _MOST:
                return Uplink(size / max(took - trip, 1e-3), 1000 * trip, sent)
            size *= 4
    finally:
        await link.close()


async def _cleared(link: Link, timeout: float, size: int = 0) -> float:
    """Seconds until the endpoint has taken so many bytes (on the wire) and a ``clear``."""
    start = time.perf_counter()
    piece = base64.b64encode(bytes(24_000)).decode()
    while size > 0:
        link.put({"type": "input_audio_buffer.append", "audio": piece[: (min(size, len(piece)) + 7) // 8 * 8]})
        size -= len(piece)
    await link.request({"type": "input_audio_buffer.clear"}, "input_audio_buffer.cleared", timeout=timeout)
    return time.perf_counter() - start
