"""`Delivery`: calls a handler for what its listener has, on a thread or in a task.

One call at a time, in the order of the store's changes (client-go §138), and none after the listener was closed (§146).
A call that raises is reported with the object's key and counted, and the next one follows at once (unlike §151).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kubeinformer._core import Event, KubeObject, Listener
from kubeinformer.cache import reports
from kubeinformer.cache.batch_handler import takes_batches
from kubeinformer.cache.conversion import converted, unchanged
from kubeinformer.cache.event_handler import tell

if TYPE_CHECKING:
    import asyncio

    from kubeinformer.cache.loop_waker import LoopWaker, Turn

T = TypeVar("T")

BATCH = 1000


class Delivery(Generic[T]):
    """See the module. It belongs to one thread or task.

    Attributes:
        errors: how many calls raised.
    """

    def __init__(
        self,
        name: str,
        handler: Any,
        listener: Listener,
        convert: Callable[[KubeObject], T],
        max_batch: int,
        *,
        on_error: Callable[[], None] = lambda: None,
    ) -> None:
        self.errors = 0
        self._on_error = on_error
        self._name = name
        self._handler = handler
        self._listener = listener
        self._convert = convert
        self._batches = takes_batches(handler)
        self._max_items = max_batch if self._batches else BATCH

    def run(self) -> None:
        """Call the handler until the listener is closed."""
        deliver = self._deliver
        if self._convert is unchanged and not self._batches:
            deliver = partial(self._listener.deliver, self._handler, self._failed, BATCH)
        while deliver():
            pass

    def _deliver(self) -> bool:
        """One batch; False when it is over. A function, so that no wait keeps a batch alive."""
        for what, call in self._calls(self._listener.pop_events(self._max_items) or []):
            if self._listener.is_closed():
                return False
            try:
                call()
            except BaseException as error:
                self._failed(what, error)
        return not self._listener.is_closed()

    async def run_async(self) -> None:
        """The same in a task. What a call gives is awaited, if it can be."""
        import asyncio

        from kubeinformer.cache.loop_waker import LoopWaker, Turn

        task, waker, turn = asyncio.current_task(), LoopWaker.running(), Turn()
        assert task is not None
        while await self._deliver_async(task, waker, turn):
            pass

    async def _deliver_async(self, task: asyncio.Task[Any], waker: LoopWaker, turn: Turn) -> bool:
        poll = partial(self._listener.poll_events, max_items=self._max_items)
        for what, call in self._calls(await waker.wait(poll, self._listener.forget) or []):
            if turn.is_over():
                await turn.give_way()
            if self._listener.is_closed():
                return False
            try:
                result = call()
                if result is not None and isawaitable(result):
                    await result
            except BaseException as error:
                if _ends_the_task(error, task):
                    raise
                self._failed(what, error)
            # A call that raised something else when it was cancelled, or nothing, must not keep its loop from its end.
            if task.cancelling() > 0:
                return False
        return not self._listener.is_closed()

    def _calls(self, events: list[Event[KubeObject]]) -> Iterator[tuple[str, Callable[[], object]]]:
        """What is to be called, one after the other, and what a report of its failure names."""
        if not self._batches:
            for event in events:
                if (told := self._told(event)) is not None:
                    yield event.object.key, partial(tell, self._handler, told)
        elif batch := [told for event in events if (told := self._told(event)) is not None]:
            others = f" and {len(events) - 1} more" if len(events) > 1 else ""
            yield f"{events[0].object.key}{others}", partial(self._handler.on_batch, batch)

    def _told(self, event: Event[KubeObject]) -> Event[Any] | None:
        """What the handler is told of it, if it can be."""
        if self._convert is unchanged:
            return event
        try:
            told, unreadable = converted(event, self._convert)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._failed(event.object.key, error)
            return None
        if unreadable is not None:
            self._failed(event.object.key, unreadable)
        return told

    def _failed(self, what: str, error: BaseException) -> None:
        self.errors += 1
        self._on_error()
        reports.handler_failed(self._name, what, error)


def _ends_the_task(error: BaseException, task: asyncio.Task[Any]) -> bool:
    """Whether it is the end of the task, of its loop or of the program, and no failure of the handler's own."""
    import asyncio

    if isinstance(error, asyncio.CancelledError):
        return task.cancelling() > 0
    return isinstance(error, KeyboardInterrupt | GeneratorExit)
