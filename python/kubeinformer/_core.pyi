"""The Rust core: objects, selectors, indices, stores, and the inside of an informer.

`KubeObject`, `JSONMapping`, `JSONSequence`, `Selector` and `Index` are public as `kubeinformer.…`, `Indexer` and
`ThreadSafeStore` as `kubeinformer.cache.…`, queues and rate limiters as `kubeinformer.workqueue.…`; the rest is for the
package itself.

What holds for everything here:

- Every method may be called from any thread. The core calls no Python but index, key and process functions, and for
  workqueues `__eq__`, `__hash__`, limiters and metrics, on the thread that called it and with no lock held.
- A method that says that it blocks lets other threads run meanwhile. Its `timeout` is in seconds: None = for ever, 0 or
  less = not at all. In the main thread Ctrl-C ends the wait within 0.1 s. Everything else returns at once, or after the
  write of one batch that is under way: a few milliseconds.
- In a forked child, whatever the parent made raises `ForkedError`, but for `KubeObject`, its views, `Selector` and
  `Index`, which have nothing to wait for.
- § numbers are those of client-go's semantics.
"""

import builtins
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from types import GenericAlias
from typing import Any, ClassVar, Generic, Literal, Protocol, Self, SupportsIndex, TypeAlias, TypeVar, final, overload

from typing_extensions import disjoint_base

from kubeinformer.cache.event_handler import ResourceEventHandler
from kubeinformer.cache.tombstone import DeletedFinalStateUnknown
from kubeinformer.workqueue.metrics import MetricsProvider, QueueStats
from kubeinformer.workqueue.rate_limiter import RateLimiter

__all__ = [
    "BucketRateLimiter",
    "Change",
    "CoreRateLimiter",
    "DelayingQueue",
    "DeltaFIFO",
    "Enqueuer",
    "Event",
    "FakeClock",
    "Filter",
    "HTTPClient",
    "HTTPExchange",
    "Index",
    "Indexer",
    "InformerCore",
    "ItemContext",
    "ItemExponentialFailureRateLimiter",
    "ItemFastSlowRateLimiter",
    "JSONMapping",
    "JSONPieces",
    "JSONSequence",
    "KubeObject",
    "ListMeta",
    "ListReader",
    "Listener",
    "MaxOfRateLimiter",
    "NewIndexers",
    "Queue",
    "RateLimitingQueue",
    "RealFIFO",
    "Relist",
    "Selector",
    "Snapshot",
    "Source",
    "StatsReader",
    "StoreReader",
    "ThreadSafeStore",
    "Transform",
    "Untransformed",
    "WakePipe",
    "Waker",
    "WatchReader",
    "WithMaxWaitRateLimiter",
    "after_fork_in_child",
    "fork_count",
    "json_view",
    "take_deltas",
]

_T = TypeVar("_T")
_ItemT = TypeVar("_ItemT", bound=Hashable)
_IndexFunc: TypeAlias = Callable[[_T], Iterable[str] | None]

class _KeyListerGetter(Protocol):
    """client-go's KeyListerGetter; an `Indexer` is one."""

    def list_keys(self) -> Sequence[str]: ...
    def get_by_key(self, key: str, /) -> Any: ...

@final
class KubeObject(Mapping[str, Any]):
    """One version of an object: its JSON, decoded when somebody looks at more than the attributes.

    Immutable, with read-only views inside. Equal iff resource, uid and bytes are; the hash is that of resource, uid and
    resourceVersion. Pickles as its bytes. The repr shows kind, key and version, never content.

    Reading a member (`obj["spec"]`) decodes the whole object at the first time, in this thread (orjson: about 20 us for
    8 KB), and shares the result with the other handles of the same version. Attributes, `get_path` and `get_paths` read
    the bytes and decode no more than what they give back.

    Whatever decodes raises DecodeError for an object whose brackets match, which is all that is checked before, but
    whose JSON is invalid in between. Its `offset` counts bytes of `raw`.
    """

    def __new__(cls, raw: bytes, resource: str = "") -> Self:
        """Make an object from JSON.

        Args:
            raw: a JSON object with `metadata.name`; white space around it is dropped.
            resource: "group/version/plural" ("v1/pods"), a part of equality.

        Raises:
            DecodeError: no JSON object, no name, brackets that do not match, or bytes that are no UTF-8.
        """

    @property
    def key(self) -> str:
        """`namespace/name`, or `name` without a namespace (§1)."""

    @property
    def namespace(self) -> str:
        """`metadata.namespace`, or ""."""

    @property
    def name(self) -> str:
        """`metadata.name`."""

    @property
    def uid(self) -> str:
        """`metadata.uid`, or ""."""

    @property
    def resource_version(self) -> str:
        """`metadata.resourceVersion`, or ""."""

    @property
    def generation(self) -> int | None:
        """`metadata.generation`, or None."""

    @property
    def deletion_timestamp(self) -> str | None:
        """`metadata.deletionTimestamp` (RFC 3339) of an object that is being deleted, else None."""

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels, read-only; {} when there are none."""

    @property
    def annotations(self) -> Mapping[str, str]:
        """The annotations, read-only; {} when there are none."""

    @property
    def owner_references(self) -> JSONSequence:
        """`metadata.ownerReferences`, empty when there are none."""

    @property
    def controller_owner(self) -> JSONMapping | None:
        """The owner reference whose `controller` is true, or None."""

    @property
    def finalizers(self) -> tuple[str, ...]:
        """`metadata.finalizers`, empty when there are none."""

    @property
    def kind(self) -> str:
        """The kind."""

    @property
    def api_version(self) -> str:
        """`group/version`, or `version` alone for the core group."""

    @property
    def resource(self) -> str:
        """`group/version/plural`; "" for an object made by hand without it."""

    @property
    def raw(self) -> bytes:
        """The JSON, a copy.

        It begins with apiVersion and kind, and lacks `metadata.managedFields` unless the informer keeps them; else it
        is as the server sent it.
        """

    def get_path(self, path: str, default: Any = None) -> Any:
        """The value at a path such as "spec.nodeName", without decoding the rest.

        Args:
            path: `a.b['quoted/key'][0][*]`; a backslash escapes in quotes, a leading dot is allowed.
            default: what to return when there is nothing; null is None.

        Returns:
            A string, number, bool, None or read-only view; for a path with `[*]` a tuple of all values.

        Raises:
            ValueError: the path does not parse; the message points at the character.
            DecodeError: the value is not valid JSON.
        """

    def get_paths(self, *paths: str) -> tuple[Any, ...]:
        """The values at several paths, in one pass over the bytes; None for what is missing. Raises as `get_path`."""

    @overload
    def to_dict(self, path: None = None) -> dict[str, Any]: ...
    @overload
    def to_dict(self, path: str) -> Any:
        """A fresh dict of the whole object, or what is at a path as a fresh dict, list or scalar.

        None when there is nothing at the path; for a path with `[*]` a list of all values. Raises as `get_path`.
        """

    def to_model(self) -> Any:
        """The object as its class in `kubernetes.client`, such as `V1Pod`: made afresh, to be changed at will.

        Raises:
            TypeError: the kubernetes package has no class for this kind.
            ModelError: the object does not pass the validation of its class.
        """

    def get(self, key: str, default: Any = None, /) -> Any: ...
    def __getitem__(self, key: str, /) -> Any: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
    def __contains__(self, key: object, /) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class JSONMapping(Mapping[str, Any]):
    """A read-only view of a JSON object: members that are objects or arrays are views again, never a dict or a list.

    Equal to a dict, or view, with equal content. Not hashable. Pickles as a view of a copy.
    """

    def to_dict(self) -> dict[str, Any]:
        """A fresh copy, to be changed at will."""

    def get(self, key: str, default: Any = None, /) -> Any: ...
    def __getitem__(self, key: str, /) -> Any: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
    def __contains__(self, key: object, /) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class JSONSequence(Sequence[Any]):
    """A read-only view of a JSON array, as `JSONMapping` is one of a JSON object. A slice is a view too."""

    def to_list(self) -> list[Any]:
        """A fresh copy, to be changed at will."""

    @overload
    def __getitem__(self, at: SupportsIndex, /) -> Any: ...
    @overload
    def __getitem__(self, at: slice, /) -> JSONSequence: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __reversed__(self) -> Iterator[Any]: ...
    def __len__(self) -> int: ...
    def __contains__(self, value: object, /) -> bool: ...
    def index(self, value: Any, start: int = 0, stop: int | None = None) -> int:
        """The first place of a value, from `start` up to `stop`, which count as in a slice.

        Raises:
            ValueError: the value is not there.
        """

    def count(self, value: Any) -> int:
        """How often the value is there."""

    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

def json_view(value: Any) -> Any:
    """A view of a copy of a dict or list; a scalar as it is. How views are unpickled.

    Raises:
        TypeError: there is something in it that JSON has not.
    """

@final
class Selector:
    """A compiled label selector, in the grammar of `kubectl -l`. Equal iff the requirements are; hashable."""

    def __new__(cls, text: str) -> Self:
        """Compile a selector such as "tier in (web, api), !canary"; "" matches everything.

        Raises:
            ValueError: it does not parse; the message points at the character.
        """

    @staticmethod
    def from_requirements(requirements: Sequence[tuple[str, str, Sequence[str]]]) -> Selector:
        """The selector that matches what all requirements match.

        Args:
            requirements: (label, operator, values), with the operators of LabelSelector: In, NotIn, Exists,
                DoesNotExist.

        Raises:
            ValueError: no such operator, a label or value that the API would refuse, or values that do not go with the
                operator.
        """

    def matches(self, labels: KubeObject | Mapping[str, str]) -> bool:
        """Whether it matches an object, or a mapping of labels."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Index:
    """An index that the core evaluates from the bytes of an object; see `kubeinformer.index`, which makes them."""

    @staticmethod
    def path(path: str) -> Index:
        """By the value at a path.

        Raises:
            ValueError: the path does not parse; the message points at the character.
        """

    @staticmethod
    def join(*paths: str) -> Index:
        """By the values at several paths, joined with "/".

        Raises:
            ValueError: a path does not parse.
            TypeError: there is none.
        """

    @staticmethod
    def controller_owner(kind: str | None = None) -> Index:
        """By the owner whose `controller` is true; with `kind` only owners of that kind."""

    @staticmethod
    def namespace() -> Index:
        """By namespace (client-go's MetaNamespaceIndexFunc)."""

