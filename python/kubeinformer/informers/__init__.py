"""Factories and the accessors of every built-in resource (client-go's informers package)."""

from __future__ import annotations

from kubeinformer.informers.dynamic import DynamicSharedInformerFactory
from kubeinformer.informers.factory import SharedInformerFactory
from kubeinformer.informers.generic import GenericInformer
from kubeinformer.informers.metadata import MetadataInformer, MetadataSharedInformerFactory

__all__ = [
    "DynamicSharedInformerFactory",
    "GenericInformer",
    "MetadataInformer",
    "MetadataSharedInformerFactory",
    "SharedInformerFactory",
]
