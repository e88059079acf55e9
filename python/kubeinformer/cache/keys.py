"""Keys of objects: `namespace/name`, or `name` alone for objects without a namespace (client-go §1).

Two objects are versions of the same thing, to a store or a queue, iff their keys are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kubeinformer.cache.tombstone import DeletedFinalStateUnknown
from kubeinformer.errors import ObjectKeyError


class ExplicitKey(str):
    """A key that stands for its object: the key functions give it back unchanged (client-go §5)."""

    __slots__ = ()


def meta_namespace_key_func(obj: Any) -> str:
    """Key of a KubeObject, of a dict with `metadata`, of a model of the kubernetes package, or of an `ExplicitKey`.

    Raises:
        ObjectKeyError: `obj` has no name, or is a tombstone.
    """
    if isinstance(obj, ExplicitKey):
        return str(obj)
    if isinstance(obj, DeletedFinalStateUnknown):
        raise ObjectKeyError(f"{obj!r} is no object: use deletion_handling_meta_namespace_key_func", obj)
    key = getattr(obj, "key", None)
    if isinstance(key, str):
        return key
    metadata = obj.get("metadata") if isinstance(obj, Mapping) else getattr(obj, "metadata", None)
    if isinstance(metadata, Mapping):
        name, namespace = metadata.get("name"), metadata.get("namespace")
    else:
        name, namespace = getattr(metadata, "name", None), getattr(metadata, "namespace", None)
    if not name:
        raise ObjectKeyError(f"object of type {type(obj).__name__} has no metadata with a name", obj)
    return f"{namespace}/{name}" if namespace else str(name)


def deletion_handling_meta_namespace_key_func(obj: Any) -> str:
    """The same, and for a `DeletedFinalStateUnknown` the key it carries (client-go §3).

    Raises:
        ObjectKeyError: `obj` has no name.
    """
    if isinstance(obj, DeletedFinalStateUnknown):
        return obj.key
    return meta_namespace_key_func(obj)


def split_meta_namespace_key(key: str) -> tuple[str, str]:
    """`(namespace, name)` of a key; the namespace is "" when the key has none (client-go §2).

    Raises:
        ValueError: the key has more than one "/".
    """
    parts = key.split("/")
    if len(parts) == 1:
        return "", parts[0]
    if len(parts) == 2:
        return parts[0], parts[1]
    raise ValueError(f"unexpected key format: {key!r}")


def meta_namespace_index_func(obj: Any) -> list[str]:
    """Index function of the namespace, "" for an object without one (client-go's MetaNamespaceIndexFunc).

    Raises:
        ObjectKeyError: `obj` has no name.
    """
    return [split_meta_namespace_key(meta_namespace_key_func(obj))[0]]


def index_func_to_key_func_adapter(index_func: Callable[[Any], Iterable[str] | None]) -> Callable[[Any], str]:
    """A key function of an index function that gives one value for each object (client-go's IndexFuncToKeyFuncAdapter).

    It raises ValueError for an object that has none or several, and what `index_func` raises.
    """

    def key_func(obj: Any) -> str:
        values = list(index_func(obj) or ())
        if len(values) != 1:
            raise ValueError(f"too many keys: {values}" if values else "no key: the index function gave no value")
        return values[0]

    return key_func


NAMESPACE_INDEX = "namespace"
"""Name of the index that factory informers always have (client-go §179)."""
