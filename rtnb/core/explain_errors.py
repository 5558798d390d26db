"""What each error of rtnb, each reason of a failed connection and each close code means, and what to do.

Imports nothing of rtnb.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

__all__ = ["CLOSES", "CONNECTING", "ERRORS", "Told"]

Told: TypeAlias = tuple[str, str, str]
"""What it is, what causes it, what to do."""

CONNECTING: Final[Mapping[str, Told]] = {
    "network": ("There is no network path to the server.", "No network, or a firewall.", "Check the network."),
    "name": (
        "The server's name was not found.",
        "A typing error, or this machine is offline.",
        "Check the spelling and the network.",
    ),
    "refused": (
        "Nothing listens at this address.",
        "The server is not started, or the port is wrong.",
        "Start it: `rtnb serve` for the local endpoint.",
    ),
    "tls": (
        "The secure connection failed.",
        "Certificates: often a company proxy.",
        "Point SSL_CERT_FILE at its certificates.",
    ),
    "proxy": (
        "The proxy between here and the server failed.",
        "`https_proxy` of the environment names it.",
        "Check it, or except the server with `no_proxy`.",
    ),
    "timeout": (
        "The server did not answer in time.",
        "A slow network, or it is no realtime endpoint.",
        "Give `connect(timeout=...)` more seconds; check the address.",
    ),
    "key": (
        "The key was refused, or is missing.",
        "None was found, or it is wrong or revoked.",
        'Put OPENAI_API_KEY=... into `.env` or the environment; `Session("local")` needs none.',
    ),
    "model": (
        "The model was refused.",
        "It does not exist, or does not speak this protocol.",
        "Give `Session(model=...)`.",
    ),
    "beta": (
        "The 2024 beta was asked for, or spoken.",
        "An old header or an old server.",
        'Leave the header out; `dialect="beta"` speaks with servers that know nothing else.',
    ),
    "limit": (
        "Too many sessions, or the session's time is over.",
        "A limit of the service.",
        "Wait a little, then connect again.",
    ),
    "quota": (
        "The account has no credit left.",
        "It is spent, or a spending limit is reached.",
        "See its billing page.",
    ),
    "http": (
        "The server answered, but not as a realtime endpoint.",
        "A wrong path, or a page instead of a WebSocket.",
        "Check the address: it mostly ends with /v1/realtime.",
    ),
    "endpoint": (
        "This is no address of an endpoint.",
        "A typing error, or a scheme other than ws:// and wss://.",
        'Give nothing, "local", "openai", or an address like ws://127.0.0.1:8765/v1/realtime.',
    ),
    "closed": (
        "The server ended the connection before it was ready.",
        "It refused the session; the text has its words.",
        "Look its code up with `rtnb.explain(code)`.",
    ),
}
"""`ConnectionFailed.reason`."""

CLOSES: Final[Mapping[int, Told]] = {
    1000: ("The connection was closed as agreed.", "`session.close()`, or the server was done.", "Nothing."),
    1001: (
        "The server ended the session.",
        "Mostly the time limit of 60 minutes; also a server that is being restarted.",
        "rtnb opens a new one by itself and puts the conversation into it (`Session(reconnect=...)`).",
    ),
    1002: ("A breach of the WebSocket protocol.", "A proxy in between, or a fault.", "Connect again."),
    1003: ("The other side does not take this kind of frame.", "A binary frame.", "Send text frames only."),
    1005: ("The connection was closed without a code.", "The server, or a proxy in between.", "Connect again."),
    1006: (
        "The connection broke without a goodbye.",
        "The network, a sleeping computer, or a server that stopped.",
        "rtnb tries again by itself for a minute; then check the network, and `session.connect()`.",
    ),
    1007: ("A frame was not what it said it was.", "Text that is no UTF-8.", "Send UTF-8."),
    1008: ("The server's rules forbid this connection.", "A relay's limits or origins.", "Ask whoever runs it."),
    1009: (
        "A message was larger than the other side takes.",
        "More than 15 MiB of sound in one event.",
        "Send sound in smaller pieces.",
    ),
    1010: ("The two sides do not agree on extensions.", "A proxy in between.", "Connect again."),
    1011: ("The server had a fault of its own.", "Nothing that you sent.", "rtnb tries again by itself."),
    1012: ("The server is restarting.", "Maintenance.", "rtnb tries again by itself."),
    1013: ("The server is too busy now.", "Load, or the limits of a relay.", "rtnb tries again by itself."),
    1014: (
        "The relay lost the service behind it, or could not reach it.",
        "The network between them, or the service.",
        "rtnb tries again by itself; whoever runs the relay sees more in its log.",
    ),
    1015: (
        "The secure connection failed.",
        "Certificates: often a company proxy.",
        "Point SSL_CERT_FILE at its certificates.",
    ),
    3000: ("The key was refused.", "`invalid_api_key`: the error before it says more.", "Check the key."),
    4000: (
        "The request was refused when connecting.",
        "No model, a wrong model, or the 2024 beta; the reason names the code.",
        'Look the code up: `rtnb.explain("missing_model")`.',
    ),
    4004: ("There is no such model.", "`model_not_found`.", "Give `Session(model=...)` another name."),
}
"""Close codes of the WebSocket."""

ERRORS: Final[Mapping[str, Told]] = {
    "RtnbError": (
        "Something went wrong that rtnb knows of: the root of all its errors.",
        "The text tells.",
        "The text tells what to do; `except rtnb.RtnbError` catches all of them.",
    ),
    "ConnectionFailed": (
        "A connection could not be opened.",
        "`error.reason` names the cause in one word.",
        'The text tells what to check; `Session("local")` needs no network and no key.',
    ),
    "ConnectionClosed": (
        "An open connection ended.",
        "`error.code` is the close code: `rtnb.explain(error.code)`.",
        "rtnb opens a new one where that helps, else `session.connect()` does; what was said stays.",
    ),
    "NotConnected": (
        "A call needs a connection, and there is none.",
        "The session was never opened, or is closed.",
        "`session.connect()`, or `session.ask(...)`, which connects by itself.",
    ),
    "WaitTimeout": (
        "What was waited for did not come in time.",
        "A slow network or model, or an event that never comes.",
        "Give `timeout=` more seconds; look at the end of `session.events`.",
    ),
    "ProtocolError": (
        "What was about to be sent breaks the protocol; nothing was sent.",
        "A wrong name, type or value; `error.param` is its path.",
        "The text says what to write instead.",
    ),
    "ServerError": (
        "The server answered with an `error` event.",
        "`error.code` tells which: `rtnb.explain(error)`.",
        "See its code.",
    ),
    "ResponseFailed": (
        "An answer ended as failed.",
        "A fault or a limit of the service; `error.response` is its last state.",
        "What had come is in `reply.text_so_far`; ask again.",
    ),
    "BudgetSpent": (
        "The session's budget is spent, so nothing was asked for.",
        "`Session(budget=...)`, or `session.budget = ...`.",
        "Give `session.budget` more, or None; nothing of the conversation is lost.",
    ),
    "ToolArgumentError": (
        "The arguments that the model wrote do not fit the tool.",
        "A wrong type, or one that is missing.",
        "The model is told, and mostly corrects itself; a clearer docstring helps.",
    ),
    "ServiceFailed": (
        "A ready tool could not reach what it asks: the weather, the stock prices.",
        "No network, or a service that is down.",
        "The model is told; recorded answers need no network.",
    ),
    "ToolError": (
        "A tool could not be declared, or did not run.",
        "A signature without types, a wrong definition, or arguments that do not fit.",
        "The text names the tool and the argument.",
    ),
}
"""Errors of rtnb, by the name of their class."""
