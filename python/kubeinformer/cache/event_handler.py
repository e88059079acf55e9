"""Event handlers: what they are told of, and the ready-made ones that take functions or filter for another."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from kubeinformer.cache.tombstone import DeletedFinalStateUnknown

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


@runtime_checkable
class ResourceEventHandler(Protocol[T_contra]):
    """What an informer calls, one call at a time, on the handler's own thread (client-go §138).

    A call that raises is logged with the object's key and counted; delivery goes on at once.
    """

    def on_add(self, obj: T_contra, is_in_initial_list: bool) -> None:
        """An object is there: from the first list (`is_in_initial_list`) or new."""

    def on_update(self, old: T_contra, new: T_contra) -> None:
        """An object changed; a resync gives the same object twice (§125)."""

    def on_delete(self, obj: T_contra | DeletedFinalStateUnknown) -> None:
        """An object is gone: its final state, or a `DeletedFinalStateUnknown` when the event was missed."""


class _Funcs(Generic[T]):
    """The parts that handlers of functions have in common."""

    update_func: Callable[[T, T], object] | None
    delete_func: Callable[[T | DeletedFinalStateUnknown], object] | None

    def on_update(self, old: T, new: T) -> None:
        """Call `update_func`."""
        if self.update_func is not None:
            self.update_func(old, new)

    def on_delete(self, obj: T | DeletedFinalStateUnknown) -> None:
        """Call `delete_func`."""
        if self.delete_func is not None:
            self.delete_func(obj)


class ResourceEventHandlerFuncs(_Funcs[T]):
    """A handler from up to three functions; what is left out does nothing (client-go's type of this name)."""

    def __init__(
        self,
        add_func: Callable[[T], object] | None = None,
        update_func: Callable[[T, T], object] | None = None,
        delete_func: Callable[[T | DeletedFinalStateUnknown], object] | None = None,
    ) -> None:
        """Each function is called on the handler's own thread; what it returns is ignored.

        Args:
            add_func: takes the new object.
            update_func: takes the old and the new object.
            delete_func: takes the final state or a `DeletedFinalStateUnknown`.

        Raises:
            TypeError: an argument is neither None nor callable, or is a coroutine function.
        """
        _check_callable(add_func=add_func, update_func=update_func, delete_func=delete_func)
        self.add_func = add_func
        self.update_func = update_func
        self.delete_func = delete_func

    def on_add(self, obj: T, is_in_initial_list: bool) -> None:
        """Call `add_func`."""
        if self.add_func is not None:
            self.add_func(obj)


class ResourceEventHandlerDetailedFuncs(_Funcs[T]):
    """`ResourceEventHandlerFuncs` whose `add_func` is also told whether the object is of the first list."""

    def __init__(
        self,
        add_func: Callable[[T, bool], object] | None = None,
        update_func: Callable[[T, T], object] | None = None,
        delete_func: Callable[[T | DeletedFinalStateUnknown], object] | None = None,
    ) -> None:
        """Each function is called on the handler's own thread; what it returns is ignored.

        Args:
            add_func: takes the new object, and whether it is of the first list.
            update_func: takes the old and the new object.
            delete_func: takes the final state or a `DeletedFinalStateUnknown`.

        Raises:
            TypeError: an argument is neither None nor callable, or is a coroutine function.
        """
        _check_callable(add_func=add_func, update_func=update_func, delete_func=delete_func)
        self.add_func = add_func
        self.update_func = update_func
        self.delete_func = delete_func

    def on_add(self, obj: T, is_in_initial_list: bool) -> None:
        """Call `add_func`."""
        if self.add_func is not None:
            self.add_func(obj, is_in_initial_list)


class FilteringResourceEventHandler(Generic[T]):
    """Hands another handler only what a function accepts; what begins to be accepted is an addition (client-go §154).

    The handler never gets an object that the function did not accept. A function that raises is reported like a handler
    that does, with the object's key: it did not accept the object. Where it was the old side of an update, the handler
    gets a new side that is accepted as an addition: whatever made the function fail now did so, too, when that object
    was new, so the handler was not told of it.
    """

    def __init__(
        self,
        filter_func: Callable[[T | DeletedFinalStateUnknown], object],
        handler: ResourceEventHandler[T],
    ) -> None:
        """Functions are called on the handler's own thread.

        Args:
            filter_func: takes an object, or on a deletion whose event was missed the `DeletedFinalStateUnknown`, which
                answers to the object's attributes; something true = accepted. Of an update it is asked for the new
                object first.
            handler: gets what is accepted.

        Raises:
            TypeError: `filter_func` is not callable, or `handler` lacks a method.
        """
        if not callable(filter_func):
            raise TypeError(f"filter_func must be callable, not {type(filter_func).__name__}")
        check_handler(handler)
        self.filter_func = filter_func
        self.handler = handler

    def on_add(self, obj: T, is_in_initial_list: bool) -> None:
        """Pass it on if it is accepted."""
        if self.filter_func(obj):
            self.handler.on_add(obj, is_in_initial_list)

    def on_update(self, old: T, new: T) -> None:
        """Pass it on as what it is to the handler: an update, an addition or a deletion."""
        newer = self.filter_func(new)
        try:
            older = self.filter_func(old)
        except Exception:
            if newer:
                self.handler.on_add(new, False)
            raise
        if newer and older:
            self.handler.on_update(old, new)
        elif newer:
            self.handler.on_add(new, False)
        elif older:
            self.handler.on_delete(old)

    def on_delete(self, obj: T | DeletedFinalStateUnknown) -> None:
        """Pass it on if it is accepted."""
        if self.filter_func(obj):
            self.handler.on_delete(obj)


def check_handler(handler: object) -> None:
    """Return iff this can be a handler.

    Raises:
        TypeError: it lacks a method, is a class, or has a coroutine function for a method, which nobody would await.
    """
    if isinstance(handler, type):
        raise TypeError(f"handler must be an object, not the class {handler.__name__}")
    if not isinstance(handler, ResourceEventHandler):
        raise TypeError(
            f"handler must have on_add, on_update and on_delete, which {type(handler).__name__} has not; "
            "wrap functions in ResourceEventHandlerFuncs"
        )
    _check_callable(**{f"handler.{name}": getattr(handler, name) for name in ("on_add", "on_update", "on_delete")})


def _check_callable(**functions: Any) -> None:
    for name, func in functions.items():
        if func is not None and not callable(func):
            raise TypeError(f"{name} must be callable, not {type(func).__name__}")
        if iscoroutinefunction(func):
            raise TypeError(f"{name} must not be a coroutine function: it is called on a thread, and never awaited")
