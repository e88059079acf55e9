"""Tables and ratios of a results file: `python -m benches.summary benches/results/FILE.json`.

Invariant: a ratio compares two figures of the same run, and kubeinformer always with the best that a rival reaches:
in a row of the queue and store each rival in whichever mode is fastest for it, on the wire the best repetition.
Of the workqueue each mode is compared with itself, and between threads the medians too, as their luck differs.
A ratio to the msgspec rival counts iff that rival reached MSGSPEC_FLOOR objects a second.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benches import figures

MSGSPEC_FLOOR = 30_000

Record = dict[str, Any]


def condense_store(report: Record) -> list[Record]:
    """Microseconds an update for each side, from a report of pytest-benchmark."""
    return _condense(report, ("row", "mode", "side", "ours"), "updates")


def condense_workqueue(report: Record) -> list[Record]:
    """Microseconds a key for each mode and side, from a report of pytest-benchmark."""
    return _condense(report, ("mode", "side", "ours"), "keys")


def _condense(report: Record, names: tuple[str, ...], units: str) -> list[Record]:
    condensed = []
    for bench in report["benchmarks"]:
        info, stats = bench["extra_info"], bench["stats"]
        record: Record = {name: info[name] for name in names}
        record["best_us"] = stats["min"] / info[units] * 1e6
        record["median_us"] = stats["median"] / info[units] * 1e6
        condensed.append(record)
    return condensed


def condense_wire(runs: list[Record]) -> list[Record]:
    """One record a peer and case, from one record a run."""
    condensed = []
    for case, peer in dict.fromkeys((run["case"], run["peer"]) for run in runs):
        same = [run for run in runs if run["peer"] == peer and run["case"] == case]
        record: Record = {"case": case, "peer": peer, "ours": same[0]["ours"], "runs": len(same)}
        record["best_per_second"] = max(run["per_second"] for run in same)
        record["median_per_second"] = statistics.median(run["per_second"] for run in same)
        record["cpu_us"] = min(run["cpu_seconds"] / run["objects"] for run in same) * 1e6
        for name in ("rss_per_object", "peak_rss_per_object", "stall_ms"):
            if name in same[0]:
                record[name] = statistics.median(run[name] for run in same)
        condensed.append(record)
    return condensed


def ratios(store: Iterable[Record], wire: Iterable[Record]) -> list[Record]:
    """How many times as fast kubeinformer is: more than 1 is faster. Empty as long as it has no side."""
    store, wire = list(store), list(wire)
    found = []
    for mine in (record for record in store if record["ours"]):
        rivals = [record for record in store if record["row"] == mine["row"] and not record["ours"]]
        for side in dict.fromkeys(record["side"] for record in rivals):
            best = min((record for record in rivals if record["side"] == side), key=lambda record: record["best_us"])
            found.append(
                {
                    "what": f"queue and store, {mine['row']}, {mine['mode']}",
                    "ours": mine["side"],
                    "rival": f"{best['side']}, {best['mode']}",
                    "ratio": best["best_us"] / mine["best_us"],
                    "counts": True,
                }
            )
    reached = {record["peer"]: record["best_per_second"] for record in wire if record["case"] == "sync"}
    found += [
        {
            "what": f"wire, {mine['case']}",
            "ours": mine["peer"],
            "rival": rival["peer"],
            "ratio": mine["best_per_second"] / rival["best_per_second"],
            "cpu_ratio": rival["cpu_us"] / mine["cpu_us"],
            "counts": rival["peer"] != "msgspec" or reached["msgspec"] >= MSGSPEC_FLOOR,
        }
        for mine in wire
        for rival in wire
        if mine["ours"] and not rival["ours"] and rival["case"] == mine["case"] and rival["peer"] != "reader"
    ]
    return found


def workqueue_ratios(workqueue: Iterable[Record]) -> list[Record]:
    """The same for the workqueue; with CPU time and medians where threads were measured by the clock on the wall."""
    workqueue = list(workqueue)
    found = []
    for mine in (record for record in workqueue if record["ours"]):
        for rival in (record for record in workqueue if record["mode"] == mine["mode"] and not record["ours"]):
            ratio: Record = {
                "what": f"workqueue, {mine['mode']}",
                "ours": mine["side"],
                "rival": rival["side"],
                "ratio": rival["best_us"] / mine["best_us"],
                "counts": True,
            }
            if "cpu_us" in mine:
                ratio["cpu_ratio"] = rival["cpu_us"] / mine["cpu_us"]
                ratio["median_ratio"] = rival["median_us"] / mine["median_us"]
            found.append(ratio)
    return found


def render(results: Record) -> str:
    """The whole file as text."""
    machine = results["machine"]
    lines = [
        f"{results['date']}  {machine['cpu']}, {machine['cores']} cores, load {machine['load_average'][0]:.1f}"
        f" to {results['load_average_after'][0]:.1f}",
        "  ".join(f"{name} {version}" for name, version in results["versions"].items() if version),
    ]
    if results.get("store"):
        lines += ["", "Queue and store, 3 indices, 10,000 pods: us of CPU an update"]
        lines += _table(
            ("row", "mode", "side", "best", "median"),
            [
                (r["row"], r["mode"], r["side"], f"{r['best_us']:.2f}", f"{r['median_us']:.2f}")
                for r in sorted(results["store"], key=lambda r: (r["row"], r["mode"], r["best_us"]))
            ],
        )
    if results.get("workqueue"):
        lines += ["", "Workqueue, add + get + done: us a key, of CPU in one thread, else by the clock on the wall"]
        lines += _table(
            ("mode", "side", "best", "median", "us CPU each"),
            [
                (
                    *(r["mode"], r["side"], f"{r['best_us']:.3f}", f"{r['median_us']:.3f}"),
                    f"{r['cpu_us']:.3f}" if "cpu_us" in r else "",
                )
                for r in results["workqueue"]
            ],
        )
    if results.get("wire"):
        lines += ["", f"From the socket on, {results['pods']} pods of 8 KB, client on one core"]
        lines += _table(
            ("case", "peer", "best/s", "median/s", "us CPU each", "RSS each", "peak RSS each", "stall ms"),
            [
                (
                    r["case"],
                    r["peer"],
                    f"{r['best_per_second']:,.0f}",
                    f"{r['median_per_second']:,.0f}",
                    f"{r['cpu_us']:.1f}",
                    f"{r['rss_per_object']:,.0f}" if "rss_per_object" in r else "",
                    f"{r['peak_rss_per_object']:,.0f}" if "peak_rss_per_object" in r else "",
                    f"{r['stall_ms']:.1f}" if "stall_ms" in r else "",
                )
                for r in sorted(results["wire"], key=lambda r: (r["case"], -r["best_per_second"]))
            ],
        )
    if results.get("cells"):
        lines += ["", "The grid and single measurements"]
        lines += _table(
            (
                "cell",
                "ms",
                "us CPU each",
                "each/s",
                "kB each",
                "peak MB",
                "stall ms",
                "(without)",
                "read p50 us",
                "p99 us",
            ),
            [_cell(name, record) for name, record in results["cells"].items()],
        )
    if results.get("figures"):
        # Worked out anew: what a figure is made of may have changed since the file was written.
        lines += ["", "What must be reached"]
        lines += _table(
            ("figure", "value", "bound", "aim", "verdict"),
            [
                (
                    row.text,
                    figures.number(row.value, row.unit),
                    figures.number(row.at_least, row.unit),
                    figures.number(row.aim, row.unit),
                    row.verdict,
                )
                for row in figures.rows(results)
            ],
        )
    if results.get("ratios"):
        lines += ["", "kubeinformer against the rivals, in this run"]
        lines += _table(
            ("what", "ours", "rival", "ratio", "by CPU", "medians", ""),
            [
                (
                    r["what"],
                    r["ours"],
                    r["rival"],
                    f"{r['ratio']:.2f}x",
                    f"{r['cpu_ratio']:.2f}x" if "cpu_ratio" in r else "",
                    f"{r['median_ratio']:.2f}x" if "median_ratio" in r else "",
                    "" if r["counts"] else f"does not count: the rival is below {MSGSPEC_FLOOR:,} objects/s",
                )
                for r in results["ratios"]
            ],
        )
    return "\n".join(lines)


def _cell(name: str, record: Record) -> tuple[str, ...]:
    if said := record.get("error") or record.get("unsupported"):
        return (name, *[""] * 8, said)
    peak = record.get("peak_rss_bytes")
    return (
        name,
        _figure(record.get("seconds"), 3, 0.001),
        _figure(record.get("cpu_us"), 1),
        _figure(record.get("best_per_second"), 0),
        _figure(record.get("rss_per_object"), 2, 1000),
        _figure(peak, 0, 1e6),
        _figure(record.get("stall_ms"), 1),
        _figure(record.get("baseline_stall_ms"), 1),
        _figure(record.get("reader_p50_us"), 1),
        _figure(record.get("reader_p99_us"), 1),
    )


def _figure(value: float | None, digits: int, divisor: float = 1) -> str:
    return "" if value is None else f"{value / divisor:,.{digits}f}"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    numeric = [all(row[column][:1].isdigit() or not row[column] for row in rows) for column in range(len(head))]
    return [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in [head, *rows]
    ]


if __name__ == "__main__":
    print(render(json.loads(Path(sys.argv[1]).read_text())))
