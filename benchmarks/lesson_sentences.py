"""Sentences to measure the recogniser with.

`LESSON` are what the notebooks tell people to say: the recogniser's templates cover them. `HELD_OUT` mean the same in
other words, and stand in no template; `word_error_rate.py` checks that. `OUTSIDE` are about other things altogether.
"""

from __future__ import annotations

LESSON = """
Explain in one sentence what a web socket is
What is four plus six
What's twenty five times three
Add seven and eleven
What's the weather in New York
How about Chicago
And in Paris
What is the weather like in San Francisco
Will it rain in London tomorrow
What's the temperature in Tokyo
Is it raining in Seattle
What's the weather in Berlin and Vienna
Remember that my favorite color is blue
What is my favorite color
My name is Ann
What is my name
What is the stock price of Apple
How much is Microsoft stock
What about Google
Show me a chart of Tesla stock
Tell me a long story
Tell me a joke
Stop
Hello
Can you hear me
Count to ten
Thank you
Goodbye
What can you do
Explain what a token is
What is voice activity detection
What is the capital of France
What time is it
Please repeat that
Yes please
No thank you
""".strip().splitlines()

HELD_OUT = """
Could you explain to me in a single sentence what web sockets are
I'd like to know how much four plus six makes
Tell me the result of nine times eight
Please work out thirty minus twelve
Could you tell me how the weather is in New York at the moment
I wonder what it's like outside in Chicago right now
Is there any snow in Denver this morning
Should I take a coat in Stockholm
Keep in mind that the color I like best is green
Which color did I say was my favorite
You can call me Peter from now on
Do you still know what I am called
Give me the current price of one share of Amazon
I want to see how Microsoft did last week
Are the shares of Nvidia up today
Please tell me a really long fairy tale about a lion
Do you know anything funny
That is enough for now
Nice to meet you
Are you still there
Say the numbers from one up to five
Many thanks for your help
Talk to you tomorrow
What sort of things are you able to do
Describe how speech recognition works
Which city is the capital of Italy
""".strip().splitlines()

OUTSIDE = """
The train to the airport leaves in fifteen minutes
My sister bought a new bicycle last summer
Put the milk back into the fridge
We should paint the kitchen before winter
Nobody knew where the old key was hidden
The doctor said that he needs more sleep
""".strip().splitlines()
