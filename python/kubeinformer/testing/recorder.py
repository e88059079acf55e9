"""The record of every request that reached the embedded server.

A request is recorded iff its head was read completely, before anything else happens to it: a fault that then closes the
connection or stalls it is still one recorded request, so "one 429 is one request on the wire" can be asserted.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RecordedRequest:
    """One request as it arrived.

    Attributes:
        method: the HTTP method.
        path: the decoded path, without the query.
        query: the decoded query parameters; of a repeated one, the last.
        headers: the headers, names in lower case.
        time: ``time.monotonic()`` of its arrival, in the server's process.
        verb: the Kubernetes verb (list, watch, get, create, update, patch, delete, deletecollection), or "" for a path
            that is no resource.
        resource: the plural name, "" likewise.
        namespace: the namespace in the path, None when there is none.

    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str] = field(repr=False)
    time: float
    verb: str
    resource: str
    namespace: str | None


class Recorder:
    """A bounded, thread-safe log of requests: the oldest go first."""

    def __init__(self, limit: int = 100_000) -> None:
        self._lock = threading.Lock()
        self._requests: deque[RecordedRequest] = deque(maxlen=limit)

    def add(self, request: RecordedRequest) -> None:
        """Record one request."""
        with self._lock:
            self._requests.append(request)

    def all(self) -> list[RecordedRequest]:
        """Every request recorded since the last :meth:`clear`, in order of arrival."""
        with self._lock:
            return list(self._requests)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._requests.clear()
