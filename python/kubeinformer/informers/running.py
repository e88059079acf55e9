"""`RunningFactory`: a factory that runs for the time of a block, of `with` or of `async with`.

At the end of the block the factory is shut down, also when its beginning fails or is cancelled.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubeinformer.informers.factory import SharedInformerFactory


class RunningFactory:
    """What `SharedInformerFactory.running` returns; both kinds of block give the factory."""

    def __init__(
        self, factory: SharedInformerFactory, timeout: float | None, stop: threading.Event | None, fail_fast: bool
    ) -> None:
        self._factory = factory
        self._timeout = timeout
        self._stop = stop
        self._fail_fast = fail_fast

    def __enter__(self) -> SharedInformerFactory:
        try:
            self._factory.start_running(self._stop)
            self._factory.wait_for_cache_sync(self._stop, self._timeout, fail_fast=self._fail_fast)
        except BaseException:
            self._factory.shutdown()
            raise
        return self._factory

    def __exit__(self, *_: object) -> None:
        self._factory.shutdown()

    async def __aenter__(self) -> SharedInformerFactory:
        try:
            self._factory.start_running(self._stop)
            await self._factory.wait_for_cache_sync_async(self._timeout, fail_fast=self._fail_fast)
        except BaseException:
            await self._factory.shutdown_async()
            raise
        return self._factory

    async def __aexit__(self, *_: object) -> None:
        await self._factory.shutdown_async()
