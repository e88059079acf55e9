"""One of the measurements that the grid has no cell for: `python -m benches.figure_run NAME URL --core N`.

Invariant: each checks that the work was done, and prints one JSON object; what this build of kubeinformer does not have
is `{"unsupported": ...}`. `MEASUREMENTS` says for each what its server has to hold.
"""

from __future__ import annotations

import argparse
import compileall
import gc
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import kubeinformer
from benches import ours, pods, probes
from benches.cell_run import (
    TIMEOUT,
    UNBOUNDED,
    CountingHandler,
    Moment,
    Unsupported,
    in_us,
    last_version,
    lists_so_far,
    make_factory,
    post,
    readers,
    wait_for,
)
from benches.cells import Cell
from benches.wire_streams import STREAMS, list_version


@dataclass(frozen=True)
class Measurement:
    """What is run, and the server that it needs (None: none)."""

    run: Callable[[str, Cell], dict[str, Any]]
    server: Cell | None
    streams: tuple[str, ...] = STREAMS


def relist(url: str, cell: Cell) -> dict[str, Any]:
    """The server has forgotten the watch's version (410): the same objects are listed again, beside four readers."""
    factory, informer, handler = synced(url, use_watch_list=cell.way == "watchlist")
    keys_before = set(informer.indexer().list_keys())
    reading = readers(informer.indexer(), 4, cell.objects)
    probe = probes.StallProbe()
    gc.collect()
    if not probes.reset_peak_rss():
        raise Unsupported("the kernel does not allow to reset the peak of the resident set")
    before, calls = probes.rss(), handler.calls
    for thread in (probe, *reading):
        thread.start()
    told = post(url, "relist")
    wait_for(informer, told["version"])
    end = time.perf_counter()
    peak = probes.peak_rss()
    for thread in (probe, *reading):
        thread.stop()
    if set(informer.indexer().list_keys()) != keys_before:
        raise AssertionError("the relist changed the store")
    latencies = [took for reader in reading for took in reader.latencies(told["began"], end)]
    factory.shutdown(timeout=10)
    return {
        "objects": cell.objects,
        "seconds": end - told["began"],
        "rss_bytes": before,
        "peak_rss_bytes": peak,
        "extra_peak": (peak - before) / before,
        "notifications": handler.calls - calls,
        "stall_ms": probe.longest(told["began"], end) * 1000,
        "reads": len(latencies),
        "reader_p50_us": in_us(probes.percentile(latencies, 50)),
        "reader_p99_us": in_us(probes.percentile(latencies, 99)),
    }


class HeldHandler:
    """Its first update waits until it may go on; the updates are only counted."""

    def __init__(self, last: int) -> None:
        self.may_go_on, self.done = threading.Event(), threading.Event()
        self.calls = 0
        self._last = last

    def on_add(self, obj: Any, is_in_initial_list: bool) -> None:
        pass

    def on_update(self, old: Any, new: Any) -> None:
        if not self.calls:
            self.may_go_on.wait()
        self.calls += 1
        if self.calls == self._last:
            self.done.set()

    def on_delete(self, obj: Any) -> None:
        pass


class HeldBatchHandler(HeldHandler):
    """The same by `on_batch`."""

    def on_batch(self, events: list[Any]) -> None:
        if events[0]["type"] == "ADDED":
            return
        if not self.calls:
            self.may_go_on.wait()
        self.calls += len(events)
        if self.calls == self._last:
            self.done.set()


def notifications(url: str, cell: Cell) -> dict[str, Any]:
    """A handler is held until everything waits for it in its ring; from then to its last return."""
    return _notifications(url, cell, HeldHandler(cell.events))


def batches(url: str, cell: Cell) -> dict[str, Any]:
    """The same for a handler that takes batches, which counts their lengths."""
    try:
        import_module("kubeinformer.cache.batch_handler")
    except ImportError as missing:
        raise Unsupported("handlers take no batches") from missing
    return _notifications(url, cell, HeldBatchHandler(cell.events))


