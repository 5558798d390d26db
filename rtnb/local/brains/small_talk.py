"""Small talk by rule: greetings, jokes, counting, stories, and honest words about what a practice brain is. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from rtnb.local.brains.context import Context
from rtnb.local.brains.english import bare, number_text, numbers, plain, quoted
from rtnb.local.brains.phrases import phrase_asked

__all__ = ["FALLBACK", "NOT_UNDERSTOOD", "WHO", "Company", "small_talk"]

WHO: Final = (
    "I am the practice brain: a set of rules, and no language model."
    " For a real one, put an OpenAI key into the environment or a .env file,"
    " or give the local endpoint a chat brain with the URL of your own model server."
)
NOT_UNDERSTOOD: Final = "Sorry, I did not understand you. Could you say that again?"
FALLBACK: Final = (
    "I have no rule for that. I am the practice brain, not a language model: try the questions of the lessons,"
    " a sum, or a tool that you have declared; or connect a real model."
)


@dataclass(frozen=True)
class Company:
    """Whom one talks to: the conversation, the assistant's name, the declared tools, whether it is spoken."""

    context: Context
    name: str = ""
    tools: Sequence[str] = ()
    aloud: bool = False

    def turn(self, pattern: str) -> int:
        """How often the user has said something like this before."""
        return sum(1 for text in self.context.user[:-1] if re.search(pattern, bare(text)))


Answer = tuple[str, str]
"""The intent and the words."""


def small_talk(text: str, company: Company) -> Answer | None:
    """The intent and the words of a small answer; ``None`` when no rule fits."""
    spoken = bare(text)
    if words := _repeat(text):
        return "repeat", words
    if words := phrase_asked(text):
        return "phrase", words
    for intent, pattern, answer in _RULES:
        if match := re.search(pattern, spoken):
            words = answer if isinstance(answer, str) else answer(match, company)
            if words:
                return intent, words
    return None


def _repeat(text: str) -> str | None:
    """What is to be repeated, as it was written."""
    match = re.match(
        r"(?:(?:please|can you|could you|will you|now|and)[, ]+)*(?:repeat after me(?:, please)?"
        r"|repeat (?:the (?:words?|sentence|following)|this)|"
        r"say (?:the (?:words?|following)|this|exactly|after me)|repeat|say)\s*[:,]?\s+(.+)$",
        plain(text),
        re.IGNORECASE,
    )
    if not match or re.match(
        r"(?:that|it|again|something|anything|what|hello to|your|more|the last|the first|yes or no)\b",
        match[1],
        re.IGNORECASE,
    ):
        return None
    if re.search(r"\bin (?:french|german|spanish|italian|[a-z]+ese|[a-z]+ish)\W*$", match[1], re.IGNORECASE):
        return None
    words = quoted(match[1])
    return words[0] if words and len(words[0]) > len(match[1]) / 2 else match[1].strip(" \"'“”")


def _who(match: re.Match[str], company: Company) -> str:
    return f"My name is {company.name}. {WHO}" if company.name else WHO


def _name(match: re.Match[str], company: Company) -> str:
    if company.name:
        return f"My name is {company.name}."
    return "I have no name of my own: I am the practice brain, a set of rules."


def _abilities(match: re.Match[str], company: Company) -> str:
    tools = [" ".join(name.replace("-", "_").split("_")) for name in company.tools]
    listing = (
        f" I can also use the tools you have declared: {', '.join(tools)}."
        if tools
        else " When you declare tools, I call them."
    )
    return (
        "I can explain the words of the lessons, reckon, count, tell jokes and a story, and remember what you told me."
        f"{listing} I am the practice brain, a set of rules and no language model;"
        f" {WHO.split('. ', 1)[1][0].lower()}{WHO.split('. ', 1)[1][1:]}"
    )


