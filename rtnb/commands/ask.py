"""``rtnb ask``: one question, its answer as it comes, and one line about time, tokens and cost.

Imports `rtnb.session` when it runs.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING

from rtnb.core.errors import WaitTimeout

if TYPE_CHECKING:
    from rtnb.session.reply import Reply
    from rtnb.session.session import Session

__all__ = ["run", "summary"]


def run(options: argparse.Namespace) -> int:
    """Ask, print, and give the exit code: 0 when the answer is complete."""
    from rtnb.session.session import Session

    session = Session(
        options.endpoint,
        model=options.model,
        instructions=options.instructions,
        voice=options.voice,
        output=options.output or ("audio" if options.voice else "text"),
    )
    print(f"rtnb: {session.endpoint}", file=sys.stderr)
    try:
        reply = asyncio.run(_answer(session, options.question, options.timeout))
        print(summary(reply), flush=True)
        if reply.status == "completed":
            return 0
        print(f"rtnb ask: {reply.as_plain().splitlines()[-1].strip('()')}", file=sys.stderr)
        return 1
    finally:
        session.close()


async def _answer(session: Session, question: str, timeout: float) -> Reply:
    """Print the answer piece by piece."""
    reply: Reply | None = None
    try:
        async with asyncio.timeout(timeout):
            await session.aio.connect(timeout=min(timeout, 10))
            reply = session.ask(question, timeout=timeout)
            async for piece in reply:
                sys.stdout.write(piece)
                sys.stdout.flush()
    except TimeoutError as exc:
        raise WaitTimeout(f"no complete answer within {timeout:g} s; --timeout gives it more") from exc
    finally:
        if reply is not None and reply.text_so_far:  # what follows begins on a line of its own
            print(flush=True)
    return reply


def summary(reply: Reply) -> str:
    """One line about a finished answer: time to the first word, whole time, tokens, cost."""
    latency, usage, cost = reply.latency, reply.usage, reply.cost
    words = [
        f"first word {_seconds(latency.first_text)}",
        f"total {_seconds(latency.done)}",
        f"{usage.input} tokens in, {usage.output} out",
    ]
    words.append(f"free ({cost} at OpenAI)" if cost.hypothetical else str(cost))
    return f"[{', '.join(words)}]"


def _seconds(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds / 1000:.2f} s"
