"""`Recording`: a session that was saved, or is shown again: the same objects, computed from its events.

Imports `rtnb.core`; how a recording is replayed and drawn are services of upper floors.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rtnb.core.accounts import LatencyReport, TurnTable, cost_of, turns_of, usage_of
from rtnb.core.changes import Changes
from rtnb.core.configuration import Configuration, configuration_of
from rtnb.core.conversation import Conversation, Item
from rtnb.core.errors import RtnbError, redact
from rtnb.core.item_table import ItemTable
from rtnb.core.items import Response
from rtnb.core.log import Entry, EventLog
from rtnb.core.recorded_html import html_of, kind_of
from rtnb.core.saved import Heard
from rtnb.core.saved_folder import read_folder, write_folder
from rtnb.core.services import service

if TYPE_CHECKING:
    from rtnb.core.audio import Audio
    from rtnb.core.charges import UsageReport
    from rtnb.core.usage import Cost

__all__ = ["Recording", "Step", "connections", "load"]

_FREE: Final = frozenset({"local", "replay"})
_WITH: Final = {
    "local": "the local endpoint",
    "openai": "OpenAI",
    "azure": "Azure OpenAI",
    "url": "another server",
    "replay": "a replay",
}


def load(folder: str | os.PathLike[str]) -> Recording:
    """Read a recording that ``session.save(folder)`` wrote.

    A folder that is incomplete or damaged is read as far as it goes; `Recording.missing` says what is not there.

    Parameters
    ----------
    folder
        The folder, or the ``events.jsonl`` in it.

    Raises
    ------
    RtnbError
        There is no such folder, or it is no recording at all.

    Examples
    --------
    >>> import rtnb
    >>> recording = rtnb.load("talk")  # doctest: +SKIP
    >>> recording.items[0].text  # doctest: +SKIP
    'What is 4 plus 6?'
    """
    path = Path(folder).expanduser()
    found = read_folder(path)
    about = found.about
    endpoint = about.get("endpoint")
    kind = endpoint.get("kind") if isinstance(endpoint, dict) else None
    model = endpoint.get("model") if isinstance(endpoint, dict) else None
    asked = about.get("asked")
    times = asked.items() if isinstance(asked, dict) else ()
    return Recording(
        found.log,
        found.heard,
        name=(path.parent if path.is_file() else path.absolute()).name,
        kind=kind if isinstance(kind, str) else None,
        model=model if isinstance(model, str) else None,
        asked={name: float(time) for name, time in times if isinstance(time, (int, float))},
        missing=found.missing,
        about=about,
        folder=path,
    )


class Step:
    """One event of a recording, and what it changed.

    Attributes
    ----------
    index : int
        Its place.
    entry : Entry
        Time, direction and event.
    changes : tuple of Change
        What it changed in the conversation.
    """

    __slots__ = ("_recording", "changes", "entry", "index")

    def __init__(self, recording: Recording, index: int, entry: Entry, changes: Changes) -> None:
        self._recording = recording
        self.index = index
        self.entry = entry
        self.changes = changes

    @property
    def conversation(self) -> Conversation:
        """The conversation right after this event; made anew each time, so that it stays as it is."""
        return self._recording.conversation_at(self.index)

    @property
    def name(self) -> str:
        """Type of the event."""
        return self.entry.name

    def __repr__(self) -> str:
        what = ", ".join(dict.fromkeys(change.kind for change in self.changes)) or "nothing new"
        entry = self.entry
        return f"<Step {self.index}: {entry.time:.3f} s, {entry.direction} {entry.name}, {what}>"


class Recording:
    """A session that is over: looked at, or replayed with ``rtnb.Session(endpoint=recording)``.

    Parameters
    ----------
    events
        The log.
    heard
        The reports of the loudspeaker.
    name
        What it is called.
    kind, model
        Of the endpoint that it was recorded with.
    asked
        When responses were called for, by the id of the client's event; what the log does not tell.
    missing
        What should be there and is not, in sentences.
    about
        The manifest.
    folder
        Where it lies.

    Attributes
    ----------
    events : EventLog
    heard : list of Heard
        Time, item, samples at 24 kHz, whether it was the last report.
    missing : list of str
        Empty when all is there.
    """

    def __init__(
        self,
        events: EventLog,
        heard: Iterable[tuple[float, str, int, bool]] = (),
        *,
        name: str = "recording",
        kind: str | None = None,
        model: str | None = None,
        asked: Mapping[str, float] | None = None,
        missing: Iterable[str] = (),
        about: Mapping[str, Any] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.events = events
        self.heard = [Heard(*report) for report in heard]
        self.name = redact(name)  # of a folder, which anybody names; it goes into errors and pages
        self.kind = kind
        self.asked = dict(asked or {})
        self.missing = list(missing)
        self.about = dict(about or {})
        self.folder = folder
        self._asked_model = model
        self._conversation: Conversation | None = None
        self._walk: Iterator[Step] | None = None

    # -- what happened

    @property
    def conversation(self) -> Conversation:
        """The conversation at the end."""
        if self._conversation is None:
            self._conversation = self.conversation_at(len(self.events) - 1)
        return self._conversation

    def conversation_at(self, index: int) -> Conversation:
        """The conversation right after the event at `index`."""
        return Conversation.replay(self.events[: index + 1])

    @property
    def items(self) -> ItemTable:
        """The items of the conversation, in its order: a list, with ``to_dict()`` and ``to_pandas()``."""
        return ItemTable(self.conversation.items)

    @property
    def responses(self) -> list[Response]:
        """All responses of the conversation."""
        return self.conversation.responses

    @property
    def settings(self) -> dict[str, Any]:
        """The effective session object, as the server gave it last."""
        return self.conversation.session

    @property
    def model(self) -> str | None:
        """Name of the model: the server's word, else what was asked for."""
        found = self.settings.get("model")
        return found if isinstance(found, str) else self._asked_model

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return self.events.seconds

    # -- accounts

    @property
    def is_free(self) -> bool:
        """Nobody was billed: it was recorded with the local endpoint."""
        return self.kind in _FREE

    @property
    def usage(self) -> UsageReport:
        """Tokens of all responses."""
        return usage_of(self.events, is_free=self.is_free, model=self._asked_model)

    @property
    def cost(self) -> Cost:
        """What all responses cost; of the local endpoint what they would have cost."""
        return cost_of(self.events, is_free=self.is_free, model=self._asked_model)

    @property
    def turns(self) -> TurnTable:
        """What called for each response, and how long what took."""
        return turns_of(
            self.events,
            heard=self.first_heard,
            asked=self.asked,
            is_free=self.is_free,
            model=self._asked_model,
        )

    @property
    def latency(self) -> LatencyReport:
        """Median and 95th percentile of each time over all turns, in milliseconds."""
        return LatencyReport.of(self.turns)

    @property
    def first_heard(self) -> dict[str, float]:
        """When the first sample of an item was heard, in seconds of the log."""
        first: dict[str, float] = {}
        for report in self.heard:
            if report.samples > 0:
                first.setdefault(report.item_id, report.time)
        return first

    @property
    def configuration(self) -> Configuration:
        """The settings that were asked for beside those in force, and what the server changed or ignored."""
        start = self.events.last("session.created", direction="server")
        address = {"model": self._asked_model} if self._asked_model else {}
        return configuration_of(self.events[start.index if start else 0 :], requested=address)

    def cost_chart(self) -> Any:
        """Draw what each response cost, by kind of token, as ``session.cost_chart``."""
        return service("session.cost_chart")(self.usage)

    def timeline(self, **options: Any) -> Any:
        """Everything on one clock, as ``session.timeline``."""
        return service("session.timeline")(self, **options)

    # -- sound

    def audio(self, item: str | Item | None = None) -> Audio:
        """The sound of an item, or of the microphone when no item is given.

        Raises
        ------
        RtnbError
            There is no such item, or no sound of it.
        """
        from rtnb.core.recorded_sound import microphone_of, sound_of

        if item is None:
            spoken = microphone_of(self.events, self.settings)
            if spoken is None:
                raise RtnbError(f"nothing was said into a microphone in {self.name!r}")
            return spoken
        item_id = item if isinstance(item, str) else item.id
        found = self.conversation.item(item_id)
        if found is None:
            known = ", ".join(each.id for each in self.items) or "none"
            raise RtnbError(f"there is no item {item_id!r} in {self.name!r}; there are: {known}")
        sound = sound_of(found, self.settings)
        if sound is None:
            raise RtnbError(f"there is no sound of item {item_id!r} in {self.name!r}: it is a {kind_of(found)}")
        return sound

    # -- step by step

    def steps(self) -> Iterator[Step]:
        """Go through it event by event.

        Examples
        --------
        >>> for step in recording.steps():  # doctest: +SKIP
        ...     print(step, step.conversation)
        """
        conversation = Conversation()
        for index, entry in enumerate(self.events):
            yield Step(self, index, entry, conversation.apply(entry.event, entry.direction))

    def step(self) -> Step | None:
        """The next event; None after the last one. `rewind` begins again."""
        if self._walk is None:
            self._walk = self.steps()
        return next(self._walk, None)

    def rewind(self) -> None:
        """Let `step` begin at the first event again."""
        self._walk = None

    # -- replay, and saving

    def endpoint(self, *, speed: float = 1.0, **options: Any) -> Any:
        """A server on this machine that replays it to any client: ``rtnb.Session(recording.endpoint(speed=4))``.

        Parameters
        ----------
        speed
            1: with the times as they were, so that streaming, latency and interruptions look as they did; 4: four
            times as fast; ``float("inf")``: without waiting.
        options
            ``film``, ``stepped``, ``port``, ``host``, ``key``: see `rtnb.replay.server.ReplayEndpoint`.

        Raises
        ------
        RtnbError
            Nothing was recorded, so there is nothing to replay.
        """
        if not self.events:
            raise RtnbError(f"there is no event in {self.name!r}, so there is nothing to replay")
        return service("endpoint.replay")(self, speed=speed, **options)

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write it as a folder, as ``session.save``."""
        return write_folder(
            folder,
            self.events,
            self.heard,
            about={
                "name": self.name,
                "endpoint": {"kind": self.kind, "model": self._asked_model},
                "asked": self.asked,
            },
            origin=self.events.origin,
            overwrite=overwrite,
        )

    # -- looking at it

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recording) and self.events == other.events and self.heard == other.heard

    __hash__ = None  # type: ignore[assignment]  # its members may be changed

    def __repr__(self) -> str:
        n_items, n_events = len(self.items), len(self.events)
        lacks = (
            f"; {len(self.missing)} {'thing' if len(self.missing) == 1 else 'things'} missing" if self.missing else ""
        )
        return (
            f"<Recording {self.name}: {self.seconds:.1f} s, {n_items} items, {n_events} events, "
            f"recorded with {self._with()}{lacks}>"
        )

    def _with(self) -> str:
        return _WITH.get(self.kind or "", "an unknown endpoint")

    def _repr_html_(self) -> str:
        return html_of(self, self._with())


def connections(log: Iterable[Entry]) -> list[range]:
    """Where in a log each connection begins and ends: a server's ``session.created`` begins one."""
    starts = [0]
    n = 0
    for n, entry in enumerate(log, 1):
        if entry.direction == "server" and entry.name == "session.created" and n > 1:
            starts.append(n - 1)
    return [range(start, end) for start, end in zip(starts, [*starts[1:], n], strict=True) if end > start]
