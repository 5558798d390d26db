"""What stays in a saved notebook of a session: HTML without scripts, for GitHub, nbviewer and print.

Transcript, calls of tools, a small waveform and player for each turn, cost and latency; no event, and no key. All of
it is bounded: a session takes at most `MOST_CHARS` characters, however long it was; the players share some 90,000
of them, and a player that has only the beginning of its turn says so.

The colours can be read on white and on black; states are said in words. Nothing here talks to a page: the live views
are `rtnb.notebook.conversation` and `rtnb.notebook.events`.

Imports the core, `rtnb.session` and its neighbours in `rtnb.notebook`.
"""

from __future__ import annotations

import logging
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from rtnb.core.audio import Audio, encode_pcmu
from rtnb.core.audiofiles import encode_sound, encode_wav
from rtnb.core.conversation import Conversation
from rtnb.core.errors import redact
from rtnb.core.items import Item
from rtnb.notebook.clip import Preview
from rtnb.notebook.conversation_rows import Wave, call_times, is_shown, row_of
from rtnb.session.reply import Reply
from rtnb.session.telephone import pcm_of_item
from rtnb.session.tool_call import ToolCall

__all__ = ["MOST_CHARS", "REPLY_SOUND_CHARS", "player", "reply_html", "session_html", "small_sound"]

MOST_CHARS: Final = 170_000
"""The most characters that a session's HTML takes."""

REPLY_SOUND_CHARS: Final = 9_000
"""Characters of the sound of one reply: ten of them and a session stay below 300 kB."""

_ITEMS: Final = 50  # rows shown: the first few and the last
_HEAD: Final = 10
_PLAYERS: Final = 20  # the last turns with sound have one
_SHARES: Final = ((4, 20_000), (10, 9_000), (_PLAYERS, 4_500))
"""Up to so many turns: characters of each one's sound. In steps, so that one more turn seldom encodes all anew."""
_TEXT: Final = 1_200  # characters of one text
_LEAST_S: Final = 0.5  # a player with less sound than this is no use

_WHO: Final = {
    "user": ("You", "#2e8540"),
    "assistant": ("Model", "#3b82f6"),
    "system": ("System", "#808080"),
    "tool": ("Tool", "#808080"),
    "other": ("Item", "#808080"),
}
_MARK: Final = {"busy": "… ", "good": "✓ ", "warn": "⚠ ", "bad": "✖ ", "": ""}

_log = logging.getLogger(__name__)

_made: OrderedDict[tuple[str, int, int, int], Preview | None] = OrderedDict()  # sounds made before: encoding takes time


def session_html(source: Any) -> str:
    """A session, or a recording, as HTML without scripts.

    Parameters
    ----------
    source
        A `rtnb.Session`, or anything with ``conversation`` or ``items``, ``events``, ``cost`` and ``turns``.
    """
    secrets = _secrets(source)
    items = [item for item in _items(source) if is_shown(item)]
    hidden = len(items) - _ITEMS
    shown = items if hidden <= 0 else items[:_HEAD] + items[-(_ITEMS - _HEAD) :]
    sounds = _sounds(source, [item for item in shown if item.audio_bytes][-_PLAYERS:])
    calls = _calls(source)
    times = {} if calls else call_times(source.events)
    rows: list[str] = []
    for place, item in enumerate(shown):
        if hidden > 0 and place == _HEAD:
            rows.append(f'<div style="padding:6px 12px"><em>… {hidden} more items …</em></div>')
        row = row_of(
            item,
            call=calls.get(str(item.call_id)),
            call_ms=times.get(str(item.call_id)),
            is_over=_is_over(source),
            secrets=secrets,
        )
        rows.append(_row(item, row, place + 1 + (hidden if hidden > 0 and place >= _HEAD else 0), sounds.get(item.id)))
    if not rows:
        rows.append('<div style="padding:6px 12px"><em>Nothing was said yet.</em></div>')
    accounts = _accounts(source, secrets)
    body = "".join(rows)
    room = MOST_CHARS - len(accounts) - 2_000
    if len(body) > room:  # very long texts: the first rows go
        kept: list[str] = []
        while rows and sum(map(len, kept)) + len(rows[-1]) <= room:
            kept.insert(0, rows.pop())
        body = f'<div style="padding:6px 12px"><em>… {len(rows)} rows left out …</em></div>{"".join(kept)}'
    head = escape(redact(_title(source), *secrets))
    return (
        '<div class="rtnb-session" role="group" aria-label="Session" style="max-width:60em;'
        'font:13px/1.5 system-ui,sans-serif;border:1px solid rgba(128,128,128,.5);border-radius:6px">'
        f'<div style="padding:6px 12px;border-bottom:1px solid rgba(128,128,128,.5)">{head}</div>{body}{accounts}</div>'
    )