@final
class Filter:
    """What somebody wants to hear of; see `kubeinformer.filter`, which makes them. Combined with `&`, `|` and `~`.

    Immutable, hashable, and equal iff written alike.
    """

    @staticmethod
    def labels(selector: Selector) -> Filter:
        """By labels."""

    @staticmethod
    def fields(selector: str) -> Filter:
        """By a field selector.

        Raises:
            ValueError: it does not parse; the message points at the character.
        """

    @staticmethod
    def namespace(*names: str) -> Filter:
        """By namespace.

        Raises:
            TypeError: there is none.
        """

    @staticmethod
    def name(*names: str) -> Filter:
        """By name.

        Raises:
            TypeError: there is none.
        """

    @staticmethod
    def exists(path: str) -> Filter:
        """By whether something other than null is at a path.

        Raises:
            ValueError: the path does not parse; the message points at the character.
        """

    @staticmethod
    def is_in(path: str, *values: str) -> Filter:
        """By the value at a path.

        Raises:
            ValueError: the path does not parse; the message points at the character.
            TypeError: there is no value.
        """

    @staticmethod
    def changed(*paths: str) -> Filter:
        """By whether an update changes what is at one of the paths.

        Raises:
            ValueError: a path does not parse; the message points at the character.
            TypeError: there is none.
        """

    @property
    def compares(self) -> bool:
        """Whether it has a `changed` in it."""

    def matches(self, obj: KubeObject, old: KubeObject | None = None) -> bool:
        """Whether it accepts an object; with `old`, whether it lets an update pass as one: both states are accepted."""

    def __and__(self, other: Filter, /) -> Filter: ...
    def __or__(self, other: Filter, /) -> Filter: ...
    def __rand__(self, value: Filter, /) -> Filter: ...
    def __ror__(self, value: Filter, /) -> Filter: ...
    def __invert__(self) -> Filter: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Enqueuer:
    """What puts keys into a queue, as `InformerCore.add_enqueuer` returns it."""

    def stats(self) -> tuple[int, int]:
        """Keys put in so far, repeated ones too, and notifications that its filter kept out."""

@final
class Transform:
    """A transform that the core evaluates while an object is read; see `kubeinformer.transform`, which makes them."""

    @staticmethod
    def drop(*paths: str) -> Transform:
        """Without what these paths lead to.

        Raises:
            ValueError: a path does not parse, or leads to a part of the object's identity.
            TypeError: there is none.
        """

    @staticmethod
    def keep(*paths: str) -> Transform:
        """Nothing but the object's identity and what these paths lead to.

        Raises:
            ValueError: a path does not parse.
        """

@final
class ThreadSafeStore(Generic[_T]):
    """Any Python objects under keys that the caller gives, with indices (client-go's type of this name).

    Objects come back as they were given, the very same (§11). Objects and all indices change under one lock, and each
    answer is one cut of both (§9, §10). An index function takes an object and returns strings, or None for none; it
    runs on the writer's thread before any lock is taken, so it may use the store. If it raises an Exception, the object
    is stored and readable by key, under no value of that index, and in `index_errors`; this is logged once a key
    (unlike §16). Anything else that it raises, such as KeyboardInterrupt, ends the call, and nothing is written.

    The cyclic garbage collector does not look into a store: one that is reachable from its own objects or functions is
    never freed.
    """

    def __new__(cls, indexers: Mapping[str, _IndexFunc[_T]] | None = None) -> Self:
        """Make an empty store.

        Args:
            indexers: index functions by name.

        Raises:
            TypeError: one of them is not callable.
        """

    def add(self, key: str, obj: _T) -> None:
        """The same as `update` (§8)."""

    def update(self, key: str, obj: _T) -> None:
        """Put the object in place of what has the key.

        The store's resourceVersion becomes the object's, even a lower one; what has no metadata leaves it (§27).
        """

    def delete(self, key: str) -> None:
        """Take out what has the key, if anything (§26). The store's resourceVersion stays (§28)."""

    def delete_with_object(self, key: str, obj: Any) -> None:
        """The same, and the store's resourceVersion becomes that of `obj`, unless that is a tombstone (§28)."""

    def transaction(self, changes: Sequence[tuple[str, str, Any]]) -> None:
        """Make many changes, in order, under one lock (§25).

        The store's resourceVersion becomes that of the last object; a tombstone leaves it (§29).

        Args:
            changes: (type, key, object), the types as of a queue's deltas: "Added", "Updated", "Replaced", "Sync" or
                "Deleted".

        Raises:
            ValueError: another type; nothing is done.
        """

    def get(self, key: str) -> _T | None:
        """What has the key, or None."""

    def list(self) -> builtins.list[_T]:
        """All objects, in no order."""

    def list_keys(self) -> builtins.list[str]:
        """All keys, in no order."""

    def replace(self, items: Mapping[str, _T], resource_version: str = "") -> None:
        """Hold these objects and nothing else, and this resourceVersion, from one moment to the next (§22, §30)."""

    def index(self, index_name: str, obj: _T) -> builtins.list[_T]:
        """The objects that share a value of the index with `obj`, which need not be stored; each once (§20).

        Raises:
            IndexNotFoundError: there is no such index (§18).
            Exception: what the index function raises (§17).
        """

    def by_index(self, index_name: str, value: str) -> builtins.list[_T]:
        """The objects under a value of an index; [] for a value that no object has (§19).

        Raises:
            IndexNotFoundError: there is no such index (§18).
        """

    def index_keys(self, index_name: str, value: str) -> builtins.list[str]:
        """Their keys, sorted (§10).

        Raises:
            IndexNotFoundError: there is no such index (§18).
        """

    def list_index_func_values(self, index_name: str) -> builtins.list[str]:
        """The values that at least one object has, in no order (§12); [] for an unknown index (§18)."""

    def get_indexers(self) -> dict[str, _IndexFunc[_T]]:
        """The index functions by name."""

    def add_indexers(self, indexers: Mapping[str, _IndexFunc[_T]]) -> None:
        """Index by these too; objects that are stored are indexed, on this thread, before it returns (§21).

        Raises:
            ValueError: there is an index of one of the names; none is added then.
            TypeError: one of them is not callable.
            RuntimeError: another thread, or the caller further out, is adding indexers.
        """

    def index_errors(self) -> dict[str, dict[str, Exception]]:
        """Index -> key -> what the index function raised on the object that is stored there."""

    def bookmark(self, resource_version: str) -> None:
        """Set the store's resourceVersion (§30)."""

    def last_store_sync_resource_version(self) -> str:
        """The store's resourceVersion: that of the last write (§27-§30), "" before."""

    def __len__(self) -> int: ...
    def __contains__(self, key: str, /) -> bool: ...
    def __class_getitem__(cls, key: Any) -> GenericAlias: ...

