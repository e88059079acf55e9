"""What the transform tests share: transforms that keep a record, and a relist on demand."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any

from fault_support import event, status
from informer_support import Recorder, eventually

from kubeinformer import KubeObject, SharedIndexInformer, SharedInformerFactory
from kubeinformer.testing import APIServer

Make = Callable[..., SharedInformerFactory]
Pods = SharedIndexInformer[KubeObject]


class Slim:
    """A transform that leaves a pod its labels and its node, and marks it; it fails where `fails` says so."""

    def __init__(self, fails: Callable[[dict[str, Any]], bool] = lambda obj: False) -> None:
        self.fails = fails
        self.calls: list[tuple[str, str]] = []
        self.threads: set[str] = set()

    def __call__(self, obj: dict[str, Any]) -> dict[str, Any]:
        meta = obj["metadata"]
        assert "slim" not in meta["labels"], "an object is transformed once"
        self.calls.append((meta["name"], meta["resourceVersion"]))
        self.threads.add(threading.current_thread().name)
        if self.fails(obj):
            raise LookupError(f"no slim version of {meta['name']}")
        return _change(obj)

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


def slim(obj: dict[str, Any]) -> dict[str, Any]:
    """What becomes of an object of the server."""
    return _change(copy.deepcopy(obj))


def _change(obj: dict[str, Any]) -> dict[str, Any]:
    obj["metadata"]["labels"]["slim"] = "yes"
    del obj["status"]
    node = obj["spec"].get("nodeName", "none")
    obj["spec"] = {"nodeName": node}
    return obj


def relist(server: APIServer, informer: Pods) -> None:
    """Have the informer list again, and wait until the list is processed."""
    (reflector,) = informer.controller.reflectors.values()
    eventually(informer.is_live, "live")
    server.wait_for_watches(1)
    lists = sum(reflector.counters().relists.values())
    server.faults.inject(event("ERROR", status(410, "Expired")))
    eventually(lambda: sum(reflector.counters().relists.values()) > lists, "the relist")
    eventually(informer.is_live, "live again")
    eventually(lambda: informer._core.sizes()[3] == 0, "the list is popped")


def start(factory: SharedInformerFactory) -> None:
    factory.start()
    factory.wait_for_cache_sync(timeout=10)


KEY = "default/web-1"


class Broken(Slim):
    """Fails on web-1 in the phase Failed, as long as `broken` is true."""

    def __init__(self) -> None:
        super().__init__(lambda obj: self.broken and obj["status"]["phase"] == "Failed")
        self.broken = True


def follow(factory: SharedInformerFactory) -> tuple[Pods, Recorder]:
    informer = factory.core().v1().pods().informer()
    recorder = Recorder()
    informer.add_event_handler(recorder)
    start(factory)
    return informer, recorder


def asked(server: APIServer) -> list[str]:
    return [request.path for request in server.requests if request.verb == "get"]


def expected(server: APIServer) -> dict[str, Any]:
    """A fresh LIST, transformed."""
    return {f"{obj['metadata']['namespace']}/{obj['metadata']['name']}": slim(obj) for obj in server.list("pods")}
