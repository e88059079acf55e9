"""JSONMapping and JSONSequence: the protocols of Mapping and Sequence, read-only, over the decoded JSON."""

from __future__ import annotations

import copy
import gc
import pickle
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from object_samples import POD, kube_object

from kubeinformer import JSONMapping, JSONSequence
from kubeinformer._core import json_view

SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    SCALARS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def mapping(content: dict[str, Any]) -> JSONMapping:
    view = json_view(content)
    assert isinstance(view, JSONMapping)
    return view


def sequence(content: list[Any]) -> JSONSequence:
    view = json_view(content)
    assert isinstance(view, JSONSequence)
    return view


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_mapping_reads_as_the_dict_does(content: dict[str, Any]) -> None:
    view = mapping(content)
    assert view == content
    assert content == view
    assert (view != content) is False
    assert len(view) == len(content)
    assert list(view) == list(content) == list(view.keys())
    assert list(view.values()) == list(content.values())
    assert dict(view.items()) == content == dict(view)
    assert view.to_dict() == content
    for key, value in content.items():
        assert key in view
        assert view[key] == value == view.get(key)
    assert bool(view) == bool(content)


@given(st.lists(JSON, max_size=5), JSON, st.slices(5))
def test_sequence_reads_as_the_list_does(content: list[Any], value: Any, part: slice) -> None:
    view = sequence(content)
    assert view == content
    assert content == view
    assert (view != content) is False
    assert len(view) == len(content)
    assert list(view) == content
    assert list(reversed(view)) == content[::-1]
    assert view[part] == content[part]
    assert view.to_list() == content
    assert (value in view) == (value in content)
    assert view.count(value) == content.count(value)
    for place in range(-len(content), len(content)):
        assert view[place] == content[place]
        assert view.index(content[place]) == content.index(content[place])


@given(JSON)
def test_views_pickle_and_copy_as_views(content: Any) -> None:
    view = json_view(content)
    for again in (pickle.loads(pickle.dumps(view)), copy.copy(view), copy.deepcopy(view)):
        assert type(again) is type(view)
        assert again == view == content


@given(JSON, JSON)
def test_views_are_equal_iff_what_they_show_is(one: Any, other: Any) -> None:
    assert (json_view(one) == json_view(other)) == (one == other)
    assert (json_view(one) == other) == (one == other)
    assert (json_view([one, {"a": other}]) == [json_view(one), {"a": json_view(one)}]) == (one == other)


def test_views_are_registered_as_read_only_collections() -> None:
    assert isinstance(mapping({}), Mapping)
    assert not isinstance(mapping({}), MutableMapping | dict)
    assert isinstance(sequence([]), Sequence)
    assert not isinstance(sequence([]), MutableSequence | list)


def test_members_are_views_again() -> None:
    view = mapping({"object": {"a": 1}, "array": [{"b": 2}, [3]], "text": "x"})
    assert type(view["object"]) is JSONMapping
    assert type(view["array"]) is JSONSequence
    assert [type(value) for value in view["array"]] == [JSONMapping, JSONSequence]
    assert [type(value) for value in reversed(view["array"])] == [JSONSequence, JSONMapping]
    assert type(view["array"][:1]) is JSONSequence
    assert type(view["array"][0]) is JSONMapping
    assert type(view["array"][-1]) is JSONSequence
    assert [type(value) for value in view.values()] == [JSONMapping, JSONSequence, str]
    assert [type(value) for _, value in view.items()] == [JSONMapping, JSONSequence, str]
    assert type(view.get("object")) is JSONMapping
    assert view["text"] == "x"


def test_nothing_can_be_changed() -> None:
    view: Any = kube_object()["spec"]
    with pytest.raises(TypeError):
        view["nodeName"] = "other"
    with pytest.raises(TypeError):
        del view["nodeName"]
    with pytest.raises(TypeError):
        view["containers"][0] = {}
    with pytest.raises(TypeError):
        del view["containers"][0]
    for target in (view, view["containers"]):
        with pytest.raises(AttributeError):
            target.x = 1
        for method in ("update", "pop", "clear", "append", "extend", "setdefault", "sort"):
            assert not hasattr(target, method)
    assert view == POD["spec"]


def test_copies_share_nothing_with_the_object() -> None:
    obj = kube_object()
    spec = obj["spec"].to_dict()
    spec["containers"][0]["ports"].clear()
    containers = obj["spec"]["containers"].to_list()
    containers[0].clear()
    reduced = obj["spec"].__reduce__()[1][0]
    reduced.clear()
    assert obj["spec"] == POD["spec"]


def test_view_of_a_dict_is_one_of_a_copy() -> None:
    content = {"a": [1]}
    view = mapping(content)
    content["a"].append(2)
    assert view == {"a": [1]}


