"""What a session used, cost and took, computed from its log whenever it is asked.

Imports `rtnb.core`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rtnb.core.latency import Latency, Turn, turns
from rtnb.core.log import Entry, EventLog
from rtnb.core.usage import Cost, Usage, cost, would_have_cost

__all__ = ["cost_of", "events_of", "latency_of", "usage_of"]


def usage_of(log: Iterable[Entry]) -> Usage:
    """Tokens of all responses that ended in these events."""
    total = Usage()
    for entry in log:
        if entry.name == "response.done" and entry.direction == "server":
            response = entry.event.get("response")
            total += Usage.of(response.get("usage") if isinstance(response, dict) else None)
    return total


def cost_of(usage: Usage, model: str | None, *, is_free: bool) -> Cost | None:
    """What they cost in USD; for the local endpoint what the same tokens would have cost, marked as such."""
    if is_free:
        return would_have_cost(usage, model) if model else would_have_cost(usage)
    return cost(usage, model)


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

    return EventLog(log.origin, filter(belongs, log[start:]))


def latency_of(
    log: EventLog, start: int, response_id: str | None, *, heard: Mapping[str, float] | None = None
) -> Latency:
    """The distances of the turn of one response; all None while it has not begun.

    `heard` tells when the first sample of an item was heard, in seconds of the log.
    """
    found: list[Turn] = [turn for turn in turns(log[start:], heard=heard) if turn.response_id == response_id]
    return found[0].latency if found else Latency()
