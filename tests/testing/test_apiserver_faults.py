"""The switches: each one does what it says, to the requests it says, as often as it says."""

from __future__ import annotations

import array
import fcntl
import http.client
import json
import socket
import termios
import threading
import time
import zlib
from typing import Any
from urllib.parse import urlsplit

import pytest
from apiserver_http import Http, brief, chunks, eventually, read_head

from kubeinformer.testing import APIServer, Match
from kubeinformer.testing.objects import config_map, large_pod, pod
from kubeinformer.testing.routes import parse

MAPS = "/api/v1/namespaces/default/configmaps"
WATCH_LIST = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}


def drain(sock: socket.socket) -> bytes:
    """Everything up to the end of the connection; a reset ends it too."""
    data = b""
    try:
        while more := sock.recv(65536):
            data += more
    except ConnectionResetError:
        pass
    return data


def read_to_end(sock: socket.socket) -> None:
    while sock.recv(65536):
        pass


def waiting_bytes(sock: socket.socket) -> int:
    """How many bytes the kernel holds for a socket that is not read."""
    buffer = array.array("i", [0])
    fcntl.ioctl(sock, termios.FIONREAD, buffer)
    return buffer[0]


# -- answers -----------------------------------------------------------------------------------------------------------


def test_one_429_is_one_request_on_the_wire(server: APIServer, api: Http) -> None:
    server.faults.too_many_requests(resource="configmaps")
    assert api.get(MAPS).status == 429
    (request,) = server.requests
    assert (request.method, request.path, request.verb, request.resource) == ("GET", MAPS, "list", "configmaps")
    assert request.namespace == "default"
    assert request.headers["accept"] == "application/json"


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"\x00\xff", "application/json", b"\x00\xff"),
        ("<html>", "text/plain; charset=utf-8", b"<html>"),
        ({"a": 1}, "application/json", b'{"a":1}'),
    ],
)
def test_respond_with_any_body(server: APIServer, api: Http, body: Any, content_type: str, expected: bytes) -> None:
    server.faults.respond(503, body=body, headers={"X-Test": "yes"})
    answer = api.get(MAPS)
    assert (answer.status, answer.body) == (503, expected)
    assert answer.headers["Content-Type"] == content_type
    assert answer.headers["X-Test"] == "yes"


def test_respond_without_a_body_is_a_status(server: APIServer, api: Http) -> None:
    for code, reason in ((500, "InternalError"), (503, "ServiceUnavailable"), (410, "Expired")):
        server.faults.respond(code)
        answer = api.get(MAPS)
        assert (answer.status, answer.json["kind"], answer.json["reason"]) == (code, "Status", reason)
    html = {"Content-Type": "text/html"}
    server.faults.respond(502, body=b"<html>bad gateway</html>", headers=html)
    assert api.get(MAPS).headers["Content-Type"] == "text/html"


def test_times_and_hits(server: APIServer, api: Http) -> None:
    rule = server.faults.respond(500, times=2)
    assert [api.get(MAPS).status for _ in range(3)] == [500, 500, 200]
    assert server.faults.hits(rule) == 2
    lasting = server.faults.respond(500, times=None)
    assert [api.get(MAPS).status for _ in range(3)] == [500, 500, 500]
    server.faults.remove(lasting)
    server.faults.remove(lasting)
    assert api.get(MAPS).status == 200
    with pytest.raises(ValueError, match="times"):
        server.faults.respond(500, times=0)


def test_the_first_rule_wins_and_the_next_one_waits_its_turn(server: APIServer, api: Http) -> None:
    server.faults.respond(500)
    server.faults.respond(503)
    assert [api.get(MAPS).status for _ in range(3)] == [500, 503, 200]


