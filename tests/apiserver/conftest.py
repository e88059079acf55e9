"""Fixtures on a real API server: a test carries the marker ``apiserver`` iff it uses a server.

``cluster`` is shared by the whole session: reach it, never hurt it, and work in a ``namespace`` of your own.
``fresh_cluster`` belongs to one test, which may kill and compact it. Both skip, saying what to set, when there is no
kube-apiserver; with ``KUBEINFORMER_REQUIRE_APISERVER=1`` (continuous integration) they fail instead. With
``USE_EXISTING_CLUSTER=true``, ``cluster`` is the one of the current kubeconfig. ``make_factory`` and ``gate`` are for
informers and need no server.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from kubernetes.client import ApiClient
from kubernetes.config import KUBE_CONFIG_DEFAULT_LOCATION

from informer.informer_fixtures import both_transports
from informer.informer_support import informer_threads
from kubeinformer import SharedInformerFactory

from .binaries import Binaries, BinariesUnavailableError, find_or_build
from .cluster import Access, Cluster
from .rest import delete_namespace, ensure_namespace
from .tweaks import Gate

__all__ = ["both_transports"]

_OWN = {"fresh_cluster", "binaries"}
_ANY = _OWN | {"cluster"}
_FOUND = pytest.StashKey[Binaries | BinariesUnavailableError]()


def _use_existing() -> bool:
    return os.environ.get("USE_EXISTING_CLUSTER", "").lower() == "true"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what uses the fixtures, directly or through others."""
    if _ANY & set(getattr(item, "fixturenames", ())):
        item.add_marker("apiserver")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Find or build the programs here: a build in a fixture would run into the time limit of the first test."""
    needed = _OWN if _use_existing() else _ANY
    if session.config.option.collectonly or not any(
        needed & set(getattr(item, "fixturenames", ())) for item in session.items
    ):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    try:
        found: Binaries | BinariesUnavailableError = find_or_build(say=reporter.write_line if reporter else print)
    except BinariesUnavailableError as unavailable:
        found = unavailable
    session.config.stash[_FOUND] = found


def _no_server(reason: str) -> NoReturn:
    if os.environ.get("KUBEINFORMER_REQUIRE_APISERVER") == "1":
        pytest.fail(f"KUBEINFORMER_REQUIRE_APISERVER=1, but {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def binaries(pytestconfig: pytest.Config) -> Binaries:
    """The etcd and kube-apiserver to start clusters from."""
    found = pytestconfig.stash[_FOUND]
    if isinstance(found, BinariesUnavailableError):
        _no_server(str(found))
    return found


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Access]:
    """A cluster for the whole session, which no test may kill, pause or compact."""
    if _use_existing():
        yield Access(Path(KUBE_CONFIG_DEFAULT_LOCATION).expanduser())
        return
    with Cluster(request.getfixturevalue("binaries")) as started:
        yield started


@pytest.fixture
def fresh_cluster(binaries: Binaries) -> Iterator[Cluster]:
    """A cluster for one test, to kill, pause and compact (about three seconds to start)."""
    with Cluster(binaries) as started:
        yield started


@pytest.fixture
def api_client(cluster: Access) -> Iterator[ApiClient]:
    """An official client of the shared cluster."""
    with cluster.api_client() as client:
        yield client


@pytest.fixture
def namespace(api_client: ApiClient) -> Iterator[str]:
    """A new namespace of the shared cluster, gone with its pods after the test."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    ensure_namespace(api_client, name)
    yield name
    delete_namespace(api_client, name)


@pytest.fixture
def make_factory() -> Iterator[Callable[..., SharedInformerFactory]]:
    """Makes factories, which are shut down after the test; no thread of theirs may be left."""
    factories: list[SharedInformerFactory] = []

    def make(api_client: ApiClient, **arguments: Any) -> SharedInformerFactory:
        factories.append(SharedInformerFactory(api_client, **arguments))
        return factories[-1]

    yield make
    for factory in factories:
        assert factory.shutdown(timeout=15) == []
    assert informer_threads() == []


@pytest.fixture
def gate(make_factory: Callable[..., SharedInformerFactory]) -> Iterator[Gate]:  # shut down after it
    """A gate for one informer's requests, open again when factories are shut down."""
    gate = Gate()
    yield gate
    gate.open()