def reply_html(reply: Reply) -> str:
    """A reply as HTML without scripts: text, calls, and when it is complete a small player of what was said."""
    text = reply.as_html()
    if not reply.is_done:
        return text
    try:
        pcm = b"".join(pcm_of_item(item) for response in reply.responses for item in response.output)
        if not pcm:
            return text
        audio = Audio(pcm[: len(pcm) & ~1])
        key = (" ".join(response.id for response in reply.responses), reply.number, len(pcm), REPLY_SOUND_CHARS)
        return text + player(audio, _sound_once(key, audio, REPLY_SOUND_CHARS), f"answer {reply.number}")
    except Exception:  # noqa: BLE001 - the text must stay
        _log.exception("a reply is shown without its sound")
        return text


# ---- sound


def small_sound(audio: Audio, chars: int) -> Preview | None:
    """Encode so much of the beginning of `audio` as fits into `chars` characters of base64; None if that is too little.

    Exactly, when that fits; else as Opus, the better the shorter it is; else, where soundfile cannot, as mu-law.
    """
    room = chars // 4 * 3
    if 44 + len(audio.pcm) <= room:
        return Preview(audio.to_wav(), "audio/wav", audio.seconds, True, "WAV")
    rate, level = 8_000, 1.0  # encoding takes time, 25 ms a second of sound and more: choose first, encode once
    if room >= 2_400 * audio.seconds:
        rate, level = 16_000, 0.96
    elif room >= 1_700 * audio.seconds:
        rate, level = 16_000, 0.98
    start = audio[: max(_LEAST_S, min(audio.seconds, room / 980))]
    try:
        for _ in range(4):
            data = encode_sound(start.resample(rate).pcm, rate, "OGG", "OPUS", compression_level=level)
            if len(data) <= room:
                kbits = len(data) * 8 / 1000 / start.seconds
                return Preview(data, "audio/ogg", start.seconds, False, f"Opus, {kbits:.0f} kbit/s")
            start = start[: start.seconds * max(0.05, (room - 400) / len(data)) * 0.95]
            if start.seconds < _LEAST_S:
                return None
    except ValueError:  # a libsndfile without Opus, or one that cannot set the bit rate
        pass
    body = encode_pcmu(audio[: max(0.0, (room - 60) / 8_000)].resample(8_000).samples)
    seconds = len(body) / 8_000
    if seconds < min(_LEAST_S, audio.seconds):
        return None
    return Preview(encode_wav(body, 8_000, law=7), "audio/wav", seconds, False, "mu-law at 8 kHz")


def player(audio: Audio, sound: Preview | None, label: str) -> str:
    """A native player, and what it holds, in words."""
    if sound is None:
        return ""
    words = f"{audio.seconds:.1f} s"
    if sound.seconds < audio.seconds - 0.05:
        words = f"the first {sound.seconds:.1f} s of {audio.seconds:.1f} s"
    hint = "exact" if sound.is_exact else f"a small preview: {sound.codec}"
    return (
        f'<div><audio controls preload="metadata" aria-label="{escape(f"{label}, play {words}")}" '
        f'title="{escape(hint)}" '
        f'src="data:{sound.mime};base64,{b64encode(sound.data).decode()}" '
        'style="height:32px;width:100%;max-width:320px;vertical-align:middle"></audio> '
        f'<span style="opacity:.8">{escape(words)}</span></div>'
    )


def _sound_once(key: tuple[str, int, int, int], audio: Audio, chars: int) -> Preview | None:
    if key not in _made:
        _made[key] = small_sound(audio, chars)
        while len(_made) > 100:
            _made.popitem(last=False)
    return _made[key]


def _sounds(source: Any, items: Sequence[Item]) -> dict[str, str]:
    """Players for some turns."""
    found: dict[str, str] = {}
    share = next(chars for turns, chars in _SHARES if len(items) <= turns)
    for item in items:
        try:
            audio = _audio(source, item)
            if audio is None or not len(audio):
                continue
            sound = _sound_once((item.id, len(audio), item.audio_bytes, share), audio, share)
        except Exception:  # noqa: BLE001 - the others must stay
            _log.exception("a turn is shown without its sound")
            continue
        found[item.id] = player(audio, sound, _WHO.get(item.role or "", _WHO["other"])[0])
    return found


def _audio(source: Any, item: Item) -> Audio | None:
    if not hasattr(source, "watch") and hasattr(source, "audio"):
        found = source.audio(item)
        return found if isinstance(found, Audio) else None
    pcm = pcm_of_item(item)
    return Audio(pcm[: len(pcm) & ~1])


# ---- rows


def _row(item: Item, row: Mapping[str, Any], number: int, sound: str | None) -> str:
    who, colour = _WHO.get(str(row["who"]), _WHO["other"])
    call = row.get("call")
    state = f"{_MARK[row['tone']]}{row['state']}" if row["state"] else ""
    if call and call["ms"] is not None:
        state += f", {call['ms']:,.0f} ms"
    name = f"⚙ {call['name']}" if call else who
    parts = [f"<b>{escape(name)}</b>", f' <span style="opacity:.8">{escape(state)}</span>' if state else ""]
    if call:
        parts += [_long("arguments", call["arguments"]), _error(call["error"]), _long("result", call["result"])]
    else:
        text = escape(_short(str(row["text"])))
        if row.get("rest"):
            text += f' <span style="opacity:.75">✂ not heard: <s>{escape(_short(str(row["rest"])))}</s></span>'
        if row.get("images"):
            text += f" [{row['images']} pictures]"
        if text:
            parts.append(f'<div style="white-space:pre-wrap;overflow-wrap:anywhere">{text}</div>')
    if row["ms"]:
        parts.append(_wave(item, row, colour, f"waveform of turn {number}, {who.lower()}, {row['ms'] / 1000:.1f} s"))
        parts.append(sound or f'<div style="opacity:.8">{row["ms"] / 1000:.1f} s of sound, not kept here</div>')
    return (
        f'<div style="padding:6px 12px;border-left:4px solid {colour};border-bottom:1px solid rgba(128,128,128,.25)">'
        f"{''.join(parts)}</div>"
    )


