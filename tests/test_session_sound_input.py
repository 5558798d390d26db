"""What may be given as sound, where bare samples are taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtnb.core.audio import Audio
from rtnb.core.errors import ProtocolError
from rtnb.session.content import pcm_of


def test_bare_samples_are_taken_as_they_are() -> None:
    assert pcm_of(Audio.tone().pcm) == Audio.tone().pcm


@pytest.mark.parametrize("ending", [".wav", ".flac", ".ogg"])
def test_a_whole_file_as_bytes_is_refused_with_its_kind_and_the_way_out(tmp_path: Path, ending: str) -> None:
    data = Audio.tone().save(tmp_path / f"tone{ending}").read_bytes()
    data += bytes(len(data) % 2)
    with pytest.raises(ProtocolError, match=rf"whole {ending[1:].upper()} file.*from_file"):
        pcm_of(data)
