"""Statements 51 to 53: a watch whose client does not read is ended as if its time were up."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kubeinformer.testing.objects import config_map
from testing.apiserver_http import TIMEOUT

from .servers import Api, EmbeddedServer, Server

WRITES = 150
SIZE = 100_000


@contextmanager
def _slow_watch(api: Api, path: str) -> Iterator[http.client.HTTPResponse]:
    """Start a watch over a connection that takes in little at a time."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    plain.settimeout(TIMEOUT)
    with plain:
        plain.connect(api.address)
        with api.secured(plain) as sock:
            sock.sendall(api.head(path))
            response = http.client.HTTPResponse(sock)
            response.begin()
            yield response


def test_st51_st52_a_slow_consumer_gets_a_clean_end_and_resumes(server: Server, api: Api, namespace: str) -> None:
    if isinstance(server, EmbeddedServer):
        server.server.faults.drop_slow_watches(namespace=namespace, times=1)
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    start = api.post(maps, config_map("a", namespace)).json["metadata"]["resourceVersion"]
    with _slow_watch(api, f"{maps}?watch=1&resourceVersion={start}") as response:
        revisions = []
        for number in range(WRITES):
            changed = api.patch(f"{maps}/a", {"data": {"number": str(number), "padding": "x" * SIZE}})
            revisions.append(changed.json["metadata"]["resourceVersion"])
        # Whole lines, and the end of the chunked body: nothing says that this is not all.
        received = [json.loads(line) for line in iter(response.readline, b"")]
        assert response.isclosed()
    assert {event["type"] for event in received} == {"MODIFIED"}
    assert 0 < len(received) < WRITES
    seen = [event["object"]["metadata"]["resourceVersion"] for event in received]
    assert seen == revisions[: len(seen)]
    with api.watch(maps, resourceVersion=seen[-1]) as stream:
        for revision in revisions[len(seen) :]:
            assert stream.next()["object"]["metadata"]["resourceVersion"] == revision


@pytest.mark.skip(reason="no request makes a server fail to encode an object that it stored")
def test_st53_an_encoding_error_ends_the_body() -> None:
    """Read in the sources: the body ends as that of a slow consumer does."""
