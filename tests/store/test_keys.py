"""Key functions and tombstones (client-go §1-§7)."""

from __future__ import annotations

import copy
import pickle
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes import client

from kubeinformer import DeletedFinalStateUnknown, KubeObject, ObjectKeyError
from kubeinformer.cache import (
    NAMESPACE_INDEX,
    ExplicitKey,
    Indexer,
    deletion_handling_meta_namespace_key_func,
    meta_namespace_index_func,
    meta_namespace_key_func,
    split_meta_namespace_key,
)

KEY_FUNCTIONS = [meta_namespace_key_func, deletion_handling_meta_namespace_key_func]


def in_every_form(name: str, namespace: str) -> list[Any]:
    """An object of that name as a KubeObject, a dict, a model, and as what is made like one."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    raw = f'{{"metadata":{{"name":"{name}","namespace":"{namespace}"}}}}'.encode()
    return [
        KubeObject(raw),
        {"metadata": metadata},
        {"metadata": {"name": name, "namespace": namespace or None}},
        client.V1Pod(metadata=client.V1ObjectMeta(name=name, namespace=namespace or None)),
        SimpleNamespace(metadata=metadata),
        KubeObject(raw).to_dict(),
    ]


@pytest.mark.parametrize("key_func", KEY_FUNCTIONS)
def test_s1_key_is_namespace_and_name_or_the_name_alone(key_func: Any) -> None:
    assert [key_func(obj) for obj in in_every_form("web-0", "default")] == ["default/web-0"] * 6
    assert [key_func(obj) for obj in in_every_form("node-1", "")] == ["node-1"] * 6


@pytest.mark.parametrize(
    ("key", "parts"), [("a/b", ("a", "b")), ("b", ("", "b")), ("", ("", "")), ("/b", ("", "b")), ("a/", ("a", ""))]
)
def test_s2_key_is_split_into_namespace_and_name(key: str, parts: tuple[str, str]) -> None:
    assert split_meta_namespace_key(key) == parts


@pytest.mark.parametrize("key", ["a/b/c", "a/b/", "//", "a//b"])
def test_s2_key_of_more_than_two_parts_is_a_value_error(key: str) -> None:
    with pytest.raises(ValueError, match="unexpected key format") as caught:
        split_meta_namespace_key(key)
    assert repr(key) in str(caught.value)


NAMES = st.text("abcz09.-", min_size=1)


@given(NAMES, st.just("") | NAMES)
def test_s2_splitting_undoes_the_key(name: str, namespace: str) -> None:
    assert split_meta_namespace_key(meta_namespace_key_func(in_every_form(name, namespace)[1])) == (namespace, name)


def test_s3_key_of_a_tombstone_is_its_own_and_never_that_of_its_object() -> None:
    for obj in [*in_every_form("other", "elsewhere"), None, 5]:
        tombstone = DeletedFinalStateUnknown("default/web-0", obj)
        assert deletion_handling_meta_namespace_key_func(tombstone) == "default/web-0"
        with pytest.raises(ObjectKeyError, match="deletion_handling_meta_namespace_key_func"):
            meta_namespace_key_func(tombstone)


def test_s4_tombstone_answers_to_the_attributes_of_the_last_state() -> None:
    obj = KubeObject(b'{"kind":"Pod","metadata":{"name":"b","namespace":"a","labels":{"x":"y"}},"spec":{"z":1}}')
    tombstone = DeletedFinalStateUnknown("a/b", obj)
    assert (tombstone.key, tombstone.namespace, tombstone.name, tombstone.kind) == ("a/b", "a", "b", "Pod")
    assert tombstone.labels == {"x": "y"}
    assert tombstone["spec"]["z"] == 1
    assert tombstone.get_path("spec.z") == 1
    assert tombstone.obj is obj
    with pytest.raises(AttributeError, match="nothing"):
        _ = tombstone.nothing


def test_s4_tombstone_may_have_no_object() -> None:
    tombstone = DeletedFinalStateUnknown("a/b")
    assert tombstone.obj is None
    with pytest.raises(AttributeError, match="labels: the last state of a/b is unknown"):
        _ = tombstone.labels
    with pytest.raises(KeyError):
        tombstone["spec"]
    assert not hasattr(tombstone, "__len__")


def test_tombstones_are_values() -> None:
    tombstone = DeletedFinalStateUnknown("a/b", {"x": 1})
    assert tombstone == DeletedFinalStateUnknown("a/b", {"x": 1})
    assert tombstone != DeletedFinalStateUnknown("a/c", {"x": 1})
    assert tombstone != DeletedFinalStateUnknown("a/b", {"x": 2})
    assert tombstone != "a/b"
    assert hash(tombstone) == hash(DeletedFinalStateUnknown("a/b", {"x": 1}))
    for again in (pickle.loads(pickle.dumps(tombstone)), copy.copy(tombstone), copy.deepcopy(tombstone)):
        assert again == tombstone
    assert repr(DeletedFinalStateUnknown("a/b")) == "DeletedFinalStateUnknown('a/b', None)"


@pytest.mark.parametrize("key_func", KEY_FUNCTIONS)
def test_s5_explicit_key_is_the_key(key_func: Any) -> None:
    for text in ("a/b", "b", "any/thing/at all", ""):
        key = key_func(ExplicitKey(text))
        assert key == text
        assert type(key) is str


@pytest.mark.parametrize("key_func", KEY_FUNCTIONS)
@pytest.mark.parametrize(
    "obj", [{}, {"metadata": {}}, {"metadata": None}, {"metadata": {"name": ""}}, "a/b", 5, None, SimpleNamespace()]
)
def test_s6_object_without_a_name_has_no_key(key_func: Any, obj: Any) -> None:
    with pytest.raises(ObjectKeyError) as caught:
        key_func(obj)
    assert caught.value.obj is obj
    assert type(obj).__name__ in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_s6_error_of_a_key_function_comes_with_its_cause_and_the_object() -> None:
    def key_func(obj: Any) -> str:
        raise LookupError(f"no key for {obj}")

    store: Indexer[Any] = Indexer(key_func)
    obj = SimpleNamespace()
    for write in (store.add, store.update, store.delete, store.get, lambda obj: store.replace([obj])):
        with pytest.raises(ObjectKeyError, match="couldn't create key for object of type SimpleNamespace") as caught:
            write(obj)
        assert isinstance(caught.value.__cause__, LookupError)
        assert caught.value.obj is obj
    assert len(store) == 0


def test_s6_what_is_no_string_is_no_key() -> None:
    keys: Any = {"text": "a", "number": 5, "nothing": None}.get
    store: Indexer[str] = Indexer(keys)
    store.add("text")
    for obj in ("number", "nothing"):
        with pytest.raises(ObjectKeyError) as caught:
            store.add(obj)
        assert isinstance(caught.value.__cause__, TypeError)
    assert store.list_keys() == ["a"]


def test_s6_error_of_the_default_key_function_is_not_wrapped_again() -> None:
    store: Indexer[Any] = Indexer()
    with pytest.raises(ObjectKeyError, match=r"^object of type dict has no metadata with a name$"):
        store.add({})


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_interrupt_in_a_key_function_is_no_key_error(interrupt: type[BaseException]) -> None:
    def key_func(obj: Any) -> str:
        raise interrupt

    store: Indexer[Any] = Indexer(key_func)
    for write in (store.add, store.delete, store.get, lambda obj: store.transaction([("Added", obj)])):
        with pytest.raises(interrupt):
            write(object())
    assert len(store) == 0


@pytest.mark.parametrize(
    ("key", "namespace", "name"), [("a/b", "a", "b"), ("b", "", "b"), ("a/b/c", "a", "b/c"), ("", "", "")]
)
def test_s7_tombstone_without_an_object_has_namespace_and_name_of_its_key(key: str, namespace: str, name: str) -> None:
    tombstone = DeletedFinalStateUnknown(key)
    assert (tombstone.namespace, tombstone.name) == (namespace, name)


def test_namespace_index_function() -> None:
    assert NAMESPACE_INDEX == "namespace"
    assert [meta_namespace_index_func(obj) for obj in in_every_form("web-0", "default")] == [["default"]] * 6
    assert [meta_namespace_index_func(obj) for obj in in_every_form("node-1", "")] == [[""]] * 6
    with pytest.raises(ObjectKeyError):
        meta_namespace_index_func({})
