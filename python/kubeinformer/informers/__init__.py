"""Factories and the accessors of every built-in resource (client-go's informers package)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeinformer._lazy import lazily
from kubeinformer.informers.factory import SharedInformerFactory
from kubeinformer.informers.generic import GenericInformer

if TYPE_CHECKING:
    from kubeinformer.informers.dynamic import DynamicSharedInformerFactory
    from kubeinformer.informers.metadata import MetadataInformer, MetadataSharedInformerFactory
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "DynamicSharedInformerFactory": "dynamic",
            "MetadataInformer": "metadata",
            "MetadataSharedInformerFactory": "metadata",
        },
    )

__all__ = [
    "DynamicSharedInformerFactory",
    "GenericInformer",
    "MetadataInformer",
    "MetadataSharedInformerFactory",
    "SharedInformerFactory",
]
