"""How a reply stands, in words: what it waits for, or how it ended and why.

Imports nothing of rtnb.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtnb.session.reply import Reply

__all__ = ["outcome_of"]


def outcome_of(reply: Reply) -> str:
    """The words for a reply as it stands now, without waiting.

    Why it is not complete is told from its error, else from the ``status_details`` of its last response.
    """
    if reply.status == "failed":
        return f"failed: {reply.error}" if reply.error else "failed"
    if reply.status == "incomplete":
        lost = str(reply.error).partition("; ")[0] if reply.error else ""
        return "incomplete: " + (lost or _reason(reply) or "the answer was cut")
    if reply.status == "cancelled":
        return "cancelled" + (f" ({_reason(reply)})" if _reason(reply) else "")
    return {"in_progress": "waiting for the answer", "completed": "completed, without words"}[reply.status]


def _reason(reply: Reply) -> str | None:
    details = reply.responses[-1].status_details if reply.responses else None
    reason = details.get("reason") if isinstance(details, dict) else None
    return {
        "max_output_tokens": "it reached max_output_tokens",
        "content_filter": "the content filter stopped it",
        "turn_detected": "the user began to speak",
        "client_cancelled": "cancelled by this program",
    }.get(str(reason), reason)
