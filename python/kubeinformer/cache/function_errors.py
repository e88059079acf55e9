"""`FunctionErrorCounts`: how often functions of the user's raised, by what they are for.

A count only grows, and has every failure that the log has or leaves out.
"""

from __future__ import annotations

import threading

KINDS = ("handler", "index", "transform", "watch_error_handler", "list_options")
"""What an informer calls: handlers (with their filter and key functions), index functions, transforms, watch error
handlers, and functions that tweak list options."""


class FunctionErrorCounts:
    """See the module. Both methods may be called from any thread; neither waits for anything long."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(KINDS, 0)

    def count(self, kind: str) -> None:
        """One more of `KINDS`."""
        with self._lock:
            self._counts[kind] += 1

    def read(self) -> dict[str, int]:
        """All counts now. Takes no lock: a signal handler may ask while its own thread counts."""
        return self._counts.copy()
