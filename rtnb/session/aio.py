"""`Aio`: the blocking calls of a session, awaitable.

Imports `rtnb.core`, `rtnb.session.core` and `rtnb.session.tooling`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from rtnb.core.conversation import Item
from rtnb.core.log import Entry
from rtnb.core.protocol import Event
from rtnb.core.tools import Tool
from rtnb.session.core import Core
from rtnb.session.tooling import defined

__all__ = ["Aio"]


class Aio:
    """The blocking calls of a session, awaitable from any loop: ``await session.aio.connect()``.

    ``connect``, ``close``, ``wait``, ``update``, ``interrupt``, ``commit``, ``clear_audio``, ``insert``, ``delete``,
    ``truncate``, ``add_tool`` and ``remove_tool``, with the same arguments.
    """

    def __init__(self, core: Core, session: object = None) -> None:
        self._core = core
        self._session = session  # held: a session that nobody holds closes

    async def connect(self, timeout: float = 10) -> None:
        """As `Session.connect`."""
        await self._core.runner.bridge(self._core.do_connect(timeout))

    async def close(self) -> None:
        """As `Session.close`."""
        await self._core.runner.bridge(self._core.do_close())
        self._core.stop()

    async def wait(
        self,
        event: str,
        where: Callable[[Event], bool] | None = None,
        timeout: float = 10,
        *,
        after: int | Entry | Event | None = None,
    ) -> Event:
        """As `Session.wait`."""
        return await self._core.runner.bridge(self._core.do_wait(event, where, timeout, after=after))

    async def update(self, *, config: Mapping[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
        """As `Session.update`."""
        return await self._core.runner.bridge(self._core.requested.update(settings, config))

    async def interrupt(self) -> bool:
        """As `Session.interrupt`."""
        return await self._core.runner.bridge(self._core.do_interrupt())

    async def commit(self, timeout: float = 10) -> Item:
        """As `Session.commit`."""
        return await self._core.runner.bridge(self._core.do_commit(timeout))

    async def clear_audio(self, timeout: float = 10) -> None:
        """As `Session.clear_audio`."""
        await self._core.runner.bridge(self._core.do_clear_audio(timeout))

    async def insert(
        self,
        content: Any,
        *,
        role: Literal["user", "assistant", "system"] = "user",
        after: str | Item | None = None,
        timeout: float = 10,
    ) -> Item:
        """As `Session.insert`."""
        return await self._core.runner.bridge(self._core.do_insert(content, role=role, after=after, timeout=timeout))

    async def delete(self, item: str | Item, timeout: float = 10) -> None:
        """As `Session.delete`."""
        await self._core.runner.bridge(self._core.do_delete(item, timeout))

    async def truncate(self, item: str | Item, audio_end_ms: int, timeout: float = 10) -> None:
        """As `Session.truncate`."""
        await self._core.runner.bridge(self._core.do_truncate(item, audio_end_ms, timeout))

    async def add_tool(self, definition: Mapping[str, Any] | Tool, handler: Callable[..., Any] | None = None) -> Tool:
        """As `Session.add_tool`."""
        return await self._core.runner.bridge(self._core.requested.add_tool(defined(definition, handler)))

    async def remove_tool(self, name: str | Tool) -> None:
        """As `Session.remove_tool`."""
        await self._core.runner.bridge(self._core.requested.remove_tool(name))
