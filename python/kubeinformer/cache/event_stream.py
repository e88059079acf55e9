"""`EventStream`: an informer's events pulled by a loop instead of pushed to a handler.

It gives what a handler would get, in the same order: first every object of the cache, then what changes. Unlike
`Watch().stream` it repeats nothing after a reconnect.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from kubeinformer._core import Event, InformerCore, KubeObject, Listener, Waker
from kubeinformer.cache import reports
from kubeinformer.cache.conversion import converted, unchanged
from kubeinformer.cache.delivery import BATCH
from kubeinformer.cache.fork_guard import ForkGuard
from kubeinformer.errors import ForkedError, ModelError

if TYPE_CHECKING:
    from kubeinformer.cache.loop_waker import Turn

T = TypeVar("T")


class EventStream(Generic[T]):
    """An iterator over events, for `for` and for `async for`; it belongs to one thread or task at a time.

    Iteration waits until the next event, and ends when the informer stops, when the stream is closed, or when no event
    has come for `timeout` seconds. `for` blocks, in the main thread such that Ctrl-C acts within 0.1 s. `async for`
    blocks nothing, gives way to other tasks about every millisecond, and may be cancelled at any time: that loses no
    event that it did not give. A stream that is let go of, as by a loop that breaks, is closed. Of a typed informer, an
    object that is no valid model is reported and left out, and ADDED when it is valid; its deletion has no object.
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
        self._ready: deque[Event[KubeObject]] = deque()
        self._turn: Turn | None = None

    def __iter__(self) -> EventStream[T]:
        return self

    def __next__(self) -> Event[T]:
        self._guard.check()
        while True:
            if not self._ready and not self._take(self._listener.pop_events(BATCH, self._timeout)):
                raise StopIteration
            if (event := self._next()) is not None:
                return event

    def __aiter__(self) -> EventStream[T]:
        return self

    async def __anext__(self) -> Event[T]:
        self._guard.check()
        if self._turn is None or self._turn.is_over():
            await self._give_way()
        while True:
            # What is taken is kept at once, and between that and the return nothing is awaited.
            if not self._ready and not self._take(await self._wait()):
                raise StopAsyncIteration
            if (event := self._next()) is not None:
                return event

    async def _give_way(self) -> None:
        from kubeinformer.cache.loop_waker import Turn

        self._turn = self._turn or Turn()
        await self._turn.give_way()

    async def _wait(self) -> list[Event[KubeObject]] | None:
        from kubeinformer.cache.loop_waker import LoopWaker

        return await LoopWaker.running().wait(self._poll, self._listener.forget, self._timeout)

    def _poll(self, waker: Waker) -> list[Event[KubeObject]] | None:
        return self._listener.poll_events(waker, BATCH)

    def _take(self, events: list[Event[KubeObject]] | None) -> bool:
        if not events:
            self.close()
            return False
        self._ready.extend(events)
        return True

    def _next(self) -> Event[T] | None:
        """The first that is ready; None if it has to be left out, or another thread has closed the stream."""
        try:
            event = self._ready.popleft()
        except IndexError:
            return None
        if self._convert is unchanged:
            return cast("Event[T]", event)
        try:
            given, unreadable = converted(event, self._convert)
        except ModelError as error:
            reports.event_left_out(error.key, error)
            return None
        if unreadable is not None:
            reports.event_left_out(unreadable.key, unreadable)
        return given

    def close(self) -> None:
        """End the stream and free what waits in it. From any thread; a loop that waits ends at once."""
        self._core.remove_listener(self._listener)
        self._ready.clear()

    def __del__(self) -> None:
        # What comes for a stream that nobody reads would be kept until the informer stops.
        with suppress(ForkedError):
            self.close()

    def __enter__(self) -> EventStream[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
