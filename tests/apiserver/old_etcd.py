"""An etcd that tells an API server a version that is too old for it to rely on RequestWatchProgress.

What passes between the two is otherwise untouched: the API server believes the version, and gives up what it needs it
for, above all watch-list.
"""

from __future__ import annotations

import json
import socket
import threading
import urllib.request
from types import TracebackType
from typing import Self

from .cluster import Cluster

# Of the length of the true one: the frames around it stay as they are.
_OLD = {5: b"3.4.9", 6: b"3.4.10"}


class OldEtcd:
    """A ``port`` in front of an etcd; as a context manager it is open."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._etcd = ("", 0)
        self._version = b""
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sock in (self._listener, *self._sockets):
            _shut(sock)
            sock.close()

    def serve(self, cluster: Cluster) -> None:
        """Begin to pass on what is between an API server and the etcd of a cluster."""
        self._etcd = cluster.etcd_address
        threading.Thread(target=self._accept, name="old-etcd", daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            if not self._version:
                with urllib.request.urlopen("http://{}:{}/version".format(*self._etcd), timeout=30) as answer:
                    self._version = json.load(answer)["etcdserver"].encode()
            etcd = socket.create_connection(self._etcd)
            self._sockets += [client, etcd]
            for source, sink, version in ((client, etcd, b""), (etcd, client, self._version)):
                threading.Thread(target=_pass_on, args=(source, sink, version), name="old-etcd", daemon=True).start()


def _pass_on(source: socket.socket, sink: socket.socket, version: bytes) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data.replace(version, _OLD[len(version)]) if version else data)
    except OSError:
        pass
    _shut(source)
    _shut(sink)


def _shut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # By the other side already, or never connected.
