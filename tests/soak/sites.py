"""The two servers of a soak and what is done to them: when a fault's method returns, the server is well again.

Faults take one or two seconds. Writers go on meanwhile, as far as they can.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from kubernetes.client import ApiClient

from apiserver.binaries import Binaries
from apiserver.cluster import Cluster
from kubeinformer.testing import APIServer

Fault = Callable[[random.Random], object]


class Site(Protocol):
    """A server that runs until `close`.

    Attributes:
        name: "embedded" or "real".
        faults: by name.
    """

    name: str
    faults: Mapping[str, Fault]

    def api_client(self) -> ApiClient:
        """A client that the caller closes."""

    def mend(self) -> None:
        """Take back what a fault has left for requests to come."""

    def close(self) -> None:
        """End the server."""


class Embedded:
    """The embedded server, in a process of its own."""

    name = "embedded"

    def __init__(self) -> None:
        before = set(multiprocessing.active_children())
        self._server = APIServer(process=True, bookmark_interval=1.0)
        (self._process,) = set(multiprocessing.active_children()) - before
        self.faults: Mapping[str, Fault] = {
            "connections dropped": lambda _: self._faults.drop_connections(),
            "watches closed": lambda _: self._faults.close_watches(),
            "watches reset": lambda rng: self._faults.reset_watches(after_bytes=rng.randrange(20_000)),
            "compaction": self._compact,
            "429 of priority and fairness": lambda rng: self._answers("too_many_requests", rng),
            "429 of the watch cache": lambda rng: self._answers("initializing", rng),
            "429 of a shutdown": lambda rng: self._answers("shutting_down", rng),
            "401": lambda rng: self._answers("unauthorized", rng),
            "500": self._internal_errors,
            "502 with HTML": self._bad_gateway,
            "403": lambda _: self._while("forbidden", 1.0, resource="pods", verb="watch"),
            "connections refused": self._refuse,
            "SIGSTOP": self._freeze,
            "stalled requests": lambda _: self._while("stall", 1.5, times=None, verb="watch"),
            "gzip": lambda _: self._shape("gzip"),
            "small chunks": lambda rng: self._shape("chunk_bytes", rng.choice((1, 7, 4096))),
            "no watch-list": lambda _: self._shape("refuse_watch_list"),
            "garbage in watches": lambda _: self._faults.inject(b"\xff\xfe{]\n"),
            "410 in watches": self._expired,
            "requests closed": lambda rng: self._answers("close", rng),
        }

    def api_client(self) -> ApiClient:
        return self._server.api_client()

    def mend(self) -> None:
        self._faults.clear()

    def close(self) -> None:
        self._server.close()

    @property
    def _faults(self):  # type: ignore[no-untyped-def]  # a stand-in for Faults, which lives in the other process
        return self._server.faults

    def _answers(self, method: str, rng: random.Random, **arguments: object) -> None:
        """The next few requests of informers get this."""
        for verb in ("list", "watch"):
            getattr(self._faults, method)(times=rng.randrange(1, 6), verb=verb, **arguments)
        self._faults.close_watches()

    def _internal_errors(self, rng: random.Random) -> None:
        self._faults.respond(500, times=rng.randrange(1, 6), verb="list")
        self._faults.respond(500, times=rng.randrange(1, 6), verb="watch")
        self._faults.close_watches()

    def _bad_gateway(self, rng: random.Random) -> None:
        html = {"Content-Type": "text/html"}
        for verb in ("list", "watch"):
            self._faults.respond(
                502, body="<html>Bad Gateway</html>", headers=html, times=rng.randrange(1, 6), verb=verb
            )
        self._faults.close_watches()

    def _while(self, method: str, seconds: float, **arguments: object) -> None:
        rule = getattr(self._faults, method)(**arguments)
        try:
            self._faults.close_watches()
            time.sleep(seconds)
        finally:
            self._faults.remove(rule)

    def _shape(self, method: str, *arguments: object) -> None:
        rule = getattr(self._faults, method)(*arguments)
        try:
            self._faults.reset_watches()
            time.sleep(2.0)
        finally:
            self._faults.remove(rule)

    def _compact(self, _rng: random.Random) -> None:
        self._faults.refuse_connections()
        try:
            self._faults.drop_connections()
            # What happens meanwhile nobody sees: writers are refused too, but for this one.
            self._touch()
            self._server.compact()
        finally:
            self._faults.accept_connections()

    def _touch(self) -> None:
        for pod in self._server.list("pods")[:5]:
            pod["metadata"].pop("resourceVersion", None)
            pod["metadata"]["annotations"]["touched"] = str(time.monotonic_ns())
            self._server.update(pod)

    def _expired(self, _rng: random.Random) -> None:
        status = b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","reason":"Expired","code":410}'
        self._faults.inject(b'{"type":"ERROR","object":' + status + b"}\n")

    def _refuse(self, rng: random.Random) -> None:
        self._faults.refuse_connections()
        try:
            self._faults.drop_connections()
            time.sleep(rng.uniform(0.2, 2.0))
        finally:
            self._faults.accept_connections()

    def _freeze(self, rng: random.Random) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGSTOP)
        try:
            time.sleep(rng.uniform(0.5, 4.0))
        finally:
            os.kill(self._process.pid, signal.SIGCONT)


class Real:
    """A kube-apiserver with its etcd."""

    name = "real"

    def __init__(self, binaries: Binaries) -> None:
        self._cluster = Cluster(binaries).__enter__()
        self.faults: Mapping[str, Fault] = {
            "SIGKILL of the API server": lambda rng: self._restart(signal.SIGKILL, rng),
            "SIGTERM of the API server": lambda rng: self._restart(signal.SIGTERM, rng),
            "SIGSTOP of the API server": lambda rng: self._freeze("apiserver", rng),
            "SIGSTOP of etcd": lambda rng: self._freeze("etcd", rng),
            "compaction": lambda _: self._cluster.compact(),
            "history expired": lambda _: self._cluster.expire_history(),
        }

    def api_client(self) -> ApiClient:
        return self._cluster.api_client()

    def mend(self) -> None:
        """Nothing is left: each fault has been undone."""

    def close(self) -> None:
        self._cluster.stop()

    def _restart(self, sig: signal.Signals, rng: random.Random) -> None:
        self._cluster.kill_apiserver(sig)
        try:
            time.sleep(rng.uniform(0.0, 1.0))
        finally:
            self._cluster.start_apiserver()

    def _freeze(self, which: str, rng: random.Random) -> None:
        process = getattr(self._cluster, which)
        process.pause()
        try:
            time.sleep(rng.uniform(0.5, 4.0))
        finally:
            process.resume()
