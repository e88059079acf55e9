"""Events and errors of every shape (F6, F27): none ends an informer, or leaves its cache unequal to a fresh LIST."""

from __future__ import annotations

import pytest
from fault_support import Follower, Make, event, status
from informer_support import eventually

from kubeinformer.testing import APIServer
from kubeinformer.transport import HTTPTransport, OwnTransport

AnyTransport: type[OwnTransport] = HTTPTransport  # `both_transports` sets it for each test

pytestmark = pytest.mark.usefixtures("both_transports", "quick_backoff")

POD = b'{"kind":"Pod","metadata":{"name":"a","resourceVersion":"999999"}}'
ERRORS = {
    "null": b"null",
    "a number": b"7",
    "a string": b'"gone"',
    "a list": b"[]",
    "a Pod": POD,
    "deep": b"[" * 3000 + b"]" * 3000,
    "no code": b'{"kind":"Status"}',
    "a code that is no number": b'{"kind":"Status","code":"410","reason":7,"message":{},"details":[]}',
    "a huge code": b'{"kind":"Status","code":1e400}',
    "details of every kind": b'{"kind":"Status","code":500,"details":{"causes":{"a":1},"retryAfterSeconds":-1}}',
    "no UTF-8": b'{"kind":"Status","message":"\xff"}',
}
LINES = {name: b'{"type":"ERROR","object":' + error + b"}\n" for name, error in ERRORS.items()} | {
    "no object": b'{"type":"ERROR"}\n',
    "the object first": b'{"object":{"kind":"Status","code":500},"type":"ERROR"}\n',
    "no type": b'{"object":' + POD + b"}\n",
    "a type that is no string": b'{"type":7,"object":' + POD + b"}\n",
    "a list for an event": b"[]\n",
    "an empty event": b"{}\n",
    "a Status as an object": b'{"type":"ADDED","object":{"kind":"Status","code":410}}\n',
    "HTML": b"<html>502 Bad Gateway</html>\n",
}


@pytest.mark.parametrize("shape", LINES)
def test_f27_what_is_no_event_is_followed_by_a_list(server: APIServer, make_factory: Make, shape: str) -> None:
    follower = Follower(server, make_factory(transport=AnyTransport(server.api_client())))
    follower.inject(LINES[shape])
    follower.world.change(5)
    eventually(lambda: sum(follower.counters().relists.values()) == 1, "the list")
    follower.check_goes_on()
    assert sum(follower.counters().relists.values()) == 1


@pytest.mark.parametrize("obj", [b"null", b"7", b"{}", b'{"kind":"Pod","metadata":{}}', b'"x"'])
def test_f27_an_unknown_type_is_passed_over_whatever_its_object(
    server: APIServer, make_factory: Make, obj: bytes
) -> None:
    follower = Follower(server, make_factory(transport=AnyTransport(server.api_client())))
    follower.inject(event("TELEPORTED", obj))
    follower.world.change(5)
    follower.check_goes_on()
    assert follower.counters().relists == {}


@pytest.mark.parametrize("line_end", [b"\n", b""], ids=["a line end", "no line end"])
@pytest.mark.parametrize("frame", ["chunked", "Content-Length", "close-delimited"])
def test_f6_410_as_a_whole_body(server: APIServer, make_factory: Make, frame: str, line_end: bytes) -> None:
    """With status 200, in answer to a watch."""
    follower = Follower(server, make_factory(transport=AnyTransport(server.api_client())))
    follower.touch()
    error = event("ERROR", status(410, "Expired")).rstrip() + line_end
    headers = {"Transfer-Encoding": "chunked"} if frame == "chunked" else {}
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(error), error) if frame == "chunked" else error
    if frame == "close-delimited":
        headers = {"Connection": "close"}
    rule = server.faults.respond(200, body=body, headers=headers, verb="watch")
    server.faults.close_watches()
    eventually(lambda: server.faults.hits(rule), "the answer")
    eventually(lambda: follower.counters().relists == {"expired": 1}, "the list")
    follower.check_goes_on()
