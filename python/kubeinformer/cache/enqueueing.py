"""`EnqueueRegistration`: an informer's keys on their way into a workqueue, without a handler and without a thread.

Every change is in the queue when it is in the store: the thread that writes the one fills the other.
"""

from __future__ import annotations

from typing import Any

from kubeinformer._core import Filter, Index, InformerCore, Queue
from kubeinformer.cache.done_checker import SyncChecker
from kubeinformer.errors import Error

LOW_PRIORITY = -100
"""Of what is no news, unless one says otherwise (controller-runtime's LowPriority)."""


class EnqueueRegistration:
    """What `SharedIndexInformer.enqueue` returns.

    Attributes:
        queue: where the keys go.
    """

    def __init__(
        self,
        core: InformerCore,
        informer_name: str,
        queue: Queue[Any],
        key: Index | str | None,
        when: Filter | None,
        *,
        priority: int,
        low_priority: int,
        resync_period: float,
    ) -> None:
        """Raises as `SharedIndexInformer.enqueue` does."""
        if not isinstance(queue, Queue):
            raise TypeError(f"queue must be a Queue, not {type(queue).__name__}")
        if isinstance(key, str):
            key = Index.path(key)
        if not isinstance(key, Index | None):
            raise TypeError(f"key must be an Index, a path or None, not {type(key).__name__}")
        check_filter("when", when)
        enqueuer = core.add_enqueuer(
            queue, key, when, priority=priority, low_priority=low_priority, resync_period=resync_period
        )
        if enqueuer is None:
            raise Error(f"informer {informer_name} has stopped already")
        self.queue = queue
        self._core = core
        self._name = informer_name
        self._enqueuer = enqueuer

    def remove(self) -> None:
        """Put nothing in any more. What is in the queue stays there. Any number of times, from any thread.

        Raises:
            ForkedError: this is a forked child.
        """
        self._core.remove_enqueuer(self._enqueuer)

    def has_synced(self) -> bool:
        """Whether the keys of the whole first list were put in. Once true it stays true.

        Raises:
            ForkedError: this is a forked child.
        """
        return self._core.has_synced()

    def has_synced_checker(self) -> SyncChecker:
        """`has_synced` for `wait_for`, which is then told of it at once (§168)."""
        return SyncChecker(f"{self._name} + queue {self.queue.name}", self.has_synced, self._wait_synced)

    def _wait_synced(self, timeout: float | None) -> bool | None:
        return self._core.wait_synced(timeout) or (False if self._core.is_stopped() else None)

    def added(self) -> int:
        """Keys that were put in, each time that they were; the queue has equal ones once."""
        return self._enqueuer.stats()[0]

    def filtered(self) -> int:
        """Changes, and objects of the first list, that the filter kept out."""
        return self._enqueuer.stats()[1]


def check_filter(name: str, given: object) -> None:
    """Return iff this is a filter or None.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(given, Filter | None):
        raise TypeError(f"{name} must be a Filter, as kubeinformer.filter makes them, or None: {type(given).__name__}")
