"""What browser tests with sound share: a microphone that says what it is told, a tap on the output, an older kernel."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import wave
from collections.abc import Iterator
from typing import Any

import numpy as np
from helpers_browser import TAP, Lab, running_browser

RATE = 24_000
OLD_KERNEL = "6.31.0"


@contextlib.contextmanager
def hearing_browser(sound: np.ndarray, folder: pathlib.Path) -> Iterator[Any]:
    """A browser whose microphone plays a sound (24 kHz, in [-1, 1]) from when it is opened, again and again."""
    import soxr

    path = folder / "microphone.wav"
    samples = soxr.resample(sound, RATE, 48_000)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes((samples.clip(-1, 1) * 32767).astype("<i2").tobytes())
    with running_browser(f"--use-file-for-fake-audio-capture={path}") as running:
        yield running


def tapped_context(browser: Any, *, microphone: bool = True, **options: Any) -> Any:
    """A context with a second ear on what its pages play."""
    context = browser.new_context(permissions=["microphone"] if microphone else [], **options)
    context.add_init_script(TAP)
    return context


def install_old_kernel(lab: Lab, place: pathlib.Path, name: str) -> str:
    """Lay an older ipykernel before the environment's for one kernel; why it could not be done, or nothing."""
    uv = shutil.which("uv")
    if uv is None:
        return "no uv to install another ipykernel with"
    command = [uv, "pip", "install", "--quiet", "--no-config", "--no-deps", "--python", sys.executable]
    done = subprocess.run(
        [*command, "--target", str(place), f"ipykernel=={OLD_KERNEL}", "nest-asyncio"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        assert "CI" not in os.environ, done.stderr
        return f"ipykernel {OLD_KERNEL} could not be installed: {done.stderr[-300:]}"
    kernels = lab.folder.parent / "share" / "kernels"
    spec = json.loads((kernels / "rtnb-test" / "kernel.json").read_text())
    spec["display_name"] = "rtnb test, old"
    spec["env"]["PYTHONPATH"] = os.pathsep.join([str(place), spec["env"]["PYTHONPATH"]])
    (kernels / "rtnb-test-old").mkdir()
    (kernels / "rtnb-test-old" / "kernel.json").write_text(json.dumps(spec))
    kernelspec = {"name": "rtnb-test-old", "display_name": "rtnb test, old", "language": "python"}
    content = {"cells": [], "metadata": {"kernelspec": kernelspec}, "nbformat": 4, "nbformat_minor": 5}
    (lab.folder / name).write_text(json.dumps(content))
    return ""