@final
class Indexer(Generic[_T]):
    """Any Python objects under the keys that a key function gives, with indices (client-go's Indexer and Store).

    For the rest see `ThreadSafeStore`. The key function runs on the caller's thread, with no lock held. What it raises
    comes as an ObjectKeyError with that as `__cause__` (§6); then nothing is written.
    """

    def __new__(
        cls,
        key_func: Callable[[_T], str] | None = None,
        indexers: Mapping[str, _IndexFunc[_T]] | None = None,
        *,
        transformer: Callable[[Any], _T] | None = None,
    ) -> Self:
        """Make an empty store.

        Args:
            key_func: takes an object, returns its key; None = `deletion_handling_meta_namespace_key_func`.
            indexers: index functions by name.
            transformer: gives what `add`, `update` and `replace` store in place of an object, under the key that the
                object had before (§24); not called by `transaction` (§25). What it raises is raised by the call, and
                nothing is written (§23).

        Raises:
            TypeError: one of them is not callable.
        """

    def add(self, obj: _T) -> None:
        """The same as `update` (§8)."""

    def update(self, obj: _T) -> None:
        """Put the object in place of what has its key.

        The store's resourceVersion becomes the object's, even a lower one; what has no metadata leaves it (§27).

        Raises:
            ObjectKeyError: it has no key.
        """

    def delete(self, obj: Any) -> None:
        """Take out what has the object's key, if anything (§26).

        The store's resourceVersion becomes the object's, unless that is a tombstone (§28).

        Raises:
            ObjectKeyError: it has no key.
        """

    def transaction(self, changes: Sequence[tuple[str, Any]]) -> None:
        """Make many changes, in order, under one lock; the transformer is not called (§25).

        The store's resourceVersion becomes that of the last object; a tombstone leaves it (§29).

        Args:
            changes: (type, object), as the deltas of a queue: "Added", "Updated", "Replaced", "Sync" or "Deleted".

        Raises:
            ValueError: another type; nothing is done.
            TransactionError: some objects have no key; everything else is done.
        """

    def list(self) -> builtins.list[_T]:
        """All objects, in no order."""

    def list_keys(self) -> builtins.list[str]:
        """All keys, in no order."""

    def get(self, obj: Any) -> _T | None:
        """What has the object's key, or None.

        Raises:
            ObjectKeyError: it has no key.
        """

    def get_by_key(self, key: str) -> _T | None:
        """What has the key, or None."""

    def replace(self, items: Sequence[_T], resource_version: str = "") -> None:
        """Hold these objects and nothing else, and this resourceVersion, from one moment to the next (§22, §30).

        The last of several with one key stays.

        Raises:
            ObjectKeyError: one has no key; nothing is done (§23).
        """

    def resync(self) -> None:
        """Nothing; here as in client-go."""

    def index(self, index_name: str, obj: _T) -> builtins.list[_T]:
        """See `ThreadSafeStore.index`."""

    def by_index(self, index_name: str, value: str) -> builtins.list[_T]:
        """See `ThreadSafeStore.by_index`."""

    def index_keys(self, index_name: str, value: str) -> builtins.list[str]:
        """See `ThreadSafeStore.index_keys`."""

    def list_index_func_values(self, index_name: str) -> builtins.list[str]:
        """See `ThreadSafeStore.list_index_func_values`."""

    def get_indexers(self) -> dict[str, _IndexFunc[_T]]:
        """The index functions by name."""

    def add_indexers(self, indexers: Mapping[str, _IndexFunc[_T]]) -> None:
        """See `ThreadSafeStore.add_indexers`."""

    def index_errors(self) -> dict[str, dict[str, Exception]]:
        """See `ThreadSafeStore.index_errors`."""

    def bookmark(self, resource_version: str) -> None:
        """Set the store's resourceVersion (§30)."""

    def last_store_sync_resource_version(self) -> str:
        """See `ThreadSafeStore.last_store_sync_resource_version`."""

    def __len__(self) -> int: ...
    def __contains__(self, key: str, /) -> bool: ...
    def __class_getitem__(cls, key: Any) -> GenericAlias: ...

@final
class DeltaFIFO(Generic[_T]):
    """client-go's DeltaFIFO (§32-§47): a queue that gives all changes of one key at a time, for any Python objects.

    A delta is a pair (type, object): "Added", "Updated", "Deleted", "Replaced" or "Sync", and the object as it was
    given, or a `DeletedFinalStateUnknown`. Adding never blocks; `replace`, `resync`, and `delete` of a key that is not
    queued, wait until the process function that runs has returned, because they compare with the known objects. One
    consumer is meant; several take turns.
    """

    def __new__(
        cls,
        key_function: Callable[[Any], str] | None = None,
        known_objects: _KeyListerGetter | None = None,
        *,
        emit_delta_type_replaced: bool = False,
        transformer: Callable[[_T], _T] | None = None,
    ) -> Self:
        """Make an empty queue.

        Args:
            key_function: None = `deletion_handling_meta_namespace_key_func`.
            known_objects: what the consumer holds, such as an `Indexer`.
            emit_delta_type_replaced: `replace` gives "Replaced" instead of "Sync" (§36).
            transformer: called once with each object that is queued, not with tombstones (§46); what it raises is
                raised by the call, and nothing is queued, of a list neither.

        Raises:
            TypeError: `known_objects` lacks `list_keys` or `get_by_key`.
        """

    def add(self, obj: _T) -> None:
        """Queue "Added". Raises ObjectKeyError, or what the transformer raises; so do all that take objects."""

    def update(self, obj: _T) -> None:
        """Queue "Updated"."""

    def delete(self, obj: Any) -> None:
        """Queue "Deleted" for an object or a tombstone, unless its key is neither queued nor known (§35).

        Raises:
            RuntimeError: called from this queue's process function for a key that is not queued.
        """

    def add_many(self, changes: Sequence[tuple[str, Any]]) -> None:
        """Queue (type, object) pairs under one lock, deletions as if known.

        Raises:
            ValueError: a type is not "Added", "Updated" or "Deleted"; nothing is queued then.
        """

    def replace(self, list: Sequence[_T], resource_version: str = "") -> None:
        """Make `list` all that there is: tombstones for what is queued or known and not in it (§37-§39).

        Raises:
            RuntimeError: called from this queue's process function.
        """

    def resync(self) -> None:
        """Queue "Sync" for each known object that has nothing queued (§40).

        Raises:
            RuntimeError: called from this queue's process function.
        """

    def pop(
        self, process: Callable[[list[tuple[str, Any]], bool], object], timeout: float | None = None
    ) -> list[tuple[str, Any]]:
        """Call `process(deltas, is_in_initial_list)` with all deltas of the key that waits longest, and return them.

        Blocks until there is one. What `process` raises is raised; the deltas are not queued again (§47).

        Raises:
            TimeoutError: nothing came in time.
            ClosedError: the queue is closed and empty (§45).
            RuntimeError: called from this queue's process function.
        """

    def pop_batch(
        self,
        process: Callable[[list[list[tuple[str, Any]]], bool], object],
        max_items: int = 1000,
        timeout: float | None = None,
    ) -> list[list[tuple[str, Any]]]:
        """The same for up to `max_items` keys at once, a list of deltas for each."""

    def key_of(self, obj: Any) -> str:
        """The key of an object or a tombstone.

        Raises:
            ObjectKeyError: the key function failed.
        """

    def close(self) -> None:
        """Let blocked pops return; what is queued can still be popped (§45)."""

    def is_closed(self) -> bool:
        """Whether `close` was called."""

    def has_synced(self) -> bool:
        """Whether the first `replace` was processed, or anything was added before one (§41-§44)."""

    def wait_synced(self, timeout: float | None = None) -> bool:
        """Block until `has_synced()`; False when the time is over or the queue closed before."""

    def __len__(self) -> int:
        """Keys that wait."""

    def __class_getitem__(cls, key: Any) -> GenericAlias: ...

