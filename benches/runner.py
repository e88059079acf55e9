"""Runs servers and clients, each a process of its own on a core of its own.

Invariant: no process outlives its time, and none that failed ends the run: what happened is in its record.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3

from benches import native_peers
from benches.cells import OURS, Cell
from benches.pods import Kilobytes
from benches.wire_streams import STREAMS

ROOT = Path(__file__).resolve().parents[1]
_CORES = sorted(os.sched_getaffinity(0))
CLIENT_CORE = _CORES[0]
SERVER_CORE = _CORES[-1]
SECONDS = 300
"""How long a measurement may take."""

Record = dict[str, Any]
Failure = (subprocess.CalledProcessError, subprocess.TimeoutExpired, FileNotFoundError, ValueError)
"""What a measurement that did not come to its end raises."""


def python(module: str, *arguments: str, timeout: float = SECONDS) -> Record:
    """The JSON that a module prints, whose process has the client's core to itself."""
    output = subprocess.run(
        [sys.executable, "-m", module, *arguments, f"--core={CLIENT_CORE}"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=timeout,
    )
    printed: Record = json.loads(output.stdout)
    return printed


@contextmanager
def wire_server(
    pods: int,
    events: int,
    kilobytes: Kilobytes = 8,
    streams: Sequence[str] = STREAMS,
    protobuf: Path | None = None,
) -> Iterator[str]:
    """The address of a server of its own process and core."""
    command = [sys.executable, "-m", "benches.wire_server", f"--pods={pods}", f"--events={events}"]
    command += [f"--kilobytes={kilobytes}", f"--core={SERVER_CORE}", "--streams", *streams]
    if protobuf is not None:
        command.append(f"--protobuf={protobuf}")
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())["url"]
        finally:
            server.stdin.close()


def touch_memory(objects: int, kilobytes: int) -> None:
    """Memory for what is measured next, whoever it is: see `benches.touch`."""
    mebibytes = objects * kilobytes * 3 // 1024 + 128
    command = [sys.executable, "-m", "benches.touch", str(mebibytes)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=SECONDS)


def server_cpu(url: str) -> float:
    """Seconds since the server began."""
    return float(urllib3.request("GET", f"{url}/bench/usage", retries=False, timeout=60).json()["cpu_seconds"])


def peer(name: str, case: str, url: str, pods: int, events: int) -> Record:
    """One run of a peer of the wire benchmark, whatever it is written in."""
    touch_memory(pods, 8)
    if name in native_peers.PEERS:
        return native_peers.measure(name, case, url, pods, events, core=CLIENT_CORE, timeout=SECONDS)
    return python("benches.peer_run", name, case, url, f"--pods={pods}", f"--events={events}")


def cell(cell: Cell, url: str) -> Record:
    """One run of a cell, with the CPU time that the server spent on each object of it."""
    before = server_cpu(url)
    if cell.peer == OURS:
        touch_memory(cell.objects, cell.kilobytes)
        found = python("benches.cell_run", cell.name, url)
    else:
        case = "watch" if cell.way == "watch" else "sync"
        found = peer(cell.peer, case, url, cell.objects, cell.events)
    if "objects" in found:
        sent = cell.objects + (cell.events if cell.way == "watch" else 0)
        found["server_cpu_us"] = (server_cpu(url) - before) / sent * 1e6
    return found
