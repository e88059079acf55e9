"""Waiting for a resource version: reading, or having handled, what one has written oneself.

When the wait gives True, the state of that version is in the store, and each handler that was asked for has returned
from all that led there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from kubeinformer._core import InformerCore

if TYPE_CHECKING:
    from kubeinformer.cache.registration import HandlerRegistration


def wait_for_resource_version(
    core: InformerCore,
    resource_version: str,
    registrations: Callable[[], Iterable[HandlerRegistration[Any]]],
    timeout: float | None,
    namespace: str | None,
) -> bool:
    """Wait for the store, then for the handlers that `registrations` gives when the store is there.

    A handler that calls this is not waited for, and neither is one that is removed meanwhile.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    if not core.wait_for_resource_version(resource_version, timeout, namespace):
        return False
    if resource_version in ("", "0"):
        return True
    current = threading.current_thread()
    listeners = [registration.listener for registration in registrations() if registration.thread is not current]
    for listener, barrier in [(listener, listener.barrier()) for listener in listeners]:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not listener.wait_handled(barrier, left) and (core.is_stopped() or not listener.is_closed()):
            return False
    return True