@final
class RealFIFO(Generic[_T]):
    """client-go's RealFIFO (§48-§62): a queue that keeps every change in order, for any Python objects.

    A delta is a pair (type, object) as of `DeltaFIFO`. With atomic events, which is the mode without `known_objects`, a
    list is one ("ReplacedAll", `ReplacedAllInfo`), a resync one ("SyncAll", `SyncAllInfo`), and the consumer compares
    with its store. Adding never blocks.
    """

    def __new__(
        cls,
        key_function: Callable[[Any], str] | None = None,
        known_objects: _KeyListerGetter | None = None,
        *,
        atomic_events: bool | None = None,
        emit_delta_type_bookmark: bool = False,
        transformer: Callable[[_T], _T] | None = None,
    ) -> Self:
        """Make an empty queue.

        Args:
            key_function: None = `deletion_handling_meta_namespace_key_func`.
            known_objects: what the consumer holds; needed without atomic events, refused with them.
            atomic_events: None = iff there are no `known_objects`.
            emit_delta_type_bookmark: `bookmark` queues ("Bookmark", `BookmarkInfo`) (§60).
            transformer: see `DeltaFIFO`; if it raises for one object of a list, nothing of the list is queued (§57).

        Raises:
            ValueError: options that exclude each other (§61).
            TypeError: `known_objects` lacks `list_keys` or `get_by_key`.
        """

    def add(self, obj: _T) -> None:
        """Queue "Added". Raises ObjectKeyError, or what the transformer raises; so do all that take objects."""

    def update(self, obj: _T) -> None:
        """Queue "Updated"."""

    def delete(self, obj: Any) -> None:
        """Queue "Deleted", whether the key is known or not (§48)."""

    def add_many(self, changes: Sequence[tuple[str, Any]]) -> None:
        """Queue (type, object) pairs under one lock.

        Raises:
            ValueError: a type is not "Added", "Updated" or "Deleted"; nothing is queued then.
        """

    def replace(self, list: Sequence[_T], resource_version: str = "") -> None:
        """Queue the whole list (§49, §57). Without atomic events it waits for the process function that runs.

        Raises:
            RuntimeError: called from this queue's process function, without atomic events.
        """

    def resync(self) -> None:
        """Queue a resync (§58); see `replace`."""

    def bookmark(self, resource_version: str) -> None:
        """Queue a bookmark, if the queue emits them."""

    def pop(self, process: Callable[[tuple[str, Any], bool], object], timeout: float | None = None) -> tuple[str, Any]:
        """Call `process(delta, is_in_initial_list)` with the oldest delta, and return that; see `DeltaFIFO.pop`."""

    def pop_batch(
        self,
        process: Callable[[list[tuple[str, Any]], bool], object],
        max_items: int = 1000,
        timeout: float | None = None,
    ) -> list[tuple[str, Any]]:
        """The same for up to `max_items` deltas of as many keys (§52); atomic events come alone (§54)."""

    def key_of(self, obj: Any) -> str:
        """The key of an object or a tombstone.

        Raises:
            ObjectKeyError: the key function failed.
        """

    def close(self) -> None:
        """Let blocked pops return; what is queued can still be popped."""

    def is_closed(self) -> bool:
        """Whether `close` was called."""

    def has_synced(self) -> bool:
        """Whether the first list was processed (§50, §51)."""

    def wait_synced(self, timeout: float | None = None) -> bool:
        """Block until `has_synced()`; False when the time is over or the queue closed before."""

    def __len__(self) -> int:
        """Deltas that wait."""

    def __class_getitem__(cls, key: Any) -> GenericAlias: ...

@disjoint_base
class StoreReader:
    """Reads the store of an informer: as it is, or as it was when a snapshot was taken.

    Each answer is of one cut. The methods hold the interpreter only for what takes microseconds, and between the pieces
    of long lists of Python objects.
    """

    def snapshot(self) -> Snapshot:
        """What it reads now, for good; see `cache.SharedIndexer.snapshot`."""

    def get(self, key: str) -> KubeObject | None:
        """What has the key, or None."""

    def list(self, selector: Selector | None = None, namespace: str | None = None) -> builtins.list[KubeObject]:
        """The objects that a selector matches, of one namespace or (None) of all; in no order."""

    def keys(self) -> builtins.list[str]:
        """All keys, in no order."""

    def list_json(self, selector: Selector | None = None, namespace: str | None = None) -> bytes:
        """The bytes of the objects that `list` would return, as one JSON array."""

    def json_pieces(self, selector: Selector | None = None, namespace: str | None = None) -> JSONPieces:
        """The same array, to be put together a piece at a time."""

    def project(
        self, paths: Sequence[str], *, index: str | None = None, value: str | None = None
    ) -> builtins.list[tuple[Any, ...]]:
        """What `KubeObject.get_paths(*paths)` gives for each object, or for those under a value of an index.

        Raises:
            ValueError: a path does not parse.
            IndexNotFoundError: there is no such index.
            TypeError: only one of `index` and `value` is given.
            DecodeError: a value is not valid JSON.
        """

    def by_index(self, name: str, value: str) -> builtins.list[KubeObject]:
        """The objects under a value of an index (§19).

        Raises:
            IndexNotFoundError: there is no such index (§18).
        """

    def index_keys(self, name: str, value: str) -> builtins.list[str]:
        """Their keys, sorted (§10).

        Raises:
            IndexNotFoundError: there is no such index.
        """

    def count_by_index(self, name: str, value: str) -> int:
        """How many there are.

        Raises:
            IndexNotFoundError: there is no such index.
        """

    def list_index_func_values(self, name: str) -> builtins.list[str]:
        """The values that at least one object has; [] for an unknown index (§18)."""

    def declared_values(self, name: str, object: KubeObject) -> builtins.list[str] | None:
        """The values of any object in an index; None for an index whose values are Python's.

        Raises:
            IndexNotFoundError: there is no such index.
        """

    def values_of(self, name: str, key: str) -> builtins.list[str]:
        """The values under which an index has the object with this key; [] when there is none.

        Raises:
            IndexNotFoundError: there is no such index.
        """

    def index_names(self) -> builtins.list[str]:
        """The names of all indices."""

    def resource_version(self, namespace: str | None = None) -> str:
        """The version that was written last for a source (§27-§31); "" = none yet, or the queue is not "atomic".

        Args:
            namespace: None = the lowest of all sources, "" while one has none that can be compared.

        Raises:
            ValueError: no source has the namespace.
        """

    def __len__(self) -> int: ...
    def __contains__(self, key: str, /) -> bool: ...

