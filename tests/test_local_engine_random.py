from __future__ import annotations

from collections import Counter
from typing import Any

from helpers_local import Bench, append, loud, silence, types, update
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtnb.core.protocol import CLIENT_EVENTS
from rtnb.local.effects import Halt, HearCancel, HearEnd, Think
from rtnb.local.seams import Call, CallArguments, Failed, Finished, Say, Speech

IDS = ("a", "b", "c", "d")
QUIET = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def item(content: list[Any], id: str | None) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "message", "role": "user", "content": content}
    return made if id is None else {**made, "id": id}


ids = st.sampled_from(IDS)
texts = st.builds(
    lambda text, id: item([{"type": "input_text", "text": text}], id), st.text(max_size=8), st.none() | ids
)
calls = st.builds(
    lambda id: {"type": "function_call", "call_id": f"call_{id}", "name": "f", "arguments": "{}", "id": id}, ids
)
outputs = st.builds(lambda id: {"type": "function_call_output", "call_id": f"call_{id}", "output": "x"}, ids)
turn_detections = st.sampled_from(
    [
        None,
        {"type": "server_vad"},
        {"type": "server_vad", "idle_timeout_ms": 5000},
        {"type": "server_vad", "interrupt_response": False},
        {"type": "server_vad", "create_response": False},
        {"type": "semantic_vad", "eagerness": "high"},
    ]
)
responses = st.fixed_dictionaries(
    {},
    optional={
        "conversation": st.sampled_from(["auto", "none"]),
        "output_modalities": st.sampled_from([["text"], ["audio"]]),
        "max_output_tokens": st.sampled_from([1, 5, 4096, "inf"]),
        "metadata": st.sampled_from([None, {"k": "v"}]),
        "input": st.lists(texts | st.builds(lambda id: {"type": "item_reference", "id": id}, ids), max_size=2),
        "tool_choice": st.sampled_from(["none", "auto"]),
    },
)
sounds = st.lists(st.sampled_from([loud(60), loud(300), silence(40), silence(400), b"\x01"]), max_size=4).map(b"".join)
client_events = st.one_of(
    st.builds(
        lambda i, p: {"type": "conversation.item.create", "item": i, "previous_item_id": p},
        texts | calls | outputs,
        st.none() | ids | st.just("root"),
    ),
    st.builds(lambda i: {"type": "conversation.item.delete", "item_id": i}, ids),
    st.builds(lambda i: {"type": "conversation.item.retrieve", "item_id": i}, ids),
    st.builds(lambda r: {"type": "response.create", "response": r}, responses),
    st.just({"type": "response.create"}),
    st.just({"type": "response.cancel"}),
    sounds.map(append),
    st.just({"type": "input_audio_buffer.commit"}),
    st.just({"type": "input_audio_buffer.clear"}),
    st.builds(lambda t: update(audio={"input": {"turn_detection": t}}), turn_detections),
    st.just(update(audio={"input": {"transcription": {"model": "gpt-4o-transcribe"}}})),
    st.sampled_from([["text"], ["audio"]]).map(lambda m: update(output_modalities=m)),
    st.builds(lambda ms: {"type": "truncate last", "ms": ms}, st.integers(0, 500)),
)
words = st.one_of(
    st.text(max_size=12).map(Say),
    st.builds(Speech, st.sampled_from([b"", loud(100), b"\x01\x02\x03"]), st.text(max_size=8)),
    st.builds(Call, st.sampled_from(["f", "g"]), st.sampled_from(["", "{}", '{"a": 1}'])),
    st.text(max_size=5).map(CallArguments),
    st.just(Failed({"type": "server_error", "code": None, "message": "x"})),
    st.just(Finished("max_output_tokens")),
    st.just(Finished(usage={"input_tokens": 5, "output_tokens": 1})),
)
steps = st.one_of(
    client_events.map(lambda e: ("client", e)),
    st.tuples(st.just("brain"), st.integers(0, 3), words),
    st.tuples(st.just("end"), st.integers(0, 3)),
    st.tuples(st.just("hear"), st.sampled_from(["", "hello"]), st.sampled_from([None, "noise"])),
    st.tuples(st.just("tick"), st.sampled_from([0.1, 3.0, 20.0])),
)