_JOKES: Final = (
    "Why do programmers prefer dark mode? Because light attracts bugs.",
    "There are ten kinds of people: those who read binary, and those who do not.",
    "Why did the web socket stay at the party? Nobody sent it a close frame.",
    "I would tell you a joke about UDP, but you might not get it.",
    "How many language models does it take to change a bulb? I would not know: I am a set of rules.",
)


def _joke(match: re.Match[str], company: Company) -> str:
    return _JOKES[company.turn(r"\bjokes?\b|\banother\b") % len(_JOKES)]


def _another(match: re.Match[str], company: Company) -> str | None:
    before = [bare(text) for text in company.context.user[:-1]]
    return _joke(match, company) if before and re.search(r"\bjokes?\b|\banother\b", before[-1]) else None


def _greet(match: re.Match[str], company: Company) -> str:
    lead = {"good morning": "Good morning!", "good evening": "Good evening!", "good afternoon": "Good afternoon!"}.get(
        match[1], "Hello!"
    )
    me = f"I am {company.name}. " if company.name and len(company.context.user) < 2 else ""
    return f"{lead} {me}What would you like to try?" if len(company.context.user) < 2 else f"{lead} What next?"


def _count(match: re.Match[str], company: Company) -> str | None:
    spoken = match.string
    found = [int(number.value) for number in numbers(spoken)]
    if not found:
        return None
    first, last = (found[0], found[1]) if len(found) > 1 else (1, found[0])
    if re.search(r"\b(?:backwards?|down)\b", spoken):
        first, last = (max(first, last), min(first, last)) if len(found) > 1 else (last, 1)
    step = 1 if last >= first else -1
    if re.search(r"\bby (?:twos|2|two)\b", spoken):
        step *= 2
    row = list(range(first, last + step, step))[:200]
    shown = ", ".join(number_text(each) for each in row) + "."
    return shown if row[-1] == last else f"{shown} I stop here: two hundred numbers are enough."


_STORY: Final = (
    "Once upon a time, on a hill above the sea, there stood an old lighthouse with a keeper named Mira."
    " Every evening she climbed two hundred and four steps to light the lamp."
    " One autumn night a storm came in, and the wire that carried her messages to the harbour began to crackle."
    " Each word that she sent was answered long after it had mattered, and sometimes not at all."
    " So Mira thought of something new: she would keep the line open and never hang up."
    " On her side she spoke whenever she saw a sail, and on the harbour's side they spoke whenever a boat was missing."
    " Nobody had to knock first, and nobody had to wait for a turn."
    " That night eleven boats came home, the last of them with its mast broken and its crew singing."
    " In the morning the harbour master walked up the hill to see the wonderful machine."
    " Mira showed him a plain wire, a lamp, and a cup of tea gone cold."
    " It is not the wire, she said, it is that both of us are listening."
    " And from then on, the line between the lighthouse and the harbour was never closed again."
)
_POEM: Final = (
    "A wire, a lamp, a voice at night, that asks and need not wait;"
    " the words arrive in little lights, and none of them is late."
    " You speak, I stop; I speak, you hear; the line is never still:"
    " a conversation, drawing near, as conversations will."
)
_SPEECH: Final = (
    "I will talk for a while, so that you can interrupt me."
    " A spoken answer is made of words, and the words are made of sound, twenty-four thousand numbers for every second."
    " The sound arrives faster than it can be played, so most of what I have said so far is still"
    " waiting in your player."
    " If you begin to speak now, three things should happen, one after another."
    " First the loudspeaker falls silent, because nothing is more annoying than a machine that talks over you."
    " Then the response is cancelled, so that no more words are made in vain."
    " At last the answer is cut at the point that you really heard, so that we both remember the same conversation."
    " If nobody interrupts me, I go on, sentence after sentence, as patient as a set of rules can be."
    " I could speak of sampling rates, of tokens, or of the weather, had you declared a tool for it."
    " But all good answers end, and this one ends here."
)