def _notifications(url: str, cell: Cell, handler: HeldHandler) -> dict[str, Any]:
    factory = make_factory(url, use_watch_list=False)
    informer = factory.core().v1().pods().informer()
    registration = informer.add_event_handler(handler, backlog=UNBOUNDED)
    version = list_version(lists_so_far(url))
    start(factory)
    wait_for(informer, version)
    post(url, "release")
    if not informer.wait_for_resource_version(last_version(cell), timeout=TIMEOUT):
        raise AssertionError("the watch did not come to its end")
    waiting = registration.pending()
    gc.collect()
    begin = Moment.now(())
    handler.may_go_on.set()
    if not handler.done.wait(TIMEOUT):
        raise AssertionError(f"{handler.calls} calls in place of {cell.events}")
    end = Moment.now(())
    factory.shutdown(timeout=10)
    return {
        "objects": cell.events,
        "waiting": waiting,
        "seconds": end.wall - begin.wall,
        "cpu_seconds": end.cpu - begin.cpu,
        "per_second": cell.events / (end.wall - begin.wall),
    }


def by_key(url: str, cell: Cell) -> dict[str, Any]:
    """Point reads of one thread for two seconds, alone and beside a Python thread that computes."""
    factory, informer, _ = synced(url)
    get = informer.indexer().get_by_key
    keys = informer.indexer().list_keys()
    found = {}
    for who in ("idle", "python"):
        with probes.beside("python" if who == "python" else "idle"):
            reads, begin = 0, time.perf_counter()
            while (end := time.perf_counter()) < begin + 2:
                for key in keys:
                    get(key)
                reads += len(keys)
        found[who] = reads / (end - begin)
    if any(get(key) is None for key in keys):
        raise AssertionError("a key is missing")
    factory.shutdown(timeout=10)
    return {"per_second": found["python"], "per_second_alone": found["idle"]}


def selector(url: str, cell: Cell) -> dict[str, Any]:
    """A lister's list by a label that one pod in a thousand has, beside scans of all of them."""
    factory, informer, _ = synced(url)
    lister = factory.core().v1().pods().lister()
    expected = sum(i % pods.SHARDS == 7 for i in range(cell.objects))
    objects = informer.indexer().list()
    labels = [obj.to_dict("metadata.labels") for obj in objects]
    wanted: dict[str, Callable[[], list[Any]]] = {
        "seconds": lambda: lister.list("shard=007"),
        "python_seconds": lambda: [obj for obj in objects if obj.labels.get("shard") == "007"],
        "python_dicts_seconds": lambda: [
            obj for obj, has in zip(objects, labels, strict=True) if has.get("shard") == "007"
        ],
        # Comparisons cannot be answered from an index.
        "rust_seconds": lambda: lister.list("shard>6,shard<8"),
    }
    result: dict[str, Any] = {"objects": expected}
    for name, listing in wanted.items():
        for _ in range(3):  # an index may be made by the second time that it would help
            if len(listing()) != expected:
                raise AssertionError(f"{len(listing())} of {expected} objects by {name}")
        result[name] = median_seconds(listing, 200 if name == "seconds" else 7)
    factory.shutdown(timeout=10)
    return result


def median_seconds(action: Callable[[], object], times: int) -> float:
    """How long it takes."""
    took = []
    for _ in range(times):
        begin = time.perf_counter()
        action()
        took.append(time.perf_counter() - begin)
    return statistics.median(took)


def no_handler(url: str, cell: Cell) -> dict[str, Any]:
    """Ingest alone, which `filtered` is compared with."""
    return _ingest(url, cell, {})


def filtered(url: str, cell: Cell) -> dict[str, Any]:
    """A handler whose filter accepts nothing, by a label."""
    return _ingest(url, cell, {"filter": _filters().labels("tier=none")})


def unchanged(url: str, cell: Cell) -> dict[str, Any]:
    """A handler that wants updates only that change a label; the watch has none."""
    return _ingest(url, cell, {"filter": _filters().changed("metadata.labels")}, cell.objects)


def _filters() -> Any:
    try:
        return import_module("kubeinformer.filter")
    except ImportError as missing:
        raise Unsupported("handlers have no filters") from missing


