"""`WorkqueueCollector`: the metrics of workqueues under the names and with the buckets that Kubernetes gives them.

Counters and histograms are told of each change by the queue; the three gauges are asked when somebody looks. Queues of
one name are one time series: depth and unfinished work are their sums, the longest running processor is the longest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from kubeinformer.errors import ForkedError
from kubeinformer.metrics._prometheus import Counter, GaugeMetricFamily, Histogram, Metric
from kubeinformer.workqueue.metrics import CounterMetric, HistogramMetric, PulledGaugeMetric

# From 10 ns to 10 s, as Kubernetes' components have them.
_BUCKETS = tuple(10.0**exponent for exponent in range(-8, 2))


class WorkqueueCollector:
    """A provider of metrics for named queues (client-go's MetricsProvider), and a collector of prometheus_client.

    Give it to `workqueue.set_provider`, or to a queue as `metrics=`, and to a registry. In a forked child it goes on
    with the counts of its parent, whose queues' gauges are 0 there.
    """

    def __init__(self) -> None:
        self._adds = Counter(
            "workqueue_adds", "Items that came to be worked on; repeated adds count once.", ["name"], registry=None
        )
        self._retries = Counter("workqueue_retries", "Items added through the rate limiter.", ["name"], registry=None)
        self._queue_duration = Histogram(
            "workqueue_queue_duration_seconds",
            "Seconds for which an item waited in the queue.",
            ["name"],
            buckets=_BUCKETS,
            registry=None,
        )
        self._work_duration = Histogram(
            "workqueue_work_duration_seconds",
            "Seconds for which an item was processed.",
            ["name"],
            buckets=_BUCKETS,
            registry=None,
        )
        self._depth = _PulledGauges("workqueue_depth", "Items in the queue.", sum)
        self._unfinished_work = _PulledGauges(
            "workqueue_unfinished_work_seconds",
            "Seconds for which the items have been processed that are now, in all; it grows while a worker is stuck.",
            sum,
        )
        self._longest_running_processor = _PulledGauges(
            "workqueue_longest_running_processor_seconds",
            "Seconds for which the item has been processed that has been so longest.",
            max,
        )

    def collect(self) -> Iterator[Metric]:
        """All metrics now. For prometheus_client, on the thread of the scrape."""
        for gauges in (self._depth, self._unfinished_work, self._longest_running_processor):
            yield gauges.family()
        for metric in (self._adds, self._retries, self._queue_duration, self._work_duration):
            yield from metric.collect()

    def new_depth_metric(self, name: str, /) -> PulledGaugeMetric:
        """See `QueueStats.depth`."""
        return self._depth.of(name)

    def new_adds_metric(self, name: str, /) -> CounterMetric:
        """See `QueueStats.adds`."""
        return self._adds.labels(name)

    def new_latency_metric(self, name: str, /) -> HistogramMetric:
        """Seconds from add to get."""
        return self._queue_duration.labels(name)

    def new_work_duration_metric(self, name: str, /) -> HistogramMetric:
        """Seconds from get to done."""
        return self._work_duration.labels(name)

    def new_unfinished_work_seconds_metric(self, name: str, /) -> PulledGaugeMetric:
        """See `QueueStats.unfinished_work`."""
        return self._unfinished_work.of(name)

    def new_longest_running_processor_seconds_metric(self, name: str, /) -> PulledGaugeMetric:
        """See `QueueStats.longest_running_processor`."""
        return self._longest_running_processor.of(name)

    def new_retries_metric(self, name: str, /) -> CounterMetric:
        """See `QueueStats.retries`."""
        return self._retries.labels(name)


class _PulledGauge:
    """One queue's value."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._read: Callable[[], float] = float

    def set_function(self, f: Callable[[], float], /) -> None:
        self._read = f

    def read(self) -> float:
        try:
            return self._read()
        except ForkedError:
            return 0.0


class _PulledGauges:
    """A gauge of all queues."""

    def __init__(self, metric: str, documentation: str, joined: Callable[[Iterable[float]], float]) -> None:
        self._metric = metric
        self._documentation = documentation
        self._joined = joined
        # A list that is only appended to and copied: no lock that a fork could leave locked.
        self._gauges: list[_PulledGauge] = []

    def of(self, name: str) -> _PulledGauge:
        gauge = _PulledGauge(name)
        self._gauges.append(gauge)
        return gauge

    def family(self) -> GaugeMetricFamily:
        family = GaugeMetricFamily(self._metric, self._documentation, labels=["name"])
        values: dict[str, list[float]] = {}
        for gauge in self._gauges.copy():
            values.setdefault(gauge.name, []).append(gauge.read())
        for name, of_name in values.items():
            family.add_metric([name], self._joined(of_name))
        return family
