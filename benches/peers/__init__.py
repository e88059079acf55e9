"""The peers of the wire benchmark by name: what people use, or would write by hand.

Invariant: importing this package imports no peer, so that a process that measures one holds nothing of the others.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from benches.contract import Peer

_MODULES = {
    "reader": "benches.peers.reader",
    "official": "benches.peers.official",
    "official-nogc": "benches.peers.official",
    "orjson": "benches.peers.orjson_dicts",
    "orjson-nogc": "benches.peers.orjson_dicts",
    "msgspec": "benches.peers.msgspec_raw",
    "msgspec-stream": "benches.peers.msgspec_stream",
}

NAMES = tuple(_MODULES)
SLOW = frozenset({"official", "official-nogc"})
"""Those that need seconds for what others do in tenths."""


def load(name: str) -> Peer:
    """The peer of that name; KeyError if there is none."""
    make: Callable[[str], Peer] = import_module(_MODULES[name]).peer
    return make(name)
