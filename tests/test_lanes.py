"""The kernel's end of the lanes: a real WebSocket client, a real kernel's control channel, and messages by hand."""

from __future__ import annotations

import asyncio
import base64
import json
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from rtnb.notebook import lanes
from rtnb.notebook.lane_hub import CONTROL_TYPE, Hub
from rtnb.notebook.lanes import Link
from rtnb.notebook.wires import Header, is_origin_allowed, pack, unpack

PROBE = bytes([1, 2, 254, 255])


class Recorder:
    """An owner that notes everything and lets a test wait for it."""

    def __init__(self) -> None:
        self.seen: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.threads: set[str] = set()

    def note(self, kind: str, value: Any) -> None:
        self.threads.add(threading.current_thread().name)
        self.seen.put((kind, value))

    def on_message(self, header: Header, payload: bytes) -> None:
        self.note("message", (header, payload))

    def on_page(self, page: str | None) -> None:
        self.note("page", page)

    def on_lane(self, name: str, ms: float | None, tried: Sequence[str]) -> None:
        self.note("lane", (name, ms, list(tried)))

    async def next(self, kind: str) -> Any:
        """The next thing of a kind; others are passed over."""
        while True:
            found, value = await asyncio.to_thread(self.seen.get, True, 10)
            if found == kind:
                return value


class Posts:
    """Where widget messages go."""

    def __init__(self) -> None:
        self.sent: queue.Queue[tuple[Header, list[bytes]]] = queue.Queue()

    def __call__(self, content: Header, buffers: list[bytes]) -> None:
        self.sent.put((content, buffers))

    async def next(self) -> tuple[Header, list[bytes]]:
        return await asyncio.to_thread(self.sent.get, True, 10)


@pytest.fixture
def hub() -> Iterator[Hub]:
    made = Hub()
    yield made
    made.close()


@pytest.fixture
def owner() -> Recorder:
    return Recorder()


@pytest.fixture
def posts() -> Posts:
    return Posts()


@pytest.fixture
def link(hub: Hub, owner: Recorder, posts: Posts) -> Iterator[Link]:
    made = Link(owner, posts, hub)
    yield made
    made.close()


