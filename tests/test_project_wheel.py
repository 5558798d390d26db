"""The wheel: built as pip builds it, opened, and compared with the folder it was made of."""

from __future__ import annotations

import email
import json
import os
import pathlib
import subprocess
import sys
import zipfile
from collections.abc import Iterator

import pytest

import rtnb

ROOT = pathlib.Path(__file__).resolve().parent.parent
LEFT_OUT = {"__pycache__", ".ipynb_checkpoints"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (path,) = folder.iterdir()
    assert path.name == f"rtnb-{rtnb.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(path) as opened:
        yield opened


def package_files() -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "rtnb").rglob("*")
        if path.is_file() and not LEFT_OUT & set(path.parts) and not path.name.startswith(".")
    }


def test_the_wheel_holds_the_package_its_tutorials_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert {name for name in names if not name.startswith("rtnb/tutorials/")} == package_files()
    kinds = {pathlib.PurePosixPath(name).suffix for name in names}
    assert {".py", ".js", ".json", ".typed"} <= kinds
    assert kinds <= {
        ".py",
        ".js",
        ".css",
        ".json",
        ".jsonl",
        ".typed",
        ".md",
        ".txt",
        ".ipynb",
        ".flac",
        ".wav",
        ".bin",
        ".gz",
        ".lm",
        ".dict",
    }


def test_every_notebook_is_shipped_with_its_data(wheel: zipfile.ZipFile) -> None:
    shipped = {name.removeprefix("rtnb/tutorials/") for name in wheel.namelist() if name.startswith("rtnb/tutorials/")}
    notebooks = ROOT / "notebooks"
    there = [*notebooks.glob("*.ipynb"), *(path for path in notebooks.rglob("data/**/*") if path.is_file())]
    assert shipped == {path.relative_to(notebooks).as_posix() for path in there}
    assert not [name for name in shipped if pathlib.PurePosixPath(name).name.startswith(".")]


def test_its_metadata_tells_version_licence_and_command(wheel: zipfile.ZipFile) -> None:
    info = f"rtnb-{rtnb.__version__}.dist-info"
    metadata = email.message_from_bytes(wheel.read(f"{info}/METADATA"))
    assert metadata["Version"] == rtnb.__version__
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    assert b"rtnb = rtnb.cli:main" in wheel.read(f"{info}/entry_points.txt")
    assert wheel.read(f"{info}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()


def test_an_rtnb_from_the_wheel_copies_its_tutorials_and_keeps_what_was_changed(
    wheel: zipfile.ZipFile, tmp_path: pathlib.Path
) -> None:
    site, here = tmp_path / "site", tmp_path / "here"
    wheel.extractall(site)
    here.mkdir()
    code = (
        "import pathlib, rtnb, json\n"
        "from rtnb.commands.lab import tutorials\n"
        "folder = tutorials()\n"
        "print(json.dumps([rtnb.__file__, str(folder), sorted(p.name for p in folder.rglob('*') if p.is_file())]))"
    )

    def tutorials() -> list[object]:
        environment = {**os.environ, "PYTHONPATH": str(site)}
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=here,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        told: list[object] = json.loads(done.stdout)
        return told

    home, folder, names = tutorials()
    assert pathlib.Path(str(home)).is_relative_to(site)
    assert pathlib.Path(str(folder)) == here / "rtnb-tutorials"
    assert "00_start_here.ipynb" in names  # type: ignore[operator]
    changed = here / "rtnb-tutorials" / "00_start_here.ipynb"
    changed.write_text("mine")
    assert tutorials()[2] == names
    assert changed.read_text() == "mine"


def test_an_rtnb_without_tutorials_says_what_to_do(wheel: zipfile.ZipFile, tmp_path: pathlib.Path) -> None:
    wheel.extractall(tmp_path, [name for name in wheel.namelist() if "tutorials" not in name])
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "rtnb", "lab", "--no-browser"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == (
        "rtnb lab: no tutorials came with this rtnb: open a folder of your own with --notebooks DIR\n"
    )
