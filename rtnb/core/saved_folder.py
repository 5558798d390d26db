"""Recordings as folders: written whole or not at all, read as far as they go.

::

    talk/
      manifest.json    what wrote it, when, with which endpoint and model; which file holds which clip
      events.jsonl     one event a line, without sound (`rtnb.core.saved`)
      heard.jsonl      one report of the loudspeaker a line
      audio/           00-microphone.flac, 01-item_....flac, ...

Only ``events.jsonl`` is needed to read one: the manifest tells about it, and counts.

Imports `rtnb.core`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from rtnb.core import recording
from rtnb.core.clips import read_clip, write_clip
from rtnb.core.errors import RtnbError, redact
from rtnb.core.key_pieces import cleaned_deltas
from rtnb.core.log import Entry, EventLog
from rtnb.core.saved import Heard, Layout, Restorer, heard_line, heard_of

__all__ = ["SCHEMA", "Contents", "is_recording", "read_folder", "write_folder"]

SCHEMA: Final = 1
"""Version of the folder's layout."""

_MANIFEST: Final = "manifest.json"
_EVENTS: Final = "events.jsonl"
_HEARD: Final = "heard.jsonl"
_AUDIO: Final = "audio"
_OWN: Final = frozenset({_MANIFEST, _EVENTS, _HEARD, _AUDIO})
_LITTER: Final = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", ".ipynb_checkpoints"})
_CLIP_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")


class Contents(NamedTuple):
    """What a folder holds.

    Attributes
    ----------
    log : EventLog
    heard : list of Heard
    about : dict
        The manifest.
    missing : list of str
        What should be there and is not, in sentences.
    """

    log: EventLog
    heard: list[Heard]
    about: dict[str, Any]
    missing: list[str]


def is_recording(folder: Path) -> bool:
    """Whether a folder is a recording, or what is left of one."""
    if (folder / _EVENTS).is_file():
        return True
    return isinstance(_manifest(folder), dict)


# -- writing -----------------------------------------------------------------------------------------------------------


def write_folder(
    folder: str | os.PathLike[str],
    entries: Iterable[Entry],
    heard: Iterable[tuple[float, str, int, bool]],
    *,
    about: Mapping[str, Any],
    origin: float | None,
    keys: Sequence[str | None] = (),
    overwrite: bool = False,
) -> Path:
    """Write a recording: first beside its place, then, when all of it is there, in one step at its place.

    Parameters
    ----------
    folder
        Where; folders above it are made.
    entries, heard
        The log, and the reports of the loudspeaker.
    about
        For the manifest: ``endpoint``, ``model``, ``name``.
    origin
        Wall-clock time of time 0.
    keys
        Keys in use, taken out wherever they stand.
    overwrite
        Replace a recording that is there; files in it that are none of its own are kept.

    Raises
    ------
    RtnbError
        There is something already, or it cannot be written.
    """
    target = Path(folder).expanduser().absolute()
    if target.is_symlink():
        target = target.resolve()
    _check_free(target, overwrite=overwrite)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".saving", dir=target.parent))
        try:
            _fill(beside, entries, heard, about=about, origin=origin, keys=tuple(keys))
            beside.chmod(0o777 & ~_umask())
            _put(beside, target)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as exc:
        raise RtnbError(f"the recording could not be written to {str(target)!r}: {exc.strerror or exc}") from exc
    return target


def _check_free(target: Path, *, overwrite: bool) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise RtnbError(f"{str(target)!r} is a file; a recording is a folder: give another name")
    there = {path.name for path in target.iterdir()} - _LITTER
    if not there:
        return
    if not is_recording(target):
        raise RtnbError(f"{str(target)!r} holds other files and is no recording: give the name of a new folder")
    if not overwrite:
        raise RtnbError(f"there is a recording in {str(target)!r} already: give another name, or overwrite=True")


