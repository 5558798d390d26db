from __future__ import annotations

import logging
import threading

import pytest

import rtnb


def test_what_refused_the_connection_is_raised_and_not_told_a_second_time(caplog: pytest.LogCaptureFixture) -> None:
    with rtnb.LocalEndpoint(key="k" * 20) as endpoint:
        session = rtnb.Session(endpoint.url, key="w" * 20, output="text")
        with caplog.at_level(logging.WARNING), pytest.raises(rtnb.ConnectionFailed, match="the key was refused"):
            session.connect()
        with caplog.at_level(logging.WARNING):
            threading.Event().wait(0.5)  # an error that nobody takes is told after 0.3 s
        session.close()
    assert [record.getMessage() for record in caplog.records if "nobody listens" in record.getMessage()] == []
