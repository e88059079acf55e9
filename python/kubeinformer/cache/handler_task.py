"""`HandlerTask`: the asyncio task that calls a coroutine handler, to be started and waited for as its thread would be.

It runs on one event loop: the one that ran when the handler was added, or else when the informer was started.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

_SLICE = 0.1

_current: ContextVar[HandlerTask | None] = ContextVar("kubeinformer_handler_task", default=None)
"""Also in what a handler has started and waits for."""


class HandlerTask:
    """See the module. Methods may be called from any thread.

    Args:
        run: what the task does.
        ended: called on the loop when the task has ended, also if it was cancelled before it began.
        name: for logs.

    Attributes:
        name: for logs.
        ident: something true once it was started, as of a thread.
    """

    def __init__(self, run: Callable[[], Coroutine[Any, Any, None]], ended: Callable[[], None], name: str) -> None:
        self.name = name
        self.ident: int | None = None
        self._run = run
        self._ended = ended
        self._loop = running_loop()
        self._task: asyncio.Task[None] | None = None
        self._over = threading.Event()

    def check_startable(self) -> None:
        """Return iff there is a loop for it.

        Raises:
            RuntimeError: no event loop runs in this thread, or the one that ran when the handler was added is closed.
        """
        if self._loop is None and running_loop() is None:
            raise RuntimeError(f"{self.name}: no event loop runs; add a coroutine handler, or start, in a coroutine")
        if self._loop is not None and self._loop.is_closed():
            raise RuntimeError(f"{self.name}: the event loop is closed in which the coroutine handler was added")

    def start(self) -> None:
        """Make the task; it begins when its loop gets to it."""
        self._loop = self._loop or asyncio.get_running_loop()
        self.ident = id(self)
        if self.needs_this_thread():
            # Now, so that a loop that ends before it gets to anything else cancels it with the others.
            self._begin()
        else:
            self._loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        # Not by the loop's factory: an eager one would call the handler here, under the locks of whoever starts it.
        self._task = asyncio.Task(self._main(), loop=self._loop, name=self.name)
        self._task.add_done_callback(self._done)

    def _done(self, _task: asyncio.Task[None]) -> None:
        self._ended()
        self._over.set()

    async def _main(self) -> None:
        _current.set(self)
        await self._run()

    def cancel(self) -> None:
        """End it within the call that is under way, if that is not the caller. Does not wait."""
        if self._loop is not None and not self.is_current():
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def is_current(self) -> bool:
        """Whether the caller is the handler, or what it waits for."""
        return _current.get() is self

    def needs_this_thread(self) -> bool:
        """Whether the caller blocks its loop."""
        return self._loop is not None and running_loop() is self._loop

    def is_alive(self) -> bool:
        """Whether it was started and has not ended; a task of a closed loop has."""
        return self._loop is not None and bool(self.ident) and not self._over.is_set() and not self._loop.is_closed()

    def join(self, timeout: float | None = None) -> None:
        """Wait for it, for `timeout` seconds at most; not if its loop does not run, or waits for the caller."""
        if self.needs_this_thread():
            return
        left = timeout
        while self.is_alive() and self._loop is not None and self._loop.is_running():
            if self._over.wait(_SLICE if left is None else min(_SLICE, left)):
                return
            if left is not None:
                left -= _SLICE
                if left <= 0:
                    return


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop of this thread, if one runs."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
