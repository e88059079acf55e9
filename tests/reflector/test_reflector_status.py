"""What is read from a server's refusal, whatever form it has; §88 is in conformance 2.G."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeinformer.cache.api_status import event_error, is_expired, is_too_large_resource_version, status_error
from kubeinformer.cache.backoff import Backoff
from kubeinformer.cache.version_went_back import went_back

WORDS = ["kind", "Status", "code", "reason", "message", "details", "retryAfterSeconds", "causes"]


def status(**fields):
    return json.dumps({"kind": "Status", "apiVersion": "v1", **fields}).encode()


def test_a_status_object_gives_reason_message_and_wait():
    body = status(
        code=429, reason="TooManyRequests", message="storage is (re)initializing", details={"retryAfterSeconds": 3}
    )
    error = status_error("LIST /api/v1/pods", 429, {}, body, 0.0)
    assert (error.code, error.reason, error.retry_after) == (429, "TooManyRequests", 3.0)
    assert str(error) == "LIST /api/v1/pods: 429 TooManyRequests: storage is (re)initializing"


def test_the_http_status_counts_not_the_code_of_the_body():
    assert status_error("x", 503, {}, status(code=410, reason="Expired"), 0.0).code == 503


@pytest.mark.parametrize(
    "body", [b"", b"404 page not found\n", b"<html>\n<body>502\xff</body>", b"[1]", b'{"kind":"Pod"}', b"{"]
)
def test_bodies_that_are_no_status(body):
    error = status_error("x", 502, {}, body, 0.0)
    assert (error.code, error.reason, error.retry_after) == (502, "", None)
    assert "\n" not in str(error)


def test_a_long_page_is_cut():
    assert len(str(status_error("x", 502, {}, b"<p>" * 10_000, 0.0))) < 600


def test_retry_after_in_seconds_wins_over_the_body():
    body = status(details={"retryAfterSeconds": 30})
    assert status_error("x", 429, {"Retry-After": "2"}, body, 0.0).retry_after == 2.0


def test_retry_after_as_a_date():
    headers = {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}
    assert status_error("x", 503, headers, b"", 1445412480.0 - 7).retry_after == 7.0
    assert status_error("x", 503, headers, b"", 1445412480.0 + 7).retry_after == 0.0


@pytest.mark.parametrize("value", ["soon", "-5", "1.5", "", "1 Jan 99999999999999999999 00:00:00 GMT", "1 Jan"])
def test_retry_after_that_says_nothing(value):
    assert status_error("x", 503, {"Retry-After": value}, b"", 0.0).retry_after is None


@pytest.mark.parametrize(
    "body", [b"7", b"null", b'{"kind":"Pod","code":410}', b'{"kind":"Status","code":"410"}', b'{"kind":"Status"}']
)
def test_f27_an_error_event_without_a_code(body):
    error = event_error("x", body)
    assert (error.code, error.reason) == (0, "")
    assert not is_expired(error)


@pytest.mark.parametrize(("code", "reason"), [(410, "Expired"), (410, "Gone"), (410, ""), (0, "Expired"), (0, "Gone")])
def test_410_in_every_form_is_expired(code, reason):
    assert is_expired(event_error("x", status(code=code, reason=reason)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=12,
)
STATUS = st.dictionaries(st.sampled_from(WORDS), JSON).map(lambda fields: {**fields, "kind": "Status"})
BODIES = st.binary(max_size=200) | (JSON | STATUS).map(json.dumps).map(str.encode)


@given(BODIES, st.integers(100, 599), st.none() | st.text(max_size=30) | st.sampled_from(["9" * 5000, "\u0663"]))
def test_f27_whatever_a_server_says_is_an_error_with_numbers_that_can_be_used(body, code, retry_after):
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    for error in (status_error("x", code, headers, body, 0.0), event_error("x", body)):
        assert type(error.code) is int
        assert type(error.reason) is str
        assert error.retry_after is None or error.retry_after >= 0
        assert Backoff().next(error.retry_after or 0.0) <= 60
        assert str(error).startswith("x")
        assert len(str(error)) < 1000 + len(error.reason)
        is_expired(error)
        is_too_large_resource_version(error)


@given(*[st.text("0123456789", max_size=30) | st.sampled_from(["9" * 5000, "x"])] * 2)
def test_versions_are_compared_as_numbers(before, now):
    expected = before.isdecimal() and now.isdecimal() and len(before + now) < 100 and int(now) < int(before)
    assert went_back(before, now) is (expected or (len(before) == 5000 and now.isdecimal() and len(now) < 5000))
