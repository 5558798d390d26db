"""Writes docs/reference.md from the code: every public name, its signature and its docstring.

``uv run python tests/helpers_docs.py`` writes it; a test holds the committed file equal to what this gives.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rtnb

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference.md"

HEAD = """\
# Reference

Every public name of `rtnb`, as it stands in the code: this file is made by `uv run python tests/helpers_docs.py`, and a
test holds it equal to the code. The examples are run by the tests. In a notebook Shift-Tab shows the same texts.
"""

FIELD_SECTIONS = ("Parameters", "Attributes", "Raises", "Returns")


def values_of_other_modules() -> list[tuple[str, Any]]:
    """What public calls give, and what is documented beside them although it is no name of `rtnb` itself."""
    from rtnb.core.checkup import CheckUp, Input, Row
    from rtnb.core.log import Entry
    from rtnb.core.traffic import Traffic
    from rtnb.net.relay import Relay
    from rtnb.testing import ScriptedEndpoint

    others = (CheckUp, Row, Input, Entry, Traffic, Relay, ScriptedEndpoint)
    return [(f"{each.__module__}.{each.__name__}", each) for each in others]


def reference() -> str:
    """The whole page."""
    parts = [HEAD]
    names = [(f"rtnb.{name}", getattr(rtnb, name)) for name in rtnb.__all__]
    classes = [(name, value) for name, value in names if inspect.isclass(value) and not _is_error(value)]
    errors = [(name, value) for name, value in names if inspect.isclass(value) and _is_error(value)]
    rest = [(name, value) for name, value in names if not inspect.isclass(value)]
    groups = (
        ("Functions", rest),
        ("Classes", classes),
        ("Errors", errors),
        ("Values that calls give, and other modules", values_of_other_modules()),
    )
    for title, group in groups:
        parts.append(f"## {title}\n")
        parts += [_entry(name, value) for name, value in group]
    return "\n".join(parts).rstrip() + "\n"


def public_members(cls: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties that rtnb defines, those of its mixins included, in the order of the alphabet."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if not base.__module__.startswith("rtnb"):
            continue
        for name, value in vars(base).items():
            if not name.startswith("_") and isinstance(value, property | classmethod | staticmethod | _FUNCTION):
                found[name] = value
    return iter(sorted(found.items()))


_FUNCTION = type(lambda: None)


def _is_error(value: type) -> bool:
    return issubclass(value, BaseException)


def _entry(name: str, value: Any) -> str:
    lines = [f"### `{name}`\n"]
    if callable(value) and not (inspect.isclass(value) and _is_error(value)):
        lines.append(f"```text\n{_signature(name.rpartition('.')[2], value)}\n```\n")
    lines.append(markdown(inspect.getdoc(value) or ""))
    if inspect.isclass(value):
        for member, thing in public_members(value):
            lines.append(_member(name.rpartition(".")[2], member, thing))
    return "\n".join(lines)


def _member(owner: str, name: str, thing: Any) -> str:
    doc = markdown(inspect.getdoc(thing) or "")
    if isinstance(thing, property):
        settable = ", may be set" if thing.fset is not None else ""
        return f"#### `{owner}.{name}` (property{settable})\n\n{doc}"
    is_class = isinstance(thing, classmethod)
    function = getattr(thing, "__func__", thing)
    words = "await " if inspect.iscoroutinefunction(function) else ""
    shown = _signature(name, function, skip_first=not isinstance(thing, staticmethod))
    kind = " (class method)" if is_class else ""
    return f"#### `{owner}.{name}`{kind}\n\n```text\n{words}{shown}\n```\n\n{doc}"


def _signature(name: str, value: Any, *, skip_first: bool = False) -> str:
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return f"{name}(...)"
    parameters = list(signature.parameters.values())[int(skip_first) :]
    shown: list[str] = []
    is_keyword_only = False
    for each in parameters:
        if each.kind is each.VAR_POSITIONAL:
            is_keyword_only = True
        elif each.kind is each.KEYWORD_ONLY and not is_keyword_only:
            shown.append("*")
            is_keyword_only = True
        shown.append(_parameter(each))
    returned = _annotation(signature.return_annotation)
    arrow = f" -> {returned}" if returned and not inspect.isclass(value) else ""
    line = f"{name}({', '.join(shown)}){arrow}"
    if len(line) <= 100:
        return line
    return f"{name}(\n" + "".join(f"    {each},\n" for each in shown) + f"){arrow}"


def _parameter(each: inspect.Parameter) -> str:
    stars = {each.VAR_POSITIONAL: "*", each.VAR_KEYWORD: "**"}.get(each.kind, "")
    annotation = _annotation(each.annotation)
    text = f"{stars}{each.name}" + (f": {annotation}" if annotation else "")
    if each.default is each.empty:
        return text
    default = "..." if each.default is ... else repr(each.default)
    default = re.sub(r" at 0x[0-9a-f]+", "", default)
    return f"{text} = {default}" if annotation else f"{text}={default}"


def _annotation(value: Any) -> str:
    if value is inspect.Parameter.empty:
        return ""
    return value if isinstance(value, str) else getattr(value, "__name__", str(value))


def markdown(doc: str) -> str:
    """A numpy docstring as Markdown."""
    doc = re.sub(r"(?<!`)`(~?)([A-Za-z_][\w.]*)`(?!`)", r"``\2``", doc)
    doc = doc.replace("``", "`")
    pieces = re.split(r"^([A-Z][A-Za-z ]+)\n-{3,}\n", doc, flags=re.MULTILINE)
    out = [_paragraphs(pieces[0])]
    for title, body in zip(pieces[1::2], pieces[2::2], strict=True):
        if title in FIELD_SECTIONS:
            out.append(f"*{title}*\n\n{_fields(body)}\n")
        elif title == "Examples":
            out.append(f"*Examples*\n\n{_examples(body)}\n")
        else:
            out.append(f"*{title}*\n\n{_paragraphs(body)}")
    return "\n".join(out)


def _paragraphs(text: str) -> str:
    text = re.sub(r"::\n\n((?:[ ]{4}.*\n|\n)+)", _literal, text.strip() + "\n")
    return f"{text.strip()}\n"


def _literal(match: re.Match[str]) -> str:
    return f":\n\n```text\n{inspect.cleandoc(match[1])}\n```\n"


def _fields(body: str) -> str:
    lines: list[str] = []
    for line in body.strip().splitlines():
        if line and not line.startswith(" "):
            name, _, kind = line.partition(" : ")
            lines.append(f"- `{name.strip()}`" + (f" ({kind.strip()})" if kind else "") + ":")
        elif line.strip():
            lines.append(f"  {line.strip()}")
    return "\n".join(lines)


def _examples(body: str) -> str:
    out, block = [], list[str]()
    for line in [*body.strip().splitlines(), ""]:
        if block and not line.strip():
            out += ["```python", *block, "```", ""]
            block = []
        elif line.startswith((">>>", "...")) or block:
            block.append(line)
        else:
            out.append(line)
    return "\n".join(out).strip()


if __name__ == "__main__":
    REFERENCE.write_text(reference(), encoding="utf-8")
    sys.stdout.write(f"{REFERENCE.name}: {len(reference().splitlines())} lines\n")