@final
class InformerCore(StoreReader):
    """Queue, store, indices and listeners of one informer. One thread, the processor, calls `process` and `commit`."""

    def __new__(
        cls,
        resource: str,
        *,
        keep_managed_fields: bool = False,
        recreate_as_update: bool = False,
        notify_unchanged_on_relist: bool = False,
        max_object_bytes: int | None = None,
        max_list_bytes: int | None = None,
        queue_bytes: int | None = None,
        decode_cache: int = 256,
        queue: str = "atomic",
        compression: str | None = None,
        dictionary_samples: int = 1000,
        filter: Filter | None = None,
    ) -> Self:
        """Make it; nothing runs.

        Args:
            resource: "group/version/plural", for the objects' equality.
            keep_managed_fields: keep `metadata.managedFields`.
            recreate_as_update: a new uid under a known key is one update (§75), not a deletion and an addition.
            notify_unchanged_on_relist: listeners hear of what a relist found unchanged (§136).
            max_object_bytes: largest object or line of a watch; None = 64 MiB.
            max_list_bytes: largest list, all its pages or initial events together; None = any.
            queue_bytes: bytes queued above which readers wait; None = 256 MiB.
            decode_cache: decoded objects kept for the next handle of the same version; 0 = none.
            queue: "atomic", "in_order" or "delta"; see `kubeinformer.ControllerOptions`.
            compression: "zstd" = keep the JSON of objects compressed; None = as it is.
            dictionary_samples: from how many objects a dictionary is learnt; a first list of a tenth of that is enough.
            filter: what it holds, of objects as the server sent them; None = everything.

        Raises:
            ValueError: `queue` or `compression` is none of these.
        """

    def add_source(self, name: str) -> Source:
        """Make one more list/watch pair, which `has_synced` waits for. To be called before `start`."""

    def start(self) -> bool:
        """Note the start; False when it was started before (§156)."""

    def stop(self) -> None:
        """End all waits and close all listeners; what is queued is dropped (§73, §153)."""

    def is_stopped(self) -> bool:
        """Whether `stop` was called (§157)."""

    def has_synced(self) -> bool:
        """Whether the first list of every source is in the store and with the listeners; never False again (§158)."""

    def wait_synced(self, timeout: float | None = None) -> bool:
        """Block until it has synced (True), or is stopped or the time is over (False)."""

    def set_transform(self, transform: Transform | None, *, external: bool = False) -> None:
        """Change objects before anything else sees them. To be called before `start`.

        Args:
            transform: what is evaluated in Rust; None = nothing.
            external: Python's own comes after it: `process` comes back with what that has to see.
        """

    def settle(self, untransformed: Untransformed) -> list[str]:
        """Put what the store has in the place of what failed; once, before `transformed`.

        Returns:
            The keys that have no longer failed: a version of theirs passed, or the object is gone.
        """

    def transformed(self, untransformed: Untransformed) -> Change | None:
        """Take a batch on its way to the store; it may come back for index values (see `process`).

        Raises:
            RuntimeError: it was taken before.
        """

    def refetched(self, body: bytes, *, list: bool) -> None:
        """Try the transform of failed objects again, with what the server gave for them.

        An object counts iff it is the version that failed and nothing newer has come; the processor sees to it.

        Args:
            body: an object, as JSON.
            list: it is a list of some.

        Raises:
            DecodeError: it is neither.
        """

    def poll_synced(self, waker: Waker) -> bool | None:
        """`wait_synced` that does not block: None while it would; the waker is then woken once when to ask again."""

    def forget(self, waker: Waker) -> None:
        """Take back a waker that was left in a poll."""

    def process(self, timeout: float | None = None) -> Change | Untransformed | None:
        """Take batches of up to 1000 deltas from the queue to the store and the listeners.

        Resyncs listeners when that is due. Blocks until Python is wanted or the time is over.

        Returns:
            A change whose index values are Python's: give them to `commit` before the next call. A batch whose
            transform is Python's: give it to `settle` and `transformed` before the next call. None: time is over.

        Raises:
            ClosedError: the informer is stopped.
        """

    def commit(self, change: Change, values: dict[str, builtins.list[builtins.list[str]]]) -> bool:
        """Write a change and tell the listeners, in one cut.

        Args:
            change: what `process` returned.
            values: index -> values of each of `change.objects()`, for all of `change.index_names()`.

        Returns:
            False when indices were added meanwhile and nothing was done: ask the change again what it wants.

        Raises:
            ValueError: values of an index are missing.
            RuntimeError: it was committed before.
        """

    def begin_add_indexers(self, indexers: dict[str, Index | None]) -> NewIndexers:
        """Make indices, which are not yet to be read: from now on every `Change` wants their values.

        Args:
            indexers: None for one whose values are Python's.

        Returns:
            What to give to `finish_add_indexers` or `abort_add_indexers`.

        Raises:
            ValueError: there is an index of one of the names; none is made then (§21).
            ClosedError: the informer is stopped (§161).
            RuntimeError: others have begun and not ended.
        """

    def finish_add_indexers(self, new: NewIndexers, values: dict[str, builtins.list[builtins.list[str]]]) -> None:
        """Open the indices for reading.

        Args:
            new: what `begin_add_indexers` returned.
            values: index -> values of each of `new.objects()`, for each index whose values are Python's.

        Raises:
            ValueError: values of an index are missing; the indices are taken back.
            RuntimeError: it was ended before.
        """

    def abort_add_indexers(self, new: NewIndexers) -> None:
        """Take the indices back.

        Raises:
            RuntimeError: it was ended before.
        """

    def add_listener(
        self,
        *,
        resync_period: float | None = None,
        backlog: tuple[int, int] | None = None,
        filter: Filter | None = None,
    ) -> Listener | None:
        """Make a listener, which gets an addition for all that is stored (§142) and then every change.

        Args:
            resync_period: seconds after which it gets updates of all objects with themselves (§125); None or 0 = never.
            backlog: notifications and bytes that may wait before they are merged per key; None = no bound (§139).
            filter: what it gets of that; None = all.

        Returns:
            None when the informer is stopped (§143).
        """

    def remove_listener(self, listener: Listener) -> bool:
        """Close a listener; False when it is not one of this informer (any more)."""

    def add_enqueuer(
        self,
        queue: Queue[str],
        key: Index | None = None,
        when: Filter | None = None,
        *,
        priority: int = 0,
        low_priority: int = 0,
        resync_period: float | None = None,
    ) -> Enqueuer | None:
        """Put keys of what is stored, and of every change, into a queue, on the thread that writes the store.

        Args:
            queue: where to; it is not kept alive.
            key: what gives the keys of an object; None = its own.
            when: the changes that count; None = all.
            priority: of changes.
            low_priority: of additions of the first list and of resyncs.
            resync_period: see `add_listener`.

        Returns:
            None when the informer is stopped.
        """

    def remove_enqueuer(self, enqueuer: Enqueuer) -> bool:
        """Put nothing in any more; False when it is not one of this informer (any more)."""

    def wait_for_resource_version(
        self, resource_version: str, timeout: float | None = None, namespace: str | None = None
    ) -> bool:
        """Block until the store is at or past a version and the listeners have what led there.

        Args:
            resource_version: a decimal number; "" and "0" are past at once.
            timeout: seconds to wait at most; None = for ever.
            namespace: whose source is waited for; None = every source.

        Returns:
            False when the time is over or the informer is stopped.

        Raises:
            ValueError: `resource_version` is no decimal number, or no source has the namespace.
            RuntimeError: the informer's queue is not "atomic".
        """

    def poll_resource_version(self, waker: Waker, resource_version: str, namespace: str | None = None) -> bool | None:
        """`wait_for_resource_version` that does not block: None while it would; the waker is then woken once."""

    def processing_latency(self) -> tuple[builtins.list[tuple[float, int]], float]:
        """How long batches took from their pop to their end (client-go's `informer_processing_latency_seconds`).

        Returns:
            For each class its upper bound in seconds, the last one infinite, and how many batches are in it and in no
            class before it; the sum of the times in seconds. Takes no lock.
        """

    def sizes(self) -> tuple[int, int, int, int, int, int, int]:
        """What `MemoryUsage` tells, in its order. Waits for the write of one batch at most."""

