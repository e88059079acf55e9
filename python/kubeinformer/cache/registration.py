"""`HandlerRegistration`: one handler of an informer, and the thread that calls it.

The handler is called for one notification at a time, in the order of the store's changes (client-go §138). A call that
raises is reported with the object's key and counted, and the next one follows at once (unlike §151).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from kubeinformer._core import InformerCore, KubeObject, Listener
from kubeinformer.cache import reports
from kubeinformer.cache.done_checker import SyncChecker
from kubeinformer.cache.event_handler import ResourceEventHandler
from kubeinformer.cache.fork_guard import ForkGuard
from kubeinformer.cache.handler_name import handler_name
from kubeinformer.cache.resource_version import wait_for_resource_version
from kubeinformer.cache.tombstone import DeletedFinalStateUnknown
from kubeinformer.errors import ModelError

T = TypeVar("T")

ADD, UPDATE, DELETE, TOMBSTONE = range(4)
"""First element of a notification, as the core hands it out."""

BATCH = 1000

_SLICE = 0.1


class HandlerRegistration(Generic[T]):
    """What `add_event_handler` returns.

    Attributes:
        name: what logs and the thread call the handler: where its functions or its class are defined (§169).
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
        self._informer_name = informer_name
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

    def is_of(self, core: InformerCore) -> bool:
        """Whether it was made by the informer with this core."""
        return self._core is core

    def has_synced_checker(self) -> SyncChecker:
        """`has_synced` for `wait_for`, which is then told of it at once (§168)."""
        return SyncChecker(f"{self._informer_name} + event handler {self.name}", self.has_synced, self._wait_synced)

    def _wait_synced(self, timeout: float | None) -> bool | None:
        deadline = None if timeout is None else time.monotonic() + timeout

        def left() -> float | None:
            return None if deadline is None else max(0.0, deadline - time.monotonic())

        # Only what is in the store and with the listeners can be the whole first list. The removal of the handler wakes
        # nobody who waits for the store.
        while not self._core.wait_synced(_SLICE if (rest := left()) is None else min(_SLICE, rest)):
            if self._core.is_stopped() or self.listener.is_closed():
                return False
            if rest == 0:
                return None
        return self.listener.wait_initial_list(left())

    def wait_for_resource_version(
        self, resource_version: str, timeout: float | None = None, namespace: str | None = None
    ) -> bool:
        """Block until the store is at or past a version and this handler has returned from all that led there.

        See `SharedIndexInformer.wait_for_resource_version`, also for the arguments.

        Returns:
            False when the time is over, or the informer stops, before. True once the store is there when the handler
            was removed.

        Raises:
            ValueError: `resource_version` is no decimal number, or the informer does not watch this namespace.
            RuntimeError: the handler itself calls it, and would wait for its own return.
        """
        if self.thread is threading.current_thread():
            raise RuntimeError(f"handler {self.name} cannot wait until it has returned")
        return wait_for_resource_version(self._core, resource_version, lambda: [self], timeout, namespace)

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

    def filtered(self) -> int:
        """Notifications of which the filter let the handler hear nothing."""
        return self.listener.filtered()

    def _run(self) -> None:
        while self._deliver():
            pass

    def _deliver(self) -> bool:
        """Call the handler for one batch; False when it is over. A function, so that no wait keeps a batch alive."""
        batch = self.listener.pop_batch(BATCH)
        if batch is None:
            return False
        for kind, first, second in batch:
            if self.listener.is_closed():
                return False
            try:
                self._call(kind, first, second)
            except BaseException as error:
                self._errors += 1
                key = first if kind == TOMBSTONE else first.key
                reports.handler_failed(self.name, key, error)
        return True

    def _call(self, kind: int, first: Any, second: Any) -> None:
        convert = self._convert
        if kind == ADD:
            self.handler.on_add(convert(first), second)
        elif kind == UPDATE:
            new = convert(second)
            try:
                old = convert(first)
            except ModelError:
                # When the old object was new it was no valid model either, and the handler was not told of it.
                self.handler.on_add(new, False)
            else:
                self.handler.on_update(old, new)
        else:
            gone, unreadable = last_state(kind, first, second, convert)
            self.handler.on_delete(gone)
            if unreadable is not None:
                raise unreadable


def last_state(
    kind: int, first: Any, second: Any, convert: Callable[[KubeObject], Any]
) -> tuple[Any, ModelError | None]:
    """What a deletion hands over, and why the object is missing from it, if it is for want of a valid model.

    The deletion of an object that cannot be shown is a deletion all the same.
    """
    obj = first if kind == DELETE else second
    key = obj.key if kind == DELETE else first
    try:
        gone = None if obj is None else convert(obj)
    except ModelError as error:
        return DeletedFinalStateUnknown(key), error
    return (gone, None) if kind == DELETE else (DeletedFinalStateUnknown(key, gone), None)
