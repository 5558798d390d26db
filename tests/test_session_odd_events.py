"""Events that no server should send, and events that nobody should: they are logged, and stop nothing."""

from __future__ import annotations

import itertools
import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from helpers_session import TIMEOUT_S, Lab, eventually, lab
from websockets.sync.server import ServerConnection, serve

import rtnb
from rtnb.session.session import SessionState

__all__ = ["lab"]

ODD: tuple[Any, ...] = (None, True, 1, 3.5, "", "x", [], ["x"], [[]], [None], {}, {"id": []})


def call(**members: Any) -> dict[str, Any]:
    return {"type": "function_call", "name": "add", "call_id": "call_1", "arguments": "{}", **members}


def odd_events() -> Iterator[dict[str, Any]]:
    for number, value in enumerate(ODD, 3):
        for name in ("error", "response.created", "response.done", "conversation.item.added", "session.updated"):
            yield {"type": name, "error": value, "response": value, "item": value, "session": value}
        for name in ("code", "event_id", "message", "param", "type"):
            yield {"type": "error", "error": {"code": "invalid_value", "event_id": "event_x", name: value}}
        for name in ("id", "status", "output", "metadata", "conversation_id", "usage", "status_details"):
            for kind in ("response.created", "response.done"):
                yield {"type": kind, "response": {"id": "resp_1", "status": "completed", "output": [], name: value}}
        for name in ("call_id", "name", "arguments", "status"):
            response = {"id": "resp_2", "status": "completed", "output": [value, call(**{name: value})]}
            yield {"type": "response.created", "response": {**response, "output": []}}
            yield {"type": "response.done", "response": response}
        yield {"type": "response.created", "response": {"id": f"resp_{number}", "output": []}}
        yield {"type": "session.created", "session": {}, "response": {"id": value}}  # ends the open response


class Server:
    """A server that greets, also with odd items, confirms the settings and sends these events; then it closes, once."""

    def __init__(self, *events: Any) -> None:
        self.events = events
        self.connections = itertools.count(1)

    def __call__(self, connection: ServerConnection) -> None:
        number = next(self.connections)

        def say(event: Any) -> None:
            connection.send(json.dumps(event))

        say({"type": "session.created", "session": {"type": "realtime"}})
        for value in ODD:
            say({"type": "conversation.item.added", "item": value})
            say({"type": "conversation.item.added", "item": {"type": "message", "role": "user", "id": value}})
        update = json.loads(connection.recv())
        say({"type": "session.updated", "session": update["session"]})
        if number == 1:
            for event in self.events:
                say(event)
            say({"type": "the.end"})
            connection.recv()
            connection.close(1011)
        for _ in connection:
            pass


@pytest.fixture
def session(request: pytest.FixtureRequest) -> Iterator[rtnb.Session]:
    quiet = logging.getLogger("the other side")
    quiet.setLevel(logging.CRITICAL)
    with serve(Server(*request.param), "127.0.0.1", 0, logger=quiet) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        made = rtnb.Session(f"ws://127.0.0.1:{server.socket.getsockname()[1]}/v1/realtime", output="text")
        made.on("error", lambda event: None)
        yield made
        made.close()
        server.shutdown()
        thread.join(TIMEOUT_S)


LAST_WORDS = {"type": "error", "error": {"code": ["x"], "event_id": ["x"], "message": {}}}


@pytest.mark.parametrize("session", [[*odd_events(), LAST_WORDS]], indirect=True, ids=["all"])
def test_events_that_no_server_should_send_stop_nothing(
    session: rtnb.Session, caplog: pytest.LogCaptureFixture
) -> None:
    session.connect()
    session.wait("the.end", timeout=TIMEOUT_S)
    failed = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert not failed, f"{len(failed)} of {len(session.events)}: {failed[0].getMessage()}"


@pytest.mark.parametrize("session", [[LAST_WORDS]], indirect=True, ids=["odd error"])
def test_an_odd_error_before_the_connection_is_lost_keeps_nobody_from_opening_it_again(session: rtnb.Session) -> None:
    states: list[SessionState] = []
    session.on("session.state", states.append)
    session.connect()
    session.wait("the.end", timeout=TIMEOUT_S)
    session.send({"type": "session.update", "session": {"instructions": "x"}}, check=False)
    eventually(lambda: SessionState.RECONNECTING in states and states[-1] is SessionState.READY, "a new connection")


@pytest.mark.parametrize("response", ODD)
def test_an_unchecked_response_create_carries_anything(lab: Lab, response: Any) -> None:
    session = lab.session("Fine.", "Fine.").connect()
    session.on("error", lambda event: None)
    session.send({"type": "response.create", "response": response}, check=False)
    session.wait("*", where=lambda event: event["type"] in ("error", "response.done"))
    assert session.ask("hello").text == "Fine."
