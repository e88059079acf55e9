"""What the asyncio tests share: running in debug mode, waiting on conditions, handlers that record."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from informer_support import TIMEOUT, Recorder

from kubeinformer import DeletedFinalStateUnknown, KubeObject

R = TypeVar("R")


def run(main: Callable[[], Coroutine[Any, Any, R]], *, debug: bool = True) -> R:
    """`asyncio.run`, in debug mode: it refuses calls from wrong threads and tells of what is never awaited."""

    async def within() -> R:
        async with asyncio.timeout(30):
            return await main()

    return asyncio.run(within(), debug=debug)


async def eventually(condition: Callable[[], Any], what: str, timeout: float = TIMEOUT) -> Any:
    """Wait until `condition` gives something true, and return that."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not in {timeout} s: {what}"
        await asyncio.sleep(0.002)
    return value


class AsyncRecorder(Recorder):
    """A coroutine handler that keeps what it was told, and lets others run in the middle of each call."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = 0

    async def on_add(self, obj: KubeObject, is_in_initial_list: bool) -> None:  # type: ignore[override]
        await self._in_between()
        super().on_add(obj, is_in_initial_list)

    async def on_update(self, old: KubeObject, new: KubeObject) -> None:  # type: ignore[override]
        await self._in_between()
        super().on_update(old, new)

    async def on_delete(self, obj: KubeObject | DeletedFinalStateUnknown) -> None:  # type: ignore[override]
        await self._in_between()
        super().on_delete(obj)

    async def _in_between(self) -> None:
        self.inside += 1
        if self.inside != 1:
            self.faults.append("called while it is called")
        await asyncio.sleep(0)
        self.inside -= 1