def _spell(match: re.Match[str], company: Company) -> str:
    return ", ".join(match[1].upper()) + "."


def _needs_tool(match: re.Match[str], company: Company) -> str:
    subject = next(name for name, pattern in _OUTSIDE if re.search(pattern, match.string))
    if company.tools:
        return (
            f"None of the declared tools tells me about {subject}, and by myself I do not know. Declare"
            f" one that does, and I will call it."
        )
    return f"By myself I know nothing about {subject}. Declare a tool for it, and I will call it."


_OUTSIDE: Final = (
    ("the weather", r"\bweather\b|\bforecast\b|\b(?:raining|snowing)\b|\bumbrella\b"),
    ("share prices", r"\b(?:stocks?|shares?)\b|\bticker\b"),
    ("your calendar", r"\b(?:calendar|appointments?|meetings?)\b"),
    ("the lamps and the heating", r"\b(?:turn|switch) (?:on|off)\b|\b(?:light|lights|lamp|heating)\b"),
    ("the news", r"\bnews\b"),
)
_CLOCK: Final = (
    "I have no clock and no calendar, so I cannot tell. Declare a tool that reads the time, and I will call it."
)
_END: Final = r"(?: there| everyone| everybody| again| friend| assistant| computer| practice brain| world| to you)*$"

