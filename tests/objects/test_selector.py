"""Label selectors: the grammar of the API as a string, and the LabelSelector mapping."""

from __future__ import annotations

from collections import UserDict
from types import MappingProxyType
from typing import Any

import pytest
from object_samples import kube_object

from kubeinformer import Selector
from kubeinformer.selector import to_selector

LABELS = {"app": "web", "tier": "front", "empty": "", "example.com/size": "12"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("app=web", True),
        ("app==web", True),
        ("app = web , tier = front", True),
        ("app=api", False),
        ("app!=api", True),
        ("app!=web", False),
        ("other!=web", True),
        ("app in (api, web)", True),
        ("app in (api)", False),
        ("app notin (api)", True),
        ("app notin (web)", False),
        ("other notin (web)", True),
        ("app", True),
        ("other", False),
        ("!other", True),
        ("!app", False),
        ("empty=", True),
        ("empty in ()", True),
        ("empty", True),
        ("example.com/size>11", True),
        ("example.com/size>12", False),
        ("example.com/size<13", True),
        ("app>1", False),
        ("", True),
    ],
)
def test_selector_matches_labels(text: str, matches: bool) -> None:
    selector = Selector(text)
    obj = kube_object({"metadata": {"name": "x", "labels": LABELS}})
    assert selector.matches(obj) is matches
    for labels in (LABELS, MappingProxyType(LABELS), UserDict(LABELS), obj.labels, obj["metadata"]["labels"]):
        assert selector.matches(labels) is matches
    assert Selector(str(selector)) == selector


def test_what_is_no_mapping_of_strings_is_not_matched() -> None:
    selector = Selector("app=web")
    with pytest.raises(TypeError):
        selector.matches({"app": 5})  # type: ignore[dict-item]
    with pytest.raises(AttributeError):
        selector.matches(5)  # type: ignore[arg-type]


def test_error_of_a_mapping_is_not_swallowed() -> None:
    class Failing(UserDict[str, str]):
        def get(self, *_: Any) -> Any:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Selector("app").matches(Failing())


@pytest.mark.parametrize(
    ("text", "character"),
    [
        ("app in (", 8),
        ("app in web", 7),
        ("app=a=b", 5),
        ("app,", 4),
        ("!", 1),
        ("/x", 0),
        ("a b", 2),
        ("app=v!", 5),
        ("x" * 64, 0),
    ],
)
def test_bad_selector_is_a_value_error_that_points_at_the_character(text: str, character: int) -> None:
    for make in (Selector, to_selector):
        with pytest.raises(ValueError, match=f"at character {character}$") as caught:
            make(text)
        assert text in str(caught.value)


def test_equal_iff_the_requirements_are() -> None:
    assert Selector("a in (y,x)") == Selector("a in (x, y)")
    assert hash(Selector("a in (y,x)")) == hash(Selector("a in (x, y)"))
    assert Selector("a=b") != Selector("a=c")
    assert Selector("a") != "a"
    assert repr(Selector("a, b=c")) == 'Selector("a,b=c")'


def test_everything_is_none() -> None:
    nothing: list[Any] = [None, "", "  ", {}, {"matchLabels": {}}, {"matchLabels": None, "matchExpressions": None}]
    for selector in [*nothing, {"matchExpressions": []}]:
        assert to_selector(selector) is None


def test_compiled_selector_is_itself() -> None:
    selector = Selector("a=b")
    assert to_selector(selector) is selector


@pytest.mark.parametrize(
    ("mapping", "text"),
    [
        ({"matchLabels": {"app": "web"}}, "app in (web)"),
        ({"matchLabels": {"app": ""}}, "app in ()"),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "api"]}]}, "app in (api,web)"),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ("web",)}]}, "app notin (web)"),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, "app"),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist", "values": None}]}, "!app"),
    ],
)
def test_label_selector_mapping(mapping: dict[str, Any], text: str) -> None:
    selector = to_selector(mapping)
    assert str(selector) == text
    assert to_selector(MappingProxyType(mapping)) == selector
    view = kube_object({"metadata": {"name": "x"}, "spec": {"selector": mapping}})["spec"]["selector"]
    assert to_selector(view) == selector


def test_all_of_a_mapping_must_match() -> None:
    selector = to_selector(
        {
            "matchLabels": {"app": "web", "tier": "front"},
            "matchExpressions": [{"key": "empty", "operator": "Exists"}, {"key": "other", "operator": "DoesNotExist"}],
        }
    )
    assert selector is not None
    assert selector.matches(LABELS)
    for changed in ({**LABELS, "app": "api"}, {**LABELS, "other": ""}, {"app": "web", "tier": "front"}):
        assert not selector.matches(changed)


@pytest.mark.parametrize(
    ("mapping", "error", "where"),
    [
        ({"matchLabel": {}}, ValueError, r"unknown fields \['matchLabel'\]"),
        ({"matchLabels": ["app"]}, TypeError, "selector.matchLabels must be a mapping, not list"),
        ({"matchLabels": "app=web"}, TypeError, "selector.matchLabels must be a mapping, not str"),
        ({"matchLabels": {"app": 5}}, TypeError, r"selector.matchLabels\['app'\] must be a string, not int"),
        ({"matchLabels": {5: "web"}}, TypeError, "selector.matchLabels must be a string, not int"),
        ({"matchExpressions": {"key": "app"}}, TypeError, "selector.matchExpressions must be a sequence, not dict"),
        ({"matchExpressions": ["app"]}, TypeError, r"selector.matchExpressions\[0\] must be a mapping"),
        (
            {"matchExpressions": [{"key": "a", "operator": "Exists"}, {"key": "app"}]},
            ValueError,
            r"selector.matchExpressions\[1\] needs key and operator",
        ),
        (
            {"matchExpressions": [{"key": "app", "operator": "In", "values": "web"}]},
            TypeError,
            r"selector.matchExpressions\[0\].values must be a sequence, not str",
        ),
        (
            {"matchExpressions": [{"key": "app", "operator": "In", "values": [1]}]},
            TypeError,
            r"selector.matchExpressions\[0\].values must be a string, not int",
        ),
        (
            {"matchExpressions": [{"key": None, "operator": "In"}]},
            TypeError,
            r"selector.matchExpressions\[0\].key must be a string",
        ),
        ({"matchExpressions": [{"key": "app", "operator": "in", "values": ["a"]}]}, ValueError, '"in" is not a valid'),
        ({"matchExpressions": [{"key": "app", "operator": "In"}]}, ValueError, "need at least one value"),
        ({"matchExpressions": [{"key": "app", "operator": "Exists", "values": ["a"]}]}, ValueError, "take no value"),
        ({"matchLabels": {"/x": "web"}}, ValueError, "invalid label key"),
        ({"matchLabels": {"app": "a b"}}, ValueError, "invalid label value"),
        (5, TypeError, "selector must be a string, a LabelSelector mapping or a Selector, not int"),
        (["app=web"], TypeError, "selector must be"),
    ],
)
def test_what_is_wrong_with_a_mapping_is_named(mapping: Any, error: type[Exception], where: str) -> None:
    with pytest.raises(error, match=where):
        to_selector(mapping)
