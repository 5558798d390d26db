"""Brains of the local endpoint: what decides what is said and which tools are called.

`PracticeBrain` is the default: rules, no model, and it says so. `ScriptBrain` does what it is told, for tests and
lessons. `ChatBrain` asks any OpenAI-compatible chat endpoint.

::

    practice.py      the practice brain: reads the context, decides, streams
      planner.py       which declared tools are called, what is asked back, follow-ups
        choose.py        how well a tool fits the words       synonyms.py
        slots.py         values for its parameters            schema.py allowed.py finders.py places.py sql.py
        asking.py        questions back and their answers
      results.py       results of tools as sentences
      recall.py, knowledge.py, small_talk.py, arithmetic.py, phrases.py    its own answers
      manners.py       what instructions say about the form of an answer; ear.py words it for a voice
      context.py, english.py, pieces.py, tables.py, world.py    items, words, pieces, facts
    script.py        the script brain
    chat.py          the chat brain, chat_wire.py its translation
"""

from __future__ import annotations

from rtnb.local.brains.chat import ChatBrain
from rtnb.local.brains.practice import PracticeBrain
from rtnb.local.brains.script import ScriptBrain, call, fail, incomplete, wait, when
from rtnb.local.seams import Brain

__all__ = ["ChatBrain", "PracticeBrain", "ScriptBrain", "call", "default_brain", "fail", "incomplete", "wait", "when"]


def default_brain() -> Brain:
    """The brain that answers when no other is named: a fresh `PracticeBrain`."""
    return PracticeBrain()
