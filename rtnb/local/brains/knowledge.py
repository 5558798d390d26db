"""What the practice brain knows: the subjects of the lessons, each with a sentence first and more after it.

Data and one search.
"""

from __future__ import annotations

import re
from typing import Final

from rtnb.local.brains.english import bare, title
from rtnb.local.brains.world import CAPITALS

__all__ = ["TOPICS", "capital", "explain", "topics_in"]

TOPICS: Final[tuple[tuple[str, str], ...]] = (
    (
        r"web ?sockets?",
        "A web socket is a connection that stays open, so that both sides can send each other messages"
        " at any time. An ordinary web request asks once and gets one answer. A web socket begins as"
        " such a request and is then upgraded. After that, small frames travel both ways with little"
        " overhead. That is why a voice conversation, where audio flows in both directions at once,"
        " fits it well.",
    ),
    (
        r"(?:open ?ai'?s? )?real ?time (?:api|model|voice)s?",
        "A realtime API is an interface over which you talk to a model while it answers: text and audio"
        " stream in both directions over one open connection. You send events such as session.update,"
        " conversation.item.create and response.create. The server sends events back: the words as they"
        " are made, the audio in small pieces, and response.done at the end. Speech goes in and comes"
        " out without a detour through separate programs. So an answer can begin within a fraction of a"
        " second, and you can interrupt it.",
    ),
    (
        r"pcm ?(?:16|sixteen)?|pulse code modulation",
        "PCM16 is sound as a row of plain numbers: each sample is a whole number of 16 bits, from minus"
        " 32768 to 32767. The Realtime API takes it with one channel and 24000 samples a second, the"
        " low byte first. A second of it is 48000 bytes. Nothing is compressed, so it can be cut at any"
        " sample. On the wire it is written as base64 text.",
    ),
    (
        r"sampl(?:e|ing) (?:rate|frequency)|(?:24|twenty four) (?:khz|kilohertz)",
        "The sampling rate says how many times a second a sound is measured. The Realtime API uses"
        " 24000 samples a second. A rate can carry tones up to half its value, so 24 kilohertz carries"
        " tones up to 12 kilohertz, which is plenty for speech. Playing a recording at a wrong rate"
        " makes it too fast and too high, or too slow and too low.",
    ),
    (
        r"(?:server |semantic )?vad|voice activity detection|turn detection|speech detection",
        "Voice activity detection, or VAD, decides whether somebody is speaking, so that the end of"
        " your sentence can start the answer. Server VAD listens for a stretch of silence after speech."
        " Semantic VAD also asks whether the sentence sounds complete. Without VAD you say yourself"
        " when your turn ends: that is push-to-talk.",
    ),
    (
        r"tokens?",
        "A token is the small piece in which a language model reads and writes: often a short word or a"
        " part of a longer one. Four letters of English make about one token. Speech is counted in"
        " tokens as well, by its length in time. Prices and limits are given in tokens, so they tell"
        " what a conversation costs.",
    ),
    (
        r"latency",
        "Latency is the time you wait between the end of your question and the beginning of the answer."
        " In a voice conversation it is made of several parts: noticing that you stopped, sending the"
        " audio, thinking, and playing the first sound. People find a pause of up to half a second"
        " natural. Streaming helps, because the first words can be heard before the last ones exist.",
    ),
    (
        r"function call(?:ing|s)?|tool call(?:ing|s)?|tool use|functions? (?:tool|calling)",
        "Function calling lets a model ask your program to run a function and then use the result in"
        " its answer. You declare each function with a name, a description and a schema of its"
        " arguments. The model answers with a call instead of words. Your program runs the function,"
        " sends the output back with the same call_id, and asks for the next response.",
    ),
    (
        r"barge ?in|interrupt(?:ion|ing|ed)?s?",
        "An interruption, or barge-in, is when you begin to speak while the answer is still playing."
        " The player must fall silent at once, the running response is cancelled, and the answer is cut"
        " at the point up to which it was heard. So the model knows what you really heard.",
    ),
    (
        r"truncat(?:ion|ing|e|ed)",
        "Truncation cuts an answer's audio in the conversation at the point up to which it was heard."
        " The event is conversation.item.truncate, with the item and the time in milliseconds.",
    ),
    (
        r"push to talk",
        "Push-to-talk means that a button decides when you speak: press, speak, release. The client"
        " then sends input_audio_buffer.commit and response.create itself, and no speech detector is"
        " needed.",
    ),
    (
        r"base ?(?:64|sixty four)",
        "Base64 writes bytes as plain letters, four letters for every three bytes. JSON cannot hold raw"
        " bytes, so audio travels as base64 inside events.",
    ),
    (
        r"json",
        "JSON is a way to write data as text: objects with names and values, lists, numbers, words,"
        " true, false and null. Each event of the Realtime API is one JSON object.",
    ),
    (
        r"web ?rtc",
        "WebRTC is how browsers send live sound and pictures to each other with little delay. The"
        " Realtime API speaks it too: audio goes over a media track, and events over a data channel.",
    ),
    (r"sip", "SIP is the protocol that sets up phone calls over the internet. The Realtime API can answer such calls."),
    (
        r"(?:server |client )?events?",
        "An event is one JSON message on the connection, with a type such as response.create. Your side"
        " sends client events, the other side sends server events, and each has an event_id.",
    ),
    (
        r"sessions?",
        "A session is one connection with its settings: instructions, voice, tools, and how turns are"
        " detected. It begins with session.created, and session.update changes it.",
    ),
    (
        r"(?:conversation )?items?",
        "An item is one entry of the conversation: a message, a function call, or a function call's"
        " output. Each has an id, and they stand in an order.",
    ),
    (
        r"response[. ]create",
        "The event response.create asks for an answer to the conversation as it stands. It may carry"
        " its own instructions, tools and output format for that one answer.",
    ),
    (
        r"response[. ]done",
        "The event response.done ends a response, however it ended: completed, cancelled, incomplete or"
        " failed. It holds the final items and the count of tokens.",
    ),
    (
        r"session[. ]update",
        "The event session.update changes the settings of the session, and session.updated confirms them.",
    ),
    (
        r"deltas?|streaming",
        "Streaming means that an answer is sent while it is being made, piece by piece. Such a piece is"
        " called a delta, and joined together the deltas are the whole answer.",
    ),
    (
        r"transcri(?:pts?|ption|be)",
        "A transcript is what was said, as text. The words of the answer stream beside its audio. Your"
        " own words are transcribed by a separate recogniser, so they may arrive a little later.",
    ),
    (r"speech to text|speech recognition|asr|stt", "Speech recognition turns the sound of a voice into text."),
    (r"text to speech|speech synthesis|tts", "Speech synthesis turns text into the sound of a voice."),
    (
        r"speech to speech",
        "A speech-to-speech model takes in your voice and answers with a voice of its own, without a"
        " detour through text.",
    ),
    (
        r"resampl(?:ing|e|er)",
        "Resampling changes the sampling rate of a recording without changing how it sounds."
        " Frequencies that the new rate cannot carry must be filtered out first, or they come back as"
        " false tones.",
    ),
    (
        r"nyquist(?: frequency| theorem| limit)?",
        "The Nyquist frequency is half the sampling rate: the highest tone that a rate can carry.",
    ),
    (r"alias(?:ing)?", "Aliasing is when a tone too high for the sampling rate comes back as a false, lower one."),
    (r"bit depth", "The bit depth says how finely each sample is measured: 16 bits know 65536 steps."),
    (r"mono|stereo", "Mono is sound with one channel, stereo is sound with two. The Realtime API uses mono."),
    (
        r"decibels?|dbfs",
        "A decibel compares how loud two sounds are, on a scale of ratios. Full scale is zero, and"
        " everything quieter is negative.",
    ),
    (r"waveforms?", "A waveform is a picture of a sound: the pressure of the air over time."),
    (
        r"echo cancel(?:l?ation|l?ing)",
        "Echo cancellation removes from the microphone what the loudspeaker is playing. Without it a"
        " voice assistant hears and interrupts itself.",
    ),
    (r"noise reduction", "Noise reduction makes steady background noise quieter before the speech is analysed."),
    (r"jitter", "Jitter is how unevenly messages arrive. A player keeps a small buffer against it."),
    (
        r"(?:audio )?buffers?",
        "A buffer holds data until it is needed. The input audio buffer collects your speech until it"
        " is committed as one item.",
    ),
    (r"commit", "A commit turns the collected input audio into a message of the conversation."),
    (
        r"mu ?law|u ?law|a ?law|g ?711|pcmu|pcma",
        "G.711 is the sound format of the telephone: 8000 samples a second with 8 bits each, in the"
        " mu-law or the A-law flavour.",
    ),
    (r"opus", "Opus is a sound format that compresses speech well with little delay. WebRTC uses it."),
    (r"wav(?: files?)?", "A WAV file is plain PCM sound with a short header that tells rate, channels and bits."),
    (
        r"api keys?",
        "An API key is a secret that proves who pays. Keep it in the environment or in a .env file,"
        " never in a notebook, and never in a web page.",
    ),
    (
        r"ephemeral (?:key|token)s?|client secrets?",
        "A client secret is a short-lived key that a server hands to a browser, so that the real key"
        " never leaves the server.",
    ),
    (r"api", "An API is the set of requests by which programs talk to each other."),
    (r"rate limits?", "A rate limit says how many requests or tokens you may use in a stretch of time."),
    (
        r"modalit(?:y|ies)",
        "A modality is a kind of input or output: text, audio or image. A response gives either text or audio.",
    ),
    (
        r"system prompt|instructions?|prompt",
        "Instructions tell the model how to behave: its role, its tone, what to do and what to avoid."
        " They hold for the session, or for a single response.",
    ),
    (
        r"voices?",
        "The voice is how the answer sounds. It can be chosen until the first audio was sent, and is"
        " fixed from then on.",
    ),
    (
        r"(?:large )?language models?|llms?",
        "A language model is a program that has learned from much text which words are likely to follow"
        " others, and that writes by choosing them one after another.",
    ),
    (r"hallucinations?", "A hallucination is an answer of a model that sounds right and is made up."),
    (
        r"jupyter(?: notebooks?| lab)?|notebooks?",
        "A Jupyter notebook is a document of cells: text that explains, and code that runs, with its results beneath.",
    ),
    (r"kernel", "A kernel is the process that runs the code of a notebook's cells."),
    (r"python", "Python is a programming language that is easy to read, with libraries for nearly everything."),
    (
        r"event loops?|async ?io",
        "An event loop runs many waiting tasks in one thread: whenever one of them can go on, it gets its turn.",
    ),
    (r"threads?", "A thread is a strand of a program that runs beside others in the same process."),
    (r"open ?ai", "OpenAI is the company that makes the GPT models and the Realtime API."),
    (r"binder", "Binder opens a repository of notebooks in the browser, on a machine lent for a while."),
    (
        r"rtnb",
        "rtnb is a laboratory for realtime voice models inside a Jupyter notebook: a session, its"
        " events, its sound and its costs, open to look at.",
    ),
    (r"http", "HTTP is the protocol of the web: a client asks, a server answers, and then the exchange is over."),
    (
        r"internet",
        "The internet is a network of networks over which computers all over the world exchange packets of data.",
    ),
    (r"computers?", "A computer is a machine that follows a list of instructions very fast and exactly."),
    (
        r"artificial intelligence|ai",
        "Artificial intelligence is the craft of making machines do what seems to need a mind: to see,"
        " to speak, to decide.",
    ),
    (
        r"neural networks?",
        "A neural network is a program of many simple units that learn, from examples, how strongly to"
        " act on each other.",
    ),
    (r"rainbows?", "A rainbow is sunlight split into its colours by drops of water."),
    (r"gravity", "Gravity is the pull between all things that have mass."),
    (r"photosynthesis", "Photosynthesis is how plants make sugar from light, water and carbon dioxide."),
)
"""Pattern of a subject -> what to say of it: one sentence that stands alone, then more."""