class Play:
    """A bench under random hands, keeping track of what it owes."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.heard: set[str] = set()

    def open_thinks(self) -> list[Think]:
        halted = {effect.response_id for effect in self.bench.effects if isinstance(effect, Halt)}
        done = {event["response"]["id"] for event in self.bench.events if event["type"] == "response.done"}
        return [think for think in self.bench.thinks if think.request.response_id not in halted | done]

    def owed_hearings(self) -> list[str]:
        cancelled = {effect.key for effect in self.bench.effects if isinstance(effect, HearCancel)}
        ended = [effect.key for effect in self.bench.effects if isinstance(effect, HearEnd)]
        return [key for key in ended if key not in self.heard | cancelled]

    def step(self, step: tuple[Any, ...]) -> None:
        bench = self.bench
        match step:
            case ("client", {"type": "truncate last", "ms": ms}):
                last = bench.engine.conversation.last_id or "none"
                event = {"type": "conversation.item.truncate", "item_id": last, "content_index": 0, "audio_end_ms": ms}
                bench.send(event)
            case ("client", event):
                bench.send(event)
            case ("brain", index, piece) if thinks := self.open_thinks():
                bench.answer(piece, think=thinks[index % len(thinks)], end=False)
            case ("end", index) if thinks := self.open_thinks():
                bench.answer(think=thinks[index % len(thinks)])
            case ("hear", text, failed) if owed := self.owed_hearings():
                self.heard.add(owed[0])
                bench.hear(text, key=owed[0], failed=failed)
            case ("tick", seconds):
                bench.tick(seconds)

    def settle(self) -> None:
        """Answer everything that is owed; afterwards nothing may run."""
        for _ in range(100):
            owed, thinks = self.owed_hearings(), self.open_thinks()
            if not owed and not thinks:
                return
            for key in owed:
                self.heard.add(key)
                self.bench.hear("", key=key)
            for think in self.open_thinks():
                self.bench.answer(Say("the end"), think=think)
        raise AssertionError("it never comes to rest")


@given(st.lists(steps, max_size=40))
@QUIET
def test_valid_events_in_any_order_never_wedge_the_engine(script: list[tuple[Any, ...]]) -> None:
    play = Play()
    for step in script:
        play.step(step)
    play.settle()
    events = play.bench.events
    created = [event["response"]["id"] for event in events if event["type"] == "response.created"]
    done = [event["response"]["id"] for event in events if event["type"] == "response.done"]
    assert Counter(created) == Counter(done)
    assert play.bench.engine._output.running == []
    play.bench.send({"type": "response.create", "response": {"output_modalities": ["text"], "input": []}})
    assert types(play.bench.answer(Say("yes")))[-2:] == ["response.done", "rate_limits.updated"]
    check_streams(events)


def check_streams(events: list[dict[str, Any]]) -> None:
    """Every opened item and part is closed, and what is done is what was sent."""
    added, finished, sent = Counter[str](), Counter[str](), Counter[str]()
    text: dict[str, str] = {}
    for event in events:
        match event:
            case {"type": "response.output_item.added", "item": {"id": id}}:
                added[id] += 1
            case {"type": "response.output_item.done", "item": {"id": id}}:
                finished[id] += 1
            case {"type": "response.output_audio.delta"}:
                sent[event["item_id"]] += 1
            case {"type": str(name), "item_id": id, "delta": delta} if name.startswith("response."):
                text[id] = text.get(id, "") + delta
            case {"type": str(name), "item_id": id} if name.endswith((".done",)) and name.startswith("response."):
                told = event.get("text", event.get("transcript", event.get("arguments")))
                if told is not None:
                    assert told == text.get(id, "")
    assert added == finished
    order = [event["item"]["id"] for event in events if event["type"] == "conversation.item.added"]
    assert len(order) == len(set(order))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("event_id", "session", "item", "item_id", "audio", "response", "previous_item_id", "content_index")
NESTED = (
    "type",
    "role",
    "content",
    "id",
    "audio",
    "input",
    "turn_detection",
    "format",
    "tools",
    "output",
    "voice",
    "call_id",
)
nested = st.dictionaries(st.sampled_from(NESTED), json_values, max_size=4)
almost_events = st.builds(
    lambda type, rest: {"type": type, **rest},
    st.sampled_from(sorted(CLIENT_EVENTS)) | json_values,
    st.dictionaries(st.sampled_from((*FIELDS, "audio_end_ms", "zzz")), json_values | nested, max_size=4),
)


@given(st.lists(json_values | almost_events, min_size=1, max_size=10))
@QUIET
def test_garbage_never_breaks_the_engine_and_is_always_answered(garbage: list[Any]) -> None:
    bench = Bench()
    for value in garbage:
        answered = types(bench.send(value))
        name = value.get("type") if isinstance(value, dict) else None
        # An append is the one event that is silent when it is good; everything else says something.
        assert answered or name == "input_audio_buffer.append"
        if not (isinstance(name, str) and name in CLIENT_EVENTS):
            assert answered == ["error"]
    bench.send({"type": "response.cancel"})
    assert "session.updated" in types(bench.send(update()))
