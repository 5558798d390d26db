"""What a cell that shows a panel keeps for those who open the notebook later.

The panel itself needs a kernel, so the cell gets a second output: the session as HTML without scripts
(`rtnb.notebook.static`), which is written anew after each answer, when the connection ends and when the session is
saved. It is an output of its own because a front end builds a widget again whenever the output that holds it is
updated. While the panel is there to be seen, its style sheet hides the second output.

Imports `rtnb.session` and its neighbours in `rtnb.notebook`; IPython when it is there.
"""

from __future__ import annotations

import logging
import secrets
import threading
from typing import TYPE_CHECKING, Any, Final

from rtnb.notebook.static import session_html
from rtnb.session.session import SessionState

if TYPE_CHECKING:
    from rtnb.session.session import Session

__all__ = ["Kept"]

_AFTER_S: Final = 2.0
"""Writing starts so long after what happened, to take in what comes with it: the transcript of a question, say."""

_log = logging.getLogger(__name__)


class Kept:
    """The outputs that keep a session in view without a kernel; all of them are the same.

    Parameters
    ----------
    session
        What is kept.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._id = ""  # of the outputs; empty as long as there is none
        self._lock = threading.Lock()  # one writes at a time: the last that is written is the newest
        self._news = threading.Event()
        self._is_over = threading.Event()
        self._subscriptions = (
            ("session.state", self._changed),
            ("response.done", self._answered),
            ("conversation.item.input_audio_transcription.*", self._answered),
        )

    def show(self, widget: Any) -> None:
        """Show a widget in the current cell, and what is kept below it."""
        from IPython.display import display

        view = {name: data for name, data in widget._repr_mimebundle_().items() if "widget-view" in name}
        words = "A panel of this session stands here while there is a kernel; this is what was said:"
        with self._lock:
            is_first = not self._id
            bundle = self._bundle()  # before anything is shown: IPython shows the panel otherwise when this fails
            self._id = self._id or f"rtnb-{secrets.token_hex(8)}"
            display({"text/plain": words, **view}, raw=True)
            _publish(bundle, self._id, update=False)
        if is_first:
            for name, listener in self._subscriptions:
                self._session.on(name, listener)
            threading.Thread(target=self._follow, name="rtnb kept output", daemon=True).start()

    def update(self) -> None:
        """Write the session as it is now into all outputs, if there are any; from any thread."""
        with self._lock:
            if not self._id:
                return
            try:
                _publish(self._bundle(), self._id, update=True)
            except Exception:  # noqa: BLE001 - whoever closes or saves a session must not fail for a picture of it
                _log.exception("the notebook keeps an older picture of the session")

    def close(self) -> None:
        """Write for the last time."""
        self.update()
        for name, listener in self._subscriptions:
            self._session.off(name, listener)
        self._is_over.set()
        self._news.set()

    def _changed(self, state: SessionState) -> None:
        if state in (SessionState.CLOSED, SessionState.FAILED):
            self.update()

    def _answered(self, _: object) -> None:
        self._news.set()

    def _follow(self) -> None:
        while self._news.wait():
            if self._is_over.wait(_AFTER_S):
                return
            self._news.clear()
            self.update()

    def _bundle(self) -> dict[str, str]:
        html = f'<div class="rtnb-kept">{session_html(self._session)}</div>'
        session = self._session
        return {"text/plain": f"<Session {session.state.value}, {len(session.items)} items>", "text/html": html}


def _publish(bundle: dict[str, str], display_id: str, *, update: bool) -> None:
    from IPython.display import publish_display_data

    publish_display_data(bundle, metadata={}, transient={"display_id": display_id}, update=update)
