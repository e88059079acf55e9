"""`Backoff`: how long to wait before the next attempt.

A wait is in [d, 2d) with d = 0.8, 1.6, 3.2 … 30 s, and d is back at its start iff no wait was needed for two minutes.
"""

from __future__ import annotations

import random as _random
import time
from collections.abc import Callable


class Backoff:
    """Exponential waits with jitter, as client-go's reflector has them (§77), but for the reset.

    client-go starts over at 0.8 s two minutes after the last start, failures or not (§78), so a long outage brings a
    burst of attempts every two minutes. Here the rule is the one that its comment describes: start over after two
    minutes in which no wait was needed. An outage stays at the longest wait, and a reader that ran well for a while
    begins gently.

    Not for more than one thread at a time.

    Args:
        initial: first d, in seconds.
        factor: what d is multiplied with after each wait.
        jitter: a wait is d + U·jitter·d with U uniform in [0, 1).
        cap: largest d, in seconds.
        reset_after: seconds without a wait after which d is `initial` again.
        max_minimum: upper limit of `next`'s `minimum`, so that no server can silence a reader for hours.
        clock: monotonic time in seconds.
        random: uniform numbers in [0, 1).

    Raises:
        ValueError: a number that makes no sense; the message names it.
    """

    def __init__(
        self,
        *,
        initial: float = 0.8,
        factor: float = 2.0,
        jitter: float = 1.0,
        cap: float = 30.0,
        reset_after: float = 120.0,
        max_minimum: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = _random.random,
    ) -> None:
        if initial <= 0:
            raise ValueError("initial must be above 0")
        if factor < 1:
            raise ValueError("factor must be at least 1")
        if jitter < 0:
            raise ValueError("jitter must not be negative")
        if cap < initial:
            raise ValueError("cap must not be below initial")
        self._initial = initial
        self._factor = factor
        self._jitter = jitter
        self._cap = cap
        self._reset_after = reset_after
        self._max_minimum = max_minimum
        self._clock = clock
        self._random = random
        self._step = initial
        self._last_wait_ends: float | None = None

    def next(self, minimum: float = 0.0) -> float:
        """Seconds to wait now. Does not wait itself.

        Args:
            minimum: at least so long, because the server said so (Retry-After).
        """
        now = self._clock()
        if self._last_wait_ends is not None and now - self._last_wait_ends > self._reset_after:
            self._step = self._initial
        wait = self._step * (1 + self._jitter * self._random())
        wait = max(wait, min(minimum, self._max_minimum))
        self._step = min(self._step * self._factor, self._cap)
        self._last_wait_ends = now + wait
        return wait
