"""What a session, and each of its replies, used, cost and took. How it is computed from a log: `rtnb.core.accounts`.

Imports `rtnb.core` and its neighbours in `rtnb.session`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from typing import Any, Final

from rtnb.core.accounts import LatencyReport, TurnTable, turn_table
from rtnb.core.charges import UsageReport, bill
from rtnb.core.configuration import Configuration, configuration, configuration_of
from rtnb.core.conversation import Conversation
from rtnb.core.errors import ConnectionClosed, RtnbError
from rtnb.core.estimate import Estimate, estimate
from rtnb.core.latency import Latency, LatencyMeter, turns
from rtnb.core.log import Entry, EventLog
from rtnb.core.protocol import Event
from rtnb.core.usage import Cost
from rtnb.net.endpoints import Endpoint
from rtnb.session.content import content_parts
from rtnb.session.greeting import confirmed
from rtnb.session.link import Link
from rtnb.session.reply import Reply
from rtnb.session.requested import Requested
from rtnb.session.runner import Runner
from rtnb.session.sound import Sound
from rtnb.session.spending import Spending

__all__ = ["Accounting", "events_of", "latency_of"]

_SWITCH_S: Final = 10.0


class Accounting:
    """A part of `rtnb.session.core.Core`; may be read on any thread."""

    conversation: Conversation
    endpoint: Endpoint
    link: Link | None
    log: EventLog
    requested: Requested
    runner: Runner
    sound: Sound
    spending: Spending

    def _open_accounts(self) -> None:
        self.asked_at: dict[str, float] = {}  # event id of a response.create -> when it was called for
        self._meter = LatencyMeter()
        self._metered = 0  # entries of the log that the meter has seen
        self._meter_lock = threading.Lock()
        self._switching: set[asyncio.Task[None]] = set()  # held until they end: a loop does not

    def hint(self, text: str) -> None:
        """Tell the user something worth knowing."""
        raise NotImplementedError

    @property
    def model(self) -> str | None:
        """Name of the model: the server's word, else what is asked for."""
        return self.conversation.session.get("model") or self.endpoint.model

    def accounts_changed(self) -> None:
        """Act on another budget, or other prices; from any thread."""
        if self.runner.is_running:
            self.runner.post(self.spending.look)

    def answers_speech(self) -> bool:
        """Whether the user's own settings let the server answer detected speech."""
        self.requested.settle()
        detection: Any = self.requested.config
        for name in ("audio", "input", "turn_detection"):
            detection = detection.get(name) if isinstance(detection, Mapping) else None
        return isinstance(detection, Mapping) and detection.get("create_response") is not False

    def send_for_budget(self, event: Event) -> None:
        """Send what the budget wants sent; an update takes its turn among others, which wait for their answers."""
        link = self.link
        if link is not None and event["type"] == "session.update":
            task = asyncio.get_running_loop().create_task(self._switch(link, event))
            self._switching.add(task)
            task.add_done_callback(self._switching.discard)
        elif link is not None:
            link.put(event)

    async def _switch(self, link: Link, event: Event) -> None:
        try:
            async with link.updates:
                await confirmed(link, event, timeout=_SWITCH_S)
        except ConnectionClosed:
            pass  # the next connection looks at the budget anew
        except RtnbError as exc:
            self.hint(f"the server would not let the budget switch answers to speech off or on: {exc}")

    def turns(self) -> TurnTable:
        """What was answered so far, how long it took and what it cost."""
        with self._meter_lock:
            for entry in self.log[self._metered :]:
                self._meter.push(entry)
                self._metered += 1
            found = self._meter.turns(self.sound.first_heard, asked=self.asked_at)
        spending = self.spending
        return turn_table(found, spending.charges, prices=spending.prices, is_free=spending.is_free)

    def latency(self) -> LatencyReport:
        """The spread of each time over all turns."""
        return LatencyReport.of(self.turns())

    def estimate(self, content: Any = None) -> Estimate:
        """What the next response will cost, about."""
        parts = [] if content is None else content_parts(content)
        spending = self.spending
        session = self.conversation.session or self.requested.session
        return estimate(
            self.conversation,
            parts=parts,
            session=session,
            model=self.model,
            prices=spending.prices,
            is_free=spending.is_free,
        )

    def configuration(self) -> Configuration:
        """Requested and effective settings side by side."""
        address = {"model": self.endpoint.model} if self.endpoint.model else {}
        if not self.conversation.session:
            return configuration({**address, **self.requested.session}, {})
        start = self.log.last("session.created", direction="server")
        return configuration_of(self.log[start.index if start else 0 :], requested=address)

    # ---- of one reply

    @property
    def secrets(self) -> tuple[str, ...]:
        """As `Host.secrets` in `rtnb.session.reply`."""
        return self.endpoint.secrets

    def reply_events(self, reply: Reply) -> EventLog:
        """The events of a reply."""
        responses = {response.id for response in reply.responses}
        items = {item.id for response in reply.responses for item in response.output}
        return events_of(self.log, reply.started_at, responses, items | reply.sent_items, event_ids=reply.sent_events)

    def reply_usage(self, reply: Reply) -> UsageReport:
        """Tokens of a reply's responses."""
        ids = {response.id for response in reply.responses}
        spending = self.spending
        mine = (each for each in spending.charges if each.kind == "response" and each.id in ids)
        return UsageReport(mine, prices=spending.prices, is_free=spending.is_free)

    def reply_cost(self, reply: Reply) -> Cost:
        """What a reply's responses cost."""
        return bill(self.reply_usage(reply), prices=self.spending.prices, is_free=self.spending.is_free)

    def reply_latency(self, reply: Reply) -> Latency:
        """The times of a reply's turn."""
        first = reply.responses[0].id if reply.responses else None
        return latency_of(self.log, reply.started_at, first, heard=self.sound.first_heard, asked=self.asked_at)


def events_of(
    log: EventLog, start: int, response_ids: set[str], item_ids: set[str], *, event_ids: set[str]
) -> EventLog:
    """The events from index `start` on that name one of these responses, items or client events."""

    def belongs(entry: Entry) -> bool:
        event = entry.event
        if event.get("response_id") in response_ids or event.get("item_id") in item_ids:
            return True
        if event.get("event_id") in event_ids:
            return True
        for key, ids in (("response", response_ids), ("item", item_ids)):
            inner = event.get(key)
            if isinstance(inner, dict) and inner.get("id") in ids:
                return True
        return False

    return EventLog(log.origin, filter(belongs, log[start:]), secrets=log.secrets)


def latency_of(
    log: EventLog,
    start: int,
    response_id: str | None,
    *,
    heard: Mapping[str, float] | None = None,
    asked: Mapping[str, float] | None = None,
) -> Latency:
    """The times of the turn that has this response, from index `start` on; all None while it has not begun.

    `heard` tells when the first sample of an item was heard, `asked` when a response was called for, in seconds of the
    log.
    """
    for turn in turns(log[start:], heard=heard, asked=asked):
        if response_id in turn.responses:
            return turn.latency
    return Latency()
