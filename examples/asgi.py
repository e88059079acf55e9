"""An ASGI application that answers from the cache: no request of it reaches the API server.

`uvicorn --app-dir examples asgi:app` runs it against the cluster of your kubeconfig. It answers

- `/readyz`: 200 while changes arrive, else 503. There is no liveness probe on it: a restart mends no API server, and
  what is in the cache can still be read
- `/metrics`: for Prometheus, if the extra `metrics` is installed
- `/pods`, `/pods?namespace=default&selector=app%3Dweb`: a JSON array of pods
- `/pods/default/web-0`: one pod
- `/nodes/node-1`: names of the pods of a node, from an index
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from kubeinformer import NotFoundError, SharedInformerFactory

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class App:
    """The application. Informers live as long as its lifespan: a server that forks workers has one set in each."""

    def __init__(self, api: ApiClient | None = None) -> None:
        self.api = api

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one lifespan or request."""
        if scope["type"] == "lifespan":
            await self.lifespan(receive, send)
        elif scope["type"] == "http":
            status, body = self.answer(scope["path"], parse_qs(scope["query_string"].decode()))
            content_type = b"text/plain; version=0.0.4" if scope["path"] == "/metrics" else b"application/json"
            headers = [(b"content-type", content_type)]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            # A piece is copied on a thread, and all of them never exist at once: the loop serves others meanwhile.
            while piece := await asyncio.to_thread(next, body, b""):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def lifespan(self, receive: Receive, send: Send) -> None:
        """Run the informers from the startup to the shutdown."""
        await receive()
        try:
            self.factory = factory = SharedInformerFactory(self.api or api_of_kubeconfig())
            self.pods = factory.core().v1().pods()
            self.pods.informer().add_indexers({"node": "spec.nodeName"})
            async with factory.running(timeout=60):
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.shutdown.complete"})

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, Iterator[bytes]]:
        """Status and body for a path."""
        if path.strip("/") == "pods":
            namespace, selector = (query.get(name, [None])[0] for name in ("namespace", "selector"))
            return 200, self.pods.informer().indexer().iter_json(selector, namespace)
        status, body = self.small_answer(path)
        return status, iter([body])

    def small_answer(self, path: str) -> tuple[int, bytes]:
        """The same where the body is small."""
        match path.strip("/").split("/"):
            case ["readyz"]:
                status = self.factory.status()
                errors = {name: str(last.error) for name, last in status.last_errors.items()}
                return (200, b'"ok"') if status.is_live else (503, json.dumps(errors).encode())
            case ["metrics"]:
                return 200, self.metrics()
            case ["pods", namespace, name]:
                try:
                    return 200, self.pods.lister().pods(namespace).get(name).raw
                except NotFoundError as error:
                    return 404, json.dumps(str(error)).encode()
            case ["nodes", node]:
                return 200, json.dumps(self.pods.informer().indexer().index_keys("node", node)).encode()
        return 404, b'"not found"'

    def metrics(self) -> bytes:
        """What Prometheus reads."""
        from prometheus_client import CollectorRegistry, generate_latest

        from kubeinformer.metrics import InformerCollector

        registry = CollectorRegistry()
        registry.register(InformerCollector(self.factory))
        return generate_latest(registry)


def api_of_kubeconfig() -> ApiClient:
    from kubernetes import config

    api: ApiClient = config.new_client_from_config()  # type: ignore[no-untyped-call]
    return api


app = App()
