"""What people say in the lessons: templates, from which the recogniser's own language model is built.

`sentences` expands them; the child process counts them into a model when it starts, in a sixth of a second. All words
are as the recogniser's dictionary spells them: small letters, numbers as words, American spelling. Whoever writes a
lesson that is spoken adds its sentences here.

Data; imports nothing of rtnb.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Final

__all__ = ["SLOTS", "TEMPLATES", "sentences"]


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


SLOTS: Final[dict[str, tuple[str, ...]]] = {
    "number": _listed(
        "one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen, fifteen, "
        "sixteen, seventeen, eighteen, nineteen, twenty, thirty, forty, fifty, sixty, seventy, eighty, ninety, "
        "a hundred, one hundred, two hundred, five hundred, a thousand, twenty one, twenty three, twenty five, "
        "thirty two, thirty seven, forty two, forty eight, fifty six, sixty four, seventy five, eighty one, ninety nine"
    ),
    "city": _listed(
        "new york, chicago, london, paris, berlin, tokyo, san francisco, los angeles, boston, seattle, rome, madrid, "
        "vienna, zurich, geneva, amsterdam, brussels, copenhagen, stockholm, oslo, helsinki, dublin, lisbon, athens, "
        "moscow, istanbul, cairo, sydney, melbourne, toronto, vancouver, montreal, mexico city, delhi, mumbai, "
        "singapore, hong kong, beijing, shanghai, seoul, bangkok, miami, denver, houston, dallas, washington, munich, "
        "hamburg, prague, warsaw, budapest, milan, barcelona, edinburgh, manchester, san diego, las vegas, new orleans"
    ),
    "company": _listed(
        "apple, microsoft, google, amazon, tesla, meta, nvidia, intel, netflix, ibm, facebook, alphabet, oracle, "
        "disney, boeing, ford, general motors, coca cola, nike, starbucks, walmart, visa, adobe, cisco, siemens"
    ),
    "color": _listed("blue, red, green, yellow, black, white, orange, purple, pink, brown, gray"),
    "name": _listed(
        "ann, anna, bob, alice, john, mary, peter, paul, james, david, michael, sarah, maria, laura, tom, kate, sam, "
        "emma, lucy, max, ben, julia, mark, chris, alex, robert, linda, susan, george, jack, charlie, emily, daniel"
    ),
    "thing": _listed(
        "a web socket, an event, a token, a sampling rate, voice activity detection, latency, function calling, "
        "a session, an item, a response, a transcript, speech recognition, speech synthesis, base sixty four, jason, "
        "an a p i, the real time a p i, p c m, push to talk, a language model, a kernel, a notebook, streaming, "
        "an interruption, a buffer, a waveform, a sample, a tool, python, jupiter, the internet, a computer, "
        "a neural network, artificial intelligence, a rainbow, gravity, an echo, a microphone, a rate limit, a prompt"
    ),
    "animal": _listed("dog, cat, bird, fish, horse, lion, elephant, robot, dragon, bear, fox, rabbit, mouse"),
    "food": _listed("pizza, pasta, rice, bread, chocolate, ice cream, soup, salad, cheese, coffee, tea, apples"),
    "country": _listed(
        "france, germany, italy, spain, england, japan, china, india, canada, mexico, brazil, russia, australia, "
        "sweden, norway, austria, poland, greece, egypt, ireland, portugal, switzerland, the united states"
    ),
    "day": _listed("today, tomorrow, now, right now, tonight, this week, on monday, on friday, at the weekend"),
    "language": _listed("french, german, spanish, italian, english, japanese, chinese"),
    "sum": _listed("plus, minus, times, divided by, and"),
}
"""The words that may stand in a template's braces."""

