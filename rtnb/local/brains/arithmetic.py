"""Arithmetic without a tool: evaluates an expression of numbers and the four operations, exactly and safely. Pure."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Final

from rtnb.local.brains.english import number_text
from rtnb.local.brains.finders import expressions, polite_stripped

__all__ = ["evaluate", "reckon"]

_BINARY: Final[dict[type, Callable[[Fraction, Fraction], Fraction]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}
_MAX: Final = 10**30


def evaluate(expression: str) -> Fraction | None:
    """The value of an expression in symbols; ``None`` when it is none, divides by zero, or grows past all measure."""
    try:
        value = _value(ast.parse(expression.strip(), mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError):
        return None
    return value if abs(value) < _MAX else None


def _value(node: ast.expr) -> Fraction:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and abs(node.value) < _MAX:
        return Fraction(str(node.value))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _value(node.operand)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left), _value(node.right)
        if isinstance(node.op, ast.Pow):
            if right.denominator != 1 or not 0 <= right <= 64 or abs(left) > 10**6:
                raise ValueError("too large a power")
            return left ** int(right)
        if type(node.op) in _BINARY:
            return _BINARY[type(node.op)](left, right)
    raise ValueError("no arithmetic")


_SAID: Final = {"+": " plus ", "-": " minus ", "*": " times ", "/": " divided by "}


def reckon(text: str) -> str | None:
    """The answer to a sum in words or symbols, as a sentence; ``None`` when `text` holds none."""
    text = polite_stripped(text)
    text = re.sub(r"\b(?:add|sum(?: up)?)\s+(.+?)\s+(?:and|to)\s+(\S.*)", r"\1 plus \2", text, flags=re.IGNORECASE)
    text = re.sub(r"\bmultiply\s+(.+?)\s+(?:and|by|with)\s+(\S.*)", r"\1 times \2", text, flags=re.IGNORECASE)
    text = re.sub(r"\bdivide\s+(.+?)\s+by\s+(\S.*)", r"\1 divided by \2", text, flags=re.IGNORECASE)
    text = re.sub(r"\bsubtract\s+(.+?)\s+from\s+(\S.*)", r"\2 minus \1", text, flags=re.IGNORECASE)
    text = re.sub(r"([\d.]+)\s*(?:%|percent) of\b", r"\1 / 100 *", text, flags=re.IGNORECASE)
    text = re.sub(r"\bsquared\b", "** 2", text, flags=re.IGNORECASE)
    found = expressions(text)
    if not found or not re.search(r"\d\)?\s*[-+*/%]", found[0]):
        return None
    expression = found[0].replace("^", "**").rstrip(". ")
    if re.search(r"/\s*0+(?![\d.])", expression):
        return "That cannot be done: nothing can be divided by zero."
    value = evaluate(expression)
    if value is None:
        return None
    spoken = re.sub(r"(?<=[\d) ])([-+*/])(?=[\s\d(])", lambda sign: _SAID[sign[1]], expression.replace("**", "^"))
    spoken = " ".join(spoken.split())
    number = number_text(float(value))
    return f"{spoken} is {'about ' if Fraction(number) != value else ''}{number}."
