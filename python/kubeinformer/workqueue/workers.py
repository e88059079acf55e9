"""`run_workers`: the loop around a controller's reconcile function.

Every item that a worker got is done exactly once, whatever `reconcile` does; one whose reconcile failed comes again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from kubeinformer._core import RateLimitingQueue
from kubeinformer.cache.arguments import check_stop
from kubeinformer.cache.stopping import StopWatcher
from kubeinformer.errors import ShutDown
from kubeinformer.redaction import without_values

logger = logging.getLogger("kubeinformer")

T = TypeVar("T", bound=Hashable)

LIMITER_FAILED = 1.0
"""Seconds after which an item comes again whose rate limiter raised."""


class _Workers(Generic[T]):
    def __init__(self, queue: RateLimitingQueue[T], reconcile: Callable[[T], float | None]) -> None:
        self._queue = queue
        self._reconcile = reconcile
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Let each worker end after the item that it has."""
        self._stopped.set()
        self._queue.shut_down()

    def work(self) -> None:
        while not self._stopped.is_set():
            try:
                item = self._queue.get()
            except ShutDown:
                return
            try:
                if not self._stopped.is_set():
                    self._process(item)
            finally:
                self._queue.done(item)

    def _process(self, item: T) -> None:
        try:
            again = _seconds(self._reconcile(item))
            self._queue.forget(item)
            if again is not None:
                self._queue.add_after(item, again)
        except BaseException as error:
            delay = self._retry(item)
            shown = without_values(error)
            logger.error("reconcile failed on %r, again in %.3f s: %r", item, delay, shown, exc_info=shown)

    def _retry(self, item: T) -> float:
        try:
            return self._queue.add_rate_limited(item)
        except Exception as error:
            logger.error("the rate limiter failed on %r: %r", item, error, exc_info=error)
            self._queue.add_after(item, LIMITER_FAILED)
            return LIMITER_FAILED


def _seconds(result: object) -> float | None:
    if result is None:
        return None
    if isinstance(result, (int, float)) and not isinstance(result, bool):
        return result
    raise TypeError(f"reconcile must return None or a number of seconds, not {type(result).__name__}")


def run_workers(
    queue: RateLimitingQueue[T],
    reconcile: Callable[[T], float | None],
    workers: int = 4,
    stop: threading.Event | None = None,
) -> None:
    """Call `reconcile(item)` for each item, on `workers` threads, until the queue is shut down or `stop` is set.

    What comes of a call:

    - it returns None: the item's failures are forgotten;
    - it returns a number of seconds: they are forgotten, and the item is added again after that time (0 or less: at
      once), as controller-runtime does for a RequeueAfter above 0;
    - it raises, or returns anything else: that is logged with the item, which is added again when the queue's rate
      limiter says so.

    An item that is added again keeps the priority with which it was taken.

    Blocks the calling thread. It returns when the queue was shut down and the workers have processed what was left in
    it (client-go §187), or when `stop` was set (noticed within 0.1 s) and each worker has finished the item that it
    had; the queue is then shut down, and what is left in it stays there. Ctrl-C in the main thread does what `stop`
    does, and then raises KeyboardInterrupt; a second one does not wait for the workers. To go on meanwhile, call it on
    a thread of your own.

    Args:
        queue: the items; its name is in the threads' names, `kubeinformer-worker-NAME-0` and so on.
        reconcile: called on the workers' threads, never for one item twice at a time.
        workers: how many threads.
        stop: set it to end; None = shut the queue down.

    Raises:
        ValueError: `workers` is below 1.
        TypeError: `queue` has no rate limiter, `reconcile` is not callable, or another argument is of a wrong type.
        ForkedError: the queue belongs to the parent process.
    """
    if not isinstance(queue, RateLimitingQueue):
        raise TypeError(f"queue must be a RateLimitingQueue, not {type(queue).__name__}")
    if not isinstance(workers, int):
        raise TypeError(f"workers must be a whole number, not {type(workers).__name__}")
    if workers < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")
    check_stop(stop)
    if not callable(reconcile):
        raise TypeError(f"reconcile must be callable, not {type(reconcile).__name__}")
    queue.shutting_down()  # ForkedError comes from here, not from each worker.
    run = _Workers(queue, reconcile)
    name = queue.name or "workqueue"
    threads = [
        threading.Thread(target=run.work, name=f"kubeinformer-worker-{name}-{number}", daemon=True)
        for number in range(workers)
    ]
    watcher = None if stop is None else StopWatcher(stop, run.stop, name)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:
        run.stop()
        for thread in threads:
            if thread.ident is not None:
                thread.join()
        raise
    finally:
        if watcher is not None:
            watcher.close()
