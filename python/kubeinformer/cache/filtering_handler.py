"""`FilteringResourceEventHandler`: hands another handler only what a function accepts (client-go §154)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from inspect import isawaitable, iscoroutinefunction
from typing import Any, Generic, TypeVar

from kubeinformer._core import Event
from kubeinformer.cache.batch_handler import ResourceEventBatchHandler, takes_batches
from kubeinformer.cache.event_handler import ResourceEventHandler, check_handler, tell
from kubeinformer.cache.handler_functions import HandlerOfFunctions, functions_of
from kubeinformer.cache.tombstone import DeletedFinalStateUnknown

T = TypeVar("T")


class FilteringResourceEventHandler(HandlerOfFunctions, Generic[T]):
    """Hands another handler only what a function accepts; what begins to be accepted is an addition (client-go §154).

    The handler never gets an object that the function did not accept. A function that raises is reported like a handler
    that does, with the object's key: it did not accept the object. Where it was the old side of an update, the handler
    gets a new side that is accepted as an addition: whatever made the function fail now did so, too, when that object
    was new, so the handler was not told of it. A handler of batches gets what is accepted of each batch.
    """

    def __init__(
        self,
        filter_func: Callable[[T | DeletedFinalStateUnknown], object],
        handler: ResourceEventHandler[T] | ResourceEventBatchHandler[T],
    ) -> None:
        """Functions are called where the handler is: on its own thread, or on its event loop.

        Args:
            filter_func: takes an object, or on a deletion whose event was missed the `DeletedFinalStateUnknown`, which
                answers to the object's attributes; something true = accepted. Of an update it is asked for the new
                object first.
            handler: gets what is accepted.

        Raises:
            TypeError: `filter_func` is not callable or a coroutine function, or `handler` lacks a method.
        """
        if not callable(filter_func):
            raise TypeError(f"filter_func must be callable, not {type(filter_func).__name__}")
        if iscoroutinefunction(filter_func):
            raise TypeError("filter_func must not be a coroutine function: its answer is needed at once")
        check_handler(handler)
        self.filter_func = filter_func
        self.handler: Any = handler

    def functions(self) -> Iterable[Any]:
        """Those of the handler behind it."""
        return functions_of(self.handler)

    def on_add(self, obj: T, is_in_initial_list: bool) -> object:
        """Pass it on if it is accepted."""
        return self.handler.on_add(obj, is_in_initial_list) if self.filter_func(obj) else None

    def on_update(self, old: T, new: T) -> object:
        """Pass it on as what it is to the handler: an update, an addition or a deletion."""
        newer = self.filter_func(new)
        try:
            older = self.filter_func(old)
        except Exception as error:
            if newer and isawaitable(added := self.handler.on_add(new, False)):
                return _then_raise(added, error)
            raise
        if newer and older:
            return self.handler.on_update(old, new)
        if newer:
            return self.handler.on_add(new, False)
        return self.handler.on_delete(old) if older else None

    def on_delete(self, obj: T | DeletedFinalStateUnknown) -> object:
        """Pass it on if it is accepted."""
        return self.handler.on_delete(obj) if self.filter_func(obj) else None

    @property
    def on_batch(self) -> Callable[[list[Event[T]]], object]:
        """Pass on what is accepted of a batch; only where the handler takes batches.

        What the function raises is raised behind that call, all of it in one group.

        Raises:
            AttributeError: the handler behind it takes none.
        """
        if not takes_batches(self.handler):
            raise AttributeError("on_batch")
        return self._on_batch

    def _on_batch(self, events: list[Event[T]]) -> object:
        accepted = _Accepted[T]()
        one_by_one = FilteringResourceEventHandler(self.filter_func, accepted)
        errors = []
        for event in events:
            try:
                tell(one_by_one, event)
            except Exception as error:
                error.add_note(f"filter_func failed on {event.object.key}")
                errors.append(error)
        result = self.handler.on_batch(accepted.events) if accepted.events else None
        if errors:
            group = ExceptionGroup("filter_func", errors)
            if isawaitable(result):
                return _then_raise(result, group)
            raise group
        return result


class _Accepted(Generic[T]):
    """A handler that collects the events that it is told of."""

    def __init__(self) -> None:
        self.events: list[Event[T]] = []

    def on_add(self, obj: T, is_in_initial_list: bool) -> None:
        self.events.append(Event("ADDED", obj, is_in_initial_list=is_in_initial_list))

    def on_update(self, old: T, new: T) -> None:
        self.events.append(Event("MODIFIED", new, old))

    def on_delete(self, obj: T | DeletedFinalStateUnknown) -> None:
        self.events.append(Event("DELETED", obj))


async def _then_raise(first: Awaitable[object], error: Exception) -> None:
    await first
    raise error
