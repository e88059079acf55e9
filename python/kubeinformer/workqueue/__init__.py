"""client-go's util/workqueue: what a controller has to look at, each key once and by one worker at a time.

An informer, or its handler, adds keys, workers get them, reconcile, and say `done`. A key that is added again before a
worker got it is there once; one that is added while it is processed comes again afterwards (client-go §184, §185).
Items are any hashable objects; for keys, `str` is the quickest.

    queue = RateLimitingQueue[str](name="pods")
    informer.enqueue(queue)
    run_workers(queue, reconcile, workers=4, stop=stop)

Every method may be called from any thread and may be called from `reconcile`, from handlers, and from the `__eq__` and
`__hash__` of items; those run with no lock held.
"""

from __future__ import annotations

from kubeinformer._core import (
    BucketRateLimiter,
    DelayingQueue,
    FakeClock,
    ItemExponentialFailureRateLimiter,
    ItemFastSlowRateLimiter,
    MaxOfRateLimiter,
    Queue,
    RateLimitingQueue,
    WithMaxWaitRateLimiter,
)
from kubeinformer.cache.enqueueing import LOW_PRIORITY
from kubeinformer.errors import ShutDown
from kubeinformer.workqueue.handler import EnqueueHandler, enqueue_handler
from kubeinformer.workqueue.metrics import (
    CounterMetric,
    GaugeMetric,
    HistogramMetric,
    MetricsProvider,
    PulledGaugeMetric,
    QueueStats,
    set_provider,
)
from kubeinformer.workqueue.rate_limiter import (
    RateLimiter,
    default_controller_rate_limiter,
    default_item_based_rate_limiter,
)
from kubeinformer.workqueue.workers import run_workers

__all__ = [
    "LOW_PRIORITY",
    "BucketRateLimiter",
    "CounterMetric",
    "DelayingQueue",
    "EnqueueHandler",
    "FakeClock",
    "GaugeMetric",
    "HistogramMetric",
    "ItemExponentialFailureRateLimiter",
    "ItemFastSlowRateLimiter",
    "MaxOfRateLimiter",
    "MetricsProvider",
    "PulledGaugeMetric",
    "Queue",
    "QueueStats",
    "RateLimiter",
    "RateLimitingQueue",
    "ShutDown",
    "WithMaxWaitRateLimiter",
    "default_controller_rate_limiter",
    "default_item_based_rate_limiter",
    "enqueue_handler",
    "run_workers",
    "set_provider",
]
