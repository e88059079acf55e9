"""All benchmarks, one after the other: `python -m benches.run` prints the tables and writes `benches/results/`.

Invariant: everything that a ratio compares is measured here in one run, on the same cores, rivals and kubeinformer in
turn, so that what disturbs the machine disturbs all of them. What is measured is in the file at once; `--resume` goes
on with what is missing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benches import cells, figures, native_peers, ours, peers, prepared, runner, stages, summary
from benches.cells import OURS, Cell
from benches.figure_run import MEASUREMENTS
from benches.results_file import ResultsFile, condense
from benches.runner import CLIENT_CORE, ROOT

SLOW_RUNS = 2
SLOW_EVENTS = 5_000
SLOW = peers.SLOW | {"client-go JSON"}
SECTIONS = ("store", "workqueue", "stages", "wire", "grid", "figures")

Record = dict[str, Any]


def run_store() -> list[Record]:
    """Queue and store, on the client's core."""
    return [*summary.condense_store(_pytest("benches/test_store.py")), *prepared.measure(CLIENT_CORE)]


def run_workqueue() -> list[Record]:
    """The workqueue: one thread on the client's core, then many on all of them."""
    alone = summary.condense_workqueue(_pytest("benches/test_workqueue.py"))
    output = subprocess.run(
        [sys.executable, "-m", "benches.workqueue_threads"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    return [*alone, *json.loads(output.stdout)]


def _pytest(file: str) -> Record:
    """The file's report, timed in CPU time: a neighbour on the core is not this program's cost."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        subprocess.run(
            [
                *("taskset", "--cpu-list", str(CLIENT_CORE)),
                *(sys.executable, "-m", "pytest", file, "-q", "--timeout=0"),
                *("--benchmark-enable", "--benchmark-timer=time.process_time"),
                *("--benchmark-columns=min,median,max", f"--benchmark-json={report}"),
            ],
            cwd=ROOT,
            check=True,
        )
        read: Record = json.loads(report.read_text())
        return read


def run_wire(names: Sequence[str], runs: int, pods: int, events: int) -> list[Record]:
    """Every peer and case in a fresh process, `runs` times in turn; the slow ones less often and with fewer events."""
    done: list[Record] = []
    protobuf = any(name.startswith("client-go protobuf") for name in names)
    file = native_peers.protobuf_file(pods, events, watch_list=True) if protobuf else None
    with runner.wire_server(pods, events, protobuf=file) as url:
        for turn, name, case in itertools.product(range(runs), names, ("sync", "watch")):
            if name in SLOW and turn >= SLOW_RUNS:
                continue
            try:
                result = runner.peer(name, case, url, pods, min(events, SLOW_EVENTS) if name in SLOW else events)
            except runner.Failure as failure:
                print(f"  {name} {case}: {failure}", file=sys.stderr)
                continue
            done.append({**result, "peer": name, "ours": name in ours.PEER_NAMES})
            print(f"  {turn + 1}/{runs} {name} {case}: {result['per_second']:,.0f}/s", file=sys.stderr)
    return done


def run_cells(results: ResultsFile, wanted: Sequence[Cell], runs: int, late: Callable[[], bool]) -> None:
    """The cells that the file lacks; those that need the same server share one."""
    missing = [cell for cell in wanted if not results.has_cell(cell.name)]
    for _, group in itertools.groupby(missing, key=lambda cell: (cell.objects, cell.kilobytes, cell.peer == OURS)):
        together = list(group)
        if late():
            return
        try:
            _run_group(results, together, runs, late)
        except runner.Failure as failure:
            for cell in together:
                if not results.has_cell(cell.name):
                    _failed(results, cell.name, failure)


def _run_group(results: ResultsFile, together: Sequence[Cell], runs: int, late: Callable[[], bool]) -> None:
    """Cells with the same objects, all of kubeinformer or all of rivals."""
    objects, kilobytes = together[0].objects, together[0].kilobytes
    events = max((cell.events for cell in together if cell.way == "watch"), default=0)
    streams = {"list": "list", "watchlist": "initial", "watch": "list"}
    needed = {streams[cell.way] for cell in together} | ({"live"} if events else set())
    protobuf = any(cell.peer == "client-go protobuf" for cell in together)
    file = native_peers.protobuf_file(objects, events, kilobytes) if protobuf else None
    with runner.wire_server(objects, events, kilobytes, sorted(needed), file) as url:
        for cell in together:
            if not late():
                slow = cell.peer in SLOW or (cell.peer != OURS and objects > 10_000)
                # Whoever shares the core with somebody is measured more often.
                times = 1 if slow else runs if cell.beside == "idle" else 2 * runs
                _put(results, cell.name, times, partial(runner.cell, cell, url))


def run_figures(results: ResultsFile, names: Sequence[str], runs: int, late: Callable[[], bool]) -> None:
    """The measurements outside the grid that the file lacks."""
    for name in names:
        if results.has_cell(name) or late():
            continue
        server = MEASUREMENTS[name].server
        if server is None:
            _put(results, name, 1, partial(runner.python, "benches.figure_run", name, ""))
            continue
        events = server.events if server.way == "watch" else 0
        try:
            with runner.wire_server(server.objects, events, server.kilobytes, MEASUREMENTS[name].streams) as url:
                _put(results, name, runs, partial(runner.python, "benches.figure_run", name, url))
        except runner.Failure as failure:
            _failed(results, name, failure)


def _put(results: ResultsFile, name: str, runs: int, measure: Callable[[], Record]) -> None:
    """Measure, condense and note, also that it failed."""
    try:
        done = [measure() for _ in range(runs)]
    except runner.Failure as failure:
        _failed(results, name, failure)
        return
    record = condense(done)
    results.put_cell(name, {**record, "each": done} if "unsupported" not in record else record)
    said = record.get("unsupported") or f"{record.get('cpu_us', record.get('seconds', 0) * 1e6):,.2f} us"
    print(f"  {name}: {said}", file=sys.stderr)


def _failed(results: ResultsFile, name: str, failure: Exception) -> None:
    print(f"  {name}: {failure}", file=sys.stderr)
    results.put_cell(name, {"error": str(failure)})


def main() -> None:
    parser = argparse.ArgumentParser(description="Runs the benchmarks of kubeinformer and of its rivals.")
    only = [*SECTIONS, *(f"grid:{axis}" for axis in cells.AXES)]
    parser.add_argument("--only", choices=only, help="one of the benchmarks, or one axis of the grid")
    parser.add_argument("--cell", help="one cell of the grid, or one measurement, by its name; measured again")
    parser.add_argument("--full", action="store_true", help="every pair of axes of the grid: hours")
    parser.add_argument("--peers", nargs="+", help="only these peers on the wire")
    parser.add_argument("--runs", type=int, default=5, help="how often each peer is measured on the wire")
    parser.add_argument("--cell-runs", type=int, default=3, help="how often each cell is measured")
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=30_000)
    parser.add_argument("--out", type=Path, help="the results file, in place of one named by date and machine")
    parser.add_argument("--resume", action="store_true", help="keep what the results file has, measure the rest")
    parser.add_argument("--minutes", type=float, default=60.0, help="begin nothing after so many minutes")
    arguments = parser.parse_args()
    results = ResultsFile(arguments.out, resume=arguments.resume or arguments.cell is not None)
    _run(arguments, results)
    content = results.content
    wire = summary.condense_wire(content.get("wire_runs", []))
    results.put("wire", wire)
    store, workqueue = content.setdefault("store", []), content.setdefault("workqueue", [])
    results.put("ratios", [*summary.ratios(store, wire), *summary.workqueue_ratios(workqueue)])
    results.put("figures", [row.as_record() for row in figures.rows(content)])
    print(summary.render(content))
    print(f"\nwritten to {results.path}")


def _run(arguments: argparse.Namespace, results: ResultsFile) -> None:
    begin = time.monotonic()
    only: str | None = arguments.only

    def late() -> bool:
        return bool(time.monotonic() - begin > arguments.minutes * 60)

    if arguments.cell is not None:
        results.content["cells"].pop(arguments.cell, None)
        if arguments.cell in MEASUREMENTS:
            run_figures(results, [arguments.cell], arguments.cell_runs, late)
        else:
            run_cells(results, [cells.parse(arguments.cell)], arguments.cell_runs, late)
        return
    alone: dict[str, Callable[[], Any]] = {
        "store": run_store,
        "workqueue": run_workqueue,
        "stages": partial(stages.run, CLIENT_CORE),
    }
    for section, measure in alone.items():
        if only in (None, section) and not results.has(section):
            try:
                results.put(section, measure())
            except runner.Failure as failure:
                print(f"  {section}: {failure}", file=sys.stderr)
    if only in (None, "wire") and not results.has("wire_runs"):
        names = arguments.peers or [*peers.NAMES, *native_peers.available(), *ours.available()]
        results.put("pods", arguments.pods)
        results.put("events", arguments.events)
        try:
            results.put("wire_runs", run_wire(names, arguments.runs, arguments.pods, arguments.events))
        except runner.Failure as failure:
            print(f"  wire: {failure}", file=sys.stderr)
    if only in (None, "figures"):
        run_figures(results, list(MEASUREMENTS), arguments.cell_runs, late)
    if only in (None, "figures", "grid") or (only or "").startswith("grid:"):
        axis = {"figures": "figures"}.get(only or "", (only or "").removeprefix("grid:"))
        chosen = cells.full() if arguments.full else cells.default([axis] if axis in cells.AXES else cells.AXES)
        there = [cell for cell in chosen if cell.peer not in native_peers.PEERS or _is_there(cell.peer)]
        run_cells(results, there, arguments.cell_runs, late)


def _is_there(peer: str) -> bool:
    return native_peers.build(native_peers.PEERS[peer].program) is not None


if __name__ == "__main__":
    main()
