"""Fast enough to be no part of what is measured against it. The figures are floors, far below what it does."""

from __future__ import annotations

import socket
import threading
import time

from apiserver_http import Http, read_head

from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import config_map, large_pod

EVENTS = 10_000
ATTEMPTS = 3


def count_events(sock: socket.socket, rest: bytes, wanted: int) -> None:
    """Read until so many events have come."""
    mark = b'{"type":"MODIFIED"'
    seen, tail = 0, rest
    while True:
        seen += tail.count(mark)
        if seen >= wanted:
            return
        # A mark that is cut by the end of the piece is counted with the next.
        keep = tail[-(len(mark) - 1) :]
        more = sock.recv(1 << 20)
        assert more
        tail = keep + more


def test_fan_out_of_10_000_small_events_a_second(server: APIServer, api: Http) -> None:
    for number in range(100):
        server.create(config_map(f"m{number}"))

    def rate(offset: int) -> float:
        with api.raw("/api/v1/configmaps", watch="1", resourceVersion=server.resource_version) as sock:
            _, rest = read_head(sock)
            reader = threading.Thread(target=count_events, args=(sock, rest, EVENTS))
            started = time.perf_counter()
            reader.start()
            for number in range(EVENTS):
                server.update(config_map(f"m{number % 100}", data={"n": str(offset + number)}))
            reader.join()
            return EVENTS / (time.perf_counter() - started)

    assert max(rate(attempt * EVENTS) for attempt in range(ATTEMPTS)) >= 10_000


def test_a_list_of_10_000_pods_of_8_kb_within_a_second(server: APIServer, api: Http) -> None:
    for number in range(10_000):
        server.create(large_pod(f"web-{number:05}"))

    def seconds() -> float:
        started = time.perf_counter()
        answer = api.get("/api/v1/pods")
        assert len(answer.body) > 80_000_000
        return time.perf_counter() - started

    assert min(seconds() for _ in range(ATTEMPTS)) < 1.0
