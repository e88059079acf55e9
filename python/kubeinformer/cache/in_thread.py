"""`in_thread`: awaiting a call that blocks, such as the end of threads.

It has a daemon thread of its own for that time, not one of the loop's executor, whose end `asyncio.run` waits for: a
wait that is cancelled leaves nothing behind that delays the end of the program.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar

R = TypeVar("R")


async def in_thread(name: str, call: Callable[[], R]) -> R:
    """What `call` returns or raises, in the caller's context. When the wait is cancelled, the call goes on."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[R] = loop.create_future()

    def run() -> None:
        try:
            end = partial(_end, answer.set_result, answer, context.run(call))
        except BaseException as error:
            end = partial(_end, answer.set_exception, answer, error)
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(end)

    context = copy_context()
    threading.Thread(target=run, name=f"kubeinformer-{name}", daemon=True).start()
    return await answer


def _end(set_answer: Callable[[R], object], answer: asyncio.Future[Any], value: R) -> None:
    if not answer.done():
        set_answer(value)
