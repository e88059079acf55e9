"""Handlers of batches: they take a list of events at a time instead of one call for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from kubeinformer._core import Event
from kubeinformer.cache.handler_functions import HandlerOfFunctions

T = TypeVar("T")

MAX_BATCH = 1000
"""Events that a handler of batches gets at most, unless it asks for another number."""


@runtime_checkable
class ResourceEventBatchHandler(Protocol[T]):
    """What an informer calls with what has come, one call at a time, on the handler's own thread.

    It never waits for a batch to be full: a handler that keeps up gets each event by itself. A call that raises is
    logged with its first key and counted, and the next batch follows at once.
    """

    def on_batch(self, events: list[Event[T]]) -> object:
        """Events in the order of the changes, at least one. A resync gives the same object twice (§125).

        The list is the handler's own.
        """


class ResourceEventBatchHandlerFunc(HandlerOfFunctions, Generic[T]):
    """A handler of batches from a function."""

    def __init__(self, batch_func: Callable[[list[Event[T]]], object]) -> None:
        """The function is called on the handler's own thread; a coroutine function is awaited on its event loop.

        Args:
            batch_func: takes a list of events.

        Raises:
            TypeError: it is not callable.
        """
        if not callable(batch_func):
            raise TypeError(f"batch_func must be callable, not {type(batch_func).__name__}")
        self.batch_func = batch_func

    def functions(self) -> Iterable[Any]:
        """The function."""
        return (self.batch_func,)

    def on_batch(self, events: list[Event[T]]) -> object:
        """Call `batch_func`."""
        return self.batch_func(events)


def takes_batches(handler: object) -> bool:
    """Whether it is told by `on_batch`; then its other methods are not called."""
    return callable(getattr(handler, "on_batch", None))


def check_max_batch(max_batch: Any) -> None:
    """Return iff this can be the size of a batch.

    Raises:
        TypeError: it is no whole number.
        ValueError: it is below 1.
    """
    if isinstance(max_batch, bool) or not isinstance(max_batch, int):
        raise TypeError(f"max_batch must be a whole number, not {type(max_batch).__name__}")
    if max_batch < 1:
        raise ValueError(f"max_batch must be at least 1, not {max_batch}")
