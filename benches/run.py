"""All benchmarks, one after the other: `python -m benches.run` prints the tables and writes `benches/results/`.

Invariant: everything that a ratio compares is measured here in one run, on the same cores, rivals and kubeinformer in
turn, so that what disturbs the machine disturbs all of them.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benches import machine, ours, peers, prepared, summary

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benches" / "results"
_CORES = sorted(os.sched_getaffinity(0))
CLIENT_CORE = _CORES[0]
SERVER_CORE = _CORES[-1]
SLOW_RUNS = 2
SLOW_EVENTS = 5_000


def run_store() -> list[dict[str, Any]]:
    """Queue and store, on the client's core."""
    return [*summary.condense_store(_pytest("benches/test_store.py")), *prepared.measure(CLIENT_CORE)]


def run_workqueue() -> list[dict[str, Any]]:
    """The workqueue: one thread on the client's core, then many on all of them."""
    alone = summary.condense_workqueue(_pytest("benches/test_workqueue.py"))
    output = subprocess.run(
        [sys.executable, "-m", "benches.workqueue_threads"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    return [*alone, *json.loads(output.stdout)]


def _pytest(file: str) -> dict[str, Any]:
    """The file's report, timed in CPU time: a neighbour on the core is not this program's cost."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        subprocess.run(
            [
                *(sys.executable, "-m", "pytest", file, "-q", "--timeout=0"),
                *("--benchmark-enable", "--benchmark-timer=time.process_time"),
                *("--benchmark-columns=min,median,max", f"--benchmark-json={report}"),
            ],
            cwd=ROOT,
            check=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {CLIENT_CORE}),
        )
        read: dict[str, Any] = json.loads(report.read_text())
        return read


@contextmanager
def wire_server(pods: int, events: int) -> Iterator[str]:
    """The address of a server of its own process and core."""
    command = (sys.executable, "-m", "benches.wire_server", f"--pods={pods}", f"--events={events}")
    with subprocess.Popen(
        [*command, f"--core={SERVER_CORE}"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())["url"]
        finally:
            server.stdin.close()


def run_wire(names: list[str], runs: int, pods: int, events: int) -> list[dict[str, Any]]:
    """Every peer and case in a fresh process, `runs` times in turn; the slow ones less often and with fewer events."""
    done: list[dict[str, Any]] = []
    with wire_server(pods, events) as url:
        for turn in range(runs):
            for name in names:
                slow = name in peers.SLOW
                if slow and turn >= SLOW_RUNS:
                    continue
                for case in ("sync", "watch"):
                    result = measure(name, case, url, pods, min(events, SLOW_EVENTS) if slow else events)
                    done.append({**result, "peer": name, "ours": name in ours.PEER_NAMES})
                    print(f"  {turn + 1}/{runs} {name} {case}: {result['per_second']:,.0f}/s", file=sys.stderr)
    return done


def measure(name: str, case: str, url: str, pods: int, events: int) -> dict[str, Any]:
    """One run of `peer_run`; CalledProcessError if the peer failed a check, which it says on standard error."""
    command = (sys.executable, "-m", "benches.peer_run", name, case, url, f"--pods={pods}", f"--events={events}")
    output = subprocess.run(
        [*command, f"--core={CLIENT_CORE}"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    measured: dict[str, Any] = json.loads(output.stdout)
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description="Runs the benchmarks of kubeinformer and of its rivals.")
    parser.add_argument("--only", choices=("store", "workqueue", "wire"), help="one of the benchmarks")
    parser.add_argument("--peers", nargs="+", help="only these peers on the wire")
    parser.add_argument("--runs", type=int, default=5, help="how often each peer is measured on the wire")
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=30_000)
    parser.add_argument("--out", type=Path, help="the results file, in place of one named by date and machine")
    arguments = parser.parse_args()
    before = machine.describe()
    names = arguments.peers or [*peers.NAMES, *ours.PEER_NAMES]
    store = run_store() if arguments.only in (None, "store") else []
    workqueue = run_workqueue() if arguments.only in (None, "workqueue") else []
    wire_wanted = arguments.only in (None, "wire")
    runs = run_wire(names, arguments.runs, arguments.pods, arguments.events) if wire_wanted else []
    wire = summary.condense_wire(runs)
    today = datetime.date.today().isoformat()
    results = {
        "date": today,
        "machine": before,
        "load_average_after": os.getloadavg(),
        "versions": machine.versions(),
        "pods": arguments.pods,
        "events": arguments.events,
        "store": store,
        "workqueue": workqueue,
        "wire": wire,
        "ratios": [*summary.ratios(store, wire), *summary.workqueue_ratios(workqueue)],
        "wire_runs": runs,
    }
    path = arguments.out or RESULTS / f"{today}-{machine.slug(before)}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")
    print(summary.render(results))
    print(f"\nwritten to {path}")


if __name__ == "__main__":
    main()
