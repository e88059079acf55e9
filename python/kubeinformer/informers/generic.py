"""What the accessors of a factory return: an informer and its lister, for one resource in one scope.

Two accessors with the same resource and scope stand for the same informer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

from kubeinformer._core import KubeObject
from kubeinformer.cache.conversion import unchanged
from kubeinformer.cache.listers import GenericLister
from kubeinformer.cache.shared_informer import SharedIndexInformer
from kubeinformer.resource import Resource

if TYPE_CHECKING:
    from kubeinformer.informers.factory import SharedInformerFactory

L = TypeVar("L")
M = TypeVar("M")
TL = TypeVar("TL")


class GroupVersion:
    """Base of the generated accessors of a group's version."""

    def __init__(self, factory: SharedInformerFactory) -> None:
        self._factory = factory


class ResourceInformer(Generic[L, M, TL]):
    """Base of the generated accessors: `L` is the lister, `M` the model, `TL` the lister of models."""

    resource: ClassVar[Resource]
    lister_class: ClassVar[Callable[..., Any]]

    def __init__(self, informer: SharedIndexInformer[KubeObject]) -> None:
        self._informer = informer

    def informer(self) -> SharedIndexInformer[KubeObject]:
        """The informer; asking for it makes the factory start it (client-go §176)."""
        return self._informer

    def lister(self) -> L:
        """Read access by namespace, name and label selector."""
        return cast("L", self.lister_class(self._informer._core, self.resource, unchanged))

    def typed(self) -> TypedResourceInformer[M, TL]:
        """The same informer, whose handlers, readers and lister get models of the kubernetes package.

        A model is made afresh on each access. Where an object is no valid model, a handler's call is reported with the
        object's key, without its values, and delivery goes on: the handler hears of the object when it is valid, and of
        its deletion as a `DeletedFinalStateUnknown` without an object. Readers raise `ModelError`.
        """
        return TypedResourceInformer(self._informer, self.resource, self.lister_class)


class TypedResourceInformer(Generic[M, TL]):
    """An informer and its lister that give models."""

    def __init__(
        self,
        informer: SharedIndexInformer[KubeObject],
        resource: Resource,
        lister_class: Callable[..., Any],
    ) -> None:
        self._informer = informer
        self._resource = resource
        self._lister_class = lister_class

    def _convert(self, obj: KubeObject) -> Any:
        from kubeinformer.models import deserialize

        return deserialize(obj, self._resource.model)

    def informer(self) -> SharedIndexInformer[M]:
        """The informer."""
        return self._informer.with_conversion(self._convert)

    def lister(self) -> TL:
        """Read access by namespace, name and label selector."""
        return cast("TL", self._lister_class(self._informer._core, self._resource, self._convert))


class GenericInformer:
    """Informer and lister of any resource (client-go's GenericInformer): what `for_resource` returns."""

    def __init__(self, informer: SharedIndexInformer[KubeObject]) -> None:
        self._informer = informer

    def informer(self) -> SharedIndexInformer[KubeObject]:
        """The informer."""
        return self._informer

    def lister(self) -> GenericLister[KubeObject]:
        """Read access by namespace, key and label selector."""
        return GenericLister(self._informer._core, self._informer.resource, unchanged)
