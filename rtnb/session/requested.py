"""What a session requests of servers: its settings and the definitions of its tools, and how they are changed.

What the server made of it is `rtnb.core.conversation.Conversation.session`. Imports `rtnb.core` and its neighbours in
`rtnb.session`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from rtnb.core.errors import ConnectionClosed, ProtocolError, RtnbError, ServerError
from rtnb.core.protocol import session_update
from rtnb.core.tools import Tool, ToolSet
from rtnb.session.calls import refuse_errors
from rtnb.session.greeting import confirmed
from rtnb.session.settings import merged, session_object

if TYPE_CHECKING:
    from rtnb.session.core import Core

__all__ = ["Requested"]

_CONFIRM_S: Final = 10.0


class Requested:
    """The settings and tools of a session; all but reading happens on its loop.

    Parameters
    ----------
    core
        The session's.
    config
        A session object to begin with.
    tools
        The tools with a handler here.

    Attributes
    ----------
    config
        What a connection is configured with, as a session object; of tools those that have no handler here.
    """

    def __init__(self, core: Core, config: dict[str, Any], tools: ToolSet) -> None:
        self._core = core
        self.config = config
        self._tools = tools
        self._by_hand: list[tuple[str, Any]] = []  # updates that the user sent as events, not yet in `config`

    # ---- reading

    @property
    def session(self) -> dict[str, Any]:
        """The whole session object, definitions of tools included."""
        return {**self.config, "tools": self.definitions()}

    def definitions(self, raw: Any = None, *, without: Tool | None = None) -> list[Any]:
        """What the server is told of tools: those with a handler here, then those declared without one."""
        own = [tool.definition() for tool in self._tools if tool is not without]
        names = {each["name"] for each in own}
        raw = self.config.get("tools") if raw is None else raw
        return own + [each for each in raw or [] if not (isinstance(each, Mapping) and each.get("name") in names)]

    # ---- updates by hand

    def sent_by_hand(self, event_id: str, session: Any) -> None:
        """The user sent a ``session.update``; from any thread."""
        self._by_hand.append((event_id, session))

    def settle(self) -> None:
        """Keep what updates by hand changed, but for those that the server refused."""
        refused = {ServerError(entry.event).event_id for entry in self._core.log.filter("error", direction="server")}
        while self._by_hand:
            event_id, session = self._by_hand.pop(0)
            if event_id not in refused and isinstance(session, Mapping):
                self.config = merged(self.config, session)

    # ---- changing

    async def update(self, settings: Mapping[str, Any], config: Mapping[str, Any] | None) -> dict[str, Any]:
        """Change the session on the server, or what it will be opened with; see `rtnb.Session.update`."""
        session = session_object(settings, config=config)
        if "tools" in session and "tools" in settings:
            raise ProtocolError("tools are added with session.tool and session.add_tool", param="tools")
        told = session
        if "tools" in session:
            told = {**session, "tools": self.definitions(session["tools"])}
        await self._tell(told)
        self.settle()
        self.config = merged(self.config, session)
        return self._core.conversation.session

    async def add_tool(self, tool: Tool) -> Tool:
        """Add a tool and tell the server; gives it back."""
        old = self._tools.get(tool.name)
        self._tools.add(tool)
        try:
            await self._tell({"tools": self.definitions()})
        except RtnbError:
            self._tools.remove(tool)
            if old is not None:
                self._tools.add(old)
            raise
        return tool

    async def remove_tool(self, name: str | Tool) -> None:
        """Remove a tool and tell the server."""
        tool = self._tools.get(name.name if isinstance(name, Tool) else name)
        if tool is not None:
            await self._tell({"tools": self.definitions(without=tool)})
        self._tools.remove(name)  # where there is none of that name, this says which there are

    async def _tell(self, session: Mapping[str, Any]) -> None:
        """Tell the server, where there is one or will be soon; a lost connection is waited for."""
        core = self._core
        if core.is_opening:
            await core.do_connect()
        if core.link is None and not core.staying.is_away:
            return
        event = session_update(session)
        refuse_errors(event)
        while True:
            link = await core.ready_link(_CONFIRM_S)
            try:
                async with link.updates:
                    core.cursor.move(len(core.log) - 1)
                    await confirmed(link, event, timeout=_CONFIRM_S)
                return
            except ConnectionClosed:
                if not core.staying.is_away:
                    raise
