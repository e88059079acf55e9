"""What the fault tests share: an informer under observation, a world that changes, and a proxy that freezes.

`Follower.check` passes iff cache, indices and a replay of what the handler saw equal a fresh LIST.
"""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable
from typing import Any

import orjson
from informer_support import Recorder, assert_equal_to_server, eventually

from kubeinformer import SharedInformerFactory
from kubeinformer.cache.reflector_state import ReflectorCounters
from kubeinformer.testing import APIServer, RecordedRequest
from kubeinformer.testing.objects import pod

Make = Callable[..., SharedInformerFactory]

# Two, three and four bytes of UTF-8, what others take for line ends, and what JSON escapes.
NOTE = 'é☃😀\u2028\u2029\u0085\u0001"\\/{[}]'


class World:
    """Random changes to the pods of a server, the same for the same seed."""

    def __init__(
        self, server: APIServer, *, namespaces: tuple[str, ...] = ("default",), names: int = 12, seed: int = 1
    ):
        self.server = server
        self.random = random.Random(seed)
        self._places = [(namespace, f"web-{number}") for namespace in namespaces for number in range(names)]
        self._there: set[tuple[str, str]] = set()
        self._writes = 0

    def change(self, count: int = 1) -> None:
        """Create, update, relabel, move, delete, delete and create again."""
        for _ in range(count):
            place = self.random.choice(self._places)
            if place not in self._there:
                self.server.create(self._pod(place))
                self._there.add(place)
                continue
            kind = self.random.random()
            if kind < 0.6:
                self.server.update(self._pod(place))
                continue
            self.server.delete("pods", place[1], place[0])
            if kind < 0.8:
                self.server.create(self._pod(place))
            else:
                self._there.discard(place)

    def _pod(self, place: tuple[str, str]) -> dict[str, Any]:
        self._writes += 1
        choice = self.random.choice
        made = pod(
            place[1],
            place[0],
            node=choice(["node-0", "node-1", "node-2", None]),
            labels={"app": choice(["a", "b"])},
            phase=choice(["Running", "Pending", "Failed"]),
            annotations={"note": NOTE * self.random.randrange(1, 20), "write": str(self._writes)},
        )
        made["metadata"]["uid"] = f"uid-{self._writes}"
        return made


class Follower:
    """The pods of a server, followed by an informer with an index and a recorder."""

    def __init__(self, server: APIServer, factory: SharedInformerFactory, *, start: bool = True) -> None:
        self.server = server
        self.world = World(server)
        self.world.change(20)
        self.factory = factory
        self.informer = factory.core().v1().pods().informer()
        self.informer.add_indexers({"node": "spec.nodeName"})
        self.recorder = Recorder()
        self.informer.add_event_handler(self.recorder)
        if start:
            factory.start()
            factory.wait_for_cache_sync(timeout=20, fail_fast=False)
            self.check()

    def check(self) -> None:
        assert_equal_to_server(self.server, self.informer, self.recorder)
        # What was stored is seen a moment before it counts as processed.
        eventually(self.informer.has_synced, "synced")

    def check_goes_on(self) -> None:
        """All is equal, and stays so with further changes, which arrive by the watch alone."""
        self.check()
        self.wait_live()
        lists, relists = len(self.requests("list")), self.counters().relists
        self.world.change(10)
        self.check()
        assert (len(self.requests("list")), self.counters().relists) == (lists, relists)
        assert self.informer.last_error() is None

    def wait_live(self) -> None:
        eventually(self.informer.is_live, "live")
        self.server.wait_for_watches(1)

    def inject(self, data: bytes) -> None:
        """Put bytes into the watch."""
        self.wait_live()
        assert self.server.faults.inject(data) == 1

    def touch(self) -> None:
        """One change that is sure to have arrived when this returns."""
        self.world.change(1)
        self.check()

    def counters(self, source: str = "") -> ReflectorCounters:
        return self.informer.controller.reflectors[source].counters()

    def requests(self, verb: str) -> list[RecordedRequest]:
        """Requests for pods; a watch-list is a "watch"."""
        return [request for request in self.server.requests if (request.verb, request.resource) == (verb, "pods")]


def event(kind: str, obj: Any) -> bytes:
    """One line of a watch."""
    return b'{"type":"%s","object":%s}\n' % (kind.encode(), obj if isinstance(obj, bytes) else orjson.dumps(obj))


def status(code: int, reason: str) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code, "reason": reason}


class Proxy:
    """Passes connections on to a server, and can leave one of them for dead without closing it."""

    def __init__(self, server: APIServer) -> None:
        host, port = server.url.removeprefix("http://").split(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._lock = threading.Lock()
        self._freeze_after: int | None = None
        self._sockets: list[socket.socket] = []
        self.frozen = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self, after: int) -> None:
        """The next connection on which the server sends something is dead for ever after so many bytes of that."""
        self.frozen.clear()
        with self._lock:
            self._freeze_after = after

    def close(self) -> None:
        with self._lock:
            sockets = [self._listener, *self._sockets]
        for sock in sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target)
            except OSError:
                return
            with self._lock:
                self._sockets += [near, far]
            threading.Thread(target=self._pump, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(far, near, True), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, from_server: bool) -> None:
        allowance: int | None = None
        try:
            while data := source.recv(65536):
                with self._lock:
                    if from_server and allowance is None:
                        allowance, self._freeze_after = self._freeze_after, None
                if allowance is not None:
                    data, allowance = data[:allowance], allowance - len(data[:allowance])
                sink.sendall(data)
                if allowance == 0:
                    self.frozen.set()
                    return
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass
