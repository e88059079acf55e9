"""KubeObject: identity, attributes, the Mapping protocol, and that nothing of it can be changed."""

from __future__ import annotations

import copy
import gc
import pickle
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import orjson
import pytest
from object_samples import POD, kube_object, pod

import kubeinformer
from kubeinformer import DecodeError, JSONMapping, JSONSequence, KubeObject


def test_attributes_are_those_of_the_metadata() -> None:
    obj = kube_object()
    assert (obj.key, obj.namespace, obj.name) == ("default/web-0", "default", "web-0")
    assert (obj.uid, obj.resource_version, obj.generation) == ("5b1f2a3c", "812", 3)
    assert (obj.api_version, obj.kind, obj.resource) == ("v1", "Pod", "v1/pods")
    assert obj.deletion_timestamp == "2026-01-02T03:04:05Z"
    assert obj.labels == POD["metadata"]["labels"]
    assert obj.annotations == POD["metadata"]["annotations"]
    assert obj.finalizers == ("example.com/a", "example.com/b")
    assert obj.owner_references == POD["metadata"]["ownerReferences"]
    assert obj.controller_owner == POD["metadata"]["ownerReferences"][1]


@pytest.mark.parametrize("null", [False, True], ids=["missing", "null"])
def test_attributes_of_what_is_absent_are_empty(null: bool) -> None:
    fields = ("namespace", "uid", "resourceVersion", "generation", "deletionTimestamp", "labels", "annotations")
    absent = dict.fromkeys((*fields, "finalizers", "ownerReferences"), None) if null else {}
    obj = kube_object({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1", **absent}}, "")
    assert (obj.key, obj.namespace, obj.name) == ("node-1", "", "node-1")
    assert (obj.uid, obj.resource_version, obj.resource) == ("", "", "")
    assert (obj.generation, obj.deletion_timestamp, obj.controller_owner) == (None, None, None)
    assert (obj.labels, obj.annotations) == ({}, {})
    assert (len(obj.finalizers), len(obj.owner_references)) == (0, 0)


def test_labels_and_annotations_are_read_only() -> None:
    obj = kube_object()
    for mapping in (obj.labels, obj.annotations):
        assert isinstance(mapping, MappingProxyType)
        with pytest.raises(TypeError):
            mapping["app"] = "other"  # type: ignore[index]


def test_only_a_controller_that_is_true_is_the_controller() -> None:
    owners = [{"name": "a", "controller": False}, {"name": "b", "controller": "true"}, "no reference", {"name": "c"}]
    obj = kube_object({"metadata": {"name": "x", "ownerReferences": owners}})
    assert obj.controller_owner is None
    assert len(obj.owner_references) == 4


def test_raw_begins_with_api_version_and_kind_and_is_else_as_it_was() -> None:
    raw = orjson.dumps(POD)
    assert KubeObject(raw).raw == raw
    assert KubeObject(b" \n" + raw + b"\n").raw == raw
    assert KubeObject(b'{"metadata":{"name":"x"}}').raw == b'{"apiVersion":"","kind":"","metadata":{"name":"x"}}'


@pytest.mark.parametrize(
    ("raw", "offset"),
    [
        (b"[]", 0),
        (b"{}", 0),
        (b'{"metadata":{}}', 12),
        (b'{"metadata":{"name":""}}', 12),
        (b'{"metadata":{"name":"x"}', 24),
        (b'{"metadata":{"name":"x"}}}', 25),
        (b'{"metadata":{"name":"\xff"}}', 21),
    ],
)
def test_what_is_no_object_is_refused_with_the_offset(raw: bytes, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        KubeObject(raw)
    assert caught.value.offset == offset
    assert f"byte {offset}" in str(caught.value)


def test_equal_iff_resource_uid_and_bytes_are() -> None:
    raw = orjson.dumps(POD)
    one, same = KubeObject(raw, "v1/pods"), KubeObject(raw, "v1/pods")
    assert one == same
    assert (one != same) is False
    assert hash(one) == hash(same)
    assert {one: 1}[same] == 1
    for other in (
        KubeObject(raw, "v2/pods"),
        KubeObject(raw.replace(b"5b1f2a3c", b"5b1f2a3d"), "v1/pods"),
        KubeObject(raw.replace(b"node-1", b"node-2"), "v1/pods"),
    ):
        assert one != other
        assert (one == other) is False
        assert len({one, other}) == 2
    assert one != POD
    assert one != "default/web-0"


def test_hash_is_that_of_resource_uid_and_version() -> None:
    raw = orjson.dumps(POD)
    obj = KubeObject(raw)
    assert hash(KubeObject(raw.replace(b"Running", b"Pending"))) == hash(obj)
    for changed in (raw.replace(b'"812"', b'"813"'), raw.replace(b"5b1f2a3c", b"5b1f2a3d")):
        assert hash(KubeObject(changed)) != hash(obj)
    assert hash(KubeObject(raw, "v1/pods")) != hash(obj)


def test_objects_have_no_order() -> None:
    with pytest.raises(TypeError):
        kube_object() < kube_object()  # type: ignore[operator] # noqa: B015


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_gives_an_equal_object(protocol: int) -> None:
    obj = kube_object()
    again = pickle.loads(pickle.dumps(obj, protocol))
    assert again == obj
    assert hash(again) == hash(obj)
    assert (again.raw, again.resource, again.key) == (obj.raw, obj.resource, obj.key)


def test_copies_are_equal() -> None:
    obj = kube_object()
    assert copy.copy(obj) == obj
    assert copy.deepcopy(obj) == obj


def test_repr_shows_kind_key_and_version_and_never_content() -> None:
    content = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "n", "resourceVersion": "7", "annotations": {"a": "hunter2"}},
        "data": {"password": "aHVudGVyMg=="},
    }
    obj = kube_object(content)
    assert repr(obj) == str(obj) == f"{obj}" == "<Secret n/s resourceVersion=7>"
    for view in (obj["data"], obj["metadata"], obj.keys(), obj.items(), obj.values(), obj["metadata"]["annotations"]):
        assert "hunter2" not in repr(view)
        assert "aHVudGVyMg" not in repr(view)


def test_is_a_mapping_of_the_json() -> None:
    obj = kube_object()
    assert isinstance(obj, Mapping)
    assert list(obj) == list(POD) == list(obj.keys())
    assert len(obj) == len(POD)
    assert dict(obj) == POD
    assert {**obj} == POD
    assert obj["spec"]["containers"][1]["name"] == "sidecar"
    assert "spec" in obj
    assert "nodeName" not in obj
    assert obj.get("kind") == "Pod"
    assert obj.get("data") is None
    assert obj.get("data", 5) == 5
    assert obj.keys() & {"kind", "data"} == {"kind"}
    assert ("kind", "Pod") in obj.items()
    assert ("kind", "Node") not in obj.items()
    assert "Pod" in obj.values()
    assert dict(obj.items()) == POD


def test_missing_key_is_a_key_error_with_the_key() -> None:
    with pytest.raises(KeyError) as caught:
        kube_object()["data"]
    assert caught.value.args == ("data",)


@pytest.mark.parametrize("look", [lambda obj: obj[[]], lambda obj: obj.get([]), lambda obj: [] in obj])
def test_unhashable_key_is_a_type_error(look: Callable[[KubeObject], Any]) -> None:
    with pytest.raises(TypeError):
        look(kube_object())


def test_match_statement_takes_it_apart() -> None:
    match kube_object():
        case {"kind": "Pod", "spec": {"containers": [{"name": first}, *rest]}, **others}:
            assert first == "app"
            assert len(rest) == 1
            assert set(others) == {"apiVersion", "metadata", "status"}
        case _:
            pytest.fail("no match")


def test_what_is_nested_is_never_a_dict_or_list() -> None:
    def check(value: Any) -> int:
        assert not isinstance(value, dict | list)
        if isinstance(value, JSONMapping):
            return 1 + sum(check(member) for member in (*value.values(), *(member for _, member in value.items())))
        return 1 + sum(map(check, value)) if isinstance(value, JSONSequence) else 1

    obj = kube_object()
    for values in (obj.values(), (member for _, member in obj.items()), map(obj.get, obj), map(obj.__getitem__, obj)):
        assert sum(map(check, values)) > 20
    assert check(obj.owner_references) > 2
    assert check(obj.controller_owner) > 2
    assert check(obj.get_path("spec")) > 5


def test_nothing_can_be_set_or_deleted() -> None:
    obj: Any = kube_object()
    with pytest.raises(TypeError):
        obj["spec"] = {}
    with pytest.raises(TypeError):
        del obj["spec"]
    for name in ("raw", "labels", "key", "anything"):
        with pytest.raises(AttributeError):
            setattr(obj, name, 1)
    with pytest.raises(AttributeError):
        del obj.raw
    assert not hasattr(obj, "__dict__")


def test_to_dict_is_a_fresh_copy() -> None:
    obj = kube_object()
    first = obj.to_dict()
    assert type(first) is dict
    assert first == POD
    first["spec"]["containers"].clear()
    first["metadata"]["name"] = "other"
    assert obj.to_dict() == POD
    assert obj["spec"] == POD["spec"]
    assert type(obj.to_dict()["spec"]["containers"]) is list


@pytest.mark.parametrize("cls", [KubeObject, JSONMapping, JSONSequence])
def test_class_is_final(cls: type) -> None:
    with pytest.raises(TypeError):
        type("Derived", (cls,), {})


def test_not_tracked_by_the_cyclic_collector() -> None:
    obj = kube_object()
    assert not gc.is_tracked(obj)
    assert not gc.is_tracked(obj["spec"])
    assert not gc.is_tracked(obj["spec"]["containers"])
    assert not gc.is_tracked(obj)
    assert gc.get_referents(obj) == []


def test_public_names_are_those_classes() -> None:
    assert kubeinformer.KubeObject is KubeObject
    for cls in (KubeObject, JSONMapping, JSONSequence):
        assert f"{cls.__module__}.{cls.__qualname__}" == f"kubeinformer.{cls.__name__}"


BROKEN = '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x","labels":{"a":"ü"}},"spec":{"ok":"ö","bad":nul}}'


@pytest.mark.parametrize(
    "look",
    [
        lambda obj: obj["spec"],
        lambda obj: obj.get("spec"),
        lambda obj: "spec" in obj,
        len,
        list,
        lambda obj: list(obj.values()),
        lambda obj: obj.to_dict(),
        lambda obj: obj.get_path("spec"),
        lambda obj: obj.get_paths("spec.ok", "spec"),
        lambda obj: obj.to_dict("spec"),
    ],
)
def test_balanced_but_invalid_json_is_a_decode_error_with_key_and_offset(look: Callable[[KubeObject], Any]) -> None:
    obj = KubeObject(BROKEN.encode())
    for _ in range(2):
        with pytest.raises(DecodeError) as caught:
            look(obj)
        error = caught.value
        assert error.key == "x"
        assert error.offset == BROKEN.encode().index(b"nul}")
        assert str(error).startswith("x: ")
        assert f"byte {error.offset}" in str(error)
        assert isinstance(error.__cause__, orjson.JSONDecodeError)
        again = pickle.loads(pickle.dumps(error))
        assert (str(again), again.key, again.offset) == (str(error), error.key, error.offset)


def test_what_is_valid_of_an_invalid_object_can_be_read() -> None:
    obj = KubeObject(BROKEN.encode())
    assert (obj.key, obj.labels) == ("x", {"a": "ü"})
    assert obj.get_path("spec.ok") == "ö"
    assert obj.raw == BROKEN.encode()


def test_invalid_owner_references_are_a_decode_error_too() -> None:
    raw = b'{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x","ownerReferences":[{"name":1e}]}}'
    obj = KubeObject(raw)
    for look in (lambda: obj.owner_references, lambda: obj.controller_owner):
        with pytest.raises(DecodeError) as caught:
            look()
        assert caught.value.key == "x"
        assert raw.index(b"1e") <= caught.value.offset <= raw.index(b"1e") + 2


def test_last_of_duplicate_keys_counts_everywhere() -> None:
    raw = b'{"metadata":{"name":"x","labels":{"a":"1","a":"2"}},"spec":{"a":1},"spec":{"a":2}}'
    obj = KubeObject(raw)
    assert obj.labels == {"a": "2"} == obj["metadata"]["labels"]
    assert obj["spec"]["a"] == 2 == obj.get_path("spec.a")


def test_resource_is_part_of_objects_that_a_core_hands_out() -> None:
    from object_samples import core_with

    core = core_with([pod("a")])
    obj = core.get("default/a")
    assert obj is not None
    assert obj.resource == "v1/pods"
    assert obj == KubeObject(obj.raw, "v1/pods")
    assert obj != KubeObject(obj.raw)
