"""What is known of a turn: what the user did, what answered it, and how long what took; and of many turns.

Imports `rtnb.core.tokens` and `rtnb.core.usage`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Final, Literal, NamedTuple, TypeAlias

from rtnb.core.tokens import Usage
from rtnb.core.usage import Cost

__all__ = ["Kind", "Latency", "Spread", "Turn", "percentile", "spread"]

_NOTHING: Final = Usage()

Kind: TypeAlias = Literal["speech", "text", "tool", "other"]


@dataclass(frozen=True, slots=True, repr=False)
class Latency:
    """Times of one turn in milliseconds; None: has not happened, or cannot be known.

    The first six are distances from its beginning, the last three are how long something lasted within it.

    Attributes
    ----------
    committed : float or None
        The server made an item of the user's speech.
    created : float or None
        ``response.created`` came.
    first_text : float or None
        The first piece of text, or of what is being said, came.
    first_audio : float or None
        The first sound came.
    first_heard : float or None
        The first sound left the loudspeaker; known only where the speaker tells.
    done : float or None
        ``response.done`` came; with tools that of the last response.
    tools : float or None
        How long its tools kept the model waiting: from the ``response.done`` that called them until the last of their
        outputs was sent, all rounds together.
    browser_queue : float or None
        How long the first sound waited between arriving here and leaving the loudspeaker: on the way to the page, and
        in its buffer.
    kernel_queue : float or None
        How long the question waited here before it was sent: behind another answer, or for the connection.
    """

    committed: float | None = None
    created: float | None = None
    first_text: float | None = None
    first_audio: float | None = None
    first_heard: float | None = None
    done: float | None = None
    tools: float | None = None
    browser_queue: float | None = None
    kernel_queue: float | None = None

    def __repr__(self) -> str:
        known = [f"{name} {value:.0f} ms" for name, value in self.to_dict().items() if value is not None]
        return f"<Latency: {', '.join(known) or 'nothing yet'}>"

    def to_dict(self) -> dict[str, float | None]:
        """All of them by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True, slots=True)
class Turn:
    """What the user did, and what answered it.

    Attributes
    ----------
    response_id : str
        Of its first response.
    kind : {"speech", "text", "tool", "other"}
        What called for it: speech, an item of the user, the output of a tool (of a call that is not in this log), or a
        bare ``response.create``.
    begin : str
        Name of the event that its distances begin at.
    start : float
        When that was, in seconds of the log.
    item_id : str or None
        The item that called for it, as far as its id is known.
    status : str
        Of its last response: ``in_progress`` until it is done.
    out_of_band : bool
        The response does not belong to the conversation.
    first_index, last_index : int
        Entries of the log from the beginning to the end so far.
    latency : Latency
    responses : tuple of str
        Ids of all its responses: one, and one more for each round of tools.
    tool_calls : int
        How many tools it called.
    usage : Usage
        Tokens of its responses.
    cost : Cost or None
        Of its responses, and of writing down what the user said; None where nobody has counted it.
    """

    response_id: str
    kind: Kind
    begin: str
    start: float
    item_id: str | None
    status: str
    out_of_band: bool
    first_index: int
    last_index: int
    latency: Latency
    responses: tuple[str, ...] = ()
    tool_calls: int = 0
    usage: Usage = _NOTHING
    cost: Cost | None = None


class Spread(NamedTuple):
    """How one distance is spread over several turns.

    Attributes
    ----------
    p50, p95 : float
        Milliseconds that half, and 95 of 100, of the turns stay within.
    n : int
        In how many turns it is known.
    """

    p50: float
    p95: float
    n: int


def percentile(values: Iterable[float], percent: float) -> float:
    """The value that `percent` of 100 `values` do not exceed, between neighbours in proportion.

    Raises
    ------
    ValueError
        There are no values.

    Examples
    --------
    >>> percentile([1, 2, 3, 4, 5], 50)
    3.0
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("a percentile of no values is not defined: give at least one")
    place = (len(ordered) - 1) * min(max(percent, 0.0), 100.0) / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return float(ordered[below] + (ordered[above] - ordered[below]) * (place - below))


def spread(of: Iterable[Turn]) -> dict[str, Spread]:
    """For each distance that is known in some turn its p50 and p95."""
    latencies = [turn.latency for turn in of]
    known: dict[str, Spread] = {}
    for field in fields(Latency):
        values = [value for latency in latencies if (value := getattr(latency, field.name)) is not None]
        if values:
            known[field.name] = Spread(percentile(values, 50), percentile(values, 95), len(values))
    return known
