"""The child process around eSpeak NG: a program of its own, run as a script, never imported by rtnb.

eSpeak NG is free software under the GNU General Public License, version 3 or later. This script loads its library; rtnb
only starts this script and exchanges frames with it over pipes (see `rtnb.local.child` for their shape)::

    python espeak_child.py LIBRARY DATA_FOLDER

    in   S  {"text", "voice", "rate", "pitch", "range", "gap"}   speak; words a minute, 0..100, 0..100, units of 10 ms
    in   C                                                       stop speaking this stream
    out  A  PCM16 mono                                           the next part of the audio
    out  D  {"rate", "words": [[sample, character], ...], "voice": bool}
                                                                 spoken; where each word begins; was the voice known?
    out  E  {"message"}                                          could not be spoken

Uses the standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import queue
import shutil
import struct
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import IO

_HEADER = struct.Struct("<cII")
_LONGEST_PATH = 150  # the library keeps the path of its data in 160 characters, and adds to it
_PART_BYTES = 88_200  # audio is handed on in parts of at least 2 s

_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS
_DONT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT: report missing data instead of ending the process
_UTF8 = 1
_RATE, _PITCH, _RANGE, _GAP = 1, 3, 4, 7  # espeak_PARAMETER
_WORD = 1  # espeakEVENT_WORD
_SEED = 1  # the breath in a voice is noise: begun alike, it is the same in each process


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    ]


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Engine:
    """The library, loaded once; one text at a time, because it is not reentrant."""

    def __init__(self, library: str, data: str, out: IO[bytes]) -> None:
        self._out = out
        self._library = ctypes.CDLL(library)
        self.rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, data.encode(), _DONT_EXIT)
        if self.rate <= 0:
            raise OSError(f"no eSpeak NG data in {data}")
        self._callback = _CALLBACK(self._take)  # kept: the library does not own it
        self._library.espeak_SetSynthCallback(self._callback)
        self._library.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
        self._seed = getattr(self._library, "espeak_ng_SetRandSeed", None)  # not in version 1.51 and before
        if self._seed is not None:
            self._seed.argtypes = [ctypes.c_long]
        self._voice = ""
        self._stream = 0
        self._audio = bytearray()
        self._words: list[tuple[int, int]] = []
        self.cancelled: set[int] = set()

    def send(self, kind: bytes, stream: int, payload: bytes) -> None:
        """Write one frame."""
        self._out.write(_HEADER.pack(kind, stream, len(payload)) + payload)
        self._out.flush()

    def _take(self, samples: object, n_samples: int, events: object) -> int:
        if self._stream in self.cancelled:
            return 1  # tells the library to stop
        if samples and n_samples:
            self._audio += ctypes.string_at(samples, 2 * n_samples)  # type: ignore[arg-type]
        for event in _until_end(events):
            if event.type == _WORD:
                self._words.append((event.sample, event.text_position - 1))
        if len(self._audio) >= _PART_BYTES:
            self._flush()
        return 0

    def _flush(self) -> None:
        if self._audio:
            self.send(b"A", self._stream, bytes(self._audio))
            self._audio.clear()

    def speak(self, stream: int, order: dict[str, object]) -> None:
        """Carry out one order, to its end or until it is cancelled."""
        self._stream = stream
        self._audio.clear()
        self._words.clear()
        known = self._choose(str(order["voice"]))
        for parameter, key in ((_RATE, "rate"), (_PITCH, "pitch"), (_RANGE, "range"), (_GAP, "gap")):
            self._library.espeak_SetParameter(parameter, int(str(order[key])), 0)
        if self._seed is not None:
            self._seed(_SEED)
        text = str(order["text"]).replace("\0", " ").encode()
        self._library.espeak_Synth(text, ctypes.c_size_t(len(text) + 1), 0, 1, 0, _UTF8, None, None)
        if stream not in self.cancelled:
            self._flush()
            self.send(b"D", stream, json.dumps({"rate": self.rate, "words": self._words, "voice": known}).encode())

    def _choose(self, voice: str) -> bool:
        if voice == self._voice:
            return True
        if self._library.espeak_SetVoiceByName(voice.encode()) == 0:
            self._voice = voice
            return True
        self._voice = ""
        self._library.espeak_SetVoiceByName(b"en-us")
        return False


def _until_end(events: object) -> Iterator[_Event]:
    index = 0
    while (event := events[index]).type:  # type: ignore[index]
        yield event
        index += 1


@contextlib.contextmanager
def _short(path: str) -> Iterator[str]:
    """Give the parent folder of the data by a path that is short enough for the library."""
    parent = os.path.dirname(os.path.abspath(path))
    if len(parent.encode()) <= _LONGEST_PATH:
        yield parent
        return
    folder = tempfile.mkdtemp(prefix="espeak-")
    try:
        link = os.path.join(folder, "espeak-ng-data")
        try:
            os.symlink(path, link, target_is_directory=True)
        except OSError:  # Windows without the right to make links
            shutil.copytree(path, link)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _read(pipe: IO[bytes], orders: queue.SimpleQueue[tuple[int, bytes] | None], engine: Engine) -> None:
    while len(header := pipe.read(_HEADER.size)) == _HEADER.size:
        kind, stream, length = _HEADER.unpack(header)
        payload = pipe.read(length)
        if kind == b"C":
            engine.cancelled.add(stream)
        else:
            orders.put((stream, payload))
    orders.put(None)


def main(library: str, data: str) -> None:
    """Serve until the input ends."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever the library prints must not get between the frames
    with _short(data) as folder:
        engine = Engine(library, folder, out)  # on failure the process ends, and the parent learns how
        orders: queue.SimpleQueue[tuple[int, bytes] | None] = queue.SimpleQueue()
        threading.Thread(target=_read, args=(sys.stdin.buffer, orders, engine), daemon=True).start()
        while (order := orders.get()) is not None:
            stream, payload = order
            if stream not in engine.cancelled:
                try:
                    engine.speak(stream, json.loads(payload))
                except (ValueError, KeyError, OSError) as exc:
                    engine.send(b"E", stream, json.dumps({"message": str(exc)}).encode())
            engine.cancelled.discard(stream)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main(*sys.argv[1:3])
