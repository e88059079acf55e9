"""The course of the demo: server, pods, sync, churn, check, summary."""

from __future__ import annotations

import time
from contextlib import ExitStack

from kubernetes.client import ApiClient, Configuration

from kubeinformer import HandlerRegistration, KubeObject, SharedIndexInformer, SharedInformerFactory, index
from kubeinformer.cli.demo.cluster import Cluster
from kubeinformer.cli.demo.display import Display, make_display
from kubeinformer.cli.demo.fleet import POD_BYTES
from kubeinformer.cli.demo.memory import resident_bytes
from kubeinformer.cli.demo.observer import Observer, percentile
from kubeinformer.cli.demo.picture import Picture
from kubeinformer.cli.demo.summary import Result, print_summary
from kubeinformer.cli.demo.traffic import CountingTransport
from kubeinformer.cli.demo.verify import differences, list_pods
from kubeinformer.cli.errors import FAILED, OK, CommandError
from kubeinformer.transport import HTTPTransport

_TICK = 0.1
_RATE_SECONDS = 1.0
_SYNC_SECONDS = 60.0
_SETTLE_SECONDS = 10.0
_SHUTDOWN_SECONDS = 1.0
_TOP = 8


class Play:
    """One run of the demo, by one thread."""

    def __init__(self, *, pods: int, seconds: float, rate: float) -> None:
        self._pods = pods
        self._seconds = seconds
        self._rate = rate
        self._begin = time.monotonic()
        self._observer = Observer()
        self._display: Display
        self._transport: CountingTransport
        self._informer: SharedIndexInformer[KubeObject]
        self._registration: HandlerRegistration[KubeObject]
        self._samples: list[tuple[float, int]] = []

    def run(self) -> int:
        """All of it. See `kubeinformer.cli.demo.run`."""
        with ExitStack() as stack:
            self._display = stack.enter_context(make_display())
            self._show("starting an API server")
            cluster = Cluster(self._pods, self._rate)
            stack.callback(cluster.close)
            while cluster.written.seeded < self._pods:
                cluster.poll(_TICK)
                self._show("creating pods", cluster.written.seeded, self._pods, "pods")
            result = self._follow(cluster, stack)
        print_summary(result)
        return FAILED if result.differences else OK

    def _follow(self, cluster: Cluster, stack: ExitStack) -> Result:
        api_client = ApiClient(Configuration(host=cluster.url))
        self._transport = CountingTransport(HTTPTransport(api_client, user_agent="kubeinformer-demo"))
        factory = SharedInformerFactory(transport=self._transport)
        stack.callback(factory.shutdown, _SHUTDOWN_SECONDS)
        self._informer = informer = factory.core().v1().pods().informer()
        informer.add_indexers(
            {"node": "spec.nodeName", "owner": index.controller_owner(), "app": "metadata.labels.app"}
        )
        self._registration = informer.add_event_handler(self._observer)
        memory_before = resident_bytes()
        sync_seconds = self._sync(factory)
        received = self._transport.received

        churn_seconds = self._churn(cluster)
        memory = resident_bytes()
        self._show("comparing with a fresh LIST")
        listing = list_pods(self._transport)
        settled = self._settle(listing.version)
        return Result(
            pods=self._pods,
            sync_seconds=sync_seconds,
            sync_bytes=received,
            churn_seconds=churn_seconds,
            written=cluster.written,
            observer=self._observer,
            objects=len(informer.indexer()),
            values={name: len(informer.indexer().list_index_func_values(name)) for name in ("node", "owner", "app")},
            memory=memory,
            memory_before=memory_before,
            version=listing.version,
            differences=settled or differences(listing, informer, self._observer.versions),
        )

    def _sync(self, factory: SharedInformerFactory) -> float:
        """Start the informer and wait until its handler has every pod; how many seconds the cache needed."""
        start = time.monotonic()
        factory.start()
        while not self._informer.wait_for_cache_sync(_TICK / 10):
            self._show("syncing the cache", self._transport.received, self._pods * POD_BYTES, "bytes")
            if time.monotonic() - start > _SYNC_SECONDS:
                last = self._informer.last_error()
                raise CommandError(f"not synced after {_SYNC_SECONDS:.0f} s: {last.error if last else 'no error'}")
        seconds = time.monotonic() - start
        while not self._registration.has_synced():
            self._show("handling the first list", self._observer.initial, self._pods, "pods")
            time.sleep(_TICK / 10)
        return seconds

    def _churn(self, cluster: Cluster) -> float:
        """Let the cluster change pods and show what comes of it; for how many seconds it did."""
        start = time.monotonic()
        cluster.churn()
        while (elapsed := time.monotonic() - start) < self._seconds:
            cluster.poll(min(_TICK, self._seconds - elapsed))
            self._show("following changes", min(time.monotonic() - start, self._seconds), self._seconds, "s")
        cluster.stop_churn()
        return time.monotonic() - start

    def _settle(self, version: int) -> list[str]:
        """Wait until the handler has had the last event; if it does not come, that is the difference."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while self._observer.version < version:
            if time.monotonic() > deadline:
                return [f"the handler is at resourceVersion {self._observer.version}, the server at {version}"]
            time.sleep(_TICK / 10)
        return []

    def _show(self, phase: str, done: float = 0.0, total: float = 0.0, unit: str = "") -> None:
        elapsed = time.monotonic() - self._begin
        if not self._samples and not self._observer.initial:
            self._display.show(Picture(phase, elapsed, done, total, unit))
            return
        observer, indexer = self._observer, self._informer.indexer()
        recent = observer.recent()
        self._display.show(
            Picture(
                phase,
                elapsed,
                done,
                total,
                unit,
                objects=len(indexer),
                events={"added": observer.added, "modified": observer.modified, "deleted": observer.deleted},
                rate=self._rate_now(elapsed, observer.events),
                median=percentile(recent, 0.5),
                high=percentile(recent, 0.99),
                memory=resident_bytes(),
                received=self._transport.received,
                canaries=len(indexer.list("track=canary")),
                nodes=self._top("node"),
                apps=self._top("app"),
            )
        )

    def _rate_now(self, elapsed: float, events: int) -> float:
        """Events a second, over the last second."""
        self._samples = [sample for sample in self._samples if sample[0] >= elapsed - _RATE_SECONDS]
        self._samples.append((elapsed, events))
        since, before = self._samples[0]
        return (events - before) / (elapsed - since) if elapsed > since else 0.0

    def _top(self, name: str) -> tuple[tuple[str, int], ...]:
        indexer = self._informer.indexer()
        counts = [(value, indexer.count(name, value)) for value in indexer.list_index_func_values(name)]
        return tuple(sorted(counts, key=lambda item: (-item[1], item[0]))[:_TOP])
