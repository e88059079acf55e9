"""`LoopWaker`: lets tasks of an event loop wait for the core, without a thread and without polling.

There is one for each loop: all its waits share one file descriptor, which the core writes to.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from itertools import count
from time import monotonic
from typing import TypeVar

from kubeinformer._core import WakePipe, Waker

R = TypeVar("R")


class _Loops(threading.local):
    """The wakers of the loops of this thread, of which one runs at a time."""

    def __init__(self) -> None:
        self.wakers: dict[asyncio.AbstractEventLoop, LoopWaker] = {}


_loops = _Loops()


class LoopWaker:
    """See the module. For the thread of its loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pipe = WakePipe()
        self._tokens = count()
        self._waiting: dict[int, asyncio.Future[None]] = {}
        loop.add_reader(self._pipe.fileno(), self._woken)

    @staticmethod
    def running() -> LoopWaker:
        """That of the loop that runs now.

        Raises:
            RuntimeError: none does.
        """
        loop = asyncio.get_running_loop()
        wakers = _loops.wakers
        known = wakers.get(loop)
        if known is None:
            for other in [other for other in wakers if other.is_closed()]:
                del wakers[other]
            known = wakers[loop] = LoopWaker(loop)
        return known

    async def wait(
        self,
        poll: Callable[[Waker], R | None],
        forget: Callable[[Waker], None],
        timeout: float | None = None,
    ) -> R | None:
        """Wait until `poll` gives an answer. It is asked at once; between two questions the loop is free.

        Args:
            poll: answers, or gives None and leaves the waker where it is woken when it is time to ask again.
            forget: takes the waker back; called when the wait ends without an answer.
            timeout: seconds to wait at most; None = for ever.

        Returns:
            None when the time is over.
        """
        token = next(self._tokens)
        waker = self._pipe.waker(token)
        deadline = None if timeout is None else self._loop.time() + timeout
        answer: R | None = None
        try:
            while (answer := poll(waker)) is None and (deadline is None or self._loop.time() < deadline):
                self._waiting[token] = future = self._loop.create_future()
                timer = None if deadline is None else self._loop.call_at(deadline, _wake, future)
                try:
                    await future
                finally:
                    if timer is not None:
                        timer.cancel()
        finally:
            self._waiting.pop(token, None)
            if answer is None:
                forget(waker)
        return answer

    def _woken(self) -> None:
        for token in self._pipe.take():
            future = self._waiting.pop(token, None)
            if future is not None:
                _wake(future)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Turn:
    """How long a task that finds work again and again has kept its loop: a millisecond, then it gives way.

    `if turn.is_over(): await turn.give_way()`: most of the time there is nothing to await.
    """

    _LENGTH = 0.001

    def __init__(self) -> None:
        self._end = 0.0

    def is_over(self) -> bool:
        """Whether it is time to give way."""
        return monotonic() >= self._end

    async def give_way(self) -> None:
        """Let others run, and begin the next turn."""
        await asyncio.sleep(0)
        self._end = monotonic() + self._LENGTH
