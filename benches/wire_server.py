"""A process that only writes pre-rendered bytes, as an API server would: LIST, WATCH and watch-list streams of pods.

Invariant: every byte of an answer exists before the process says that it is ready; answering is `sendall` of blocks of
about a megabyte. One HTTP chunk an item or event, and one for the head and the end of a list, as kube-apiserver 1.37
sends them.

    python -m benches.wire_server --pods 10000 --events 30000 --core 1

prints `{"url": "http://127.0.0.1:PORT"}` when it is ready, and ends when its standard input is closed. It answers
- `GET /api/v1/pods`: a LIST of all pods (`limit` is ignored, as from a watch cache with resourceVersion=0);
- the same with `watch=true`: the events, held back until released; after the last one the stream stays open;
- the same with `watch=true&sendInitialEvents=true`: every pod as ADDED, the bookmark that ends them, then as above;
- `POST /bench/release`: waits (60 s at most) until a watch has come to the point where it is held, and lets it go on;
  the answer is `{"released_at": T}` on the clock of `time.perf_counter()`, which Linux has one of for all processes.

A loopback reader that is slower than the server is paced by BBR where the kernel defaults to it, so that the sockets
use cubic or reno.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qs, urlsplit

from benches import pods

BLOCK_BYTES = 1 << 20
LIST_VERSION = pods.resource_version_of(999_999, 0)
_TRUE = frozenset({"1", "t", "T", "true", "True", "TRUE"})
_HEAD = (
    b"HTTP/1.1 200 OK\r\nAudit-Id: 5c1e1f6a-bench\r\nCache-Control: no-cache, private\r\n"
    b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
)
_LAST_CHUNK = b"0\r\n\r\n"


def _chunk(payload: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(payload), payload)


def _event(kind: bytes, rendered: bytes) -> bytes:
    return _chunk(b'{"type":"%b","object":%b}\n' % (kind, rendered))


def _blocks(parts: Iterable[bytes]) -> list[bytes]:
    """The same bytes in pieces of about a megabyte."""
    blocks, gathered, size = [], [], 0
    for part in parts:
        gathered.append(part)
        size += len(part)
        if size >= BLOCK_BYTES:
            blocks.append(b"".join(gathered))
            gathered, size = [], 0
    return [*blocks, b"".join(gathered)] if gathered else blocks


class Scenario:
    """All the answers, rendered."""

    def __init__(self, pod_count: int, event_count: int) -> None:
        rendered = [pods.render(pods.pod(i)) for i in range(pod_count)]
        self.list = _blocks(self._list_chunks(rendered))
        self.initial = _blocks([*(_event(b"ADDED", pods.as_event_object(r)) for r in rendered), self._end_bookmark()])
        self.live = _blocks(self._live_events(pod_count, event_count))

    @staticmethod
    def _list_chunks(rendered: list[bytes]) -> Iterator[bytes]:
        metadata = b'{"resourceVersion":"%b"}' % LIST_VERSION.encode()
        yield _chunk(b'{"kind":"PodList","apiVersion":"v1","metadata":%b,"items":[' % metadata)
        for n, item in enumerate(rendered):
            yield _chunk(item if n == 0 else b"," + item)
        yield _chunk(b"]}\n")
        yield _LAST_CHUNK

    @staticmethod
    def _end_bookmark() -> bytes:
        metadata = {
            "resourceVersion": LIST_VERSION,
            "creationTimestamp": None,
            "annotations": {"k8s.io/initial-events-end": "true"},
        }
        return _event(b"BOOKMARK", pods.render({"kind": "Pod", "apiVersion": "v1", "metadata": metadata}))

    @staticmethod
    def _live_events(pod_count: int, event_count: int) -> Iterator[bytes]:
        for n in range(event_count):
            version, i = divmod(n, pod_count)
            yield _event(b"MODIFIED", pods.as_event_object(pods.render(pods.pod(i, version + 1))))


class Gate:
    """Holds watches back. A watch is let through iff somebody released it after it came."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._held: list[int] = []

    def hold(self, connection: socket.socket) -> bool:
        """Wait without limit for a release; False, or ConnectionError, if the client went away meanwhile."""
        wake = os.eventfd(0)
        with self._changed:
            self._held.append(wake)
            self._changed.notify_all()
        try:
            while True:
                readable, _, _ = select.select([connection.fileno(), wake], [], [])
                if wake in readable:
                    return True
                if not connection.recv(4096):
                    return False
        finally:
            # Under the lock, and whatever happened: a number that stays behind may soon be another file's.
            with self._changed:
                if wake in self._held:
                    self._held.remove(wake)
                os.close(wake)

    def release(self, timeout: float) -> float | None:
        """Let the oldest held watch go on, waiting up to `timeout` seconds for one; when, or None if none came."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._held, timeout):
                return None
            released_at = time.perf_counter()
            os.eventfd_write(self._held.pop(0), 1)
            return released_at


class WireServer:
    """Serves a scenario, one thread a connection."""

    def __init__(self, scenario: Scenario, port: int = 0) -> None:
        self._scenario = scenario
        self._gate = Gate()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=64)
        _set_congestion_control(self._listener)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def start(self) -> None:
        threading.Thread(target=self._accept, name="accept", daemon=True).start()

    def close(self) -> None:
        """Accept nothing more; connections end when their clients leave."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), name="connection", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                while (request := _read_request(connection)) is not None:
                    if not self._answer(connection, *request):
                        return
        except (ConnectionError, TimeoutError):
            return  # the client has seen enough

    def _answer(self, connection: socket.socket, method: str, target: str) -> bool:
        """Answer one request; whether the connection can carry another."""
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if method == "POST" and parts.path == "/bench/release":
            released_at = self._gate.release(60)
            _send_json(connection, 200 if released_at else 504, {"released_at": released_at})
        elif method != "GET" or parts.path != "/api/v1/pods":
            _send_json(connection, 404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404})
        elif query.get("watch") in _TRUE:
            self._watch(connection, query.get("sendInitialEvents") in _TRUE)
            return False
        else:
            connection.sendall(_HEAD)
            for block in self._scenario.list:
                connection.sendall(block)
        return True

    def _watch(self, connection: socket.socket, initial: bool) -> None:
        connection.sendall(_HEAD)
        for block in self._scenario.initial if initial else ():
            connection.sendall(block)
        if not self._gate.hold(connection):
            return
        for block in self._scenario.live:
            connection.sendall(block)
        while connection.recv(4096):  # a watch stays open until the client leaves
            pass


def _set_congestion_control(listener: socket.socket) -> None:
    """Accepted sockets inherit it."""
    for name in (b"cubic", b"reno"):
        try:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name)
        except OSError:
            continue
        return


def _read_request(connection: socket.socket) -> tuple[str, str] | None:
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            return None
        received += piece
    method, target, _ = received.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
    return method, target


def _send_json(connection: socket.socket, status: int, body: dict[str, object]) -> None:
    rendered = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} Bench\r\nContent-Type: application/json\r\nContent-Length: {len(rendered)}\r\n\r\n"
    connection.sendall(head.encode() + rendered)


def main() -> None:
    parser = argparse.ArgumentParser(description="Serves pre-rendered pods for the benchmarks.")
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=30_000)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--core", type=int, default=None, help="run on this core only")
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, {arguments.core})
    server = WireServer(Scenario(arguments.pods, arguments.events), arguments.port)
    server.start()
    print(json.dumps({"url": server.url}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
