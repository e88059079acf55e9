"""`Scope`: which objects of a resource an informer is about, and what the informer is called for it.

A factory has one informer for each resource and scope; equal scopes ask the server for the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from kubeinformer._core import Filter
from kubeinformer.cache.enqueueing import check_filter
from kubeinformer.options import ListOptions
from kubeinformer.resource import Resource


@dataclass(frozen=True, slots=True)
class Scope:
    """Namespaces (None = the whole cluster), selectors (None = those of the factory), and a filter (None = all)."""

    namespaces: tuple[str, ...] | None
    label_selector: str | None = None
    field_selector: str | None = None
    filter: Filter | None = None

    def __post_init__(self) -> None:
        for name in ("label_selector", "field_selector"):
            selector = getattr(self, name)
            if not isinstance(selector, str | None):
                raise TypeError(f"{name} must be a string or None, not {type(selector).__name__}")
        check_filter("filter", self.filter)
        if self.filter is not None and self.filter.compares:
            raise ValueError(f"filter must not have a changed() in it, as it says what is in the cache: {self.filter}")

    def suffix(self, default: tuple[str, ...] | None) -> str:
        """What a name says of it; nothing of what is the factory's."""
        parts = []
        if self.namespaces != default:
            parts.append("namespaces=" + ("*" if self.namespaces is None else ",".join(self.namespaces)))
        if self.label_selector is not None:
            parts.append(f"label_selector={self.label_selector}")
        if self.field_selector is not None:
            parts.append(f"field_selector={self.field_selector}")
        if self.filter is not None:
            parts.append(f"filter={self.filter}")
        return f"[{'; '.join(parts)}]" if parts else ""

    def narrow(self, options: ListOptions) -> ListOptions:
        """The options with these selectors."""
        if self.label_selector is not None:
            options.label_selector = self.label_selector
        if self.field_selector is not None:
            options.field_selector = self.field_selector
        return options


def informer_name(resource: Resource, suffix: str, taken: Collection[str]) -> str:
    """`plural.group` and the scope; `plural.version.group` when an informer of another version has that name."""
    name = resource.group_resource + suffix
    if name in taken:
        name = f"{resource.plural}.{resource.version}.{resource.group}".rstrip(".") + suffix
    return name


def checked_namespaces(namespaces: Sequence[str] | None) -> tuple[str, ...] | None:
    """The names, in an order that does not depend on the caller's.

    Raises:
        TypeError: no sequence of strings.
        ValueError: there is none, or one is empty or named twice.
    """
    if namespaces is None:
        return None
    if isinstance(namespaces, str):
        raise TypeError(f"namespaces must be a sequence of names, not a string: [{namespaces!r}]")
    try:
        names = tuple(namespaces)
    except TypeError:
        raise TypeError(f"namespaces must be a sequence of names, not {type(namespaces).__name__}") from None
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"namespaces must be names: {list(names)}")
    if not names or not all(names) or len(set(names)) != len(names):
        raise ValueError(f"namespaces must be names, each once, or None for the whole cluster: {list(names)}")
    return tuple(sorted(names))


def named_resource(group_version: str, plural: str, namespaced: bool) -> Resource:
    """The built-in resource of this name, of which it is known whether it has namespaces, or else a new one.

    Raises:
        ValueError: these are not a group/version and a plural name.
    """
    from kubeinformer.informers.generated.resources import BUILT_IN

    group, _, version = group_version.rpartition("/")
    if not version or not plural or "/" in group or "/" in plural:
        raise ValueError(f"not a group/version and a plural name: {group_version!r}, {plural!r}")
    for resource in BUILT_IN:
        if (resource.group, resource.version, resource.plural) == (group, version, plural):
            return resource
    return Resource(group, version, plural, namespaced=namespaced)
