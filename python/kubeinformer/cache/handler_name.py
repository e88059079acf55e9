"""`handler_name`: what logs, threads and checkers call a handler (client-go §169)."""

from __future__ import annotations

from functools import partial
from typing import Any

from kubeinformer.cache.filtering_handler import FilteringResourceEventHandler
from kubeinformer.cache.handler_functions import HandlerOfFunctions


def handler_name(handler: object) -> str:
    """Where a handler is defined.

    Of one made of functions: what their names have in common up to the last dot, which is a module, a class or a
    function, or else their full names, joined by "+". Of any other: its class. A filter goes by the handler behind it.
    """
    if handler is None:
        return "<nil>"
    if isinstance(handler, FilteringResourceEventHandler):
        return handler_name(handler.handler)
    if isinstance(handler, HandlerOfFunctions):
        names = [_function_name(function) for function in handler.functions() if function is not None]
        if qualifiers := {name.rpartition(".")[0].removesuffix(".<locals>") or name for name in names}:
            return qualifiers.pop() if len(qualifiers) == 1 else "+".join(names)
    return _full_name(type(handler))


def _function_name(function: Any) -> str:
    while isinstance(function, partial):
        function = function.func
    if hasattr(function, "__qualname__"):
        return _full_name(function)
    return f"{_full_name(type(function))}.__call__"


def _full_name(thing: Any) -> str:
    module = getattr(thing, "__module__", None)
    return f"{module}.{thing.__qualname__}" if module else str(thing.__qualname__)
