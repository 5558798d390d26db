"""`rtnb relay` as a process of its own, alone and two of them behind HAProxy."""

from __future__ import annotations

import asyncio
import contextlib
import json
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from helpers_cli import ROOT, Running, rtnb, running
from helpers_relay import TIMEOUT_S
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

import rtnb as package
from rtnb.net.relay import Relay

KEY = "sk-" + "y" * 24
TOKEN = "relay-" + "t" * 20
SECRET = "signs-" + "s" * 20


def ready(command: Running) -> str:
    """The address for today's clients."""
    said, _, rest = command.line().partition(": ")
    assert said == "Relay ready"
    assert command.line().startswith("Upstream: ")
    return rest.split(" ")[0]


@pytest.fixture
def endpoint() -> Iterator[package.LocalEndpoint]:
    with package.LocalEndpoint(key=KEY) as running_endpoint:
        yield running_endpoint


def test_our_session_asks_through_it_and_sigterm_drains_it(
    endpoint: package.LocalEndpoint, tmp_path: pathlib.Path
) -> None:
    words = ("relay", "--port", "0", "--upstream", endpoint.url, "--drain", "20")
    with running(*words, cwd=tmp_path, env={"RTNB_API_KEY": KEY}) as command:
        url = ready(command)
        with package.Session(url, output="text") as session:
            assert session.ask("What is 4 plus 6?", timeout=TIMEOUT_S).text
            command.process.send_signal(signal.SIGTERM)
            assert session.ask("What is 5 plus 6?", timeout=TIMEOUT_S).text
        code, errors = command.end()
    assert code == 0
    assert "draining: 1 sessions" in errors
    assert "Traceback" not in errors
    assert KEY not in errors


def test_a_second_signal_closes_what_is_open_as_a_restart(
    endpoint: package.LocalEndpoint, tmp_path: pathlib.Path
) -> None:
    words = ("relay", "--port", "0", "--upstream", endpoint.url, "--drain", "60")
    with running(*words, cwd=tmp_path, env={"RTNB_API_KEY": KEY}) as command:
        url = ready(command)

        async def closes() -> tuple[int | None, str | None]:
            async with connect(url) as client:
                await client.recv()
                command.process.send_signal(signal.SIGTERM)
                health = url.replace("ws:", "http:").replace("/v1/realtime", "/healthz")
                async with httpx.AsyncClient() as web, asyncio.timeout(TIMEOUT_S):
                    while (await web.get(health)).status_code != 503:
                        await asyncio.sleep(0.02)
                command.process.send_signal(signal.SIGTERM)
                await asyncio.wait_for(client.wait_closed(), TIMEOUT_S)
                return client.close_code, client.close_reason

        assert asyncio.run(closes()) == (1012, "the relay is restarting")
        assert command.end()[0] == 0


