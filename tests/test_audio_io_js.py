"""The pure parts of the AudioIO module, run by node."""

import pathlib
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).parent


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_pure_parts_of_the_module_pass_their_own_tests() -> None:
    files = sorted(map(str, (HERE / "js").glob("audio_io*.test.mjs")))
    assert files
    done = subprocess.run(["node", "--test", *files], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