def test_json_view_gives_scalars_as_they_are_and_refuses_what_json_has_not() -> None:
    assert [json_view(value) for value in ("x", 5, 1.5, True, None)] == ["x", 5, 1.5, True, None]
    with pytest.raises(TypeError):
        json_view({"a": {1, 2}})


@pytest.mark.parametrize("view", [json_view({"a": 1}), json_view([1])], ids=["mapping", "sequence"])
def test_views_are_neither_ordered_nor_hashable_nor_tracked(view: Any) -> None:
    with pytest.raises(TypeError):
        hash(view)
    with pytest.raises(TypeError):
        view < view  # noqa: B015, PLR0124
    assert not gc.is_tracked(view)
    assert gc.get_referents(view) == []


class Curious:
    """Keeps what it is compared with."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def __eq__(self, other: object) -> bool:
        self.seen.append(other)
        return False

    __hash__ = None  # type: ignore[assignment]


def test_objects_that_are_compared_with_a_view_never_get_the_dict_or_list() -> None:
    curious = Curious()
    obj = kube_object()
    containers = obj["spec"]["containers"]
    assert obj["spec"] != curious
    assert containers != curious
    assert curious not in containers
    assert containers.count(curious) == 0
    with pytest.raises(ValueError, match="not in the sequence"):
        containers.index(curious)
    assert curious not in obj["spec"].values()
    assert ("containers", curious) not in obj["spec"].items()
    assert curious.seen
    assert not [seen for seen in curious.seen if isinstance(seen, dict | list)]


def test_equal_to_views_and_plain_values_at_any_depth() -> None:
    spec = kube_object()["spec"]
    assert spec == kube_object()["spec"]
    assert spec["containers"] == kube_object()["spec"]["containers"]
    assert {"wrapped": spec} == {"wrapped": POD["spec"]}
    assert mapping({"wrapped": POD["spec"]}) == {"wrapped": spec}
    assert spec != {**POD["spec"], "more": 1}
    assert mapping({}) != sequence([])
    assert mapping({}) != []
    assert sequence([1]) != (1,)
    assert kube_object()["metadata"]["labels"] == kube_object().labels


def test_missing_keys_and_places() -> None:
    view = mapping({"a": None})
    with pytest.raises(KeyError) as caught:
        view["b"]
    assert caught.value.args == ("b",)
    assert view["a"] is None
    assert view.get("b") is None
    assert view.get("b", 1) == 1
    assert view.get("a", 1) is None
    with pytest.raises(TypeError):
        view[[]]  # type: ignore[index]
    places = sequence([1, 2])
    for place in (2, -3, 10**30):
        with pytest.raises(IndexError):
            places[place]
    with pytest.raises(TypeError):
        places["0"]  # type: ignore[call-overload]


@given(st.lists(st.integers(0, 2), max_size=6), st.integers(0, 2), st.integers(-8, 8), st.integers(-8, 8) | st.none())
def test_index_takes_bounds_as_a_list_does(content: list[int], value: int, start: int, stop: int | None) -> None:
    view = sequence(content)
    bounds = (start,) if stop is None else (start, stop)
    try:
        expected = content.index(value, *bounds)
    except ValueError:
        with pytest.raises(ValueError, match="not in the sequence"):
            view.index(value, *bounds)
    else:
        assert view.index(value, *bounds) == expected


def test_error_of_a_comparison_is_not_swallowed() -> None:
    class Failing:
        def __eq__(self, other: object) -> bool:
            raise ZeroDivisionError

        __hash__ = None  # type: ignore[assignment]

    view = sequence([{"a": 1}])
    for look in (view.__contains__, view.count, view.index):
        with pytest.raises(ZeroDivisionError):
            look(Failing())


def test_match_statement_takes_views_apart() -> None:
    match kube_object()["spec"]:
        case {"containers": [{"ports": [{"containerPort": port}, _]}, {"name": name}]}:
            assert (port, name) == (80, "sidecar")
        case _:
            pytest.fail("no match")


def test_repr_shows_keys_and_sizes_but_no_values() -> None:
    view = mapping({"password": "hunter2", "list": ["hunter3"]})
    assert repr(view) == "JSONMapping({'password': ..., 'list': ...})"
    assert repr(view["list"]) == "JSONSequence(<1 items>)"


def test_mapping_cannot_be_reversed_into_its_values() -> None:
    with pytest.raises(TypeError):
        reversed(mapping({"a": 1}))  # type: ignore[call-overload]


def test_view_outlives_its_object() -> None:
    containers = kube_object()["spec"]["containers"]
    gc.collect()
    assert containers[0]["name"] == "app"
