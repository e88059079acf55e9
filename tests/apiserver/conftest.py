"""Fixtures on a real API server, beside those of fixtures.py: work in a ``namespace`` of your own.

``make_factory`` and ``gate`` are for informers and need no server.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes.client import ApiClient

from informer.informer_fixtures import both_transports
from informer.informer_support import informer_threads
from kubeinformer import SharedInformerFactory

from .cluster import Access
from .rest import delete_namespace, ensure_namespace
from .tweaks import Gate

__all__ = ["both_transports"]


@pytest.fixture(scope="session")
def cluster(shared_cluster: Access) -> Access:
    """The cluster of the whole session, which no test may kill, pause or compact."""
    return shared_cluster


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
