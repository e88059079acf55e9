"""A reflector on a thread of its own, with the real transport and clock, and a source that is a fake."""

from __future__ import annotations

import threading
import time

from kubernetes.client import ApiClient, Configuration
from reflector_fakes import PODS, FakeSource
from socket_server import SocketServer

from kubeinformer.cache.reflector import Reflector
from kubeinformer.cache.reflector_state import Phase
from kubeinformer.transport import HTTPTransport, Transport

AnyTransport: type[Transport] = HTTPTransport  # `both_transports` sets it for each test


class RunningReflector:
    """A reflector on a thread of its own; `reached(phase)` waits for a phase."""

    def __init__(self, server: SocketServer, **options) -> None:
        self.source = FakeSource()
        self._changed = threading.Condition()
        self._phases: list[Phase] = []
        transport = AnyTransport(ApiClient(Configuration(host=server.url)))
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
