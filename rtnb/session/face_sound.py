"""The sound of a session: the input buffer, the microphone, the loudspeaker. A part of `rtnb.Session`.

Imports `rtnb.core` and its neighbours in `rtnb.session`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

from rtnb.core.conversation import Item
from rtnb.core.errors import ProtocolError, RtnbError
from rtnb.core.gate import Gate
from rtnb.session.core import Core
from rtnb.session.reply import ANSWER_S, Reply
from rtnb.session.sound import Heard

__all__ = ["SoundFace"]

_ANSWERED_S: Final = 10.0


class SoundFace:
    """What is said and heard by hand."""

    _core: Core

    def append_audio(self, sound: Any) -> None:
        """Append sound to the server's input buffer: `rtnb.Audio`, 24 kHz PCM16 bytes, or an array. From any thread."""
        self._core.append_audio(sound)

    def commit(self, timeout: float = 10) -> Item:
        """Make the buffer a user message; gives the item. No answer is begun: see `respond`.

        Raises
        ------
        ProtocolError
            Less than 100 ms were appended, which the service refuses.
        """
        return self._core.runner.call(self._core.do_commit(timeout))

    def clear_audio(self, timeout: float = 10) -> None:
        """Empty the server's input buffer."""
        self._core.runner.call(self._core.do_clear_audio(timeout))

    def attach(self, audio: Any = None, *, speaker: Any = ..., microphone: Any = ...) -> None:
        """Play answers through a loudspeaker, and listen to a microphone; ``attach(None)`` detaches both.

        Parameters
        ----------
        audio
            Something with a ``speaker`` and a ``microphone``, such as `rtnb.AudioIO`.
        speaker, microphone
            One of them by itself, or None to detach it; the other one stays. See `rtnb.session.sound`:
            ``SilentSpeaker()`` plays without sound. Several sessions may share a loudspeaker; a microphone belongs to
            the last that took it. A loudspeaker that fails is told with ``on("session.hint")`` and detached.
        """
        if audio is not None or (speaker is ... and microphone is ...):
            speaker = getattr(audio, "speaker", None) if speaker is ... else speaker
            microphone = getattr(audio, "microphone", None) if microphone is ... else microphone
        self._core.attach(speaker, microphone)

    @property
    def half_duplex(self) -> bool:
        """Whether the microphone is deaf while an answer is heard; may be set."""
        return self._core.capture.half_duplex

    @half_duplex.setter
    def half_duplex(self, is_on: bool) -> None:
        self._core.capture.half_duplex = is_on

    @property
    def gate(self) -> bool:
        """Whether silence of the microphone is kept back, for a thin uplink; may be set.

        What is let through stands in `rtnb.core.gate`: speech, 300 ms before it and a second after. Where the server
        detects turns, the gate stays open half a second longer than its ``silence_duration_ms``, and as long as the
        server hears somebody speak: so each turn still ends as without it. Without turn detection, pauses of more than
        a second become shorter for the model. Offsets of the server (``audio_start_ms``) count only what was sent.
        """
        return self._core.capture.gate is not None

    @gate.setter
    def gate(self, is_on: bool) -> None:
        self._core.capture.gate = Gate(hangover_ms=self._core.gate_hangover_ms()) if is_on else None

    @property
    def dropped(self) -> int:
        """How many frames of the microphone were lost: in the page, on the way, or because the socket was too slow."""
        return self._core.capture.dropped

    @property
    def is_playing(self) -> bool:
        """Whether an answer is being heard, or is about to be."""
        return self._core.is_playing

    @property
    def heard(self) -> list[Heard]:
        """What the loudspeaker reported as heard: time, item, samples at 24 kHz, whether it was the last report."""
        return list(self._core.sound.heard)

    @contextlib.contextmanager
    def recording(self, timeout: float = ANSWER_S) -> Iterator[list[Reply]]:
        """Speak by hand: what comes inside is a turn, which on leaving is committed and answered.

        An attached microphone records meanwhile; without one, append audio inside. What was being said is interrupted.
        The list that it gives holds the reply afterwards.

        Raises
        ------
        ProtocolError
            Turn detection is on: the server would take the same speech as a turn. Or less than 100 ms came.
        RtnbError
            The microphone gave nothing; its words, such as that it was refused.

        Examples
        --------
        >>> with session.recording() as answers:
        ...     session.append_audio(rtnb.Audio.speak("What time is it?"))
        >>> answers[0].text  # doctest: +SKIP
        """
        core = self._core
        call = core.runner.call
        call(core.do_connect())
        if core.detects_turns:
            raise ProtocolError(
                "turn detection is on, so the server says when a turn ends: append audio as it is, or switch it off "
                "with session.update(turn_detection=None)",
                param="audio.input.turn_detection",
            )
        call(core.do_interrupt())
        call(core.do_clear_audio(_ANSWERED_S))
        core.capture.begin()
        answers: list[Reply] = []
        try:
            try:
                yield answers
            finally:
                core.capture.finish()
            if not core.appended and (reason := core.capture.why_silent()):
                raise RtnbError(f"nothing was recorded: {reason}")
            call(core.do_commit(_ANSWERED_S))
        except BaseException:
            if core.is_ready:
                core.runner.post(core.discard_speech)  # half a turn must not begin the next one
            raise
        answers.append(core.asking.ask(None, {}, timeout))
