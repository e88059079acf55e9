"""What the user did wrong, in the log: for a function with the object's key, once for a function and key.

An exception is logged as it is, except one of a model, which would show the values that it did not take.
"""

from __future__ import annotations

import logging

from kubeinformer.redaction import without_values

logger = logging.getLogger("kubeinformer")


def index_function_failed(index: str, key: str, error: BaseException) -> None:
    """An index function raised: the object is stored, under no value of that index (unlike client-go §16)."""
    error = without_values(error)
    logger.error("index function %r failed on %s: %r", index, key, error, exc_info=error)


def transform_failed(key: str, error: BaseException) -> None:
    """A transform raised: the object stays as it was in the cache, and is asked for again (unlike client-go §120)."""
    error = without_values(error)
    logger.error("transform failed on %s: %r", key, error, exc_info=error)


def handler_failed(handler: str, key: str, error: BaseException) -> None:
    """A handler raised: the notification counts as delivered, and delivery goes on (unlike client-go §151)."""
    error = without_values(error)
    logger.error("event handler %s failed on %s: %r", handler, key, error, exc_info=error)


def handler_cancelled(handler: str) -> None:
    """The event loop of a coroutine handler cancelled its task, as at its own end: it is told nothing more."""
    logger.warning("coroutine handler %s was cancelled with its event loop; it is told nothing more", handler)


def run_twice(informer: str) -> None:
    """`run` was called on an informer that had been started, which changes nothing (client-go §156)."""
    logger.warning("informer %s was started before; an informer runs once", informer)


def list_watch_function_failed(what: str, error: BaseException) -> None:
    """A function of a `ListWatch` raised what is no failure of a connection: it is tried again, as after one."""
    error = without_values(error)
    logger.error("%s failed: %r", what, error, exc_info=error)


def store_failed(reflector: str, key: str, error: BaseException) -> None:
    """A store's method raised on an event: that is lost until the next list (client-go §120)."""
    error = without_values(error)
    logger.error("%s: the store failed on %s: %r", reflector, key or "a bookmark or resync", error, exc_info=error)


def event_left_out(key: str, error: Exception) -> None:
    """A stream of models came upon an object that is none."""
    logger.error("events: left out %s: %s", key, error)
