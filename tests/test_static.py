"""What stays of a session in a saved notebook: all that was said, bounded, without scripts, without keys."""

from __future__ import annotations

import html.parser
import re
import threading
from collections.abc import Iterator
from html import escape
from typing import Any

import numpy as np
import pytest
from helpers_session import Lab

import rtnb
from rtnb.core.conversation import Conversation
from rtnb.core.log import EventLog
from rtnb.local.brains import call
from rtnb.notebook import live, static
from rtnb.notebook.live import _bundle
from rtnb.notebook.static import MOST_CHARS, REPLY_SOUND_CHARS, player, reply_html, session_html, small_sound

SAVED = 300_000


class Reader(html.parser.HTMLParser):
    """Tags and their attributes; fails where tags do not close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("img", "br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


class Source:
    """A conversation as a recording has it."""

    def __init__(self, events: list[tuple[str, dict[str, Any]]]) -> None:
        self.events = EventLog()
        self.conversation = Conversation()
        for number, (direction, event) in enumerate(events):
            self.events.append(event, direction, 0.1 * number)  # type: ignore[arg-type]
            self.conversation.apply(event, direction)  # type: ignore[arg-type]


def added(item_id: str, item: dict[str, Any], after: str | None) -> tuple[str, dict[str, Any]]:
    return "server", {"type": "conversation.item.added", "previous_item_id": after, "item": {"id": item_id, **item}}


def said(item_id: str, text: str, after: str | None, role: str = "user") -> tuple[str, dict[str, Any]]:
    kind = "input_text" if role == "user" else "output_text"
    content = [{"type": kind, "text": text}]
    return added(item_id, {"type": "message", "role": role, "status": "completed", "content": content}, after)


def noise(seconds: float) -> rtnb.Audio:
    """Hard to compress."""
    samples = np.random.default_rng(1).normal(0, 0.2, round(24_000 * seconds))
    return rtnb.Audio.from_array(np.clip(samples, -1, 1).astype("float32"))


@pytest.fixture(scope="module")
def session() -> Iterator[rtnb.Session]:
    """Ten turns, spoken both ways, with a tool."""
    made = rtnb.Session("local", output="audio")

    @made.tool
    def calculate_sum(a: float, b: float) -> float:
        """Add two numbers."""
        return a + b

    for number in range(9):
        question: Any = noise(2.0) if number % 2 else f"What is {number} plus 6?"
        made.ask(question).wait()
    made.ask("Tell me a long story").wait()
    yield made
    made.close()


def test_ten_turns_with_their_replies_take_less_than_the_promise(session: rtnb.Session) -> None:
    whole = len(session_html(session)) + sum(len(reply_html(reply)) for reply in session.replies)
    assert len(session.replies) == 10
    assert whole < SAVED
    assert len(session_html(session)) <= MOST_CHARS


def test_the_html_has_the_words_the_calls_and_the_sounds_and_no_script(session: rtnb.Session) -> None:
    reader = Reader(session_html(session))
    names = [tag for tag, _ in reader.tags]
    assert "What is 4 plus 6?" in reader.text
    assert "⚙ calculate_sum" in reader.text
    assert re.search(r"✓ done, [\d,]+ ms", reader.text)
    assert names.count("audio") >= 10
    assert names.count("img") >= 10
    assert not {"script", "style", "link", "iframe"}.intersection(names)
    assert not [name for _, attributes in reader.tags for name in attributes if name.startswith("on")]
    for tag, attributes in reader.tags:
        assert (attributes.get("src") or "data:").startswith("data:"), f"{tag} wants the network"


def test_every_player_and_picture_says_what_it_is(session: rtnb.Session) -> None:
    for tag, attributes in Reader(session_html(session)).tags:
        if tag == "audio":
            assert re.match(r"(You|Model), play ", attributes["aria-label"] or "")
        if tag == "img":
            assert re.match(r"waveform of turn \d+, ", attributes["alt"] or "")


def test_cost_and_latency_are_told(session: rtnb.Session) -> None:
    text = Reader(session_html(session)).text
    assert "Cost: " in text
    assert "first audio" in text.replace("_", " ").lower()


def test_a_complete_reply_has_a_small_player_of_its_answer(session: rtnb.Session) -> None:
    story = reply_html(session.replies[-1])
    assert story.count("<audio ") == 1
    assert "the first " in Reader(story).text
    assert len(story) < REPLY_SOUND_CHARS + len(session.replies[-1].text) + 3_000


def test_what_a_cell_shows_of_a_reply_is_that_html(session: rtnb.Session) -> None:
    bundle = session.replies[0]._repr_mimebundle_()
    assert bundle["text/html"] == reply_html(session.replies[0])


def test_planted_keys_are_nowhere() -> None:
    key, other = "sk-" + "x" * 24, "ek_" + "y" * 30
    call = {
        "type": "function_call",
        "status": "completed",
        "name": "look",
        "call_id": "c",
        "arguments": f'{{"k":"{key}"}}',
    }
    source = Source(
        [
            said("a", f"My key is {key}", None),
            added("b", call, "a"),
            added("c", {"type": "function_call_output", "call_id": "c", "output": f'{{"error": "no {other}"}}'}, "b"),
            said("d", f"I shall forget {other}", "c", "assistant"),
        ]
    )
    shown = session_html(source)
    assert "My key is" in shown
    assert key not in shown
    assert other not in shown


@pytest.mark.parametrize("key", ["sk-" + "proj-" + "Q" * 40, "".join(["correct", "<horse>", "battery"])])
def test_planted_keys_are_in_no_picture_of_a_reply_or_of_the_items(key: str) -> None:
    lab = Lab()
    try:
        session = lab.session(call("look", key=key), f"Your key is {key}", "Nothing.", key=key)

        @session.tool
        def look(key: str) -> rtnb.Result:
            """Look at a key."""
            return rtnb.Result({"key": key, "rest": "x" * 300}, show=Shown(key))

        reply = session.ask(f"My key is {key}")
        reply.wait()
        session.ask("And now?").wait()
        assert session._core.secrets == (key,)
        told = [*reply._repr_mimebundle_().values(), *_bundle(reply).values(), repr(reply)]
        told += [session.items._repr_html_(), session.turns._repr_html_(), session_html(session)]
        assert reply.text == f"Your key is {key}", "the data are what they are"
        for text in told:
            assert key not in text
            assert escape(key) not in text
            assert key[:20] not in text, "nor the beginning of one"
    finally:
        lab.close()


def test_a_reply_that_ends_while_it_is_drawn_is_shown_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    import IPython.display

    shown: list[str] = []
    complete = threading.Event()

    class Handle:
        def update(self, bundle: dict[str, str], *, raw: bool) -> None:
            shown.append(bundle["text/plain"])
            complete.set()

    class Ending:
        """Not done when it is looked at first, done as soon as it was drawn."""

        is_done = False

        def watch(self, fn: Any) -> None:
            fn(self)

    def drawn(reply: Any) -> dict[str, str]:
        words = "whole" if reply.is_done else "waiting"
        reply.is_done = True
        return {"text/plain": words}

    def display(bundle: dict[str, str], **_: Any) -> Handle:
        shown.append(bundle["text/plain"])
        return Handle()

    monkeypatch.setattr(IPython.display, "display", display)
    monkeypatch.setattr(live, "_bundle", drawn)
    live.show_reply(Ending())  # type: ignore[arg-type]
    assert complete.wait(10)
    assert shown == ["waiting", "whole"]


class Shown:
    """What a tool shows, as text."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __repr__(self) -> str:
        return f"The key is {self.key}"


