"""What the panel shows, as plain values: read from a session whenever it is looked at.

`Picture.look` gives parts by name, each a small object that a page draws by itself:

==============  ======================================================================================================
``connection``  state, why, endpoint, model, activity, playing, page_audio
``talk``        turn detection, whose microphone, who owns it, whether speech is heard
``settings``    model, voice, output, instructions: value, choices, and why it is locked; greet, when_busy
``captions``    the last rows of the conversation: who, what, how far it was heard
``account``     cost and latency in total and of the last turns, the budget
``counters``    events and audio, both ways
``notices``     what the user should know, newest last
==============  ======================================================================================================

What needs the whole log is counted once for each event; turns and cost are computed when a response has ended.

Imports `rtnb.session`, `rtnb.core` and its neighbours in `rtnb.notebook`.
"""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from rtnb.core.content import base64_bytes
from rtnb.core.errors import redact
from rtnb.core.log import Entry
from rtnb.core.prices import PRICES
from rtnb.core.protocol import BYTES_PER_MS, VOICES
from rtnb.core.usage import dollars
from rtnb.notebook.events import secrets_of
from rtnb.session.session import SessionState
from rtnb.session.telephone import format_of, is_telephone

if TYPE_CHECKING:
    from rtnb.core.conversation import Item
    from rtnb.session.session import Session

__all__ = ["Counter", "Picture", "detection_of"]

CAPTIONS: Final = 4
CAPTION_CHARS: Final = 600
TURNS: Final = 12
_G711: Final = 8  # bytes a millisecond
_SPECIAL: Final = re.compile(
    r"-(translate|whisper|\d{4}-\d{2}-\d{2})$"
)  # for other endpoints, or other kinds of session


