"""An informer under observation, and the check with which every test of a fault ends.

`Follower.check` passes iff cache, every index and the replay of what a handler was told equal a fresh LIST and the log
of what the server accepted, and the handler was told of all that it had to be.
"""

from __future__ import annotations

from collections import Counter

from kubernetes.client import ApiClient

from apiserver.informer_oracle import POD_INDEXERS, assert_equal_to_server
from informer.informer_support import eventually
from kubeinformer import SharedInformerFactory
from kubeinformer.cache.reflector_state import ReflectorCounters
from kubeinformer.filter import Filter

from .accepted import AcceptedLog, state
from .journal import Journal, invented, lost

TIMEOUT = 30.0


class Follower:
    """The pods of a server, followed by an informer with every kind of index and one handler.

    Args:
        factory: on which the informer is made, with ``backlog="grow"``; its requests may go through a proxy.
        direct: a client that asks the server itself, for the fresh LIST.
        log: what the server accepted.
        label_selector: of the pods that are meant; the log must be of these.
        filter: of the informer.

    """

    def __init__(
        self,
        factory: SharedInformerFactory,
        direct: ApiClient,
        log: AcceptedLog,
        *,
        label_selector: str = "",
        filter: Filter | None = None,
    ) -> None:
        self.factory = factory
        self.direct = direct
        self.log = log
        self._label_selector = label_selector
        self.informer = factory.core().v1().pods(label_selector=label_selector, filter=filter).informer()
        self.informer.add_indexers(POD_INDEXERS)
        self.journal = Journal()
        self.informer.add_event_handler(self.journal, backlog="grow")
        self._since = 0
        self._begun_with: Counter[str] | None = None

    def start(self, timeout: float = TIMEOUT) -> None:
        """Start it and wait until it follows the server by a watch. Nobody may write meanwhile."""
        self.factory.start()
        self.factory.wait_for_cache_sync(timeout=timeout, fail_fast=False)
        self.check()
        self.wait_live()
        self._since = int(self.informer.last_sync_resource_version())
        self._begun_with = self.relists()

    def relists(self) -> Counter[str]:
        """Relists since the start of the informer, by reason, of all its sources."""
        total: Counter[str] = Counter()
        for reflector in self.informer.controller.reflectors.values():
            total.update(reflector.counters().relists)
        return total

    def relists_since_start(self) -> Counter[str]:
        """Relists since `start` returned."""
        return self.relists() - (self._begun_with or Counter())

    def wait_live(self, timeout: float = TIMEOUT) -> None:
        """Wait until the informer says that changes arrive."""
        eventually(self.informer.is_live, f"{self.informer.name} is live", timeout)

    def lost(self) -> int | None:
        """How many writes the handler was not told of although it had to be, once all is settled; None: not counted."""
        gaps = self._begun_with is None or bool(self.relists_since_start())
        return len(lost(self.log.entries(), list(self.journal.told), since=self._since, gaps=gaps))

    def counters(self) -> ReflectorCounters:
        """What its reflector has done; of an informer with one source."""
        (reflector,) = self.informer.controller.reflectors.values()
        return reflector.counters()

    def check(self, timeout: float = TIMEOUT) -> None:
        """Wait until the cache equals a fresh LIST, then compare all there is. Nobody may write meanwhile."""
        objects = assert_equal_to_server(
            self.direct, self.informer, self.journal, label_selector=self._label_selector, timeout=timeout
        )
        entries = self.log.entries()
        listed = {key: int(obj["metadata"]["resourceVersion"]) for key, obj in objects.items()}
        assert listed == state(entries), "the LIST is what the server accepted"
        assert invented(entries, list(self.journal.told)) == []
        assert self.lost() == 0
        eventually(self.informer.has_synced, "it is synced, which may come a moment after its objects")
