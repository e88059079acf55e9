"""The way of an 8 KB object in stages: what each may cost, and what shows what it costs.

Invariant: a stage's figure is a line that one of the core's own programs prints, or a figure of this results file. A
line that is not printed any more is an error, and not a stage without cost.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benches.cells import Cell

ROOT = Path(__file__).resolve().parents[1]
_CARGO = ("cargo", "run", "--release", "--locked", "--quiet", "--package=kubeinformer-core")
_OURS = ("kubeinformer, LIST", "kubeinformer, watch-list")
_PROGRAMS = {"scan_bench": (), "store_bench": ("100000",)}
"""With their arguments."""

Record = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """One stage; microseconds of CPU time an object."""

    text: str
    budget: float
    command: str
    line: str
    measured: Callable[[Record], float | None]


def _printed(text: str, budget: float, program: str, line: str) -> Stage:
    command = " ".join(["cargo run --release --example", program, *_PROGRAMS[program]])
    return Stage(text, budget, command, line, lambda results: results.get("stages", {}).get(f"{program}: {line}"))


def _peer(case: str, *peers: str) -> Callable[[Record], float | None]:
    def measured(results: Record) -> float | None:
        found = [r["cpu_us"] for r in results.get("wire", []) if r["case"] == case and r["peer"] in peers]
        return min(found, default=None)

    return measured


def _handle(results: Record) -> float | None:
    found = results.get("cells", {}).get("notifications", {}).get("best_per_second")
    return 1e6 / found if found else None


def _look(results: Record) -> float | None:
    cells = results.get("cells", {})
    blind, looking = (cells.get(Cell("watch", reading=reading).name, {}).get("cpu_us") for reading in (0, 1))
    return looking - blind if blind is not None and looking is not None else None


STAGES = (
    Stage("read, and drop", 1.2, "python -m benches.run --only wire --peers reader", "watch", _peer("watch", "reader")),
    _printed(
        "frame and scan: chunks, lines, fields, UTF-8",
        4.3,
        "scan_bench",
        "watch: unchunk + frame + scan, 256 KiB reads",
    ),
    _printed("copy, into memory of its own", 3.0, "scan_bench", "copy, kept (fresh memory from the system)"),
    _printed("values of three indices", 1.0, "scan_bench", "values of 3 index paths"),
    _printed("queue, store, notify", 1.0, "store_bench", "queue, plan, commit, listener 10 % change a value"),
    Stage("handle: two handles and a call", 0.5, "python -m benches.run --cell notifications", "each", _handle),
    Stage("all of a watch event", 11.0, "python -m benches.run --only wire", "watch", _peer("watch", *_OURS)),
    Stage(
        "look into it: decode, only if a handler does",
        25.0,
        "python -m benches.run --only grid:handlers",
        "h1spec1 - h1",
        _look,
    ),
)


def run(core: int) -> Record:
    """Microseconds by program and line; ValueError if a stage has no line."""
    found: Record = {}
    for program, arguments in _PROGRAMS.items():
        output = subprocess.run(
            ["taskset", "--cpu-list", str(core), *_CARGO, f"--example={program}", "--", *arguments],
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
        for line, microseconds in parse(output).items():
            found[f"{program}: {line}"] = microseconds
    gone = [s.line for s in STAGES if s.command.startswith("cargo") and s.measured({"stages": found}) is None]
    if gone:
        raise ValueError(f"the programs do not print {gone}")
    return found


def parse(output: str) -> Record:
    """Microseconds by line, of what ends in a number of microseconds, or in one column of nanoseconds."""
    found: Record = {}
    for line in output.splitlines():
        if match := re.fullmatch(r"(.+?)\s+([\d.]+) us/object", line):
            found[match[1]] = float(match[2])
        elif match := re.fullmatch(r"(.+ change a value)\s+(\d+)", line):
            found[" ".join(match[1].split())] = float(match[2]) / 1000
    return found
