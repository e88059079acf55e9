"""`enqueue_handler`: the event handler of most controllers, which only adds keys to a queue.

What is no news, an object of the initial list or a resync, gets a low priority: after a restart of a controller a real
change does not wait behind the whole cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Generic, TypeVar

from kubeinformer._core import Queue
from kubeinformer.cache.enqueueing import LOW_PRIORITY
from kubeinformer.cache.keys import deletion_handling_meta_namespace_key_func

T = TypeVar("T", bound=Hashable)


class EnqueueHandler(Generic[T]):
    """What `enqueue_handler` returns."""

    def __init__(self, queue: Queue[T], key: Callable[[Any], T | None], priority: int, low_priority: int) -> None:
        self._queue = queue
        self._key = key
        self._priority = priority
        self._low_priority = low_priority

    def _add(self, obj: Any, priority: int) -> None:
        key = self._key(obj)
        if key is not None:
            self._queue.add(key, priority)

    def on_add(self, obj: Any, is_in_initial_list: bool) -> None:
        """Add the object's key."""
        self._add(obj, self._low_priority if is_in_initial_list else self._priority)

    def on_update(self, old: Any, new: Any) -> None:
        """Add the key of the new state, and that of the old one if it differs."""
        if _is_resync(old, new):
            self._add(new, self._low_priority)
            return
        # The queue collapses equal keys.
        self._add(old, self._priority)
        self._add(new, self._priority)

    def on_delete(self, obj: Any) -> None:
        """Add the key of the last known state."""
        self._add(obj, self._priority)


def enqueue_handler(
    queue: Queue[T],
    key: Callable[[Any], T | None] = deletion_handling_meta_namespace_key_func,  # type: ignore[assignment]
    *,
    priority: int = 0,
    low_priority: int = LOW_PRIORITY,
) -> EnqueueHandler[T]:
    """A handler for `add_event_handler` that adds the key of each object it hears of.

    Args:
        queue: where to.
        key: takes an object, or the `DeletedFinalStateUnknown` of one; gives what to add, None = nothing. For an update
            it is asked for both states: with the key of an object's owner, the former owner hears of it too. Default:
            `namespace/name`.
        priority: of changes.
        low_priority: of objects of the initial list and of resyncs.

    Raises:
        TypeError: `queue` is no queue, or `key` is not callable.
    """
    if not isinstance(queue, Queue):
        raise TypeError(f"queue must be a Queue, not {type(queue).__name__}")
    if not callable(key):
        raise TypeError(f"key must be callable, not {type(key).__name__}")
    return EnqueueHandler(queue, key, priority, low_priority)


def _is_resync(old: Any, new: Any) -> bool:
    return old is new or ((version := _resource_version(new)) is not None and _resource_version(old) == version)


def _resource_version(obj: Any) -> str | None:
    """Of a KubeObject, a model of the kubernetes package, or a dict."""
    metadata = obj if hasattr(obj, "resource_version") else getattr(obj, "metadata", None)
    if metadata is None and isinstance(obj, Mapping):
        return obj.get("metadata", {}).get("resourceVersion") or None
    return getattr(metadata, "resource_version", None) or None
