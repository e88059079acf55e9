"""Waiting until caches are synced, or whatever else gets done once."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from kubeinformer.cache.arguments import check_stop
from kubeinformer.cache.done_checker import DoneChecker
from kubeinformer.errors import CacheSyncTimeoutError, ClosedError, Error

if TYPE_CHECKING:
    from kubeinformer.cache.controller import Controller

logger = logging.getLogger("kubeinformer")

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

    Raises:
        TypeError: `stop` is no event: a function was given in its place.
    """
    check_stop(stop)
    deadline = None if timeout is None else time.monotonic() + timeout
    pause = stop if stop is not None else threading.Event()
    while not all(synced() for synced in cache_syncs):
        left = _SLICE if deadline is None else min(_SLICE, deadline - time.monotonic())
        if left <= 0 or pause.wait(left):
            return False
    return True


def wait_for_named_cache_sync(
    name: str, stop: threading.Event | None, *cache_syncs: Callable[[], bool], timeout: float | None = None
) -> bool:
    """`wait_for_cache_sync` that says in the log who waits, and how it ended, with what had not synced.

    Args:
        name: of whoever waits: a controller.
        stop: see there.
        cache_syncs: see there.
        timeout: see there.
    """
    check_stop(stop)
    logger.info("%s: waiting for caches to sync", name)
    if not wait_for_cache_sync(stop, *cache_syncs, timeout=timeout):
        unsynced = sorted(_describe(synced) for synced in cache_syncs if not synced())
        logger.error("%s: unable to sync caches: %s", name, ", ".join(unsynced) or "all have synced by now")
        return False
    logger.info("%s: caches are synced", name)
    return True


@dataclass(frozen=True, slots=True)
class SyncResult:
    """How a wait ended; true iff everything is done.

    Attributes:
        synced: whether it is done, by name.
        cause: what ended the wait too early; None when everything is done.
    """

    synced: Mapping[str, bool] = field(default_factory=dict)
    cause: Exception | None = None

    def __bool__(self) -> bool:
        return self.cause is None

    def as_error(self) -> Error | None:
        """The error to raise: it names what is not done, sorted, and why. None when all is done (§167).

        It is a `CacheSyncTimeoutError` when the time was over.
        """
        if self.cause is None:
            return None
        unsynced = sorted(name for name, synced in self.synced.items() if not synced)
        message = f"failed to sync all caches: {', '.join(unsynced)}: {self.cause}"
        error = (
            CacheSyncTimeoutError(message, dict.fromkeys(unsynced))
            if isinstance(self.cause, TimeoutError)
            else Error(message)
        )
        error.__cause__ = self.cause
        return error


def wait_for(
    stop: threading.Event | None,
    what: str,
    *checkers: DoneChecker | Callable[[], bool],
    timeout: float | None = None,
) -> SyncResult:
    """Wait until everything is done: informers, handlers and trackers without polling (client-go's WaitFor, §166).

    Blocks. It sees `stop` within 0.1 s, and in the main thread Ctrl-C too.

    Args:
        stop: ends the wait when it is set; None = nothing does.
        what: for the log, which tells of each checker as it is done; "" = no log.
        checkers: `informer.has_synced_checker()`, `registration.has_synced_checker()`, trackers, other `DoneChecker`s;
            functions that say whether it is done are asked every 0.1 s. With none of them the answer is true.
        timeout: seconds to wait at most; None = for ever.

    Raises:
        TypeError: a checker is neither a `DoneChecker` nor a function, or `stop` is no event.

    Returns:
        Something true iff all are done; else it knows which are not, and why the wait ended: `stop` was set, the time
        was over, or something can never be done any more, as its informer was stopped.
    """
    check_stop(stop)
    waiting: dict[str, DoneChecker] = {}
    for checker in checkers:
        named = checker if isinstance(checker, DoneChecker) else _Polled(checker)
        waiting[_unique(named.name, waiting)] = named
    synced = dict.fromkeys(waiting, False)
    if what:
        logger.info("waiting for %s", what)
    deadline = None if timeout is None else time.monotonic() + timeout
    cause: Exception | None = None
    while True:
        done, closed = _look(waiting)
        for name in done:
            del waiting[name]
            synced[name] = True
            if what:
                logger.info("waiting for %s: %s is done", what, name)
        if not waiting:
            return SyncResult(synced)
        cause = cause or closed
        if cause is not None:
            break
        left = None if deadline is None else deadline - time.monotonic()
        if stop is not None and stop.is_set():
            cause = Error("the stop event was set")
        elif left is not None and left <= 0:
            cause = TimeoutError(f"not within {timeout:g} s")
        else:
            # The end of the last one is seen at once. What ends meanwhile is looked for after a slice, for the log.
            with suppress(ClosedError):
                next(reversed(waiting.values())).wait(_SLICE if left is None else min(_SLICE, left))
    if what:
        logger.warning("gave up waiting for %s: %s; not done: %s", what, cause, ", ".join(sorted(waiting)))
    return SyncResult(synced, cause)


