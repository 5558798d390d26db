"""A laboratory for realtime voice models inside a Jupyter notebook.

The public names, and nothing else; each is imported when it is first used, so that ``import rtnb`` stays light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from rtnb.core.services import provide as _provide

if TYPE_CHECKING:
    from rtnb.core.audio import Audio as Audio
    from rtnb.core.conversation import Conversation as Conversation
    from rtnb.core.errors import BudgetSpent as BudgetSpent
    from rtnb.core.errors import ConnectionClosed as ConnectionClosed
    from rtnb.core.errors import ConnectionFailed as ConnectionFailed
    from rtnb.core.errors import NotConnected as NotConnected
    from rtnb.core.errors import ProtocolError as ProtocolError
    from rtnb.core.errors import ResponseFailed as ResponseFailed
    from rtnb.core.errors import RtnbError as RtnbError
    from rtnb.core.errors import ServerError as ServerError
    from rtnb.core.errors import ToolError as ToolError
    from rtnb.core.errors import WaitTimeout as WaitTimeout
    from rtnb.core.explain import Explanation as Explanation
    from rtnb.core.explain import explain as explain
    from rtnb.core.lint import lint as lint
    from rtnb.core.log import EventLog as EventLog
    from rtnb.core.recorded import Recording as Recording
    from rtnb.core.recorded import load as load
    from rtnb.core.tool_output import Result as Result
    from rtnb.core.tools import Tool as Tool
    from rtnb.core.tools import tool as tool
    from rtnb.local.detecting import detect_turns as detect_turns
    from rtnb.local.server import LocalEndpoint as LocalEndpoint
    from rtnb.net.endpoints import endpoint as endpoint
    from rtnb.notebook.audio_io import AudioIO as AudioIO
    from rtnb.notebook.checkup import check as check
    from rtnb.notebook.extension import load_ipython_extension as load_ipython_extension
    from rtnb.session.reply import Reply as Reply
    from rtnb.session.restoring import restore as restore
    from rtnb.session.session import Session as Session
    from rtnb.session.silent_speaker import SilentSpeaker as SilentSpeaker

__version__ = "0.1.0"

_HOMES = {
    "Audio": "rtnb.core.audio",
    "AudioIO": "rtnb.notebook.audio_io",
    "BudgetSpent": "rtnb.core.errors",
    "ConnectionClosed": "rtnb.core.errors",
    "ConnectionFailed": "rtnb.core.errors",
    "Conversation": "rtnb.core.conversation",
    "EventLog": "rtnb.core.log",
    "Explanation": "rtnb.core.explain",
    "LocalEndpoint": "rtnb.local.server",
    "NotConnected": "rtnb.core.errors",
    "ProtocolError": "rtnb.core.errors",
    "Recording": "rtnb.core.recorded",
    "Reply": "rtnb.session.reply",
    "ResponseFailed": "rtnb.core.errors",
    "Result": "rtnb.core.tool_output",
    "RtnbError": "rtnb.core.errors",
    "ServerError": "rtnb.core.errors",
    "Session": "rtnb.session.session",
    "SilentSpeaker": "rtnb.session.silent_speaker",
    "Tool": "rtnb.core.tools",
    "ToolError": "rtnb.core.errors",
    "WaitTimeout": "rtnb.core.errors",
    "check": "rtnb.notebook.checkup",
    "detect_turns": "rtnb.local.detecting",
    "endpoint": "rtnb.net.endpoints",
    "explain": "rtnb.core.explain",
    "lint": "rtnb.core.lint",
    "load": "rtnb.core.recorded",
    "load_ipython_extension": "rtnb.notebook.extension",
    "restore": "rtnb.session.restoring",
    "tool": "rtnb.core.tools",
}

__all__ = sorted(_HOMES)

# What lower floors ask of upper ones; see rtnb.core.services.
_provide("endpoint.local", "rtnb.local.embedded:address")
_provide("endpoint.replay", "rtnb.replay.server:replay")
_provide("reply.show", "rtnb.notebook.live:show_reply")
_provide("reply.html", "rtnb.notebook.static:reply_html")
_provide("session.say", "rtnb.notebook.live:say")
_provide("session.panel", "rtnb.notebook.panel:panel_of")
_provide("session.timeline", "rtnb.notebook.timeline:show_timeline")
_provide("session.approve", "rtnb.notebook.approval:approve")
_provide("audio.speak", "rtnb.local.speaking:speak")
_provide("audio.record", "rtnb.notebook.recording:record")
_provide("audio.from_recorder", "rtnb.notebook.recording:from_recorder")
_provide("audio.plot", "rtnb.notebook.figures:plot_audio")
_provide("audio.show", "rtnb.notebook.clip:mimebundle")
_provide("session.cost_chart", "rtnb.notebook.cost_figure:cost_chart")


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'rtnb' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
