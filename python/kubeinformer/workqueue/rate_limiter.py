"""`RateLimiter`: how long to wait before an item is tried again, and client-go's defaults."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol, TypeVar

from kubeinformer._core import BucketRateLimiter, FakeClock, ItemExponentialFailureRateLimiter, MaxOfRateLimiter

T_contra = TypeVar("T_contra", bound=Hashable, contravariant=True)


class RateLimiter(Protocol[T_contra]):
    """What a `RateLimitingQueue` asks; one of one's own needs no more than these.

    Each method may be called by many threads at once, and is called with no lock held. What it raises comes out of the
    queue's method.
    """

    def when(self, item: T_contra, /) -> float:
        """Count an attempt at the item; seconds to wait before the next, 0 or less = none."""

    def forget(self, item: T_contra, /) -> None:
        """The item has succeeded, or is given up for good."""

    def num_requeues(self, item: T_contra, /) -> int:
        """Attempts that are counted for the item."""


def default_controller_rate_limiter(*, clock: FakeClock | None = None) -> MaxOfRateLimiter:
    """5 ms · 2ⁿ per item up to 1000 s, over all items 10 a second with bursts of 100: the longer of the two.

    What a `RateLimitingQueue` has that is given no limiter (client-go's DefaultTypedControllerRateLimiter).
    """
    return MaxOfRateLimiter(ItemExponentialFailureRateLimiter(0.005, 1000.0), BucketRateLimiter(10.0, 100, clock=clock))


def default_item_based_rate_limiter() -> ItemExponentialFailureRateLimiter:
    """1 ms · 2ⁿ per item up to 1000 s (client-go's DefaultTypedItemBasedRateLimiter)."""
    return ItemExponentialFailureRateLimiter(0.001, 1000.0)