# One template a line. A number in front repeats it: how much more often it is said than the others.
TEMPLATES: Final = """
16 hello
8 hi
4 hello there
4 hi there
3 hey
3 good morning
2 good evening
2 good afternoon
4 how are you
2 how are you today
3 hello how are you
2 hello can you hear me
3 can you hear me
16 goodbye
4 bye
3 bye bye
2 good night
2 see you later
24 thank you
4 thanks
4 thank you very much
2 thanks a lot
24 stop
1 stop it
3 stop please
3 please stop
3 wait
3 wait a moment
2 be quiet
2 that's enough
10 yes
6 yes please
10 no
4 no thank you
4 okay
2 maybe
3 go on
2 continue
2 please continue
4 never mind
3 i don't know
3 what did you say
3 say that again
3 please repeat that
3 repeat that
3 can you repeat that
3 pardon
3 help
3 help me
4 what can you do
3 who are you
3 what are you
3 are you a real model
3 are you human
4 what is your name
3 what's your name
4 what is my name
3 what's my name
3 do you remember my name
2 my name is {name}
1 i am {name}
1 i'm {name}
1 hello my name is {name}
1 hi i'm {name}
1 remember that my name is {name}
1 call me {name}
4 remember that my favorite color is {color}
3 my favorite color is {color}
2 please remember that my favorite color is {color}
2 i like {color}
8 what is my favorite color
6 what's my favorite color
3 do you remember my favorite color
3 which color do i like
2 remember that my favorite food is {food}
2 my favorite food is {food}
1 remember that i like {food}
1 i like {food}
1 i love {food}
4 what is my favorite food
3 what do you know about me
3 what do i like
2 remember that i live in {city}
1 i live in {city}
1 i'm from {city}
3 where do i live
3 forget my name
3 forget everything
3 what do you remember
3 what did i tell you
2 my dog is called {name}
2 remember that my dog is called {name}
3 what is my dog called
1 remember that my birthday is in march
1 remember that my lucky number is {number}
2 what is my lucky number
3 what is {number} {sum} {number}
3 what's {number} {sum} {number}
1 how much is {number} {sum} {number}
1 what is the sum of {number} and {number}
1 add {number} and {number}
1 please add {number} and {number}
1 calculate {number} {sum} {number}
1 can you add {number} and {number}
1 can you calculate {number} {sum} {number}
1 multiply {number} by {number}
1 multiply {number} and {number}
1 subtract {number} from {number}
1 divide {number} by {number}
1 {number} {sum} {number}
1 and {number} {sum} {number}
1 and {sum} {number}
1 what about {number} {sum} {number}
1 what is the square root of {number}
1 what is half of {number}
1 {number}
2 what is the weather in {city}
3 what's the weather in {city}
2 what's the weather like in {city}
1 what is the weather like in {city}
1 how is the weather in {city}
1 how's the weather in {city}
1 tell me the weather in {city}
1 what's the weather in {city} {day}
1 what is the weather in {city} {day}
1 what will the weather be in {city} {day}
1 what is the temperature in {city}
1 how warm is it in {city}
1 how cold is it in {city}
1 how hot is it in {city}
1 is it raining in {city}
1 will it rain in {city} {day}
1 is it cold in {city}
1 is it sunny in {city}
1 do i need an umbrella in {city}
1 show me {city} on the map
2 how about {city}
2 what about {city}
2 and in {city}
1 and {city}
1 in {city}
1 {city}
1 what time is it in {city}
2 what's the weather in {city} and {city}
1 compare the weather in {city} and {city}
4 what's the weather
4 what is the weather like
4 how is the weather
4 how is the weather {day}
3 what's the weather {day}
3 what time is it
3 what's the time
3 what day is it
3 what is the date today
2 what is the stock price of {company}
2 what's the stock price of {company}
1 what is the price of {company}
1 what is the share price of {company}
1 how is {company} doing
1 how is {company} stock doing
1 how much is {company} stock
1 how much is a share of {company}
1 get the stock price of {company}
1 tell me the stock price of {company}
1 show me the stock price of {company}
1 what about {company}
1 how about {company}
1 and {company}
1 {company}
1 compare {company} and {company}
1 draw a chart of {company}
1 show me a chart of {company} stock
1 plot the stock price of {company}
3 explain in one sentence what {thing} is
2 explain what {thing} is
2 what is {thing}
2 what's {thing}
1 tell me what {thing} is
1 explain {thing}
1 explain {thing} in one sentence
1 explain {thing} to me
1 tell me about {thing}
1 tell me more about {thing}
1 please explain {thing}
1 can you explain {thing}
1 can you explain what {thing} is
1 explain to a child what {thing} is
1 what does {thing} mean
1 how does {thing} work
1 why do we need {thing}
1 explain in two sentences what {thing} is
2 explain in simple words what {thing} is
3 what is the difference between {thing} and {thing}
4 what is a web socket
4 what are web sockets
3 tell me more
3 why
3 why is that
3 what does that mean
3 explain that
2 in one sentence please
2 shorter please
2 more slowly please
2 speak slowly
2 speak louder
6 tell me a story
6 tell me a long story
4 tell me a short story
2 tell me a story about a {animal}
1 tell me a long story about a {animal}
1 tell me a short story about a {animal}
4 tell me a joke
3 tell me another joke
2 tell me a joke about a {animal}
2 tell me something interesting
2 tell me something about yourself
2 sing a song
2 write a poem
2 write a short poem about a {animal}
1 count to {number}
3 count to ten
3 please count to ten
3 count from one to ten
2 count from one to twenty
3 can you count to ten
2 one two three
2 one two three four five
2 testing one two three
2 this is a test
2 test
2 what is the capital of {country}
1 what's the capital of {country}
1 where is {country}
1 how many people live in {country}
1 how do you say hello in {language}
1 how do you say thank you in {language}
1 say hello in {language}
1 speak {language}
1 translate good morning into {language}
2 say hello
2 say something
2 say yes
2 roll a dice
2 toss a coin
2 flip a coin
1 give me a random number
1 give me a number between one and {number}
2 set a timer for {number} minutes
2 turn on the light
2 turn off the light
2 turn the light on
2 turn the light off
2 turn the lights {color}
2 play some music
2 who won
2 book a table for {number}
2 book a table for {number} people
2 how much does it cost
2 what does it cost
2 i would like a coffee
2 i would like a pizza please
2 let's talk about {thing}
2 i have a question
2 start again
2 start over
3 you are welcome
3 that's right
3 that's wrong
3 great
3 very good
"""


def sentences() -> Iterator[str]:
    """Expand the templates: each word of a slot stands at least once in each place that takes it."""
    for line in TEMPLATES.strip().splitlines():
        weight, template = line.split(" ", 1)
        places = re.findall(r"\{(\w+)\}", template)
        rows = max((len(SLOTS[place]) for place in places), default=1)
        for turn in range(int(weight)):
            # Each slot runs through its words at a pace of its own, so that neighbours differ from turn to turn.
            runs = [
                itertools.islice(itertools.cycle(SLOTS[place]), (turn * 7 + 3) * number, None)
                for number, place in enumerate(places)
            ]
            for _ in range(rows):
                words = iter([next(run) for run in runs])
                yield re.sub(r"\{\w+\}", lambda _, words=words: next(words), template)  # type: ignore[misc]
