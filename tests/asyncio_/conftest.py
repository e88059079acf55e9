"""The fixtures of the informer tests, and an end to what hangs."""

from informer_fixtures import factory, frequent_switches, make_factory, quick_backoff, server

__all__ = ["factory", "frequent_switches", "make_factory", "quick_backoff", "server"]