def test_a_key_in_use_that_looks_like_nothing_is_not_shown_either() -> None:
    secret = "".join(["correct", "horse", "battery"])
    source = Source([said("a", f"It is {secret}.", None)])
    source._core = type("Core", (), {"conversation": source.conversation, "endpoint": None})  # type: ignore[attr-defined]
    source._core.endpoint = type("Endpoint", (), {"secrets": (secret,)})  # type: ignore[attr-defined]
    assert secret not in session_html(source)


def test_what_was_said_cannot_become_part_of_the_page() -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    shown = session_html(Source([said("a", evil, None), said("b", evil, "a", "assistant")]))
    assert "<script" not in shown
    assert "<img src=x" not in shown


def test_five_hundred_long_items_stay_within_the_bound_and_say_what_is_left_out() -> None:
    events, before = [], None
    for number in range(500):
        events.append(said(f"i{number}", f"number {number} " + "word " * 2_000, before))
        before = f"i{number}"
    shown = session_html(Source(events))
    assert len(shown) <= MOST_CHARS
    assert "number 499 " in shown
    assert "450 more items" in shown
    assert "number 200 " not in shown


def test_an_empty_session_says_so() -> None:
    assert "Nothing was said yet" in Reader(session_html(Source([]))).text


def test_the_heard_and_the_unheard_part_of_an_interrupted_answer_are_told_apart() -> None:
    pcm = "A" * 64_000  # one second
    events: list[tuple[str, dict[str, Any]]] = [
        ("server", {"type": "response.created", "response": {"id": "r", "status": "in_progress"}}),
        (
            "server",
            {
                "type": "response.output_item.added",
                "response_id": "r",
                "item": {"id": "a", "type": "message", "role": "assistant", "content": [], "status": "in_progress"},
            },
        ),
        added("a", {"type": "message", "role": "assistant", "content": [], "status": "in_progress"}, None),
    ]
    place = {"response_id": "r", "item_id": "a", "content_index": 0, "output_index": 0}
    for word in ("one ", "two ", "three ", "four "):
        events += [
            ("server", {"type": "response.output_audio_transcript.delta", "delta": word, **place}),
            ("server", {"type": "response.output_audio.delta", "delta": pcm, **place}),
        ]
    events.append(
        ("server", {"type": "conversation.item.truncated", "item_id": "a", "content_index": 0, "audio_end_ms": 2000})
    )
    reader = Reader(session_html(Source(events)))
    assert "interrupted: 2.0 s of 4.0 s heard" in reader.text
    assert "one two" in reader.text
    assert "✂ not heard: " in reader.text
    assert next(attributes for tag, attributes in reader.tags if tag == "img")["alt"].endswith("the rest was not heard")
    assert "s" in [tag for tag, _ in reader.tags]


