"""Metrics of queues: client-go's provider, and a snapshot to be asked for.

A provider is told of a queue that has a name, and only if it was there when the queue was made (client-go §192). Its
metrics are called on the thread that used the queue, with no lock held. What one raises is logged, and the queue goes
on. No thread runs for metrics: the two gauges that change by themselves are given a function to be asked through.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from kubeinformer._core import StatsReader

logger = logging.getLogger("kubeinformer")


class QueueStats(NamedTuple):
    """Counters of a queue at one moment. All times are in seconds, and 0 for a queue without a name.

    Attributes:
        depth: items to be worked on: in the queue, or added again while they are processed.
        processing: items that a worker has.
        waiting: items that wait for a deadline, of `add_after` or `add_rate_limited`.
        adds: items that came to be worked on; repeated adds that were collapsed count once.
        retries: calls of `add_rate_limited`.
        taken: items that workers got.
        queue_duration: sum of the times from add to get of all that were taken.
        done: items whose processing has ended.
        work_duration: sum of the times from get to done of all that are done.
        unfinished_work: sum of the times for which the items have been processed that are now.
        longest_running_processor: the longest of these.
    """

    depth: int
    processing: int
    waiting: int
    adds: int
    retries: int
    taken: int
    queue_duration: float
    done: int
    work_duration: float
    unfinished_work: float
    longest_running_processor: float


class GaugeMetric(Protocol):
    """Goes up and down."""

    def inc(self, amount: float = ..., /) -> object:
        """Add to it."""

    def dec(self, amount: float = ..., /) -> object:
        """Take from it."""


class CounterMetric(Protocol):
    """Goes up."""

    def inc(self, amount: float = ..., /) -> object:
        """Add to it."""


class HistogramMetric(Protocol):
    """Counts observations."""

    def observe(self, amount: float, /) -> object:
        """Count one, in seconds."""


class PulledGaugeMetric(Protocol):
    """A gauge that asks when somebody looks (as `prometheus_client.Gauge` can)."""

    def set_function(self, f: Callable[[], float], /) -> object:
        """Have `f` give the value from now on: it may be called by any thread, and gives 0 once the queue is gone."""


class MetricsProvider(Protocol):
    """Makes the metrics of a queue, by its name (client-go's MetricsProvider)."""

    def new_depth_metric(self, name: str, /) -> GaugeMetric | PulledGaugeMetric:
        """See `QueueStats.depth`.

        A gauge with `inc` is told of changes: of what `SharedIndexInformer.enqueue` adds when the queue is used next.
        One with `set_function` alone is asked, and so tells the truth also while all workers are busy.
        """

    def new_adds_metric(self, name: str, /) -> CounterMetric:
        """See `QueueStats.adds`."""

    def new_latency_metric(self, name: str, /) -> HistogramMetric:
        """Seconds from add to get."""

    def new_work_duration_metric(self, name: str, /) -> HistogramMetric:
        """Seconds from get to done."""

    def new_unfinished_work_seconds_metric(self, name: str, /) -> PulledGaugeMetric:
        """See `QueueStats.unfinished_work`."""

    def new_longest_running_processor_seconds_metric(self, name: str, /) -> PulledGaugeMetric:
        """See `QueueStats.longest_running_processor`."""

    def new_retries_metric(self, name: str, /) -> CounterMetric:
        """See `QueueStats.retries`."""


_provider: MetricsProvider | None = None


def set_provider(provider: MetricsProvider | None) -> None:
    """Have named queues that are made from now on and are given no provider of their own use this one (None: none).

    The last call counts (in client-go the first).
    """
    global _provider  # noqa: PLW0603
    _provider = provider


class QueueMetrics:
    """The metrics of one queue, as the queue calls them."""

    def __init__(self, name: str, provider: MetricsProvider, stats: StatsReader) -> None:
        self._name = name
        depth: Any = provider.new_depth_metric(name)
        self._told_depth = hasattr(depth, "inc")
        self._depth = depth
        self._adds = provider.new_adds_metric(name)
        self._latency = provider.new_latency_metric(name)
        self._work_duration = provider.new_work_duration_metric(name)
        self._retries = provider.new_retries_metric(name)

        def pulled(field: str) -> Callable[[], float]:
            return lambda: float(getattr(stats.read(), field, 0.0))

        if not self._told_depth:
            depth.set_function(pulled("depth"))
        provider.new_unfinished_work_seconds_metric(name).set_function(pulled("unfinished_work"))
        provider.new_longest_running_processor_seconds_metric(name).set_function(pulled("longest_running_processor"))

    def _tell(self, change: Callable[[float], object], amount: float) -> None:
        try:
            change(amount)
        except Exception as error:
            logger.error("a metric of workqueue %s failed: %r", self._name, error, exc_info=error)

    def added(self, count: int) -> None:
        """So many items came to be worked on."""
        self._tell(self._adds.inc, count)
        if self._told_depth:
            self._tell(self._depth.inc, count)

    def taken(self, seconds: float) -> None:
        """A worker got an item that had been there for so long."""
        if self._told_depth:
            self._tell(self._depth.dec, 1)
        self._tell(self._latency.observe, seconds)

    def done(self, seconds: float) -> None:
        """The processing of an item has ended after so long."""
        self._tell(self._work_duration.observe, seconds)

    def retried(self) -> None:
        """An item was added through the rate limiter."""
        self._tell(self._retries.inc, 1)


def queue_metrics(name: str, provider: MetricsProvider | None, stats: StatsReader) -> QueueMetrics | None:
    """The metrics of a new queue with a name; None without a provider."""
    provider = _provider if provider is None else provider
    return None if provider is None else QueueMetrics(name, provider, stats)