_PATTERNS: Final = tuple((re.compile(rf"(?<![\w.]){pattern}(?![\w]|\.\w)"), text) for pattern, text in TOPICS)
_ASKS: Final = re.compile(
    r"^(?:and )?(?:(?:please )?(?:can|could|would|will) you )?(?:please )?(?:(?:in|with) .{1,30}? )?(?:please )?"
    r"(?:explain|describe|define|tell me|what(?:'s| is| are| was| does|s)?|who(?:'s| is)|how (?:does"
    r"|do|is)|why (?:is|do|does|use)|"
    r"do you know|i (?:want|would like|'d like) to know|teach me|say something about|talk about|give me|summari[sz]e)\b"
)
_ELLIPSIS: Final = re.compile(r"^(?:and |but )?(?:what about|how about|and)\b|^(?:an? |the )?[\w ]{2,30}\??$")


def topics_in(text: str) -> list[str]:
    """What is known about the subjects that `text` names, the longest names first, none inside another."""
    spoken = bare(text)
    found: list[tuple[int, int, str]] = []
    for pattern, words in _PATTERNS:
        if match := pattern.search(spoken):
            found.append((match.start(), match.end(), words))
    found.sort(key=lambda row: (row[0] - row[1], row[0]))
    kept: list[tuple[int, int, str]] = []
    for row in found:
        if not any(row[0] < end and start < row[1] for start, end, _ in kept):
            kept.append(row)
    return [words for _, _, words in kept]


