"""`restore`: a session that continues what a snapshot holds.

Imports `rtnb.core` and `rtnb.session.session`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any

from rtnb.core.snapshot import Snapshot
from rtnb.session.face_staying import continued
from rtnb.session.session import Session

__all__ = ["restore"]


def restore(
    snapshot: Mapping[str, Any] | str | PathLike[str],
    endpoint: Any = None,
    *,
    model: str | None = None,
    tools: Iterable[Any] = (),
    name: str | None = None,
    key: str | None = None,
    reconnect: bool | float = True,
) -> Session:
    """Open a session that continues a conversation, with its settings.

    Parameters
    ----------
    snapshot
        What `Session.snapshot` gave, as it is, or after JSON; or the path of its file.
    endpoint, name, key, reconnect
        As for `rtnb.Session`; another endpoint than before is fine.
    model
        The snapshot's own when not given.
    tools
        The functions of its tools: a snapshot has their definitions only, and those without a function are left out.

    Raises
    ------
    ProtocolError
        It is no snapshot.
    ConnectionFailed
        The connection could not be opened.

    Examples
    --------
    >>> import rtnb
    >>> with rtnb.Session("local", output="text") as session:
    ...     text = session.ask("Say hello").text
    ...     snapshot = session.snapshot()
    >>> with rtnb.restore(snapshot, "local") as again:
    ...     len(again.items)
    2
    """
    loaded = Snapshot.load(snapshot)
    model = model or loaded.get("model")
    options: dict[str, Any] = {"model": model, "key": key, "reconnect": reconnect}
    return continued(Session, loaded, endpoint, tools=tools, name=name, **options).connect()
