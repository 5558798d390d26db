"""The commands of ``rtnb``, one module each, imported when its command is given.

Each has a ``run(options) -> int`` that gives the exit code. May import everything below; `rtnb.cli` stands above.
"""

from __future__ import annotations

__all__: list[str] = []
