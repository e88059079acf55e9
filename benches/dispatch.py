"""Notifications a second from a handler's ring to the return of a trivial Python handler.

`python -m benches.dispatch` prints the best of many for each way to be told, by CPU time: all notifications wait when
the clock starts, and nothing else of the process runs. Each update has an old and a new object of its own.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from kubeinformer import Resource
from kubeinformer.cache import ListWatch, new_shared_index_informer

KEYS = 1_000
UPDATES = 20_000
ROUNDS = 20


class Updates:
    """A handler that only counts, and says when it has had all."""

    def __init__(self) -> None:
        self.left = UPDATES

    def on_add(self, _obj: object, _is_in_initial_list: bool) -> None:
        """Nothing."""

    def on_update(self, _old: object, _new: object) -> None:
        self.left -= 1

    def on_delete(self, _obj: object) -> None:
        """Nothing."""


class Batches(Updates):
    def on_batch(self, events: list[Any]) -> None:
        self.left -= len(events)


class Coroutines(Updates):
    async def on_update(self, _old: object, _new: object) -> None:  # type: ignore[override]
        self.left -= 1


def _line(kind: str, number: int, version: int) -> bytes:
    meta = {"name": f"pod-{number}", "namespace": "default", "uid": f"uid-{number}", "resourceVersion": str(version)}
    obj = {"kind": "Pod", "apiVersion": "v1", "metadata": meta}
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


class Ring:
    """An informer without threads, whose handlers' rings are full of updates."""

    def __init__(self) -> None:
        nothing: Callable[..., Any] = lambda *_: None  # noqa: E731
        self.informer = new_shared_index_informer(ListWatch(nothing, nothing), Resource("", "v1", "pods", "Pod", True))
        self._core = self.informer.controller.core
        self._core.start()
        self._reader = self._core.add_source("fed").watch_reader(chunked=False)
        self._feed([_line("ADDED", number, number + 1) for number in range(KEYS)])

    def _feed(self, lines: list[bytes]) -> None:
        for at in range(0, len(lines), 1000):
            self._reader.feed(b"".join(lines[at : at + 1000]))
            self._core.process(0)

    def fill(self) -> None:
        self._feed([_line("MODIFIED", number % KEYS, KEYS + 1 + number) for number in range(UPDATES)])


def _on_thread(handler: Updates) -> float:
    ring = Ring()
    registration = ring.informer.add_event_handler(handler, backlog="grow")
    ring.fill()
    begin = time.process_time()
    registration.thread.start()
    while handler.left > 0:
        time.sleep(0.0002)
    took = time.process_time() - begin
    ring.informer.shutdown()
    return took


async def _on_loop(handler: Updates) -> float:
    ring = Ring()
    registration = ring.informer.add_event_handler(handler, backlog="grow")
    ring.fill()
    begin = time.process_time()
    registration.thread.start()
    while handler.left > 0:
        await asyncio.sleep(0.002)
    took = time.process_time() - begin
    ring.informer.stop()
    return took


def _pulled() -> float:
    ring = Ring()
    events = ring.informer.events(backlog="grow")
    ring.fill()
    left, begin = UPDATES, time.process_time()
    for event in events:
        left -= event.type == "MODIFIED"
        if not left:
            break
    return time.process_time() - begin


async def _pulled_async() -> float:
    ring = Ring()
    events = ring.informer.events(backlog="grow")
    ring.fill()
    left, begin = UPDATES, time.process_time()
    async for event in events:
        left -= event.type == "MODIFIED"
        if not left:
            break
    return time.process_time() - begin


WAYS: dict[str, Callable[[], float]] = {
    "handler": lambda: _on_thread(Updates()),
    "on_batch": lambda: _on_thread(Batches()),
    "coroutine handler": lambda: asyncio.run(_on_loop(Coroutines())),
    "for event in events()": _pulled,
    "async for event in events()": lambda: asyncio.run(_pulled_async()),
}


def main() -> None:
    for name, way in WAYS.items():
        print(f"{name:30} {UPDATES / min(way() for _ in range(ROUNDS)):12,.0f} a second")


if __name__ == "__main__":
    main()
