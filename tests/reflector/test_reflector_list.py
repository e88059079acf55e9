"""The LIST path beyond the statements of conformance 2.G: odd pages, refusals, tweaks, bodies that are no list."""

from __future__ import annotations

import pytest
from reflector_fakes import FakeResponse, Rig, pod_list, refusal, watching

from kubeinformer.errors import APIStatusError, DecodeError, TransportError
from kubeinformer.options import ListOptions


def rig(*script, **options):
    return Rig(*script, use_watch_list=False, **options)


def test_an_empty_page_in_the_middle_goes_on():
    r = rig(pod_list("10", continue_="t1"), pod_list("10", "b", continue_="t2"), pod_list("10"), watching()).run()
    assert r.source.log == [("replace", "10", ["b"])]


def test_the_same_continue_token_twice_is_an_error_not_a_loop():
    r = rig(pod_list("10", "a", continue_="t"), pod_list("10", "b", continue_="t"), pod_list("11", "a"), watching())
    r.run()
    assert isinstance(r.errors[0], DecodeError)
    assert r.source.log == [("replace", "11", ["a"])]


@pytest.mark.parametrize("code", [401, 403, 404, 429, 500, 503])
def test_a_refused_list_is_reported_and_tried_again(code):
    r = rig(refusal(code), refusal(code), pod_list("10"), watching())
    seen = []
    r.transport.script[2] = lambda: seen.append(r.reflector.last_error()) or pod_list("10")
    r.run()
    assert [error.code for error in r.errors] == [code, code]
    assert seen[0].error.code == code
    assert seen[0].count == 2
    assert seen[0].since < seen[0].time
    assert r.reflector.last_error() is None, "success clears it"
    assert r.clock.waits == pytest.approx([0.8, 1.6])


def test_one_request_for_each_attempt_and_retry_after_is_heeded():
    r = rig(refusal(429, headers={"Retry-After": "7"}), pod_list("10"), watching()).run()
    assert r.kinds() == ["list", "list", "watch"]
    assert r.clock.waits == [7.0]


@pytest.mark.parametrize(
    "answer",
    [
        lambda: FakeResponse(b"<html>"),
        lambda: FakeResponse(b'{"kind":"PodList","items":['),
        lambda: FakeResponse(b"{}"[:1], TransportError("reset")),
        lambda: TransportError("no route"),
    ],
)
def test_f20_f29_bodies_that_are_no_list_never_reach_the_cache(answer):
    r = rig(answer(), pod_list("10", "a"), watching()).run()
    assert len(r.errors) == 1
    assert r.source.log == [("replace", "10", ["a"])]


def test_s178_the_tweak_is_asked_for_each_request_and_cannot_break_the_protocol():
    made = []

    def tweaked():
        made.append(ListOptions(label_selector=f"n={len(made)}", resource_version="5", watch=True, continue_="x"))
        return made[-1]

    r = rig(pod_list("10", continue_="t"), pod_list("10"), watching(), list_options=tweaked).run()
    assert [query["labelSelector"] for query in r.requests] == ["n=0", "n=1", "n=2"]
    assert r.requests[0] == {"labelSelector": "n=0", "resourceVersion": "0", "limit": "500"}
    assert r.requests[2]["resourceVersion"] == "10"


def test_a_limit_of_the_tweak_is_the_page_size():
    r = rig(pod_list("10"), watching(), list_options=lambda: ListOptions(limit=3)).run()
    assert r.requests[0]["limit"] == "3"
    assert "limit" not in r.requests[1]


def test_a_tweak_that_sets_nonsense_is_reported():
    options = [ListOptions(label_selector={"app": "a"}), ListOptions(), ListOptions(), ListOptions()]
    r = rig(pod_list("10"), watching(), list_options=lambda: options.pop(0)).run()
    assert isinstance(r.errors[0], TypeError)
    assert "label_selector" in str(r.errors[0])


def test_errors_of_lists_keep_what_the_server_said():
    r = rig(refusal(403, "Forbidden", message="pods is forbidden"), pod_list("1"), watching()).run()
    error = r.errors[0]
    assert isinstance(error, APIStatusError)
    assert str(error) == "LIST /api/v1/pods: 403 Forbidden: pods is forbidden"
