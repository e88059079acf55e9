"""Informers of every kind on one server, and a visitor who comes and goes: what they hold must equal a fresh LIST.

`check` is to be called when nobody writes and the server is well.
"""

from __future__ import annotations

import random
import threading
from contextlib import ExitStack
from typing import Any

from kubernetes.client import ApiClient

from apiserver.informer_oracle import POD_INDEXERS, assert_equal_to_server
from informer.informer_support import eventually
from kubeinformer import ControllerOptions, KubeObject, SharedIndexInformer, SharedInformerFactory

from .follower import Follower
from .sites import Site

NAMESPACES = ("soak-0", "soak-1")
_SHUTDOWN_SECONDS = 15.0
_EQUAL_SECONDS = 60.0
_SHORT_BACKLOG = (20, 1 << 20)

# A watch asks for a few seconds, and no wait for a silent server is long: a soak has minutes for what else takes days.
_IMPATIENT: dict[str, Any] = {
    "watch_timeout": 3.0,
    "watch_grace": 0.5,
    "connect_timeout": 1.0,
    "first_byte_timeout": 2.0,
    "watch_list_timeout": 2.0,
}

_KINDS: dict[str, dict[str, Any]] = {
    "native": {"transport": "native"},
    "python": {"transport": "python"},
    "native, LIST in pages": {"transport": "native", "use_watch_list": False, "page_size": 20},
    "python, LIST": {"transport": "python", "use_watch_list": False},
    "native, by namespace": {"transport": "native", "namespaces": NAMESPACES},
    "python, compressed": {"transport": "python", "compression": "zstd"},
    "native, in order": {"transport": "native", "queue": "in_order"},
}


def _factory(api_client: ApiClient, kind: str) -> SharedInformerFactory:
    options = dict(_KINDS[kind])
    transport, namespaces = options.pop("transport"), options.pop("namespaces", None)
    return SharedInformerFactory(
        api_client,
        transport=transport,
        namespaces=namespaces,
        options=ControllerOptions(**_IMPATIENT, **options),
    )


class Audience:
    """All informers of a server, from `__init__` to `close`.

    Attributes:
        wrong: what was seen that must not be, a line each.
    """

    def __init__(self, site: Site, seed: object) -> None:
        self.wrong: list[str] = []
        self.visits = 0
        self._site = site
        self._rng = random.Random(f"{seed}/visitor/{site.name}")
        self._clients = ExitStack()
        self._factories: list[SharedInformerFactory] = []
        self._informers: dict[str, SharedIndexInformer[KubeObject]] = {}
        self._followers: dict[str, list[Follower]] = {}
        self._over = threading.Event()
        for kind in _KINDS:
            factory = _factory(self._clients.enter_context(site.api_client()), kind)
            informer = factory.core().v1().pods().informer()
            informer.add_indexers(POD_INDEXERS)
            quick, slow = Follower(), Follower(pause=0.002)
            informer.add_event_handler(quick, backlog="grow")
            informer.add_event_handler(slow, backlog=_SHORT_BACKLOG)
            self._factories.append(factory)
            self._informers[kind], self._followers[kind] = informer, [quick, slow]
            factory.start()
        self._visitor = threading.Thread(target=self._visit, name=f"soak-visitor-{site.name}", daemon=True)
        self._visitor.start()

    @property
    def calls(self) -> int:
        """Of all handlers that stay, so far."""
        return sum(follower.calls for followers in self._followers.values() for follower in followers)

    def relists(self) -> dict[str, int]:
        """By reason, of all informers that stay."""
        total: dict[str, int] = {}
        for informer in self._informers.values():
            for reflector in informer.controller.reflectors.values():
                for reason, count in reflector.counters().relists.items():
                    total[reason] = total.get(reason, 0) + count
        return total

    def check(self, api_client: ApiClient) -> int:
        """Compare everything with a LIST, and add what differs to `wrong`; returns the number of objects."""
        objects: dict[str, dict[str, Any]] = {}
        for kind, informer in self._informers.items():
            try:
                objects = assert_equal_to_server(api_client, informer, timeout=_EQUAL_SECONDS)
                for follower in self._followers[kind]:
                    follower.check(objects, _EQUAL_SECONDS)
                eventually(informer.is_live, "it is live", _EQUAL_SECONDS)
            except AssertionError as error:
                self.wrong.append(f"{self._site.name}, {kind}: {error} (last error: {informer.last_error()})")
        return len(objects)

    def close(self) -> None:
        """Stop everything; whatever does not end is added to `wrong`."""
        self._over.set()
        self._visitor.join()
        for factory in self._factories:
            self._shut_down(factory)
        self._clients.close()

    def _shut_down(self, factory: SharedInformerFactory) -> None:
        if left := factory.shutdown(timeout=_SHUTDOWN_SECONDS):
            self.wrong.append(f"{self._site.name}: not shut down after {_SHUTDOWN_SECONDS:g} s: {left}")

    def _visit(self) -> None:
        while not self._over.wait(self._rng.uniform(0.0, 0.5)):
            try:
                self._visit_once()
                self.visits += 1
            except Exception as error:
                self.wrong.append(f"{self._site.name}: a visit failed: {error!r}")

    def _visit_once(self) -> None:
        rng = self._rng
        follower = Follower(rng.choice((0.0, 0.001)))
        stay = rng.uniform(0.0, 3.0)
        if rng.random() < 0.6:
            informer = self._informers[rng.choice(list(_KINDS))]
            registration = informer.add_event_handler(follower, backlog=rng.choice(("grow", _SHORT_BACKLOG)))
            self._over.wait(stay)
            if not informer.shut_down_event_handler(registration, _SHUTDOWN_SECONDS):
                raise TimeoutError(f"a handler was not removed after {_SHUTDOWN_SECONDS:g} s")
        else:
            with self._site.api_client() as api_client:
                factory = _factory(api_client, rng.choice(list(_KINDS)))
                factory.core().v1().pods().informer().add_event_handler(follower)
                factory.start()
                self._over.wait(stay)
                self._shut_down(factory)
        if follower.faults:
            raise AssertionError(f"{follower.wrong} faults: {follower.faults}")
