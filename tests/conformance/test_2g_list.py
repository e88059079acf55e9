"""2.G: the LIST path: which version is asked for, in which pages, and what becomes of a list that fails."""

from __future__ import annotations

import gc
import json
import resource

import pytest
from core_support import CoreRig
from reflector_fakes import FakeResponse, Rig, error_event, event, pod_list, refusal, too_large, watching
from statements import differs

from kubeinformer.cache.api_status import event_error, is_too_large_resource_version
from kubeinformer.errors import DecodeError


def rig(*script: object, **options: object) -> Rig:
    return Rig(*script, use_watch_list=False, **options)


def watch_until_410(version: str) -> FakeResponse:
    """A watch that gets as far as `version` and then makes a list necessary."""
    return FakeResponse(event("MODIFIED", version), error_event(410, "Expired"))


def list_queries(r: Rig) -> list[dict[str, str]]:
    return [query for query in r.requests if "watch" not in query]


# -- which version (§86-§88) -------------------------------------------------------------------------------------------


def test_s86_rv_policy_first_0_then_last_then_empty() -> None:
    """The first list asks for version 0, later ones for the last version seen, or for none once that is unavailable."""
    r = rig(
        pod_list("10", "a"),
        watch_until_410("12"),
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


def test_s86_the_empty_version_stays_until_a_list_succeeds() -> None:
    """A version that was unavailable is asked for again only after a list has succeeded without it."""
    r = rig(
        pod_list("10"),
        watch_until_410("12"),
        refusal(504, "Timeout", **too_large()),
        refusal(500),
        refusal(500),
        pod_list("20"),
        watch_until_410("21"),
        pod_list("22"),
        watching(),
    ).run()
    assert [query.get("resourceVersion") for query in list_queries(r)] == ["0", "12", None, None, None, "21"]
    assert [query.get("limit") for query in list_queries(r)] == ["500", None, None, "500", "500", None], "§89, §90"


@pytest.mark.parametrize(
    "answer",
    [
        lambda: refusal(410, "Expired"),
        lambda: refusal(410, "Gone"),
        lambda: refusal(410),
        lambda: refusal(504, "Timeout", **too_large()),
        lambda: refusal(504, "Timeout", message="Too large resource version: 9, current: 3"),
    ],
    ids=["Expired", "Gone", "410 without a reason", "too large, by its cause", "too large, by its message"],
)
def test_s87_a_version_the_server_lacks_is_dropped_at_once(answer) -> None:
    """A list refused as expired, gone or too large is tried once more without a version, in the same attempt."""
    r = rig(pod_list("10"), watch_until_410("12"), answer(), pod_list("20"), watching()).run()
    assert r.versions()[2:4] == [("list", "12"), ("list", None)]
    assert r.reflector.counters().failures == 0, "the retry is part of the attempt"
    assert r.clock.waits == pytest.approx([0.8]), "that of the 410 in the watch; none between the two lists"
    assert r.reflector.counters().lists == 2


def test_s87_the_second_refusal_ends_the_attempt() -> None:
    """A list without a version that is refused the same way is an error, and is waited out."""
    r = rig(refusal(410, "Expired"), refusal(410, "Expired"), pod_list("20"), watching()).run()
    assert [query.get("resourceVersion") for query in list_queries(r)] == ["0", None, None]
    assert r.reflector.counters().failures == 1
    assert r.clock.waits == pytest.approx([0.8])


@pytest.mark.parametrize("code", [400, 403, 500, 503])
def test_s87_other_refusals_keep_the_version(code: int) -> None:
    """Any other refusal of a list waits, and leaves the version that is asked for as it is."""
    r = rig(pod_list("10"), watch_until_410("12"), refusal(code), pod_list("20"), watching()).run()
    assert [query.get("resourceVersion") for query in list_queries(r)] == ["0", "12", "12"]
    assert r.errors[-1].code == code


TOO_LARGE = "Too large resource version"
BY_CAUSE = {"causes": [{"reason": "FieldValueInvalid"}, {"reason": "ResourceVersionTooLarge"}]}
BY_CAUSES_MESSAGE = {"causes": [{"message": TOO_LARGE}]}


@pytest.mark.parametrize(
    ("expected", "status"),
    [
        (True, {"code": 504, "reason": "Timeout", "details": BY_CAUSE}),
        (True, {"code": 400, "reason": "Invalid", "details": BY_CAUSE}),
        (True, {"code": 504, "reason": "Timeout", "details": BY_CAUSES_MESSAGE}),
        (True, {"code": 504, "reason": "Timeout", "message": f"Timeout: {TOO_LARGE}: 9, current: 5"}),
        (True, {"reason": "Timeout", "message": f"Timeout: {TOO_LARGE}: 9, current: 5"}),
        (False, {"code": 400, "reason": "BadRequest", "details": BY_CAUSES_MESSAGE}),
        (False, {"code": 400, "reason": "BadRequest", "message": f"{TOO_LARGE}: 9, current: 5"}),
        (False, {"code": 504, "reason": "Timeout", "message": "request did not complete within the allotted timeout"}),
        (False, {"code": 504, "reason": "Timeout", "message": "no ResourceVersionTooLarge"}),
        (False, {"code": 403, "reason": "Forbidden", "details": {"name": "ResourceVersionTooLarge"}}),
        (False, {"code": 504, "reason": "Timeout", "details": {"causes": "ResourceVersionTooLarge"}}),
    ],
)
def test_s88_what_a_version_too_large_is_known_by(expected: bool, status: dict[str, object]) -> None:
    """A version is too large iff a cause says so, or (of a Timeout only) a message, of a cause or of the status."""
    body = json.dumps({"kind": "Status", "apiVersion": "v1", **status}).encode()
    assert is_too_large_resource_version(event_error("x", body)) is expected


# -- pages (§89-§92) ---------------------------------------------------------------------------------------------------


def test_s89_no_limit_at_a_version() -> None:
    """A list at version 0 or without one asks for pages of 500, a list at a version of its own for all at once."""
    r = rig(pod_list("10"), watch_until_410("12"), pod_list("13"), watching()).run()
    assert list_queries(r) == [{"resourceVersion": "0", "limit": "500"}, {"resourceVersion": "12"}]


def test_s89_a_list_at_0_in_pages_makes_all_later_ones_paged() -> None:
    """Once a list at version 0 came in pages, so that there is no watch cache, later lists ask for pages too."""
    r = rig(
        pod_list("10", "a", continue_="t1"),
        pod_list("10", "b"),
        watch_until_410("12"),
        pod_list("13"),
        watch_until_410("14"),
        pod_list("15"),
        watching(),
    ).run()
    assert list_queries(r) == [
        {"resourceVersion": "0", "limit": "500"},
        {"continue": "t1", "limit": "500"},
        {"resourceVersion": "12", "limit": "500"},
        {"resourceVersion": "14", "limit": "500"},
    ]
    assert r.source.log[0] == ("replace", "10", ["a", "b"])


def test_s89_pages_of_a_list_without_a_version_say_nothing_about_the_watch_cache() -> None:
    """Pages of a list that asked for no version leave the next list at a version unlimited."""
    r = rig(
        refusal(410, "Expired"),
        pod_list("10", "a", continue_="t1"),
        pod_list("10", "b"),
        watch_until_410("12"),
        pod_list("13"),
        watching(),
    ).run()
    assert list_queries(r)[-1] == {"resourceVersion": "12"}


@differs(
    "client-go sends a WatchListPageSize that was set with every list; here `page_size` is the size of pages where "
    "there are pages, because a limited list at a version is read at exactly that version, which may be gone."
)
def test_s89_a_page_size_of_the_callers_does_not_make_pages_where_there_are_none() -> None:
    """A page size replaces the 500, and a list at a version of its own stays unlimited."""
    r = rig(pod_list("10"), watch_until_410("12"), pod_list("13"), watching(), page_size=7).run()
    assert list_queries(r) == [{"resourceVersion": "0", "limit": "7"}, {"resourceVersion": "12"}]


def test_s90_the_retry_without_a_version_keeps_the_page_size() -> None:
    """The second try without a version is limited iff the first try was."""
    r = rig(pod_list("10"), watch_until_410("12"), refusal(410, "Expired"), pod_list("13"), watching()).run()
    assert r.requests[3] == {}
    r = rig(refusal(504, "Timeout", **too_large()), pod_list("10"), watching()).run()
    assert r.requests[:2] == [{"resourceVersion": "0", "limit": "500"}, {"limit": "500"}]


def test_s91_the_list_version_is_the_first_pages() -> None:
    """Later pages ask with the token and without a version, and the list has the version of its first page."""
    r = rig(
        pod_list("10", "a", continue_="t1"),
        pod_list("11", "b", continue_="t2"),
        pod_list("12", "c"),
        watching(),
    ).run()
    assert r.requests[1:3] == [{"continue": "t1", "limit": "500"}, {"continue": "t2", "limit": "500"}]
    assert r.source.log == [("replace", "10", ["a", "b", "c"])]
    assert r.versions()[-1] == ("watch", "10")


def test_s92_expired_on_a_later_page_gives_one_full_list() -> None:
    """A token that expired is followed by one list without limit at the version first asked for, within the attempt."""
    r = rig(
        pod_list("10", "a", continue_="t1"),
        refusal(410, "Expired", metadata={"continue": "inconsistent"}),
        pod_list("15", "a", "b", "c"),
        watching(),
    ).run()
    assert r.requests[2] == {"resourceVersion": "0"}, "the version first asked for, no limit, no continue"
    assert r.source.log == [("replace", "15", ["a", "b", "c"])], "nothing of the first page twice"
    assert r.versions()[-1] == ("watch", "15")
    assert r.clock.waits == []


def test_s92_gone_on_a_later_page_and_expired_on_the_first_give_none() -> None:
    """Only reason Expired, and only on a later page, does that; the other forms drop the version instead (§87)."""
    r = rig(pod_list("10", "a", continue_="t1"), refusal(410, "Gone"), pod_list("15", "b"), watching()).run()
    assert r.requests[2] == {"limit": "500"}
    assert r.source.log == [("replace", "15", ["b"])]
    r = rig(refusal(410, "Expired"), pod_list("15", "b"), watching()).run()
    assert r.requests[1] == {"limit": "500"}


# -- what becomes of it (§93-§96) --------------------------------------------------------------------------------------


def test_s93_the_version_moves_only_when_the_list_was_queued() -> None:
    """A list that cannot be queued leaves the last version as it was, but what was unavailable is asked for again."""
    r = rig()
    seen: list[str] = []

    def next_list(version: str, error: Exception | None) -> FakeResponse:
        seen.append(r.reflector.last_sync_resource_version())
        r.source.commit_error = error
        return pod_list(version)

    r.transport.script = [
        pod_list("10"),
        watch_until_410("12"),
        refusal(410, "Expired"),
        lambda: next_list("20", RuntimeError("no")),
        lambda: next_list("30", None),
        watching(),
    ]
    r.run()
    assert seen == ["12", "12"]
    assert [query.get("resourceVersion") for query in list_queries(r)] == ["0", "12", None, "12"]
    assert r.reflector.last_sync_resource_version() == "999"


def test_s94_a_list_that_cannot_be_queued_is_an_error() -> None:
    """A list that cannot be queued fails the attempt: it is reported, waited out and read again."""
    r = rig()

    def next_list(error: Exception | None) -> FakeResponse:
        r.source.commit_error = error
        return pod_list("10", "a")

    r.transport.script = [lambda: next_list(RuntimeError("no")), lambda: next_list(None), watching()]
    r.run()
    assert [str(error) for error in r.errors] == ["no"]
    assert r.clock.waits == pytest.approx([0.8])
    assert r.versions() == [("list", "0"), ("list", "0"), ("watch", "10")]
    assert r.source.log == [("replace", "10", ["a"])]


def test_s95_one_object_that_stays_keeps_none_of_its_list() -> None:
    """An object owns its bytes: one that stays does not keep the list in memory that it came with."""

    def body(names: range) -> bytes:
        large = {"a": "x" * 1_000_000}
        items = [
            {"metadata": {"name": f"p{name}", "resourceVersion": "1", "annotations": large if name else {}}}
            for name in names
        ]
        return json.dumps({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items}).encode()

    def read_and_keep_the_first(rig: CoreRig, names: range) -> None:
        relist = rig.source.begin_relist()
        page = relist.page(chunked=False)
        page.feed(body(names))
        page.finish()
        relist.commit("1")
        rig.hear()
        for name in names[1:]:
            rig.watch(json.dumps({"type": "DELETED", "object": {"metadata": {"name": f"p{name}"}}}).encode() + b"\n")
        rig.hear()

    # A list of one source replaces that of the same: each list has an informer of its own.
    rigs = [CoreRig() for _ in range(12)]
    read_and_keep_the_first(CoreRig(), range(9))  # what the allocator keeps for the next list is not counted
    gc.collect()
    before = _resident_bytes()
    for rig in rigs:
        read_and_keep_the_first(rig, range(9))
        assert rig.stored() == ["p0@1"]
    assert _resident_bytes() - before < 48_000_000, "twelve lists of 8 MB were read"


def _resident_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def test_s96_the_kind_of_a_list_is_not_looked_at_but_a_table_is_refused() -> None:
    """A list of another kind is taken as it is; a Table, which holds no objects, is an error and changes nothing."""

    def read(rig: CoreRig, body: dict[str, object]) -> None:
        relist = rig.source.begin_relist()
        page = relist.page(chunked=False)
        page.feed(json.dumps(body).encode())
        page.finish()
        relist.commit("2")

    rig_ = CoreRig()
    rig_.list("1", "a@1")
    rig_.hear()
    rows = [{"cells": ["a"], "object": {"kind": "PartialObjectMetadata", "metadata": {"name": "a"}}}]
    table = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": "2"}, "rows": rows}
    for body in (table, table | {"rows": []}, table | {"items": None}):
        with pytest.raises(DecodeError):
            read(rig_, body)
    assert rig_.hear() == []
    assert rig_.stored() == ["a@1"]
    items = [{"metadata": {"name": "a", "resourceVersion": "2"}}]
    read(rig_, {"kind": "NodeList", "apiVersion": "v1", "metadata": {}, "items": items})
    assert rig_.hear() == [("update", "a@1", "a@2")]
