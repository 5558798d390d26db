"""Bytes a second, counted from the log."""

from __future__ import annotations

import orjson
from helpers_session import Lab, lab

from rtnb import EventLog
from rtnb.core.traffic import traffic_of

__all__ = ["lab"]


def test_each_second_counts_both_ways() -> None:
    log = EventLog()
    sizes = {}
    for event, direction, time in (
        ({"type": "response.create"}, "client", 0.2),
        ({"type": "response.done", "response": {"id": "r"}}, "server", 0.9),
        ({"type": "input_audio_buffer.append", "audio": "A" * 4000}, "client", 2.0),
        ({"type": "input_audio_buffer.append", "audio": "A" * 4000}, "client", 2.99),
    ):
        log.append(event, direction, time)  # type: ignore[arg-type]
        sizes[time] = len(orjson.dumps(event))
    found = traffic_of(log)
    assert [(row.second, row.up, row.down, row.events) for row in found] == [
        (0, sizes[0.2], sizes[0.9], 2),
        (2, sizes[2.0] + sizes[2.99], 0, 2),
    ]
    assert (found.up, found.down) == (sum(sizes.values()) - sizes[0.9], sizes[0.9])
    assert found.most_up == found[1].up > 8000
    assert found.to_dict()[0]["events"] == 2
    assert found[1:].down == 0


def test_an_empty_log_has_no_traffic() -> None:
    found = traffic_of(EventLog())
    assert (len(found), found.most_up, found.to_dict()) == (0, 0, [])
    assert "0 bytes up" in repr(found)


def test_a_session_shows_what_it_sent(lab: Lab) -> None:
    session = lab.session("Hello.")
    assert session.ask("hi").text == "Hello."
    assert session.traffic.up > 50
    assert session.traffic.down > session.traffic.up
    assert "bytes up" in session.traffic._repr_html_()
