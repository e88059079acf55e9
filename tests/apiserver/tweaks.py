"""Tweak functions of list options that act on the informer: each of its requests passes through one before it is sent.

What they do is ordered with the requests: done before the request, and after the one before was answered.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from kubeinformer import ListOptions


class Gate:
    """Holds back every request while it is closed; open at first."""

    def __init__(self) -> None:
        self.waiting = threading.Event()
        self._opened = threading.Event()
        self._opened.set()

    def close(self) -> None:
        """From now on requests wait; ``waiting`` is set as soon as one does."""
        self.waiting.clear()
        self._opened.clear()

    def open(self) -> None:
        """Let all requests pass."""
        self._opened.set()

    def __call__(self, _options: ListOptions) -> None:
        if not self._opened.is_set():
            self.waiting.set()
            assert self._opened.wait(60)


class Before:
    """Does something before the n-th request, counted from 1; ``requests`` says how many there were."""

    def __init__(self, n: int, action: Callable[[], object]) -> None:
        self.requests = 0
        self._n = n
        self._action = action

    def __call__(self, _options: ListOptions) -> None:
        self.requests += 1
        if self.requests == self._n:
            self._action()
