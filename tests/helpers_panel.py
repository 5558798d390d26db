"""A panel without a browser: pages that send messages and keep what they are told."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from helpers_sound import FedMicrophone

from rtnb.core.audio import Audio
from rtnb.notebook.panel import Panel

TIMEOUT_S = 20.0


class Devices:
    """A microphone that is fed, and no loudspeaker."""

    def __init__(self) -> None:
        self.microphone = FedMicrophone()
        self.speaker = None


class Pages:
    """All that shows one panel."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.told: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        panel.console.send = self._take  # the edge to the page
        self._names = itertools.count(1)

    def _take(self, content: dict[str, Any], buffers: Any = None) -> None:
        with self._changed:
            self.told.append(content)
            self._changed.notify_all()

    def open(self) -> Page:
        page = Page(self, f"page {next(self._names)}")
        page.say("hello")
        page.until(lambda: "connection" in page.parts)
        return page

    def until(self, test: Callable[[], Any]) -> None:
        with self._changed:
            assert self._changed.wait_for(test, TIMEOUT_S), self.told[-3:]


class Page:
    """One of them."""

    def __init__(self, pages: Pages, name: str) -> None:
        self._pages = pages
        self.name = name
        self._n = 0

    @property
    def told(self) -> list[dict[str, Any]]:
        return [message for message in self._pages.told if message.get("to") in (None, self.name)]

    @property
    def parts(self) -> dict[str, Any]:
        parts: dict[str, Any] = {}
        for message in self.told:
            if message["kind"] == "state":
                parts.update(message["parts"])
        return parts

    def say(self, kind: str, buffers: tuple[bytes, ...] = (), **fields: Any) -> int:
        self._n += 1
        content = {"panel": self._pages.panel.console.panel, "page": self.name, "n": self._n, "kind": kind, **fields}
        self._pages.panel.console._receive(content, buffers)
        return self._n

    def ask(self, kind: str, buffers: tuple[bytes, ...] = (), **fields: Any) -> bool:
        """Say it and wait until it was carried out."""
        n = self.say(kind, buffers, **fields)
        found: list[bool] = []

        def answered() -> bool:
            found[:] = [message["ok"] for message in self.told if message["kind"] == "answer" and message["n"] == n]
            return bool(found)

        self.until(answered)
        return found[0]

    def until(self, test: Callable[[], Any]) -> None:
        self._pages.until(test)

    def notices(self) -> list[str]:
        return [notice["text"] for notice in self.parts.get("notices", [])]


@pytest.fixture
def shown() -> Iterator[Callable[[Any], Pages]]:
    """Makes the panel of a session, with devices that are fed."""
    made: list[Panel] = []

    def show(session: Any) -> Pages:
        panel = Panel(session, Devices())
        session._panel = panel
        made.append(panel)
        return Pages(panel)

    yield show
    for panel in made:
        panel.close()


def speech(seconds: float = 1.0) -> Audio:
    """What the detector of the tests takes for speech."""
    return Audio.tone(seconds=seconds)