def _ingest(url: str, cell: Cell, arguments: dict[str, Any], expected: int = 0) -> dict[str, Any]:
    factory = make_factory(url, use_watch_list=False)
    informer = factory.core().v1().pods().informer()
    informer.add_indexers(ours.INDEXERS)
    handler = CountingHandler(reads=False)
    if arguments:
        informer.add_event_handler(handler, **arguments)
    start(factory)
    cpu = Moment.now(()).cpu
    begin = post(url, "release")["released_at"]
    wait_for(informer, last_version(cell))
    end = Moment.now(())
    if handler.calls != expected:
        raise AssertionError(f"{handler.calls} calls in place of {expected}")
    factory.shutdown(timeout=10)
    seconds = end.wall - begin
    return {
        "objects": cell.events,
        "seconds": seconds,
        "cpu_seconds": end.cpu - cpu,
        "per_second": cell.events / seconds,
    }


def imports(_url: str, _cell: Cell) -> dict[str, Any]:
    """`import kubeinformer`, compiled beforehand, in an interpreter that has `kubernetes` already."""
    compileall.compile_dir(Path(kubeinformer.__file__).parent, quiet=1)
    program = (
        "import kubernetes, time; begin = time.perf_counter(); import kubeinformer; print(time.perf_counter() - begin)"
    )
    took = [
        float(subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE, text=True).stdout)
        for _ in range(7)
    ]
    return {"seconds": statistics.median(took), "best_seconds": min(took)}


def synced(url: str, **wanted: Any) -> tuple[Any, Any, CountingHandler]:
    """A running factory, its informer with the indices, and the handler that was told of every object."""
    factory = make_factory(url, **{"use_watch_list": False, **wanted})
    informer = factory.core().v1().pods().informer()
    informer.add_indexers(ours.INDEXERS)
    handler = CountingHandler(reads=False)
    registration = informer.add_event_handler(handler, backlog=UNBOUNDED)
    start(factory)
    deadline = time.monotonic() + TIMEOUT
    while not registration.has_synced():
        if time.monotonic() > deadline:
            raise AssertionError("the handler is not synced")
        time.sleep(0.01)
    return factory, informer, handler


def start(factory: Any) -> None:
    factory.start()
    if not all(factory.wait_for_cache_sync(timeout=TIMEOUT).values()):
        raise AssertionError("not synced")


_LARGE = Cell("list", 100_000)
_EVENTS = Cell("watch", 10_000)

MEASUREMENTS = {
    "relist": Measurement(relist, _LARGE, ("list",)),
    "relist-watchlist": Measurement(relist, Cell("watchlist", 100_000), ("initial",)),
    "notifications": Measurement(notifications, Cell("watch", 10_000, 1), ("list", "live")),
    "notifications-batches": Measurement(batches, Cell("watch", 10_000, 1), ("list", "live")),
    "by-key-beside-python": Measurement(by_key, Cell("list", 10_000, 1), ("list",)),
    "selector": Measurement(selector, Cell("list", 100_000, 1), ("list",)),
    "ingest-alone": Measurement(no_handler, _EVENTS, ("list", "live")),
    "ingest-filtered-by-label": Measurement(filtered, _EVENTS, ("list", "live")),
    "ingest-filtered-by-change": Measurement(unchanged, _EVENTS, ("list", "live")),
    "import": Measurement(imports, None),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures one thing once.")
    parser.add_argument("name", choices=MEASUREMENTS)
    parser.add_argument("url")
    parser.add_argument(
        "--objects", type=int, default=None, help="in place of what it is meant for, which takes longer"
    )
    parser.add_argument("--core", type=int, default=None, help="run on this core only")
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, {arguments.core})
    measurement = MEASUREMENTS[arguments.name]
    cell = measurement.server or Cell()
    if arguments.objects is not None:
        cell = Cell(cell.way, arguments.objects, cell.kilobytes)
    try:
        result = measurement.run(arguments.url, cell)
    except Unsupported as missing:
        result = {"unsupported": str(missing)}
    print(json.dumps(result), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
