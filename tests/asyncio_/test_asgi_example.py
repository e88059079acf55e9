"""The ASGI example, called as a server would call it."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from informer_support import informer_threads
from loop_support import eventually, run

from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

EXAMPLE = Path(__file__).parents[2] / "examples" / "asgi.py"


def load() -> Any:
    spec = importlib.util.spec_from_file_location("example_asgi", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    running = asyncio.ensure_future(app({"type": "lifespan"}, to_app.get, from_app.put))
    to_app.put_nowait({"type": "lifespan.startup"})
    assert (await from_app.get())["type"] == "lifespan.startup.complete"
    yield
    to_app.put_nowait({"type": "lifespan.shutdown"})
    assert (await from_app.get())["type"] == "lifespan.shutdown.complete"
    await running


async def get(app: Any, path: str, query: str = "") -> tuple[int, Any]:
    status, body = await get_bytes(app, path, query)
    return status, json.loads(body)


async def get_bytes(app: Any, path: str, query: str = "") -> tuple[int, bytes]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app({"type": "http", "path": path, "query_string": query.encode()}, None, send)
    start, *pieces = sent
    body = b"".join(piece["body"] for piece in pieces)
    assert [piece["more_body"] for piece in pieces] == [True] * (len(pieces) - 1) + [False]
    return start["status"], body


def test_it_answers_from_the_cache(server: APIServer) -> None:
    for number in range(2000):
        server.create(pod(f"web-{number}", node=f"node-{number % 10}", labels={"app": "web"}))
    server.create(pod("db-0", "other", labels={"app": "db"}))

    async def main() -> None:
        app = load().App(server.api_client())
        async with lifespan(app):
            assert await get(app, "/readyz") == (200, "ok")
            status, pods = await get(app, "/pods")
            assert (status, len(pods)) == (200, 2001)
            assert [p["metadata"]["name"] for p in (await get(app, "/pods", "selector=app%3Ddb"))[1]] == ["db-0"]
            assert len((await get(app, "/pods", "namespace=default"))[1]) == 2000
            assert (await get(app, "/pods/other/db-0"))[1]["metadata"]["name"] == "db-0"
            assert await get(app, "/pods/other/db-1") == (404, 'pods "db-1" not found')
            assert len((await get(app, "/nodes/node-3"))[1]) == 200
            assert (await get(app, "/else"))[0] == 404
            status, text = await get_bytes(app, "/metrics")
            assert status == 200
            assert b'kubeinformer_store_objects{name="pods"} 2001.0\n' in text

            async def status_of_ready() -> int:
                return (await get(app, "/readyz"))[0]

            server.faults.refuse_connections()
            server.faults.drop_connections()
            await eventually(lambda: not app.pods.informer().is_live(), "the outage")
            assert await status_of_ready() == 503
            assert set((await get(app, "/readyz"))[1]) <= {"pods"}
            assert (await get(app, "/pods/other/db-0"))[0] == 200
            server.faults.accept_connections()
            await eventually(app.pods.informer().is_live, "the end of the outage")
            assert await status_of_ready() == 200
        assert informer_threads() == []

    run(main, debug=False)


def test_a_start_that_fails_is_told(server: APIServer) -> None:
    server.faults.respond(403, times=None)

    async def main() -> None:
        told: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "lifespan.startup"}

        async def send(message: dict[str, Any]) -> None:
            told.append(message)

        await load().App(server.api_client())({"type": "lifespan"}, receive, send)
        assert [message["type"] for message in told] == ["lifespan.startup.failed"]
        assert "the server refuses" in told[0]["message"]
        assert informer_threads() == []

    run(main, debug=False)
