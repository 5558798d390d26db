"""`Panel`: the console of a session. ``session.panel``, or a session on the last line of a cell.

One for each session, shown as often as one likes: all views are of one state, and the sound is that of the one
`AudioIO` of the kernel. Theory of operation:

1. A page tells what its user does (`rtnb.notebook.panel_wire`); whatever thread the message comes on, it is handed to
   the panel's own loop, where `rtnb.notebook.panel_desk` carries it out. Nothing of it needs the kernel's main thread,
   which a busy cell holds.
2. The same loop looks at the session (`rtnb.notebook.panel_state`), ten times a second while a page shows the panel
   and the session is open, and tells the pages the parts that changed.
3. What needs to be quick happens in the page: silence, recording, mute, and all that is drawn.

What the page does can be done from Python too: `Panel.connect`, `Panel.press_record`, `Panel.ask` and so on.

Imports `rtnb.session`, `rtnb.core` and its neighbours in `rtnb.notebook`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import ipywidgets

from rtnb.core.audio import Audio
from rtnb.core.errors import ServerError, WaitTimeout, redact
from rtnb.notebook.checkup import other_ways
from rtnb.notebook.events import secrets_of
from rtnb.notebook.kept import Kept
from rtnb.notebook.live import in_kernel
from rtnb.notebook.panel_desk import Desk
from rtnb.notebook.panel_notices import Level, Notices
from rtnb.notebook.panel_state import Picture, detection_of
from rtnb.notebook.panel_views import Views, shipped_clips, static_html
from rtnb.notebook.panel_wire import Console
from rtnb.notebook.recording import shared_audio
from rtnb.session.bell import Bell
from rtnb.session.runner import Runner
from rtnb.session.session import SessionState

if TYPE_CHECKING:
    from rtnb.session.reply import Reply
    from rtnb.session.session import Session

__all__ = ["Panel", "panel_of"]

LOOK_S: Final = 0.1
REST_S: Final = 2.0
PAGE_S: Final = 180.0  # browsers let hidden pages speak once a minute; a page says hello every 20 s
ANSWER_S: Final = 60.0
_GRACE_S: Final = 1.0  # a connection that takes too long says so itself, in better words
_SILENCE_AFTER_S: Final = 1.0

_log = logging.getLogger(__name__)


def panel_of(session: Session) -> Panel:
    """Make the panel of a session (the service ``session.panel``)."""
    return Panel(session)


class Panel:
    """The console of one session.

    Parameters
    ----------
    session
        Whose panel it is. Use ``session.panel``, which makes it once.
    audio
        Something with a ``microphone`` and a ``speaker``; the kernel's shared `AudioIO` when not given.

    Attributes
    ----------
    session : Session
    audio : AudioIO
    clips : dict of str to Audio or path
        Recorded questions that the panel offers where there is no microphone; add your own.
    greeting : str or None
        Sent as the first question when the panel's Connect opens a connection; None, for no greeting, at first.
    when_busy : {"interrupt", "queue"}
        What a typed question does while the model speaks.

    Examples
    --------
    >>> session.panel  # doctest: +SKIP
    >>> session.panel.press_record(rtnb.Audio.speak("What time is it?")).text  # doctest: +SKIP
    """

    def __init__(self, session: Session, audio: Any = None) -> None:
        self.session = session
        self.audio = audio if audio is not None else shared_audio()
        self.clips: dict[str, Audio | Path] = dict(shipped_clips())
        self._ways = [{"name": way.name, "works": way.works, "reason": way.reason} for way in other_ways()]
        self.greeting: str | None = None
        self.when_busy: Literal["interrupt", "queue"] = "interrupt"
        self.is_closed = False
        self.notices = Notices(self._wake)
        self._devices: Any = self.audio  # or the kernel's own
        self._source = "page"
        self._picture = Picture(session)
        self._runner = Runner("rtnb panel")
        self._desk = Desk(self)
        self._pages: dict[str, float] = {}  # when each page last said that it is there
        self._told: dict[str, str] = {}  # parts of the state, as the pages know them
        self._news = asyncio.Event()
        self._ticker: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.console = Console(self.audio if isinstance(self.audio, ipywidgets.Widget) else None, self._take)
        self._views = Views(session, self.console)
        self._kept = Kept(session)
        session.on("session.state", self._wake)
        session.on("session.hint", self._hinted)
        session.on("error", self._errored)

    def __repr__(self) -> str:
        shown = "closed" if self.is_closed else f"{len(self._pages)} pages"
        return f"<Panel of {self.session!r}, {shown}>"

    @property
    def widget(self) -> Any:
        """The whole panel as a widget, to be put into a layout of your own."""
        return self._views.widget

    @property
    def devices(self) -> Any:
        """Where it records and plays: `audio`, or the kernel's own devices."""
        return self._devices

    @property
    def state(self) -> dict[str, Any]:
        """All that the panel shows, as plain values by part; see `rtnb.notebook.panel_state`."""
        parts = self._picture.look()
        capture = self.session._core.capture
        parts["talk"] |= {
            "source": self._source,
            "owns": self._owns_microphone,
            "recording": capture.is_recording,
        }
        parts["settings"] |= {
            "greet": self.greeting is not None,
            "when_busy": self.when_busy,
            "clips": list(self.clips),
            "ways": self._ways,
        }
        return {**parts, "notices": self.notices.to_dict()}

    # ---- what a user does, from Python

    def connect(self, timeout: float = 20.0) -> None:
        """Press Connect, and wait until the connection is open.

        Raises
        ------
        ConnectionFailed
            It could not be opened, or not within `timeout` seconds.
        WaitTimeout
            The endpoint took it in time, and was not ready a second later.
        """
        self._do("connect", timeout + _GRACE_S, timeout=timeout)

    def disconnect(self) -> None:
        """Press Disconnect."""
        self._do("disconnect", 10.0)

    def new_session(self) -> None:
        """Press New session: an empty conversation with the same settings."""
        self._do("new", 30.0)

    def ask(self, content: Any) -> Reply:
        """Send a question, typed or as sound; while the model speaks it interrupts or waits, as `when_busy` says."""
        return self.session.ask(content, interrupt=self.when_busy == "interrupt")

    def interrupt(self) -> bool:
        """Press Stop; True when there was something to stop."""
        return self.session.interrupt()

    def set_turn_detection(self, kind: str | Mapping[str, Any] | None) -> None:
        """Switch who says when a turn ends: None, ``"server_vad"``, ``"semantic_vad"`` or an object with parameters."""
        self.session.update(turn_detection=kind)
        self._wake()

    def press_record(self, clip: Audio | None = None, timeout: float = ANSWER_S) -> Reply | None:
        """Press Record.

        Parameters
        ----------
        clip
            Spoken instead of the microphone, as if the button were held just as long: gives the reply. With turn
            detection it is streamed with a second of silence after it, and the server says where the turn ends.
            Without a clip the microphone records until `release_record`.
        timeout
            Seconds to wait for the server to take the turn.

        Raises
        ------
        ProtocolError
            The clip is shorter than 100 ms, which the service refuses.
        WaitTimeout
            With turn detection: the server heard no turn in the clip.
        """
        if clip is None:
            self.claim()
            self._devices.microphone.start()
            return None
        session = self.session
        if detection_of(session.configured) is None:
            with session.recording() as answers:
                session.append_audio(clip)
            return answers[0]
        session.connect()
        known = len(session.replies)
        bell, begun = Bell(), []

        def begin(event: Any) -> None:
            begun.append(event)
            bell.ring()

        listener = session.on("response.created", begin)
        try:
            session.append_audio(clip + Audio.silence(_SILENCE_AFTER_S, rate=clip.rate))
            if not bell.wait_until(lambda: begun, timeout) or len(session.replies) <= known:
                raise WaitTimeout(
                    f"the server heard no turn within {timeout:.0f} s: is there speech in the clip, and is the "
                    "threshold of the turn detection low enough?"
                )
        finally:
            session.off("response.created", listener)
        return session.replies[known]

    def release_record(self) -> None:
        """Release Record: without turn detection what was said is committed and answered."""
        self._devices.microphone.stop()

    def use(self, source: str) -> None:
        """Record and play with the devices of the ``"page"``, or of the ``"kernel"`` (the extra ``sounddevice``)."""
        before = self._devices
        if source == "kernel":
            from rtnb.notebook.kernel_audio import KernelAudio, load_sounddevice

            load_sounddevice()
            self._devices = before if self._source == "kernel" else KernelAudio()
        elif source == "page":
            self._devices = self.audio
        else:
            raise ValueError(f"a source is 'page' or 'kernel', not {source!r}")
        self._source = source
        self.session.attach(self._devices)
        if before is not self._devices:
            self._give_back(before)
        self._wake()

    def _give_back(self, devices: Any) -> None:
        """Close the kernel's devices, after the session has let them go; the page's are for all panels."""
        if devices is not self.audio:
            self.session._core.runner.post(devices.close)

    def claim(self) -> None:
        """Take the microphone for this session, if another one has it."""
        if not self._owns_microphone:
            self.session.attach(microphone=None)
            self.session.attach(microphone=self._devices.microphone)
        self._wake()

    @property
    def _owns_microphone(self) -> bool:
        capture, microphone = self.session._core.capture, self._devices.microphone
        return capture.microphone is microphone and bool(getattr(microphone, "on_audio", None) == capture.take)

    def dismiss(self, number: int) -> None:
        """Take a notice away."""
        self.notices.remove(number)

    def close(self) -> None:
        """Take the panel out of all pages, and give the kernel's devices back if it uses them.

        The session stays as it is. ``session.panel`` makes a new panel.
        """
        if self.is_closed:
            return
        self.is_closed = True
        for name, listener in (
            ("session.state", self._wake),
            ("session.hint", self._hinted),
            ("error", self._errored),
        ):
            self.session.off(name, listener)
        self._runner.stop()  # whatever was about to be told comes before the last word
        self.console.tell({"kind": "gone"})
        self._kept.close()
        self._views.close()
        if self._source == "kernel":
            core, devices = self.session._core, self._devices
            core.attach(
                speaker=None if core.sound.speaker is devices.speaker else ...,
                microphone=None if core.capture.microphone is devices.microphone else ...,
            )
            self._give_back(devices)

    # ---- how it shows itself

    def keep(self) -> None:
        """Write the session as it is now into the cells that show the panel, for those who open the notebook later.

        That happens by itself soon after each answer, when the connection ends, and when the session is saved.
        """
        self._kept.update()

    def _ipython_display_(self) -> None:
        if self.is_closed or not in_kernel():
            raise NotImplementedError("there is no live panel to show: `_repr_mimebundle_` says what there is")
        self._kept.show(self.widget)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        bundle: dict[str, Any] = {"text/plain": repr(self.session)}
        bundle["text/html"] = static_html(self.session)
        if not self.is_closed:
            view = self.widget._repr_mimebundle_()
            bundle |= {kind: value for kind, value in (view or {}).items() if "widget-view" in kind}
        return bundle

    # ---- messages of the pages; on the panel's loop but for `_take`

    def _take(self, message: dict[str, Any], buffers: list[bytes]) -> None:
        if not self.is_closed:
            self._runner.post(self._received, message, buffers)

    def _received(self, message: dict[str, Any], buffers: list[bytes]) -> None:
        kind, page = str(message["kind"]), str(message.get("page") or "")
        if kind == "bye":
            self._pages.pop(page, None)
            return
        self._welcome(page)
        if kind == "hello":
            self.console.tell({"kind": "state", "to": page, "parts": self.state})
            return
        self._keep(asyncio.ensure_future(self._carry_out(kind, message, buffers)))

    def _welcome(self, page: str) -> None:
        self._pages[page] = time.monotonic()
        core = self.session._core
        if core.sound.speaker is None and core.capture.microphone is None:
            self.session.attach(self._devices)  # not before a page shows it: without one nobody would hear anything
        if self._ticker is None or self._ticker.done():
            self._ticker = asyncio.ensure_future(self._tick())

    async def _carry_out(self, kind: str, message: dict[str, Any], buffers: list[bytes]) -> None:
        try:
            await self._desk.carry_out(kind, message, buffers)
            ok = True
        except Exception:  # noqa: BLE001 - it was told
            ok = False
        self._paint()
        self.console.tell({"kind": "answer", "to": message.get("page"), "n": message.get("n"), "ok": ok})

    def _do(self, kind: str, seconds: float, **message: Any) -> None:
        """Carry out what a page would ask for, and wait; errors are raised here and shown in the panel too."""
        self._runner.call(self._desk.carry_out_within(seconds, kind, message))
        self._wake()

    # ---- looking

    def _wake(self, _: object = None) -> None:
        if self._pages and not self.is_closed:
            self._runner.post(self._news.set)

    async def _tick(self) -> None:
        """Tell the pages what changed, as long as there are any."""
        while self._pages and not self.is_closed:
            try:
                self._paint()
            except Exception:  # noqa: BLE001 - one bad look must not end the looking; it is logged
                _log.exception("the panel could not be drawn")
            is_open = self.session.state not in (SessionState.IDLE, SessionState.CLOSED, SessionState.FAILED)
            self._news.clear()
            try:
                async with asyncio.timeout(LOOK_S if is_open or self.session.is_playing else REST_S):
                    await self._news.wait()
                await asyncio.sleep(LOOK_S / 2)  # at most 20 pictures a second, whatever happens
            except TimeoutError:
                pass
            limit = time.monotonic() - PAGE_S
            self._pages = {page: seen for page, seen in self._pages.items() if seen > limit}

    def _paint(self) -> None:
        changed = {}
        for name, part in self.state.items():
            text = json.dumps(part, sort_keys=True, default=str)
            if self._told.get(name) != text:
                self._told[name] = text
                changed[name] = part
        if changed and self._pages:
            self.console.tell({"kind": "state", "parts": changed})

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- what the session has to say

    def _hinted(self, text: Any) -> None:
        told = self._tell("hint", str(text))
        if not self._views.is_made:
            _log.warning("%s", told)  # nobody has looked at the panel yet

    def _errored(self, event: Any) -> None:
        error = ServerError(event)
        if getattr(error, "code", None) == "response_cancel_not_active":
            return  # a race was lost, nothing more: the answer was over when it was to be stopped
        told = self._tell("error", str(error), error.event)
        if not self._views.is_made:
            _log.warning("the server reported an error: %s", told)

    def _tell(self, level: Level, text: str, event: Mapping[str, Any] | None = None) -> str:
        """Show a notice; gives its words, in which there is no key."""
        text = redact(text, *secrets_of(self.session))
        self.notices.add(level, text, event)
        return text
