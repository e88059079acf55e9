"""`HandlerRegistration`: one handler of an informer, and the thread or task that calls it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from kubeinformer._core import InformerCore, KubeObject, Listener
from kubeinformer.cache import reports
from kubeinformer.cache.delivery import Delivery
from kubeinformer.cache.done_checker import SyncChecker
from kubeinformer.cache.event_handler import AnyEventHandler
from kubeinformer.cache.fork_guard import ForkGuard
from kubeinformer.cache.handler_functions import is_coroutine_handler
from kubeinformer.cache.handler_name import handler_name
from kubeinformer.cache.resource_version import wait_for_resource_version, wait_for_resource_version_async

if TYPE_CHECKING:
    from kubeinformer.cache.handler_task import HandlerTask

T = TypeVar("T")

_SLICE = 0.1


class HandlerRegistration(Generic[T]):
    """What `add_event_handler` returns.

    Attributes:
        name: what logs and the thread call the handler: where its functions or its class are defined (§169).
        handler: the handler.
        thread: on which it is called; of a coroutine handler, its task.
        task: of a coroutine handler, else None.
    """

    def __init__(
        self,
        core: InformerCore,
        listener: Listener,
        handler: AnyEventHandler[T],
        convert: Callable[[KubeObject], T],
        *,
        informer_name: str,
        max_batch: int,
        on_error: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = handler_name(handler)
        self.handler = handler
        self.listener = listener
        self._informer_name = informer_name
        self._core = core
        self._delivery = Delivery(self.name, handler, listener, convert, max_batch, on_error=on_error)
        self._guard = ForkGuard("this registration")
        thread_name = f"kubeinformer-handler-{informer_name}-{self.name}"
        self.thread: threading.Thread | HandlerTask
        self.task: HandlerTask | None = None
        if is_coroutine_handler(handler):
            from kubeinformer.cache.handler_task import HandlerTask

            self.thread = self.task = HandlerTask(self._run_task, self._task_ended, thread_name)
        else:
            self.thread = threading.Thread(target=self._delivery.run, name=thread_name, daemon=True)

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
            RuntimeError: the handler itself calls it, and would wait for its own return; or it would block the event
                loop on which the handler runs.
        """
        self.check_waitable()
        return wait_for_resource_version(self._core, resource_version, lambda: [self], timeout, namespace)

    async def wait_for_resource_version_async(
        self, resource_version: str, timeout: float | None = None, namespace: str | None = None
    ) -> bool:
        """`wait_for_resource_version` for coroutines: it does not block, and uses no thread.

        Raises:
            ValueError: `resource_version` is no decimal number, or the informer does not watch this namespace.
            RuntimeError: the handler itself calls it, and would wait for its own return.
        """
        if self.is_current():
            raise RuntimeError(f"handler {self.name} cannot wait until it has returned")
        return await wait_for_resource_version_async(self._core, resource_version, lambda: [self], timeout, namespace)

    def errors(self) -> int:
        """How many calls raised."""
        self._guard.check()
        return self._delivery.errors

    def pending(self) -> int:
        """Notifications that wait for the handler."""
        return self.listener.stats()[0]

    def coalesced(self) -> int:
        """Notifications that were merged into others because the handler was too slow for its backlog."""
        return self.listener.stats()[3]

    def filtered(self) -> int:
        """Notifications of which the filter let the handler hear nothing."""
        return self.listener.filtered()

    def is_current(self) -> bool:
        """Whether the caller is this handler, within a call."""
        if self.task is not None:
            return self.task.is_current()
        return self.thread is threading.current_thread()

    def check_waitable(self) -> None:
        """Return iff the caller can block until the handler has returned.

        Raises:
            RuntimeError: it is the handler, or blocks the event loop of a coroutine handler.
        """
        if self.is_current():
            raise RuntimeError(f"handler {self.name} cannot wait until it has returned")
        if self.task is not None and self.task.needs_this_thread():
            raise RuntimeError(
                f"coroutine handler {self.name} runs on the event loop that this would block: "
                "await wait_for_resource_version_async"
            )

    async def _run_task(self) -> None:
        try:
            await self._delivery.run_async()
        finally:
            # Not left to the end of the task: one of a loop that was closed has none.
            self._task_ended()

    def _task_ended(self) -> None:
        # Its loop may end it before anybody else does; what comes for it must not be kept then.
        if not self.listener.is_closed():
            reports.handler_cancelled(self.name)
            self._core.remove_listener(self.listener)