class Page:
    """What the page's end does, over a real WebSocket."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    @classmethod
    async def open(cls, link: Link, page: str = "p1", **fields: Any) -> Page:
        address = link.address
        self = cls(await connect(f"ws://127.0.0.1:{address['port']}/", origin=fields.pop("origin", None)))
        assert (await self.next())[0] == {"kind": "rtnb", "id": address["id"]}
        hello = {"kind": "hello", "token": address["token"], "page": page, "lane": "websocket", "seen": 0, **fields}
        await self.say(hello)
        return self

    async def say(self, header: Header, payload: bytes = b"") -> None:
        await self.socket.send(pack(header, payload) if payload else json.dumps(header))

    async def next(self, kind: str | None = None) -> tuple[Header, bytes]:
        async with asyncio.timeout(10):
            while True:
                header, payload = unpack(await self.socket.recv())
                if kind is None or header["kind"] == kind:
                    return header, payload

    async def close(self) -> None:
        await self.socket.close()


async def test_a_page_with_the_token_is_welcomed_and_measured(link: Link, owner: Recorder) -> None:
    page = await Page.open(link, state={"muted": True})
    assert (await page.next("welcome"))[0]["active"] is True
    assert await owner.next("page") == "p1"
    assert await owner.next("message") == ({"muted": True, "kind": "state"}, b"")
    await page.say({"kind": "ping", "key": "k1"})
    assert (await page.next("pong"))[0]["key"] == "k1"
    await page.say({"kind": "lane", "name": "websocket", "ms": 1.5, "tried": []})
    while (await owner.next("lane"))[1] != 1.5:
        pass
    assert owner.threads == {"rtnb-audio-lanes"}
    await page.close()


@pytest.mark.parametrize(
    "first", ['{"kind": "hello", "token": "wrong", "page": "x"}', "nonsense", b"\xff\xff\x00", "[]"]
)
async def test_a_page_without_the_token_is_turned_away(link: Link, first: str | bytes, owner: Recorder) -> None:
    async with connect(f"ws://127.0.0.1:{link.address['port']}/") as socket:
        await socket.recv()
        await socket.send(first)
        with pytest.raises(ConnectionClosed):
            async with asyncio.timeout(10):
                await socket.recv()
    assert owner.seen.empty()


async def test_a_foreign_origin_is_refused_before_it_can_speak(link: Link) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://127.0.0.1:{link.address['port']}/", origin="https://evil.example")  # type: ignore[arg-type]
    assert refused.value.response.status_code == 403
    page = await Page.open(link, origin="http://localhost:8888")
    assert (await page.next("welcome"))[0]["active"] is True
    await page.close()


@pytest.mark.parametrize(
    ("origin", "hosts", "allowed"),
    [
        (None, ["127.0.0.1:4321"], True),
        ("http://localhost:8888", [], True),
        ("http://127.0.0.1:8888", [], True),
        ("http://[::1]:8888", [], True),
        ("vscode-webview://1a2b", [], True),
        ("https://hub.example.org", ["hub.example.org"], True),
        ("https://hub.example.org:8000", ["hub.example.org:8000"], True),
        ("https://hub.example.org", ["other.example.org"], False),
        ("null", ["127.0.0.1:4321"], False),
        ("https://evil.example", ["127.0.0.1:4321"], False),
        ("http://localhost.evil.example", ["127.0.0.1:4321"], False),
        ("http://127.evil.example", ["127.0.0.1:4321"], False),
        ("http://localhost:port", [], False),
        ("http://evil.example:4321", ["evil.example:4321"], False),  # a name that was made to point at us
        ("", [""], False),
    ],
)
def test_origins(origin: str | None, hosts: list[str], allowed: bool) -> None:
    assert is_origin_allowed(origin, hosts, 4321) is allowed


async def test_audio_of_one_item_is_joined_and_stays_in_order(link: Link) -> None:
    for i in range(30):
        link.send({"kind": "play", "item": "a"}, bytes([i, 0]) * 1200)  # 50 ms each, before any page is there
    link.send({"kind": "end", "item": "a"})
    link.send({"kind": "play", "item": "b"}, b"\7\0" * 10)
    page = await Page.open(link)
    got = [await page.next() for _ in range(5)]
    assert [header["kind"] for header, _ in got] == ["welcome", "play", "play", "end", "play"]
    assert b"".join(payload for _, payload in got[1:3]) == b"".join(bytes([i, 0]) * 1200 for i in range(30))
    assert [header["seq"] for header, _ in got[1:]] == [20, 30, 31, 32]
    assert [header.get("item") for header, _ in got[1:]] == ["a", "a", "a", "b"]
    await page.close()


async def test_what_was_not_acknowledged_is_sent_again_on_the_next_lane(link: Link) -> None:
    page = await Page.open(link)
    link.send({"kind": "play", "item": "a"}, b"\1\0" * 100)
    assert (await page.next("play"))[0]["seq"] == 1
    link.send({"kind": "end", "item": "a"})
    await page.next("end")
    await page.say({"kind": "ack", "seq": 1})
    page.socket.transport.abort()  # no goodbye
    again = await Page.open(link, round=1, seen=1)
    assert (await again.next("end"))[0] == {"kind": "end", "item": "a", "seq": 2}
    await again.close()


async def test_a_new_page_takes_over_and_the_old_one_may_ask_for_it_back(link: Link, owner: Recorder) -> None:
    one = await Page.open(link, "one")
    assert await owner.next("page") == "one"
    link.send({"kind": "play", "item": "a"}, b"\1\0" * 100)
    await one.next("play")
    two = await Page.open(link, "two")
    assert await owner.next("page") == "two"
    await one.next("replaced")
    link.send({"kind": "play", "item": "b"}, b"\2\0" * 100)
    assert (await two.next("play"))[0]["item"] == "b", "what the other page got is not played twice"
    await one.say({"kind": "audio", "take": 1, "seq": 0}, b"\0\0")  # no word of a page that is not active
    back = await Page.open(link, "one", round=1)
    assert (await back.next("welcome"))[0]["active"] is False
    await back.say({"kind": "hello", "page": "one", "take": True, "seen": 0})
    assert (await back.next("welcome"))[0]["active"] is True
    assert await owner.next("page") == "one"
    await back.say({"kind": "audio", "take": 1, "seq": 7}, b"\0\0")
    header, _ = await owner.next("message")
    assert header["seq"] == 7
    for page in (one, two, back):
        await page.close()


async def test_goodbye_is_told_at_once(link: Link, owner: Recorder) -> None:
    page = await Page.open(link)
    assert await owner.next("page") == "p1"
    await page.say({"kind": "bye"})
    assert await owner.next("page") is None
    await page.close()


async def test_discarded_audio_is_never_sent(link: Link) -> None:
    link.send({"kind": "play", "item": "a"}, b"\1\0" * 100)
    link.send({"kind": "play", "item": "b"}, b"\2\0" * 100)
    link.discard(["a"])
    link.send({"kind": "stop", "items": ["a"]})
    page = await Page.open(link)
    assert (await page.next())[0]["kind"] == "welcome"
    assert [(await page.next())[0]["kind"] for _ in range(2)] == ["play", "stop"]
    await page.close()


async def test_the_comm_lane_waits_for_100_ms_of_audio(
    link: Link, posts: Posts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "GATHER_S", 3600)  # nothing goes because of the time
    hello = {"rtnb": link.id, "page": "p", "kind": "hello", "lane": "comm", "seen": 0}
    link.post(hello, [PROBE])
    content, buffers = await posts.next()
    assert (content["kind"], content["rtnb"], content["buffers"], buffers) == ("welcome", "p", True, [PROBE])
    for _ in range(2):
        for _ in range(5):
            link.send({"kind": "play", "item": "a"}, b"\1\0" * 480)  # 20 ms
        assert len((await posts.next())[1][0]) == 4800


async def test_the_comm_lane_sends_less_when_nothing_follows(link: Link, posts: Posts) -> None:
    link.post({"rtnb": link.id, "page": "p", "kind": "hello", "lane": "comm", "seen": 0}, [PROBE])
    await posts.next()
    link.send({"kind": "play", "item": "a"}, b"\1\0" * 10)
    assert len((await posts.next())[1][0]) == 20


async def test_a_front_end_that_loses_buffers_gets_and_sends_base64(link: Link, posts: Posts, owner: Recorder) -> None:
    link.post({"rtnb": link.id, "page": "p", "kind": "hello", "lane": "comm", "seen": 0}, [])
    assert (await posts.next())[0]["buffers"] is False
    link.post({"rtnb": link.id, "page": "p", "kind": "buffers", "ok": False}, [])
    link.send({"kind": "play", "item": "a"}, b"\1\2" * 3000)
    content, buffers = await posts.next()
    assert (base64.b64decode(content["data64"]), buffers) == (b"\1\2" * 3000, [])
    frame = {"rtnb": link.id, "page": "p", "kind": "audio", "take": 1, "seq": 0, "data64": base64.b64encode(b"\3\4")}
    link.post({**frame, "data64": frame["data64"].decode()}, [])  # type: ignore[attr-defined]
    header, payload = await owner.next("message")
    assert (header["kind"], payload) == ("audio", b"\3\4")


async def test_a_late_hello_of_the_comm_does_not_win_over_a_newer_socket(
    link: Link, posts: Posts, owner: Recorder
) -> None:
    page = await Page.open(link, "p", round=2)
    await page.next("welcome")
    link.post({"rtnb": link.id, "page": "p", "kind": "hello", "lane": "comm", "seen": 0, "round": 1}, [PROBE])
    assert (await posts.next())[0]["kind"] == "welcome"
    link.send({"kind": "end", "item": "a"})
    assert (await page.next("end"))[0]["item"] == "a"
    await page.close()


async def test_pages_that_come_and_go_do_not_push_out_one_that_speaks(link: Link, posts: Posts) -> None:
    def say(page: str, **fields: Any) -> None:
        link.post({"rtnb": link.id, "page": page, "lane": "comm", "seen": 0, **fields}, [PROBE])

    say("p", kind="hello")
    for number in range(2 * lanes.MOST_POSTED):
        say(f"guest {number}", kind="hello")
        say("p", kind="ping", key=number)
        while (await posts.next())[0].get("key") != number:
            pass


async def test_a_broken_message_does_not_end_a_socket(link: Link, caplog: pytest.LogCaptureFixture) -> None:
    page = await Page.open(link)
    await page.say({"kind": "ack"})
    await page.say({"kind": "ping", "key": "k"})
    assert (await page.next("pong"))[0]["key"] == "k"
    assert "could not be handled" in caplog.text
    await page.close()


async def test_words_of_others_on_the_comm_are_ignored(link: Link, posts: Posts, owner: Recorder) -> None:
    link.post({"rtnb": "somebody else", "page": "p", "kind": "hello"}, [])
    link.post({"rtnb": link.id, "page": "p", "kind": "audio", "seq": 3}, [b"\0\0"])  # no hello before
    link.post({"rtnb": link.id, "page": "p", "kind": "hello", "lane": "comm"}, [PROBE])
    assert (await posts.next())[0]["kind"] == "welcome"
    assert await owner.next("page") == "p"


async def test_a_broken_message_does_not_end_a_message_lane(
    link: Link, posts: Posts, owner: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    link.post({"rtnb": link.id, "page": "p", "kind": "hello", "lane": "comm"}, [PROBE])
    await posts.next()
    link.post({"rtnb": link.id, "page": "p", "kind": "ack", "seq": "what"}, [])
    link.post({"rtnb": link.id, "page": "p", "kind": "ping", "key": "k"}, [])
    assert (await posts.next())[0] == {"rtnb": "p", "kind": "pong", "key": "k"}
    assert "could not be handled" in caplog.text


def test_the_hub_serves_several_and_closes_twice(hub: Hub, owner: Recorder, posts: Posts) -> None:
    links = [Link(owner, posts, hub) for _ in range(3)]
    assert len({link.token for link in links} | {link.id for link in links}) == 6
    for link in links:
        link.close()
        link.close()
    hub.close()
    hub.close()
    links[0].send({"kind": "end", "item": "a"})  # no error after the end


def test_the_token_is_in_no_repr(link: Link, hub: Hub) -> None:
    assert link.token not in repr(link) + repr(hub)


KERNEL = """
import json, queue, sys
sys.path.insert(0, {root!r})
from rtnb.notebook.lanes import Link
class Owner:
    seen = queue.Queue()
    def on_message(self, header, payload): self.seen.put((header, len(payload)))
    def on_page(self, page): pass
    def on_lane(self, name, ms, tried): pass
