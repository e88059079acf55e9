"""Which resource a name means, and what discovery says, in both of its forms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kubeinformer.cli.connection import Cluster
from kubeinformer.cli.discovery import Candidate, discover
from kubeinformer.cli.errors import USAGE, CommandError
from kubeinformer.cli.resources import find
from kubeinformer.informers.generated.resources import BUILT_IN, SHORT_NAMES
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import custom_resource_definition
from kubeinformer.transport import HTTPTransport


class _NoTransport:
    def request(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("a built-in resource needs no request")


class _PlainTransport:
    """A server from before aggregated discovery."""

    def __init__(self, transport: HTTPTransport) -> None:
        self.paths: list[str] = []
        self._transport = transport

    def request(self, path: str, query: Any, *, accept: str, **options: Any) -> Any:
        assert accept.endswith(",application/json")
        self.paths.append(path)
        return self._transport.request(path, query, accept="application/json", **options)


@pytest.fixture
def offline() -> Cluster:
    return Cluster(_NoTransport(), "http://nowhere", "default")  # type: ignore[arg-type]


@pytest.fixture
def cluster(server: APIServer) -> Iterator[Cluster]:
    transport = HTTPTransport(server.api_client())
    yield Cluster(transport, server.url, "default")
    transport.close()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pods", "v1/pods"),
        ("pod", "v1/pods"),
        ("Pod", "v1/pods"),
        ("PO", "v1/pods"),
        ("pods.v1", "v1/pods"),
        ("pods.v1.", "v1/pods"),
        ("endpoints", "v1/endpoints"),
        ("deploy", "apps/v1/deployments"),
        ("deployment.apps", "apps/v1/deployments"),
        ("deploy.v1.apps", "apps/v1/deployments"),
        ("events", "v1/events"),
        ("events.events.k8s.io", "events.k8s.io/v1/events"),
        ("hpa", "autoscaling/v2/horizontalpodautoscalers"),
        ("hpa.v1.autoscaling", "autoscaling/v1/horizontalpodautoscalers"),
        ("netpol", "networking.k8s.io/v1/networkpolicies"),
        ("ingresses.networking.k8s.io", "networking.k8s.io/v1/ingresses"),
        ("crd", "apiextensions.k8s.io/v1/customresourcedefinitions"),
    ],
)
def test_built_in_names(offline: Cluster, name: str, expected: str) -> None:
    assert str(find(name, offline)) == expected


def test_every_built_in_resource_is_found_by_its_full_name(offline: Cluster) -> None:
    for resource in BUILT_IN:
        assert find(f"{resource.plural}.{resource.version}.{resource.group}", offline) == resource
    for group_resource, words in SHORT_NAMES.items():
        plural, _, group = group_resource.partition(".")
        for word in words:
            assert find(f"{word}.{group}" if group else word, offline).plural == plural


@pytest.mark.parametrize("name", ["", "pod/web-0", "apps/v1/deployments"])
def test_what_is_no_name(offline: Cluster, name: str) -> None:
    with pytest.raises(CommandError, match="not the name of a resource") as caught:
        find(name, offline)
    assert caught.value.status == USAGE


def test_both_forms_of_discovery_say_the_same(server: APIServer, cluster: Cluster) -> None:
    server.create(custom_resource_definition("example.com", "widgets", "Widget", versions=("v2", "v1")))
    server.create(custom_resource_definition("example.com", "zones", "Zone", namespaced=False))
    plain = _PlainTransport(cluster.transport)
    aggregated = discover(cluster)
    one_by_one = discover(Cluster(plain, cluster.server, "default"))  # type: ignore[arg-type]
    assert {str(candidate.resource): candidate for candidate in aggregated} == {
        str(candidate.resource): candidate for candidate in one_by_one
    }
    assert "/apis/example.com/v2" in plain.paths
    known = {resource.group_resource for resource in BUILT_IN}
    assert known <= {candidate.resource.group_resource for candidate in aggregated}
    versions = [candidate.resource.version for candidate in one_by_one if candidate.resource.plural == "widgets"]
    assert versions == ["v2", "v1"]


def test_custom_resources(server: APIServer, cluster: Cluster) -> None:
    server.create(custom_resource_definition("example.com", "widgets", "Widget", versions=("v2", "v1")))
    server.create(custom_resource_definition("example.com", "zones", "Zone", namespaced=False))
    assert str(find("widgets", cluster)) == "example.com/v2/widgets"
    assert str(find("Widget.v1.example.com", cluster)) == "example.com/v1/widgets"
    zone = find("zones.example.com", cluster)
    assert (zone.kind, zone.namespaced) == ("Zone", False)


def test_an_aggregated_api_that_is_down_hides_nothing_else(server: APIServer, cluster: Cluster) -> None:
    server.create(custom_resource_definition("example.com", "widgets", "Widget"))
    server.faults.respond(503, times=None, path="/apis/apps/v1")
    plain = Cluster(_PlainTransport(cluster.transport), cluster.server, "default")  # type: ignore[arg-type]
    assert find("widgets", plain).group == "example.com"


def test_what_cannot_be_watched(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    review = next(iter(discover(cluster))).resource
    candidate = Candidate(review, frozenset({"reviews"}), watchable=False)
    monkeypatch.setattr("kubeinformer.cli.resources.discover", lambda _: [candidate])
    with pytest.raises(CommandError, match="can be neither listed nor watched") as caught:
        find("reviews", cluster)
    assert caught.value.status == USAGE
