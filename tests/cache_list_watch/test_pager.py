"""`ListPager`: which pages it asks for, what it makes of them, and what happens when a version expires between two."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from list_watch_support import PODS, eventually, pod, pod_list

from kubeinformer import APIStatusError, Error, ListOptions
from kubeinformer.cache import ListPager, ListWatch
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod as server_pod


class Pages:
    """A page function over a script; keeps what it was asked for."""

    def __init__(self, *answers: Any) -> None:
        self._answers = iter(answers)
        self.asked: list[ListOptions] = []

    def __call__(self, options: ListOptions) -> Any:
        self.asked.append(options)
        answer = next(self._answers)
        if isinstance(answer, BaseException):
            raise answer
        return answer() if callable(answer) else answer


def names(listed: dict[str, Any]) -> list[str]:
    return [item["metadata"]["name"] for item in listed["items"]]


def expired(reason: str = "Expired") -> APIStatusError:
    return APIStatusError("the token is too old", code=410, reason=reason)


def expired_exception() -> ApiException:
    error = ApiException(status=410)
    error.body = '{"kind": "Status", "code": 410, "reason": "Expired"}'
    return error


def three() -> list[Any]:
    return [
        pod_list("7", pod("a"), continue_="one"),
        pod_list("8", pod("b"), continue_="two"),
        pod_list("9", pod("c")),
    ]


def test_s91_pages_become_one_list_of_the_first_ones_version() -> None:
    pages = Pages(*three())
    options = ListOptions(label_selector="app", resource_version="5", resource_version_match="NotOlderThan")
    before = replace(options)
    listed, paginated = ListPager(pages).list(options)
    assert (names(listed), paginated) == (["a", "b", "c"], True)
    assert (listed["kind"], listed["apiVersion"], listed["metadata"]) == ("PodList", "v1", {"resourceVersion": "7"})
    assert pages.asked == [
        replace(before, limit=500),
        replace(before, limit=500, continue_="one", resource_version="", resource_version_match=""),
        replace(before, limit=500, continue_="two", resource_version="", resource_version_match=""),
    ]
    assert options == before, "the caller's options are not touched"


def test_a_list_of_one_page_comes_as_it_is() -> None:
    page = pod_list("7", pod("a"))
    listed, paginated = ListPager(Pages(page), page_size=10).list()
    assert listed is page
    assert not paginated


@pytest.mark.parametrize("token", ["", None])
def test_an_empty_token_ends_a_list(token: str | None) -> None:
    page = pod_list("7", pod("a"))
    page["metadata"]["continue"] = token
    assert names(ListPager(Pages(page)).list()[0]) == ["a"]


def test_the_limit_of_the_options_comes_before_the_page_size() -> None:
    pages = Pages(*three())
    ListPager(pages, page_size=10).list(ListOptions(limit=3))
    assert [options.limit for options in pages.asked] == [3, 3, 3]


@pytest.mark.parametrize("error", [expired(), expired_exception()], ids=["APIStatusError", "ApiException"])
def test_s92_a_token_that_expires_leads_to_a_full_list(error: Exception) -> None:
    pages = Pages(three()[0], error, pod_list("12", pod("a"), pod("d")))
    options = ListOptions(resource_version="5", resource_version_match="NotOlderThan")
    listed, paginated = ListPager(pages).list(options)
    assert (names(listed), listed["metadata"]["resourceVersion"], paginated) == (["a", "d"], "12", True)
    assert pages.asked[2] == options, "without limit and token, at the version that was asked for first"


@pytest.mark.parametrize(
    ("answers", "pager"),
    [
        ([expired()], {}),
        ([three()[0], expired("Gone")], {}),
        ([three()[0], APIStatusError("no", code=500)], {}),
        ([three()[0], expired()], {"full_list_if_expired": False}),
        ([three()[0], expired(), expired()], {}),
    ],
    ids=["first page", "Gone", "another error", "not wanted", "the full list too"],
)
def test_s92_other_failures_are_raised(answers: list[Any], pager: dict[str, Any]) -> None:
    pages = Pages(*answers)
    with pytest.raises(APIStatusError):
        ListPager(pages, **pager).list()
    assert len(pages.asked) == len(answers)


def test_a_token_that_leads_to_itself_is_an_error() -> None:
    with pytest.raises(Error, match="the same token"):
        ListPager(Pages(three()[0], three()[0])).list()


def test_pages_may_be_models_or_bytes() -> None:
    model = client.V1Pod(metadata=client.V1ObjectMeta(name="a"))
    first = client.V1PodList(items=[model], metadata=client.V1ListMeta(resource_version="7", _continue="one"))
    listed, paginated = ListPager(Pages(first, orjson.dumps(pod_list("9", pod("b"))))).list()
    assert (names(listed), listed["kind"], paginated) == (["a", "b"], "PodList", True)


def test_a_server_is_read_in_pages(server: APIServer) -> None:
    for number in range(7):
        server.create(server_pod(f"web-{number}"))
    list_watch = ListWatch.from_client(server.api_client(), PODS)
    expected = [f"web-{number}" for number in range(7)]
    listed, paginated = ListPager(list_watch.list, page_size=3).list()
    assert (names(listed), paginated) == (expected, True)
    seen: list[str] = []
    ListPager(list_watch.list, page_size=2).each_list_item(None, lambda item: seen.append(item["metadata"]["name"]))
    assert seen == expected


def test_each_item_comes_in_order_on_the_callers_thread() -> None:
    pages = Pages(*three())
    seen: list[tuple[str, threading.Thread]] = []
    ListPager(pages).each_list_item(
        ListOptions(resource_version="5"),
        lambda item: seen.append((item["metadata"]["name"], threading.current_thread())),
    )
    assert seen == [(name, threading.current_thread()) for name in "abc"]
    assert [(options.continue_, options.resource_version) for options in pages.asked] == [
        ("", "5"),
        ("one", ""),
        ("two", ""),
    ]


def test_each_item_gives_what_came_before_an_error_and_has_no_fallback() -> None:
    pages = Pages(three()[0], expired())
    seen: list[str] = []
    with pytest.raises(APIStatusError, match="too old"):
        ListPager(pages).each_list_item(None, lambda item: seen.append(item["metadata"]["name"]))
    assert seen == ["a"]
    assert len(pages.asked) == 2


def endless() -> Callable[[ListOptions], Any]:
    def page(options: ListOptions) -> Any:
        number = int(options.continue_ or 0)
        asked.append(number)
        return pod_list("7", pod(f"p{number}"), continue_=str(number + 1))

    asked: list[int] = []
    page.asked = asked  # type: ignore[attr-defined]
    return page


@pytest.mark.parametrize("buffer", [0, 1, 3])
def test_no_more_than_the_buffer_is_fetched_ahead(buffer: int) -> None:
    page = endless()
    fetched: list[int] = page.asked  # type: ignore[attr-defined]

    def function(item: dict[str, Any]) -> None:
        number = int(item["metadata"]["name"][1:])
        eventually(lambda: len(fetched) >= number + 1 + buffer, "the pages ahead")
        assert len(fetched) <= number + 1 + buffer
        if number == 4:
            raise StopIteration

    with pytest.raises(StopIteration):
        ListPager(page, page_buffer_size=buffer).each_list_item(None, function)
    eventually(lambda: "kubeinformer-pager" not in [thread.name for thread in threading.enumerate()], "it ended")
    assert len(fetched) <= 4 + 1 + buffer, "nothing is asked for after the function raised"


@pytest.mark.parametrize("options", [{"page_size": 0}, {"page_buffer_size": -1}])
def test_numbers_that_make_no_sense_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        ListPager(lambda _: {}, **options)
