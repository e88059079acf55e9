"""Waiting for a resource version: reading, or having handled, what one has written oneself.

When the wait gives True, the state of that version is in the store, and each handler that was asked for has returned
from all that led there. A handler that waits is not waited for, and neither is one that is removed meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from kubeinformer._core import InformerCore, Listener

if TYPE_CHECKING:
    from kubeinformer.cache.registration import HandlerRegistration

Registrations = Callable[[], Iterable["HandlerRegistration[Any]"]]


def wait_for_resource_version(
    core: InformerCore,
    resource_version: str,
    registrations: Registrations,
    timeout: float | None,
    namespace: str | None,
) -> bool:
    """Wait for the store, then for the handlers that `registrations` gives when the store is there.

    Raises:
        RuntimeError: this blocks the event loop on which one of them runs.
    """
    left = _countdown(timeout)
    if not core.wait_for_resource_version(resource_version, timeout, namespace):
        return False
    others = _others(registrations, resource_version)
    for registration in others:
        registration.check_waitable()
    for listener, barrier in [(other.listener, other.listener.barrier()) for other in others]:
        if not listener.wait_handled(barrier, left()) and _failed(core, listener):
            return False
    return True


async def wait_for_resource_version_async(
    core: InformerCore,
    resource_version: str,
    registrations: Registrations,
    timeout: float | None,
    namespace: str | None,
) -> bool:
    """The same without blocking."""
    from kubeinformer.cache.loop_waker import LoopWaker

    left, waker = _countdown(timeout), LoopWaker.running()
    poll = partial(core.poll_resource_version, resource_version=resource_version, namespace=namespace)
    if not await waker.wait(poll, core.forget, timeout):
        return False
    listeners = [registration.listener for registration in _others(registrations, resource_version)]
    for listener, barrier in [(listener, listener.barrier()) for listener in listeners]:
        handled = await waker.wait(partial(listener.poll_handled, barrier=barrier), listener.forget, left())
        if not handled and _failed(core, listener):
            return False
    return True


def _others(registrations: Registrations, resource_version: str) -> list[HandlerRegistration[Any]]:
    if resource_version in ("", "0"):
        return []
    return [registration for registration in registrations() if not registration.is_current()]


def _failed(core: InformerCore, listener: Listener) -> bool:
    """Whether a wait for a handler that ended without success was not ended by its removal."""
    return core.is_stopped() or not listener.is_closed()


def _countdown(timeout: float | None) -> Callable[[], float | None]:
    """How much of the timeout is left."""
    if timeout is None:
        return lambda: None
    deadline = time.monotonic() + timeout
    return lambda: max(0.0, deadline - time.monotonic())
