"""What an informer's conversion makes of an event: of objects their models, or whatever else it gives.

Told in order, the events of one key lead from state to state, whichever of its versions cannot be converted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from kubeinformer._core import Event, KubeObject
from kubeinformer.cache.tombstone import DeletedFinalStateUnknown
from kubeinformer.errors import ModelError

T = TypeVar("T")


def unchanged(obj: KubeObject) -> KubeObject:
    """The conversion of an untyped informer."""
    return obj


def converted(event: Event[KubeObject], convert: Callable[[KubeObject], T]) -> tuple[Event[T], ModelError | None]:
    """The event, and why the object is missing from it, if it is for want of a valid model.

    The deletion of an object that cannot be shown is a deletion all the same.

    Raises:
        ModelError: the new state of the object is no valid model.
    """
    obj = event.object
    if event.type == "DELETED":
        return _deletion(obj, convert)
    new = convert(obj)
    if event.old is None:
        return Event("ADDED", new, is_in_initial_list=event.is_in_initial_list), None
    try:
        return Event("MODIFIED", new, convert(event.old)), None
    except ModelError:
        # When the old object was new it was no valid model either, and nobody was told of it.
        return Event("ADDED", new), None


def _deletion(
    gone: KubeObject | DeletedFinalStateUnknown, convert: Callable[[KubeObject], T]
) -> tuple[Event[T], ModelError | None]:
    try:
        if isinstance(gone, DeletedFinalStateUnknown):
            last = None if gone.obj is None else convert(gone.obj)
            return Event("DELETED", DeletedFinalStateUnknown(gone.key, last)), None
        return Event("DELETED", convert(gone)), None
    except ModelError as error:
        return Event("DELETED", DeletedFinalStateUnknown(gone.key)), error
