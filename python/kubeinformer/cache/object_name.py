"""`ObjectName`: namespace and name of an object, and what makes one of a key or an object (client-go's names).

`str()` of one is the object's key, and `parse_object_name` undoes it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from kubeinformer.cache.keys import (
    deletion_handling_meta_namespace_key_func,
    meta_namespace_key_func,
    split_meta_namespace_key,
)


class ObjectName(NamedTuple):
    """Namespace, "" for an object without one, and name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def parse_object_name(key: str) -> ObjectName:
    """The name that a key stands for (client-go §2).

    Raises:
        ValueError: the key has more than one "/".
    """
    return ObjectName(*split_meta_namespace_key(key))


def object_to_name(obj: Any) -> ObjectName:
    """The name of what `meta_namespace_key_func` takes.

    Raises:
        ObjectKeyError: `obj` has no name, or is a tombstone.
        ValueError: `obj` is an `ExplicitKey` with more than one "/".
    """
    return parse_object_name(meta_namespace_key_func(obj))


def deletion_handling_object_to_name(obj: Any) -> ObjectName:
    """The same, and for a `DeletedFinalStateUnknown` the name that its key stands for (client-go §3).

    Raises:
        ObjectKeyError: `obj` has no name.
        ValueError: a key with more than one "/".
    """
    return parse_object_name(deletion_handling_meta_namespace_key_func(obj))
