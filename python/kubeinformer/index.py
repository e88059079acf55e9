"""Ready-made indexers: evaluated in Rust, from the bytes of an object, without decoding it.

An index value of a path: missing, null, an object or an array gives none; strings as they are, true and false and
numbers as they are written; a path with `[*]` gives many.
"""

from __future__ import annotations

from kubeinformer._core import Index


def path(path: str) -> Index:
    """Index by the value of a path such as "spec.nodeName"; the same as giving the string itself.

    Raises:
        ValueError: the path does not parse; the message points at the character.
    """
    return Index.path(path)


def join(*paths: str) -> Index:
    """Index by the values of several paths joined with "/".

    None when one of them is missing; all combinations for paths with `[*]`.

    Raises:
        ValueError: a path does not parse.
        TypeError: no path is given.
    """
    return Index.join(*paths)


def controller_owner(kind: str | None = None) -> Index:
    """Index by the owner reference whose `controller` is true.

    Args:
        kind: only owners of this kind; the value is then `namespace/name`. Without it all owners:
            `namespace/Kind/name`. For objects without a namespace the part `namespace/` is left out.
    """
    return Index.controller_owner(kind)


def namespace() -> Index:
    """Index by namespace (client-go's MetaNamespaceIndexFunc); factory informers have it as "namespace" (§179)."""
    return Index.namespace()
