"""A TCP relay in front of one or more servers: a load balancer, or a line that can be cut without a word.

A new connection goes to the first target that takes it, beginning with the one after the last; bytes pass unchanged, so
TLS stays between client and server. While it is held, what comes is kept and nothing is passed on.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

_PIECE = 65536


class Relay:
    """Listens on 127.0.0.1 from its construction to `close`; `targets` are ports there."""

    def __init__(self, targets: Sequence[int]) -> None:
        self._targets = list(targets)
        self._next = 0
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._flowing = threading.Event()
        self._flowing.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def hold(self) -> None:
        """Pass nothing on from now on; connections stay open and are still accepted."""
        self._flowing.clear()

    def release(self) -> None:
        """Pass on what was kept, and all else."""
        self._flowing.set()

    def close(self) -> None:
        """End every connection and thread."""
        with self._lock:
            sockets = [self._listener, *self._sockets]
        for sock in sockets:
            _shut(sock)
        self._flowing.set()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()
        for sock in sockets:
            sock.close()

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, name="relay", daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = self._connect()
            if far is None:
                near.close()
                continue
            with self._lock:
                self._sockets += [near, far]
            self._start(self._pump, near, far)
            self._start(self._pump, far, near)

    def _connect(self) -> socket.socket | None:
        for _ in self._targets:
            port = self._targets[self._next % len(self._targets)]
            self._next += 1
            with contextlib.suppress(OSError):
                return socket.create_connection(("127.0.0.1", port), timeout=5)
        return None

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        source.settimeout(None)
        with contextlib.suppress(OSError):
            while data := source.recv(_PIECE):
                self._flowing.wait()
                sink.sendall(data)
        _shut(sink)
        _shut(source)


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
