"""A scripted session with known times, for the tests of the timeline."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from rtnb.core.log import EventLog
from rtnb.session.sound import Heard


def tone(seconds: float, amplitude: float = 0.5, rate: int = 24_000) -> bytes:
    """A loud square wave: its outline is its amplitude in every bin."""
    samples = np.where(np.arange(round(seconds * rate)) % 48 < 24, 1.0, -1.0) * amplitude * 32_768
    return samples.clip(-32_768, 32_767).astype("<i2").tobytes()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Script:
    """Writes a log by hand."""

    def __init__(self) -> None:
        self.log = EventLog()
        self.heard: list[Heard] = []

    def server(self, time: float, name: str, **members: Any) -> int:
        return self.log.append({"type": name, **members}, "server", time).index

    def client(self, time: float, name: str, **members: Any) -> int:
        return self.log.append({"type": name, **members}, "client", time).index

    def speak(self, start: float, end: float, amplitude: float = 0.5, frame: float = 0.04) -> None:
        """A microphone in real time: each frame is sent when it is full."""
        for number in range(round((end - start) / frame)):
            data = b64(tone(frame, amplitude))
            self.client(start + (number + 1) * frame, "input_audio_buffer.append", audio=data)

    def answer(self, at: float, seconds: float, item: str, response: str, words: str, speed: float = 10.0) -> float:
        """The audio of an answer, faster than it plays; gives when the last of it came."""
        time = at
        for number in range(round(seconds / 0.1)):
            time = at + number * 0.1 / speed
            ids = {"item_id": item, "response_id": response}
            self.server(time, "response.output_audio.delta", delta=b64(tone(0.1, 0.25)), **ids)
        self.server(time, "response.output_audio_transcript.delta", delta=words, item_id=item, response_id=response)
        self.server(time, "response.output_audio_transcript.done", transcript=words, item_id=item, response_id=response)
        return time

    def hear(self, start: float, seconds: float, item: str, *, final: bool = True) -> None:
        """The reports of a loudspeaker, ten a second."""
        for number in range(1, round(seconds / 0.1) + 1):
            is_last = final and number == round(seconds / 0.1)
            self.heard.append(Heard(start + number * 0.1, item, number * 2_400, is_last))


def interrupted() -> Script:
    """One of everything.

    1.0 - 3.0 the microphone; speech 1.2 - 2.4; answer asked at 2.5, 4 s of sound come 3.0 - 3.39 and are heard from
    3.1; speech again at 4.0; cut at 1.0 s; a tool 5.0 - 5.5; an error at 6.0.
    """
    script = Script()
    script.server(0.1, "session.created", session={"audio": {"input": {"format": {"type": "audio/pcm"}}}})
    script.speak(1.0, 3.0)
    # on the clock of all audio, which begins at 0 with the first frame
    script.server(1.3, "input_audio_buffer.speech_started", item_id="item_u", audio_start_ms=200)
    script.server(2.5, "input_audio_buffer.speech_stopped", item_id="item_u", audio_end_ms=1_400)
    script.server(2.5, "input_audio_buffer.committed", item_id="item_u", previous_item_id=None)
    script.server(2.6, "response.created", response={"id": "resp_1", "status": "in_progress"})
    script.server(
        2.8, "conversation.item.input_audio_transcription.completed", item_id="item_u", transcript="Tell me a story"
    )
    script.answer(3.0, 4.0, "item_a", "resp_1", "Once upon a time")
    script.hear(3.1, 1.0, "item_a")
    usage = {"output_tokens": 120, "output_token_details": {"audio_tokens": 100, "text_tokens": 20}}
    script.server(
        4.0,
        "response.done",
        response={
            "id": "resp_1",
            "status": "cancelled",
            "status_details": {"type": "cancelled", "reason": "turn_detected"},
            "usage": usage,
            "output": [{"id": "item_a"}],
        },
    )
    script.client(4.15, "conversation.item.truncate", item_id="item_a", content_index=0, audio_end_ms=1_000)
    script.server(4.2, "conversation.item.truncated", item_id="item_a", content_index=0, audio_end_ms=1_000)
    call = {"id": "item_c", "type": "function_call", "name": "add", "call_id": "call_1", "arguments": '{"a": 1}'}
    script.server(4.8, "response.created", response={"id": "resp_2"})
    script.server(4.9, "response.output_item.added", response_id="resp_2", item={**call, "arguments": ""})
    script.server(5.0, "response.output_item.done", response_id="resp_2", item={**call, "status": "completed"})
    script.server(5.1, "response.done", response={"id": "resp_2", "status": "completed"})
    output = {"type": "function_call_output", "call_id": "call_1", "output": "2"}
    script.client(5.5, "conversation.item.create", item=output)
    error = {"type": "invalid_request_error", "code": "unknown_parameter", "message": "Unknown parameter: 'x'."}
    script.server(6.0, "error", error=error)
    return script
