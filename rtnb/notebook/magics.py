"""``%%realtime``: a cell whose text is a question. ``%load_ext rtnb`` makes it known.

::

    %%realtime --voice cedar
    Explain in one sentence what a web socket is

The answer streams into the cell, as that of ``session.ask`` does, and is in ``_`` afterwards. The session is the one in
the variable ``session``, or the one named with ``--session``; when there is none it is made. ``%realtime`` asks in one
line, and ``%realtime -h`` tells the options.

Imports `rtnb.session`; IPython, whose magic it is, is there.
"""

from __future__ import annotations

import argparse
import shlex
from typing import Any, Final, NoReturn

from IPython.core.error import UsageError

from rtnb.session.reply import Reply
from rtnb.session.session import Session, SessionState

__all__ = ["realtime", "register"]

_EPILOG: Final = """\
examples:
  %%realtime
  %%realtime --output text --session lesson
  %%realtime --instructions "Talk like a pirate."
  %realtime What is the capital of France?
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"%%realtime: {message}; %realtime -h tells the options")


def _parser() -> _Parser:
    parser = _Parser(
        prog="%%realtime",
        description="Ask the text of this cell, and stream the answer into it; _ is the reply.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    add = parser.add_argument
    add("-h", "--help", action="store_true", help="show this")
    add("-s", "--session", default="session", metavar="NAME", help="variable with the session (default: session)")
    add("-e", "--endpoint", metavar="WHERE", help="of a new session: local, openai, or an address")
    add("-v", "--voice", metavar="NAME", help="who speaks; fixed once the model has spoken")
    add("-o", "--output", choices=("audio", "text"), help="this answer is spoken or written")
    add("-m", "--model", metavar="NAME", help="fixed while the session is connected")
    add("-i", "--instructions", metavar="TEXT", help="what the model is told about its task, from now on")
    add("--interrupt", action="store_true", help="stop what is being answered, instead of waiting for its end")
    add("--new", action="store_true", help="close the session in that variable, and make another one")
    add("words", nargs="*", help=argparse.SUPPRESS)
    return parser


def realtime(line: str, cell: str | None = None) -> Reply | None:
    """Ask a realtime model the text of this cell; ``%realtime -h`` tells the options."""
    from IPython.core.getipython import get_ipython

    namespace: dict[str, Any] = get_ipython().user_ns
    parser = _parser()
    try:
        given = parser.parse_args(shlex.split(line))
    except ValueError as exc:
        # In one line an apostrophe is mostly one: What's the time?
        if cell is not None or line.lstrip().startswith("-"):
            raise UsageError(f"%%realtime: {exc}; put the text in double quotes") from exc
        given = parser.parse_args(["--", *line.split()])
    if given.help:
        print(parser.format_help())  # noqa: T201 - the answer to -h, in the cell that asked
        return None
    if cell is not None and given.words:
        raise UsageError(f"%%realtime: {given.words[0]!r} is no option; the question stands in the lines below")
    question = cell.strip() if cell is not None else " ".join(given.words)
    if not question:
        raise UsageError("%%realtime: there is no question: write it below the first line")
    session = _session(given, namespace)
    return session.ask(question, output=given.output, interrupt=given.interrupt)


def _session(given: argparse.Namespace, namespace: dict[str, Any]) -> Session:
    """The session in the variable, with the options that were given; or a new one, put there."""
    name = given.session
    if not name.isidentifier():
        raise UsageError(f"%%realtime: {name!r} is no name of a variable")
    found = namespace.get(name)
    if found is not None and not isinstance(found, Session):
        raise UsageError(
            f"%%realtime: the variable {name} holds no session but {type(found).__name__}; name another with --session"
        )
    if found is not None and given.new:
        found.close()
        found = None
    if found is None:
        options = {key: value for key in ("voice", "output", "model", "instructions") if (value := getattr(given, key))}
        namespace[name] = made = Session(given.endpoint, **options)
        return made
    if given.endpoint is not None:
        raise UsageError(f"%%realtime: {name} is connected elsewhere already; --new makes another session")
    if given.model is not None and given.model != found.model:
        if found.state is SessionState.READY:
            raise UsageError(f"%%realtime: {name} is connected with {found.model}; --new makes another session")
        found.next_model = given.model
    changed = {key: value for key in ("voice", "instructions") if (value := getattr(given, key)) is not None}
    if changed:
        found.update(**changed)
    return found


def register(ipython: Any) -> None:
    """Make ``%realtime`` and ``%%realtime`` known to an IPython shell."""
    ipython.register_magic_function(realtime, magic_kind="line_cell", magic_name="realtime")
