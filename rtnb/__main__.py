"""``python -m rtnb``: the same as the command ``rtnb``."""

from __future__ import annotations

import sys

from rtnb.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())
