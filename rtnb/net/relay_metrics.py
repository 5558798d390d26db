"""What a relay counts, in the text format of Prometheus.

Written by hand: a dozen numbers and one page of format do not pay for a dependency (``prometheus_client`` also brings a
registry for the whole process, and labels with locks that each event would take). No label holds what a client said.

Imports nothing of rtnb.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

__all__ = ["Metrics"]

_HELP: Final = {
    "rtnb_relay_open_sessions": ("gauge", "Sessions that are open."),
    "rtnb_relay_draining": ("gauge", "1 while the relay ends and takes no new session."),
    "rtnb_relay_sessions_total": ("counter", "Sessions that were opened, by the client's dialect."),
    "rtnb_relay_refused_total": ("counter", "Clients that were turned away, by reason."),
    "rtnb_relay_upstream_failures_total": ("counter", "Upstream connections that could not be opened, by reason."),
    "rtnb_relay_events_total": ("counter", "Events passed on, by who sent them."),
    "rtnb_relay_bytes_total": ("counter", "Characters of the events passed on, by who sent them."),
    "rtnb_relay_limits_total": ("counter", "Times that a client met a limit, by limit."),
    "rtnb_relay_closed_total": ("counter", "Sessions that ended, by who ended them and close code."),
    "rtnb_relay_dollars_total": ("counter", "What the upstream's answers cost, as far as prices are known."),
    "rtnb_relay_session_seconds_total": ("counter", "Length of all sessions that ended, added up."),
    "rtnb_relay_upstream_connect_seconds_total": ("counter", "Time until upstream was open, added up."),
}

_CODES: Final = frozenset({1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 1015})


class Metrics:
    """The numbers of one relay."""

    def __init__(self) -> None:
        self._values: Counter[tuple[str, str]] = Counter()  # (name, labels as text)

    def add(self, name: str, amount: float = 1, **labels: object) -> None:
        """Count; `name` without the prefix ``rtnb_relay_``.

        Parameters
        ----------
        name
            One that this module describes.
        amount
            How much; negative only for gauges.
        labels
            Words of the relay, never of a client.
        """
        text = ",".join(f'{label}="{value}"' for label, value in labels.items())
        self._values[f"rtnb_relay_{name}", text] += amount  # type: ignore[assignment]

    def closed(self, by: str, code: int) -> None:
        """Count the end of a session; codes that anybody may choose are counted together."""
        known = str(code) if code in _CODES else f"{code // 1000}xxx"
        self.add("closed_total", by=by, code=known)

    def get(self, name: str, **labels: object) -> float:
        """One number, for tests and for the page."""
        text = ",".join(f'{label}="{value}"' for label, value in labels.items())
        return self._values[f"rtnb_relay_{name}", text]

    def text(self) -> str:
        """All of them, as Prometheus reads it."""
        lines: list[str] = []
        for name, (kind, help_text) in _HELP.items():
            lines += [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}"]
            found = sorted((labels, value) for (each, labels), value in self._values.items() if each == name)
            if not found and "by" not in help_text:
                found = [("", 0)]
            lines += [
                f"{name}{{{labels}}} {value:.10g}" if labels else f"{name} {value:.10g}" for labels, value in found
            ]
        return "\n".join(lines) + "\n"
