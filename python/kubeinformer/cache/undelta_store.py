"""`UndeltaStore`: a store that tells its complete content after every write (client-go's name).

`push_func` runs on the writer's thread, with no lock held: when two threads write at once, the lists may come in either
order, each being one cut of the store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from kubeinformer._core import Indexer
from kubeinformer.cache.arguments import check_callable

T = TypeVar("T")


class UndeltaStore(Generic[T]):
    """See the module. What `push_func` raises is raised by the write, which is done then."""

    def __init__(self, push_func: Callable[[list[T]], object], key_func: Callable[[T], str] | None = None) -> None:
        """Make an empty store.

        Args:
            push_func: called with all objects, in no order, after each write.
            key_func: see `Indexer`.

        Raises:
            TypeError: `push_func` is not callable.
        """
        check_callable(push_func=push_func)
        self._push_func = push_func
        self._store: Indexer[T] = Indexer(key_func)

    def _push(self) -> None:
        self._push_func(self._store.list())

    def add(self, obj: T) -> None:
        """See `Indexer.add`."""
        self._store.add(obj)
        self._push()

    def update(self, obj: T) -> None:
        """See `Indexer.update`."""
        self._store.update(obj)
        self._push()

    def delete(self, obj: Any) -> None:
        """See `Indexer.delete`; also tells when there was nothing to delete."""
        self._store.delete(obj)
        self._push()

    def replace(self, items: Sequence[T], resource_version: str = "") -> None:
        """See `Indexer.replace`; tells once."""
        self._store.replace(items, resource_version)
        self._push()

    def resync(self) -> None:
        """Nothing; here as in client-go."""

    def bookmark(self, resource_version: str) -> None:
        """See `Indexer.bookmark`; tells nothing, since no object changed."""
        self._store.bookmark(resource_version)

    def last_store_sync_resource_version(self) -> str:
        """See `Indexer.last_store_sync_resource_version`."""
        return self._store.last_store_sync_resource_version()

    def list(self) -> Sequence[T]:
        """All objects, in no order."""
        return self._store.list()

    def list_keys(self) -> Sequence[str]:
        """All keys, in no order."""
        return self._store.list_keys()

    def get(self, obj: Any) -> T | None:
        """See `Indexer.get`."""
        return self._store.get(obj)

    def get_by_key(self, key: str) -> T | None:
        """What has the key, or None."""
        return self._store.get_by_key(key)

    def __len__(self) -> int:
        return len(self._store)

    def __contains__(self, key: str) -> bool:
        return key in self._store