_SHORT: Final = (
    (r"web ?sockets?", "A two-way connection that stays open."),
    (r"real ?time", "Streaming conversation with a model."),
    (r"pcm", "Sound as plain numbers."),
    (r"sampl(?:e|ing)", "Measurements of sound per second."),
    (r"vad|voice activity|turn detection", "It notices when you speak."),
    (r"tokens?", "A small piece of text."),
    (r"latency", "The wait before an answer."),
    (r"function|tool", "A model asks your code."),
    (r"interrupt|barge", "Speaking while the answer plays."),
)


def explain(text: str, *, long: bool = False, most: int | None = None, follow_up: bool = False) -> str | None:
    """An explanation, when the text asks for one of something known.

    Parameters
    ----------
    long
        All there is to say, instead of the first two sentences.
    most
        The most words that are wanted; when these are very few there is a shorter wording of the main subjects.
    follow_up
        A subject's name alone, or ``and what about`` and a name, is a question too.
    """
    spoken = bare(text)
    if not (_ASKS.search(spoken) or (follow_up and _ELLIPSIS.search(spoken))):
        return None
    if re.search(r"\b(?:your|my|our)\b", spoken) and not re.search(r"\bexplain\b", spoken):
        return None
    known = topics_in(text)
    if not known:
        return None
    if re.search(r"\b(?:difference|compare|versus|vs)\b", spoken) and len(known) > 1:
        return " ".join(_first(words, 1) for words in known[:2])
    if most is not None and most < len(_first(known[0], 1).split()):
        return next((short for pattern, short in _SHORT if re.search(rf"\b(?:{pattern})", spoken)), known[0])
    return known[0] if long else _first(known[0], 2)


def _first(text: str, count: int) -> str:
    return " ".join(re.split(r"(?<=[.!?])\s+(?=[A-Z])", text)[:count])


_CAPITAL: Final = {name.casefold().removeprefix("the "): (name, city) for name, city in CAPITALS.items()}


def capital(text: str, *, follow_up: bool = False) -> str | None:
    """The capital of the country that is named, when one is asked for; or the country of a capital."""
    spoken = bare(text)
    if "capital" not in spoken and not follow_up:
        return None
    for name in sorted(_CAPITAL, key=len, reverse=True):
        if re.search(rf"\b{re.escape(name)}\b", spoken):
            country, city = _CAPITAL[name]
            return f"The capital of {country} is {city}" + ("" if city.endswith(".") else ".")
    for country, city in CAPITALS.items():
        if re.search(rf"\b{re.escape(city.casefold())}\b", spoken) and re.search(
            r"\bof (?:which|what)\b|\bcapital of\?*$", spoken
        ):
            return f"{city} is the capital of {country}."
    if asked := re.search(r"\bcapital (?:city )?of (?:the )?([a-z ]+)$", spoken):
        return f"I do not have {title(asked[1])} in my list of capitals."
    return None
