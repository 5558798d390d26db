"""What the panel does when a page asks for it: one short coroutine for each kind of message.

They run on the panel's own loop, in the order in which the messages came; what takes long is awaited, so that a click
on Stop never waits behind a connection that is being opened. The table of messages stands in
`rtnb.notebook.panel_wire`.

Imports `rtnb.session` and `rtnb.core`.
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from rtnb.core.audio import Audio
from rtnb.core.errors import ProtocolError, RtnbError, ServerError, WaitTimeout
from rtnb.session.session import SessionState

if TYPE_CHECKING:
    from rtnb.notebook.panel import Panel

__all__ = ["Desk"]

UPLOAD_BYTES: Final = 8_000_000  # Jupyter's own limit for one message is 10 MB
_SETTINGS: Final = ("voice", "instructions", "output")
_CONNECT_S: Final = 20.0

_log = logging.getLogger(__name__)

Handler = Callable[[Mapping[str, Any], list[bytes]], Awaitable[None]]


class Desk:
    """Carries out what pages ask of a panel."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._microphone_turn = asyncio.Lock()  # a release waits for its press, whose device may take long to open
        self.handlers: dict[str, Handler] = {
            "connect": self._connect,
            "disconnect": self._disconnect,
            "new": self._new,
            "claim": self._claim,
            "discard": self._discard,
            "record": self._record,
            "interrupt": self._interrupt,
            "ask": self._ask,
            "vad": self._vad,
            "set": self._set,
            "option": self._option,
            "source": self._source,
            "upload": self._upload,
            "clip": self._clip,
            "say": self._say,
            "dismiss": self._dismiss,
        }

    async def carry_out(self, kind: str, message: Mapping[str, Any], buffers: list[bytes]) -> None:
        """Do what was asked for; what goes wrong is told in words, and raised."""
        handler = self.handlers.get(kind)
        try:
            if handler is None:
                raise RtnbError(f"the panel does not know what {kind!r} is; reload the page")
            await handler(message, buffers)
        except RtnbError as exc:
            self._panel._tell("error", str(exc), exc.event if isinstance(exc, ServerError) else None)
            raise
        except Exception as exc:
            _log.exception("the panel could not carry out %r", kind)
            self._panel._tell("error", f"{type(exc).__name__}: {exc}")
            raise

    async def carry_out_within(self, seconds: float, kind: str, message: Mapping[str, Any]) -> None:
        """Do it, and give it up in words when it takes longer."""
        try:
            async with asyncio.timeout(seconds) as limit:
                await self.carry_out(kind, message, [])
        except TimeoutError:
            if not limit.expired():
                raise
            words = f"{kind} took more than {seconds:g} s and was given up: the endpoint is slow, or does not answer"
            raise WaitTimeout(self._panel._tell("error", words)) from None

    # ---- the connection

    async def _connect(self, message: Mapping[str, Any], buffers: list[bytes]) -> None:
        session = self._panel.session
        was_open = session.state is SessionState.READY
        await session.aio.connect(float(message.get("timeout", _CONNECT_S)))
        if self._panel.greeting and not was_open:
            session.ask(self._panel.greeting)

    async def _disconnect(self, message: Mapping[str, Any], buffers: list[bytes]) -> None:
        await self._panel.session.aio.close()

    async def _new(self, message: Mapping[str, Any], buffers: list[bytes]) -> None:
        await self._panel.session.aio.close()
        await self._connect(message, buffers)

    # ---- speaking

    async def _claim(self, message: Mapping[str, Any], buffers: list[bytes]) -> None:
        self._panel.claim()

    async def _discard(self, message: Mapping[str, Any], buffers: list[bytes]) -> None:
        async with self._microphone_turn:
            microphone = self._panel.devices.microphone
            self._panel.session.attach(microphone=None)  # a recording of it ends without a turn
            self._panel.session.attach(microphone=microphone)

    async def _record(self, message: Mapping[str, Any], buffers: list[bytes]) -> None:
        async with self._microphone_turn:
            if message.get("on"):
                self._panel.claim()
                await asyncio.to_thread(self._panel.devices.microphone.start)
            else:
                await asyncio.to_thread(self._panel.devices.microphone.stop)

    async def _interrupt(self, message: Mapping[str, Any], buffers: list[bytes]) -> None:
        await self._panel.session.aio.interrupt()

    # ---- asking

    async def _ask(self, message: Mapping[str, Any], buffers: list[bytes]) -> None:
        text = str(message.get("text") or "").strip()
        if text:
            self._panel.ask(text)

    async def _upload(self, message: Mapping[str, Any], buffers: list[bytes]) -> None:
        name = str(message.get("name") or "the file")
        data = b"".join(buffers)
        if len(data) > UPLOAD_BYTES:
            raise RtnbError(
                f"{name} has {len(data) / 1e6:.0f} MB, and at most {UPLOAD_BYTES / 1e6:.0f} MB come through here: put "
                "it beside the notebook, and call session.ask(rtnb.Audio.from_file(path))"
            )
        self._panel.ask(await asyncio.to_thread(_decoded, name, data))

    async def _clip(self, message: Mapping[str, Any], buffers: list[bytes]) -> None:
        name = str(message.get("name"))
        if name not in self._panel.clips:
            raise RtnbError(f"there is no clip {name!r} here; there are: {', '.join(self._panel.clips) or 'none'}")
        clip = self._panel.clips[name]
        self._panel.ask(clip if isinstance(clip, Audio) else await asyncio.to_thread(Audio.from_file, clip))

    async def _say(self, message: Mapping[str, Any], buffers: list[bytes]) -> None:
        text = str(message.get("text") or "").strip()
        if text:
            self._panel.ask(await asyncio.to_thread(Audio.speak, text))

    # ---- settings

    async def _vad(self, message: Mapping[str, Any], buffers: list[bytes]) -> None:
        detection = message.get("detection")
        if detection is not None and not isinstance(detection, Mapping):
            raise ProtocolError(f"turn detection is an object or None, not {detection!r}")
        await self._panel.session.aio.update(turn_detection=detection)

    async def _set(self, message: Mapping[str, Any], buffers: list[bytes]) -> None:
        name, value = message.get("name"), message.get("value")
        if name == "model":
            self._panel.session.next_model = str(value) or None
        elif name in _SETTINGS:
            await self._panel.session.aio.update(**{str(name): value})
        else:
            raise ProtocolError(f"the panel has no setting {name!r}")

    async def _option(self, message: Mapping[str, Any], buffers: list[bytes]) -> None:
        panel, name, value = self._panel, message.get("name"), message.get("value")
        if name == "greet":
            panel.greeting = "Hello!" if value else None
        elif name == "when_busy":
            panel.when_busy = "queue" if value == "queue" else "interrupt"
        elif name == "half_duplex":
            panel.session.half_duplex = bool(value)
        else:
            raise ProtocolError(f"the panel has no option {name!r}")

    async def _source(self, message: Mapping[str, Any], buffers: list[bytes]) -> None:
        async with self._microphone_turn:
            await asyncio.to_thread(self._panel.use, str(message.get("name")))

    async def _dismiss(self, message: Mapping[str, Any], buffers: list[bytes]) -> None:
        self._panel.dismiss(int(message.get("notice") or 0))


def _decoded(name: str, data: bytes) -> Audio:
    from rtnb.core.audiofiles import container_of

    try:
        if container_of(data) == "WebM":
            from rtnb.core.webm import unwrap_webm

            data = unwrap_webm(data)
        return Audio.from_file(io.BytesIO(data))
    except (ValueError, OSError, RuntimeError) as exc:
        raise RtnbError(f"{name} cannot be read as sound: {exc}") from exc
