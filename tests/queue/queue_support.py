"""What the queue tests share: objects, and popping until a queue is empty."""

from __future__ import annotations

from typing import Any

from kubeinformer.cache import DeletedFinalStateUnknown, DeltaFIFO, Indexer, RealFIFO

Obj = dict[str, Any]
PATIENCE = 10.0


def obj(name: str, version: int = 0) -> Obj:
    return {"metadata": {"name": name, "resourceVersion": str(version)}, "version": version}


def key(item: Any) -> str:
    return item.key if isinstance(item, DeletedFinalStateUnknown) else item["metadata"]["name"]


def known(*objects: Obj) -> Indexer[Obj]:
    """What a consumer holds."""
    indexer: Indexer[Obj] = Indexer()
    for one in objects:
        indexer.add(one)
    return indexer


def drop(_popped: object, _initial: bool) -> None:
    """Process nothing."""


def pop_all(fifo: DeltaFIFO[Any] | RealFIFO[Any]) -> list[Any]:
    """What each pop gives, until the queue is empty."""
    popped: list[Any] = []
    while len(fifo):
        popped.append(fifo.pop(drop, timeout=PATIENCE))
    return popped


def said(delta: tuple[str, Any]) -> str:
    """A delta as text: its type and key, and the version of an object; `~` before the key of a tombstone."""
    kind, item = delta
    if isinstance(item, DeletedFinalStateUnknown):
        return f"{kind} ~{item.key}" + (f" {item.obj['version']}" if item.obj else "")
    return f"{kind} {key(item)} {item['version']}"


def story(fifo: DeltaFIFO[Any] | RealFIFO[Any]) -> list[Any]:
    """The same as texts: for a `DeltaFIFO` a list of texts a pop."""
    return [list(map(said, popped)) if isinstance(popped, list) else said(popped) for popped in pop_all(fifo)]
