"""2.O, listers: reading by namespace, name and selector."""

from __future__ import annotations

import pytest
from statements import differs

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
    """Asking for a lister before the start is enough for its informer to exist and fill."""
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
    """A list has what the selector matches, [] where that is nothing; an empty selector matches everything, and an
    empty namespace stands for all.
    """
    lister = filled.core().v1().pods().lister()
    assert sorted(obj.name for obj in lister.pods("a").list(selector)) == names  # type: ignore[arg-type]
    assert len(lister.list(selector)) == 2 * len(names)  # type: ignore[arg-type]
    assert len(lister.pods("").list(selector)) == 2 * len(names)  # type: ignore[arg-type]


def test_s180_lists_share_the_objects_and_cannot_change_them(filled: SharedInformerFactory) -> None:
    """Lists share the cached objects, which are read-only; the list itself is one's own."""
    lister = filled.core().v1().pods().lister()
    first, second = ({obj.key: obj for obj in lister.list("tier=web")} for _ in range(2))
    assert set(first) == {f"{namespace}/web-{number}" for namespace in "ab" for number in (0, 3)}
    for key, obj in first.items():
        assert obj == second[key]
        assert obj["spec"].to_dict() == second[key]["spec"].to_dict()
        with pytest.raises(TypeError):
            obj["spec"]["nodeName"] = "other"
    lister.list().clear()
    assert len(lister.list()) == 8
    assert lister.list("nobody=here") == []
    assert lister.pods("nobody").list() == []


def test_s181_a_missing_name_is_not_found(filled: SharedInformerFactory) -> None:
    """Getting a name that is not there raises a `NotFoundError`, which knows resource and name."""
    pods, nodes = filled.core().v1().pods().lister(), filled.core().v1().nodes().lister()
    assert pods.pods("a").get("web-0").key == "a/web-0"
    assert nodes.get("node-1").key == "node-1"
    with pytest.raises(NotFoundError, match='pods "web-9" not found') as raised:
        pods.pods("a").get("web-9")
    assert (raised.value.resource, raised.value.name) == ("pods", "web-9")
    with pytest.raises(NotFoundError):
        nodes.get("node-2")


@differs(
    'client-go scans all objects, with a warning in the log, where the index "namespace" is missing; here an informer '
    "always has it, so nothing is scanned"
)
def test_s182_a_namespace_is_read_from_its_index_and_a_contradiction_matches_nothing(
    filled: SharedInformerFactory,
) -> None:
    """Of a namespace a lister gives what the index "namespace" has, and [] for a selector that nothing can match."""
    pods = filled.core().v1().pods()
    lister, indexer = pods.lister(), pods.informer().indexer()
    for namespace in ("a", "b", "nobody"):
        keys = sorted(obj.key for obj in lister.pods(namespace).list())
        assert keys == list(indexer.index_keys("namespace", namespace))
    for nothing in ("app,!app", "tier in (web),tier in (api)", {"matchLabels": {"tier": "none"}}):
        assert lister.list(nothing) == []
        assert lister.pods("a").list(nothing) == []
    nodes = filled.core().v1().nodes().lister()
    assert [obj.key for obj in nodes.list()] == ["node-1"]
    assert nodes.list("app,!app") == []


@pytest.mark.parametrize(
    "selector", ["tier in (web", "a=b=c", {"matchExpression": []}, {"matchExpressions": [{"key": "a"}]}]
)
def test_s182_a_selector_that_does_not_parse_is_an_error(filled: SharedInformerFactory, selector: object) -> None:
    """A selector that does not parse, or is none at all, is an error, not an empty answer."""
    with pytest.raises(ValueError, match=r"."):
        filled.core().v1().pods().lister().list(selector)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="selector"):
        filled.core().v1().pods().lister().list(5)  # type: ignore[arg-type]
