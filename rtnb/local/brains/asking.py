"""What to ask when a value is missing, how to read the answer, and what to put when nobody may be asked. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from rtnb.local.brains.english import snake, title
from rtnb.local.brains.finders import polite_stripped
from rtnb.local.brains.schema import Param, Tool
from rtnb.local.brains.slots import fill

__all__ = ["answer_for", "placeholder", "question"]

_QUESTIONS: Final = {
    "place": "Which city?",
    "place_from": "From which city?",
    "place_to": "To which city?",
    "latitude": "Which city? I know only where the larger ones lie.",
    "longitude": "Which city? I know only where the larger ones lie.",
    "ticker": "Which company or ticker symbol?",
    "company": "Which company?",
    "key": "What is it called?",
    "value": "What should I store?",
    "query": "What should I look for?",
    "sql": "What would you like to know from the table?",
    "date": "On which day?",
    "time": "At what time?",
    "datetime": "When?",
    "person": "Who?",
    "message": "What should the message say?",
    "title": "What is it about?",
    "language": "Into which language?",
    "room": "In which room?",
    "device": "Which device?",
    "colour": "Which colour?",
    "email": "Which email address?",
    "expression": "What should I calculate?",
}


def question(param: Param) -> str:
    """What to ask when `param` has no value."""
    words = " ".join(param.words) or "value"
    if param.choices:
        choices = [str(choice).replace("_", " ") for choice in param.choices]
        listing = f"{', '.join(choices[:-1])} or {choices[-1]}" if len(choices) > 1 else choices[0]
        return f"Which {words}: {listing}?"
    if param.type == "boolean":
        return f"Yes or no: {words}?"
    if param.type in {"number", "integer"} and param.kind not in {"latitude", "longitude"}:
        return f"Which number is {words}?" if len(words) < 3 else f"What is the {words}? Please give me a number."
    return _QUESTIONS.get(param.kind, f"What is the {words}?")


def answer_for(tool: Tool, param: Param, text: str, *, facts: Mapping[str, str] | None = None) -> Any | None:
    """The value of `param` in the user's answer to its `question`; ``None`` when there is none in it."""
    found = fill(Tool(tool.name, tool.description, (param,), tool.words), text, facts=facts)
    if found.values.get(param.path) is not None:
        return found.values[param.path]
    rest = polite_stripped(text)
    rest = re.sub(r"^(?:in|at|for|to|from|on|of|it is|it's|its|that is|that's|the)\s+", "", rest, flags=re.IGNORECASE)
    if not rest or param.choices or param.type not in {"string", ""} or param.kind in {"latitude", "longitude", "sql"}:
        return None
    if param.kind == "ticker":
        return rest.upper() if re.fullmatch(r"[A-Za-z.]{1,6}", rest) else None
    if param.kind in {"place", "place_from", "place_to", "person", "company"}:
        return title(rest)
    return snake(re.sub(r"^my\s+", "", rest)) if param.kind == "key" else rest


def placeholder(param: Param) -> Any:
    """A value of the right type, for a call that was demanded without words to fill it."""
    if param.choices:
        return [param.choices[0]] if param.type == "array" else param.choices[0]
    textual = param.type in {"string", ""}
    if textual and (example := re.search(r"(?:e\.g\.,?|for example,?|such as|like)\s+['\"]?([^'\".;)]+)", param.text)):
        return example[1].strip()
    empty: dict[str, Any] = {"number": 0, "integer": 0, "boolean": False, "array": [], "object": {}}
    return empty.get(param.type, "")
