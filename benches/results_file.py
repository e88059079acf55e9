"""The file of one run: written after every step, so that a run which was cut short goes on where it stood.

Invariant: the file is always whole (it is replaced, never changed), and everything in it was measured with the same
versions on the same machine: `resume` refuses what was not.
"""

from __future__ import annotations

import datetime
import json
import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benches import machine

RESULTS = Path(__file__).resolve().parent / "results"
_SAME = ("python", "kubeinformer", "commit")

Record = dict[str, Any]


def _clean(version: str | None) -> str | None:
    """Without the mark of a changed tree: the file itself changes it."""
    return version.removesuffix("-dirty") if version else version


class ResultsFile:
    """Sections of a run, and `cells` by name."""

    def __init__(self, path: Path | None, *, resume: bool) -> None:
        now, here = datetime.date.today().isoformat(), machine.describe()
        self.path = path or RESULTS / f"{now}-{machine.slug(here)}.json"
        self.content: Record = {"date": now, "machine": here, "versions": machine.versions(), "cells": {}}
        if resume and self.path.is_file():
            before = json.loads(self.path.read_text())
            for name in _SAME:
                found, is_now = (
                    _clean(versions.get(name)) for versions in (before["versions"], self.content["versions"])
                )
                if found != is_now:
                    raise ValueError(f"{self.path} was made with {name} {found}, and now it is {is_now}")
            self.content = {"cells": {}, **before}

    def has(self, section: str) -> bool:
        """Whether there are records of it."""
        return bool(self.content.get(section))

    def has_cell(self, name: str) -> bool:
        """Whether it was measured, or cannot be; one that failed is measured again."""
        return "error" not in self.content["cells"].get(name, {"error": ""})

    def put(self, section: str, records: Any) -> None:
        self.content[section] = records
        self._write()

    def put_cell(self, name: str, record: Record) -> None:
        self.content["cells"][name] = record
        self._write()

    def _write(self) -> None:
        self.content["load_average_after"] = os.getloadavg()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_suffix(".part")
        unfinished.write_text(json.dumps(self.content, indent=1) + "\n")
        unfinished.replace(self.path)


def newest(folder: Path = RESULTS) -> Path:
    """The results file of the last date; FileNotFoundError if there is none."""
    found = sorted(folder.glob("*.json"))
    if not found:
        raise FileNotFoundError(f"no results in {folder}: run `make bench`")
    return found[-1]


def condense(runs: Sequence[Record]) -> Record:
    """One record of several runs: of each number the median, and beside it what is best or worst where that matters."""
    if "unsupported" in runs[0]:
        return dict(runs[0])
    record: Record = {"runs": len(runs)}
    for name in dict.fromkeys(name for run in runs for name in run):
        values = [run[name] for run in runs if isinstance(run.get(name), int | float)]
        if values:
            record[name] = statistics.median(values)
    if "per_second" in record:
        record["best_per_second"] = max(run["per_second"] for run in runs)
    if "cpu_seconds" in record:
        record["cpu_us"] = min(run["cpu_seconds"] / run["objects"] for run in runs) * 1e6
    if "stall_ms" in record:
        record["worst_stall_ms"] = max(run["stall_ms"] for run in runs)
    return record
