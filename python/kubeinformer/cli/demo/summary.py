"""What the demo says at its end, in plain lines."""

from __future__ import annotations

from dataclasses import dataclass

from kubeinformer.cli.demo.cluster import Written
from kubeinformer.cli.demo.observer import Observer, percentile
from kubeinformer.cli.demo.picture import duration, size


@dataclass(frozen=True, slots=True)
class Result:
    """How the demo went.

    Attributes:
        pods: of the first list.
        sync_seconds: from the start of the informer to the synced cache.
        sync_bytes: received meanwhile.
        churn_seconds: for how long pods changed.
        written: what the cluster's workload did.
        observer: what the handler saw.
        objects: in the cache at the end.
        values: index -> how many values it has.
        memory: resident bytes before the check.
        memory_before: resident bytes before the informer started.
        version: resourceVersion of the LIST that all was compared with.
        differences: what was not as listed.
    """

    pods: int
    sync_seconds: float
    sync_bytes: int
    churn_seconds: float
    written: Written
    observer: Observer
    objects: int
    values: dict[str, int]
    memory: int
    memory_before: int
    version: int
    differences: list[str]


def print_summary(result: Result) -> None:
    """Print it."""
    written, observer = result.written, result.observer
    latencies = observer.latencies
    growth = max(0, result.memory - result.memory_before)
    _line(
        "synced",
        f"{result.pods:,} pods, {size(result.sync_bytes)}, in {duration(result.sync_seconds)}: "
        f"{result.pods / result.sync_seconds:,.0f} pods/s",
    )
    _line(
        "changes written",
        f"{written.changes:,} in {result.churn_seconds:.1f} s, {written.changes / result.churn_seconds:,.0f}/s: "
        f"{written.created:,} pods created, {written.deleted:,} deleted, {written.updated:,} updates, "
        f"{written.relabelled:,} label changes",
    )
    _line(
        "events handled",
        f"{observer.events:,}: {observer.added:,} added, {observer.modified:,} modified, {observer.deleted:,} deleted",
    )
    if latencies:
        _line(
            "write to handler",
            f"{duration(percentile(latencies, 0.5))}, 99th percentile {duration(percentile(latencies, 0.99))}, "
            f"highest {duration(max(latencies))}",
        )
    _line(
        "cache",
        f"{result.objects:,} pods on {result.values['node']:,} nodes, of {result.values['owner']:,} owners and "
        f"{result.values['app']:,} apps",
    )
    _line(
        "memory",
        f"{size(result.memory)}, {size(growth)} more than before the sync: "
        f"{size(growth / max(1, result.objects))} a pod of {size(result.sync_bytes / result.pods)}",
    )
    if result.differences:
        _line("check", f"FAILED against a fresh LIST at resourceVersion {result.version}")
        for difference in result.differences:
            _line("", difference)
    else:
        _line(
            "check",
            f"cache, {len(result.values)} indices and handler equal a fresh LIST at resourceVersion {result.version}",
        )


def _line(title: str, text: str) -> None:
    print(f"{title:<18}{text}")
