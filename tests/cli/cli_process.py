"""Runs the command line as its users do: in a process, with a home directory that holds nothing.

A read waits until the line is there, for 30 s at most, never for a guessed time.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PATIENCE = 30.0
COMMAND = [sys.executable, "-m", "kubeinformer"]


def environment(home: Path) -> dict[str, str]:
    """This process's environment without what changes how commands find a cluster, or buffer their output."""
    hidden = ("KUBE", "PYTHONUNBUFFERED", "FORCE_COLOR")
    ours = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
    return {**ours, "HOME": str(home)}


def run(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**environment(home), **variables},
    )


@dataclass
class Ended:
    """How a process ended: status, what was left of its output, seconds since the signal."""

    status: int
    stdout: list[str]
    stderr: list[str]
    seconds: float


class Running:
    """A command that runs until it is stopped."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(home),
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._out = _Lines(self.process.stdout)
        self._err = _Lines(self.process.stderr)

    def line(self) -> str:
        """The next line of stdout."""
        return self._out.next()

    def lines(self, count: int) -> list[str]:
        return [self.line() for _ in range(count)]

    def message(self) -> str:
        """The next line of stderr."""
        return self._err.next()

    def interrupt(self) -> Ended:
        """Send what a terminal sends for Ctrl-C, and wait for the end."""
        start = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        return self.wait(start)

    def wait(self, start: float | None = None) -> Ended:
        start = time.monotonic() if start is None else start
        status = self.process.wait(PATIENCE)
        seconds = time.monotonic() - start
        return Ended(status, self._out.rest(), self._err.rest(), seconds)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class _Lines:
    """Lines of a stream, read by a thread so that waiting for one has an end."""

    def __init__(self, stream: IO[str]) -> None:
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    def next(self) -> str:
        line = self._queue.get(timeout=PATIENCE)
        assert line is not None, "the output ended"
        return line

    def rest(self) -> list[str]:
        self._thread.join(PATIENCE)
        left = []
        while not self._queue.empty():
            line = self._queue.get()
            if line is not None:
                left.append(line)
        return left
