"""The reflector with the real transport and the real clock: one whole life on the wire."""

from __future__ import annotations

import json
import threading

import pytest
from reflector_fakes import bookmark, error_event, event
from reflector_running import RunningReflector
from socket_server import Connection, SocketServer, head

from kubeinformer.cache.backoff import Backoff
from kubeinformer.cache.reflector_state import Phase

pytestmark = pytest.mark.usefixtures("both_transports")


def refusing(connection: Connection) -> None:
    while connection.request():
        connection.answer(b"no", "Retry-After: 30", status="429 Too Many Requests")


def test_a_429_is_one_request_on_the_wire():
    with SocketServer(refusing) as server:
        running = RunningReflector(server)
        running.reached(Phase.BACKOFF)
        running.stop_takes()
        assert len(server.requests) == 1


def test_a_life_of_faults_ends_with_the_right_cache():
    """422, paged LIST, watch, cut-off event, reset, 410, HTML, 401, then all is well."""
    whole = event("ADDED", "14", "c")
    done = threading.Event()

    def page(version: str, *names: str, token: str = "") -> bytes:
        items = [{"metadata": {"name": name}} for name in names]
        return json.dumps({"metadata": {"resourceVersion": version, "continue": token}, "items": items}).encode()

    answers = [
        lambda c: c.answer(b"{}", status="422 Unprocessable Entity"),
        lambda c: c.answer(page("10", "a", token="t")),
        lambda c: c.answer(page("10", "b")),
        lambda c: (c.send(head("Connection: close"), event("MODIFIED", "12", "a"), whole[:30]), c.hang_up()),
        lambda c: (c.send(head("Connection: close"), whole), c.hang_up()),
        lambda c: (c.send(head("Connection: close"), error_event(410, "Expired")), c.hang_up()),
        lambda c: c.answer(b"<html>", status="502 Bad Gateway"),
        lambda c: c.answer(b"<html>"),
        lambda c: c.answer(b"{}", status="401 Unauthorized"),
        lambda c: c.answer(page("20", "a", "c")),
        lambda c: (c.send(head("Connection: close"), bookmark("21")), done.set(), c.until_closed()),
    ]
    remaining = iter(answers)

    def handler(connection: Connection) -> None:
        while connection.request():
            next(remaining)(connection)

    with SocketServer(handler) as server:
        running = RunningReflector(server, backoff=Backoff(initial=0.001, cap=0.001))
        assert done.wait(10)
        running.stop_takes()
        assert len(server.requests) == len(answers)
    assert running.source.log == [
        ("replace", "10", ["a", "b"]),
        ("MODIFIED", "12", "a"),
        ("ADDED", "14", "c"),
        ("replace", "20", ["a", "c"]),
    ]
