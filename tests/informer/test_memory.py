"""Memory of Python's: what an update leaves behind, counted in blocks, which unlike RSS are the same each time.

What the core allocates is counted by rust/core/tests/memory.rs.
"""

from __future__ import annotations

import gc
import queue
import sys
from collections.abc import Sequence
from typing import Any

import orjson
from informer_support import TIMEOUT, eventually

from kubeinformer import ControllerOptions, KubeObject, ResourceEventHandlerFuncs, SharedInformerFactory
from kubeinformer.testing.objects import pod
from kubeinformer.transport.base import ReadTimeoutError, ServerCapabilities, StopSignal

PODS = 20
ROUNDS = 60


class ScriptedResponse:
    """A body of the pieces that a queue brings; b"" ends it."""

    status = 200
    chunked = False

    def __init__(self, pieces: queue.SimpleQueue[bytes]) -> None:
        self.headers: dict[str, str] = {}
        self._pieces = pieces

    def read(self, timeout: float | None = None) -> bytes:
        try:
            return self._pieces.get(timeout=timeout)
        except queue.Empty:
            raise ReadTimeoutError("silent") from None

    def read_error_body(self, limit: int = 65536) -> bytes:
        return b""

    def shutdown(self) -> None:
        self._pieces.put(b"")

    def close(self, complete: bool) -> None: ...


class ScriptedTransport:
    """One list, and one watch of what is put into `events`."""

    def __init__(self, listed: bytes) -> None:
        self.capabilities = ServerCapabilities()
        self.events: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._listed = listed

    def request(
        self, path: str, query: Sequence[tuple[str, str]], *, stop: StopSignal | None = None, **_: Any
    ) -> ScriptedResponse:
        if "watch" in dict(query):
            response = ScriptedResponse(self.events)
            assert stop is not None
            stop.add(response.shutdown)
            return response
        pieces: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        for piece in (self._listed, b""):
            pieces.put(piece)
        return ScriptedResponse(pieces)


def numbered(number: int, version: int) -> dict[str, Any]:
    made = pod(f"web-{number:02}", node=f"node-{version}", resource_version=str(version))
    made["metadata"]["uid"] = f"uid-{number}"
    return made


def updates(version: int) -> bytes:
    events = [{"type": "MODIFIED", "object": numbered(number, version + number)} for number in range(PODS)]
    return b"".join(orjson.dumps(event) + b"\n" for event in events)


def test_updates_leave_nothing_behind() -> None:
    items = [numbered(number, 100_000 + number) for number in range(PODS)]
    transport = ScriptedTransport(
        orjson.dumps({"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items})
    )
    options = ControllerOptions(use_watch_list=False, decode_cache=PODS)
    factory = SharedInformerFactory(transport=transport, options=options)
    informer = factory.core().v1().pods().informer()
    informer.add_indexers({"declared": "spec.nodeName", "function": lambda obj: [obj["spec"]["nodeName"]]})
    seen = [0, 0]

    def update(old: KubeObject, new: KubeObject) -> None:
        seen[0] += old["spec"]["nodeName"] != new["spec"]["nodeName"]

    informer.add_event_handler(ResourceEventHandlerFuncs(update_func=update))
    stream = informer.events()

    def blocks_after_updates() -> int:
        """Blocks that live when many more updates were told."""
        for _ in range(ROUNDS):
            seen[1] += PODS
            transport.events.put(updates(100_000 + seen[1]))
            eventually(lambda: seen[0] == seen[1], "the handler heard of all")
            for _ in range(PODS):
                assert next(stream)["type"] == "MODIFIED"
        gc.collect()
        return sys.getallocatedblocks()

    with factory.running(timeout=TIMEOUT), stream:
        for _ in range(PODS):
            assert next(stream)["type"] == "ADDED"
        before = [blocks_after_updates() for _ in range(2)][-1]
        after = [blocks_after_updates() for _ in range(3)][-1]
    # 3,600 updates: a single block that each left behind would be 3,600. Threads that ended are some 200.
    assert after - before < 1_000
