"""AudioIO: the microphone and the loudspeaker of the page, as one widget.

The sound lives in the page (``audio_io.js``), in one AudioContext at the device's rate; the bytes cross on the lanes
of `rtnb.notebook.lanes`; the table of messages stands in `rtnb.notebook.wires`. Here is what the kernel sees of it:
`AudioIO.speaker` and `AudioIO.microphone` (of `rtnb.notebook.page_audio`), which a session takes as they are, and
traits that tell the state in words.

Callbacks and trait changes come from the hub's thread: hand over, never block.
"""

from __future__ import annotations

import logging
import pathlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import anywidget
import ipywidgets
import numpy as np
import traitlets

from rtnb.core.errors import RtnbError, WaitTimeout
from rtnb.core.protocol import RATE
from rtnb.notebook.collecting import Collector
from rtnb.notebook.lanes import Link
from rtnb.notebook.modules import joined
from rtnb.notebook.page_audio import PageMicrophone, PageSpeaker
from rtnb.notebook.wires import Header

__all__ = ["COMM_WARNING", "AudioIO"]

COMM_WARNING: Final = (
    "Audio goes over widget messages here, the last resort: while the microphone streams, outputs of running cells "
    "may appear late, twice or in the wrong place, and nothing arrives while a cell runs. For a better lane install "
    "jupyter-server-proxy beside the Jupyter server, or open the notebook in JupyterLab."
)
"""What `AudioIO.lane_note`, and the page, say on the lane ``comm``."""

LEVEL_S: Final = 0.05

_log = logging.getLogger(__name__)


