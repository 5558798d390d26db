"""The child process around PocketSphinx: a program of its own, because the library holds the interpreter's lock.

It needs the package ``pocketsphinx`` (BSD, its model too) and nothing of rtnb; `rtnb.local.child` has the shape of the
frames::

    in   L  {"sentences": [...]}     once, first: what the lessons' language model is counted from
    in   B  {"phrases": [...]}       begin an utterance (its stream); what may be said besides (from a prompt)
    in   A  PCM16 mono at 16 kHz     more of it
    in   E                           it is over
    in   C                           throw it away
    out  P  {"bytes", "text"}        so many bytes of it have been heard; the text so far
    out  F  {"text", "words", "score", "lesson", "other", "seconds"}      the final text and what speaks for it

Two decoders listen side by side: one knows the lessons' sentences, the other English in general. The one whose path
through the sound scores higher is believed; for a whole sentence of the lessons a little less is enough, which matters
for those of one word ("stop", "hello").

The means of the cepstra belong to voice and microphone, and the decoder's own way to learn them takes seconds. So they
are measured after 0.9 and 1.5 s of the utterance. The lessons' decoder, which is quick, begins again with them; the
other, which is not, begins only with the first. That takes a third of the errors for voices not heard before (44 to
30 % in our measurements with five synthetic ones), and costs nothing at the end.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import struct
import sys
import tempfile
from typing import Any, BinaryIO

_HEADER = struct.Struct("<cII")
_BYTES_PER_S = 32_000
_MEASURE_AT_S = (0.9, 1.5)
_LESSON_BONUS = 0.015  # powers of ten of the score
_PARTIAL_EVERY = 3200  # bytes: 100 ms


_VARIANT = re.compile(r"\(\d+\)")  # the dictionary numbers a word's other pronunciations


class Model:
    """Two decoders, and a third that only measures."""

    def __init__(self, sentences: list[str]) -> None:
        from pocketsphinx import Config, Decoder, get_model_path

        common = {
            "hmm": get_model_path("en-us/en-us"),
            "dict": get_model_path("en-us/cmudict-en-us.dict"),
            "loglevel": "FATAL",
            "fwdflat": False,  # the second pass would come after the end of speech, and gains nothing here
        }
        self._sentences = sentences
        self.whole = set(sentences)  # what counts as a sentence of the lessons
        with tempfile.TemporaryDirectory(prefix="rtnb-hearing-") as folder:
            path = os.path.join(folder, "lessons.arpa")
            _count(sentences, path)
            self.lessons = Decoder(Config(lm=path, **common))
        # The two limits save a third of the work for 1.5 % more errors.
        self.general = Decoder(Config(lm=get_model_path("en-us/en-us.lm.bin"), maxhmmpf=4000, maxwpf=10, **common))
        with tempfile.TemporaryDirectory(prefix="rtnb-hearing-") as folder:
            path = os.path.join(folder, "one-word.dict")
            with open(path, "w", encoding="ascii") as file:
                file.write("nothing N AH TH IH NG\n")
            self._measure = Decoder(Config(lm=None, cmn="batch", **(common | {"dict": path})))
        self._measure.add_keyphrase("none", "nothing")  # a search that is never run
        self._measure.activate_search("none")
        self._phrases: tuple[str, ...] = ()
        self.means = self.lessons.get_cmn()

    def expect(self, phrases: list[str]) -> None:
        """Let the lessons' decoder also know what stands in a prompt; words that no dictionary has are left out."""
        wanted = tuple(" ".join(w for w in p.split() if self.lessons.lookup_word(w)) for p in phrases)
        wanted = tuple(phrase for phrase in wanted if phrase)
        if wanted == self._phrases:
            return
        self._phrases = wanted
        self.whole = {*self._sentences, *wanted}
        with tempfile.TemporaryDirectory(prefix="rtnb-hearing-") as folder:
            path = os.path.join(folder, "lessons.arpa")
            _count(self._sentences + 10 * list(wanted), path)
            self.lessons.add_lm_file("prompted", path)
        self.lessons.activate_search("prompted")

    def measure(self, pcm: bytes) -> str:
        """Measure the means of the cepstra."""
        self._measure.start_utt()
        self._measure.process_raw(pcm, True, True)
        means: str = self._measure.get_cmn()
        self._measure.end_utt()
        return means


