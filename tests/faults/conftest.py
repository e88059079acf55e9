"""Fixtures of the tests of faults: both transports, the embedded server behind a proxy, and the record of each fault.

Those of a real server are in `real`. A test that uses `outcome` is a row of docs/reliability.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes.client import ApiClient, Configuration

from informer.fault_support import World
from informer.informer_support import informer_threads
from kubeinformer import ControllerOptions, SharedInformerFactory
from kubeinformer.testing import APIServer
from kubeinformer.transport import HTTPTransport, NativeTransport, OwnTransport

from .accepted import StorageLog
from .follower import Follower
from .outcome import RECORDS, Outcome, write
from .proxy import Proxy

MakeFactory = Callable[..., SharedInformerFactory]

TRANSPORTS: dict[str, type[OwnTransport]] = {"native": NativeTransport, "python": HTTPTransport}


@pytest.fixture(params=["native", "python"])
def transport(request: pytest.FixtureRequest) -> str:
    """The name of a transport; every test of a fault runs with both."""
    name: str = request.param
    return name


@pytest.fixture
def make_factory(transport: str) -> Iterator[MakeFactory]:
    """Makes factories with that transport, shut down after the test; no thread of theirs may be left."""
    factories: list[SharedInformerFactory] = []

    def make(api_client: ApiClient, **arguments: Any) -> SharedInformerFactory:
        options = ControllerOptions(**arguments.pop("options", {}))
        factories.append(SharedInformerFactory(api_client, options=options, **{"transport": transport, **arguments}))
        return factories[-1]

    yield make
    for factory in factories:
        assert factory.shutdown(timeout=15) == []
    assert informer_threads() == []


@pytest.fixture
def outcome(request: pytest.FixtureRequest, transport: str) -> Iterator[Outcome]:
    """What came of the fault; see `Outcome`."""
    outcome = Outcome(request.node, transport)
    yield outcome
    report = request.node.stash.get(_CALL, None)
    if report is not None and report.passed:
        request.config.stash.setdefault(RECORDS, []).append(outcome.record())


# -- the embedded server -----------------------------------------------------------------------------------------------


class Embedded:
    """An embedded server, a proxy in front of it, and random changes to its pods."""

    def __init__(self, server: APIServer, proxy: Proxy, make_factory: MakeFactory, transport: str) -> None:
        self.server = server
        self.proxy = proxy
        self.world = World(server)
        self.world.change(20)
        self.make_factory = make_factory
        self._transport = TRANSPORTS[transport]

    def follow(self, api_client: ApiClient | None = None, *, compression: bool = False, **options: Any) -> Follower:
        """Make a follower whose requests go through the proxy; the other keywords are those of ControllerOptions."""
        client = api_client or self.client()
        given = {"transport": self._transport(client, compression=True)} if compression else {}
        factory = self.make_factory(client, options=options, **given)
        return Follower(factory, self.server.api_client(), StorageLog(self.server))

    def client(self) -> ApiClient:
        """Make a client that goes through the proxy."""
        return ApiClient(Configuration(host=self.proxy.url))

    def end_watch(self, follower: Follower) -> None:
        """End its watch after an event, as one that lived long: the next request is that for the next watch."""
        self.world.change(1)
        follower.check()
        follower.wait_live()
        assert self.server.faults.close_watches() > 0


@pytest.fixture
def server_and_proxy() -> Iterator[tuple[APIServer, Proxy]]:
    with APIServer(history_limit=1_000_000) as server, Proxy(server.url) as proxy:  # the log needs all of it
        yield server, proxy


@pytest.fixture
def embedded(server_and_proxy: tuple[APIServer, Proxy], make_factory: MakeFactory, transport: str) -> Embedded:
    """An embedded server behind a proxy, which outlive the factories."""
    return Embedded(*server_and_proxy, make_factory, transport)


# -- the record --------------------------------------------------------------------------------------------------------

_CALL = pytest.StashKey[pytest.TestReport]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report: Any = yield
    if report.when == "call":
        item.stash[_CALL] = report
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    if "RECORD_FAULTS" in os.environ and (records := session.config.stash.get(RECORDS, None)):
        write(records)
