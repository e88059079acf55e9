"""Statements 51, 61 to 63, 68 and 69: a server with too much to do, one that ends, and one that is frozen.

One cluster is hurt by all of these tests, in their order; each but the last leaves it as it was.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from apiserver.cluster import Cluster
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import config_map
from testing.apiserver_http import Answer, read_head

from .flagged import AS_ALICE, SMALL
from .servers import EMBEDDED, REAL, Api, EmbeddedServer, RealServer, Server

MAPS = "/api/v1/namespaces/default/configmaps"
FROZEN = "a process of its own is what can be frozen"


@pytest.fixture(scope="module", params=[EMBEDDED, pytest.param(REAL, marks=pytest.mark.apiserver)])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server that serves one request at a time."""
    if request.param == EMBEDDED:
        with APIServer() as embedded:
            yield EmbeddedServer(embedded)
        return
    with Cluster(request.getfixturevalue("binaries"), extra_flags=SMALL) as cluster:
        yield RealServer(cluster)


@contextmanager
def _frozen_etcd(server: Server) -> Iterator[None]:
    assert isinstance(server, RealServer)
    server.cluster.etcd.pause()
    try:
        yield
    finally:
        server.cluster.etcd.resume()


def _silent(sock: socket.socket, seconds: float = 0.5) -> bool:
    sock.settimeout(seconds)
    try:
        return sock.recv(1) is None
    except TimeoutError:
        return True
    finally:
        sock.settimeout(30)


@contextmanager
def _too_many(server: Server) -> Iterator[None]:
    """Let a request of alice's be one too many."""
    if isinstance(server, EmbeddedServer):
        server.server.faults.too_many_requests()
        yield
        return
    # The one request that may be served hangs: what it asks for takes a look into etcd.
    headers = "".join(f"{name}: {value}\r\n" for name, value in AS_ALICE.items())
    with _frozen_etcd(server), server.api.raw(MAPS, headers) as sock:
        assert _silent(sock)
        yield


def test_st61_one_request_too_many(server: Server, api: Api) -> None:
    with _too_many(server):
        answer = api.get(MAPS, AS_ALICE, resourceVersion="0")
    assert (answer.status, answer.body) == (429, b"Too many requests, please try again later.\n")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Retry-After"] == "1"


@pytest.mark.real_only("no request to the embedded server takes long; faults.respond(504) says what one likes")
def test_st63_a_request_that_takes_too_long(server: Server, api: Api) -> None:
    before = time.monotonic()
    with _frozen_etcd(server):
        answer = api.post(MAPS, config_map("late"))
    assert answer.status == 504
    assert time.monotonic() - before > 2
    status = json.loads(answer.body)
    assert (status["reason"], status["message"]) == (
        "Timeout",
        "Timeout: request did not complete within the allotted timeout",
    )


@pytest.mark.real_only(FROZEN)
def test_st68_a_frozen_server_keeps_the_connection(server: Server, api: Api) -> None:
    """Even the time of the watch does not end it: the client needs a deadline of its own."""
    assert isinstance(server, RealServer)
    with api.raw(MAPS, watch="1", timeoutSeconds="1") as sock:
        read_head(sock)
        server.cluster.apiserver.pause()
        try:
            sock.settimeout(0.2)
            deadline = time.monotonic() + 2
            while time.monotonic() < deadline:
                try:
                    assert sock.recv(65536), "the connection ended"
                except TimeoutError:
                    pass
        finally:
            server.cluster.apiserver.resume()
        sock.settimeout(10)
        body = b""
        while not body.endswith(b"0\r\n\r\n"):
            body = body[-8:] + sock.recv(65536)


@pytest.mark.real_only(FROZEN)
def test_st69_a_frozen_etcd(server: Server, api: Api) -> None:
    assert isinstance(server, RealServer)
    start = api.post(MAPS, config_map("before")).json["metadata"]["resourceVersion"]
    initial = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    with api.raw(MAPS, watch="1", resourceVersion=start) as running:
        _, rest = read_head(running)
        assert rest == b""
        with _frozen_etcd(server):
            before = time.monotonic()
            assert "before" in api.get(MAPS, resourceVersion="0").names
            assert time.monotonic() - before < 1
            with (
                api.raw(MAPS) as consistent,
                api.raw(MAPS, watch="1", **initial) as watch_list,
                api.raw(MAPS, watch="1", resourceVersion=start) as known,
            ):
                head, rest = read_head(known)
                assert head.startswith(b"HTTP/1.1 200")
                assert rest == b""
                assert all(map(_silent, (consistent, watch_list, known, running)))
                server.cluster.etcd.resume()
                for sock in (consistent, watch_list):
                    assert read_head(sock)[0].startswith(b"HTTP/1.1 200")
                assert api.post(MAPS, config_map("after")).status == 201
                for sock in (known, running):
                    assert b'"after"' in sock.recv(65536)


def test_st51_st62_a_server_that_ends(server: Server, api: Api) -> None:
    """Its watches end cleanly; who asks is told to come again, or is refused the connection."""
    with api.watch(MAPS, resourceVersion=api.get(MAPS).revision) as stream:
        ending = threading.Thread(target=_end, args=(server,))
        answers: list[Answer] = []
        if isinstance(server, EmbeddedServer):
            server.server.faults.shutting_down()
            answers = [api.get(MAPS)]
        ending.start()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                answers.append(api.get(MAPS))
            except ConnectionRefusedError:
                break
            except OSError:
                continue
        else:
            pytest.fail("the server did not end")
        assert stream.rest() == []
        assert stream.response.isclosed()
        ending.join()
    for answer in answers:
        if answer.status != 200:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "5")
            assert answer.body == b"The apiserver is shutting down, please try again later.\n"
            assert answer.headers["Connection"] == "close"
    assert isinstance(server, RealServer) or answers[0].status == 429


def _end(server: Server) -> None:
    if isinstance(server, RealServer):
        os.kill(server.cluster.apiserver.pid, signal.SIGTERM)
    elif isinstance(server, EmbeddedServer):
        server.server.close()