@final
class Change:
    """A batch that waits for index values from Python."""

    def objects(self) -> list[KubeObject]:
        """The objects to be written, in the order in which `commit` wants values."""

    def deleted_keys(self) -> list[str]:
        """The keys that leave the store."""

    def index_names(self) -> list[str]:
        """The indices whose values `commit` wants."""

@final
class Untransformed:
    """A batch that waits for a transform of Python's."""

    def next(self, max_items: int) -> list[tuple[KubeObject, bool]]:
        """The next objects that it has to see, as they were read, and whether each is a deleted one's final state.

        The same ones until `give`.
        """

    def give(self, made: list[bytes | None]) -> list[BaseException | None]:
        """Give the JSON that came of the first of those objects; None where the transform failed.

        Returns:
            For each the ValueError if it is no version of the object: it counts as failed then.
        """

@final
class NewIndexers:
    """Indices between `begin_add_indexers` and its end."""

    def objects(self) -> list[KubeObject]:
        """The objects in the order in which `finish_add_indexers` wants values."""

@final
class Snapshot(StoreReader):
    """The store of an informer at one moment. Its tables are freed with it: some 10 milliseconds per 100,000 objects.

    Nobody else waits for that, and the interpreter is let go.
    """

    def places(self) -> int:
        """One more than the last place of an object."""

    def objects(self, start: int, stop: int) -> builtins.list[KubeObject]:
        """The handles from place `start` up to `stop`; there may be fewer."""

@final
class JSONPieces:
    """The objects of one JSON array; its length is their number."""

    def piece(self, start: int, stop: int) -> bytes:
        """The part of the array from place `start` up to `stop`: all parts in a row are the array."""

    def __len__(self) -> int: ...

@final
class Event(Generic[_T]):
    """One change; also to be read as `event["type"]` and `event["object"]`.

    Attributes:
        type: "ADDED", "MODIFIED" or "DELETED".
        object: the object; of a deletion its final state or a `DeletedFinalStateUnknown`.
        old: what it was before a MODIFIED, else None.
        is_in_initial_list: whether an ADDED was there already when the stream or handler began, or the informer first
            listed.
    """

    def __new__(
        cls,
        type: str,
        object: _T | DeletedFinalStateUnknown,
        old: _T | None = None,
        *,
        is_in_initial_list: bool = False,
    ) -> Self: ...
    @property
    def type(self) -> Literal["ADDED", "MODIFIED", "DELETED"]: ...
    @property
    def object(self) -> Any: ...
    @property
    def old(self) -> _T | None: ...
    @property
    def is_in_initial_list(self) -> bool: ...
    def __getitem__(self, key: Literal["type", "object", "old"], /) -> Any: ...
    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]: ...
    def __class_getitem__(cls, key: Any) -> GenericAlias: ...

@final
class WakePipe:
    """How the core wakes an event loop: with a file descriptor to watch, and tokens that tell whom to wake.

    Raises:
        OSError: the process has no file descriptors left.
    """

    def __new__(cls) -> Self: ...
    def fileno(self) -> int:
        """The descriptor. It is readable when there are tokens to take."""

    def waker(self, token: int) -> Waker:
        """A waker that adds this token."""

    def take(self) -> list[int]:
        """The tokens that were added since the last call. Does not block."""

@final
class Waker:
    """Wakes one waiting task of an event loop; what a poll leaves behind."""

@final
class Listener:
    """The notifications that wait for one handler."""

    def deliver(
        self,
        handler: ResourceEventHandler[KubeObject],
        on_error: Callable[[str, BaseException], object],
        max_items: int = 1000,
        timeout: float | None = None,
    ) -> bool:
        """Take the oldest notifications and call a handler for each. Blocks until there is one.

        Acknowledges the batch before: its calls are over. After the listener was closed no call begins.

        Args:
            handler: called on this thread; its methods are looked up once.
            on_error: called with the object's key and what the handler raised; then the next call follows.
            max_items: notifications to take at most.
            timeout: seconds to wait for the first one at most; None = for ever.

        Returns:
            False when the listener is closed.
        """

    def pop_events(self, max_items: int = 1000, timeout: float | None = None) -> list[Event[KubeObject]] | None:
        """Take the oldest notifications as events. Blocks until there is one. Acknowledges the batch before.

        Returns:
            None when the time is over; [] when the listener is closed.
        """

    def poll_events(self, waker: Waker, max_items: int) -> list[Event[KubeObject]] | None:
        """`pop_events` that does not block: None when nothing has come yet; the waker is woken once when it has."""

    def barrier(self) -> int:
        """A mark behind everything that was given to the listener so far, for `wait_handled`."""

    def wait_handled(self, barrier: int, timeout: float | None = None) -> bool:
        """Block until everything before the mark was taken and acknowledged.

        Args:
            barrier: what `barrier` returned.
            timeout: seconds to wait at most; None = for ever.

        Returns:
            False when the time is over, or the listener was closed before.
        """

    def poll_handled(self, waker: Waker, barrier: int) -> bool | None:
        """`wait_handled` that does not block: None while it would; the waker is then woken once when to ask again."""

    def forget(self, waker: Waker) -> None:
        """Take back a waker that was left in a poll."""

    def initial_list_done(self) -> bool:
        """Whether everything of the first list was taken and acknowledged (§149)."""

    def wait_initial_list(self, timeout: float | None = None) -> bool | None:
        """Block until that is so (True), the listener is closed before (False), or the time is over (None)."""

    def stats(self) -> tuple[int, int, int, int]:
        """Notifications that wait and their bytes; notifications taken, and merged into others, so far."""

    def filtered(self) -> int:
        """Notifications that its filter kept out so far."""

    def close(self) -> None:
        """Drop what waits, and end `deliver` and `pop_events` for good (§146)."""

    def is_closed(self) -> bool:
        """Whether it is closed, by `close`, `remove_listener` or the informer's stop."""

@final
class Source:
    """One list/watch pair of an informer: a namespace, or the whole cluster."""

    @property
    def name(self) -> str:
        """The namespace; "" = the whole cluster."""

    def begin_relist(self) -> Relist:
        """Begin a list; nothing of it is queued before its `commit`."""

    def watch_reader(self, *, chunked: bool, any_version: bool = False, not_older_than: str = "") -> WatchReader:
        """A reader for the body of a watch.

        Args:
            chunked: the bytes still have their chunked transfer coding.
            any_version: the watch was asked from "" or "0", and so begins with additions in no order of versions: no
                version is known before another event (§116).
            not_older_than: the version that the watch was asked from: a lower one ends the reading.
        """

    def watch_list_reader(self, *, chunked: bool, not_older_than: str = "") -> WatchReader:
        """A reader for a stream with sendInitialEvents: collects up to the end bookmark, then goes on as a watch.

        Args:
            chunked: as for `watch_reader`.
            not_older_than: the version that was asked for: an end bookmark with a lower one ends the reading, and
                nothing is queued.
        """

    def has_synced(self) -> bool:
        """Whether its first list is in the store."""