def test_it_refuses_to_stand_open_to_others(tmp_path: pathlib.Path) -> None:
    done = rtnb("relay", "--host", "0.0.0.0", "--upstream", "local", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "bearer tokens" in done.stderr
    file = tmp_path / "tokens"
    file.write_text("# nobody yet\n")
    done = rtnb("relay", "--host", "0.0.0.0", "--tokens", str(file), cwd=tmp_path)
    assert (done.returncode, "no token" in done.stderr) == (1, True)
    file.write_text(f"# an app\n{TOKEN}\n")
    done = rtnb("relay", "--host", "0.0.0.0", "--tokens", str(file), cwd=tmp_path)
    assert (done.returncode, "--origin" in done.stderr) == (1, True)
    assert TOKEN not in done.stderr


def test_a_taken_port_and_odd_numbers_are_told(tmp_path: pathlib.Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = rtnb("relay", "--port", str(taken.getsockname()[1]), "--upstream", "local", cwd=tmp_path)
    assert (done.returncode, "taken by another program" in done.stderr) == (1, True)
    assert rtnb("relay", "--max-dollars", "-1", cwd=tmp_path).returncode == 2
    assert rtnb("relay", "--max-sessions", "0", cwd=tmp_path).returncode == 2


# ---- several behind a load balancer ----------------------------------------------------------------------------------


def configuration(port: int, relays: list[int]) -> str:
    """That of docs/relay.md, with the ports of this test."""
    text = (ROOT / "docs" / "relay.md").read_text(encoding="utf-8")
    block = text.split("```haproxy\n")[1].split("```")[0]
    servers = "".join(f"    server relay{n} 127.0.0.1:{each} check inter 200ms\n" for n, each in enumerate(relays))
    lines = [line for line in block.splitlines(keepends=True) if not line.strip().startswith("server ")]
    return "".join(lines).replace("bind :443 ssl crt /etc/haproxy/cert.pem", f"bind 127.0.0.1:{port}") + servers


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


@contextlib.asynccontextmanager
async def haproxy(folder: pathlib.Path, relays: list[int]) -> AsyncIterator[int]:
    program = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if program is None:
        pytest.skip("there is no haproxy here: apt-get install haproxy")
    port = free_port()
    file = folder / "haproxy.cfg"
    file.write_text(configuration(port, relays))
    process = await asyncio.create_subprocess_exec(
        program, "-f", str(file), "-db", stdout=subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with httpx.AsyncClient() as web, asyncio.timeout(TIMEOUT_S):
            while True:
                assert process.returncode is None, await process.stderr.read() if process.stderr else b""
                with contextlib.suppress(httpx.HTTPError):
                    if (await web.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200:
                        break
                await asyncio.sleep(0.05)
        yield port
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def test_two_relays_work_as_one_behind_haproxy(endpoint: package.LocalEndpoint, tmp_path: pathlib.Path) -> None:
    environment = {"RTNB_API_KEY": KEY, "RTNB_RELAY_TOKENS": TOKEN, "RTNB_RELAY_SECRET": SECRET}
    words = ("relay", "--port", "0", "--upstream", endpoint.url, "--drain", "20")
    with (
        running(*words, cwd=tmp_path, env=environment) as one,
        running(*words, cwd=tmp_path, env=environment) as two,
    ):
        ports = [int(ready(each).split(":")[2].split("/")[0]) for each in (one, two)]
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        async with haproxy(tmp_path, ports) as port, httpx.AsyncClient() as web, contextlib.AsyncExitStack() as stack:

            async def join(key: str) -> str:
                """Connect and complete a turn; gives the name of its conversation's server."""
                headers = {"Authorization": f"Bearer {key}"}
                url = f"ws://127.0.0.1:{port}/v1/realtime?model=gpt-realtime"
                client = await stack.enter_async_context(connect(url, additional_headers=headers))
                await client.send(json.dumps({"type": "response.create", "response": {"output_modalities": ["text"]}}))
                async with asyncio.timeout(TIMEOUT_S):
                    while (event := json.loads(await client.recv()))["type"] != "response.done":
                        assert event["type"] != "error", event
                return str(event["response"]["status"])

            # a token that one relay minted is taken by both
            url = f"http://127.0.0.1:{port}/v1/realtime/client_secrets"
            guest = (await web.post(url, headers=bearer)).json()["value"]
            assert [await join(guest) for _ in range(4)] == ["completed"] * 4

            async def open_at(each: int) -> int:
                text = (await web.get(f"http://127.0.0.1:{each}/metrics", headers=bearer)).text
                return int(text.split("\nrtnb_relay_open_sessions ")[1].split("\n")[0])

            assert [await open_at(each) for each in ports] == [2, 2]

            # one is taken away: its sessions go on, new ones go to the other
            one.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(TIMEOUT_S):
                while (await web.get(f"http://127.0.0.1:{ports[0]}/healthz")).status_code != 503:
                    await asyncio.sleep(0.02)
            assert [await join(TOKEN) for _ in range(3)] == ["completed"] * 3
            assert [await open_at(each) for each in ports] == [2, 5]
        assert one.end()[0] == 0


async def test_a_session_whose_relay_dies_goes_on_at_the_other(
    endpoint: package.LocalEndpoint, tmp_path: pathlib.Path
) -> None:
    environment = {"RTNB_API_KEY": KEY, "RTNB_RELAY_TOKENS": TOKEN, "RTNB_RELAY_SECRET": SECRET}
    words = ("relay", "--port", "0", "--upstream", endpoint.url)
    with (
        running(*words, cwd=tmp_path, env=environment) as one,
        running(*words, cwd=tmp_path, env=environment) as two,
    ):
        relays = {int(ready(each).split(":")[2].split("/")[0]): each for each in (one, two)}
        async with haproxy(tmp_path, list(relays)) as port, httpx.AsyncClient() as web:
            session = package.Session(f"ws://127.0.0.1:{port}/v1/realtime", output="text", key=TOKEN)
            async with session:
                assert await asyncio.to_thread(lambda: session.ask("My name is Ada.", timeout=TIMEOUT_S).text)
                before = [item.id for item in session.items]
                for each, process in relays.items():
                    if (await web.get(f"http://127.0.0.1:{each}/healthz")).json()["sessions"]:
                        process.process.kill()
                answer = await asyncio.to_thread(lambda: session.ask("What is my name?", timeout=TIMEOUT_S).text)
                assert "Ada" in answer
                assert [item.id for item in session.items][: len(before)] == before


async def test_close_codes_pass_through_haproxy(endpoint: package.LocalEndpoint, tmp_path: pathlib.Path) -> None:
    words = ("relay", "--port", "0", "--upstream", endpoint.url)
    with running(*words, cwd=tmp_path, env={"RTNB_API_KEY": KEY, "RTNB_RELAY_TOKENS": TOKEN}) as relay:
        async with haproxy(tmp_path, [int(ready(relay).split(":")[2].split("/")[0])]) as port:
            async with connect(f"ws://127.0.0.1:{port}/v1/realtime") as client, asyncio.timeout(TIMEOUT_S):
                assert json.loads(await client.recv())["error"]["code"] == "invalid_api_key"
                with pytest.raises(ConnectionClosed):
                    await client.recv()
            assert (client.close_code, client.close_reason) == (3000, "relay_error.invalid_api_key")


def test_haproxy_finds_no_fault_in_the_documented_configuration(tmp_path: pathlib.Path) -> None:
    program = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if program is None:
        pytest.skip("there is no haproxy here: apt-get install haproxy")
    file = tmp_path / "haproxy.cfg"
    file.write_text(configuration(free_port(), [1, 2]))
    done = subprocess.run([program, "-c", "-f", str(file)], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr


def test_the_relay_is_not_loaded_with_rtnb() -> None:
    code = "import sys, rtnb; print([m for m in sys.modules if 'relay' in m or 'websockets' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "[]\n"


def test_with_nothing_it_relays_to_the_embedded_endpoint(tmp_path: pathlib.Path) -> None:
    with running("relay", "--port", "0", cwd=tmp_path) as command:
        assert command.line().startswith("Relay ready: ws://127.0.0.1:")
        assert command.line().startswith("Upstream: local endpoint (no key")
        assert command.end(signal.SIGINT)[0] == 0


async def test_off_loopback_with_tokens_and_origins_it_serves(endpoint: package.LocalEndpoint) -> None:
    options = {"host": "0.0.0.0", "tokens": [TOKEN], "origins": ["https://app.example"]}
    async with Relay(endpoint.url, key=KEY, **options).serve() as relay:  # type: ignore[arg-type]
        headers = {"Authorization": f"Bearer {TOKEN}", "Origin": "https://app.example"}
        async with connect(relay.url, additional_headers=headers) as client, asyncio.timeout(TIMEOUT_S):
            assert json.loads(await client.recv())["type"] == "session.created"
