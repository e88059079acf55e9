"""2.A: keys, names, tombstones."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_support import named

from kubeinformer import DeletedFinalStateUnknown, KubeObject, ObjectKeyError
from kubeinformer.cache import (
    DeltaFIFO,
    ExplicitKey,
    Indexer,
    ObjectName,
    RealFIFO,
    deletion_handling_meta_namespace_key_func,
    deletion_handling_object_to_name,
    meta_namespace_key_func,
    object_to_name,
    parse_object_name,
    split_meta_namespace_key,
)

KEY_FUNCTIONS = [meta_namespace_key_func, deletion_handling_meta_namespace_key_func]
each_key_function = pytest.mark.parametrize("key_func", KEY_FUNCTIONS)
NAMES = st.text("abcz09.-", min_size=1)


@each_key_function
def test_s1_key_is_namespace_and_name_or_the_name_alone(key_func: Any) -> None:
    """The key of an object is `namespace/name`, and the name without a slash if it has no namespace."""
    assert [key_func(obj) for obj in named("web-0", "default")] == ["default/web-0"] * 6
    assert [key_func(obj) for obj in named("node-1", "")] == ["node-1"] * 6


@pytest.mark.parametrize(
    ("key", "parts"), [("a/b", ("a", "b")), ("b", ("", "b")), ("", ("", "")), ("/b", ("", "b")), ("a/", ("a", ""))]
)
def test_s2_key_is_split_into_namespace_and_name(key: str, parts: tuple[str, str]) -> None:
    """A key of one part is a name and one of two a namespace and a name, also where a part is empty."""
    assert split_meta_namespace_key(key) == parts
    assert parse_object_name(key) == ObjectName(*parts)


@pytest.mark.parametrize("key", ["a/b/c", "a/b/", "//", "a//b"])
def test_s2_key_of_more_than_two_parts_is_an_error(key: str) -> None:
    """Splitting a key with a second slash is a ValueError that shows the key."""
    for split in (split_meta_namespace_key, parse_object_name, lambda key: object_to_name(ExplicitKey(key))):
        with pytest.raises(ValueError, match="unexpected key format") as caught:
            split(key)
        assert repr(key) in str(caught.value)


@given(NAMES, st.just("") | NAMES)
def test_s1_s2_splitting_undoes_the_key(name: str, namespace: str) -> None:
    """What a key is made of comes out again when it is split, and the name of an object prints as its key."""
    obj = named(name, namespace)[1]
    key = meta_namespace_key_func(obj)
    assert split_meta_namespace_key(key) == (namespace, name)
    assert object_to_name(obj) == (namespace, name)
    assert str(object_to_name(obj)) == key


def test_s3_key_of_a_tombstone_is_its_own_and_never_that_of_its_object() -> None:
    """A tombstone has the key it carries, whatever object is in it, and none for the plain key function."""
    for obj in [*named("other", "elsewhere"), None, 5]:
        tombstone = DeletedFinalStateUnknown("default/web-0", obj)
        assert deletion_handling_meta_namespace_key_func(tombstone) == "default/web-0"
        assert deletion_handling_object_to_name(tombstone) == ("default", "web-0")
        with pytest.raises(ObjectKeyError, match="deletion_handling_meta_namespace_key_func"):
            meta_namespace_key_func(tombstone)


@pytest.mark.parametrize("make_queue", [DeltaFIFO, RealFIFO])
def test_s3_queues_never_ask_their_key_function_about_a_tombstone(make_queue: Any) -> None:
    """A queue takes a tombstone's own key, also with a key function of the user's."""
    known: Indexer[Any] = Indexer(lambda obj: obj["id"])
    known.add({"id": "gone"})
    options = {"known_objects": known} if make_queue is DeltaFIFO else {}
    fifo = make_queue(lambda obj: obj["id"], **options)
    tombstones = [DeletedFinalStateUnknown("gone", {"id": "other"}), DeletedFinalStateUnknown("gone")]
    for tombstone in tombstones:
        assert fifo.key_of(tombstone) == "gone"
        fifo.delete(tombstone)
        popped = fifo.pop(lambda *_: None, timeout=1)
        kind, deleted = popped[0] if make_queue is DeltaFIFO else popped
        assert (kind, deleted) == ("Deleted", tombstone)


class Known:
    """Known objects whose look-up fails for one key and finds nothing for another."""

    def __init__(self, stale: Any) -> None:
        self.stale = stale

    def list_keys(self) -> list[str]:
        return ["failed", "raced", "stale"]

    def get_by_key(self, key: str) -> Any:
        if key == "failed":
            raise LookupError(key)
        return self.stale if key == "stale" else None


@pytest.mark.parametrize("make_queue", [DeltaFIFO, RealFIFO])
def test_s4_deletion_is_delivered_also_if_the_last_state_is_not_known(make_queue: Any) -> None:
    """A deletion that a list reveals is delivered with the last known state, and without any if its look-up fails."""
    stale = {"metadata": {"name": "stale", "resourceVersion": "1"}}
    fifo = make_queue(known_objects=Known(stale))
    fifo.replace([], "9")
    popped: list[Any] = []
    while len(fifo):
        fifo.pop(lambda deltas, _: popped.extend(deltas if make_queue is DeltaFIFO else [deltas]), timeout=1)
    assert popped == [
        ("Deleted", DeletedFinalStateUnknown("failed", None)),
        ("Deleted", DeletedFinalStateUnknown("raced", None)),
        ("Deleted", DeletedFinalStateUnknown("stale", stale)),
    ]
    assert popped[2][1].obj is stale


def test_s4_tombstone_answers_to_the_attributes_of_the_last_state() -> None:
    """A tombstone answers to what its object answers to, so that a handler may read both alike."""
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
    """A tombstone without an object says so when something of the object is read."""
    tombstone = DeletedFinalStateUnknown("a/b")
    assert tombstone.obj is None
    with pytest.raises(AttributeError, match="labels: the last state of a/b is unknown"):
        _ = tombstone.labels
    with pytest.raises(KeyError):
        tombstone["spec"]
    assert not hasattr(tombstone, "__len__")


@each_key_function
def test_s5_explicit_key_is_the_key(key_func: Any) -> None:
    """An `ExplicitKey` stands for the object of that key, whatever text it is, and comes back as a plain string."""
    for text in ("a/b", "b", "any/thing/at all", ""):
        key = key_func(ExplicitKey(text))
        assert key == text
        assert type(key) is str
    store: Indexer[Any] = Indexer()
    (pod,) = named("b", "a")[1:2]
    store.add(pod)
    assert store.get(ExplicitKey("a/b")) is pod


@each_key_function
@pytest.mark.parametrize(
    "obj", [{}, {"metadata": {}}, {"metadata": None}, {"metadata": {"name": ""}}, "a/b", 5, None, SimpleNamespace()]
)
def test_s6_object_without_a_name_has_no_key(key_func: Any, obj: Any) -> None:
    """What has no name has no key: the error has the object, and names its type."""
    with pytest.raises(ObjectKeyError) as caught:
        key_func(obj)
    assert caught.value.obj is obj
    assert type(obj).__name__ in str(caught.value)
    assert isinstance(caught.value, ValueError)


def key_of_nothing(obj: Any) -> str:
    raise LookupError(f"no key for {obj}")


def test_s6_error_of_a_key_function_is_the_cause_of_an_object_key_error() -> None:
    """What a key function raises is the cause of an ObjectKeyError that has the object, in stores and queues."""
    store: Indexer[Any] = Indexer(key_of_nothing)
    delta: DeltaFIFO[Any] = DeltaFIFO(key_of_nothing)
    real: RealFIFO[Any] = RealFIFO(key_of_nothing)
    obj = SimpleNamespace()
    uses = [store.add, store.update, store.delete, store.get, lambda obj: store.replace([obj])]
    for fifo in (delta, real):
        uses += [fifo.add, fifo.update, fifo.delete, fifo.key_of, lambda obj, fifo=fifo: fifo.replace([obj])]
    for use in uses:
        with pytest.raises(ObjectKeyError, match="couldn't create key for object of type SimpleNamespace") as caught:
            use(obj)
        assert isinstance(caught.value.__cause__, LookupError)
        assert caught.value.obj is obj
    assert (len(store), len(delta), len(real)) == (0, 0, 0)


def test_s6_what_is_no_string_is_no_key() -> None:
    """A key function that returns no string has failed, too."""
    keys: Any = {"text": "a", "number": 5, "nothing": None}.get
    store: Indexer[str] = Indexer(keys)
    store.add("text")
    for obj in ("number", "nothing"):
        with pytest.raises(ObjectKeyError) as caught:
            store.add(obj)
        assert isinstance(caught.value.__cause__, TypeError)
    assert store.list_keys() == ["a"]


def test_s6_error_of_the_default_key_function_is_not_wrapped_again() -> None:
    """What the default key function raises is such an error already."""
    store: Indexer[Any] = Indexer()
    with pytest.raises(ObjectKeyError, match=r"^object of type dict has no metadata with a name$"):
        store.add({})


@pytest.mark.parametrize(
    ("key", "namespace", "name"), [("a/b", "a", "b"), ("b", "", "b"), ("a/b/c", "a", "b/c"), ("", "", "")]
)
def test_s7_tombstone_without_an_object_has_namespace_and_name_of_its_key(key: str, namespace: str, name: str) -> None:
    """A tombstone without an object still has namespace and name, from its key; a second slash belongs to the name."""
    tombstone = DeletedFinalStateUnknown(key)
    assert tombstone.obj is None
    assert (tombstone.key, tombstone.namespace, tombstone.name) == (key, namespace, name)
