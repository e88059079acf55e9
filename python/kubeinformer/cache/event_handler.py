"""Event handlers: what they are told of, and the ready-made ones that take functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

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

    def on_delete(self, obj: Any) -> None:
        """An object is gone: its final state, or a `DeletedFinalStateUnknown` when the event was missed."""


class ResourceEventHandlerFuncs(Generic[T]):
    """A handler from up to three functions; what is left out does nothing (client-go's type of this name)."""

    def __init__(
        self,
        add_func: Callable[[T], object] | None = None,
        update_func: Callable[[T, T], object] | None = None,
        delete_func: Callable[[Any], object] | None = None,
    ) -> None:
        """Each function is called on the handler's own thread; what it returns is ignored.

        Args:
            add_func: takes the new object.
            update_func: takes the old and the new object.
            delete_func: takes the final state or a `DeletedFinalStateUnknown`.

        Raises:
            TypeError: an argument is neither None nor callable.
        """
        for name, func in (("add_func", add_func), ("update_func", update_func), ("delete_func", delete_func)):
            if func is not None and not callable(func):
                raise TypeError(f"{name} must be callable, not {type(func).__name__}")
        self.add_func = add_func
        self.update_func = update_func
        self.delete_func = delete_func

    def on_add(self, obj: T, is_in_initial_list: bool) -> None:
        """Call `add_func`."""
        if self.add_func is not None:
            self.add_func(obj)

    def on_update(self, old: T, new: T) -> None:
        """Call `update_func`."""
        if self.update_func is not None:
            self.update_func(old, new)

    def on_delete(self, obj: Any) -> None:
        """Call `delete_func`."""
        if self.delete_func is not None:
            self.delete_func(obj)


def handler_name(handler: object) -> str:
    """What logs call a handler: the qualified name of its functions, or of its class (client-go §169)."""
    if isinstance(handler, ResourceEventHandlerFuncs):
        funcs = [func for func in (handler.add_func, handler.update_func, handler.delete_func) if func is not None]
        names = [getattr(func, "__qualname__", type(func).__qualname__) for func in funcs]
        return "+".join(dict.fromkeys(names)) or "<nil>"
    return type(handler).__qualname__
