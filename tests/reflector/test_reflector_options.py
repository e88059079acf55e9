"""ListOptions and its spelling in a URL."""

from __future__ import annotations

import pytest

from kubeinformer.options import ListOptions


def test_defaults_are_left_out():
    assert ListOptions().to_query() == []


def test_every_field_has_the_spelling_of_the_api():
    options = ListOptions(
        label_selector="app=a",
        field_selector="spec.nodeName=n",
        limit=5,
        continue_="tok",
        resource_version="7",
        resource_version_match="Exact",
        timeout_seconds=30,
        allow_watch_bookmarks=True,
        send_initial_events=True,
        watch=True,
    )
    assert options.to_query() == [
        ("watch", "true"),
        ("labelSelector", "app=a"),
        ("fieldSelector", "spec.nodeName=n"),
        ("limit", "5"),
        ("continue", "tok"),
        ("resourceVersion", "7"),
        ("resourceVersionMatch", "Exact"),
        ("timeoutSeconds", "30"),
        ("allowWatchBookmarks", "true"),
        ("sendInitialEvents", "true"),
    ]


def test_false_and_zero_are_values_where_none_is_left_out():
    query = ListOptions(send_initial_events=False, timeout_seconds=0).to_query()
    assert query == [("timeoutSeconds", "0"), ("sendInitialEvents", "false")]


def test_resource_version_0_is_sent():
    assert ListOptions(resource_version="0").to_query() == [("resourceVersion", "0")]


def test_none_is_left_out():
    options = ListOptions()
    options.label_selector = None
    assert options.to_query() == []


@pytest.mark.parametrize(
    ("field", "value"), [("label_selector", {"app": "a"}), ("limit", "5"), ("timeout_seconds", True)]
)
def test_a_value_of_another_type_is_named(field, value):
    options = ListOptions()
    setattr(options, field, value)
    with pytest.raises(TypeError, match=field):
        options.to_query()


def test_a_misspelt_field_is_an_error():
    with pytest.raises(AttributeError):
        ListOptions().labelSelector = "app=a"
