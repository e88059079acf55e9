"""`EventStream`: an informer's events pulled by a loop instead of pushed to a handler.

It gives what a handler would get, in the same order: first every object of the cache, then what changes. Unlike
`Watch().stream` it repeats nothing after a reconnect.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

from kubeinformer._core import InformerCore, KubeObject, Listener
from kubeinformer.cache import reports
from kubeinformer.cache.fork_guard import ForkGuard
from kubeinformer.cache.registration import ADD, BATCH, UPDATE, last_state
from kubeinformer.errors import ForkedError, ModelError

T = TypeVar("T")


class Event(Generic[T]):
    """One change; also to be read as `event["type"]` and `event["object"]`.

    Attributes:
        type: "ADDED", "MODIFIED" or "DELETED".
        object: the object; of a deletion its final state or a `DeletedFinalStateUnknown`.
        old: what it was before a MODIFIED, else None.
        is_in_initial_list: whether an ADDED was there already when the stream began or the informer first listed.
    """

    __slots__ = ("is_in_initial_list", "object", "old", "type")

    def __init__(self, type: str, object: Any, old: T | None = None, *, is_in_initial_list: bool = False) -> None:
        self.type = type
        self.object = object
        self.old = old
        self.is_in_initial_list = is_in_initial_list

    def __getitem__(self, key: str) -> Any:
        if key in ("type", "object", "old"):
            return getattr(self, key)
        raise KeyError(key)

    def __repr__(self) -> str:
        return f"<Event {self.type} {self.object!r}>"


class EventStream(Generic[T]):
    """An iterator over events; it belongs to one thread at a time.

    Iteration blocks until the next event, in the main thread such that Ctrl-C acts within 0.1 s, and ends when the
    informer stops, when the stream is closed, or when no event has come for `timeout` seconds. A stream that is let go
    of, as by a loop that breaks, is closed. Of a typed informer, an object that is no valid model is reported and left
    out, and ADDED when it is valid; its deletion has no object.
    """

    def __init__(
        self,
        core: InformerCore,
        listener: Listener,
        convert: Callable[[KubeObject], T],
        timeout: float | None,
    ) -> None:
        self._core = core
        self._listener = listener
        self._convert = convert
        self._timeout = timeout
        self._guard = ForkGuard("this stream of events")
        self._ready: deque[tuple[int, Any, Any]] = deque()

    def __iter__(self) -> EventStream[T]:
        return self

    def __next__(self) -> Event[T]:
        self._guard.check()
        while True:
            if not self._ready:
                batch = self._listener.pop_batch(BATCH, self._timeout)
                if not batch:
                    self.close()
                    raise StopIteration
                self._ready.extend(batch)
            kind, first, second = self._ready.popleft()
            try:
                return self._event(kind, first, second)
            except ModelError as error:
                reports.event_left_out(error.key, error)

    def _event(self, kind: int, first: Any, second: Any) -> Event[T]:
        convert = self._convert
        if kind == ADD:
            return Event("ADDED", convert(first), is_in_initial_list=second)
        if kind == UPDATE:
            new = convert(second)
            try:
                return Event("MODIFIED", new, convert(first))
            except ModelError:
                return Event("ADDED", new)
        gone, unreadable = last_state(kind, first, second, convert)
        if unreadable is not None:
            reports.event_left_out(unreadable.key, unreadable)
        return Event("DELETED", gone)

    def close(self) -> None:
        """End the stream and free what waits in it. From any thread; a loop that waits ends at once."""
        self._core.remove_listener(self._listener)

    def __del__(self) -> None:
        # What comes for a stream that nobody reads would be kept until the informer stops.
        with suppress(ForkedError):
            self.close()

    def __enter__(self) -> EventStream[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
