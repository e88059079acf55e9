"""Fixtures of the faults on a real server.

``real`` belongs to one test, which may kill, freeze and compact it. ``rbac`` lives for the session, with RBAC and users
of its own: who uses it takes back what he does to it. Starting a server takes a few seconds, so a test whose fault is
the server's and not the connection's may run with one transport only; then it says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes.client import ApiClient

from apiserver.binaries import Binaries
from apiserver.cluster import Cluster
from apiserver.rest import delete_namespace
from apiserver.tweaks import Gate
from faults.follower import Follower
from kubeinformer import SharedInformerFactory

from .real_server import IMPATIENT, NAMESPACES, RealServer

Follow = Callable[..., Follower]

only_native = pytest.mark.parametrize("transport", ["native"], indirect=True)
only_python = pytest.mark.parametrize("transport", ["python"], indirect=True)

VIEWER = "viewer-token"


@pytest.fixture
def real(fresh_cluster: Cluster) -> Iterator[RealServer]:
    """A server of one test, with pods."""
    server = RealServer(fresh_cluster)
    server.create_pods()
    yield server
    server.close()


@pytest.fixture(scope="session")
def rbac_server(binaries: Binaries) -> Iterator[RealServer]:
    """A server with RBAC; the users ``viewer`` and ``rotated`` have a token and no right."""
    with Cluster(binaries, users={"viewer": VIEWER, "rotated": "no token yet"}) as cluster:
        server = RealServer(cluster)
        yield server
        server.close()


@pytest.fixture
def rbac(rbac_server: RealServer) -> Iterator[RealServer]:
    """The same, with pods that are gone after the test."""
    rbac_server.create_pods(20)
    yield rbac_server
    rbac_server.write("DELETE", "/api/v1/namespaces/default/pods", gracePeriodSeconds=0)
    delete_namespace(rbac_server.admin, NAMESPACES[1])


@pytest.fixture
def follow(make_factory: Callable[..., SharedInformerFactory]) -> Iterator[Follow]:
    """Makes followers of a real server; impatient ones, with other keywords of ControllerOptions if given."""
    clients: list[ApiClient] = []

    def make(
        server: RealServer,
        *,
        api_client: ApiClient | None = None,
        factory: dict[str, Any] | None = None,
        cls: type[Follower] = Follower,
        **options: Any,
    ) -> Follower:
        if api_client is None:
            api_client = ApiClient(server.configuration())
        clients.append(api_client)
        made = make_factory(api_client, options={**IMPATIENT, **options}, **(factory or {}))
        return cls(made, server.admin, server.log)

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def gate(make_factory: Callable[..., SharedInformerFactory]) -> Iterator[Gate]:  # shut down after it
    """A gate for one informer's requests, open again when factories are shut down."""
    gate = Gate()
    yield gate
    gate.open()
