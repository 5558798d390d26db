"""The conversation beyond its connection: snapshots and forks. A part of `rtnb.Session`.

Imports `rtnb.core` and its neighbours in `rtnb.session`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from rtnb.core.errors import ProtocolError, RtnbError
from rtnb.core.items import Item
from rtnb.core.snapshot import Snapshot, snapshot_of
from rtnb.session.core import Core

if TYPE_CHECKING:
    from rtnb.session.session import Session

__all__ = ["StayingFace", "continued"]

_S = TypeVar("_S", bound="Session")


class StayingFace:
    """A conversation that is saved, restored, or continued twice."""

    _core: Core

    @property
    def failure(self) -> RtnbError | None:
        """Why there is no connection, in words, while there is none that was not closed here; else None."""
        return self._core.failure

    def snapshot(self, *, audio: bool = True) -> Snapshot:
        """The conversation and the settings as plain values, without keys: ``json.dumps`` takes it, `rtnb.restore` too.

        Answers that were spoken are kept as their words, as far as they were heard: no server takes an assistant's
        sound. For everything that happened, sound and timing included, see `save`.

        Parameters
        ----------
        audio
            False: the user's speech as its transcript only, which is much smaller.
        """
        return self._snapshot(list(self._core.conversation.items), audio=audio)

    def fork(self: _S, item: Item | str | None = None, *, name: str | None = None) -> _S:  # type: ignore[misc]
        """A second session that continues from any turn; this one goes on as it is.

        It has the conversation up to and including `item`, the same settings and tools, a connection of its own, and
        the same budget anew.

        Parameters
        ----------
        item
            An item of this session, or its id; the last one when not given.
        name
            Of the new session.

        Raises
        ------
        ProtocolError
            The item is not in this conversation.
        ConnectionFailed
            The second connection could not be opened.
        """
        core = self._core
        items = list(core.conversation.items)
        if item is not None:
            wanted = item.id if isinstance(item, Item) else item
            ids = [each.id for each in items]
            if wanted not in ids:
                raise ProtocolError(f"{wanted} is no item of this conversation; see session.items")
            items = items[: ids.index(wanted) + 1]
        tools = [tool for each in core.tools.names if (tool := core.tools.get(each)) is not None]
        snapshot = self._snapshot(items, audio=True, scrub=False)
        fork = continued(type(self), snapshot, core.endpoint, tools=tools, name=name, **core.spending.options)
        theirs = fork._core.requested
        theirs.config = {**theirs.config, "tools": core.requested.config.get("tools") or []}
        fork.connect()
        return fork

    def _snapshot(self, items: list[Item], *, audio: bool, scrub: bool = True) -> Snapshot:
        core = self._core
        core.requested.settle()
        heard = {track.item_id: track.heard_ms for track in core.sound.ledger if track.is_stopped}
        return snapshot_of(
            items,
            model=core.model,
            session=core.requested.session,
            audio=audio,
            heard_ms=heard,
            secrets=core.endpoint.secrets if scrub else (),
        )


def continued(
    kind: type[_S], snapshot: Snapshot, endpoint: Any, *, tools: Iterable[Any], name: str | None, **options: Any
) -> _S:
    """A session, not yet open, whose first connection is given a snapshot's conversation."""
    config = {name: value for name, value in snapshot["session"].items() if name not in ("tools", "type")}
    made = kind(endpoint, config=config, tools=tools, name=name, **options)
    core = made._core
    declared = [tool for tool in snapshot["session"].get("tools") or () if isinstance(tool, dict)]
    asked = core.requested
    asked.config = {**asked.config, "tools": [tool for tool in declared if tool.get("type") != "function"]}
    own = set(core.tools.names)
    missing = [str(tool.get("name")) for tool in declared if tool.get("type") == "function" and tool["name"] not in own]
    if missing:
        core.hint(f"the snapshot's tools {', '.join(missing)} have no function here: give restore(..., tools=[...])")
    core.staying.preset = snapshot.events()
    return made
