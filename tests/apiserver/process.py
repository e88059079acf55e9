"""One server process with a log file: it runs iff it was started, not stopped since, and this interpreter lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_GUARD = Path(__file__).with_name("guard.py")


class StartError(Exception):
    """A server ended or did not get ready in time; the message holds the end of its log."""


class ServerProcess:
    """A program that can be started, killed, paused and started again with the same command line."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline = -1

    @property
    def running(self) -> bool:
        """Tell whether the process exists (a paused one does)."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Return the process id; RuntimeError when it is not running."""
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"{self.name} is not running")
        return self._process.pid

    def start(self, ready: Callable[[], bool], timeout: float) -> None:
        """Start the program and block until ``ready()`` is true, at most ``timeout`` seconds.

        Raises StartError otherwise, and the process is gone then; RuntimeError when it is running already.
        """
        if self.running:
            raise RuntimeError(f"{self.name} is running already")
        self.kill()  # One that ended by itself still has its pipe.
        guard_end, self._lifeline = os.pipe()
        try:
            with self.log.open("ab") as log:
                # A session of its own, so that Ctrl-C in the terminal reaches the tests and not the servers below them.
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(_GUARD), *self._command],
                    stdin=guard_end,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        finally:
            os.close(guard_end)
        try:
            self._wait_until(ready, timeout)
        except BaseException:
            self.kill()
            raise

    def _wait_until(self, ready: Callable[[], bool], timeout: float) -> None:
        assert self._process is not None
        deadline = time.monotonic() + timeout
        while not ready():
            if (code := self._process.poll()) is not None:
                raise StartError(f"{self.name} ended with code {code}; the end of its log:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise StartError(f"{self.name} not ready after {timeout} s; the end of its log:\n{self.log_tail()}")
            time.sleep(0.05)

    def kill(self, sig: signal.Signals = signal.SIGKILL, timeout: float = 90.0) -> None:
        """Send ``sig`` and block until the process has ended; nothing happens when it is not running.

        Raises subprocess.TimeoutExpired when it is still there after ``timeout`` seconds (then SIGKILL has been sent).
        """
        if self._process is None:
            return
        try:
            self._process.send_signal(sig)
            # A paused process acts on no signal but SIGKILL until it goes on.
            self._process.send_signal(signal.SIGCONT)
            self._process.wait(timeout)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._process = None
            os.close(self._lifeline)

    def pause(self) -> None:
        """Stop the process where it is (SIGSTOP): its connections stay open and silent. RuntimeError if not running.

        Blocks until all of its threads stand still, which on a busy machine is later than the signal.
        """
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Let a paused process go on (SIGCONT). RuntimeError when it is not running."""
        os.kill(self.pid, signal.SIGCONT)

    def log_tail(self, lines: int = 40) -> str:
        """Return the last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
