"""What may be claimed to have been heard: the recogniser's raw result becomes a `Transcript`. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rtnb.local.seams import Transcript

__all__ = ["judge"]

_NOISE = re.compile(r"^(?:<.*>|\[.*\]|\+\+.*\+\+)$")


def judge(result: Mapping[str, Any]) -> Transcript:
    """Decide what was understood."""
    words = [word for word in result["words"] if not _NOISE.match(word["word"])]
    return Transcript(" ".join(re.sub(r"\(\d+\)$", "", word["word"]) for word in words))
