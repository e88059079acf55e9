"""`StopWatcher`: acts when a stop event is set.

One daemon thread waits on the event; it acts once, at once when the event is set, or ends within 0.1 s of `close`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from kubeinformer.cache.arguments import check_stop

_SLICE = 0.1


class StopWatcher:
    """Calls `on_stop`, on a thread of its own, when `stop` is set; TypeError if that is no event."""

    def __init__(self, stop: threading.Event, on_stop: Callable[[], None], name: str) -> None:
        check_stop(stop)
        self._stop = stop
        self._on_stop = on_stop
        self._closed = threading.Event()
        self.thread = threading.Thread(target=self._run, name=f"kubeinformer-stop-{name}", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        # An Event cannot be waited for together with another, so `close` is looked at between slices.
        while not self._stop.wait(_SLICE):
            if self._closed.is_set():
                return
        self._on_stop()

    def close(self) -> None:
        """Stop waiting; does not wait for the thread."""
        self._closed.set()
