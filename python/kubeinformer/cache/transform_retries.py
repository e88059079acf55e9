"""`TransformRetries`: asks again for the objects whose transform failed.

For each failed key one GET after the other is sent, with the reflector's backoff in between (client-go §77), until the
failure is mended; where only collections can be asked for, a LIST with the object's name as field selector. One thread
does it for all keys of an informer; it exists iff something failed before. What a GET brings counts only if it is the
version that failed: a newer one is on its way by the watch. It takes the permission to get; without it a failure lasts
until the next version.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from kubeinformer._core import InformerCore
from kubeinformer.cache.api_status import status_error
from kubeinformer.cache.backoff import Backoff
from kubeinformer.cache.reflector_state import logger
from kubeinformer.errors import APIStatusError, Error
from kubeinformer.options import ListOptions
from kubeinformer.resource import Resource
from kubeinformer.transport.base import StopSignal, Transport

SPACING = 0.1
"""Seconds between two GETs at least: a function that fails on everything must not become a load on the server."""


@dataclass(slots=True)
class _Retry:
    key: str
    namespace: str
    name: str
    backoff: Backoff


class TransformRetries:
    """See the module. Every method may be called from any thread.

    Args:
        core: takes what a GET brings.
        transport: sends it.
        resource: of the informer.
        name: of the informer, for the thread's name.
        max_object_bytes: a larger object is given up.
        connect_timeout: seconds to wait for a connection.
        read_timeout: seconds to wait for an answer.
    """

    def __init__(
        self,
        core: InformerCore,
        transport: Transport,
        resource: Resource,
        *,
        name: str,
        max_object_bytes: int,
        connect_timeout: float,
        read_timeout: float,
    ) -> None:
        self._core = core
        self._transport = transport
        self._resource = resource
        self._name = name
        self._max_object_bytes = max_object_bytes
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._stop = StopSignal()
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, _Retry]] = []
        self._retries: dict[str, _Retry] = {}
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None

    def schedule(self, key: str, namespace: str, name: str) -> None:
        """Ask for this object later, again and again until `forget`; nothing if that is planned already."""
        with self._changed:
            if self._stop.is_set() or key in self._retries:
                return
            self._retries[key] = retry = _Retry(key, namespace, name, Backoff())
            self._plan(retry)
            if self._thread is None:
                thread_name = f"kubeinformer-retry-{self._name}"
                self._thread = threading.Thread(target=self._run, name=thread_name, daemon=True)
                self._thread.start()

    def forget(self, keys: Iterable[str]) -> None:
        """Ask for these no more."""
        with self._changed:
            for key in keys:
                self._retries.pop(key, None)

    def stop(self) -> None:
        """End the thread, and a GET that is under way; does not wait."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()

    def threads(self) -> list[threading.Thread]:
        """The thread, if there is one."""
        with self._changed:
            return [] if self._thread is None else [self._thread]

    def _plan(self, retry: _Retry, minimum: float = 0.0) -> None:
        due = time.monotonic() + retry.backoff.next(minimum)
        heapq.heappush(self._due, (due, next(self._numbers), retry))
        self._changed.notify_all()

    def _run(self) -> None:
        while (retry := self._next()) is not None:
            minimum = 0.0
            try:
                self._ask(retry)
            except Exception as error:
                if self._stop.is_set():
                    return
                # What is no Error was raised by a user's function, or foreseen by nobody: the other keys have to go on.
                level = logging.DEBUG if isinstance(error, Error) else logging.ERROR
                logger.log(level, "%s: asking again for %s: %r", self._name, retry.key, error)
                minimum = (isinstance(error, APIStatusError) and error.retry_after) or 0.0
            with self._changed:
                self._plan(retry, minimum)
            self._stop.wait(SPACING)

    def _next(self) -> _Retry | None:
        """Wait for a retry that is due and still needed; None when it is over."""
        with self._changed:
            while not self._stop.is_set():
                left = self._due[0][0] - time.monotonic() if self._due else None
                if left is None or left > 0:
                    self._changed.wait(left)
                    continue
                retry = heapq.heappop(self._due)[2]
                if self._retries.get(retry.key) is retry:
                    return retry
        return None

    def _ask(self, retry: _Retry) -> None:
        path = self._resource.path(retry.namespace or None)
        only_collections = getattr(self._transport, "only_collections", False)
        query = []
        if only_collections:
            query = ListOptions(field_selector=f"metadata.name={retry.name}").to_query()
        else:
            path += f"/{quote(retry.name, safe='')}"
        response = self._transport.request(
            path,
            query,
            read_timeout=self._read_timeout,
            connect_timeout=self._connect_timeout,
            stop=self._stop,
        )
        try:
            # The one reading of a whole small body; one that breaks off does not parse.
            body = response.read_error_body(self._max_object_bytes)
        finally:
            response.close(complete=True)
        if response.status != 200:
            raise status_error(f"GET {path}", response.status, response.headers, body, time.time())
        self._core.refetched(body, list=only_collections)
