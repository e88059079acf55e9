"""What a server accepted: the writes to one collection in their order, told by the server's storage and by no client.

A log never misses a write and never has one twice. That is what the cache and the handlers of an informer are compared
with, besides a fresh LIST: a LIST shows the end only.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from kubeinformer.testing import APIServer
from kubeinformer.testing.storage import FIRST_REVISION, Record

Kind = Literal["ADDED", "MODIFIED", "DELETED"]

_MARK = "/kubeinformer/mark"  # before "/registry/" in the order of keys, and nothing to an API server


@dataclass(frozen=True, slots=True)
class Accepted:
    """One write.

    Attributes:
        revision: the resourceVersion that the server gave it; of a deletion, that of the deletion.
        key: namespace and name.

    """

    revision: int
    kind: Kind
    key: str


class AcceptedLog(Protocol):
    """The log of one collection."""

    server: str
    """Which server it is of, for the record."""

    def entries(self) -> list[Accepted]:
        """Every write so far, in order. Blocks until those that were answered before the call are there."""


def state(entries: Iterable[Accepted]) -> dict[str, int]:
    """What is there after these writes: the resourceVersion by key."""
    there: dict[str, int] = {}
    for entry in entries:
        if entry.kind == "DELETED":
            del there[entry.key]
        else:
            there[entry.key] = entry.revision
    return there


class StorageLog:
    """The history that the embedded server keeps, which reaches back to its start in the tests of this folder.

    Args:
        server: whose history.
        resource: of this collection.
        part: the objects that are meant; which of them an object is must not change.

    """

    server = "embedded"

    def __init__(
        self, server: APIServer, resource: str = "pods", part: Callable[[Record], bool] = lambda _: True
    ) -> None:
        instance = server._running
        self._store = instance._store
        self._storage = instance.registry.resolve(resource).storage
        self._part = part

    def entries(self) -> list[Accepted]:
        with self._store.lock:
            history = self._store.collection(self._storage).after(FIRST_REVISION)
        assert history is not None, "the server dropped what is too old: give it a larger history_limit"
        events = (event for event in history if self._part(event.record))
        return [Accepted(event.revision, event.type, event.record.key) for event in events]


class EtcdLog:
    """What etcd tells of the keys below a prefix, over the JSON gateway of its client port.

    It follows one long watch of etcd's from the revision on at which it was made, and so outlives the API servers; it
    ends with `close`. etcd's revisions are the API's resourceVersions. Writes from before it was made are not in it.

    Args:
        port: etcd's client port on 127.0.0.1.
        resource: the part of the key after ``/registry/``: ``pods``, ``example.com/widgets``.
        server: for the record.

    """

    def __init__(self, port: int, resource: str = "pods", *, server: str = "kube-apiserver") -> None:
        self.server = server
        self._port = port
        self._prefix = f"/registry/{resource}/"
        self._lock = threading.Condition()
        self._entries: list[Accepted] = []
        self._reached = 0
        self._failure: BaseException | None = None
        first = self._write_mark() + 1
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        # From the mark to the end of the prefix, and all that is between: one watch, so one order.
        end = self._prefix[:-1] + "0"  # which follows "/"
        create = {"key": _base64(_MARK), "range_end": _base64(end), "start_revision": str(first)}
        self._connection.request("POST", "/v3/watch", json.dumps({"create_request": create}))
        self._sock = self._connection.sock
        self._thread = threading.Thread(target=self._read, name="etcd-log", daemon=True)
        self._thread.start()

    def entries(self) -> list[Accepted]:
        revision = self._write_mark()  # when the watch has it, it has all before it
        with self._lock:
            caught_up = self._lock.wait_for(lambda: self._failure or self._reached >= revision, 20)
            assert caught_up, "etcd's watch is behind"
            assert self._failure is None, self._failure
            return list(self._entries)

    def close(self) -> None:
        """End the watch."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._connection.close()

    def _read(self) -> None:
        try:
            response = self._connection.getresponse()
            while line := response.readline():
                result = json.loads(line)["result"]
                assert not result.get("canceled"), result
                with self._lock:
                    for event in result.get("events", []):
                        self._take(event)
                    self._lock.notify_all()
        except BaseException as error:
            with self._lock:
                self._failure = error
                self._lock.notify_all()

    def _take(self, event: dict[str, Any]) -> None:
        pair = event["kv"]
        revision, key = int(pair["mod_revision"]), base64.b64decode(pair["key"]).decode()
        self._reached = revision
        if not key.startswith(self._prefix):
            return
        kind: Kind = "ADDED" if pair.get("create_revision") == pair["mod_revision"] else "MODIFIED"
        if event.get("type") == "DELETE":
            kind = "DELETED"
        self._entries.append(Accepted(revision, kind, key.removeprefix(self._prefix)))

    def _write_mark(self) -> int:
        answer = self._call("/v3/kv/put", {"key": _base64(_MARK), "value": ""})
        return int(answer["header"]["revision"])

    def _call(self, path: str, body: object) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        with contextlib.closing(connection):
            connection.request("POST", path, json.dumps(body))
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
            assert response.status == 200, answer
            return answer


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