def _fill(
    folder: Path,
    entries: Iterable[Entry],
    heard: Iterable[tuple[float, str, int, bool]],
    *,
    about: Mapping[str, Any],
    origin: float | None,
    keys: tuple[str | None, ...],
) -> None:
    import rtnb

    entries = list(entries)
    pieces = cleaned_deltas([entry.event for entry in entries], keys)
    layout, seconds, n_heard = Layout(keys), 0.0, 0
    with (folder / _EVENTS).open("wb") as file:
        file.write(recording.dumps({"rtnb": 1, "origin": origin}) + b"\n")
        for place, entry in enumerate(entries):
            if place in pieces:
                entry = entry._replace(event={**entry.event, "delta": pieces[place]})
            file.write(recording.clean(layout.line(entry), keys) + b"\n")
            seconds = entry.time
    with (folder / _HEARD).open("wb") as file:
        for report in heard:
            file.write(recording.clean(heard_line(report), keys) + b"\n")
            n_heard += 1
    clips: dict[str, Any] = {}
    if layout.clips:
        (folder / _AUDIO).mkdir()
    for clip in layout.clips:
        path = write_clip(folder / _AUDIO, clip)
        clips[clip.name] = {
            "file": f"{_AUDIO}/{path.name}",
            "format": clip.format,
            "bytes": clip.size,
            "item": clip.item_id,
        }
    manifest = {
        "rtnb_recording": SCHEMA,
        "rtnb": rtnb.__version__,
        "protocol": {"name": "realtime", "dialect": "ga"},
        **about,
        "recorded": _date(origin),
        "seconds": round(seconds, 3),
        "events": len(entries),
        "heard": n_heard,
        "clips": clips,
    }
    text = json.dumps(json.loads(recording.clean(manifest, keys)), indent=2, ensure_ascii=False)
    (folder / _MANIFEST).write_text(text + "\n", encoding="utf-8", errors="replace")


def _date(origin: float | None) -> str | None:
    try:
        return None if origin is None else datetime.fromtimestamp(origin, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return None


def _put(beside: Path, target: Path) -> None:
    """Move a finished folder to its place; of what was there, files that are none of a recording are kept."""
    if not target.exists():
        beside.rename(target)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".old", dir=target.parent))
    old = target.rename(aside / target.name)
    try:
        beside.rename(target)
    except OSError:
        old.rename(target)
        aside.rmdir()
        raise
    for path in _foreign(old):  # when this fails, what was there stays beside
        place = target / path.relative_to(old)
        place.parent.mkdir(exist_ok=True)
        path.rename(place)
    shutil.rmtree(aside, ignore_errors=True)


def _foreign(folder: Path) -> list[Path]:
    found = [path for path in folder.iterdir() if path.name not in _OWN]
    with contextlib.suppress(OSError):
        found += [path for path in (folder / _AUDIO).iterdir() if path.suffix not in (".flac", ".wav")]
    return found


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


# -- reading -----------------------------------------------------------------------------------------------------------


def read_folder(folder: str | os.PathLike[str]) -> Contents:
    """Read a recording as far as it goes.

    Parameters
    ----------
    folder
        A folder; or the file of its events.

    Raises
    ------
    RtnbError
        There is no such folder, or nothing in it that a recording is made of.
    """
    path = Path(folder).expanduser()
    try:
        if path.is_file() and path.name == _EVENTS:
            path = path.parent
        if not path.is_dir():
            there = "is a file" if path.exists() else "is not there"
            raise RtnbError(
                f"{str(path)!r} {there} (looked in {str(path.absolute().parent)!r}); "
                "a recording is a folder, as session.save(...) writes it"
            )
        return _read(path)
    except (OSError, ValueError) as exc:
        raise RtnbError(f"{str(path)!r} could not be read: {getattr(exc, 'strerror', None) or exc}") from exc


def _read(folder: Path) -> Contents:
    missing: list[str] = []
    about = _about(folder, missing)
    if not (folder / _EVENTS).is_file() and not about:
        raise RtnbError(f"{str(folder)!r} is no recording: there is neither {_EVENTS} nor {_MANIFEST} in it")
    restorer = Restorer(_clips(folder, about, missing))
    log = _log(folder, restorer, about, missing)
    _tell_short(restorer, missing)
    return Contents(log, _heard(folder, about, missing), about, missing)


