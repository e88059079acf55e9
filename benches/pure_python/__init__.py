"""The strongest rival in pure Python: client-go's DeltaFIFO and a store with any number of indices, written for speed.

Both take *prepared* objects, whose key and index values were computed before: `(key, values, obj)`, with one entry of
`values` an index, in the order of the store's indexers: a string when there is exactly one value (the common case, and
the cheap one), else a tuple of any number of distinct strings. The methods without `prepared` in their name compute
both, as client-go does. Invariant: either way leads to the same state.
"""

from .deltas import (
    ADDED,
    DELETED,
    REPLACED,
    SYNC,
    UPDATED,
    Batch,
    DeletedFinalStateUnknown,
    Delta,
    Deltas,
    FIFOClosedError,
    IndexFunc,
    IndexValues,
    KnownObjects,
    Notification,
    Prepared,
    meta_namespace_key,
)
from .fifo import DeltaFIFO
from .store import IndexedStore

__all__ = [
    "ADDED",
    "DELETED",
    "REPLACED",
    "SYNC",
    "UPDATED",
    "Batch",
    "DeletedFinalStateUnknown",
    "Delta",
    "DeltaFIFO",
    "Deltas",
    "FIFOClosedError",
    "IndexFunc",
    "IndexValues",
    "IndexedStore",
    "KnownObjects",
    "Notification",
    "Prepared",
    "meta_namespace_key",
]
