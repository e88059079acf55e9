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

from .accepted import StorageLog
from .follower import Follower
from .outcome import RECORDS, Outcome, write
from .proxy import Proxy

MakeFactory = Callable[..., SharedInformerFactory]
Follow = Callable[..., Follower]


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


@pytest.fixture
def server() -> Iterator[APIServer]:
    with APIServer() as server:
        yield server


@pytest.fixture
def proxy(server: APIServer) -> Iterator[Proxy]:
    with Proxy(server.url) as proxy:
        yield proxy


@pytest.fixture
def world(server: APIServer) -> World:
    """Random changes to the pods of the server."""
    world = World(server)
    world.change(20)
    return world


@pytest.fixture
def follow(server: APIServer, world: World, proxy: Proxy, make_factory: MakeFactory) -> Follow:
    """Makes followers of the embedded server through the proxy; the keywords are those of ControllerOptions."""

    def make(*, api_client: ApiClient | None = None, transport: Any = None, **options: Any) -> Follower:
        client = api_client or ApiClient(Configuration(host=proxy.url))
        given = {} if transport is None else {"transport": transport}
        return Follower(make_factory(client, options=options, **given), server.api_client(), StorageLog(server))

    return make


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
