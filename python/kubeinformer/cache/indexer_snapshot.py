"""`IndexerSnapshot`: the store of an informer at one moment."""

from __future__ import annotations

from typing import TypeVar

from kubeinformer.cache.indexer_reader import IndexerReader

T = TypeVar("T")


class IndexerSnapshot(IndexerReader[T]):
    """What `SharedIndexer.snapshot` gives: objects, indices and resource versions of one moment.

    It never changes, any number of threads may read it, it takes no lock that the informer uses, and it stays when the
    informer is stopped. Only `index` and `index_values` of an index in Python call a function, the informer's.
    """