def test_a_long_result_of_a_tool_is_folded_away() -> None:
    call = {"type": "function_call", "status": "completed", "name": "look", "call_id": "c", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c", "output": "x" * 5_000}
    shown = Reader(session_html(Source([added("b", call, None), added("c", output, "b")])))
    assert "details" in [tag for tag, _ in shown.tags]
    assert "result, 5,000 characters" in shown.text


@pytest.mark.parametrize("seconds", [0.01, 0.5, 3, 60, 600])
@pytest.mark.parametrize("chars", [2_000, 5_000, 20_000])
def test_a_small_sound_stays_within_its_characters(seconds: float, chars: int) -> None:
    sound = small_sound(noise(seconds), chars)
    if sound is None:
        assert chars == 2_000
        assert seconds >= 0.5
    else:
        assert len(sound.data) * 4 / 3 <= chars
        assert 0 < sound.seconds <= seconds + 0.01
        assert sound.is_exact == (sound.codec == "WAV")


def test_without_opus_a_small_sound_is_a_telephones(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_opus(*_: object, **__: object) -> bytes:
        raise ValueError("no Opus here")

    monkeypatch.setattr(static, "encode_sound", no_opus)
    sound = small_sound(noise(5), 20_000)
    assert sound is not None
    assert sound.codec.startswith("mu-law")
    assert len(sound.data) * 4 / 3 <= 20_000
    assert rtnb.Audio.from_bytes is not None
    assert "the first 1.9 s of 5.0 s" in player(noise(5), sound, "answer")


def test_an_empty_sound_has_no_player() -> None:
    assert player(noise(1), None, "answer") == ""