@final
class Relist:
    """A whole list in the making; its length is the number of objects so far."""

    def page(self, *, chunked: bool) -> ListReader:
        """A reader for the body of the next page.

        Args:
            chunked: the bytes still have their chunked transfer coding.
        """

    def commit(self, resource_version: str) -> None:
        """Queue it as the source's whole state. Blocks while the queue is above its limit.

        Unless the queue is "atomic", also until the batch under way is processed.

        Raises:
            ClosedError: the informer is stopped.
            RuntimeError: it was committed before.
        """

    def __len__(self) -> int: ...

@final
class ListMeta:
    """What a page says about itself and the list."""

    @property
    def api_version(self) -> str:
        """The list's apiVersion."""

    @property
    def kind(self) -> str:
        """The list's kind."""

    @property
    def resource_version(self) -> str:
        """The list's resourceVersion."""

    @property
    def continue_token(self) -> str:
        """Token of the next page; "" = this was the last."""

    @property
    def remaining_item_count(self) -> int | None:
        """How many objects follow, if the server says so."""

    @property
    def shard_selector(self) -> str | None:
        """The shard that the server says it has listed."""

@final
class ListReader:
    """Reads the body of one page into its `Relist`. For one thread at a time; a second one gets RuntimeError."""

    def feed(self, data: bytes) -> bool:
        """Read on, with other threads running. True once a chunked body is complete.

        Raises:
            DecodeError: the bytes are not those of a list; `offset` counts bytes of the body.
        """

    def finish(self) -> ListMeta:
        """End the body.

        Raises:
            DecodeError: it is no complete list.
        """

    @property
    def items(self) -> int:
        """Objects read from this page so far."""

@final
class WatchReader:
    """Reads the body of a watch into the queue. For one thread at a time; a second one gets RuntimeError.

    Its properties may be asked by any thread, also while one reads; they are of the last piece that was fed.
    """

    def feed(self, data: bytes) -> bool:
        """Read on, with other threads running. Blocks while the queue is above its limit.

        With a "delta" queue, for a deletion, also until the batch under way is processed.

        Returns:
            True when the stream is over: the chunked body ended, an ERROR event came, or a version went back.

        Raises:
            DecodeError: bytes that are no event; those before them are queued.
            ClosedError: the informer is stopped.
        """

    def finish(self) -> None:
        """End the body; a last event without its line end counts.

        Raises:
            DecodeError: the last event is cut off.
        """

    @property
    def events(self) -> int:
        """Events queued so far, with bookmarks and unknown types, without ERROR."""

    @property
    def bookmarks(self) -> int:
        """Bookmarks among them."""

    @property
    def unknown_events(self) -> int:
        """Events of unknown types among them, of which only the resourceVersion is used (§119)."""

    @property
    def resource_version(self) -> str:
        """The version up to which everything is queued, to watch on from; "" until an event says it (§103)."""

    @property
    def went_back_to(self) -> str:
        """The version of the bookmark or event that is lower than one before it, and was not queued; "" = none was."""

    @property
    def synced(self) -> bool:
        """Whether a watch-list has had its end bookmark; True for an ordinary watch."""

    @property
    def error(self) -> bytes | None:
        """The JSON of the object of the ERROR event that ended the stream, mostly a Status."""

@disjoint_base
class Queue(Generic[_ItemT]):
    """client-go's workqueue: items to be worked on, each once and by one worker at a time (§184-§188).

    An item is any hashable object; two that are equal are the same item, and the queue gives back the one that it got
    first. `str`, `bytes` and `int` are the quickest; for others `__hash__` and, where hashes meet, `__eq__` are called,
    on the calling thread and with no lock held; what they raise comes out of the method, which then has done nothing.

    Higher priorities come first, in order of arrival within one. So that low ones are not starved, the item that has
    waited longest comes next, whatever its priority, each time after `aging` items got ahead of lower ones: it takes at
    most one of aging + 1 items, so it delays the others little. `aging=None`: a higher priority always comes first.

    A queue is not searched by the cyclic garbage collector: one that is reachable from its own items, limiter or
    metrics is never freed.
    """

    def __new__(
        cls,
        *,
        name: str = "",
        metrics: MetricsProvider | None = None,
        aging: int | None = 10,
        clock: FakeClock | None = None,
    ) -> Self:
        """Make an empty queue.

        Args:
            name: for metrics and threads; a queue with a name keeps the times of `stats`.
            metrics: told of everything, if there is a name (§192); None = the one of `set_provider`.
            aging: see the class.
            clock: of a test; None = the system's. The timeouts of `get` go by the system's always.
        """

    def __class_getitem__(cls, key: Any) -> GenericAlias: ...
    @property
    def name(self) -> str:
        """As it was given."""

    def add(self, item: _ItemT, priority: int = 0) -> None:
        """Have an item worked on (§184).

        No effect on one that is in the queue, but that a higher priority raises it, to the end of that priority. One
        that is processed comes again after `done`. Ignored when shutting down (§187).

        Raises:
            TypeError: it is not hashable.
            OverflowError: the priority does not fit into 32 bits.
        """

    def add_all(self, items: Iterable[_ItemT], priority: int = 0) -> None:
        """`add` each, in order, faster. If one raises, those before it are added, unless `items` or a hash raised."""

    def get(self, timeout: float | None = None) -> _ItemT:
        """Take the next item; nobody else gets it before `done` (§185). Blocks until there is one.

        Raises:
            TimeoutError: there was none in time.
            ShutDown: the queue is shut down, and empty (§187).
        """

    def get_batch(self, max_items: int, timeout: float | None = None) -> list[_ItemT]:
        """The same for up to `max_items` items; blocks until there is one.

        Raises:
            ValueError: `max_items` is below 1.
        """

    def done(self, item: _ItemT) -> None:
        """Say that a taken item is processed, whether that failed or not. No effect on one that is not processed."""

    def done_all(self, items: Iterable[_ItemT]) -> None:
        """`done` for each, faster. If one raises, those before it are done, unless `items` or a hash raised."""

    def item(self, timeout: float | None = None) -> ItemContext[_ItemT]:
        """`get` at the beginning of a `with` block, `done` at its end. `get` may raise, and blocks, on entry."""

    def __len__(self) -> int:
        """How many items can be taken: neither those that are processed nor those that wait for a deadline (§186)."""

    def shut_down(self) -> None:
        """Ignore adds from now on, drop what waits for a deadline (§189), hand out the rest, then end every `get`."""

    def shut_down_with_drain(self, timeout: float | None = None) -> bool:
        """The same, and block until nothing is processed; what was not taken yet is not waited for (§188).

        A worker that calls it waits for its own item, until its timeout.

        Returns:
            False if the time was over, or if `shut_down` ended the wait.
        """

    def shutting_down(self) -> bool:
        """Whether `shut_down` or `shut_down_with_drain` was called."""

    def stats(self) -> QueueStats:
        """Counters at this moment, for a status page or metrics that ask."""

class DelayingQueue(Queue[_ItemT]):
    """A queue to which items can be added later (§189)."""

    def __new__(
        cls,
        *,
        name: str = "",
        metrics: MetricsProvider | None = None,
        aging: int | None = 10,
        clock: FakeClock | None = None,
    ) -> Self:
        """See `Queue`."""

    def add_after(self, item: _ItemT, delay: float, priority: int | None = None) -> None:
        """Add an item after `delay` seconds; 0 or less = now.

        Of several for one item the earliest counts, with the highest priority. An `add` meanwhile is one of its own.
        What waits when the queue shuts down is dropped.

        Args:
            item: what to add.
            delay: up to 1e9; more is 1e9.
            priority: None = the one with which the item was taken, if it is processed, else 0.

        Raises:
            ValueError: the delay is NaN or infinite.
        """

