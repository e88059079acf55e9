"""kubeinformer's side of the row `prepared`: the core's own queue and store, driven by a program of the core.

Invariant: it gets the very updates that the other sides get, and its index by node is checked the same way. An object
with its key and index values at hand never crosses into Python in kubeinformer, so Python is not what drives it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from benches.versions import Rounds

ROOT = Path(__file__).resolve().parents[1]


def measure(core: int, pods: int = 10_000, rounds: int = 4) -> list[dict[str, Any]]:
    """One record a mode, as `summary.condense_store` makes them for the other sides."""
    updates = Rounds(pods, rounds)
    everything = [updates.initial, *updates.rounds]
    lines = ["\n".join("\t".join((one.key, *one.values)) for one in versions) for versions in everything]
    cargo = ["cargo", "run", "--release", "--locked", "--quiet", "--package=kubeinformer-core"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "updates.tsv"
        file.write_text("\n\n".join(lines))
        output = subprocess.run(
            [*cargo, "--example=queue_store_bench", "--", str(file)],
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        ).stdout
    measured = json.loads(output)
    last = updates.rounds[(measured["rounds"] - 1) % rounds]
    if measured["nodes"] != Counter(version.values[1] for version in last):
        raise AssertionError("the index by node is not what the updates say")
    return [
        {
            "row": "prepared",
            "mode": mode,
            "side": "kubeinformer's core",
            "ours": True,
            "best_us": min(measured[mode]) / 1000,
            "median_us": statistics.median(measured[mode]) / 1000,
        }
        for mode in ("single", "batched")
    ]
