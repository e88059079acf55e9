"""`HandlerRegistration`: one handler of an informer, and the thread that calls it.

The handler is called for one notification at a time, in the order of the store's changes (client-go §138). A call that
raises is reported with the object's key and counted, and the next one follows at once (unlike §151).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from kubeinformer._core import InformerCore, KubeObject, Listener
from kubeinformer.cache import reports
from kubeinformer.cache.event_handler import ResourceEventHandler, handler_name
from kubeinformer.cache.fork_guard import ForkGuard
from kubeinformer.cache.tombstone import DeletedFinalStateUnknown

T = TypeVar("T")

ADD, UPDATE, DELETE, TOMBSTONE = range(4)
"""First element of a notification, as the core hands it out."""

BATCH = 1000


class HandlerRegistration(Generic[T]):
    """What `add_event_handler` returns.

    Attributes:
        name: what logs and the thread call the handler.
        handler: the handler.
    """

    def __init__(
        self,
        core: InformerCore,
        listener: Listener,
        handler: ResourceEventHandler[T],
        convert: Callable[[KubeObject], T],
        informer_name: str,
    ) -> None:
        self.name = handler_name(handler)
        self.handler = handler
        self.listener = listener
        self._core = core
        self._convert = convert
        self._errors = 0
        self._guard = ForkGuard("this registration")
        self.thread = threading.Thread(
            target=self._run, name=f"kubeinformer-handler-{informer_name}-{self.name}", daemon=True
        )

    def has_synced(self) -> bool:
        """Whether the informer has synced and the handler has returned from every object of the first list (§149).

        Once true it stays true, also when calls raised (unlike §152).

        Raises:
            ForkedError: this is a forked child.
        """
        return self._core.has_synced() and self.listener.initial_list_done()

    def errors(self) -> int:
        """How many calls raised."""
        self._guard.check()
        return self._errors

    def pending(self) -> int:
        """Notifications that wait for the handler."""
        return self.listener.stats()[0]

    def coalesced(self) -> int:
        """Notifications that were merged into others because the handler was too slow for its backlog."""
        return self.listener.stats()[3]

    def _run(self) -> None:
        while (batch := self.listener.pop_batch(BATCH)) is not None:
            for kind, first, second in batch:
                if self.listener.is_closed():
                    return
                try:
                    self._call(kind, first, second)
                except BaseException as error:
                    self._errors += 1
                    key = first if kind == TOMBSTONE else first.key
                    reports.handler_failed(self.name, key, error)

    def _call(self, kind: int, first: Any, second: Any) -> None:
        convert = self._convert
        if kind == ADD:
            self.handler.on_add(convert(first), second)
        elif kind == UPDATE:
            self.handler.on_update(convert(first), convert(second))
        elif kind == DELETE:
            self.handler.on_delete(convert(first))
        else:
            self.handler.on_delete(tombstone(first, second, convert))


def tombstone(key: str, obj: KubeObject | None, convert: Callable[[KubeObject], Any]) -> DeletedFinalStateUnknown:
    """The last known state as handlers get it."""
    return DeletedFinalStateUnknown(key, None if obj is None else convert(obj))
