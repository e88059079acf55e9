"""What the thread tests share: pods that make cuts visible, and readers that check that an answer is one cut.

Of each pair "first" is written before "second", so in one cut first is ahead by 0 or 1. Each pod has its number as its
node, a label and the value of an index function. "fixed" never changes.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson

from kubeinformer import KubeObject, SharedIndexInformer
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

NAMESPACES = ("a", "b")
NAMES = ("first", "second", *[f"other-{number}" for number in range(20)])
VALUES = 5

Informer = SharedIndexInformer[KubeObject]


def numbered(name: str, namespace: str, number: int) -> dict[str, Any]:
    value = str(number % VALUES)
    return pod(name, namespace, node=f"node-{value}", labels={"value": value, "number": str(number)})


def number_of(obj: KubeObject) -> int:
    return int(obj.labels["number"])


@contextmanager
def workers(*works: Callable[[], None]) -> Iterator[list[BaseException]]:
    """Repeat each function on a thread of its own until the block is left, or one of them raises; then raise that."""
    stop, errors = threading.Event(), []

    def repeat(work: Callable[[], None]) -> None:
        try:
            while not stop.is_set() and not errors:
                work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=repeat, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield errors
    finally:
        stop.set()
        deadline = time.monotonic() + 10
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        hanging = [thread.name for thread in threads if thread.is_alive()]
    assert hanging == []
    if errors:
        raise errors[0]


def writer(server: APIServer, namespace: str) -> Callable[[], None]:
    """Writes the pair, one of the others, and a pod that comes and goes."""
    numbers = iter(range(1, 1_000_000))

    def write() -> None:
        number = next(numbers)
        server.update(numbered("first", namespace, number))
        server.update(numbered("second", namespace, number))
        server.update(numbered(f"other-{number % 20}", namespace, number))
        if number % 3:
            server.create(numbered("now-and-then", namespace, number))
            server.delete("pods", "now-and-then", namespace)

    return write


class Reader:
    """Each method asks one question and checks that the answer is one cut.

    Args:
        informer: with the indices "node" and "function".
        uniform: all pods of a namespace have the same number in every cut.
    """

    def __init__(self, informer: Informer, *, uniform: bool = False) -> None:
        self._indexer = informer.indexer()
        self._uniform = uniform
        self._random = random.Random(5)

    def _value(self) -> str:
        return str(self._random.randrange(VALUES))

    def _check(self, found: list[tuple[str, int]], *, whole: bool = False) -> None:
        """Check keys and numbers of an answer; a whole one has every pod."""
        numbers = dict(found)
        assert len(numbers) == len(found), "a pod is there twice"
        for namespace in NAMESPACES:
            own = {key: number for key, number in numbers.items() if key.startswith(f"{namespace}/")}
            first, second = own.get(f"{namespace}/first"), own.get(f"{namespace}/second")
            if first is not None and second is not None:
                assert first - second in (0, 1), own
            if whole or (self._uniform and own):
                own.pop(f"{namespace}/now-and-then", None)
                assert len(own) == len(NAMES), own
            if self._uniform:
                assert len(set(own.values())) <= 1, own

    def by_key(self) -> None:
        second = self._indexer.get_by_key("a/second")
        first = self._indexer.get_by_key("a/first")
        assert first is not None
        assert second is not None
        assert number_of(first) >= number_of(second)
        assert first["spec"]["nodeName"] == f"node-{first.labels['value']}"

    def by_index(self) -> None:
        value = self._value()
        for name, wanted in (("node", f"node-{value}"), ("function", value)):
            found = self._indexer.by_index(name, wanted)
            assert all(obj.labels["value"] == value for obj in found)
            self._check([(obj.key, number_of(obj)) for obj in found])

    def by_selector(self) -> None:
        value = self._value()
        found = self._indexer.list(f"value={value},number")
        assert all(obj.labels["value"] == value for obj in found)
        self._check([(obj.key, number_of(obj)) for obj in found])

    def by_list(self) -> None:
        self._check([(obj.key, number_of(obj)) for obj in self._indexer.list()], whole=True)

    def by_keys(self) -> None:
        keys = self._indexer.index_keys("namespace", "a")
        assert keys == sorted(keys)
        assert set(keys) - {"a/now-and-then"} == {f"a/{name}" for name in NAMES}
        assert set(self._indexer.list_index_func_values("namespace")) == {*NAMESPACES, "default"}
        assert len(set(self._indexer.list_keys())) >= len(NAMES) * len(NAMESPACES)

    def by_projection(self) -> None:
        rows = self._indexer.project(["metadata.namespace", "metadata.name", "metadata.labels.number", "spec.nodeName"])
        assert all(node == f"node-{int(number) % VALUES}" for _, _, number, node in rows)
        self._check([(f"{namespace}/{name}", int(number)) for namespace, name, number, _ in rows], whole=True)

    def by_json(self) -> None:
        metas = [obj["metadata"] for obj in orjson.loads(self._indexer.list_json())]
        found = [(f"{meta['namespace']}/{meta['name']}", int(meta["labels"]["number"])) for meta in metas]
        self._check(found, whole=True)

    def by_iteration(self) -> None:
        self._check([(obj.key, number_of(obj)) for obj in self._indexer.iter(chunk=7)], whole=True)

    def works(self) -> list[Callable[[], None]]:
        """The eight questions."""
        first = [self.by_key, self.by_index, self.by_selector, self.by_list]
        return [*first, self.by_keys, self.by_projection, self.by_json, self.by_iteration]
