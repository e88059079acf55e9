"""What is read from a server's refusal, whatever form it has; §88 is in conformance 2.G."""

from __future__ import annotations

import json

import pytest

from kubeinformer.cache.api_status import event_error, is_expired, status_error


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


@pytest.mark.parametrize("value", ["soon", "-5", "1.5", ""])
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
