"""The smallest tool: a function with annotations and a docstring.

What the model gets to know of it is all here. The name and the first part of the docstring are what it picks the tool
by, so the docstring says what the tool does *and when to use it*; the annotations say that both arguments are
numbers; the section *Parameters* says what they mean. Try::

    session.tool(rtnb.toolbox.calculate_sum)
    session.ask("What's 4 + 6?").tool_calls

Imports nothing of rtnb.
"""

from __future__ import annotations

__all__ = ["calculate_sum"]


def calculate_sum(a: float, b: float) -> float:
    """Add two numbers. Use it whenever a sum is asked for, for example "What's 4 + 6?".

    Parameters
    ----------
    a
        The first number.
    b
        The number to add to it.
    """
    return a + b
