"""`kubeinformer.filter`: what filters say of objects, how they are combined and shown, and what is no filter."""

from __future__ import annotations

import re
from typing import Any

import pytest
from filter_support import kube

from kubeinformer import Filter, Selector, filter

WEB = filter.labels("app=web")
RUNNING = filter.fields("status.phase=Running")


@pytest.mark.parametrize(
    ("given", "accepts"),
    [
        (filter.labels("app in (web, db)"), True),
        (filter.labels({"matchLabels": {"app": "db"}}), False),
        (filter.labels(Selector("app=web")), True),
        (filter.labels(""), True),
        (filter.labels({}), True),
        (filter.fields("status.phase=Running,spec.nodeName="), True),
        (filter.fields("status.phase!=Running"), False),
        (filter.fields(""), True),
        (~filter.fields(""), False),
        (~WEB | filter.labels(""), True),
        (filter.namespace("kube-system", "default"), True),
        (filter.namespace("kube-system"), False),
        (filter.name("web-0"), True),
        (filter.path("status.phase").equals("Running"), True),
        (filter.path("status.phase").is_in("Pending", "Failed"), False),
        (filter.path("metadata.ownerReferences[*].controller").equals(True), True),
        (filter.path("metadata.ownerReferences[0].controller").equals("true"), True),
        (filter.path("metadata.resourceVersion").equals(7), True),
        (filter.path("metadata.deletionTimestamp").exists(), False),
        (~filter.path("metadata.deletionTimestamp").exists(), True),
        (WEB & ~RUNNING, False),
        (~WEB | RUNNING, True),
        (~(WEB & RUNNING), False),
        (filter.changed("status.phase"), True),
        (~filter.changed("status.phase"), True),
        (filter.changed("status.phase") & ~WEB, False),
    ],
)
def test_what_a_filter_accepts(given: Filter, accepts: bool) -> None:
    assert given.matches(kube("web-0", 7, owner="rs")) is accepts


def test_which_updates_pass() -> None:
    old, same, failed = kube("a", 1), kube("a", 2), kube("a", 3, phase="Failed")
    moved = filter.changed("status.phase", "metadata.labels")
    assert moved.compares
    assert not WEB.compares
    assert not moved.matches(same, old)
    assert moved.matches(failed, old)
    assert moved.matches(kube("a", 2, app="db"), old)
    assert (~moved).matches(same, old)
    assert WEB.matches(same, old)
    assert (moved & RUNNING).matches(old, same) is False
    # An update of what is not accepted is none.
    assert (moved & RUNNING).matches(failed, old) is False
    assert (moved & RUNNING).matches(old, failed) is False


def test_filters_are_values() -> None:
    assert filter.labels("app=web") & filter.fields("status.phase=Running") == WEB & RUNNING
    assert WEB & RUNNING != RUNNING & WEB
    assert len({WEB, filter.labels("app==web"), filter.labels("app=web"), RUNNING}) == 3
    assert ~~WEB == WEB
    assert (WEB & RUNNING) & filter.name("a") == WEB & (RUNNING & filter.name("a"))
    with pytest.raises(AttributeError):
        WEB.compares = True  # type: ignore[misc]
    with pytest.raises(TypeError):
        WEB & "app=web"  # type: ignore[operator]


@pytest.mark.parametrize(
    "text",
    [
        'filter.labels("app=web")',
        'filter.namespace("a", "b")',
        'filter.name("web-0")',
        'filter.path("status.phase").exists()',
        'filter.path("status.phase").equals("Running")',
        'filter.path("metadata.labels[\'a.b/c\']").is_in("x", "y")',
        'filter.changed("status.phase", "metadata.labels")',
        'filter.labels("a=b") & ~(filter.name("c") | filter.name("d")) & filter.changed("spec")',
        'filter.labels("a=b") | filter.name("c") & filter.name("d")',
        'filter.fields("")',
    ],
)
def test_a_filter_is_shown_as_it_is_made(text: str) -> None:
    made = eval(text)
    assert isinstance(made, Filter)
    assert eval(repr(made)) == made
    assert repr(made).replace('(filter.name("c") & filter.name("d"))', 'filter.name("c") & filter.name("d")') == text
    assert repr(filter.path("a.b")) == "filter.path('a.b')"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: filter.labels("app in web"), ValueError, "at character 7"),
        (lambda: filter.labels(3), TypeError, "selector must be a string"),
        (lambda: filter.fields("a=1,b..c=2"), ValueError, "expected a key behind '.' at character 6"),
        (lambda: filter.fields("status.phase"), ValueError, "expected one of =, ==, != at character 12"),
        (lambda: filter.fields(None), TypeError, "str"),
        (lambda: filter.path("a["), ValueError, "at character 2"),
        (lambda: filter.path(3), TypeError, "str"),
        (lambda: filter.path("a").is_in(), TypeError, "at least one"),
        (lambda: filter.path("a").equals(1.5), TypeError, "a string, an integer or a Boolean, not float"),
        (lambda: filter.path("a").equals(None), TypeError, "not NoneType"),
        (filter.changed, TypeError, "at least one"),
        (lambda: filter.changed("a", "b c"), ValueError, "at character 1"),
        (filter.namespace, TypeError, "at least one"),
        (lambda: filter.name(3), TypeError, "str"),
    ],
)
def test_what_is_no_filter_says_so(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        make()
