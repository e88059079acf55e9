"""Writers that change pods at random from several threads: what each of them tries is the same for the same seed.

A second churn needs a seed of its own, or many of its writes change nothing and are no events. Each pod belongs to one
thread, so no write conflicts with another. A server that is down, restarting or overloaded only makes writes fail; they
are counted, and the writers go on.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import urllib3
from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException

from .rest import request
from .workload import APPS, NODES, pod

PHASES = ("Pending", "Running", "Succeeded", "Failed")
_KINDS = ("label", "annotation", "status", "delete", "create")


class Churn:
    """Threads that write until the block ends, or until each has written ``writes`` times.

    Attributes: ``done`` counts the writes by kind, and those that failed as ``failed``.
    """

    def __init__(
        self,
        api_client: ApiClient,
        namespaces: Sequence[str],
        pods: range,
        *,
        threads: int = 4,
        writes: int | None = None,
        size: int = 8192,
        seed: object = 0,
    ) -> None:
        self.done: Counter[str] = Counter()
        self._api_client = api_client
        self._namespaces = namespaces
        self._pods = pods
        self._size = size
        self._writes = writes
        self._seed = seed
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(number, threads), name=f"churn-{number}", daemon=True)
            for number in range(threads)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writes is None or kind is not None:
            self._stop.set()
        for thread in self._threads:
            thread.join()

    def total(self) -> int:
        """Writes that were answered with success so far."""
        with self._lock:
            return self.done.total() - self.done["failed"]

    def _run(self, number: int, threads: int) -> None:
        rng = random.Random(f"{self._seed}/{number}")
        mine = self._pods[number::threads]
        written = 0
        while not self._stop.is_set() and written != self._writes:
            kind = rng.choice(_KINDS)
            try:
                if self._write(kind, rng.choice(mine), rng):
                    self._count(kind)
                    written += 1
            except (ApiException, urllib3.exceptions.HTTPError, OSError):
                self._count("failed")
                self._stop.wait(0.05)

    def _count(self, kind: str) -> None:
        with self._lock:
            self.done[kind] += 1

    def _write(self, kind: str, i: int, rng: random.Random) -> bool:
        """Write once; False when the pod is there already, or not there."""
        namespace, node = self._namespaces[i % len(self._namespaces)], f"node-{rng.randrange(NODES)}"
        wanted = pod(i, namespace=namespace, node=node, size=self._size)
        collection = f"/api/v1/namespaces/{namespace}/pods"
        path = f"{collection}/{wanted['metadata']['name']}"
        api_client = self._api_client
        try:
            if kind == "create":
                request(api_client, "POST", collection, wanted)
            elif kind == "delete":
                request(api_client, "DELETE", path, gracePeriodSeconds=0)
            elif kind == "label":
                request(api_client, "PATCH", path, {"metadata": {"labels": {"app": rng.choice(APPS)}}})
            elif kind == "annotation":
                request(api_client, "PATCH", path, {"metadata": {"annotations": {"churn": f"{rng.getrandbits(64):x}"}}})
            else:
                phase = {"phase": rng.choice(PHASES), "message": f"{rng.getrandbits(64):x}"}
                request(api_client, "PATCH", f"{path}/status", {"status": phase})
        except ApiException as error:
            if error.status in (404, 409):
                return False
            raise
        return True
