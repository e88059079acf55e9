"""`InformerCollector`: what `status()` tells of informers, as metrics.

A time series is given once: of two informers with the same labels the first counts, as prometheus_client would refuse
the whole scrape.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from kubeinformer.cache.reflector_state import Phase
from kubeinformer.cache.shared_informer import SharedIndexInformer
from kubeinformer.cache.status import HandlerStatus, InformerStatus, SourceStatus
from kubeinformer.errors import ForkedError
from kubeinformer.informers.factory import SharedInformerFactory
from kubeinformer.metrics._prometheus import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)

logger = logging.getLogger("kubeinformer")

Watched = SharedInformerFactory | SharedIndexInformer[Any]

# What a float holds exactly (client-go's own rule).
_VERSION_DIGITS = 15


class InformerCollector:
    """A collector of prometheus_client for factories and informers, to be registered with a registry.

    Labels: `reflector_*` and `kubeinformer_*` have `name`, which is the informer's, behind that of its `InformerName`
    and a slash if it has one, and before " in NAMESPACE" where a reflector of several is meant. `informer_*` have
    client-go's: the `InformerName` (without one, the informer's name), and group, version and plural name of the
    resource. Factories of one process need an `InformerName` each to be told apart. In a forked child what belongs to
    the parent is left out.
    """

    def __init__(self, *watched: Watched) -> None:
        """Make it; `add` takes more.

        Raises:
            TypeError: one is neither a factory nor an informer.
        """
        self._watched: list[Watched] = []
        self._warned: set[str] = set()
        for one in watched:
            self.add(one)

    def add(self, watched: Watched) -> None:
        """Tell of an informer, or of all that a factory has when somebody looks, from now on. From any thread.

        Raises:
            TypeError: it is neither.
        """
        if not isinstance(watched, SharedInformerFactory | SharedIndexInformer):
            raise TypeError(f"watched must be a factory or an informer, not {type(watched).__name__}")
        self._watched.append(watched)

    def remove(self, watched: Watched) -> None:
        """Tell of it no longer; nothing if it was not added. From any thread."""
        with suppress(ValueError):
            self._watched.remove(watched)

    def describe(self) -> Iterator[Metric]:
        """The metrics without values. For prometheus_client."""
        return _Families().all()

    def collect(self) -> Iterator[Metric]:
        """The metrics now. For prometheus_client, on the thread of the scrape; waits as `status()` does."""
        families, names = _Families(), set()
        for status in self._statuses():
            name = _full_name(status)
            if name in names:
                self._warn(name)
                continue
            names.add(name)
            families.add(name, status)
        return families.all()

    def _statuses(self) -> Iterator[InformerStatus]:
        for watched in self._watched.copy():
            try:
                if isinstance(watched, SharedInformerFactory):
                    yield from watched.status().informers.values()
                else:
                    yield watched.status()
            except ForkedError:
                pass

    def _warn(self, name: str) -> None:
        if name not in self._warned:
            self._warned.add(name)
            logger.warning("metrics: a second informer is called %s, and left out: give its factory a name", name)


def _full_name(status: InformerStatus) -> str:
    return f"{status.identity}/{status.name}" if status.identity else status.name


def _number(version: str) -> float | None:
    return float(version[-_VERSION_DIGITS:]) if version.isdecimal() else None


class _Families:
    """All families of one scrape, also those without a value."""

    def __init__(self) -> None:
        self._all: list[Metric] = []
        self._identities: set[tuple[str, ...]] = set()
        gauge, counter, summary = self._gauge, self._counter, self._summary
        self.lists = counter("reflector_lists", "Lists and watch-lists that were begun.")
        self.list_duration = summary("reflector_list_duration_seconds", "Seconds that reading a list took.")
        self.items_per_list = summary("reflector_items_per_list", "Objects of a list.")
        self.watches = counter("reflector_watches", "Watches that were opened.")
        self.short_watches = counter("reflector_short_watches", "Watches that ended at once and without an event.")
        self.watch_duration = summary("reflector_watch_duration_seconds", "Seconds for which a watch lasted.")
        self.items_per_watch = summary("reflector_items_per_watch", "Events of a watch.")
        self.last_version = gauge(
            "reflector_last_resource_version", "The last 15 digits of the resourceVersion that was received last."
        )
        self.relists = counter(
            "kubeinformer_reflector_relists", "Lists after the first success, by the reason for them.", "reason"
        )
        self.watch_lists = counter("kubeinformer_reflector_watch_lists", "Watch-lists among the lists.")
        self.reconnects = counter(
            "kubeinformer_reflector_reconnects", "Watches that went on where the one before ended, without a list."
        )
        self.failures = counter("kubeinformer_reflector_failures", "Attempts to list or watch that failed.")
        self.phase = gauge("kubeinformer_reflector_phase", "1 for the phase that a reflector is in, else 0.", "phase")
        self.staleness = gauge(
            "kubeinformer_reflector_staleness_seconds", "Seconds since the server was heard; infinite before a list."
        )
        of_informer = ("group", "version", "resource")
        self.queued_items = gauge("informer_queued_items", "Changes between reading and the store.", *of_informer)
        self.latency = HistogramMetricFamily(
            "informer_processing_latency_seconds",
            "Seconds from the queue into the store and the handlers' backlogs, by batch.",
            labels=["name", *of_informer],
        )
        self._all.append(self.latency)
        self.store_version = gauge(
            "informer_store_resource_version", "The last 15 digits of the store's resourceVersion.", *of_informer
        )
        self.live = gauge("kubeinformer_informer_live", "1 while changes of every source arrive.")
        self.synced = gauge("kubeinformer_informer_synced", "1 once the first lists are in the store.")
        self.objects = gauge("kubeinformer_store_objects", "Objects in the store.")
        self.bytes = gauge("kubeinformer_store_bytes", "What they take, each with its bytes as JSON.")
        self.index_bytes = gauge("kubeinformer_store_index_bytes", "What the tables of store and indices take.")
        self.queued_bytes = gauge("kubeinformer_queue_bytes", "What waits between reading and the store takes.")
        self.pending = gauge("kubeinformer_handler_pending", "Notifications that wait for a handler.", "handler")
        self.pending_bytes = gauge("kubeinformer_handler_pending_bytes", "What they take.", "handler")
        self.delivered = counter("kubeinformer_handler_delivered", "Notifications that were handed out.", "handler")
        self.coalesced = counter(
            "kubeinformer_handler_coalesced", "Notifications merged into others for a slow handler.", "handler"
        )
        self.filtered = counter(
            "kubeinformer_handler_filtered", "Notifications that a handler's filter kept out.", "handler"
        )
        self.errors = counter("kubeinformer_handler_errors", "Calls of a handler that raised.", "handler")
        self.function_errors = counter(
            "kubeinformer_function_errors",
            "How often functions of the program's raised, by their use.",
            "function",
        )

    def _gauge(self, name: str, documentation: str, *labels: str) -> GaugeMetricFamily:
        family = GaugeMetricFamily(name, documentation, labels=["name", *labels])
        self._all.append(family)
        return family

    def _counter(self, name: str, documentation: str, *labels: str) -> CounterMetricFamily:
        family = CounterMetricFamily(name, documentation, labels=["name", *labels])
        self._all.append(family)
        return family

    def _summary(self, name: str, documentation: str) -> SummaryMetricFamily:
        family = SummaryMetricFamily(name, documentation, labels=["name"])
        self._all.append(family)
        return family

    def all(self) -> Iterator[Metric]:
        return iter(self._all)

    def add(self, name: str, status: InformerStatus) -> None:
        """All of an informer."""
        for namespace, source in status.sources.items():
            self._add_source(f"{name} in {namespace}" if namespace else name, source)
        self._add_informer(status)
        self.live.add_metric([name], status.is_live)
        self.synced.add_metric([name], status.has_synced)
        memory = status.memory
        self.objects.add_metric([name], memory.objects)
        self.bytes.add_metric([name], memory.bytes)
        self.index_bytes.add_metric([name], memory.index_bytes)
        self.queued_bytes.add_metric([name], memory.queued_bytes)
        for function, count in status.function_errors.items():
            self.function_errors.add_metric([name, function], count)
        by_name: dict[str, list[HandlerStatus]] = {}
        for handler in status.handlers:
            by_name.setdefault(handler.name, []).append(handler)
        for handler_name, handlers in by_name.items():
            self._add_handlers([name, handler_name], handlers)

    def _add_source(self, name: str, source: SourceStatus) -> None:
        labels, counters = [name], source.counters
        self.lists.add_metric(labels, counters.lists + counters.watch_lists)
        self.list_duration.add_metric(labels, counters.lists_read, counters.list_seconds)
        self.items_per_list.add_metric(labels, counters.lists_read, counters.list_items)
        self.watches.add_metric(labels, counters.watches)
        self.short_watches.add_metric(labels, counters.short_watches)
        self.watch_duration.add_metric(labels, counters.watches_read, counters.watch_seconds)
        self.items_per_watch.add_metric(labels, counters.watches_read, counters.watch_items)
        if (version := _number(source.last_sync_resource_version)) is not None:
            self.last_version.add_metric(labels, version)
        for reason, count in counters.relists.items():
            self.relists.add_metric([name, reason], count)
        self.watch_lists.add_metric(labels, counters.watch_lists)
        self.reconnects.add_metric(labels, counters.reconnects)
        self.failures.add_metric(labels, counters.failures)
        for phase in Phase:
            self.phase.add_metric([name, phase], phase is source.phase)
        self.staleness.add_metric(labels, source.staleness)

    def _add_informer(self, status: InformerStatus) -> None:
        """Client-go's metrics of an informer; of two of one `InformerName` and resource the first has them."""
        resource = status.resource
        labels = (status.identity or status.name, resource.group, resource.version, resource.plural)
        if labels in self._identities:
            return
        self._identities.add(labels)
        self.queued_items.add_metric(labels, status.memory.queued)
        if (version := _number(status.last_store_sync_resource_version)) is not None:
            self.store_version.add_metric(labels, version)
        buckets, total = [], 0
        for bound, count in status.processing_latency.counts:
            total += count
            buckets.append(("+Inf" if math.isinf(bound) else str(bound), float(total)))
        self.latency.add_metric(labels, buckets, status.processing_latency.sum)

    def _add_handlers(self, labels: list[str], handlers: list[HandlerStatus]) -> None:
        self.pending.add_metric(labels, sum(handler.pending for handler in handlers))
        self.pending_bytes.add_metric(labels, sum(handler.pending_bytes for handler in handlers))
        self.delivered.add_metric(labels, sum(handler.delivered for handler in handlers))
        self.coalesced.add_metric(labels, sum(handler.coalesced for handler in handlers))
        self.filtered.add_metric(labels, sum(handler.filtered for handler in handlers))
        self.errors.add_metric(labels, sum(handler.errors for handler in handlers))