class Utterance:
    """One utterance, heard by both decoders."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._pcm = bytearray()
        self._measure_at = [round(s * _BYTES_PER_S) for s in _MEASURE_AT_S]
        self._general_runs = False
        model.lessons.set_cmn(model.means)
        model.lessons.start_utt()

    def push(self, pcm: bytes) -> None:
        """Hear some more."""
        self._pcm += pcm
        if self._measure_at and len(self._pcm) >= self._measure_at[0]:
            while self._measure_at and len(self._pcm) >= self._measure_at[0]:
                del self._measure_at[0]
            self._measure(pcm)
            return
        self._model.lessons.process_raw(pcm, False, False)
        if self._general_runs:
            self._model.general.process_raw(pcm, False, False)

    def _measure(self, newest: bytes) -> None:
        model, whole = self._model, bytes(self._pcm)
        model.means = model.measure(whole)
        model.lessons.end_utt()
        model.lessons.set_cmn(model.means)
        model.lessons.start_utt()
        model.lessons.process_raw(whole, False, False)
        model.general.set_cmn(model.means)
        if self._general_runs:
            model.general.process_raw(newest, False, False)
        else:
            self._general_runs = True
            model.general.start_utt()
            model.general.process_raw(whole, False, False)

    def partial(self) -> str:
        """Say what has been understood so far."""
        hypotheses = [self._model.lessons.hyp(), self._model.general.hyp() if self._general_runs else None]
        best = max(hypotheses, key=_score)
        return best.hypstr if best is not None else ""

    def finish(self) -> dict[str, Any]:
        """Say what has been understood, and what speaks for it."""
        if not self._pcm:
            self.cancel()
            return {"text": "", "words": [], "score": 0.0, "lesson": False, "other": {"text": ""}, "seconds": 0.0}
        if not self._general_runs:  # it was too short to be measured
            self._measure(b"")
        self.cancel()
        lessons, general = _result(self._model.lessons), _result(self._model.general)
        is_lesson = _VARIANT.sub("", lessons["text"]) in self._model.whole
        bonus = 10**_LESSON_BONUS if is_lesson else 1.0
        winner, other = (lessons, general) if bonus * lessons["score"] >= general["score"] else (general, lessons)
        seconds = len(self._pcm) / _BYTES_PER_S
        return winner | {"lesson": is_lesson and winner is lessons, "other": other, "seconds": seconds}

    def cancel(self) -> None:
        """Leave off."""
        self._model.lessons.end_utt()
        if self._general_runs:
            self._model.general.end_utt()
            self._general_runs = False


def _score(hypothesis: Any) -> float:
    return hypothesis.score if hypothesis is not None else -math.inf


def _result(decoder: Any) -> dict[str, Any]:
    hypothesis = decoder.hyp()
    if hypothesis is None:
        return {"text": "", "score": -1e12, "words": []}
    words = [
        {
            "word": segment.word,
            "start": segment.start_frame / 100,
            "end": (segment.end_frame + 1) / 100,
            "acoustic": segment.ascore,
            "prob": segment.prob,
        }
        for segment in decoder.seg()
    ]
    return {"text": hypothesis.hypstr, "score": hypothesis.score, "prob": hypothesis.prob, "words": words}


def _count(sentences: list[str], path: str) -> None:
    """Count sentences into a trigram model, in the ARPA format."""
    from pocketsphinx.lm import ArpaBoLM

    model = ArpaBoLM(text="\n".join(sentences), add_start=True)
    model.compute()
    model.write_file(path)


def serve(inward: BinaryIO, out: BinaryIO) -> None:
    """Serve until the input ends."""

    def send(kind: bytes, stream: int, content: dict[str, Any]) -> None:
        payload = json.dumps(content).encode()
        out.write(_HEADER.pack(kind, stream, len(payload)) + payload)
        out.flush()

    model: Model | None = None
    utterance: Utterance | None = None
    current, heard, told = 0, 0, 0
    while len(header := inward.read(_HEADER.size)) == _HEADER.size:
        kind, stream, length = _HEADER.unpack(header)
        payload = inward.read(length)
        if kind == b"L":
            model = Model(json.loads(payload)["sentences"])
        elif kind == b"B" and model is not None:
            if utterance is not None:
                utterance.cancel()
            model.expect(json.loads(payload)["phrases"])
            utterance, current, heard, told = Utterance(model), stream, 0, 0
        elif utterance is not None and stream == current:
            if kind == b"A":
                utterance.push(payload)
                heard += len(payload)
                if heard - told >= _PARTIAL_EVERY:
                    told = heard
                    send(b"P", stream, {"bytes": heard, "text": utterance.partial()})
            elif kind == b"E":
                send(b"F", stream, utterance.finish())
                utterance = None
            elif kind == b"C":
                utterance.cancel()
                utterance = None


if __name__ == "__main__":
    frames = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever the library prints must not get between the frames
    with contextlib.suppress(BrokenPipeError):
        serve(sys.stdin.buffer, frames)