@disjoint_base
class RateLimitingQueue(DelayingQueue[_ItemT]):
    """A queue that knows how long an item must wait that failed."""

    def __new__(
        cls,
        rate_limiter: RateLimiter[_ItemT] | None = None,
        *,
        name: str = "",
        metrics: MetricsProvider | None = None,
        aging: int | None = 10,
        clock: FakeClock | None = None,
    ) -> Self:
        """See `Queue`.

        Args:
            rate_limiter: one of this package's, or any object with its methods; None = a new
                `default_controller_rate_limiter`.
            name: see `Queue`.
            metrics: see `Queue`.
            aging: see `Queue`.
            clock: see `Queue`; also that of the default limiter.

        Raises:
            TypeError: `rate_limiter` lacks a method.
        """

    def add_rate_limited(self, item: _ItemT, priority: int | None = None) -> float:
        """Ask the limiter `when` the item may be added again, and `add_after` that time. Returns the delay."""

    def forget(self, item: _ItemT) -> None:
        """Let the limiter forget the item's failures. It stays in the queue, and `done` is still needed."""

    def num_requeues(self, item: _ItemT) -> int:
        """Failures of the item that the limiter has counted."""

@final
class ItemContext(Generic[_ItemT]):
    """What `Queue.item` returns; for one `with` block."""

    def __enter__(self) -> _ItemT:
        """Get. Raises RuntimeError the second time."""

    def __exit__(self, *_exception: object) -> None:
        """Done."""

    def __class_getitem__(cls, key: Any) -> GenericAlias: ...

@final
class FakeClock:
    """A clock for tests, which stands still until `step`: deadlines of queues and buckets go by it."""

    def __new__(cls) -> Self: ...
    def step(self, seconds: float) -> None:
        """Move it on; whoever waits for a deadline that is now past goes on."""

@final
class StatsReader:
    """Reads the counters of a queue that it does not keep alive."""

    def read(self) -> QueueStats | None:
        """None when the queue is gone."""

@disjoint_base
class CoreRateLimiter:
    """What the limiters below have in common. They may be shared between queues, and used without one."""

    def when(self, item: Hashable) -> float:
        """Count an attempt at the item; seconds to wait before the next."""

    def forget(self, item: Hashable) -> None:
        """The item has succeeded, or is given up for good."""

    def num_requeues(self, item: Hashable) -> int:
        """Attempts that are counted for the item, from the first on until it is forgotten (§190)."""

@final
class ItemExponentialFailureRateLimiter(CoreRateLimiter):
    """base_delay · 2ⁿ seconds after n failures, at most max_delay (§190)."""

    def __new__(cls, base_delay: float, max_delay: float) -> Self:
        """Raises ValueError for a delay that is NaN or infinite."""

@final
class ItemFastSlowRateLimiter(CoreRateLimiter):
    """fast_delay seconds for the first attempts, slow_delay after them."""

    def __new__(cls, fast_delay: float, slow_delay: float, max_fast_attempts: int) -> Self:
        """Raises ValueError for a delay that is NaN or infinite."""

@final
class BucketRateLimiter(CoreRateLimiter):
    """So many a second over all items, after a first `burst` of them; it counts nothing of an item."""

    def __new__(cls, qps: float = 10.0, burst: int = 100, *, clock: FakeClock | None = None) -> Self:
        """Raises ValueError if `qps` is no positive number or `burst` is 0."""

@final
class MaxOfRateLimiter(CoreRateLimiter):
    """Asks every limiter, each of which counts the attempt, and waits for the slowest (§191)."""

    def __new__(cls, *limiters: RateLimiter[Any]) -> Self:
        """Raises TypeError for one that lacks a method."""

@final
class WithMaxWaitRateLimiter(CoreRateLimiter):
    """Another limiter, whose delays are cut to `max_delay` seconds."""

    def __new__(cls, limiter: RateLimiter[Any], max_delay: float) -> Self:
        """Raises TypeError or ValueError, as the others do."""

def take_deltas(core: InformerCore) -> list[tuple[str, Any]]:
    """Take everything that is queued, in order, instead of `process`: the store stays empty.

    Pairs as of `RealFIFO` with atomic events: "Added", "Updated" or "Deleted" and a KubeObject, "ReplacedAll" and a
    `ReplacedAllInfo`, "Bookmark" and a `BookmarkInfo`. For one thread at a time.
    """

def fork_count() -> int:
    """How often this process is a fork of a fork: what was made at another count belongs to a parent."""

def after_fork_in_child() -> None:
    """Count a fork; `os.register_at_fork` calls it in the child."""

@final
class HTTPClient:
    """GETs of one server with one set of settings, and the idle connections between them. Safe to share.

    `kubeinformer.transport.NativeTransport` makes one from the user's client. Requests are sent at most once.
    """

    def __new__(
        cls,
        host: str,
        port: int,
        *,
        tls: tuple[str, bytes | None, tuple[bytes, bytes] | None] | None = None,
        proxy: tuple[str, int, list[tuple[str, bytes]]] | None = None,
        http2: bool = False,
    ) -> Self:
        """Make it; nothing is connected.

        Args:
            host: name or address, an IPv6 one in brackets.
            port: its port.
            tls: the name that the server's certificate must have; the certificates to believe, in PEM (None: any); the
                client's own certificate chain and key, in PEM. None = plain HTTP.
            proxy: host, port and headers of a proxy that is spoken to in plain HTTP.
            http2: offer HTTP/2.

        Raises:
            ValueError: a certificate, key, name or header that cannot be used; the message has nothing of a key.
        """

    def get(
        self, target: str, headers: list[tuple[str, bytes]], *, connect_timeout: float, read_timeout: float, place: str
    ) -> HTTPExchange:
        """Make a request, which is not sent yet.

        Args:
            target: path and query, escaped.
            headers: all but Host.
            connect_timeout: seconds for the connection, TLS included.
            read_timeout: seconds for the head of the answer, once there is a connection.
            place: the request, for messages.

        Raises:
            ValueError: what cannot be sent; the message has no value of a header.
            ForkedError: this is a forked child.
        """

    def close_idle(self) -> None:
        """Close the idle connections."""

@final
class HTTPExchange:
    """One request and its answer. One thread sends and reads; `shutdown` and `silence` are for any.

    Every method raises ForkedError in a forked child.
    """

    def send(self) -> None:
        """Send it and block until the head of the answer is there. Once.

        Raises:
            RefusedError: nobody listens.
            TLSError: the handshake failed; nothing was sent.
            ReadTimeoutError: no answer within `read_timeout`.
            TransportError: anything else, `shutdown` included.
            RuntimeError: it was sent before, or there can be no more threads.
        """

    @property
    def status(self) -> int:
        """HTTP status code."""

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The answer's headers, names in lower case."""

    def read(self, timeout: float) -> bytes:
        """What is readable now of the decoded body, at most 256 KiB; b"" at its end.

        Blocks only while nothing is there, for at most `timeout` seconds.

        Raises:
            ReadTimeoutError: nothing came in that time. The exchange is of no further use.
            TransportError: the body broke off, or `shutdown` was called.
        """

    def read_into(self, reader: ListReader | WatchReader, timeout: float, at_most: float) -> bool:
        """Feed the reader on a thread of the core, with this one detached; see `NativeResponse.read_into`.

        Blocks until the end of the body or stream (True), a bookmark, or `at_most` seconds are over (False).

        Raises:
            ReadTimeoutError: nothing came for `timeout` seconds.
            TransportError: as `read`.
            DecodeError, ClosedError: as the reader's `feed`.
            TypeError: `reader` is none of these.
        """

    def silence(self) -> float:
        """Seconds since bytes came last, or since it was made."""

    def shutdown(self) -> None:
        """End whatever blocks, at once; later calls raise. Does not block."""

    def close(self, complete: bool) -> None:
        """Give the connection back, if the body was read to its end and `complete` says so, or close it."""