class Counter:
    """Counts the events of a log, each once, whichever threads look."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen = 0
        self._bytes_per_ms = {"input": BYTES_PER_MS, "output": BYTES_PER_MS}  # as the server settled it
        self.sent = self.received = self.errors = self.answered = 0
        self.audio_sent_ms = self.audio_received_ms = 0.0
        self.has_spoken = False
        """The model has spoken since the connection was opened: from then on its voice is fixed."""

    def count(self, log: Any) -> None:
        """Count what is new."""
        with self._lock:
            while self._seen < len(log):
                self._one(log[self._seen])
                self._seen += 1

    def _one(self, entry: Entry) -> None:
        name = entry.name
        if entry.direction == "client":
            self.sent += 1
            if name == "input_audio_buffer.append":
                self.audio_sent_ms += base64_bytes(str(entry.event.get("audio") or "")) / self._bytes_per_ms["input"]
            return
        self.received += 1
        if name == "response.output_audio.delta":
            self.audio_received_ms += base64_bytes(str(entry.event.get("delta") or "")) / self._bytes_per_ms["output"]
            self.has_spoken = True
        elif name == "response.done":
            self.answered += 1
        elif name == "error":
            self.errors += 1
        elif name in ("session.created", "session.updated"):
            if name == "session.created":
                self.has_spoken = False
            for side in self._bytes_per_ms:
                named = format_of(entry.event.get("session") or {}, side)
                self._bytes_per_ms[side] = _G711 if is_telephone(named) else BYTES_PER_MS

    def to_dict(self) -> dict[str, Any]:
        """As the page shows it."""
        return {
            "sent": self.sent,
            "received": self.received,
            "errors": self.errors,
            "audio_sent_s": round(self.audio_sent_ms / 1000, 1),
            "audio_received_s": round(self.audio_received_ms / 1000, 1),
        }


class Picture:
    """Looks at one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._counter = Counter()
        self._clean = functools.lru_cache(maxsize=2 * CAPTIONS)(redact)  # most captions stay as they are
        self._account: dict[str, Any] = {}
        self._accounted: tuple[object, ...] = ()  # what the account was made from

    def look(self) -> dict[str, Any]:
        """All parts that follow from the session."""
        self._counter.count(self._session.events)
        return {
            "connection": self._connection(),
            "talk": self._talk(),
            "settings": self._settings(),
            "captions": self._captions(),
            "account": self._accounts(),
            "counters": {**self._counter.to_dict(), "dropped": self._session.dropped},
        }

    def _connection(self) -> dict[str, Any]:
        session = self._session
        state = session.state
        failure = getattr(session, "failure", None) or session._core.failure
        is_bad = state is SessionState.FAILED or (state is SessionState.CLOSED and failure is not None)
        why = (
            redact(str(failure), *secrets_of(session))
            if failure is not None and (is_bad or state is SessionState.RECONNECTING)
            else ""
        )
        return {
            "state": state.value,
            "why": why,
            "endpoint": session.endpoint,
            "model": session.model if state is SessionState.READY else session.next_model,
            "activity": session.activity.value,
            "playing": session.is_playing,
        }

    def _talk(self) -> dict[str, Any]:
        session = self._session
        return {
            "detection": detection_of(session.configured),
            "hears": session._core.hears_speech,
            "half_duplex": session.half_duplex,
        }

    def _settings(self) -> dict[str, Any]:
        session, state = self._session, self._session.state
        configured = session.configured
        output = configured.get("output_modalities") or ["audio"]
        voice = _at(configured, "audio", "output", "voice")
        if isinstance(voice, Mapping):
            voice = voice.get("id")
        model = session.model if state is SessionState.READY else session.next_model
        models = [name for name in PRICES if name.startswith("gpt-realtime") and not _SPECIAL.search(name)]
        busy = "wait until it is connected" if state in (SessionState.CONNECTING, SessionState.RECONNECTING) else ""
        ready = state is SessionState.READY
        return {
            "model": {
                "value": model or "",
                "choices": _with(models, model),
                "locked": busy or ("fixed while connected: disconnect to choose another one" if ready else ""),
            },
            "voice": {
                "value": voice or "",
                "choices": _with(list(VOICES), voice),
                "locked": busy
                or (
                    "the model has spoken: its voice is fixed until a new session"
                    if ready and self._counter.has_spoken
                    else ""
                ),
            },
            "output": {"value": "text" if list(output) == ["text"] else "audio", "locked": busy},
            "instructions": {"value": configured.get("instructions") or "", "locked": busy},
            "detection_locked": busy,
        }

    def _captions(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        secrets = secrets_of(self._session)
        item = self._session._core.conversation.last
        while item is not None and len(rows) < CAPTIONS:
            if item.type == "message" and item.role in ("user", "assistant"):
                rows.append(self._caption(item, secrets))
            elif item.type == "function_call":
                state = "done" if item.answer is not None else "growing"
                text = self._clean(f"{item.name}({item.arguments})", *secrets)
                rows.append({"id": item.id, "who": "tool", "text": text, "state": state})
            item = item.previous
        return rows[::-1]

    def _caption(self, item: Item, secrets: tuple[str, ...]) -> dict[str, Any]:
        said = item.text
        text = self._clean(said, *secrets)
        row: dict[str, Any] = {"id": item.id, "who": item.role, "text": text[-CAPTION_CHARS:], "state": "done"}
        if item.role == "user":
            if not text:
                row["state"] = {"awaiting": "awaiting", "failed": "failed"}.get(item.transcription, "sound")
            return row

        def shown(letters: int) -> int:
            """So many letters of what was said, as letters of the caption."""
            if text != said:
                letters = min(len(text), len(redact(said[:letters], *secrets)))
            return max(0, letters - max(0, len(text) - CAPTION_CHARS))

        if item.truncated_at_ms is not None:
            row |= {"state": "interrupted", "heard": shown(len(item.heard_transcript))}
            return row
        heard = self._session.heard_so_far(item)
        if heard is not None and heard < len(said):
            row["heard"] = shown(heard)
        row["state"] = "done" if item.done else "growing"
        return row

    def _accounts(self) -> dict[str, Any]:
        session, core = self._session, self._session._core
        spending = core.spending
        now = (self._counter.answered, len(core.sound.first_heard), len(spending.charges), spending.prices)
        if now != self._accounted:
            self._accounted = now
            self._account = _account_of(session)
        limit = session.budget
        return self._account if limit is None else {**self._account, "budget": _budget(limit, spending.spent)}


def _account_of(session: Session) -> dict[str, Any]:
    cost, usage, spread = session.cost, session.usage, session.latency
    rows = []
    turns = session.turns
    for number, turn in list(enumerate(turns, 1))[-TURNS:]:
        latency = turn.latency
        turn_cost = getattr(turn, "cost", None)
        rows.append(
            {
                "number": number,
                "kind": turn.kind,
                "status": turn.status,
                "first": _ms(latency.first_audio if latency.first_audio is not None else latency.first_text),
                "heard": _ms(latency.first_heard),
                "done": _ms(latency.done),
                "cost": dollars(float(turn_cost)) if turn_cost is not None else "",
            }
        )
    first = spread.get("first_heard") or spread.get("first_audio") or spread.get("first_text")
    return {
        "cost": str(cost) if cost is not None else "price unknown",
        "short": _short(cost),
        "free": session._core.endpoint.is_free,
        "tokens": int(getattr(usage, "total", 0) or 0),
        "answers": len(turns),
        "latency": {"p50": _ms(first.p50), "p95": _ms(first.p95), "n": first.n} if first is not None else None,
        "turns": rows,
        "budget": None,
    }


def _short(cost: Any) -> str:
    if cost is None:
        return "?"
    if not cost.unknown:
        return dollars(cost.usd)
    return f"at least {dollars(cost.at_least)}" if cost.at_least else "cost unknown"


def _budget(limit: float, spent: float) -> dict[str, Any]:
    part = min(1.0, spent / limit) if limit else 1.0
    return {"limit": dollars(limit), "spent": dollars(spent), "part": round(part, 3), "is_spent": spent >= limit}


def detection_of(configured: Mapping[str, Any]) -> dict[str, Any] | None:
    """The turn detection of a session object; None when the user says when a turn ends."""
    detection = _at(configured, "audio", "input", "turn_detection")
    return dict(detection) if isinstance(detection, Mapping) else None


def _at(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _with(choices: list[str], value: str | None) -> list[str]:
    return choices if not value or value in choices else [value, *choices]


def _ms(value: float | None) -> int | None:
    return None if value is None else round(value)
