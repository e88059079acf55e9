"""What the store tests share: things to store, and one interface over both stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes import client

from kubeinformer import KubeObject
from kubeinformer.cache import Indexer, ThreadSafeStore


@dataclass(eq=False)
class Thing:
    """Anything with a key; two are equal only if they are the same."""

    key: str
    values: Sequence[str] = ()
    resource_version: Any = ""


def values_of(thing: Thing) -> Sequence[str]:
    return thing.values


def strict(thing: Thing) -> list[str]:
    """Raises what the thing says, and else gives its values."""
    for value in thing.values:
        if value.startswith("!"):
            raise ValueError(f"{thing.key} has {value}")
    return list(thing.values)


def named(name: str, namespace: str) -> list[Any]:
    """An object of that name as a KubeObject, a dict, a model, and as what is made like one."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    raw = f'{{"metadata":{{"name":"{name}","namespace":"{namespace}"}}}}'.encode()
    return [
        KubeObject(raw),
        {"metadata": metadata},
        {"metadata": {"name": name, "namespace": namespace or None}},
        client.V1Pod(metadata=client.V1ObjectMeta(name=name, namespace=namespace or None)),
        SimpleNamespace(metadata=metadata),
        KubeObject(raw).to_dict(),
    ]


class KeyedStore:
    """A ThreadSafeStore behind the methods of an Indexer."""

    def __init__(self, indexers: dict[str, Any] | None = None) -> None:
        self.store: ThreadSafeStore[Any] = ThreadSafeStore(indexers)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def __len__(self) -> int:
        return len(self.store)

    def __contains__(self, key: str) -> bool:
        return key in self.store

    def add(self, obj: Any) -> None:
        self.store.add(obj.key, obj)

    def update(self, obj: Any) -> None:
        self.store.update(obj.key, obj)

    def delete(self, obj: Any) -> None:
        self.store.delete_with_object(obj.key, obj)

    def get(self, obj: Any) -> Any:
        return self.store.get(obj.key)

    def get_by_key(self, key: str) -> Any:
        return self.store.get(key)

    def replace(self, items: Sequence[Any], resource_version: str = "") -> None:
        self.store.replace({obj.key: obj for obj in items}, resource_version)


def indexer(indexers: dict[str, Any] | None = None) -> Indexer[Any]:
    return Indexer(lambda obj: obj.key, indexers)


STORES: list[Callable[..., Any]] = [indexer, KeyedStore]


@pytest.fixture(params=STORES, ids=["Indexer", "ThreadSafeStore"])
def make_store(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Makes a store of things, from index functions by name."""
    made: Callable[..., Any] = request.param
    return made
