"""The command line: ``rtnb lab``, ``rtnb ask``, ``rtnb serve``, ``rtnb relay`` and others.

Here is what can be typed; what it does stands in `rtnb.commands`, and is imported when it is asked for. An error that
rtnb raises on purpose is one sentence on stderr, never a traceback.

Exit codes: 0 done; 1 it failed, stderr says why; 2 it was typed wrongly; 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

__all__ = ["main"]

_INTERRUPTED: Final = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out a command line; gives the exit code.

    Parameters
    ----------
    argv
        The words after ``rtnb``; those of this process when not given.
    """
    parser = _parser()
    options = parser.parse_args(argv)
    if options.command is None:
        parser.print_help()
        return 2
    for name in ("stdout", "stderr"):
        with contextlib.suppress(AttributeError, ValueError):  # a terminal that cannot show a sign shows another
            getattr(sys, name).reconfigure(errors="replace")
    try:
        code: int = importlib.import_module(f"rtnb.commands.{options.command}").run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:  # whoever read our output has gone, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as exc:
        if not _is_meant(exc):
            raise
        print(f"rtnb {options.command}: {_sentence(exc)}", file=sys.stderr)
        return 1
    return code


def _is_meant(exc: Exception) -> bool:
    from rtnb.core.errors import RtnbError  # late, as all of rtnb is here: --version and --help answer at once

    return isinstance(exc, RtnbError | OSError)


def _sentence(exc: Exception) -> str:
    return " ".join(str(exc).split())


