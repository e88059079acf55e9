"""One measurement of one cell of the grid, in a process of its own: `python -m benches.cell_run NAME URL --core N`.

Invariant: the cache is full and every handler was called for everything when the clock stops; what it prints is one
JSON object. CPU time is that of the process without the threads that measure or compute.

`list` and `watchlist` last from nothing to a full cache and to the return of every handler; `watch` from the moment
the server lets the held events go until the same. The stall of a thread that sleeps is measured twice: before, with
nothing to do but for whoever computes beside it, and meanwhile.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import urllib3

from benches import ours, pods, probes
from benches.cells import Cell, parse
from benches.wire_streams import list_version

BASELINE_SECONDS = 0.5
TIMEOUT = 240.0
"""Seconds after which a cell has failed."""
UNBOUNDED = "grow"
"""No handler's notifications are merged: each of them is a call."""


class Unsupported(Exception):
    """This build of kubeinformer does not have what the cell is about."""


class CountingHandler:
    """Counts; one that reads looks into `obj["spec"]`."""

    def __init__(self, reads: bool) -> None:
        self.calls = 0
        self.on_delete = self._count
        self.on_add = self._add_and_read if reads else self._add
        self.on_update = self._update_and_read if reads else self._update

    def _count(self, _obj: Any) -> None:
        self.calls += 1

    def _add(self, _obj: Any, _is_in_initial_list: bool) -> None:
        self.calls += 1

    def _update(self, _old: Any, _new: Any) -> None:
        self.calls += 1

    def _add_and_read(self, obj: Any, _is_in_initial_list: bool) -> None:
        _ = obj["spec"]
        self.calls += 1

    def _update_and_read(self, _old: Any, new: Any) -> None:
        _ = new["spec"]
        self.calls += 1


@dataclass(frozen=True)
class Moment:
    """Where the clocks stood."""

    wall: float
    cpu: float

    @staticmethod
    def now(measuring: Sequence[probes.Measuring]) -> Moment:
        """Without the CPU time of the threads that measure or compute."""
        return Moment(time.perf_counter(), time.process_time() - sum(thread.cpu_seconds() for thread in measuring))


def options(**wanted: Any) -> Any:
    """ControllerOptions; Unsupported if this build lacks one of them."""
    from kubeinformer import ControllerOptions

    lacking = wanted.keys() - {field.name for field in fields(ControllerOptions)}
    if lacking:
        raise Unsupported(f"ControllerOptions has no {', '.join(sorted(lacking))}")
    return ControllerOptions(**wanted)


def make_factory(url: str, **wanted: Any) -> Any:
    """A factory with these options; Unsupported if this build lacks one of them."""
    return ours.make_factory(url, options(**wanted))


def post(url: str, what: str, timeout: float = TIMEOUT) -> Any:
    """Ask the server for something of the benchmark's own."""
    answer = urllib3.request("POST", f"{url}/bench/{what}", retries=False, timeout=timeout)
    if answer.status != 200:
        raise ConnectionError(f"{what}: {answer.status} {answer.data!r}")
    return answer.json()


def lists_so_far(url: str) -> int:
    return int(urllib3.request("GET", f"{url}/bench/usage", retries=False, timeout=TIMEOUT).json()["lists"])


def measure(cell: Cell, url: str) -> dict[str, Any]:
    wanted: dict[str, Any] = {"use_watch_list": cell.way == "watchlist"}
    if cell.compressed:
        wanted["compression"] = "zstd"
    with probes.beside(cell.beside) as computing:
        baseline = _baseline()
        factory = make_factory(url, **wanted)
        try:
            return {**_measure(cell, url, factory, computing), "baseline_stall_ms": baseline * 1000}
        finally:
            factory.shutdown(timeout=10)


def _baseline() -> float:
    probe = probes.StallProbe()
    begin = time.perf_counter()
    probe.start()
    time.sleep(BASELINE_SECONDS)
    probe.stop()
    return probe.longest(begin, time.perf_counter())


