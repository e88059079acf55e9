"""`IndexerReader`: the reading methods of an informer's indexer and of its snapshots.

Every answer is one cut of the store and of all indices; the order of objects is not specified (client-go §10).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from kubeinformer._core import KubeObject, StoreReader
from kubeinformer.cache.index_functions import IndexFunctions
from kubeinformer.cache.keys import deletion_handling_meta_namespace_key_func
from kubeinformer.models import from_model
from kubeinformer.selector import LabelSelector, to_selector

T = TypeVar("T")


class IndexerReader(Generic[T]):
    """See the module; made by `SharedIndexInformer.indexer` and `SharedIndexer.snapshot`.

    Attributes:
        resource: "group/version/plural" of its objects.
    """

    def __init__(
        self,
        core: StoreReader,
        index_functions: IndexFunctions,
        convert: Callable[[KubeObject], T],
        resource: str = "",
    ) -> None:
        self.resource = resource
        self._core = core
        self._index_functions = index_functions
        self._convert = convert

    def _all(self, objects: list[KubeObject]) -> list[T]:
        return [self._convert(obj) for obj in objects]

    def get_by_key(self, key: str) -> T | None:
        """The object with this key ("namespace/name" or "name"), or None."""
        obj = self._core.get(key)
        return None if obj is None else self._convert(obj)

    def get(self, obj: Any) -> T | None:
        """What the store holds under the key of `obj`, or None.

        Raises:
            ObjectKeyError: `obj` has no name.
        """
        return self.get_by_key(deletion_handling_meta_namespace_key_func(obj))

    def list(self, selector: LabelSelector | None = None) -> list[T]:
        """All objects, or those that a label selector matches.

        Selectors that ask an informer for values of the same label (`=` or `in`) are answered from an index of that
        label, which the second one over more than 2,048 objects makes: that one call takes some tens of milliseconds
        per 100,000 objects. Readers and writers go on meanwhile; `add_indexers` waits. Of a store up to 16 labels get
        one.

        Raises:
            ValueError: the selector does not parse.
        """
        return self._all(self._core.list(to_selector(selector)))

    def list_keys(self) -> Sequence[str]:
        """All keys."""
        return self._core.keys()

    def iter(self, chunk: int = 1000) -> Iterator[T]:
        """All objects of one cut, a list of at most `chunk` handles in memory at a time.

        Raises:
            ValueError: `chunk` is below 1.
        """
        if chunk < 1:
            raise ValueError(f"chunk must be at least 1, not {chunk}")
        snapshot = self._core.snapshot()
        for start in range(0, snapshot.places(), chunk):
            for obj in snapshot.objects(start, start + chunk):
                yield self._convert(obj)

    def by_index(self, index_name: str, indexed_value: str) -> Sequence[T]:
        """Objects under a value of an index; `[]` for a value that no object has (§19).

        Raises:
            IndexNotFoundError: there is no such index (§18).
        """
        return self._all(self._core.by_index(index_name, indexed_value))

    def index_keys(self, index_name: str, indexed_value: str) -> Sequence[str]:
        """Keys under a value of an index, sorted (§10).

        Raises:
            IndexNotFoundError: there is no such index.
        """
        return self._core.index_keys(index_name, indexed_value)

    def index(self, index_name: str, obj: T | KubeObject) -> Sequence[T]:
        """Objects that share a value of the index with `obj`, which need not be in the store (§20).

        Args:
            index_name: name of the index.
            obj: an object, or of a typed informer also a model.

        Raises:
            IndexNotFoundError: there is no such index.
            Exception: what the index function raises (§17).
        """
        if not isinstance(obj, KubeObject):
            obj = from_model(obj)
        found: dict[str, KubeObject] = {}
        for value in dict.fromkeys(self.index_values(index_name, obj)):
            for other in self._core.by_index(index_name, value):
                found.setdefault(other.key, other)
        return self._all([*found.values()])

    def index_values(self, index_name: str, obj: KubeObject) -> Sequence[str]:
        """The values of an index for any object, stored or not. Raises as `index`."""
        values = self._core.declared_values(index_name, obj)
        return self._index_functions.call(index_name, obj) if values is None else values

    def list_index_func_values(self, index_name: str) -> Sequence[str]:
        """Values of an index that at least one object has; `[]` for an unknown index (§18)."""
        return self._core.list_index_func_values(index_name)

    def count(self, index_name: str | None = None, indexed_value: str | None = None) -> int:
        """How many objects there are, or how many under a value of an index.

        Raises:
            IndexNotFoundError: there is no such index.
            TypeError: only one of the arguments is given.
        """
        if index_name is None and indexed_value is None:
            return len(self._core)
        if index_name is None or indexed_value is None:
            raise TypeError("index_name and indexed_value go together")
        return self._core.count_by_index(index_name, indexed_value)

    def get_indexers(self) -> Sequence[str]:
        """Names of the indices."""
        return self._core.index_names()

    def list_json(self, selector: LabelSelector | None = None, namespace: str | None = None) -> bytes:
        """A JSON array of the objects' bytes, put together without the GIL and without decoding.

        Raises:
            ValueError: the selector does not parse.
        """
        return self._core.list_json(to_selector(selector), namespace)

    def iter_json(
        self, selector: LabelSelector | None = None, namespace: str | None = None, *, chunk: int = 100
    ) -> Iterator[bytes]:
        """`list_json` in pieces, for answers of many megabytes: copying one at once would hold up every other thread.

        All pieces in a row are the JSON array, of the objects that are in the store now.

        Args:
            selector: which objects.
            namespace: only of this namespace; None = of all.
            chunk: objects a piece.

        Raises:
            ValueError: the selector does not parse, or `chunk` is below 1.
        """
        if chunk < 1:
            raise ValueError(f"chunk must be at least 1, not {chunk}")
        pieces = self._core.json_pieces(to_selector(selector), namespace)
        starts = range(0, len(pieces) or 1, chunk)
        return (pieces.piece(start, start + chunk) for start in starts)

    def project(
        self, paths: Sequence[str], *, index: str | None = None, value: str | None = None
    ) -> Sequence[tuple[Any, ...]]:
        """For each object the values at `paths`: None when missing, a tuple for a path with `[*]`.

        Args:
            paths: such as "metadata.name" and "spec.nodeName".
            index: together with `value`, only the objects under it.
            value: see `index`.

        Raises:
            ValueError: a path does not parse.
            IndexNotFoundError: there is no such index.
        """
        return self._core.project(list(paths), index=index, value=value)

    def last_store_sync_resource_version(self, namespace: str | None = None) -> str:
        """See `SharedIndexInformer.last_store_sync_resource_version`."""
        return self._core.resource_version(namespace)

    def __len__(self) -> int:
        return len(self._core)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key in self._core
