"""What the workqueue tests share: waiting on conditions, threads that must end, taking all, a forked child."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kubeinformer.workqueue import Queue

TIMEOUT = 20.0


def eventually(condition: Callable[[], Any], what: str, timeout: float = TIMEOUT) -> Any:
    """Wait until `condition` gives something true, and return that."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not in {timeout} s: {what}"
        time.sleep(0.002)
    return value


@contextmanager
def threads(*runs: Callable[[], object]) -> Iterator[list[threading.Thread]]:
    """Run functions on threads meanwhile; they must have ended some time after the block, and raised nothing."""
    errors: list[BaseException] = []

    def run(function: Callable[[], object]) -> None:
        try:
            function()
        except BaseException as error:
            errors.append(error)

    started = [threading.Thread(target=run, args=(function,), daemon=True) for function in runs]
    for thread in started:
        thread.start()
    yield started
    deadline = time.monotonic() + TIMEOUT
    for thread in started:
        thread.join(max(0.0, deadline - time.monotonic()))
    if errors:
        raise errors[0]
    assert not any(thread.is_alive() for thread in started), "a thread hangs"


def taken(queue: Queue[Any]) -> list[Any]:
    """Take and finish whatever can be taken, in order."""
    items = []
    while len(queue):
        with queue.item(timeout=0) as item:
            items.append(item)
    return items


def in_child(check: Callable[[], None]) -> None:
    """Run `check` in a forked child, for 20 s at most; what it raises fails the test."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(read)
            check()
            status = 0
        except BaseException:
            os.write(write, traceback.format_exc().encode()[:60_000])
        finally:
            os._exit(status)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        # The child may hang before its first line: it ends when its end of the pipe is closed, or here.
        ended, _, _ = select.select([pipe], [], [], 20)
        if not ended:
            os.kill(child, signal.SIGKILL)
        report = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    assert status == 0, report or f"the child hung or was ended: {status}"