def _measure(cell: Cell, url: str, factory: Any, computing: list[probes.Measuring]) -> dict[str, Any]:
    informer = factory.core().v1().pods().informer()
    informer.add_indexers(ours.INDEXERS)
    handlers = [CountingHandler(reads=number < cell.reading) for number in range(cell.handlers)]
    registrations = [informer.add_event_handler(handler, backlog=UNBOUNDED) for handler in handlers]
    version = list_version(lists_so_far(url))
    probe = probes.StallProbe()
    reading = readers(informer.indexer(), cell.readers, cell.objects)
    own = [probe, *reading]
    measuring = [*own, *computing]
    gc.collect()
    peak_is_its_own = probes.reset_peak_rss()
    rss = probes.rss()
    for thread in own:
        thread.start()
    begin = Moment.now(measuring)
    factory.start()
    if not all(factory.wait_for_cache_sync(timeout=TIMEOUT).values()):
        raise AssertionError("not synced")
    end = synced = Moment.now(measuring)
    if cell.handlers:
        wait_for(informer, version)
        end = Moment.now(measuring)
    count, seconds_to_sync = cell.objects, synced.wall - begin.wall
    if cell.way == "watch":
        wait_for(informer, version)
        count, cpu = cell.events, Moment.now(measuring).cpu
        begin = Moment(post(url, "release")["released_at"], cpu)
        wait_for(informer, last_version(cell))
        end = Moment.now(measuring)
    for thread in own:
        thread.stop()
    check(cell, informer, handlers, registrations)
    gc.collect()
    latencies = [took for reader in reading for took in reader.latencies(begin.wall, end.wall)]
    return {
        "objects": count,
        "seconds": end.wall - begin.wall,
        "seconds_to_sync": seconds_to_sync,
        "cpu_seconds": end.cpu - begin.cpu,
        "per_second": count / (end.wall - begin.wall),
        "rss_bytes": probes.rss(),
        "rss_per_object": (probes.rss() - rss) / cell.objects,
        "peak_rss_bytes": probes.peak_rss() if peak_is_its_own else None,
        "stall_ms": probe.longest(begin.wall, end.wall) * 1000,
        "reads": len(latencies),
        "reader_p50_us": in_us(probes.percentile(latencies, 50)),
        "reader_p99_us": in_us(probes.percentile(latencies, 99)),
    }


def readers(indexer: Any, count: int, objects: int) -> list[probes.Reader]:
    """Readers of keys and nodes that are there when the cache is full."""
    keys = [f"{given['namespace']}/{given['name']}" for given in (pods.fields(i, 0) for i in range(0, objects, 7))]
    nodes = [pods.node_of(i, 0) for i in range(50)]
    return [probes.Reader(indexer, keys, nodes, seed) for seed in range(count)]


def last_version(cell: Cell) -> str:
    """The resourceVersion of the last event of a watch."""
    version, i = divmod(cell.events - 1, cell.objects)
    return pods.resource_version_of(i, version + 1)


def wait_for(informer: Any, version: str) -> None:
    """Until the store is there and every handler has returned from what led there."""
    if not informer.wait_for_resource_version(version, handlers=True, timeout=TIMEOUT):
        raise AssertionError(f"the store did not come to version {version}")


def check(cell: Cell, informer: Any, handlers: list[CountingHandler], registrations: list[Any]) -> None:
    """AssertionError unless everything is in the store, the index is right and every handler was called for it."""
    expected = cell.objects + (cell.events if cell.way == "watch" else 0)
    if len(informer.indexer()) != cell.objects:
        raise AssertionError(f"{len(informer.indexer())} of {cell.objects} objects")
    latest = -(-cell.events // cell.objects) if cell.way == "watch" else 0
    node = pods.node_of(0, latest)
    indexed = informer.indexer().count("node", node)
    at = (pods.node_of(i, version_at_end(cell, i)) for i in range(cell.objects))
    on_node = sum(found == node for found in at)
    if indexed != on_node:
        raise AssertionError(f"{indexed} of {on_node} pods on {node}")
    for handler, registration in zip(handlers, registrations, strict=True):
        if handler.calls != expected or registration.errors():
            raise AssertionError(f"{handler.calls} calls in place of {expected}, {registration.errors()} errors")


def version_at_end(cell: Cell, i: int) -> int:
    """The version of a pod after the last event."""
    return (cell.events - 1 - i) // cell.objects + 1 if cell.way == "watch" else 0


def in_us(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures one cell of the grid once.")
    parser.add_argument("name")
    parser.add_argument("url")
    parser.add_argument("--core", type=int, default=None, help="run on this core only")
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, {arguments.core})
    try:
        result = measure(parse(arguments.name), arguments.url)
    except Unsupported as missing:
        result = {"unsupported": str(missing)}
    print(json.dumps(result), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
