"""Before the service ends a session by its time limit: a new connection, in a quiet moment between two turns.

The new socket is opened first, so that the old connection is not given up for nothing. Where no moment is quiet until
the limit, the limit strikes, and that is a lost connection like any other.

Imports `rtnb.core` and its neighbours in `rtnb.session`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from rtnb.core.protocol import LIMITS
from rtnb.core.staying import rotation
from rtnb.session.link import Link
from rtnb.session.opening import open_transport
from rtnb.session.sequencer import State
from rtnb.session.states import SessionState

if TYPE_CHECKING:
    from rtnb.net.transport import Transport
    from rtnb.session.core import Core

__all__ = ["Rotation"]

logger = logging.getLogger(__name__)

_QUIET_S: Final = 0.5
_AGAIN_S: Final = 10.0
_OPEN_S: Final = 10.0


class Rotation:
    """Looks at the clock of one connection; lives on the session's loop.

    Parameters
    ----------
    core
        The session.
    move
        Leaves the connection for a socket that is open.
    """

    def __init__(self, core: Core, move: Callable[[Link, Transport], None]) -> None:
        self._core = core
        self._move = move
        self._timer: asyncio.TimerHandle | None = None
        self.task: asyncio.Task[None] | None = None
        """Opens the new socket; None before the first."""

    def start(self) -> None:
        """A connection is ready; where its server names an end, it will be left before."""
        self.stop()
        expires_at = self._core.conversation.session.get("expires_at")
        if not isinstance(expires_at, (int, float)) or self._core.endpoint.kind == "replay":
            return  # a recording tells by itself where it goes on in another connection
        remaining = expires_at - time.time()
        if remaining <= 0:  # the clocks do not agree
            remaining = LIMITS.SESSION_S
        self._later(rotation(remaining))

    def stop(self) -> None:
        """There is no connection to leave."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _later(self, seconds: float) -> None:
        self.stop()
        if self._core.state is SessionState.READY:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        if self._is_quiet():
            self.task = asyncio.get_running_loop().create_task(self._open())
        else:
            self._later(_QUIET_S)

    def _is_quiet(self) -> bool:
        core = self._core
        last = core.conversation.last
        return (
            core.state is SessionState.READY
            and core.sequencer.state is State.IDLE
            and not core.sequencer.queue
            and not core.sequencer.has_aside
            and core.conversation.speech is None
            and not core.sound.is_playing
            and (core.detects_turns or not core.capture.is_recording)
            and core.link is not None
            and not core.link.requests
            and not (last is not None and last.follows is not None and last.transcription == "awaiting")
        )

    async def _open(self) -> None:
        core, link = self._core, self._core.link
        try:
            transport = await open_transport(await asyncio.to_thread(core.endpoint.started), _OPEN_S)
        except Exception as exc:  # noqa: BLE001 - there is time to try it again, and then the limit itself
            logger.debug("no new connection before the time limit: %s", exc)
            self._later(_AGAIN_S)
            return
        if link is not None and link is core.link and self._is_quiet():
            self._move(link, transport)
        else:
            await transport.close()
            if link is core.link:
                self._later(_QUIET_S)
