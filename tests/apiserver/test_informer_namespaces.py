"""Several namespaces as sources of one informer, and every built-in resource that the server serves."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest
from kubernetes.client import ApiClient

from informer.informer_support import eventually
from kubeinformer import Resource, SharedInformerFactory
from kubeinformer.informers.generated.resources import BUILT_IN

from .churn import Churn
from .informer_oracle import POD_INDEXERS, Replay, assert_equal_to_server
from .rest import delete_namespace, ensure_namespace, request
from .samples import samples
from .workload import create_pods

MakeFactory = Callable[..., SharedInformerFactory]


@pytest.fixture
def namespaces(api_client: ApiClient) -> Iterator[list[str]]:
    """The names of four namespaces, of which the last does not exist yet."""
    names = [f"ns-{uuid.uuid4().hex[:8]}-{letter}" for letter in "abcd"]
    create_pods(api_client, 90, names[:3])
    yield names
    for name in names:
        ensure_namespace(api_client, name)
        delete_namespace(api_client, name)


def test_several_namespaces_are_one_cache(
    namespaces: list[str], api_client: ApiClient, make_factory: MakeFactory
) -> None:
    a, b, outside, later = namespaces
    scope = [a, b, later]
    informer, replay = make_factory(api_client, namespaces=scope).core().v1().pods().informer(), Replay()
    informer.add_indexers(POD_INDEXERS)
    informer.add_event_handler(replay)
    informer.start()
    assert informer.wait_for_cache_sync(timeout=30)
    assert len(informer.indexer()) == 60
    assert_equal_to_server(api_client, informer, replay, namespaces=scope)

    with Churn(api_client, [a, b, outside], range(90), writes=50):
        ensure_namespace(api_client, later)
        create_pods(api_client, 10, [later], first=1000)
    objects = assert_equal_to_server(api_client, informer, replay, namespaces=scope)
    assert {key.split("/")[0] for key in objects} == {a, b, later}
    assert len(informer.indexer().by_index("namespace", later)) == 10

    delete_namespace(api_client, b)
    eventually(lambda: informer.indexer().count("namespace", b) == 0, "the pods go with their namespace")
    assert_equal_to_server(api_client, informer, replay, namespaces=scope)
    create_pods(api_client, 5, [b], first=2000)
    eventually(lambda: informer.indexer().count("namespace", b) == 5, "and come back with it")
    assert_equal_to_server(api_client, informer, replay, namespaces=scope)
    assert replay.tombstones == 0
    assert informer.is_live()
    assert set(informer.controller.reflectors) == set(scope)
    for reflector in informer.controller.reflectors.values():
        assert (reflector.counters().watch_lists, reflector.counters().relists) == (1, {})


def served(api_client: ApiClient) -> set[tuple[str, str, str]]:
    """Group, version and plural of each resource that the server lists and watches."""
    groups = request(api_client, "GET", "/apis")["groups"]
    versions = ["v1", *(version["groupVersion"] for group in groups for version in group["versions"])]
    found = set()
    for version in versions:
        path = f"/apis/{version}" if "/" in version else f"/api/{version}"
        for resource in request(api_client, "GET", path)["resources"]:
            if {"list", "watch"} <= set(resource["verbs"]) and "/" not in resource["name"]:
                found.add((*version.rpartition("/")[::2], resource["name"]))
    return found


def test_every_built_in_resource_that_is_served_syncs_and_is_equal(
    api_client: ApiClient, namespace: str, make_factory: MakeFactory
) -> None:
    available = served(api_client)
    resources = [r for r in BUILT_IN if (r.group, r.version, r.plural) in available]
    assert len(resources) > 50
    by_kind = {(resource.api_version, resource.kind): resource for resource in resources}
    created: dict[str, Resource] = {}
    try:
        for obj in samples(namespace):
            resource = by_kind[obj["apiVersion"], obj["kind"]]
            path = resource.path(namespace if resource.namespaced else None)
            request(api_client, "POST", path, obj)
            created[f"{path}/{obj['metadata']['name']}"] = resource
        factory = make_factory(api_client)
        generic = {resource: factory.for_resource(resource.api_version, resource.plural) for resource in resources}
        factory.start()
        assert len(factory.wait_for_cache_sync(timeout=60)) == len(resources)
        for resource in resources:
            informer = generic[resource].informer()
            assert informer.resource is resource
            assert_equal_to_server(api_client, informer)
            for cached in informer.indexer().iter():
                assert (cached.api_version, cached.kind) == (resource.api_version, resource.kind)
                assert bool(cached.namespace) == resource.namespaced
        for path in created:
            request(api_client, "PATCH", path, {"metadata": {"labels": {"touched": namespace}}})
        for resource in created.values():
            lister = generic[resource].lister()
            eventually(lambda: lister.list(f"touched={namespace}"), f"the change of a {resource.kind}")  # noqa: B023
            assert_equal_to_server(api_client, generic[resource].informer())
    finally:
        for path in created:
            request(api_client, "DELETE", path, propagationPolicy="Background", gracePeriodSeconds=0)