async def wait_for_async(
    what: str, *checkers: DoneChecker | Callable[[], bool], timeout: float | None = None
) -> SyncResult:
    """`wait_for` for coroutines: it does not block, also where coroutine handlers of this loop are waited for.

    It has a thread of its own, on which functions are asked. When it is cancelled, that ends within 0.1 s.

    Args:
        what: see `wait_for`.
        checkers: see there.
        timeout: see there.

    Raises:
        TypeError: a checker is neither a `DoneChecker` nor a function.
    """
    from kubeinformer.cache.in_thread import in_thread

    stop = threading.Event()
    try:
        return await in_thread("wait-for", partial(wait_for, stop, what, *checkers, timeout=timeout))
    finally:
        stop.set()


def _look(checkers: Mapping[str, DoneChecker]) -> tuple[list[str], ClosedError | None]:
    """Which are done, and whether one never will be."""
    done, closed = [], None
    for name, checker in checkers.items():
        try:
            if checker.wait(0):
                done.append(name)
        except ClosedError as error:
            closed = error
    return done, closed


class _Polled:
    """A function that says whether something is done; it is asked between waits, not at the end of one as well."""

    def __init__(self, func: Callable[[], bool]) -> None:
        if not callable(func):
            raise TypeError(f"not a DoneChecker and no function: {func!r}; of an informer, use has_synced_checker()")
        self.name = _describe(func)
        self._func = func

    def is_done(self) -> bool:
        return self._func()

    def wait(self, timeout: float | None = None) -> bool:
        if timeout == 0:
            return self._func()
        time.sleep(_SLICE if timeout is None else timeout)
        return False


def _describe(func: Callable[[], bool]) -> str:
    """A function's name; of an informer's or registration's `has_synced`, that of its checker."""
    if make_checker := getattr(getattr(func, "__self__", None), "has_synced_checker", None):
        return str(make_checker().name)
    return str(getattr(func, "__qualname__", type(func).__qualname__))


def _unique(name: str, taken: Mapping[str, object]) -> str:
    """The name, with a number behind it if it is taken."""
    unique, number = name, 1
    while unique in taken:
        number += 1
        unique = f"{name} ({number})"
    return unique


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


async def wait_for_controllers_async(
    controllers: Mapping[str, Controller], timeout: float | None, *, fail_fast: bool
) -> dict[str, bool]:
    """The same without blocking and without polling; a stop ends it through the controllers."""
    import asyncio

    from kubeinformer.cache.loop_waker import LoopWaker

    loop, waker = asyncio.get_running_loop(), LoopWaker.running()
    refused = asyncio.Event()

    def look() -> None:
        if any(controller.lasting_refusal() for controller in controllers.values()):
            refused.set()

    def failed() -> None:
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(look)

    async def synced() -> None:
        for controller in controllers.values():
            await waker.wait(controller.core.poll_synced, controller.core.forget)

    with ExitStack() as failures:
        all_synced = asyncio.ensure_future(synced())
        waits: set[asyncio.Future[Any]] = {all_synced}
        if fail_fast:
            for controller in controllers.values():
                failures.enter_context(controller.calling_when_it_fails(failed))
            look()
            waits.add(asyncio.ensure_future(refused.wait()))
        try:
            done, _ = await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
    if all_synced in done:
        all_synced.result()
    # A stop ends the wait a moment before `is_stopped` tells of it.
    if all_synced in done or all(
        controller.core.has_synced() or controller.core.is_stopped() for controller in controllers.values()
    ):
        return {name: controller.core.has_synced() for name, controller in controllers.items()}
    if done:
        raise _timed_out(controllers, "caches cannot sync, the server refuses")
    raise _timed_out(controllers, f"caches not synced after {timeout:g} s")


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