def _about(folder: Path, missing: list[str]) -> dict[str, Any]:
    about = _manifest(folder)
    if about is None:
        missing.append(f"{_MANIFEST} is not there: endpoint, model and what else should be there are not known")
        return {}
    if not isinstance(about, dict):
        missing.append(f"{_MANIFEST} is damaged: endpoint, model and what else should be there are not known")
        return {}
    schema = about.get("rtnb_recording")
    if type(schema) is not int or schema > SCHEMA:
        missing.append(
            f"the folder was written by a newer rtnb ({redact(str(about.get('rtnb')))[:40]}): "
            "what this one does not know is left out; pip install -U rtnb"
        )
    return about


def _manifest(folder: Path) -> object:
    """The manifest; None when there is none, and a text when it is none."""
    try:
        about = recording.loads((folder / _MANIFEST).read_bytes())
    except FileNotFoundError:
        return None
    except OSError:
        return ""
    return about if isinstance(about, dict) and "rtnb_recording" in about else ""


def _log(folder: Path, restorer: Restorer, about: Mapping[str, Any], missing: list[str]) -> EventLog:
    log = EventLog()
    try:
        file = (folder / _EVENTS).open("rb")
    except OSError:
        missing.append(f"{_EVENTS} is not there: no event is known")
        return log
    cut_off = False
    with file:
        for number, line in enumerate(file):
            if not line.strip():
                continue
            cut_off = not line.endswith(b"\n")
            value = recording.loads(line)
            if number == 0 and isinstance(value, dict) and "rtnb" in value:
                log.origin = recording.finite(value.get("origin"))
                continue
            row = restorer.row(value)
            if row is None:
                log.damaged += 1
            else:
                log.append(row[2], row[1], row[0])
    if log.damaged:
        which = "the last line" if cut_off and log.damaged == 1 else _count(log.damaged, "line")
        missing.append(f"{which} of {_EVENTS} could not be read")
    wanted = about.get("events")
    if type(wanted) is int and len(log) < wanted:
        missing.append(f"{_count(wanted - len(log), 'event')} of {wanted} are not there")
    return log


def _clips(folder: Path, about: Mapping[str, Any], missing: list[str]) -> dict[str, tuple[bytes, str]]:
    """What can be read in the folder of sound, by the names of the clips."""
    found: dict[str, tuple[bytes, str]] = {}
    paths: list[Path] = []
    with contextlib.suppress(OSError):
        paths = sorted((folder / _AUDIO).iterdir())
    described = about.get("clips")
    for path in paths:
        if path.suffix not in (".flac", ".wav") or not _CLIP_NAME.fullmatch(path.stem) or not path.is_file():
            continue
        try:
            data, format = read_clip(path)
        except (OSError, ValueError) as exc:
            missing.append(f"{_AUDIO}/{path.name} could not be read: {getattr(exc, 'strerror', None) or exc}")
            continue
        detail = described.get(path.stem) if isinstance(described, dict) else None
        size = detail.get("bytes") if isinstance(detail, dict) else None
        if type(size) is int and 0 <= size < len(data):
            data = data[:size]
        found[path.stem] = data, format
    return found


def _tell_short(restorer: Restorer, missing: list[str]) -> None:
    for name, lost in restorer.short.items():
        wanted = restorer.wanted[name]
        how_much = "is not there" if lost >= wanted else f"lacks {lost} of {wanted} bytes"
        shown = name if _CLIP_NAME.fullmatch(name) else "a clip without a proper name"
        missing.append(f"the sound {_AUDIO}/{shown} {how_much}: silence stands in for it")


def _heard(folder: Path, about: Mapping[str, Any], missing: list[str]) -> list[Heard]:
    heard: list[Heard] = []
    try:
        lines = (folder / _HEARD).read_bytes().split(b"\n")
    except OSError:
        missing.append(f"{_HEARD} is not there: what was heard of the answers is not known")
        return heard
    damaged = 0
    for line in lines:
        if line.strip():
            report = heard_of(recording.loads(line))
            if report is None:
                damaged += 1
            else:
                heard.append(report)
    if damaged:
        missing.append(f"{_count(damaged, 'line')} of {_HEARD} could not be read")
    wanted = about.get("heard")
    if type(wanted) is int and len(heard) < wanted:
        missing.append(f"{_count(wanted - len(heard), 'report')} of {wanted} of what was heard are not there")
    return heard


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"
