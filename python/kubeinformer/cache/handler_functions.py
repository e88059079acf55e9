"""Which functions a handler calls in the end, and whether it is a coroutine handler.

A handler is one iff one of those functions is a coroutine function.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from inspect import iscoroutinefunction
from typing import Any


class HandlerOfFunctions(ABC):
    """Base of the ready-made handlers, whose methods only call functions that they were given."""

    @abstractmethod
    def functions(self) -> Iterable[Any]:
        """Those functions; None where there is none."""


def functions_of(handler: object) -> Iterable[Any]:
    """A handler's methods, which a subclass of a ready-made one may define, too, and the functions behind it."""
    on_batch = getattr(handler, "on_batch", None)
    names = ("on_add", "on_update", "on_delete")
    yield from [on_batch] if callable(on_batch) else [getattr(handler, name) for name in names]
    if isinstance(handler, HandlerOfFunctions):
        yield from handler.functions()


def is_coroutine_handler(handler: object) -> bool:
    """Whether it is called in a task, where what it returns is awaited."""
    return any(
        iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004
        for function in functions_of(handler)
    )
