"""How much one client of a relay may use: sessions, events and bytes a second, minutes and dollars a day.

Rates slow a client down: the relay takes its next event later, and nothing is lost. The others end its session. What a
client used is kept in this process, by the name that `rtnb.net.relay_access` gives it, and begins anew each day (UTC).
Pure: the clock is passed in.

May import `rtnb.core`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rtnb.core.errors import RtnbError

__all__ = ["Account", "Accounts", "Breach", "Bucket", "Limits"]

_DAY_S: Final = 86_400


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What each client may use; None: as much as it likes.

    Attributes
    ----------
    sessions
        Open at once.
    events_per_second, bytes_per_second
        Sent by the client, over all its sessions.
    minutes
        Connected, added up over its sessions, a day.
    dollars
        Spent, a day. Known when an answer ends, so one answer may go over it. What an ephemeral token spends is
        also spent by whoever minted it.
    """

    sessions: int | None = None
    events_per_second: float | None = None
    bytes_per_second: float | None = None
    minutes: float | None = None
    dollars: float | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and not value > 0:
                raise RtnbError(f"the limit {name} is more than 0, not {value!r}")


@dataclass(frozen=True)
class Breach:
    """A limit that was met.

    Attributes
    ----------
    limit
        Its name in `Limits`.
    code
        Of the ``error`` event, one that clients of the service know.
    message
        For the client's user.
    close_code
        The connection ends with it; None: it goes on, slower.
    """

    limit: str
    code: str
    message: str
    close_code: int | None = None


class Bucket:
    """A rate: so much a second, and as much again in one burst. What is taken beyond it is waited for.

    Parameters
    ----------
    rate
        A second.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._left = rate
        self._at = 0.0

    def take(self, amount: float, now: float) -> float:
        """Take so much; gives the seconds to wait before more may be taken.

        Parameters
        ----------
        amount
            Events or bytes.
        now
            Seconds of any clock that only goes forward.
        """
        self._left = min(self._rate, self._left + (now - self._at) * self._rate) - amount
        self._at = now
        return -self._left / self._rate if self._left < 0 else 0.0


class Account:
    """What one client uses.

    Parameters
    ----------
    limits
        What it may use.
    day
        Number of the day that it is for.
    payer
        Whose money it is as well; None: nobody else's.
    """

    def __init__(self, limits: Limits, day: int, payer: Account | None = None) -> None:
        self.limits = limits
        self.day = day
        self.payer = payer
        self.sessions = 0
        self.dollars = 0.0
        self._seconds = 0.0
        self._counted_at = 0.0
        rates = (limits.events_per_second, limits.bytes_per_second)
        self._events, self._bytes = (Bucket(rate) if rate else None for rate in rates)
        self.is_rated = any(rates)
        """Whether any rate is limited."""

    def enter(self, now: float) -> Breach | None:
        """Begin a session, unless a limit is met."""
        self._count(now)
        breach = self.breach(now)
        limit = self.limits.sessions
        if breach is None and limit is not None and self.sessions >= limit:
            words = f"This relay gives each client {_counted(limit, 'session')} at once: close one, then try again."
            breach = Breach("sessions", "rate_limit_exceeded", words, 1013)
        if breach is None:
            self.sessions += 1
        return breach

    def leave(self, now: float) -> None:
        """End a session."""
        self._count(now)
        self.sessions -= 1

    def breach(self, now: float) -> Breach | None:
        """The limit that is met now, if any."""
        self._count(now)
        limits = self.limits
        if limits.minutes is not None and self._seconds >= limits.minutes * 60:
            words = f"This relay gives each client {limits.minutes:g} minutes a day, and they are over."
            # not "session_expired": clients would connect again, and again
            return Breach("minutes", "insufficient_quota", words, 4000)
        spent = self.dollars if self.payer is None else max(self.dollars, self.payer.dollars)
        if limits.dollars is not None and spent >= limits.dollars:
            words = f"This relay lets each client spend ${limits.dollars:g} a day, and they are spent."
            return Breach("dollars", "insufficient_quota", words, 4000)
        return None

    def spend(self, dollars: float) -> None:
        """Count money."""
        self.dollars += dollars
        if self.payer is not None:
            self.payer.spend(dollars)

    def seconds_left(self, now: float) -> float | None:
        """How long all its sessions may go on together; None: for ever."""
        self._count(now)
        if self.limits.minutes is None:
            return None
        return (self.limits.minutes * 60 - self._seconds) / max(self.sessions, 1)

    def take(self, n_bytes: int, now: float) -> tuple[float, Breach | None]:
        """Count one event of the client: the seconds to wait before the next, and why."""
        by_events = self._events.take(1, now) if self._events is not None else 0.0
        by_bytes = self._bytes.take(n_bytes, now) if self._bytes is not None else 0.0
        if not by_events and not by_bytes:
            return 0.0, None
        if by_events >= by_bytes:
            name, words = "events_per_second", f"{self.limits.events_per_second:g} events a second"
        else:
            name, words = "bytes_per_second", f"{self.limits.bytes_per_second:g} bytes a second"
        message = f"This relay takes {words} from each client; yours come faster and are passed on slower."
        return max(by_events, by_bytes), Breach(name, "rate_limit_exceeded", message)

    def _count(self, now: float) -> None:
        self._seconds += self.sessions * (now - self._counted_at)
        self._counted_at = now


class Accounts:
    """The accounts of all clients, those of the day.

    Parameters
    ----------
    limits
        For each client.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._accounts: dict[str, Account] = {}

    def of(self, name: str, epoch: float, *, payer: str | None = None) -> Account:
        """The account of a client; a new one each day, once its sessions of yesterday are over.

        Parameters
        ----------
        name
            The client's.
        epoch
            Epoch seconds.
        payer
            The name of who pays for it.
        """
        day = int(epoch // _DAY_S)
        paying = self.of(payer, epoch) if payer is not None and payer != name else None
        account = self._accounts.get(name)
        if account is None or (account.day != day and not account.sessions):
            # only those of today and of open sessions are kept: names may be many
            self._accounts = {n: a for n, a in self._accounts.items() if a.day == day or a.sessions}
            account = self._accounts[name] = Account(self._limits, day)
        account.payer = paying
        return account


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
