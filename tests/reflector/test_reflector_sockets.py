"""The reflector with the real transport and the real clock: stopping, and one whole life on the wire."""

from __future__ import annotations

import json
import threading
import time

import pytest
from kubernetes.client import ApiClient, Configuration
from reflector_fakes import PODS, FakeSource, bookmark, error_event, event, initial_end
from socket_server import Connection, SocketServer, head

from kubeinformer.cache.backoff import Backoff
from kubeinformer.cache.reflector import Reflector
from kubeinformer.cache.reflector_state import Phase
from kubeinformer.transport import HTTPTransport


class Running:
    """A reflector on a thread of its own; `reached(phase)` waits for a phase."""

    def __init__(self, server: SocketServer, **options) -> None:
        self.source = FakeSource()
        self._changed = threading.Condition()
        self._phases: list[Phase] = []
        transport = HTTPTransport(ApiClient(Configuration(host=server.url)))
        self.reflector = Reflector(self.source, transport, PODS, on_phase=self._on_phase, **options)
        self.thread = threading.Thread(target=self.reflector.run, daemon=True)
        self.thread.start()

    def _on_phase(self, phase: Phase) -> None:
        with self._changed:
            self._phases.append(phase)
            self._changed.notify_all()

    def reached(self, phase: Phase) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: phase in self._phases, 10), self._phases

    def stop_takes(self) -> float:
        started = time.monotonic()
        self.reflector.stop()
        self.thread.join(10)
        assert not self.thread.is_alive()
        return time.monotonic() - started


def streaming(connection: Connection) -> None:
    connection.request()
    connection.send(head(), event("ADDED", "3", "a"), initial_end("10"))
    connection.until_closed()


def hanging(connection: Connection) -> None:
    connection.request()
    connection.until_closed()


def refusing(connection: Connection) -> None:
    while connection.request():
        connection.answer(b"no", "Retry-After: 30", status="429 Too Many Requests")


@pytest.mark.parametrize(
    ("handler", "phase"),
    [(streaming, Phase.WATCHING), (hanging, Phase.CONNECTING), (refusing, Phase.BACKOFF)],
    ids=["in a read", "before the answer", "in a wait"],
)
def test_stop_ends_whatever_it_does_at_once(handler, phase):
    with SocketServer(handler) as server:
        running = Running(server)
        running.reached(phase)
        assert running.stop_takes() < 0.2
        assert running.reflector.phase() is Phase.STOPPED
        assert len(server.requests) <= 1


def test_a_429_is_one_request_on_the_wire():
    with SocketServer(refusing) as server:
        running = Running(server)
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
        running = Running(server, backoff=Backoff(initial=0.001, cap=0.001))
        assert done.wait(10)
        running.stop_takes()
        assert len(server.requests) == len(answers)
    assert running.source.log == [
        ("replace", "10", ["a", "b"]),
        ("MODIFIED", "12", "a"),
        ("ADDED", "14", "c"),
        ("replace", "20", ["a", "c"]),
    ]
