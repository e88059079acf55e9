"""`SharedIndexer`: read access to an informer's store and its indices (client-go's GetIndexer, for reading)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from kubeinformer._core import Index
from kubeinformer.cache.index_functions import IndexFunc
from kubeinformer.cache.indexer_reader import IndexerReader
from kubeinformer.cache.indexer_snapshot import IndexerSnapshot

T = TypeVar("T")


class SharedIndexer(IndexerReader[T]):
    """The store as it is now. No method contacts the server, and none waits longer than a write of one batch takes."""

    def snapshot(self) -> IndexerSnapshot[T]:
        """The store and its indices at this moment, to be read for as long as you keep it, whatever comes.

        To make one takes microseconds, of however many objects, and no second copy of an object. While you keep it,
        what is replaced or deleted in the store stays in memory, and the next write copies the tables: some 100 bytes
        and 0.1 microseconds an object, once per snapshot that lives then, on the processor's thread and with no lock
        that readers wait for.
        """
        return IndexerSnapshot(self._core.snapshot(), self._index_functions, self._convert, self.resource)

    def add_indexers(self, indexers: Mapping[str, str | Index | Callable[[T], Iterable[str]]]) -> None:
        """See `SharedIndexInformer.add_indexers`."""
        self._index_functions.add({name: self._converting(indexer) for name, indexer in indexers.items()})

    def _converting(self, indexer: str | Index | Callable[[T], Iterable[str]]) -> str | Index | IndexFunc:
        if isinstance(indexer, str | Index) or not callable(indexer):
            return indexer
        convert, func = self._convert, indexer
        return lambda obj: func(convert(obj))

    def index_errors(self) -> dict[str, dict[str, Exception]]:
        """Index -> key -> what the index function raised on an object that is in the store (unlike §16)."""
        return self._index_functions.errors()