def test_rules_match_what_they_say(server: APIServer, api: Http) -> None:
    server.faults.respond(500, verb="watch", times=None)
    server.faults.respond(501, resource="pods", times=None)
    server.faults.respond(503, namespace="other", times=None)
    server.faults.respond(504, path="/apis", times=None)
    server.faults.respond(429, method="DELETE", times=None)
    assert api.get(MAPS).status == 200
    assert api.get(MAPS, watch="1").status == 500
    assert api.get("/api/v1/pods").status == 501
    assert api.get("/api/v1/namespaces/other/configmaps").status == 503
    assert api.get("/apis/apps/v1/deployments").status == 504
    assert api.delete(MAPS + "/a").status == 429
    server.faults.clear()
    assert api.get("/api/v1/pods").status == 200


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", "/api/v1/pods", {}, ("list", "", "pods", None, "", "")),
        ("GET", "/api/v1/pods", {"watch": "true"}, ("watch", "", "pods", None, "", "")),
        ("GET", "/api/v1/pods", {"watch": "false"}, ("list", "", "pods", None, "", "")),
        ("GET", "/api/v1/namespaces", {}, ("list", "", "namespaces", None, "", "")),
        ("GET", "/api/v1/namespaces/x", {}, ("get", "", "namespaces", None, "x", "")),
        ("PUT", "/api/v1/namespaces/x/status", {}, ("update", "", "namespaces", None, "x", "status")),
        ("DELETE", "/api/v1/namespaces/x/pods", {}, ("deletecollection", "", "pods", "x", "", "")),
        ("DELETE", "/api/v1/namespaces/x/pods/p", {}, ("delete", "", "pods", "x", "p", "")),
        ("GET", "/apis/g.io/v1/namespaces/x/status", {}, ("list", "g.io", "status", "x", "", "")),
        ("PATCH", "/apis/g.io/v1/things/t/status", {}, ("patch", "g.io", "things", None, "t", "status")),
        ("POST", "/apis/g.io/v1/things", {}, ("create", "g.io", "things", None, "", "")),
        ("GET", "/api/v1/nodes/n/proxy/a/b", {}, ("get", "", "nodes", None, "n", "proxy/a/b")),
        ("GET", "/apis/g.io/v1", {}, ("", "", "", None, "", "")),
        ("HEAD", "/api/v1/pods", {}, ("", "", "pods", None, "", "")),
    ],
)
def test_targets(method: str, path: str, query: dict[str, str], expected: tuple[Any, ...]) -> None:
    target = parse(method, path, query)
    found = (target.verb, target.group, target.resource, target.namespace, target.name, target.subresource)
    assert found == expected
    assert Match(path=path[:5], method=method).covers(target)
    assert not Match(verb="other").covers(target)


# -- connections -------------------------------------------------------------------------------------------------------


def test_close_is_a_connection_that_ends_without_a_response(server: APIServer, api: Http) -> None:
    server.faults.close()
    with pytest.raises(http.client.RemoteDisconnected):
        api.get(MAPS)
    assert len(server.requests) == 1
    assert api.get(MAPS).status == 200


def test_a_stalled_request_goes_on_when_the_rule_is_removed(server: APIServer, api: Http) -> None:
    rule = server.faults.stall()
    with api.raw(MAPS) as sock:
        eventually(lambda: server.faults.hits(rule) == 1)
        # The rule is used up: others are served meanwhile.
        assert api.get(MAPS).status == 200
        sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        sock.settimeout(10)
        server.faults.remove(rule)
        assert read_head(sock)[0].startswith(b"HTTP/1.1 200 ")


def test_refuse_and_accept_connections(server: APIServer, api: Http) -> None:
    with api.watch(MAPS, resourceVersion=server.resource_version) as stream:
        server.faults.refuse_connections()
        server.faults.refuse_connections()
        with pytest.raises(ConnectionRefusedError):
            api.get(MAPS)
        server.create(config_map("a"))
        assert stream.take(1) == [("ADDED", "a")]
        server.faults.accept_connections()
        server.faults.accept_connections()
        assert api.get(MAPS).names == ["a"]


def test_the_port_stays_the_servers_while_it_refuses(server: APIServer, api: Http) -> None:
    """An outgoing connection of anybody's could be given it otherwise, and the server could not listen again."""
    host, port = urlsplit(server.url).hostname, urlsplit(server.url).port
    server.faults.refuse_connections()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((host, port))
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            api.get(MAPS)
        server.faults.accept_connections()
        assert api.get(MAPS).status == 200
        server.faults.refuse_connections()


