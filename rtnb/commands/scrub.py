"""``rtnb scrub``: takes keys out of notebooks, recordings and logs before they are shared.

Exit code 1 when any was found, also when it was taken out: a hook or a pipeline stops there.

Imports `rtnb.core` when it runs.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rtnb.core.scrubbing import Scrubbed

__all__ = ["run"]

_LEFT_OUT: Final = frozenset({".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv", "venv"})
_PACKED: Final = frozenset({".zip", ".gz", ".bz2", ".xz", ".zst", ".7z", ".tar", ".whl", ".tgz"})
_SECRET_NAME: Final = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD)$")
_SHORTEST: Final = 8
_MOST_SHOWN: Final = 5


def run(options: argparse.Namespace) -> int:
    """Look at each file; 0 when no key was found."""
    from rtnb.core.keys import without_keys
    from rtnb.core.scrubbing import scrubbed_file

    known = sorted(_keys_in_use(), key=len, reverse=True)

    def shown(path: Path) -> str:
        return without_keys(str(path), known)

    n_files = n_keys = n_bad = 0
    failed = False
    for path in _files(options.files, shown):
        try:
            data = path.read_bytes()
            found = scrubbed_file(data, known)
            if found.findings and found.data is not None and not options.check:
                _replace(path, found.data)
        except OSError as exc:
            print(f"rtnb scrub: {shown(path)}: {exc.strerror or exc}", file=sys.stderr)
            failed = True
            continue
        n_files += 1
        in_name = shown(path) != str(path)
        if found.findings:
            print(f"{shown(path)}: {_told(found, check=options.check)}")
        if in_name:
            print(f"{shown(path)}: there is a key in its name: rename it")
        n_keys += len(found.findings) + in_name
        n_bad += bool(found.findings) or in_name
    print(_summary(n_files, n_keys, n_bad))
    return 1 if n_keys or failed else 0


def _files(names: Iterable[Path], shown: object) -> Iterator[Path]:
    """The files to look at; says which are left out."""
    for name in names:
        path = Path(name).expanduser()
        if not path.exists():
            from rtnb.core.errors import RtnbError

            raise RtnbError(f"there is no file or folder {str(path)!r}")
        if path.is_file():
            yield from _unless_left_out(path)
            continue
        for folder, folders, files in os.walk(path):
            folders[:] = sorted(set(folders) - _LEFT_OUT)
            for file in sorted(files):
                yield from _unless_left_out(Path(folder, file))


def _unless_left_out(path: Path) -> Iterator[Path]:
    if path.name == ".env" or path.name.startswith(".env."):
        print(f"{path}: left as it is, keys belong there; share it with nobody")
    elif path.suffix.lower() in _PACKED:
        print(f"{path}: not looked into, it is packed")
    elif path.is_file():
        yield path


def _replace(path: Path, data: bytes) -> None:
    """Write beside, then put in its place: nothing is lost when it breaks off."""
    target = path.resolve()
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".scrub", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        shutil.copymode(target, name)
        os.replace(name, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _told(found: Scrubbed, *, check: bool) -> str:
    findings = found.findings
    places = [f"line {each.line}: {each.kind}" if each.line else each.kind for each in findings[:_MOST_SHOWN]]
    if len(findings) > _MOST_SHOWN:
        places.append(f"{len(findings) - _MOST_SHOWN} more")
    if found.data is None:
        done = "found, and could not be taken out without breaking the file: share it with nobody"
    else:
        done = "found" if check else "taken out"
    return f"{_count(len(findings), 'key')} {done} ({', '.join(places)})"


def _summary(n_files: int, n_keys: int, n_bad: int) -> str:
    if not n_keys:
        return f"{_count(n_files, 'file')}, no key"
    return (
        f"{_count(n_files, 'file')}, {_count(n_keys, 'key')} in {n_bad} of them; a key that was shared must be revoked"
    )


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _keys_in_use() -> set[str]:
    """Values of this environment, and of the nearest ``.env``, that are named like keys."""
    from dotenv import dotenv_values

    settings: dict[str, str | None] = dict(os.environ)
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / ".env").is_file():
            settings.update(dotenv_values(folder / ".env"))
            break
    return {
        value.strip()
        for name, value in settings.items()
        if value and len(value.strip()) >= _SHORTEST and _SECRET_NAME.search(name.upper()) and not os.path.exists(value)
    }
