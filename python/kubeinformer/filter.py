"""Filters: which objects, and which of their changes, a handler or informer wants; evaluated in Rust, from the bytes.

    running = filter.labels("app=web") & filter.fields("status.phase=Running")
    moved = filter.changed("spec.nodeName", "metadata.labels")
    informer.add_event_handler(handler, filter=running & moved)

Filters are combined with `&`, `|` and `~`; they are immutable, and equal iff they are written alike. They see what the
cache has of an object: what a transform dropped is missing.

A handler with a filter is told as if the cache held nothing but what the filter accepts, as behind a
`FilteringResourceEventHandler` (client-go §154): an update by which an object begins to be accepted is an addition, one
by which it ceases to be a deletion of the old object. A deletion goes by the last state that the cache had, so that a
handler which knows the object always hears of its end; one of which no state is known is told.

`changed` is about updates alone. Whether an object is accepted is said by what is left of a filter without it: a filter
that is nothing but `changed` accepts every object. Of an update between two accepted states the whole filter decides,
where everything but `changed` looks at the new state. Where a slow handler's updates were merged, it decides on what is
handed over: there and back again is no change. A resync changes nothing.

To save work, give handlers that want the same one filter object: it is then evaluated once for all of them.
"""

from __future__ import annotations

from kubeinformer._core import Filter
from kubeinformer.selector import LabelSelector, to_selector

__all__ = ["Filter", "PathFilter", "changed", "fields", "labels", "name", "namespace", "path"]


def labels(selector: LabelSelector) -> Filter:
    """Objects whose labels a selector matches.

    Args:
        selector: such as "app=web, tier in (a, b)", in the grammar of `kubectl -l`; a LabelSelector mapping
            (`matchLabels`, `matchExpressions`); or a compiled `Selector`.

    Raises:
        ValueError: it does not parse; the message points at the character.
        TypeError: it is none of these.
    """
    compiled = to_selector(selector)
    return Filter.fields("") if compiled is None else Filter.labels(compiled)


def fields(selector: str) -> Filter:
    r"""Objects that a field selector matches, on any path, unlike the API server's.

    Args:
        selector: terms with commas between them, all of which must hold: `path=value`, `path==value` or `path!=value`,
            such as "status.phase=Running,spec.nodeName!=". A missing value is "", as it is for the server; a path with
            `[*]` has a value if one of its values is that. In values `\` stands before a comma, `=` or itself.

    Raises:
        ValueError: it does not parse; the message points at the character.
        TypeError: not a string.
    """
    return Filter.fields(selector)


def namespace(*names: str) -> Filter:
    """Objects of one of these namespaces; "" for those that have none.

    Raises:
        TypeError: no name is given, or one is no string.
    """
    return Filter.namespace(*names)


def name(*names: str) -> Filter:
    """Objects of one of these names.

    Raises:
        TypeError: no name is given, or one is no string.
    """
    return Filter.name(*names)


def path(path: str) -> PathFilter:
    """Begin a filter by what is at a path: `filter.path("status.phase").is_in("Pending", "Running")`.

    Raises:
        ValueError: the path does not parse; the message points at the character.
        TypeError: not a string.
    """
    return PathFilter(path)


def changed(*paths: str) -> Filter:
    """Updates that change what is at one of these paths; see the module for what it means in a filter.

    The JSON is compared byte by byte: the server writes equal values alike. What is missing differs from what is there,
    be that null. A path such as "metadata.labels" stands for all that is below it.

    Raises:
        ValueError: a path does not parse; the message points at the character.
        TypeError: no path is given, or one is no string.
    """
    return Filter.changed(*paths)


class PathFilter:
    """What is at a path, to be compared. Values are those that an index has.

    Strings are compared as they are; true, false and numbers as they are written in the JSON (True is "true", 3 is
    "3"); null, objects and arrays are equal to nothing. A path with `[*]` holds if one of its values does.

    Attributes:
        path: the path.
    """

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        Filter.exists(path)
        self.path = path

    def equals(self, value: str | int) -> Filter:
        """Objects that have this value there. `~` of it: those that have another, or none."""
        return Filter.is_in(self.path, _written(value))

    def is_in(self, *values: str | int) -> Filter:
        """Objects that have one of these values there.

        Raises:
            TypeError: no value is given, or one is neither a string, an integer nor a Boolean.
        """
        return Filter.is_in(self.path, *map(_written, values))

    def exists(self) -> Filter:
        """Objects that have something other than null there, be it an object or an array."""
        return Filter.exists(self.path)

    def __repr__(self) -> str:
        return f"filter.path({self.path!r})"


def _written(value: str | int) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    raise TypeError(f"value must be a string, an integer or a Boolean, not {type(value).__name__}")
