"""Ready-made transforms: evaluated in Rust while an object is read, without decoding it.

For `informer.set_transform` and `SharedInformerFactory(transform=...)`. What a transform leaves out is nowhere: not in
the cache, not in what handlers get, and index functions, label selectors and `to_model` do not see it either.
Paths are those of indices: "status", "metadata.annotations['a.b/c']", "spec.containers[*].env", "spec.volumes[0]".
`managedFields` have an option of their own (`ControllerOptions.keep_managed_fields`) and are left out without it,
whatever is kept here.
"""

from __future__ import annotations

from kubeinformer._core import Transform

__all__ = ["Transform", "drop", "keep"]


def drop(*paths: str) -> Transform:
    """Leave out what these paths lead to; all else stays in its place.

    With `[*]` that is something in every element; elements that go themselves close up, so `[1]` is another one then.

    Raises:
        ValueError: a path does not parse (the message points at the character), or leads to what no object can be
            without: apiVersion, kind, metadata, or metadata's name, namespace, uid or resourceVersion.
        TypeError: no path is given.
    """
    return Transform.drop(*paths)


def keep(*paths: str) -> Transform:
    """Leave out everything else.

    apiVersion, kind and metadata's name, namespace, uid and resourceVersion stay always, also if no path is given;
    labels only if they are named: without them no selector finds the object. Objects and arrays on the way to a path
    stay, empty if it leads nowhere.

    Raises:
        ValueError: a path does not parse; the message points at the character.
    """
    return Transform.keep(*paths)
