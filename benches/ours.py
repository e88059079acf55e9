"""kubeinformer's sides of both benchmarks.

Invariant: what is named here is driven, checked and measured by exactly the code that drives the rivals. kubeinformer
is imported inside the functions, so that the process that measures a rival holds nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from benches.contract import Peer, QueueAndStore

PEER_NAMES: tuple[str, ...] = ()
"""kubeinformer's peers on the wire, as the tables name them."""


def peer(name: str) -> Peer:
    """The peer of that name; KeyError if there is none."""
    raise KeyError(name)


def queues_and_stores() -> Sequence[QueueAndStore]:
    """Fresh sides for `test_store.py`, one for each row."""
    return ()
