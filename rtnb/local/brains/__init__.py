"""Brains of the local endpoint: what decides what is said and which tools are called.

``PracticeBrain`` is the default: rules, no model. ``ScriptBrain`` is for tests and lessons. ``ChatBrain`` asks any
OpenAI-compatible chat endpoint.
"""

from __future__ import annotations

from rtnb.local.brains.practice import PracticeBrain
from rtnb.local.brains.script import ScriptBrain, call, fail, incomplete, wait, when
from rtnb.local.seams import Brain

__all__ = ["PracticeBrain", "ScriptBrain", "call", "default_brain", "fail", "incomplete", "wait", "when"]


def default_brain() -> Brain:
    """The brain that answers when no other is named: a fresh `PracticeBrain`."""
    return PracticeBrain()
