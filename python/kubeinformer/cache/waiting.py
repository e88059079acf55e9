"""Waiting until caches are synced."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from kubeinformer.errors import CacheSyncTimeoutError

if TYPE_CHECKING:
    from kubeinformer.cache.controller import Controller

_SLICE = 0.1
"""client-go's syncedPollPeriod, in seconds (§165)."""


def wait_for_cache_sync(
    stop: threading.Event | None, *cache_syncs: Callable[[], bool], timeout: float | None = None
) -> bool:
    """Wait until every function gives True: pass `informer.has_synced` or `registration.has_synced` (client-go §165).

    Blocks; looks at once and then every 0.1 s.

    Args:
        stop: ends the wait when it is set; None = nothing does.
        cache_syncs: the functions; with none of them the answer is True.
        timeout: seconds to wait at most; None = for ever.

    Returns:
        True when all are synced, False when `stop` was set or the time was over before.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    pause = stop if stop is not None else threading.Event()
    while not all(synced() for synced in cache_syncs):
        left = _SLICE if deadline is None else min(_SLICE, deadline - time.monotonic())
        if left <= 0 or pause.wait(left):
            return False
    return True


def wait_for_controllers(
    controllers: Mapping[str, Controller],
    stop: threading.Event | None,
    timeout: float | None,
    *,
    fail_fast: bool,
) -> dict[str, bool]:
    """Wait until every controller has synced; the answer says which have.

    Raises:
        CacheSyncTimeoutError: the time is over, or with `fail_fast` the server keeps refusing one of them.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    for controller in controllers.values():
        while not controller.core.has_synced():
            if controller.core.is_stopped() or (stop is not None and stop.is_set()):
                break
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise _timed_out(controllers, f"caches not synced after {timeout:g} s")
            if fail_fast and any(other.lasting_refusal() for other in controllers.values()):
                raise _timed_out(controllers, "caches cannot sync, the server refuses")
            controller.core.wait_synced(_SLICE if left is None else min(_SLICE, left))
    return {name: controller.core.has_synced() for name, controller in controllers.items()}


def _timed_out(controllers: Mapping[str, Controller], what: str) -> CacheSyncTimeoutError:
    unsynced: dict[str, Any] = {}
    for name, controller in controllers.items():
        if controller.core.has_synced():
            continue
        errors = controller.last_errors()
        if not errors:
            unsynced[name] = None
        for source, last in errors.items():
            unsynced[f"{name} in namespace {source}" if source else name] = last.error
    details = "; ".join(f"{name}: {error}" if error else name for name, error in sorted(unsynced.items()))
    return CacheSyncTimeoutError(f"{what}: {details}", unsynced)
