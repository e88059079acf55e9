"""Paths: what they lead to in an object, as index values, and how a bad one is reported."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from object_samples import POD, core_with, kube_object, pod

from kubeinformer import Index, JSONMapping, JSONSequence, KubeObject
from kubeinformer import index as ready_made
from kubeinformer._core import InformerCore

ODD = {
    "metadata": {"name": "x"},
    "a": {
        "quoted/key": {"b": 1},
        "with space": 2,
        "it's": 3,
        "back\\slash": 4,
        "": 5,
        "*": 6,
        "ü": 7,
        "0": 8,
        "a.b": 9,
    },
    "list": [[1, 2], [3]],
    "null": None,
    "values": {"number": 1.50, "exponent": 1e3, "yes": True, "no": False, "empty": ""},
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "web-0"),
        (".metadata.name", "web-0"),
        ("['metadata']['name']", "web-0"),
        (".metadata['labels']['app.kubernetes.io/part-of']", "shop"),
        ("spec.containers[0].image", "app:1"),
        ("spec.containers[1].ports", None),
        ("spec.containers[2]", None),
        ("spec.containers[0].ports[1].containerPort", 443),
        ("spec.containers[*].name", ("app", "sidecar")),
        ("spec.containers[*].ports[*].containerPort", (80, 443)),
        ("spec.containers[*].nothing", ()),
        ("spec.nothing[*]", ()),
        ("spec.nodeName.deeper", None),
        ("spec.nodeName[0]", None),
        ("spec[0]", None),
        ("spec[*]", ()),
        ("nothing", None),
        ("status.ready", True),
        ("status.load", 1.5),
        ("status.reason", None),
    ],
)
def test_path_leads_to_the_value(path: str, value: object) -> None:
    obj = kube_object()
    assert obj.get_path(path) == value
    assert obj.get_paths(path) == (value,)
    assert obj.to_dict(path) == (list(value) if isinstance(value, tuple) else value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a['quoted/key'].b", 1),
        ("a['with space']", 2),
        (r"a['it\'s']", 3),
        (r"a['back\\slash']", 4),
        ("a['']", 5),
        ("a['*']", 6),
        ("a.ü", 7),
        ("a.0", 8),
        ("a['0']", 8),
        ("a[0]", None),
        ("a['a.b']", 9),
        ("a.a.b", None),
        ("list[*][*]", (1, 2, 3)),
        ("list[*][0]", (1, 3)),
        ("list[0][*]", (1, 2)),
        ("list[1]", [3]),
    ],
)
def test_keys_and_places_of_any_kind(path: str, value: object) -> None:
    assert kube_object(ODD).get_path(path) == value


def test_keys_are_compared_without_their_escapes() -> None:
    obj = KubeObject(rb'{"metadata":{"name":"x"},"\u0061\/b":{"\"q\"":"\u00fc\n"}}')
    assert obj.get_path("""['a/b']['"q"']""") == "ü\n"


def test_default_stands_for_what_is_missing_and_not_for_null() -> None:
    obj = kube_object()
    missing = object()
    assert obj.get_path("status.nothing", missing) is missing
    assert obj.get_path("status.nothing", default=missing) is missing
    assert obj.get_path("status.reason", missing) is None
    assert obj.get_path("status.nothing[*]", missing) == ()


def test_many_paths_in_one_call() -> None:
    obj = kube_object()
    assert obj.get_paths() == ()
    paths = ("status.phase", "nothing", "spec.containers[*].name", "status.phase", "metadata", "metadata.name")
    assert obj.get_paths(*paths) == ("Running", None, ("app", "sidecar"), "Running", POD["metadata"], "web-0")


def test_values_are_read_only_views_and_to_dict_gives_fresh_ones() -> None:
    obj = kube_object()
    assert type(obj.get_path("spec")) is JSONMapping
    assert type(obj.get_path("spec.containers")) is JSONSequence
    assert [type(value) for value in obj.get_path("spec.containers[*]")] == [JSONMapping, JSONMapping]
    spec = obj.to_dict("spec")
    assert type(spec) is dict
    spec["containers"].clear()
    assert obj.to_dict("spec") == POD["spec"]
    assert [type(value) for value in obj.to_dict("spec.containers[*]")] == [dict, dict]


@given(st.lists(st.text(max_size=3) | st.integers(0, 2), min_size=1, max_size=4), st.integers())
def test_any_key_can_be_written_in_quotes(steps: list[str | int], value: int) -> None:
    value = value % 2**50
    content: Any = value
    for step in reversed(steps):
        content = {step: content} if isinstance(step, str) else [*[None] * step, content]
    obj = kube_object({"metadata": {"name": "x"}, "root": content})
    quoted = [step.replace("\\", "\\\\").replace("'", "\\'") if isinstance(step, str) else step for step in steps]
    path = "root" + "".join(f"['{step}']" if isinstance(step, str) else f"[{step}]" for step in quoted)
    assert obj.get_path(path) == value


BAD = [
    ("", 0, "at least one key"),
    (".", 1, "expected a key"),
    ("a.", 2, "expected a key"),
    ("a..b", 2, "expected a key"),
    ("a b", 1, "in quotes"),
    ("a\nb", 1, "in quotes"),
    ("a[", 2, "expected an index"),
    ("a[x]", 2, "expected an index"),
    ("a[-1]", 2, "negative"),
    ("a[1", 3, "expected ']'"),
    ("a['x]", 2, "not closed"),
    ('a["x"]', 2, "quoted with '"),
    ("a[*]b", 4, "expected '.' or '['"),
    ("ü['", 2, "not closed"),
    ("a[99999999999]", 2, "too large"),
    ("a" + ".a" * 64, 127, "at most 64"),
]


@pytest.mark.parametrize(("path", "character", "what"), BAD)
def test_bad_path_is_a_value_error_that_points_at_the_character(path: str, character: int, what: str) -> None:
    obj = kube_object()
    for use in (
        lambda: obj.get_path(path),
        lambda: obj.get_paths("metadata.name", path),
        lambda: obj.to_dict(path),
        lambda: ready_made.path(path),
        lambda: ready_made.join("metadata.name", path),
        lambda: core_with([]).project([path]),
    ):
        with pytest.raises(ValueError, match="bad path") as caught:
            use()
        message = str(caught.value)
        assert f"at character {character}" in message
        assert what in message
        first, shown, pointer = message.split("\n")
        assert "bad path" in first
        assert (len(shown), pointer) == (len(path) + 2, " " * (character + 2) + "^")


def test_paths_with_line_ends_are_not_taken_for_two_paths() -> None:
    obj = kube_object()
    for _ in range(2):
        assert obj.get_paths("kind", "apiVersion") == ("Pod", "v1")
        with pytest.raises(ValueError, match="at character 4"):
            obj.get_path("kind\napiVersion")
        with pytest.raises(ValueError, match="bad path"):
            obj.get_path("4:kind10:apiVersion\n")


def test_path_must_be_a_string() -> None:
    obj: Any = kube_object()
    for path in (None, 5, ["a"]):
        with pytest.raises(TypeError):
            obj.get_path(path)


def index_values(index: Index, content: dict[str, Any] | bytes) -> list[str] | None:
    core = InformerCore("v1/pods")
    core.finish_add_indexers(core.begin_add_indexers({"index": index}), {})
    raw = content if isinstance(content, bytes) else orjson.dumps(content)
    return core.declared_values("index", KubeObject(raw))


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("a['quoted/key'].b", ["1"]),
        ("a.nothing", []),
        ("null", []),
        ("a", []),
        ("list", []),
        ("list[*]", []),
        ("list[*][*]", ["1", "2", "3"]),
        ("values.yes", ["true"]),
        ("values.no", ["false"]),
        ("values.empty", [""]),
        ("metadata.name", ["x"]),
    ],
)
def test_index_values_of_a_path(path: str, values: list[str]) -> None:
    assert index_values(ready_made.path(path), ODD) == values


def test_index_values_of_numbers_are_as_they_are_written() -> None:
    raw = b'{"metadata":{"name":"x"},"n":[1,-0,1.50,1e3,12345678901234567890123]}'
    assert index_values(ready_made.path("n[*]"), raw) == ["1", "-0", "1.50", "1e3", "12345678901234567890123"]


def test_index_values_have_no_escapes_and_count_once() -> None:
    raw = rb'{"metadata":{"name":"x"},"n":["\u0061","a","\"\/"]}'
    assert index_values(ready_made.path("n[*]"), raw) == ["a", '"/']


def test_ready_made_indices() -> None:
    assert index_values(ready_made.namespace(), POD) == ["default"]
    assert index_values(ready_made.namespace(), ODD) == [""]
    assert index_values(ready_made.controller_owner(), POD) == ["default/StatefulSet/web"]
    assert index_values(ready_made.controller_owner("StatefulSet"), POD) == ["default/web"]
    assert index_values(ready_made.controller_owner("Node"), POD) == []
    assert index_values(ready_made.join("spec.nodeName", "status.phase"), POD) == ["node-1/Running"]
    assert index_values(ready_made.join("spec.nodeName", "nothing"), POD) == []
    joined = index_values(ready_made.join("kind", "spec.containers[*].name"), POD)
    assert joined == ["Pod/app", "Pod/sidecar"]


def test_index_says_what_it_is() -> None:
    assert repr(ready_made.path("a.b")) == 'index.path("a.b")'
    assert repr(ready_made.controller_owner()) == "index.controller_owner()"
    assert repr(ready_made.controller_owner("Job")) == 'index.controller_owner("Job")'
    assert repr(ready_made.namespace()) == "index.namespace()"
    assert repr(ready_made.join("a", "b")) == 'index.join(["a", "b"])'


def test_join_needs_a_path() -> None:
    with pytest.raises(TypeError, match="paths"):
        ready_made.join()


def test_projection_gives_a_row_of_views_for_each_object() -> None:
    core = core_with([pod("a", node="n1", list=[1]), pod("b", node="n2")])
    rows = sorted(core.project(["metadata.name", "spec.node", "spec.list[*]", "spec"]), key=lambda row: row[0])
    assert rows == [("a", "n1", (1,), {"node": "n1", "list": [1]}), ("b", "n2", (), {"node": "n2"})]
    assert type(rows[0][3]) is JSONMapping
