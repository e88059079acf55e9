"""Event handlers: what they are told of, and the ready-made ones that take functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, Protocol, TypeAlias, TypeVar, runtime_checkable

from kubeinformer._core import Event
from kubeinformer.cache.batch_handler import ResourceEventBatchHandler, takes_batches
from kubeinformer.cache.handler_functions import HandlerOfFunctions
from kubeinformer.cache.tombstone import DeletedFinalStateUnknown

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


@runtime_checkable
class ResourceEventHandler(Protocol[T_contra]):
    """What an informer calls, one call at a time, on the handler's own thread (client-go §138).

    A call that raises is logged with the object's key and counted; delivery goes on at once. What a method returns is
    ignored, unless one of them is a coroutine function: then all are called in a task on an event loop, and what they
    return is awaited before the next call.
    """

    def on_add(self, obj: T_contra, is_in_initial_list: bool) -> object:
        """An object is there: from the first list (`is_in_initial_list`) or new."""

    def on_update(self, old: T_contra, new: T_contra) -> object:
        """An object changed; a resync gives the same object twice (§125)."""

    def on_delete(self, obj: T_contra | DeletedFinalStateUnknown) -> object:
        """An object is gone: its final state, or a `DeletedFinalStateUnknown` when the event was missed."""


AnyEventHandler: TypeAlias = ResourceEventHandler[T] | ResourceEventBatchHandler[T]
"""What `add_event_handler` takes."""


class _Funcs(HandlerOfFunctions, Generic[T]):
    """The parts that handlers of functions have in common."""

    add_func: Any
    update_func: Callable[[T, T], object] | None
    delete_func: Callable[[T | DeletedFinalStateUnknown], object] | None

    def functions(self) -> Iterable[Any]:
        """Those that it was given."""
        return (self.add_func, self.update_func, self.delete_func)

    def on_update(self, old: T, new: T) -> object:
        """Call `update_func`."""
        return None if self.update_func is None else self.update_func(old, new)

    def on_delete(self, obj: T | DeletedFinalStateUnknown) -> object:
        """Call `delete_func`."""
        return None if self.delete_func is None else self.delete_func(obj)


class ResourceEventHandlerFuncs(_Funcs[T]):
    """A handler from up to three functions; what is left out does nothing (client-go's type of this name)."""

    def __init__(
        self,
        add_func: Callable[[T], object] | None = None,
        update_func: Callable[[T, T], object] | None = None,
        delete_func: Callable[[T | DeletedFinalStateUnknown], object] | None = None,
    ) -> None:
        """Each function is called on the handler's own thread; see `ResourceEventHandler` for coroutine functions.

        Args:
            add_func: takes the new object.
            update_func: takes the old and the new object.
            delete_func: takes the final state or a `DeletedFinalStateUnknown`.

        Raises:
            TypeError: an argument is neither None nor callable.
        """
        _check_callable(add_func=add_func, update_func=update_func, delete_func=delete_func)
        self.add_func = add_func
        self.update_func = update_func
        self.delete_func = delete_func

    def on_add(self, obj: T, is_in_initial_list: bool) -> object:
        """Call `add_func`."""
        return None if self.add_func is None else self.add_func(obj)


class ResourceEventHandlerDetailedFuncs(_Funcs[T]):
    """`ResourceEventHandlerFuncs` whose `add_func` is also told whether the object is of the first list."""

    def __init__(
        self,
        add_func: Callable[[T, bool], object] | None = None,
        update_func: Callable[[T, T], object] | None = None,
        delete_func: Callable[[T | DeletedFinalStateUnknown], object] | None = None,
    ) -> None:
        """Each function is called on the handler's own thread; see `ResourceEventHandler` for coroutine functions.

        Args:
            add_func: takes the new object, and whether it is of the first list.
            update_func: takes the old and the new object.
            delete_func: takes the final state or a `DeletedFinalStateUnknown`.

        Raises:
            TypeError: an argument is neither None nor callable.
        """
        _check_callable(add_func=add_func, update_func=update_func, delete_func=delete_func)
        self.add_func = add_func
        self.update_func = update_func
        self.delete_func = delete_func

    def on_add(self, obj: T, is_in_initial_list: bool) -> object:
        """Call `add_func`."""
        return None if self.add_func is None else self.add_func(obj, is_in_initial_list)


def tell(handler: ResourceEventHandler[T], event: Event[T]) -> object:
    """Call the method of a handler that an event is for."""
    if event.type == "ADDED":
        return handler.on_add(event.object, event.is_in_initial_list)
    if event.type == "MODIFIED":
        return handler.on_update(event.old, event.object)  # type: ignore[arg-type]  # that of a MODIFIED
    return handler.on_delete(event.object)


def check_handler(handler: object) -> None:
    """Return iff this can be a handler.

    Raises:
        TypeError: it lacks a method, or is a class.
    """
    if isinstance(handler, type):
        raise TypeError(f"handler must be an object, not the class {handler.__name__}")
    if takes_batches(handler):
        return
    if not isinstance(handler, ResourceEventHandler):
        raise TypeError(
            f"handler must have on_add, on_update and on_delete, or on_batch, which {type(handler).__name__} has not; "
            "wrap functions in ResourceEventHandlerFuncs"
        )
    _check_callable(**{f"handler.{name}": getattr(handler, name) for name in ("on_add", "on_update", "on_delete")})


def _check_callable(**functions: Any) -> None:
    for name, func in functions.items():
        if func is not None and not callable(func):
            raise TypeError(f"{name} must be callable, not {type(func).__name__}")
