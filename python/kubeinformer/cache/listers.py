"""Listers: read access to an informer's objects by namespace, name and label selector (client-go's listers).

An answer is one cut of the cache; its order is not specified (client-go §180). No call reaches the API server.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from kubeinformer._core import InformerCore, KubeObject
from kubeinformer.errors import NotFoundError
from kubeinformer.resource import Resource
from kubeinformer.selector import LabelSelector, to_selector

T = TypeVar("T")


class Lister(Generic[T]):
    """Lists the objects of an informer, of all namespaces."""

    def __init__(self, core: InformerCore, resource: Resource, convert: Callable[[KubeObject], T]) -> None:
        self._core = core
        self._resource = resource
        self._convert = convert

    def _all(self, objects: list[KubeObject]) -> list[T]:
        return [self._convert(obj) for obj in objects]

    def list(self, selector: LabelSelector | None = None) -> list[T]:
        """Objects that the selector matches; all of them without one. `[]` when there is none (§180, §182).

        Args:
            selector: a selector string ("tier in (web, api), !canary"), a LabelSelector mapping with `matchLabels`
                and `matchExpressions`, or a `Selector`.

        Raises:
            ValueError: the selector does not parse.
        """
        return self._all(self._core.list(to_selector(selector)))

    def _get(self, key: str, name: str) -> T:
        obj = self._core.get(key)
        if obj is None:
            raise NotFoundError(self._resource.group_resource, name)
        return self._convert(obj)


class NamespaceLister(Lister[T]):
    """Lists the objects of one namespace."""

    def __init__(
        self, core: InformerCore, resource: Resource, convert: Callable[[KubeObject], T], namespace: str
    ) -> None:
        super().__init__(core, resource, convert)
        self._namespace = namespace

    def list(self, selector: LabelSelector | None = None) -> list[T]:
        """Objects of the namespace that the selector matches; an empty namespace stands for all (§182).

        Raises:
            ValueError: the selector does not parse.
        """
        return self._all(self._core.list(to_selector(selector), self._namespace or None))

    def get(self, name: str) -> T:
        """The object of this name.

        Raises:
            NotFoundError: the cache does not hold it (§181).
        """
        return self._get(f"{self._namespace}/{name}" if self._namespace else name, name)


class NamespacedLister(Lister[T]):
    """Lists the objects of a namespaced resource."""

    def by_namespace(self, namespace: str) -> NamespaceLister[T]:
        """The lister of one namespace; it costs nothing."""
        return NamespaceLister(self._core, self._resource, self._convert, namespace)


class ClusterLister(Lister[T]):
    """Lists the objects of a resource without namespaces."""

    def get(self, name: str) -> T:
        """The object of this name.

        Raises:
            NotFoundError: the cache does not hold it (§181).
        """
        return self._get(name, name)


class GenericLister(NamespacedLister[T]):
    """Lists the objects of any resource (client-go's GenericLister)."""

    def get(self, name: str) -> T:
        """The object with this key: `namespace/name`, or `name` where there are no namespaces.

        Raises:
            NotFoundError: the cache does not hold it (§181).
        """
        return self._get(name, name)