def test_drop_connections_resets_all(server: APIServer, api: Http) -> None:
    with api.raw(MAPS, watch="1") as watching, api.raw("/healthz") as idle:
        read_head(watching)
        read_head(idle)
        assert server.faults.drop_connections() == 2
        for sock in (watching, idle):
            with pytest.raises(ConnectionResetError):
                read_to_end(sock)
    eventually(lambda: server.watch_count() == 0)
    assert api.get(MAPS).status == 200


# -- running watches ---------------------------------------------------------------------------------------------------


def test_close_watches_is_a_clean_end(server: APIServer, api: Http) -> None:
    with api.watch(MAPS) as first, api.watch("/api/v1/pods") as second:
        server.wait_for_watches(2)
        assert server.faults.close_watches(resource="configmaps") == 1
        assert first.rest() == []
        server.create(pod("p"))
        assert second.take(1) == [("ADDED", "p")]


def test_reset_watches_now(server: APIServer, api: Http) -> None:
    with api.raw(MAPS, watch="1") as sock:
        read_head(sock)
        assert server.faults.reset_watches() == 1
        with pytest.raises(ConnectionResetError):
            sock.recv(1)


@pytest.mark.parametrize("count", [1, 50, 100])
def test_reset_watches_in_the_middle_of_a_frame(server: APIServer, api: Http, count: int) -> None:
    with api.raw(MAPS, watch="1", resourceVersion=server.resource_version) as sock:
        read_head(sock)
        server.faults.reset_watches(after_bytes=count)
        server.create(config_map("a"))
        size, _, payload = drain(sock).partition(b"\r\n")
    assert int(size, 16) > count
    assert len(payload) == count
    assert b'{"type":"ADDED","object":{"kind":"ConfigMap"'.startswith(payload[:40])


def test_reset_watches_between_two_frames(server: APIServer, api: Http) -> None:
    for number in range(10):
        server.create(config_map(f"m{number}"))
    with api.watch(MAPS, resourceVersion=server.resource_version) as stream:
        server.create(config_map("a"))
        size = len(stream.line())
        server.faults.reset_watches(after_bytes=size)
        # Of the same length to the byte: one letter, and as many digits in its resourceVersion.
        server.create(config_map("b"))
        assert stream.take(1) == [("ADDED", "b")]
        with pytest.raises(ConnectionResetError):
            stream.line()


def test_reset_a_list_after_some_bytes(server: APIServer, api: Http) -> None:
    for number in range(50):
        server.create(large_pod(f"p-{number:02}"))
    server.faults.reset(after_bytes=100_000, verb="list")
    with api.raw("/api/v1/pods") as sock:
        _, rest = read_head(sock)
        body = rest + drain(sock)
    assert 100_000 < len(body) < 101_000
    assert len(api.get("/api/v1/pods").names) == 50


def test_pause_and_resume_watches(server: APIServer, api: Http) -> None:
    start = server.resource_version
    with api.raw(MAPS, watch="1", resourceVersion=start) as running:
        _, rest = read_head(running)
        assert server.faults.pause_watches() == 1
        with api.raw(MAPS, watch="1", resourceVersion=start) as later:
            _, later_rest = read_head(later)
            server.create(config_map("a"))
            for sock in (running, later):
                sock.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    sock.recv(1)
                sock.settimeout(10)
            assert server.faults.resume_watches() == 2
            for sock, data in ((running, rest), (later, later_rest)):
                assert brief(json.loads(next(chunks(sock, data)))) == ("ADDED", "a")


