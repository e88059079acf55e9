"""The fixtures of `informer_fixtures`, for the tests of this folder."""

from informer_fixtures import (
    both_transports,
    factory,
    frequent_switches,
    make_dynamic,
    make_factory,
    quick_backoff,
    server,
    widgets,
)

__all__ = [
    "both_transports",
    "factory",
    "frequent_switches",
    "make_dynamic",
    "make_factory",
    "quick_backoff",
    "server",
    "widgets",
]
