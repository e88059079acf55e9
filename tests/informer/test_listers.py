"""Listers (client-go 2.O)."""

from __future__ import annotations

import pytest

from kubeinformer import NotFoundError, Selector, SharedInformerFactory
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import node, pod


@pytest.fixture
def filled(server: APIServer, factory: SharedInformerFactory) -> SharedInformerFactory:
    for namespace in ("a", "b"):
        for number in range(4):
            labels = {"app": "shop", "tier": ("web", "api", "db", "web")[number]}
            if number == 3:
                labels["canary"] = ""
            server.create(pod(f"web-{number}", namespace, labels=labels))
    server.create(node("node-1"))
    factory.core().v1().pods().lister()
    factory.core().v1().nodes().lister()
    factory.start()
    assert factory.wait_for_cache_sync(timeout=10) == {"pods": True, "nodes": True}
    return factory


def test_s176_asking_for_the_lister_makes_the_informer_exist(filled: SharedInformerFactory) -> None:
    assert len(filled.core().v1().pods().lister().list()) == 8


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        (None, ["web-0", "web-1", "web-2", "web-3"]),
        ("", ["web-0", "web-1", "web-2", "web-3"]),
        ("tier in (web, api)", ["web-0", "web-1", "web-3"]),
        ("tier=web,!canary", ["web-0"]),
        ("canary", ["web-3"]),
        ("tier!=web", ["web-1", "web-2"]),
        ("other notin (x)", ["web-0", "web-1", "web-2", "web-3"]),
        ({"matchLabels": {"tier": "db"}}, ["web-2"]),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["web"]}]}, ["web-1", "web-2"]),
        (
            {"matchExpressions": [{"key": "canary", "operator": "DoesNotExist"}], "matchLabels": {"tier": "web"}},
            ["web-0"],
        ),
        (Selector("tier==api"), ["web-1"]),
        ("nobody=here", []),
    ],
)
def test_s180_s182_list_by_selector(filled: SharedInformerFactory, selector: object, names: list[str]) -> None:
    lister = filled.core().v1().pods().lister()
    assert sorted(obj.name for obj in lister.pods("a").list(selector)) == names  # type: ignore[arg-type]
    assert len(lister.list(selector)) == 2 * len(names)  # type: ignore[arg-type]
    assert len(lister.pods("").list(selector)) == 2 * len(names)  # type: ignore[arg-type]


def test_s181_a_missing_name_is_not_found(filled: SharedInformerFactory) -> None:
    pods, nodes = filled.core().v1().pods().lister(), filled.core().v1().nodes().lister()
    assert pods.pods("a").get("web-0").key == "a/web-0"
    assert nodes.get("node-1").key == "node-1"
    with pytest.raises(NotFoundError, match='pods "web-9" not found') as raised:
        pods.pods("a").get("web-9")
    assert (raised.value.resource, raised.value.name) == ("pods", "web-9")
    with pytest.raises(NotFoundError):
        nodes.get("node-2")


@pytest.mark.parametrize(
    "selector", ["tier in (web", "a=b=c", {"matchExpression": []}, {"matchExpressions": [{"key": "a"}]}]
)
def test_a_bad_selector_is_a_value_error(filled: SharedInformerFactory, selector: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        filled.core().v1().pods().lister().list(selector)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="selector"):
        filled.core().v1().pods().lister().list(5)  # type: ignore[arg-type]