class AudioIO(anywidget.AnyWidget):  # type: ignore[misc]
    """Microphone and loudspeaker of the page that shows this notebook.

    Display it for its small view (talk, mute, level, device); it works undisplayed too. The traits below that have no
    word about setting them are written by the page.

    Attributes
    ----------
    speaker : PageSpeaker
        Plays 24 kHz PCM16, counts what was heard.
    microphone : PageMicrophone
        Delivers 24 kHz PCM16 frames.
    lane, lane_ms, lane_note
        How audio crosses: ``websocket``, ``proxy``, ``control``, ``comm`` or empty; its measured round trip; a warning.
    recording, muted, device, devices, level
        State of the microphone; `muted` and `device` (an id of `devices`) may be set. `level` is in dBFS.
    microphone_state
        ``off``, ``opening``, ``on`` or ``refused``.
    sound
        ``off`` (nothing played yet), ``starting``, ``running``, ``blocked`` (until a click in the page) or ``failed``.
    error
        The last refusal or failure, in words; empty when all is well.
    dropped, underruns
        Microphone frames lost so far; times the loudspeaker ran dry.
    source
        May be set to an ipywebrtc MediaStream, which then takes the microphone's place.
    echo_cancellation, noise_suppression, auto_gain, preroll_ms, prebuffer_ms, keep_open_s, context_rate, lanes
        Options, read by the page when it opens microphone, sound or lane. `keep_open_s`: how long the microphone stays
        open after a recording, so that the next begins at once and with pre-roll. `context_rate` 0: the device's own.

    Examples
    --------
    >>> audio = AudioIO()
    >>> audio.speaker.on_heard = lambda item, samples, final: print(item, samples / 24_000, final)
    >>> audio.speaker.play("item_1", pcm); audio.speaker.end("item_1")  # doctest: +SKIP
    """

    _esm = joined(pathlib.Path(__file__).with_suffix(".js"))

    _address = traitlets.Dict().tag(sync=True)
    _comm_warning = traitlets.Unicode(COMM_WARNING).tag(sync=True)
    lanes = traitlets.List(traitlets.Unicode(), ["websocket", "proxy", "control", "comm"]).tag(sync=True)
    muted = traitlets.Bool(False).tag(sync=True)
    _mutes = traitlets.Int(0).tag(sync=True)  # how often it was set here: a page may not know yet
    device = traitlets.Unicode("").tag(sync=True)
    source = traitlets.Instance(ipywidgets.Widget, allow_none=True).tag(sync=True, **ipywidgets.widget_serialization)
    echo_cancellation = traitlets.Bool(True).tag(sync=True)
    noise_suppression = traitlets.Bool(True).tag(sync=True)
    auto_gain = traitlets.Bool(True).tag(sync=True)
    preroll_ms = traitlets.Int(300).tag(sync=True)
    prebuffer_ms = traitlets.Int(200).tag(sync=True)
    keep_open_s = traitlets.Float(20.0).tag(sync=True)
    context_rate = traitlets.Int(0).tag(sync=True)

    # Not synchronised: the page is where they come from, over the lane. No stream of widget messages for them.
    lane = traitlets.Unicode("")
    lane_ms = traitlets.Float(None, allow_none=True)
    lane_note = traitlets.Unicode("")
    recording = traitlets.Bool(False)
    microphone_state = traitlets.Unicode("off")
    sound = traitlets.Unicode("off")
    error = traitlets.Unicode("")
    devices = traitlets.List(traitlets.Dict())
    level = traitlets.Float(-100.0)
    dropped = traitlets.Int(0)
    underruns = traitlets.Int(0)

    def __init__(self, **options: Any) -> None:
        self._lost_by_page = 0
        self._lost_on_way = 0
        self._take = -1
        self._next_seq = 0
        self._level_at = 0.0
        self._refusals = 0
        self._told_muted = False  # the page is where the change of `muted` comes from
        self._collectors: list[Callable[[bytes], None]] = []
        self._recorders = 0  # calls of `record` that began their recording
        self._is_own = False  # theirs is running, or about to: nobody else hears of it
        self._own_take = -1  # its number; -1 before it is known
        self._link = Link(self, self._post)
        self.speaker = PageSpeaker(self._link, self._show_failure)
        self.microphone = PageMicrophone(self._link, self._why_silent, lambda: self._recorders > 0)
        super().__init__(_address=self._link.address, **options)
        self.observe(self._on_muted, "muted")
        self.on_msg(lambda _, content, buffers: self._link.post(content, buffers))
        kernel = getattr(_ipython(), "kernel", None)
        self._has_control = self._link.hub.listen_on_control(kernel)

    def __repr__(self) -> str:
        lane = (
            f"{self.lane}, {self.lane_ms:.1f} ms"
            if self.lane and self.lane_ms is not None
            else self.lane or "no page yet"
        )
        return f"<AudioIO {lane}, microphone {self.microphone_state}, sound {self.sound}>"

    def close(self) -> None:
        """Close microphone, sound and lanes, and take the widget away. May be called twice."""
        self._link.close()
        self.speaker.on_page(None)
        super().close()

    def record(self, seconds: float, timeout: float = 30.0) -> bytes:
        """Record from the page's microphone and wait for it: 24 kHz PCM16.

        A session that is attached does not hear it, unless its microphone is recording already. Works in a cell on
        every lane but ``comm``: there the page's messages are only handled after the cell.

        Parameters
        ----------
        seconds
            How much to record; pre-roll is left out.
        timeout
            Seconds to wait, beyond `seconds`, for the page, the user's permission and the device.

        Raises
        ------
        RtnbError
            The microphone was refused, or the lane cannot deliver while a cell runs; the text says what to do.
        WaitTimeout
            Nothing came in time.
        """
        collect = Collector(round(seconds * RATE) * 2)
        self._collectors.append(collect)
        begins = self._is_own or not self.recording
        if begins:
            self._recorders += 1
            self._is_own = True
            self.microphone.start()
        deadline = time.monotonic() + seconds + timeout
        refused_before = self._refusals
        try:
            while not collect.wait(0.1):
                if self.lane == "comm" and threading.current_thread() is threading.main_thread():
                    raise RtnbError(
                        "record() cannot wait in a cell here: audio comes over widget messages, which the kernel "
                        "handles after the cell. Call microphone.start() in one cell, look in the next. " + COMM_WARNING
                    )
                if self._refusals > refused_before:
                    raise RtnbError(self.error)
                if time.monotonic() > deadline:
                    raise WaitTimeout(f"No recording after {seconds + timeout:.0f} s: {self._why_silent()}")
        finally:
            self._collectors.remove(collect)
            if begins:
                self._recorders -= 1
                if not self._recorders:
                    self.microphone.stop(release=True)
                    self._is_own = self.recording  # its last frames are still to come
        return collect.pcm

    def _why_silent(self) -> str:
        if not self.lane:
            return "no page is connected. Is the notebook open in a browser, and does it show this widget?"
        if self.error:
            return str(self.error)
        if self.microphone_state == "opening":
            return "the browser still asks for permission, or the device does not open."
        if self.sound == "blocked":
            return "the browser waits for a click in the page before it starts sound."
        return "the page sends no audio."

    # ---- the link's owner, on the hub's thread

    def _post(self, content: Header, buffers: list[bytes]) -> None:
        self.send(content, buffers)

    def on_message(self, header: Header, payload: bytes) -> None:
        """Take a message of the page (called by the link)."""
        kind = header["kind"]
        if kind == "audio":
            self._on_frame(header, payload)
        elif kind == "heard":
            reports = [(str(item), int(samples), bool(final)) for item, samples, final in header["reports"]]
            self.speaker.take_reports(reports, stopped=header.get("stopped") is True)
            self.underruns = int(header.get("underruns", 0))
        elif kind == "state":
            self._on_state(header)
        elif kind == "device":
            self.device = str(header.get("id", ""))

    def _on_muted(self, change: dict[str, Any]) -> None:
        """Tell the page over the lane, as for the microphone: widget messages may come later than what follows."""
        if self._told_muted:
            self._told_muted = False
            return
        self._mutes += 1
        self._link.send({"kind": "mute", "on": change["new"], "n": self._mutes})

    def _on_frame(self, header: Header, payload: bytes) -> None:
        seq, take = int(header["seq"]), int(header["take"])
        if take != self._take:
            self._take, self._next_seq = take, 0
        if seq >= 0:
            gap = max(0, seq - self._next_seq)
            self._next_seq = seq + 1
            self._lost_on_way += gap
        # The page counts what it had to drop; that is a gap in the numbers too, and counted once.
        self._lost_by_page = max(self._lost_by_page, int(header.get("dropped", 0)))
        lost = max(self._lost_on_way, self._lost_by_page)
        if lost > self.dropped:
            self.dropped = lost
            self._callback("on_dropped", lost)
        if not payload:
            return
        if (not self.recording or self._is_own) and not header.get("last"):
            self._set_recording(True, take)
        now = time.monotonic()
        if now - self._level_at >= LEVEL_S:
            self._level_at = now
            samples = np.frombuffer(payload[: len(payload) & ~1], "<i2").astype(np.float32) / 32768
            self.level = float(max(-100.0, 10 * np.log10(float(np.mean(samples**2)) + 1e-12)))
        for collect in () if header.get("pre") else tuple(self._collectors):
            collect(payload)
        if not self._is_own:
            self._callback("on_audio", payload, seq)

    def _on_state(self, header: Header) -> None:
        before = self.microphone_state
        for name, key in (("microphone_state", "microphone"), ("sound", "sound"), ("error", "error")):
            setattr(self, name, str(header.get(key, "")))
        if self.microphone_state == "refused" and before != "refused":
            self._refusals += 1
        self.devices = [dict(device) for device in header.get("devices", ())]
        if self.muted != bool(header.get("muted")) and int(header.get("mutes", 0)) >= self._mutes:
            self._told_muted = True
            self.muted = bool(header.get("muted"))
        self._set_recording(header.get("recording") is True, int(header.get("take", -1)))
        if self.microphone_state != "on":
            self.level = -100.0

    def _set_recording(self, on: bool, take: int = -1) -> None:
        is_own, was_on = self._is_own, self.recording
        if on and is_own and take >= 0:
            if self._own_take < 0 or self._recorders:
                self._own_take = take
            elif take != self._own_take:  # the next one, begun before the end of that was told
                self._is_own = is_own = was_on = False
        self.recording = on
        if on != was_on and not is_own:
            self._callback("on_recording", on)
        if not on and was_on:
            self._is_own = self._recorders > 0
        if not self._is_own:
            self._own_take = -1

    def on_page(self, page: str | None) -> None:
        """Another page shows the notebook now, or none (called by the link)."""
        self.speaker.on_page(page)
        self._take, self._lost_by_page, self._lost_on_way = -1, self.dropped, self.dropped
        self._set_recording(False)
        if page is None:
            self.microphone_state = self.sound = "off"
            self.level = -100.0

    def on_lane(self, name: str, ms: float | None, tried: Sequence[str]) -> None:
        """Another lane is in use, or was measured (called by the link)."""
        self.lane = name
        self.lane_ms = ms
        if tried:
            _log.info("audio lane %s; better ones failed: %s", name, "; ".join(tried))
        self.lane_note = COMM_WARNING if name == "comm" else ""

    def _callback(self, name: str, *args: object) -> None:
        fn = getattr(self.microphone, name)
        if fn is not None:
            try:
                fn(*args)
            except Exception as exc:  # noqa: BLE001 - a callback must not end the lane; it is shown
                self._show_failure(name, exc)

    def _show_failure(self, name: str, exc: BaseException) -> None:
        _log.error("the callback %s failed", name, exc_info=exc)
        self.error = f"{name} failed: {type(exc).__name__}: {exc}"


def _ipython() -> Any:
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return get_ipython()
