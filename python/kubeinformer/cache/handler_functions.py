"""Which functions a handler calls in the end, and whether it is a coroutine handler.

A handler is one iff one of those functions is a coroutine function.
"""

from __future__ import annotations

from collections.abc import Iterable
from inspect import iscoroutinefunction
from typing import Any


class HandlerOfFunctions:
    """Base of the ready-made handlers, whose methods only call functions that they were given."""

    def functions(self) -> Iterable[Any]:
        """Those functions; None where there is none."""
        raise NotImplementedError


def functions_of(handler: object) -> Iterable[Any]:
    """The functions behind a handler, or else its methods."""
    if isinstance(handler, HandlerOfFunctions):
        return handler.functions()
    on_batch = getattr(handler, "on_batch", None)
    if callable(on_batch):
        return (on_batch,)
    return (getattr(handler, name) for name in ("on_add", "on_update", "on_delete"))


def is_coroutine_handler(handler: object) -> bool:
    """Whether it is called in a task, where what it returns is awaited."""
    return any(
        iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004
        for function in functions_of(handler)
    )