def _wave(item: Item, row: Mapping[str, Any], colour: str, words: str) -> str:
    wave = Wave()
    wave.take(item)
    bars = wave.bars
    if not bars:
        return ""
    heard = len(bars) if row["cut"] is None else round(len(bars) * min(1.0, row["cut"] / row["ms"]))
    paths = "".join(
        f'<path d="{_path(bars, first, end)}" stroke="{colour}" stroke-width="2" opacity="{opacity}"/>'
        for first, end, opacity in ((0, heard, 1), (heard, len(bars), 0.35))
        if end > first
    )
    if heard < len(bars):
        words += ", the rest was not heard"
    picture = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 216 24">{paths}</svg>'
    return (
        f'<img alt="{escape(words)}" src="data:image/svg+xml;base64,{b64encode(picture.encode()).decode()}" '
        'style="display:block;width:216px;max-width:100%;height:24px;margin:2px 0">'
    )


def _path(bars: Sequence[int], first: int, end: int) -> str:
    halves = [(index, max(1, round(bars[index] * 0.11))) for index in range(first, end)]
    return "".join(f"M{3 * index + 1} {12 - half}v{2 * half}" for index, half in halves)


def _short(text: str) -> str:
    return text if len(text) <= _TEXT else f"{text[:_TEXT]}… ({len(text) - _TEXT:,} more characters)"


def _long(name: str, text: str | None) -> str:
    if not text:
        return ""
    if len(text) <= 160 and "\n" not in text:
        return f'<div>{name} <code style="background:none;color:inherit">{escape(text)}</code></div>'
    return (
        f"<details><summary>{name}, {len(text):,} characters</summary>"
        '<pre style="white-space:pre-wrap;overflow-wrap:anywhere;background:none;color:inherit">'
        f"{escape(_short(text))}</pre></details>"
    )


def _error(error: str | None) -> str:
    return f"<div>✖ <b>failed:</b> {escape(_short(error))}</div>" if error else ""


# ---- what a source gives; a part that is missing or fails is left out, never the whole


def _items(source: Any) -> list[Item]:
    core = getattr(source, "_core", None)
    conversation = core.conversation if core is not None else getattr(source, "conversation", None)
    return list(conversation.items if isinstance(conversation, Conversation) else source.items)


def _calls(source: Any) -> dict[str, ToolCall]:
    return {call.call_id: call for reply in getattr(source, "replies", []) for call in reply.tool_calls_so_far}


def _is_over(source: Any) -> bool:
    state = getattr(source, "state", None)
    return state is None or getattr(state, "value", "") in ("closed", "failed")


def _title(source: Any) -> str:
    items = len(_items(source))
    events = len(source.events)
    parts = [f"{items} item{'s' * (items != 1)}", f"{events:,} events, {source.events.seconds:.0f} s"]
    for name in ("model", "endpoint"):
        value = getattr(source, name, None)
        if isinstance(value, str) and value:
            parts.append(value)
    state = getattr(getattr(source, "state", None), "value", None)
    what = f"Session, {state}" if state else "Recording"
    return " · ".join([what, *parts])


def _accounts(source: Any, secrets: tuple[str, ...]) -> str:
    parts: list[str] = []
    cost = _told(source, "cost")
    line = f"Cost: {cost}" if cost is not None else ""
    for name in ("turns", "latency"):
        table = _told(source, name)
        html = getattr(table, "_repr_html_", None)
        if table and html is not None:
            try:
                parts.append(f'<div style="overflow-x:auto">{html()}</div>')
            except Exception:  # noqa: BLE001 - the rest must stay
                _log.exception("%s is left out", name)
    for secret in secrets:
        parts = [part.replace(escape(secret), "…") for part in parts]
    if not line and not parts:
        return ""
    summary = escape(redact(line or "Latency", *secrets))
    if not parts:
        return f'<div style="padding:6px 12px">{summary}</div>'
    details = "".join(parts) if sum(map(len, parts)) < 40_000 else "".join(parts[-1:])
    return f'<details style="padding:6px 12px"><summary>{summary}</summary>{details}</details>'


def _told(source: Any, name: str) -> Any:
    try:
        return getattr(source, name, None)
    except Exception:  # noqa: BLE001 - the rest must stay
        _log.exception("%s is left out", name)
        return None


def _secrets(source: Any) -> tuple[str, ...]:
    core = getattr(source, "_core", None)
    return tuple(each for each in getattr(getattr(core, "endpoint", None), "secrets", ()) if each)
