"""``%load_ext rtnb``: the cell magic ``%%realtime``, and ``asyncio.run`` in a cell.

The first is `rtnb.notebook.magics`. The second lets a guide's script with ``asyncio.run(main())`` run in a cell
unchanged; nothing else in rtnb needs it, since a session has a loop of its own. The patch is nest-asyncio2, the
maintained continuation of nest_asyncio, whose last version breaks "Run all" on ipykernel 7 and ``asyncio.timeout`` on
Python 3.12.
"""

from __future__ import annotations

from typing import Any

__all__ = ["load_ipython_extension", "unload_ipython_extension"]


def load_ipython_extension(ipython: Any) -> None:
    """Register ``%%realtime``, and apply nest-asyncio2 to the kernel's loop; called by ``%load_ext rtnb``."""
    import nest_asyncio2

    from rtnb.notebook.magics import register

    register(ipython)
    nest_asyncio2.apply()


def unload_ipython_extension(ipython: Any) -> None:
    """Take the magic away. The patch of a running loop cannot be taken back; restart the kernel for that."""
    for kind in ("line", "cell"):
        ipython.magics_manager.magics[kind].pop("realtime", None)