def _parser() -> argparse.ArgumentParser:
    from rtnb import __version__

    parser = argparse.ArgumentParser(prog="rtnb", description="A laboratory for realtime voice models.")
    parser.add_argument("--version", action="version", version=f"rtnb {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    _add_lab(commands)
    _add_ask(commands)
    _add_serve(commands)
    _add_relay(commands)
    _add_check(commands)
    _add_replay(commands)
    _add_scrub(commands)
    return parser


def _add_lab(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    lab = commands.add_parser(
        "lab",
        help="open the tutorials in JupyterLab",
        description="Open JupyterLab on the tutorials. It listens on this machine only, and asks for a token.",
    )
    lab.add_argument("--no-browser", action="store_true", help="only print the address; for servers")
    lab.add_argument("--port", type=_port, metavar="N", help="port of JupyterLab; 8888, or a free one, when not given")
    lab.add_argument("--notebooks", type=Path, metavar="DIR", help="open this folder instead of the tutorials")


def _add_ask(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    ask = commands.add_parser(
        "ask",
        help="ask one question",
        description="Ask one question. The answer is printed as it comes, then one line: how long it took, its tokens "
        "and what it cost.",
    )
    ask.add_argument("question", help="what to ask")
    ask.add_argument(
        "--endpoint",
        metavar="WHERE",
        help='"local", "openai" or a ws:// or wss:// address; OpenAI when there is a key, else local, when not given',
    )
    ask.add_argument("--model", metavar="NAME")
    ask.add_argument("--instructions", metavar="TEXT", help="what the model is told about its task and manner")
    ask.add_argument("--output", choices=("text", "audio"), help="text, or the transcript of a spoken answer")
    ask.add_argument("--voice", metavar="NAME", help="voice of a spoken answer; means --output audio")
    ask.add_argument(
        "--timeout", type=_seconds, default=120.0, metavar="S", help="seconds to wait for the whole answer (120)"
    )


def _add_serve(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    serve = commands.add_parser(
        "serve",
        help="run a local realtime endpoint",
        description="Run a local realtime endpoint for any client; prints its address when it is ready.",
    )
    serve.add_argument("--host", default="127.0.0.1", help="where to listen (127.0.0.1: this machine only)")
    serve.add_argument("--port", type=_port, default=8765, metavar="N", help="port (8765); 0 picks a free one")
    serve.add_argument("--key", metavar="KEY", help="the only key that is taken; any, or none, when not given")
    serve.add_argument("--beta", action="store_true", help="also speak the 2024 beta to clients that ask for it")
    serve.add_argument(
        "--brain", choices=("practice", "chat"), help="what answers: rules (practice) or a chat endpoint"
    )
    serve.add_argument(
        "--chat-url", metavar="URL", help="an OpenAI-compatible chat endpoint that answers; its key is RTNB_CHAT_KEY"
    )
    serve.add_argument("--chat-model", metavar="NAME", help="name of the model there")
    serve.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME[:SECONDS[:TIMES]]",
        help='let something go wrong with the next answers: drop, delay:2, failed:1:3; repeatable; "list" tells all',
    )


def _add_relay(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    relay = commands.add_parser(
        "relay",
        help="let browsers use a realtime service without a key of their own",
        description="Run a relay: browsers connect to it without a key, it adds the key and passes on. On / it takes "
        "the console of 2024, on /v1/realtime today's clients. Other machines reach it with tokens only.",
    )
    relay.add_argument("--host", default="127.0.0.1", help="where to listen (127.0.0.1: this machine only)")
    relay.add_argument("--port", type=_port, default=8081, metavar="N", help="port (8081); 0 picks a free one")
    relay.add_argument(
        "--upstream",
        metavar="WHERE",
        help='"openai", "azure", "local" or an address; OpenAI when there is a key, else local, when not given',
    )
    relay.add_argument("--model", metavar="NAME", help="the model of every session, whatever clients ask for")
    relay.add_argument(
        "--tokens", type=Path, metavar="FILE", help="bearer tokens, one a line (or RTNB_RELAY_TOKENS, with spaces)"
    )
    relay.add_argument(
        "--origin", action="append", default=[], metavar="URL", help="origin of pages that may connect; may be repeated"
    )
    relay.add_argument("--max-sessions", type=_count, metavar="N", help="sessions of one client at once")
    relay.add_argument("--max-events", type=_amount, metavar="N", help="events a second of one client")
    relay.add_argument("--max-bytes", type=_amount, metavar="N", help="bytes a second of one client")
    relay.add_argument("--max-minutes", type=_amount, metavar="N", help="minutes a day of one client")
    relay.add_argument("--max-dollars", type=_amount, metavar="N", help="dollars a day of one client")
    relay.add_argument(
        "--drain", type=_seconds, default=30.0, metavar="S", help="seconds that open sessions may go on at the end (30)"
    )


def _count(text: str) -> int:
    if text.isdigit() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no count: give a whole number, 1 or more")


def _amount(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no amount: give a number, more than 0")


def _add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    check = commands.add_parser(
        "check",
        help="look what works here",
        description="Look what works here: versions, speech engines, key, model, uplink. Costs nothing. Exit code 1 "
        "when something is a problem. For the microphone of the page: rtnb.check() in a notebook.",
    )
    check.add_argument("--endpoint", metavar="WHERE", help="as for ask")
    check.add_argument("--model", metavar="NAME")
    check.add_argument("--timeout", type=_seconds, default=8.0, metavar="S", help="seconds for each look (8)")
    check.add_argument("--no-upload", action="store_true", help="do not measure how fast the endpoint takes audio")
    check.add_argument("--json", action="store_true", help="print it as JSON")


def _add_replay(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    replay = commands.add_parser(
        "replay",
        help="serve a recording to any client",
        description="Serve a recording, as session.save() writes it, to any client: it answers what was recorded, when "
        "it was. Prints its address when it is ready.",
    )
    replay.add_argument("folder", type=Path, metavar="FOLDER", help="the recording")
    replay.add_argument("--host", default="127.0.0.1", help="where to listen (127.0.0.1: this machine only)")
    replay.add_argument("--port", type=_port, default=8766, metavar="N", help="port (8766); 0 picks a free one")
    replay.add_argument("--speed", type=_speed, default=1.0, metavar="X", help='times as fast (1); "inf": no waiting')
    replay.add_argument("--film", action="store_true", help="wait for nothing that the client did when it was recorded")
    replay.add_argument("--key", metavar="KEY", help="the only key that is taken; any, or none, when not given")


def _add_scrub(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    scrub = commands.add_parser(
        "scrub",
        help="take keys out of notebooks, recordings and logs",
        description="Take keys and tokens out of files before they are shared; all else stays as it is, byte for byte. "
        "Exit code 1 when there was any.",
    )
    scrub.add_argument("files", type=Path, nargs="+", metavar="FILE", help="files, or folders with all that is in them")
    scrub.add_argument("--check", action="store_true", help="only tell; change nothing")


def _port(text: str) -> int:
    if text.isdigit() and int(text) <= 65_535:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 0 to 65535")


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no time: give seconds, more than 0")


def _speed(text: str) -> float:
    with contextlib.suppress(ValueError):
        if float(text) > 0:
            return float(text)
    raise argparse.ArgumentTypeError(f'{text!r} is no speed: give a number above 0, or "inf"')
