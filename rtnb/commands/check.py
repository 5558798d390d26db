"""``rtnb check``: what works on this machine and with this key, row by row; the microphone of a page needs a notebook.

Imports `rtnb.notebook.checkup` when it runs.
"""

from __future__ import annotations

import argparse
import json

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Look, print, and give the exit code: 0 when nothing is a problem, warnings or not."""
    from rtnb.notebook.checkup import check

    found = check(
        options.endpoint,
        model=options.model,
        timeout=options.timeout,
        upload=False if options.no_upload else None,
    )
    print(json.dumps(found.to_dict(), indent=2, ensure_ascii=False) if options.json else found)
    return 0 if found.ok else 1