posted = queue.Queue()
link = Link(Owner(), lambda content, buffers: posted.put((content['kind'], len(buffers))))
assert link.hub.listen_on_control(get_ipython().kernel)
print(link.id)
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_control_channel_of_a_real_kernel_is_served_while_a_cell_runs() -> None:
    from pathlib import Path

    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(startup_timeout=60)
    try:

        def run(code: str) -> str:
            printed: list[str] = []

            def take(message: dict[str, Any]) -> None:
                content = message["content"]
                assert message["msg_type"] != "error", "\n".join(content.get("traceback", []))
                printed.append(content.get("text", ""))

            client.execute_interactive(code, timeout=60, output_hook=take)
            return "".join(printed).strip()

        link_id = run(KERNEL.format(root=str(Path(__file__).resolve().parent.parent)))

        def post(content: Header, buffers: list[bytes]) -> None:
            message = client.session.msg(CONTROL_TYPE, {"rtnb": link_id, "page": "p", **content})
            message["buffers"] = buffers
            client.session.send(client.control_channel.socket, message, buffers=buffers)

        post({"kind": "hello", "lane": "control", "seen": 0}, [PROBE])
        assert run("print(posted.get(timeout=10))") == "('welcome', 1)"
        client.execute(
            "first = Owner.seen.get(timeout=20); import time; time.sleep(0.2); blocked_got = first[0]['seq']"
        )
        deadline = time.monotonic() + 20
        for seq in range(25):
            post({"kind": "audio", "take": 1, "seq": seq}, [b"\0" * 1920])
            assert time.monotonic() < deadline
        got = run("""
got = [first] + [Owner.seen.get(timeout=10) for _ in range(24)]
print(json.dumps([[header['seq'], size] for header, size in got]))""")
        assert json.loads(got) == [[seq, 1920] for seq in range(25)]
        assert run("print(blocked_got)") == "0"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
