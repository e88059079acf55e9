"""The fixtures of the informer and store tests, for those here that need a server or a store."""

from informer_fixtures import factory, make_dynamic, make_factory, quick_backoff, server, widgets
from store_support import make_store

__all__ = ["factory", "make_dynamic", "make_factory", "make_store", "quick_backoff", "server", "widgets"]
