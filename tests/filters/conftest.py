"""The fixtures of `informer_fixtures`, for the tests of this folder."""

from informer_fixtures import factory, make_factory, quick_backoff, server

__all__ = ["factory", "make_factory", "quick_backoff", "server"]
