"""The fixtures of `informer_fixtures`, for the tests of this folder."""

from informer_fixtures import quick_backoff

__all__ = ["quick_backoff"]