_RULES: Final[tuple[tuple[str, str, str | Callable[[re.Match[str], Company], str | None]], ...]] = (
    (
        "greeting",
        rf"^(?:oh )?(hello|hi|hey|good morning|good evening|good afternoon|greetings|howdy|welcome|say"
        rf" (?:hello|hi)|greet)\b(?: hello| hi)?{_END}",
        _greet,
    ),
    ("greeting", r"^(?:please )?(?:greet|welcome|say (?:hello|hi) to)\b()", _greet),
    (
        "how_are_you",
        r"\bhow (?:are|'re) you\b|\bhow do you do\b|\bhow is it going\b|\bhow's it going\b|\bwhat's up\b",
        "I am well, thank you: all my rules are in order. And you?",
    ),
    ("thanks", r"^(?:ok |okay |great |perfect |good )*(?:thanks|thank you|many thanks|cheers)\b", "You are welcome."),
    (
        "bye",
        r"^(?:ok |okay )*(?:bye|good ?bye|see you|good night|farewell|that is all|that's all)\b",
        "Goodbye! It was good to talk to you.",
    ),
    (
        "name",
        r"\b(?:what|who)(?:'s| is| was)? (?:your name|you called)\b|\bwhat are you called\b|\bwhat is"
        r" your name\b|\bwhat should i call you\b|\bdo you have a name\b|\bwhats your name\b|\btell me"
        r" your name\b",
        _name,
    ),
    (
        "who",
        r"\b(?:who|what) (?:are|r) you\b|\bwho am i (?:talking|speaking) (?:to|with)\b|\bare you (?:an? "
        r"|the )?(?:real|human|person|robot|bot|machine|ai|language model|llm|model|chat ?gpt|gpt"
        r"|computer|practice brain)\b|\bintroduce yourself\b|\bwhat (?:model|brain|kind of (?:model"
        r"|brain))\b|\btell me about yourself\b|\bwho (?:made|built) you\b|\bpractice brain\b",
        _who,
    ),
    (
        "help",
        r"\bwhat can (?:you do|i (?:ask|say|do|try))\b|^help\b|\bhelp me$|\bwhat do you (?:do|know)$|\bhow can you"
        r" help\b|\bwhat are (?:you able|your abilities)\b|\bwhat tools\b|\bwhich tools\b",
        _abilities,
    ),
    (
        "help",
        r"\bhow (?:do|can) i (?:get|use|connect|have) (?:a )?(?:real|better|proper|language) (?:model"
        r"|brain|one)\b|\breal (?:language )?model\b",
        WHO,
    ),
    ("joke", r"\bjokes?\b|\bmake me laugh\b|\bsomething funny\b", _joke),
    ("joke", r"^(?:tell me |and )?(?:another|one more)(?: one)?(?: please)?$", _another),
    ("count", r"\bcount\b(?!ry)", _count),
    ("long", r"\b(?:story|stories|fairy tale|once upon)\b", _STORY),
    ("long", r"\bpoem\b|\brhyme\b", _POEM),
    (
        "long",
        r"\b(?:long (?:answer|speech|text|talk|sentence|monologue)|(?:talk|speak|go on|keep (?:talking"
        r"|speaking|going))(?: to me)? (?:for|without|until|a lot|about anything)|keep (?:talking"
        r"|speaking)|talk to me|say something long|interrupt you)\b",
        _SPEECH,
    ),
    ("spell", r"\bspell (?:the word )?([a-zà-ÿ]+)$", _spell),
    ("alphabet", r"\balphabet\b", "A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R, S, T, U, V, W, X, Y, Z."),
    (
        "days",
        r"\bdays of the week\b|\bweekdays\b",
        "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday and Sunday.",
    ),
    (
        "months",
        r"\bmonths of the year\b|\bmonths\b.*\byear\b",
        "January, February, March, April, May, June, July, August, September, October, November and December.",
    ),
    (
        "clock",
        r"\bwhat(?:'s| is| s)? (?:the )?(?:current )?(?:time|date|day|year|month)\b|\bwhat time\b|\bwhat"
        r" (?:day|year|month) is it\b|\b(?:today's|todays) date\b|\btime is it\b",
        _CLOCK,
    ),
    (
        "hearing",
        r"\b(?:can|do) you (?:hear|read|understand) me\b|^(?:test|testing|one two three|mic(?:rophone)?"
        r" (?:test|check))\b|\bare you (?:there|listening|awake)\b",
        "Yes, I am here. What you said has reached me.",
    ),
    (
        "languages",
        r"\b(?:what|which|how many) languages\b",
        "My rules are written for English. I know a few phrases of French, German, Spanish and Italian,"
        " and no other language.",
    ),
    (
        "life",
        r"\bmeaning of life\b|\banswer to everything\b",
        "Forty-two, or so a well-known book says. I am only a set of rules.",
    ),
    ("talk", r"^(?:please )?say (?:something|anything)\b", "Here is something: a rule chose these words, one by one."),
    ("sing", r"\bsing\b", "I cannot sing: my voice reads words, and I only choose them."),
    (
        "feelings",
        r"\b(?:do you (?:have|feel)|are you (?:happy|sad|tired|bored|alive|conscious))\b.*",
        "No: I am a set of rules, and rules do not feel.",
    ),
    ("sorry", r"^(?:i am |i'm )?sorry\b", "No harm done."),
    (
        "praise",
        r"^(?:very )?(?:good|great|nice|cool|wow|awesome|perfect|excellent|amazing|well done"
        r"|wonderful)(?: job| work| one| answer| that's| thanks)*$",
        "Thank you.",
    ),
    (
        "yes",
        r"^(?:yes|yeah|yep|ok|okay|sure|right|fine|all right|alright|i see|got it)(?: please)?$",
        "All right. What would you like to try?",
    ),
    ("no", r"^(?:no|nope|never mind|nothing|stop|cancel|forget it)(?: thanks| thank you)?$", "All right."),
    ("feeling", r"^(?:and )?(?:i am|i'm) (?:fine|good|well|great|ok|okay|happy)\b", "I am glad to hear it."),
    (
        "yourself",
        r"^(?:and|what about|how about) (?:you|yourself)$",
        "As for me: I am a set of rules, and all of them are in order.",
    ),
    ("favourite", r"\byour favou?rite\b", "I have no favourites: I am a set of rules."),
    ("outside", "|".join(pattern for _, pattern in _OUTSIDE), _needs_tool),
)
