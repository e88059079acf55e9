"""The demo's other half, in a process of its own: it fills the API server with pods, and then changes them.

It is an ordinary client that writes over HTTP, one request at a time, so what the informer sees is what a cluster's
controllers and kubelets would do. It ends iff it is told to or its parent is gone.
"""

from __future__ import annotations

import http.client
import multiprocessing
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import urlsplit

import orjson

from kubeinformer.cli.demo.fleet import NAMESPACES, SENT_AT, pod_of
from kubeinformer.cli.errors import CommandError
from kubeinformer.testing.objects import namespace

_REPORT_SECONDS = 0.1
_STOP_SECONDS = 10.0


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


@contextmanager
def undisturbed_by_ctrl_c() -> Iterator[None]:
    """Processes that are started within the block never get SIGINT: when they end is for this one to say.

    A Ctrl-C of this moment acts at the end of the block.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Workload:
    """The parent's end. It belongs to one thread.

    Attributes:
        written: as of the last `poll`.
    """

    def __init__(self, url: str, pods: int, rate: float) -> None:
        """Start the process, which begins to create `pods` pods at `url`."""
        context = multiprocessing.get_context("spawn")
        self.written = Written()
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_main, args=(theirs, url, pods, rate), daemon=True)
        with undisturbed_by_ctrl_c():
            self._process.start()
        theirs.close()

    def poll(self, timeout: float) -> None:
        """Wait for `timeout` seconds, or until there is news, and take it in.

        Raises:
            CommandError: the process failed.
        """
        try:
            ready = self._pipe.poll(timeout)
            while ready:
                news = self._pipe.recv()
                if isinstance(news, str):
                    raise CommandError(f"the demo's workload failed: {news}")
                self.written = news
                ready = self._pipe.poll(0)
        except (EOFError, OSError) as error:
            raise CommandError("the demo's workload ended unexpectedly") from error

    def churn(self) -> None:
        """Begin to change pods. Only when all of them are created."""
        self._pipe.send("churn")

    def stop(self) -> None:
        """Stop changing pods; blocks for the one write that is under way. `written` is final then."""
        self._pipe.send("stop")
        deadline = time.monotonic() + _STOP_SECONDS
        while not self.written.done:
            if time.monotonic() > deadline:
                raise CommandError(f"the demo's workload did not stop within {_STOP_SECONDS:.0f} s")
            self.poll(_REPORT_SECONDS)

    def close(self) -> None:
        """End the process, whatever it does."""
        self._pipe.close()
        self._process.kill()
        self._process.join()


def _main(pipe: Connection, url: str, pods: int, rate: float) -> None:
    try:
        _Writer(pipe, url).run(pods, rate)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the parent, or with it the server, is gone
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}")


class _Writer:
    """Writes, counts and reports."""

    def __init__(self, pipe: Connection, url: str) -> None:
        self._pipe = pipe
        self._http = http.client.HTTPConnection(urlsplit(url).netloc)
        self._random = random.Random(0)
        self._alive: list[dict[str, Any]] = []
        self._next = 0
        self._written = Written()
        self._reported = 0.0

    def run(self, pods: int, rate: float) -> None:
        """All of it: create, wait for "churn", change until "stop"."""
        for name in NAMESPACES:
            self._request("POST", "/api/v1/namespaces", namespace(name))
        for _ in range(pods):
            self._create()
            self._count("seeded")
        self._report()
        if self._pipe.recv() == "churn":
            self._churn(pods, 1 / rate)
        self._written = replace(self._written, done=True)
        self._report()

    def _churn(self, pods: int, period: float) -> None:
        due = time.monotonic()
        while True:
            wait = due - time.monotonic()
            if self._pipe.poll(max(0.0, wait)):
                return
            # A server that cannot keep up is not given everything at once later.
            due = max(due + period, time.monotonic() - 1.0)
            self._change(pods)

    def _change(self, pods: int) -> None:
        """One change: mostly of a status, as in a real cluster; the number of pods stays about the same."""
        draw = self._random.random()
        if draw < 0.12 or not self._alive:
            if len(self._alive) <= pods:
                self._create()
                self._count("created")
            else:
                self._delete()
                self._count("deleted")
        elif draw < 0.24:
            self._delete()
            self._count("deleted")
        elif draw < 0.38:
            labels = self._pick()["metadata"]["labels"]
            labels["track"] = "stable" if labels["track"] == "canary" else "canary"
            self._put()
            self._count("relabelled")
        else:
            self._pick()["status"]["containerStatuses"][0]["restartCount"] += 1
            self._put()
            self._count("updated")

    def _create(self) -> None:
        pod = pod_of(self._next)
        self._next += 1
        self._alive.append(pod)
        self._request("POST", _collection(pod), self._stamped(pod))

    def _pick(self) -> dict[str, Any]:
        """A pod at random, now the last one."""
        place = self._random.randrange(len(self._alive))
        self._alive[place], self._alive[-1] = self._alive[-1], self._alive[place]
        return self._alive[-1]

    def _put(self) -> None:
        pod = self._alive[-1]
        # The server has its own uid for the pod and would refuse another one.
        pod["metadata"].pop("uid", None)
        self._request("PUT", f"{_collection(pod)}/{pod['metadata']['name']}", self._stamped(pod))

    def _delete(self) -> None:
        pod = self._pick()
        self._alive.pop()
        self._request("DELETE", f"{_collection(pod)}/{pod['metadata']['name']}", None)

    def _stamped(self, pod: dict[str, Any]) -> dict[str, Any]:
        pod["metadata"]["annotations"][SENT_AT] = f"{time.monotonic_ns():020}"
        return pod

    def _request(self, method: str, path: str, body: dict[str, Any] | None) -> None:
        data = None if body is None else orjson.dumps(body)
        self._http.request(method, path, data, {"Content-Type": "application/json"})
        response = self._http.getresponse()
        answer = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {answer[:300].decode('utf-8', 'replace')}")

    def _count(self, what: str) -> None:
        self._written = replace(self._written, **{what: getattr(self._written, what) + 1})
        if time.monotonic() - self._reported >= _REPORT_SECONDS:
            self._report()

    def _report(self) -> None:
        self._reported = time.monotonic()
        self._pipe.send(self._written)


def _collection(pod: dict[str, Any]) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods"
