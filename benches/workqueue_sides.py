"""The sides of the workqueue's benchmarks, and what they are given.

Invariant: every side hands out each key that is in it once, and says when it is shut down and empty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benches.pure_python.workqueue import RateLimitingWorkQueue, ShutDownError, WorkQueue
from kubeinformer.workqueue import ItemExponentialFailureRateLimiter, Queue, RateLimitingQueue, ShutDown

BASE_DELAY = 1e-9
"""Seconds: what is added by the rate limiter is due at once, so that no time passes in waiting."""


@dataclass(frozen=True)
class Side:
    name: str
    make: Callable[[], Any]
    make_limited: Callable[[], Any] | None
    shut_down: type[Exception]
    ours: bool


SIDES = (
    Side("pure Python", WorkQueue, lambda: RateLimitingWorkQueue(BASE_DELAY, BASE_DELAY), ShutDownError, ours=False),
    Side(
        "kubeinformer",
        RateLimitingQueue,
        lambda: RateLimitingQueue(ItemExponentialFailureRateLimiter(BASE_DELAY, BASE_DELAY)),
        ShutDown,
        ours=True,
    ),
    Side("kubeinformer, with times", lambda: Queue(name="bench"), None, ShutDown, ours=True),
)


def keys(count: int) -> list[str]:
    """New objects each time, as handlers make them."""
    return [f"namespace-{number % 10}/deployment-{number:06d}-abcde" for number in range(count)]
