"""What the tests of list/watch sources share: waiting on conditions, a handler that records, functions from scripts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from kubeinformer import KubeObject, ListOptions, Resource
from kubeinformer.cache import ListWatch, Reflector, new_shared_index_informer
from kubeinformer.cache.controller import ControllerOptions
from kubeinformer.cache.shared_informer import SharedIndexInformer

TIMEOUT = 10.0
PODS = Resource("", "v1", "pods", "Pod", model="V1Pod")


def eventually(condition: Callable[[], Any], what: str, timeout: float = TIMEOUT) -> Any:
    """Wait until `condition` gives something true, and return that."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not in {timeout} s: {what}"
        time.sleep(0.005)
    return value


class Recorder:
    """A handler that keeps what it was told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def on_add(self, obj: Any, is_in_initial_list: bool) -> None:
        self.calls.append(("add", obj.key))

    def on_update(self, old: Any, new: Any) -> None:
        self.calls.append(("update", new.key))

    def on_delete(self, obj: Any) -> None:
        self.calls.append(("delete", obj.key))


def pod(name: str, version: str = "1", **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", "uid": f"uid-{name}", "resourceVersion": version}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def pod_list(version: str, *items: dict[str, Any], continue_: str = "") -> dict[str, Any]:
    metadata = {"resourceVersion": version, **({"continue": continue_} if continue_ else {})}
    return {"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": list(items)}


def event(kind: str, obj: Any) -> dict[str, Any]:
    return {"type": kind, "object": obj}


class Script:
    """Two functions: each call takes the next answer, and what is an exception is raised. After them they are quiet.

    Attributes:
        lists: the options of each call of `list_func`.
        watches: the same of `watch_func`.
    """

    def __init__(self, lists: Iterable[Any], watches: Iterable[Any] = ()) -> None:
        self._lists = iter(lists)
        self._watches = iter(watches)
        self.lists: list[ListOptions] = []
        self.watches: list[ListOptions] = []
        self.over = threading.Event()

    def list_func(self, options: ListOptions) -> Any:
        self.lists.append(options)
        answer = next(self._lists)
        if isinstance(answer, BaseException):
            raise answer
        return answer() if callable(answer) else answer

    def watch_func(self, options: ListOptions) -> Any:
        self.watches.append(options)
        answer = next(self._watches, None)
        if answer is None:
            return Quiet(self.over)
        if isinstance(answer, BaseException):
            raise answer
        return answer() if callable(answer) else answer

    def list_watch(self, **options: Any) -> ListWatch:
        return ListWatch(self.list_func, self.watch_func, **options)


class Quiet:
    """An iterable without events that ends when it is stopped."""

    def __init__(self, over: threading.Event, *events: Any) -> None:
        self._events = events
        self.over = over
        self.stops = 0

    def __iter__(self) -> Iterator[Any]:
        yield from self._events
        self.over.wait()

    def stop(self) -> None:
        self.stops += 1
        self.over.set()


@contextmanager
def running(list_watch: ListWatch, **options: Any) -> Iterator[tuple[SharedIndexInformer[KubeObject], Recorder]]:
    """An informer that has started, and its handler; afterwards all its threads have ended."""
    informer = new_shared_index_informer(list_watch, PODS, options=ControllerOptions(**options))
    recorder = Recorder()
    informer.add_event_handler(recorder)
    informer.start()
    try:
        yield informer, recorder
    finally:
        assert informer.shutdown(timeout=5) == []


@contextmanager
def reflecting(reflector: Reflector) -> Iterator[threading.Thread]:
    stop = threading.Event()
    thread = threading.Thread(target=reflector.run, args=(stop,), name="the reflector's own")
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(5)
        assert not thread.is_alive()


class Log:
    """A store that keeps what it was told, and fails when it is told to.

    Attributes:
        fail: calls, as they are in `calls`, that raise.
    """

    def __init__(self, fail: set[tuple[str, str]] | None = None) -> None:
        self.calls: list[tuple[str, str]] = []
        self.threads: set[threading.Thread] = set()
        self.fail = fail or set()

    def _note(self, call: str, about: str) -> None:
        self.calls.append((call, about))
        self.threads.add(threading.current_thread())
        if (call, about) in self.fail:
            raise RuntimeError(f"{call} {about}")

    def add(self, obj: KubeObject) -> None:
        self._note("add", obj.name)

    def update(self, obj: KubeObject) -> None:
        self._note("update", obj.name)

    def delete(self, obj: KubeObject) -> None:
        self._note("delete", obj.name)

    def replace(self, objects: list[KubeObject], resource_version: str) -> None:
        self._note("replace", f"{','.join(obj.name for obj in objects)}@{resource_version}")

    def resync(self) -> None:
        self._note("resync", "")


class FullLog(Log):
    def bookmark(self, resource_version: str) -> None:
        self._note("bookmark", resource_version)

    def update_resource_version(self, resource_version: str) -> None:
        self._note("version", resource_version)


def bookmark(version: str) -> dict[str, Any]:
    return event("BOOKMARK", {"apiVersion": "v1", "kind": "Pod", "metadata": {"resourceVersion": version}})


EVENTS = [
    event("ADDED", pod("c", "2")),
    event("MODIFIED", pod("a", "3")),
    event("DELETED", pod("b", "4")),
    event("MODIFIED", pod("unknown", "5")),
    bookmark("9"),
]


def scripted(*events: Any, relists: int = 3) -> Script:
    """A list of b and a, then the events, then silence."""
    listed = pod_list("1", pod("b"), pod("a"))
    script = Script([listed] * (relists + 1), [lambda: Quiet(script.over, *events)])
    return script