@pytest.mark.parametrize(
    "raw",
    [
        b'{"type":"ADDED","object":{"kind":"ConfigMap"\n',
        b"<html><body>502 Bad Gateway</body></html>\n",
        b'{"type":"ADDED","object":{"kind":"ConfigMap","apiVersion":"v1"}}\n',
        b'{"type":"ADDED","object":{"metadata":{"name":"\xff\xfe"}}}\n',
    ],
)
def test_inject_raw_bytes_between_events(server: APIServer, api: Http, raw: bytes) -> None:
    with api.watch(MAPS) as stream, api.watch("/api/v1/pods") as other:
        server.create(config_map("a"))
        assert stream.take(1) == [("ADDED", "a")]
        assert server.faults.inject(raw, resource="configmaps") == 1
        assert stream.line() == raw
        server.create(config_map("b"))
        assert stream.take(1) == [("ADDED", "b")]
        server.create(pod("p"))
        assert other.take(1) == [("ADDED", "p")]


def test_s52_a_slow_watch_is_ended_after_what_was_buffered(server: APIServer, api: Http) -> None:
    server.faults.drop_slow_watches(10)
    for number in range(4):
        server.create(large_pod(f"p-{number}", size=100_000))
    start = int(server.resource_version)
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(10)
        sock.connect(api.address)
        request = f"GET /api/v1/pods?watch=1&resourceVersion={start} HTTP/1.1\r\nHost: test\r\n\r\n"
        sock.sendall(request.encode())
        server.wait_for_watches(1)
        written = 0
        while written < 200:
            server.update({**large_pod(f"p-{written % 4}", size=100_000, labels={"n": str(written)})})
            written += 1
        # The server is sending, and its client does not read for longer than the tenth of a second that it has.
        eventually(lambda: waiting_bytes(sock) > 2000)
        time.sleep(0.3)
        _, rest = read_head(sock)
        events = [json.loads(chunk) for chunk in chunks(sock, rest) if chunk]
    revisions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert 0 < len(revisions) < 200
    # A clean end, nothing left out before it: the client can resume from the last event it got.
    assert revisions == list(range(start + 1, start + 1 + len(revisions)))
    with api.watch("/api/v1/pods", resourceVersion=revisions[-1]) as stream:
        assert int(stream.next()["object"]["metadata"]["resourceVersion"]) == revisions[-1] + 1


# -- bodies ------------------------------------------------------------------------------------------------------------


def test_no_end_bookmark(server: APIServer, api: Http) -> None:
    server.faults.no_end_bookmark(times=1)
    server.create(config_map("a"))
    with api.watch(MAPS, **WATCH_LIST) as stream:
        assert stream.take(1) == [("ADDED", "a")]
        server.create(config_map("b"))
        assert stream.take(1) == [("ADDED", "b")]
    with api.watch(MAPS, **WATCH_LIST) as stream:
        assert [event for event, _ in stream.take(3)] == ["ADDED", "ADDED", "BOOKMARK"]


def test_refuse_watch_list(server: APIServer, api: Http) -> None:
    rule = server.faults.refuse_watch_list()
    server.create(config_map("a"))
    answer = api.get(MAPS, watch="1", **WATCH_LIST)
    assert (answer.status, answer.json["details"]["causes"][0]["field"]) == (422, "sendInitialEvents")
    # A legacy watch works as it did before there was WatchList: without an end bookmark.
    with api.watch(MAPS, allowWatchBookmarks="true") as stream:
        assert stream.take(1) == [("ADDED", "a")]
        server.create(config_map("b"))
        assert stream.take(1) == [("ADDED", "b")]
    assert api.get(MAPS).names == ["a", "b"]
    assert server.faults.hits(rule) == 2


def test_s77_gzip_watches_are_a_member_an_event(server: APIServer, api: Http) -> None:
    server.faults.gzip()
    start = server.resource_version
    with api.raw(MAPS, "Accept-Encoding: gzip\r\n", watch="1", resourceVersion=start) as sock:
        head, rest = read_head(sock)
        assert b"Content-Encoding: gzip" in head
        parts = chunks(sock, rest)
        for name in ("a", "b"):
            server.create(config_map(name))
            inflate = zlib.decompressobj(wbits=31)
            # The whole event is there at once, as a complete member.
            assert brief(json.loads(inflate.decompress(next(parts)))) == ("ADDED", name)
            assert inflate.eof
    with api.watch(MAPS, resourceVersion=start) as plain:
        assert "Content-Encoding" not in plain.response.headers
    small = api.get(MAPS, headers={"Accept-Encoding": "gzip"})
    assert small.headers["Content-Encoding"] == "gzip"
    assert len(json.loads(zlib.decompress(small.body, wbits=31))["items"]) == 2


