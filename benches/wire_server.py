"""A process that only writes pre-rendered bytes, as an API server would: LIST, WATCH and watch-list streams of pods.

Invariant: answering is `sendall` of blocks of about a megabyte that exist already (`wire_streams` says when they do
not), so that the process is not what a client waits for. Its CPU time can be asked for, to see that.

    python -m benches.wire_server --pods 10000 --events 30000 --core 1

prints `{"url": "http://127.0.0.1:PORT", "held": true}` when it is ready, and ends when its standard input is closed. It
answers
- `GET /api/v1/pods`: a LIST of all pods (`limit` is ignored, as from a watch cache with resourceVersion=0);
- the same with `watch=true`: the events, held back until released; after the last one the stream stays open;
- the same with `watch=true&sendInitialEvents=true`: every pod as ADDED, the bookmark that ends them, then as above;
- all of it as protobuf to a client that asks for that first, if there is a file with it (`--protobuf`);
- `POST /bench/release`: waits (60 s at most) until a watch has come to the point where it is held, and lets it go on;
  the answer is `{"released_at": T}` on the clock of `time.perf_counter()`, which Linux has one of for all processes;
- `POST /bench/relist`: the same, but the watch is told that its resourceVersion is too old (410), and ends. The answer
  comes when the client has its new list, asked for at `began`, and watches again (300 s at most): `{"began": T,
  "watching": T, "version": V}`;
- `GET /bench/usage`: `{"cpu_seconds": C, "lists": N, "watches": N}` since the process began.

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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from benches import pods
from benches.wire_streams import (
    LAST_CHUNK,
    STREAMS,
    ProtobufScenario,
    Scenario,
    end_bookmark,
    expired,
    list_head,
    list_version,
)

_TRUE = frozenset({"1", "t", "T", "true", "True", "TRUE"})
_PROTOBUF = "application/vnd.kubernetes.protobuf"
_HEAD = (
    b"HTTP/1.1 200 OK\r\nAudit-Id: 5c1e1f6a-bench\r\nCache-Control: no-cache, private\r\n"
    b"Content-Type: %b\r\nTransfer-Encoding: chunked\r\n\r\n"
)

Verdict = Literal["release", "expire"]


@dataclass
class _Held:
    wake: int = field(default_factory=lambda: os.eventfd(0))
    verdict: Verdict | None = None


class Gate:
    """Holds watches back. A watch is let through iff somebody released it after it came."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._held: list[_Held] = []

    def hold(self, connection: socket.socket) -> Verdict | None:
        """Wait without limit for a verdict; None, or ConnectionError, if the client went away meanwhile."""
        held = _Held()
        with self._changed:
            self._held.append(held)
            self._changed.notify_all()
        try:
            while True:
                readable, _, _ = select.select([connection.fileno(), held.wake], [], [])
                if held.wake in readable:
                    return held.verdict
                if not connection.recv(4096):
                    return None
        finally:
            # Under the lock, and whatever happened: a number that stays behind may soon be another file's.
            with self._changed:
                if held in self._held:
                    self._held.remove(held)
                os.close(held.wake)

    def pass_verdict(self, verdict: Verdict, timeout: float) -> float | None:
        """Tell the oldest held watch, waiting up to `timeout` seconds for one; when, or None if none came."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._held, timeout):
                return None
            told_at = time.perf_counter()
            held = self._held.pop(0)
            held.verdict = verdict
            os.eventfd_write(held.wake, 1)
            return told_at

    def wait_held(self, timeout: float) -> float | None:
        """When a watch is held, or None if none came within `timeout` seconds."""
        with self._changed:
            return time.perf_counter() if self._changed.wait_for(lambda: self._held, timeout) else None


class WireServer:
    """Serves a scenario, one thread a connection."""

    def __init__(self, scenario: Scenario, port: int = 0, protobuf: ProtobufScenario | None = None) -> None:
        self._scenario = scenario
        self._protobuf = protobuf
        self._gate = Gate()
        self._counted = threading.Lock()
        self._lists = self._watches = 0
        self._list_began = 0.0
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
                    if not self._answer(connection, request):
                        return
        except (ConnectionError, TimeoutError):
            return  # the client has seen enough

    def _answer(self, connection: socket.socket, request: _Request) -> bool:
        """Answer one request; whether the connection can carry another."""
        if request.method == "POST" and request.path == "/bench/release":
            released_at = self._gate.pass_verdict("release", 60)
            _send_json(connection, 200 if released_at else 504, {"released_at": released_at})
        elif request.method == "POST" and request.path == "/bench/relist":
            watching = self._gate.wait_held(300) if self._gate.pass_verdict("expire", 60) else None
            answer = {"began": self._list_began, "watching": watching, "version": list_version(self._lists - 1)}
            _send_json(connection, 200 if watching else 504, answer)
        elif request.path == "/bench/usage":
            usage = {"cpu_seconds": time.process_time(), "lists": self._lists, "watches": self._watches}
            _send_json(connection, 200, usage)
        elif request.method != "GET" or request.path != "/api/v1/pods":
            _send_json(connection, 404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404})
        elif request.query.get("watch") in _TRUE:
            self._watch(connection, request, request.query.get("sendInitialEvents") in _TRUE)
            return False
        else:
            self._list(connection, request)
        return True

    def _list(self, connection: socket.socket, request: _Request) -> None:
        version = self._next_list()
        if self._protobuf is not None and request.wants_protobuf:
            connection.sendall(_HEAD % _PROTOBUF.encode())
            _send_all(connection, self._protobuf.list)
        else:
            connection.sendall(_HEAD % b"application/json" + list_head(version))
            _send_all(connection, self._scenario.list)

    def _watch(self, connection: socket.socket, request: _Request, initial: bool) -> None:
        with self._counted:
            self._watches += 1
        protobuf = self._protobuf if request.wants_protobuf else None
        connection.sendall(
            _HEAD % (b"application/json" if protobuf is None else b"%b;stream=watch" % _PROTOBUF.encode())
        )
        if initial:
            version = self._next_list()
            _send_all(connection, self._scenario.initial if protobuf is None else protobuf.initial)
            if protobuf is None:
                connection.sendall(end_bookmark(version))
        verdict = self._gate.hold(connection)
        if verdict is None:
            return
        if verdict == "expire":
            connection.sendall(expired() + LAST_CHUNK)
            return
        _send_all(connection, self._scenario.live if protobuf is None else protobuf.live)
        while connection.recv(4096):  # a watch stays open until the client leaves
            pass

    def _next_list(self) -> str:
        with self._counted:
            self._lists += 1
            self._list_began = time.perf_counter()
            return list_version(self._lists - 1)


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    query: dict[str, str]
    wants_protobuf: bool


def _send_all(connection: socket.socket, blocks: Iterable[bytes]) -> None:
    for block in blocks:
        connection.sendall(block)


def _set_congestion_control(listener: socket.socket) -> None:
    """Accepted sockets inherit it."""
    for name in (b"cubic", b"reno"):
        try:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name)
        except OSError:
            continue
        return


def _read_request(connection: socket.socket) -> _Request | None:
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            return None
        received += piece
    first, *lines = received.split(b"\r\n\r\n", 1)[0].decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    parts = urlsplit(target)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    accept = next((line.split(":", 1)[1].strip() for line in lines if line.lower().startswith("accept:")), "")
    return _Request(method, parts.path, query, accept.startswith(_PROTOBUF))


def _send_json(connection: socket.socket, status: int, body: Mapping[str, object]) -> None:
    rendered = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} Bench\r\nContent-Type: application/json\r\nContent-Length: {len(rendered)}\r\n\r\n"
    connection.sendall(head.encode() + rendered)


def main() -> None:
    parser = argparse.ArgumentParser(description="Serves pre-rendered pods for the benchmarks.")
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=30_000)
    parser.add_argument("--kilobytes", type=int, choices=pods.KILOBYTES, default=8)
    parser.add_argument("--streams", nargs="+", choices=STREAMS, default=STREAMS, help="what is rendered beforehand")
    parser.add_argument("--protobuf", type=Path, default=None, help="a file with the same as protobuf")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--core", type=int, default=None, help="run on this core only")
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, {arguments.core})
    scenario = Scenario(arguments.pods, arguments.events, arguments.kilobytes, arguments.streams)
    protobuf = ProtobufScenario(arguments.protobuf) if arguments.protobuf else None
    server = WireServer(scenario, arguments.port, protobuf)
    server.start()
    print(json.dumps({"url": server.url, "held": scenario.held}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
