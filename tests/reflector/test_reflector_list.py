"""The LIST path: §86-§94."""

from __future__ import annotations

import pytest
from reflector_fakes import FakeResponse, Rig, error_event, event, pod_list, refusal, too_large, watching

from kubeinformer.errors import APIStatusError, DecodeError, TransportError
from kubeinformer.options import ListOptions


def rig(*script, **options):
    return Rig(*script, use_watch_list=False, **options)


def test_s86_rv_policy_first_0_then_last_then_empty():
    r = rig(
        pod_list("10", "a"),
        FakeResponse(event("MODIFIED", "12"), error_event(410, "Expired")),
        refusal(410, "Expired"),
        pod_list("20", "a"),
        FakeResponse(event("MODIFIED", "21"), error_event(410, "Gone")),
        pod_list("30", "a"),
        watching(),
    ).run()
    assert r.versions() == [
        ("list", "0"),
        ("watch", "10"),
        ("list", "12"),
        ("list", None),
        ("watch", "20"),
        ("list", "21"),
        ("watch", "30"),
    ]
    assert r.reflector.counters().relists == {"expired": 2}


@pytest.mark.parametrize(
    "answer",
    [
        lambda: refusal(410, "Expired"),
        lambda: refusal(410, "Gone"),
        lambda: refusal(504, "Timeout", **too_large()),
        lambda: refusal(504, "Timeout", message="Too large resource version: 9, current: 3"),
    ],
)
def test_s87_s88_a_version_the_server_lacks_is_dropped_at_once(answer):
    r = rig(pod_list("10"), FakeResponse(event("ADDED", "12"), error_event(410)), answer(), pod_list("20"), watching())
    r.run()
    assert r.versions()[2:4] == [("list", "12"), ("list", None)]
    assert r.errors == [], "the retry is part of the attempt"
    assert r.clock.waits[0] == pytest.approx(0.8), "of the 410 in the watch; none between the two lists"
    assert r.reflector.counters().lists == 2


def test_s86_the_empty_version_stays_until_a_list_succeeds():
    r = rig(
        pod_list("10"),
        FakeResponse(event("ADDED", "12"), error_event(410)),
        refusal(504, "Timeout", **too_large()),
        refusal(500),
        refusal(500),
        pod_list("20"),
        FakeResponse(event("ADDED", "21"), error_event(410)),
        pod_list("22"),
        watching(),
    ).run()
    lists = [query for query in r.requests if "watch" not in query]
    assert [query.get("resourceVersion") for query in lists] == ["0", "12", None, None, None, "21"]
    assert [query.get("limit") for query in lists] == ["500", None, None, "500", "500", None], "§89, §90"


def test_s89_page_size_only_without_a_version_of_its_own():
    r = rig(
        pod_list("10", "a", continue_="t1"),
        pod_list("10", "b"),
        FakeResponse(event("ADDED", "12", "c"), error_event(410)),
        page_size=7,
    )
    r.transport.script += [pod_list("13"), watching()]
    r.run()
    lists = [query for query in r.requests if "watch" not in query]
    assert lists[0] == {"resourceVersion": "0", "limit": "7"}
    assert lists[1] == {"continue": "t1", "limit": "7"}, "§91: no version with a continue token"
    assert lists[2] == {"resourceVersion": "12", "limit": "7"}, "a list at 0 came in pages, so there is no watch cache"
    assert r.source.log[0] == ("replace", "10", ["a", "b"])


def test_s89_no_limit_at_a_version():
    r = rig(pod_list("10"), FakeResponse(event("ADDED", "12"), error_event(410)), pod_list("13"), watching()).run()
    lists = [query for query in r.requests if "watch" not in query]
    assert lists == [{"resourceVersion": "0", "limit": "500"}, {"resourceVersion": "12"}]


def test_s90_the_retry_without_a_version_keeps_the_page_size():
    r = rig(
        pod_list("10"), FakeResponse(event("ADDED", "12"), error_event(410)), refusal(410, "Expired"), pod_list("13")
    )
    r.transport.script.append(watching())
    r.run()
    assert r.requests[3] == {}


def test_s90_also_where_there_was_a_limit():
    r = rig(refusal(504, "Timeout", **too_large()), pod_list("10"), watching()).run()
    assert r.requests[:2] == [{"resourceVersion": "0", "limit": "500"}, {"limit": "500"}]


def test_s91_the_list_version_is_the_first_pages():
    r = rig(pod_list("10", "a", continue_="t1"), pod_list("11", "b"), watching()).run()
    assert r.source.log == [("replace", "10", ["a", "b"])]
    assert r.versions()[-1] == ("watch", "10")


def test_s92_410_on_a_later_page_gives_one_full_list():
    r = rig(
        pod_list("10", "a", continue_="t1"),
        refusal(410, "Expired", metadata={"continue": "inconsistent"}),
        pod_list("15", "a", "b", "c"),
        watching(),
    ).run()
    assert r.requests[2] == {"resourceVersion": "0"}, "the version first asked for, no limit, no continue"
    assert r.source.log == [("replace", "15", ["a", "b", "c"])], "nothing of the first page twice"
    assert r.errors == []


def test_s93_a_commit_that_fails_leaves_the_version_and_is_an_error_s94():
    r = rig(pod_list("10", "a"), pod_list("11", "a"), watching())
    r.source.commit_error = RuntimeError("no")
    versions = []

    def heal():
        versions.append(r.reflector.last_sync_resource_version())
        r.source.commit_error = None
        return pod_list("11", "a")

    r.transport.script[1] = heal
    r.run()
    assert versions == [""]
    assert [str(error) for error in r.errors] == ["no"]
    assert r.versions() == [("list", "0"), ("list", "0"), ("watch", "11")]


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
