"""The demo's cluster, in a process of its own: the embedded API server, and the workload that changes its pods.

The process has a GIL of its own, so nothing it does takes time from the informer. It ends iff it is killed or its
parent is gone.
"""

from __future__ import annotations

import gc
import multiprocessing
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any

from kubeinformer.cli.demo.fleet import SENT_AT, pod_of
from kubeinformer.cli.errors import CommandError
from kubeinformer.testing import APIServer

_REPORT_SECONDS = 0.1
_ANSWER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Written:
    """What the workload has written so far.

    Attributes:
        seeded: pods created before the churn.
        created: pods created by the churn.
        updated: status updates.
        relabelled: label changes.
        deleted: pods deleted.
        done: it has stopped, and these are the last figures.
    """

    seeded: int = 0
    created: int = 0
    updated: int = 0
    relabelled: int = 0
    deleted: int = 0
    done: bool = False

    @property
    def changes(self) -> int:
        """All writes of the churn."""
        return self.created + self.updated + self.relabelled + self.deleted


class Cluster:
    """The parent's end. It belongs to the main thread.

    Attributes:
        url: of the API server.
        written: as of the last `poll`.
    """

    def __init__(self, pods: int, rate: float) -> None:
        """Start the process; blocks until the server listens. It begins to create `pods` pods.

        Raises:
            CommandError: it did not start.
        """
        context = multiprocessing.get_context("spawn")
        self.url = ""
        self.written = Written()
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_main, args=(theirs, pods, rate), name="kubeinformer-demo", daemon=True)
        # Ctrl-C goes to the whole process group, but must only end this process; what is ignored is so by inheritance,
        # from the child's first moment on.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._process.start()
        finally:
            signal.signal(signal.SIGINT, before)
            theirs.close()
        try:
            self._poll_until(lambda: bool(self.url), "start")
        except BaseException:
            self.close()
            raise

    def poll(self, timeout: float) -> None:
        """Wait for `timeout` seconds, or until there is news, and take it in.

        Raises:
            CommandError: the process failed.
        """
        try:
            ready = self._pipe.poll(timeout)
            while ready:
                self._take(self._pipe.recv())
                ready = self._pipe.poll(0)
        except (EOFError, OSError) as error:
            raise CommandError("the demo's cluster ended unexpectedly") from error

    def churn(self) -> None:
        """Begin to change pods. Only when all of them are created."""
        self._pipe.send("churn")

    def stop_churn(self) -> None:
        """Stop changing pods; blocks for the one write that is under way. `written` is final then."""
        self._pipe.send("stop")
        self._poll_until(lambda: self.written.done, "stop")

    def close(self) -> None:
        """End the process, whatever it does."""
        self._pipe.close()
        self._process.kill()
        self._process.join()

    def _take(self, news: object) -> None:
        if isinstance(news, Written):
            self.written = news
        elif isinstance(news, Exception):
            raise CommandError(f"the demo's cluster failed: {type(news).__name__}: {news}")
        else:
            self.url = str(news)

    def _poll_until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _ANSWER_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise CommandError(f"the demo's cluster did not {what} within {_ANSWER_SECONDS:.0f} s")
            self.poll(_REPORT_SECONDS)


def _main(pipe: Connection, pods: int, rate: float) -> None:
    try:
        with APIServer() as server:
            pipe.send(server.url)
            workload = _Workload(pipe, server)
            workload.seed(pods)
            gc.freeze()  # else the collector walks all pods now and then, and events wait 0.1 s for it
            if pipe.recv() == "churn":
                workload.churn(pods, 1 / rate)
            pipe.recv()  # the server is needed until the parent is gone
    except (EOFError, OSError):
        pass
    except Exception as error:
        pipe.send(error)


class _Workload:
    """Writes, counts and reports."""

    def __init__(self, pipe: Connection, server: APIServer) -> None:
        self._pipe = pipe
        self._server = server
        self._random = random.Random(0)
        self._alive: list[dict[str, Any]] = []
        self._next = 0
        self._written = Written()
        self._reported = 0.0

    def seed(self, pods: int) -> None:
        """Create the pods to begin with."""
        for _ in range(pods):
            self._create()
            self._count("seeded")
        self._report()

    def churn(self, pods: int, period: float) -> None:
        """Change pods, one every `period` seconds, until there is word from the parent."""
        due = time.monotonic()
        while not self._pipe.poll(max(0.0, due - time.monotonic())):
            # What a slow machine cannot do in time is not all done at once later.
            due = max(due + period, time.monotonic() - 1.0)
            self._change(pods)
        self._pipe.recv()
        self._written = replace(self._written, done=True)
        self._report()

    def _change(self, pods: int) -> None:
        """One change: mostly of a status, as in a real cluster. The number of pods stays about the same."""
        draw = self._random.random()
        if draw < 0.24:
            # One in two of these is a creation, unless there are too few pods or too many.
            if len(self._alive) < pods or (len(self._alive) == pods and draw < 0.12):
                self._create()
                self._count("created")
            else:
                self._server.delete(self._pick())
                self._alive.pop()
                self._count("deleted")
        elif draw < 0.38:
            labels = self._pick()["metadata"]["labels"]
            labels["track"] = "stable" if labels["track"] == "canary" else "canary"
            self._server.update(_stamped(self._alive[-1]))
            self._count("relabelled")
        else:
            self._pick()["status"]["containerStatuses"][0]["restartCount"] += 1
            self._server.update(_stamped(self._alive[-1]))
            self._count("updated")

    def _create(self) -> None:
        pod = pod_of(self._next)
        self._next += 1
        self._server.create(_stamped(pod))
        # The server has made a uid of its own, and would refuse an update with this one.
        del pod["metadata"]["uid"]
        self._alive.append(pod)

    def _pick(self) -> dict[str, Any]:
        """A pod at random, moved to the end."""
        place = self._random.randrange(len(self._alive))
        self._alive[place], self._alive[-1] = self._alive[-1], self._alive[place]
        return self._alive[-1]

    def _count(self, what: str) -> None:
        self._written = replace(self._written, **{what: getattr(self._written, what) + 1})
        if time.monotonic() - self._reported >= _REPORT_SECONDS:
            self._report()

    def _report(self) -> None:
        self._reported = time.monotonic()
        self._pipe.send(self._written)


def _stamped(pod: dict[str, Any]) -> dict[str, Any]:
    pod["metadata"]["annotations"][SENT_AT] = f"{time.monotonic_ns():020}"
    return pod
