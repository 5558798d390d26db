"""Build hook: ships the tutorials in the wheel, for `rtnb lab` where there is no clone.

Only the notebooks and their data, each by its kind: a learner's .env with a key lies in the same folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHIPPED = (
    *("*.ipynb", "data/*.wav", "data/*.flac", "data/*.json", "data/*.md", "data/*.png", "data/*.jpg"),
    *("data/recordings/*/*.json", "data/recordings/*/*.jsonl", "data/recordings/*/audio/*.flac"),
)


class TutorialsHook(BuildHookInterface[Any]):
    """Puts ``notebooks/`` into the wheel as ``rtnb/tutorials/``; an editable install uses the clone's."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files; called before each build."""
        if version != "standard":
            return
        notebooks = Path(self.root) / "notebooks"
        for pattern in SHIPPED:
            for path in sorted(notebooks.glob(pattern)):
                build_data["force_include"][str(path)] = f"rtnb/tutorials/{path.relative_to(notebooks).as_posix()}"
