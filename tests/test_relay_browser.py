"""A real browser at the relay: pages of this machine and pages of others, clients of today and of 2024."""

from __future__ import annotations

import functools
import http.server
import json
import pathlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from helpers_local import ToneVoice
from playwright.sync_api import Page, sync_playwright

import rtnb
from rtnb.local.brains import ScriptBrain, when
from rtnb.net.relay import Relay

pytestmark = pytest.mark.browser

KEY = "sk-" + "y" * 24
TOKEN = "relay-" + "t" * 20

TALK = """
([url, protocols, events]) => new Promise((resolve) => {
  const socket = new WebSocket(url, protocols), got = [];
  socket.onopen = () => events.forEach((event) => socket.send(JSON.stringify(event)));
  socket.onmessage = (message) => {
    got.push(JSON.parse(message.data));
    if (got.at(-1).type === "response.done") socket.close(1000, "done");
  };
  socket.onclose = (close) => resolve({ protocol: socket.protocol, code: close.code, reason: close.reason, got });
})
"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def site(tmp_path: pathlib.Path) -> Iterator[int]:
    """A web page, at every name that the browser takes for this machine."""
    (tmp_path / "index.html").write_text("<!doctype html><title>page</title>")
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join(20)


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    names = "MAP app.test 127.0.0.1, MAP evil.test 127.0.0.1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", f"--host-resolver-rules={names}"]
        )
        yield browser.new_page()
        browser.close()


@pytest.fixture
def endpoint() -> Iterator[rtnb.LocalEndpoint]:
    brain = ScriptBrain(when(lambda _: True, "Hello, browser."))
    with rtnb.LocalEndpoint(brain=brain, voice=ToneVoice(), key=KEY, pace=None) as running:
        yield running


def talk(page: Page, url: str, protocols: list[str], events: list[dict[str, Any]]) -> Any:
    return page.evaluate(TALK, [url, protocols, events])


def test_a_page_of_this_machine_needs_no_key_today_and_in_2024(
    page: Page, site: int, endpoint: rtnb.LocalEndpoint
) -> None:
    with Relay(endpoint.url, key=KEY) as relay:
        page.goto(f"http://localhost:{site}/")
        today = talk(page, relay.url, ["realtime"], [{"type": "response.create"}])
        assert (today["protocol"], today["code"]) == ("realtime", 1000)
        assert today["got"][-1]["response"]["output"][0]["content"][0]["transcript"] == "Hello, browser."

        old = ["realtime", "openai-insecure-api-key.null", "openai-beta.realtime-v1"]
        console = talk(page, relay.url.removesuffix("v1/realtime"), old, [{"type": "response.create"}])
        assert console["protocol"] == "realtime"
        assert "response.audio.delta" in [event["type"] for event in console["got"]]
        assert KEY not in json.dumps([today, console])


def test_a_page_from_elsewhere_gets_nothing(page: Page, site: int, endpoint: rtnb.LocalEndpoint) -> None:
    with Relay(endpoint.url, key=KEY) as relay:
        page.goto(f"http://evil.test:{site}/")
        refused = talk(page, relay.url, ["realtime"], [{"type": "response.create"}])
        assert (refused["code"], refused["got"]) == (1006, [])
        assert relay.metrics.get("refused_total", reason="origin") == 1
        minting = "url => fetch(url, {method: 'POST', mode: 'cors'}).then(r => r.text(), error => String(error))"
        answer = page.evaluate(minting, relay.url.replace("ws:", "http:") + "/client_secrets")
        assert "ek_" not in answer


def test_a_listed_page_asks_its_backend_for_an_ephemeral_token_and_uses_it(
    page: Page, site: int, endpoint: rtnb.LocalEndpoint
) -> None:
    origin = f"http://app.test:{site}"
    with Relay(endpoint.url, key=KEY, tokens=[TOKEN], origins=[origin]) as relay:
        secret = rtnb.endpoint(relay.url, key=TOKEN).client_secret(seconds=60)
        page.goto(f"{origin}/")
        protocols = ["realtime", f"openai-insecure-api-key.{secret.value}"]
        told = talk(page, relay.url, protocols, [{"type": "response.create"}])
        assert (told["protocol"], told["got"][-1]["type"]) == ("realtime", "response.done")
        stranger = talk(page, relay.url, ["realtime"], [])
        assert (stranger["code"], stranger["got"][0]["error"]["code"]) == (3000, "invalid_api_key")