def test_close_delimited_bodies(server: APIServer, api: Http) -> None:
    server.faults.close_delimited()
    for number in range(200):
        server.create(large_pod(f"p-{number}"))
    with api.raw("/api/v1/pods") as sock:
        head, rest = read_head(sock)
        body = rest + drain(sock)
    for name in (b"Transfer-Encoding", b"Content-Length"):
        assert name not in head
    assert b"Connection: close" in head
    assert len(json.loads(body)["items"]) == 200
    with api.watch(MAPS, resourceVersion=server.resource_version) as stream:
        server.create(config_map("a"))
        assert stream.take(1) == [("ADDED", "a")]
        server.faults.close_watches()
        assert stream.rest() == []


def test_http_1_0_gets_no_chunks(server: APIServer, api: Http) -> None:
    server.create(config_map("a"))
    with socket.create_connection(api.address, timeout=10) as sock:
        sock.sendall(f"GET {MAPS} HTTP/1.0\r\n\r\n".encode())
        head, rest = read_head(sock)
        assert b"chunked" not in head
        assert len(json.loads(rest + drain(sock))["items"]) == 1


@pytest.mark.parametrize("size", [1, 7])
def test_chunks_of_any_size(server: APIServer, api: Http, size: int) -> None:
    server.faults.chunk_bytes(size)
    with api.raw(MAPS, watch="1", resourceVersion=server.resource_version) as sock:
        _, rest = read_head(sock)
        server.create(config_map("a", data={"k": "é漢😀"}))
        parts = chunks(sock, rest)
        line = b""
        while not line.endswith(b"\n"):
            part = next(parts)
            assert len(part) <= size
            line += part
    assert json.loads(line)["object"]["data"] == {"k": "é漢😀"}
    assert api.get(MAPS).names == ["a"]
    with pytest.raises(ValueError, match="size"):
        server.faults.chunk_bytes(0)


@pytest.mark.parametrize(
    ("index", "expected"),
    [(0, [None, "a", "b"]), (1, ["a", None, "b"]), (-1, ["a", "b", None])],
)
def test_inject_list_items(server: APIServer, api: Http, index: int, expected: list[str | None]) -> None:
    for name in ("a", "b"):
        server.create(config_map(name))
    server.faults.inject_list_item(b"null", index=index)
    with api.watch(MAPS):
        pass
    items = api.get(MAPS).json["items"]
    assert [item and item["metadata"]["name"] for item in items] == expected
    assert api.get(MAPS).names == ["a", "b"]


def test_an_item_injected_into_an_empty_list(server: APIServer, api: Http) -> None:
    server.faults.inject_list_item(b'{"spec":{}}', index=-1)
    assert api.get(MAPS).json["items"] == [{"spec": {}}]


def test_faults_from_many_threads(server: APIServer, api: Http) -> None:
    statuses: list[int] = []

    def work() -> None:
        for _ in range(25):
            server.faults.respond(500)
            statuses.append(api.get(MAPS).status)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Every rule is used exactly once, by whichever request came next.
    assert statuses == [500] * 100
    assert api.get(MAPS).status == 200


def test_no_connection_is_left_unread_when_the_listener_closes(server: APIServer) -> None:
    """One that was accepted at that moment is served or reset; its client must not wait for its own timeout."""
    host, port = server.url.removeprefix("http://").split(":")
    for _ in range(100):
        answers = []
        with socket.create_connection((host, int(port))) as client:
            client.settimeout(5)
            client.sendall(b"GET /version HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
            server.faults.refuse_connections()
            try:
                answers.append(client.recv(100))
            except ConnectionError:
                answers.append(b"")
        server.faults.accept_connections()
        assert answers[0] == b"" or answers[0].startswith(b"HTTP/1.1 200")
