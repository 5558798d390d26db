"""What a tool round costs: from the model's finished arguments to the output on the wire, for an instant tool.

A server in another process sends one response with one call after the other. It notes when it sent
``response.function_call_arguments.done`` and when the ``function_call_output`` arrived; ``response.done``, which says
that the call is to be carried out, follows at once. A bare loop of ``websockets`` and ``json`` does the same beside it,
with the function called in place: no schema, no thread, no time-out, no log.

    uv run python benchmarks/tools.py
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import statistics
import time
from multiprocessing.connection import Connection
from typing import Any


def event(name: str, **members: Any) -> str:
    return json.dumps({"type": name, "event_id": "event_" + "x" * 21, **members})


def serve(pipe: Connection, calls: int) -> None:
    """Call a tool so often, one call after the other; then tell how long each took, in microseconds."""
    from websockets.asyncio.server import ServerConnection
    from websockets.asyncio.server import serve as listen

    async def talk(client: ServerConnection) -> None:
        await client.send(event("session.created", session={"type": "realtime"}))
        await client.recv()
        await client.send(event("session.updated", session={"type": "realtime"}))
        took: list[float] = []
        began = 0.0
        async for text in client:
            got = json.loads(text)
            if got["type"] == "conversation.item.create":
                if got["item"]["type"] == "function_call_output":
                    assert got["item"]["output"] == "10.0"
                    took.append((time.perf_counter() - began) * 1e6)
            elif got["type"] == "response.create":
                metadata = (got.get("response") or {}).get("metadata")
                began = await respond(client, len(took), metadata, last=len(took) == calls)
                if len(took) == calls:
                    pipe.send(took)

    async def respond(client: ServerConnection, number: int, metadata: Any, *, last: bool) -> float:
        response_id, item_id = f"resp_{number}", f"item_{number}"
        response = {"id": response_id, "status": "in_progress", "output": [], "metadata": metadata}
        response["conversation_id"] = "conv_1"
        await client.send(event("response.created", response=response))
        item = {"id": item_id, "type": "function_call", "name": "add", "call_id": f"call_{number}", "arguments": ""}
        output = []
        if not last:
            place = {"response_id": response_id, "item_id": item_id, "output_index": 0}
            await client.send(event("response.output_item.added", response_id=response_id, output_index=0, item=item))
            done = {**item, "arguments": '{"a": 4, "b": 6}', "status": "completed"}
            output = [done]
            name = "response.function_call_arguments.done"
            began = time.perf_counter()
            await client.send(event(name, **place, call_id=item["call_id"], arguments=done["arguments"]))
            await client.send(event("response.output_item.done", response_id=response_id, output_index=0, item=done))
        else:
            began = 0.0
        await client.send(event("response.done", response={**response, "status": "completed", "output": output}))
        return began

    async def main() -> None:
        async with listen(talk, "127.0.0.1", 0, compression=None) as server:
            pipe.send(server.sockets[0].getsockname()[1])
            await asyncio.to_thread(pipe.poll, None)

    asyncio.run(main())


def add(a: float, b: float) -> float:
    """Add two numbers."""
    return a + b


async def add_async(a: float, b: float) -> float:
    """Add two numbers."""
    return float(a + b)


def bare(port: int) -> None:
    from websockets.sync.client import connect

    with connect(f"ws://127.0.0.1:{port}/", compression=None) as socket:
        socket.send(event("session.update", session={}))
        socket.send(event("response.create"))
        for text in socket:
            got = json.loads(text)
            if got["type"] == "response.done":
                calls = got["response"]["output"]
                for call in calls:
                    output = str(float(add(**json.loads(call["arguments"]))))
                    item = {"type": "function_call_output", "call_id": call["call_id"], "output": output}
                    socket.send(event("conversation.item.create", item=item))
                if not calls:
                    return
                socket.send(event("response.create"))


def session(port: int, tool: Any) -> None:
    import rtnb

    made = rtnb.Tool.from_function(tool, name="add")
    with rtnb.Session(f"ws://127.0.0.1:{port}/", output="text", tools=[made]) as opened:
        opened._core.sequencer.max_rounds = 10**9
        opened.respond().wait(300)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--calls", type=int, default=2000)
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs, options.calls), daemon=True)
    server.start()
    port = ours.recv()
    receivers = {
        "bare loop": lambda: bare(port),
        "Session, async tool": lambda: session(port, add_async),
        "Session, plain tool (in a thread)": lambda: session(port, add),
    }
    print("| | p50, us | p99, us |\n|---|---|---|")
    for name, receive in receivers.items():
        receive()
        took = ours.recv()
        cuts = statistics.quantiles(took[len(took) // 10 :], n=100)
        print(f"| {name} | {cuts[49]:.0f} | {cuts[98]:.0f} |")
    ours.send(None)
    server.join(5)


if __name__ == "__main__":
    main()
