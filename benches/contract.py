"""What a benchmark asks of each side, so that kubeinformer and its rivals are driven by the same code.

Invariant: everything that is timed happens inside a method named here; preparing inputs and checking results do not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Row = Literal["objects", "bytes", "prepared"]
"""Python objects in and the same objects out; JSON bytes in; objects whose key and index values are at hand. Those
texts are of their version alone, as what comes off the wire is, but for one rival that may intern them beforehand."""

INDICES = ("namespace", "node", "owner")
"""metadata.namespace, spec.nodeName, and the uid of the owner reference with controller=true: one value each."""


class Item(Protocol):
    """One version of one pod, in every form that a side may want as its input."""

    @property
    def key(self) -> str: ...

    @property
    def values(self) -> tuple[str, str, str]:
        """One value for each of INDICES."""

    @property
    def obj(self) -> dict[str, Any]: ...

    @property
    def raw(self) -> bytes:
        """8 KB of JSON, with kind and apiVersion in front."""


class QueueAndStore(Protocol):
    """A queue and the store with three indices behind it.

    An update is: put into the queue, popped from it, processed against the store (was it there, and what was there),
    and stored with its index values, so that the next one in the queue finds it.
    """

    row: Row
    name: str
    collect_garbage: bool
    """Whether the cyclic collector runs meanwhile."""

    def prepare(self, items: Sequence[Item]) -> Sequence[Any]:
        """This side's inputs. Not timed: a selection for `objects` and `bytes`, whatever it takes for `prepared`."""

    def load(self, inputs: Sequence[Any]) -> None:
        """Fill an empty store. Not timed."""

    def single(self, inputs: Sequence[Any]) -> None:
        """Update one after the other: each is through queue and store before the next goes in."""

    def batched(self, inputs: Sequence[Any]) -> None:
        """Update in batches of `BATCH`: all of one into the queue, then all of it popped and stored."""

    def index_keys(self, name: str, value: str) -> Sequence[str]:
        """The sorted keys under an index value: how the benchmark checks that the work was done."""


BATCH = 1000

Handler = Callable[[str, Any, Any], None]
"""Event type, old object or None, new object. Called for everything that the cache learns, from the first list on."""

Ready = Callable[[], None]
"""Lets the server send the events, as soon as a watch waits for them. Does not block."""


@dataclass(frozen=True, slots=True)
class Synced:
    """What a peer has when its cache is full."""

    keep: object
    """Whatever must stay alive so that the memory can be measured."""
    count: int
    node_count: Callable[[str], int] | None
    """How many pods the index says that a node has; None for a peer without indices."""
    close: Callable[[], object] = lambda: None
    """Ends whatever still runs; called after everything was measured."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One way to keep a cache of pods, from the bytes on the socket on."""

    name: str
    sync_list: Callable[[str, int], Synced]
    """Given the server's address and the number of pods: return when all of them are in the cache."""
    watch_events: Callable[[str, int, int, Handler, Ready], object]
    """Given address, number of pods, number of events, a handler and `ready`: fill the cache, call `ready` once when
    everything of the beginning was handed to the handler, watch, hand over that many events, return."""
    collect_garbage: bool = True
