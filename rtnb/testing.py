"""Test a realtime app against a real endpoint on your own machine: a pytest fixture, and words for its script.

In ``conftest.py``::

    pytest_plugins = ["rtnb.testing"]

and in a test the fixture `local_endpoint`: a server on 127.0.0.1 that speaks the realtime protocol, refuses what the
service refuses, and answers what the test tells it to. See ``docs/testing.md``.

Imports `rtnb.local` and pytest.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np
import pytest

from rtnb.core.audio import level_dbfs
from rtnb.core.protocol import RATE
from rtnb.local.brains import ScriptBrain, call, fail, incomplete, when
from rtnb.local.brains.script import Step, When
from rtnb.local.seams import Request, Speech, Transcript
from rtnb.local.server import LocalEndpoint

__all__ = [
    "KEY",
    "ScriptedEndpoint",
    "call",
    "fail",
    "incomplete",
    "local_endpoint",
    "make_local_endpoint",
    "when",
]

KEY: Final = "test-key"
"""Any key is taken by a `ScriptedEndpoint`; this one is as good as others."""

_WORD_MS: Final = 60


class ScriptedEndpoint(LocalEndpoint):
    """A local endpoint that does what a test says; nothing in it depends on a model, an engine or the weather.

    Answers follow the script, and without one say ``"Test answer 1."`` and so on. Speech is whatever is louder than
    -40 dBFS; what it says is taken from `understand`. Spoken answers are tones, 60 ms for each word. Audio is sent as
    fast as it goes.

    Parameters
    ----------
    script
        The first steps; see `script`.
    options
        Those of `rtnb.LocalEndpoint`: ``key=``, ``beta=True``, ``session_limit_s=``, ``pace=``, ``faults=`` ...

    Examples
    --------
    >>> with ScriptedEndpoint("Hello there.") as endpoint:
    ...     import rtnb
    ...     with rtnb.Session(endpoint, output="text") as session:
    ...         session.ask("Hi").text
    'Hello there.'
    """

    def __init__(self, *script: Step | When, **options: Any) -> None:
        self._ears = _Ears()
        self._brain = _Brain(*script)
        engines: dict[str, Any] = {"hearing": self._ears, "voice": _Tones(), "detector": _Loud, "pace": None}
        super().__init__(**{"brain": self._brain, **engines, **options})

    def script(self, *steps: Step | When) -> None:
        """Say what the next answers do, one step for each response.

        Parameters
        ----------
        steps
            A text; `call` (a tool call); `fail`; `incomplete`; a list of these; a function of the request that gives
            one of them; or a rule made with `when`, which answers whatever it fits, as often as it comes.
        """
        self._brain.add(*steps)

    def understand(self, *texts: str) -> None:
        """Say what is understood of the next utterances; of further ones nothing."""
        self._ears.texts.extend(texts)

    @property
    def requests(self) -> list[Request]:
        """What was asked of the model so far: each with its items, instructions and tools."""
        return self._brain.requests

    @property
    def base_url(self) -> str:
        """For clients that are given an HTTP address: ``http://127.0.0.1:PORT/v1``."""
        return self.url.replace("ws://", "http://", 1).removesuffix("/realtime")

    @property
    def websocket_base_url(self) -> str:
        """For OpenAI's Python client: ``ws://127.0.0.1:PORT/v1``."""
        return self.url.removesuffix("/realtime")

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables for an app that is configured by its environment: OpenAI's, and rtnb's own."""
        return {
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": self.base_url,
            "RTNB_ENDPOINT": self.url,
            "RTNB_API_KEY": KEY,
        }


@pytest.fixture
def make_local_endpoint() -> Iterator[Callable[..., ScriptedEndpoint]]:
    """Make endpoints with options of your own: ``make_local_endpoint("Hello.", beta=True)``; stopped with the test."""
    with contextlib.ExitStack() as stack:

        def make(*script: Step | When, **options: Any) -> ScriptedEndpoint:
            made = ScriptedEndpoint(*script, **options)
            stack.enter_context(made)
            return made

        yield make


@pytest.fixture
def local_endpoint(make_local_endpoint: Callable[..., ScriptedEndpoint]) -> ScriptedEndpoint:
    """One running `ScriptedEndpoint`, new for each test."""
    return make_local_endpoint()


# ---- engines that depend on nothing


class _Brain(ScriptBrain):
    """The script, and a plain answer where there is none."""

    name = "test"

    async def think(self, request: Request) -> AsyncIterator[Any]:
        if not self.left and not self._fits(request):
            self.add(f"Test answer {len(self.requests) + 1}.")
        async for piece in super().think(request):
            yield piece

    def _fits(self, request: Request) -> bool:
        return any(
            (rule.times is None or used < rule.times) and rule.match(request)
            for rule, used in zip(self._rules, self._used, strict=True)
        )


class _Loud:
    """Speech is what is louder than -40 dBFS."""

    name = "loud"
    frame_ms = 20.0

    def __init__(self) -> None:
        self._held = b""

    def push(self, pcm: bytes) -> list[float]:
        self._held += pcm
        size = round(self.frame_ms * RATE / 1000) * 2
        frames = [self._held[at : at + size] for at in range(0, len(self._held) - size + 1, size)]
        self._held = self._held[len(frames) * size :]
        return [float(level_dbfs(np.frombuffer(each, "<i2").astype(np.float32) / 32768) > -40) for each in frames]

    def reset(self) -> None:
        self._held = b""


class _Utterance:
    def __init__(self, texts: list[str]) -> None:
        self._texts = texts

    async def push(self, pcm: bytes) -> str:
        return ""

    async def finish(self) -> Transcript:
        return Transcript(self._texts.pop(0) if self._texts else "")

    async def cancel(self) -> None:
        return


class _Ears:
    """Understands what it was told to."""

    name = "test"

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def listen(self, settings: Mapping[str, Any]) -> _Utterance:
        return _Utterance(self.texts)

    async def close(self) -> None:
        return


class _Tones:
    """Says each word as 60 ms of tone."""

    name = "test"

    async def speak(self, text: str, *, voice: str, speed: float = 1.0) -> AsyncIterator[Speech]:
        t = np.arange(RATE * _WORD_MS // 1000) / RATE
        word_pcm = (8000 * np.sin(2 * np.pi * 440 * t)).astype("<i2").tobytes()
        for index, word in enumerate(text.split(" ")):
            await asyncio.sleep(0)
            yield Speech(word_pcm, word if index == 0 else f" {word}")

    async def close(self) -> None:
        return
