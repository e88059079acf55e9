"""The wire benchmark measures what it says: whole and correct answers from the server, a full cache in every peer.

Invariant: nothing here is timed.
"""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from benches.http_stream import ChunkedBody
from benches.peer_run import measure_sync
from benches.pure_python import IndexedStore
from benches.wire_server import Gate, WireServer
from benches.wire_streams import Scenario
from hypothesis import given
from hypothesis import strategies as st

from benches import ours, peers, pods, runner, summary

PODS = 40
EVENTS = 100


@pytest.fixture
def url() -> Iterator[str]:
    server = WireServer(Scenario(PODS, EVENTS))
    server.start()
    yield server.url
    server.close()


def chunks_of(url: str, target: str, count: int | None = None) -> list[bytes]:
    """The payloads of the chunks as they are on the wire, read the slow and simple way."""
    host, port = url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    connection.request("GET", target)
    file = connection.getresponse().fp
    found: list[bytes] = []
    while count is None or len(found) < count:
        size = int(file.readline(), 16)
        payload = file.read(size)
        assert file.read(2) == b"\r\n"
        if not size:
            break
        found.append(payload)
    connection.close()
    return found


def release(url: str) -> None:
    assert urllib3.request("POST", f"{url}/bench/release", retries=False, timeout=90).status == 200


def test_a_list_is_one_chunk_an_item_and_one_for_head_and_end(url: str) -> None:
    chunks = chunks_of(url, "/api/v1/pods")
    assert len(chunks) == 1 + PODS + 1
    listed = json.loads(b"".join(chunks))
    assert listed["kind"] == "PodList"
    assert "continue" not in listed["metadata"]
    assert listed["items"] == [pods.pod(i) for i in range(PODS)]


def test_http_client_reads_a_list_and_the_connection_goes_on(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    for _ in range(2):
        connection.request("GET", "/api/v1/pods?limit=10&resourceVersion=0")
        assert len(json.load(connection.getresponse())["items"]) == PODS
    connection.request("GET", "/version")
    assert connection.getresponse().status == 404
    connection.close()


@pytest.mark.parametrize("watch", ["1", "true", "True"])
def test_a_watch_holds_its_events_until_released(url: str, watch: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    connection.request("GET", f"/api/v1/pods?watch={watch}&resourceVersion=1")
    response = connection.getresponse()
    assert connection.sock is not None
    connection.sock.settimeout(0.2)
    with pytest.raises(TimeoutError):
        connection.sock.recv(1, socket.MSG_PEEK)
    connection.sock.settimeout(30)
    release(url)
    events = [json.loads(response.readline()) for _ in range(EVENTS)]
    assert [event["type"] for event in events] == ["MODIFIED"] * EVENTS
    expected = [{"kind": "Pod", "apiVersion": "v1", **pods.pod(n % PODS, n // PODS + 1)} for n in range(EVENTS)]
    assert [event["object"] for event in events] == expected
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions))
    connection.close()


def test_a_watch_list_ends_with_its_bookmark(url: str) -> None:
    target = "/api/v1/pods?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    events = [json.loads(chunk) for chunk in chunks_of(url, target, PODS + 1)]
    assert [event["type"] for event in events] == ["ADDED"] * PODS + ["BOOKMARK"]
    assert [event["object"]["metadata"] for event in events[:-1]] == [pods.pod(i)["metadata"] for i in range(PODS)]
    assert events[-1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_every_event_is_one_chunk_and_one_line(url: str) -> None:
    thread = threading.Thread(target=release, args=(url,), daemon=True)
    thread.start()
    chunks = chunks_of(url, "/api/v1/pods?watch=true", EVENTS)
    thread.join()
    assert all(chunk.endswith(b"\n") and chunk.count(b"\n") == 1 for chunk in chunks)


def test_a_relist_is_asked_for_by_a_410_and_over_when_the_client_watches_again(url: str) -> None:
    answers: list[Any] = []

    def relist() -> None:
        answers.append(urllib3.request("POST", f"{url}/bench/relist", retries=False, timeout=90).json())

    thread = threading.Thread(target=relist, daemon=True)
    thread.start()
    (told,) = chunks_of(url, "/api/v1/pods?watch=true")  # it ends by itself
    event = json.loads(told)
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
    listed = json.loads(b"".join(chunks_of(url, "/api/v1/pods")))
    assert answers == []
    host, port = url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    connection.request("GET", "/api/v1/pods?watch=true")
    thread.join(60)
    connection.close()
    (answer,) = answers
    assert answer["version"] == listed["metadata"]["resourceVersion"]
    assert answer["began"] <= answer["watching"]


@pytest.mark.parametrize("abort", [False, True])
def test_a_gate_forgets_a_client_that_left(abort: bool) -> None:
    gate = Gate()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    ended: list[object] = []

    def hold() -> None:
        try:
            ended.append(gate.hold(ours))
        except ConnectionError as error:
            ended.append(type(error))

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    if abort:  # closing with a linger time of zero resets the connection
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    theirs.close()
    thread.join(10)
    ours.close()
    assert ended == [ConnectionResetError if abort else None]
    assert gate.pass_verdict("release", 0.01) is None


def test_pods_keep_their_promises() -> None:
    for i in (0, 7, 9_999):
        for version in (0, 1, 20):
            assert len(pods.render(pods.pod(i, version))) == pods.POD_BYTES
        size = len(pods.render(pods.pod(i)["metadata"]["managedFields"]))
        assert 2_300 < size < 2_700
    moved = sum(pods.node_of(i, 1) != pods.node_of(i, 2) for i in range(1_000))
    assert moved == 1_000 * 2 // pods.MOVED_EVERY


class Pieces:
    """A file that gives its bytes in pieces of the sizes that it is told, and then one by one."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._data = data
        self._sizes = sizes

    def readinto1(self, into: memoryview) -> int:
        size = min(self._sizes.pop(0) if self._sizes else 1, len(self._data), len(into))
        into[:size] = self._data[:size]
        self._data = self._data[size:]
        return size


class Response:
    """As much of a urllib3 response as ChunkedBody looks at."""

    chunked = True

    def __init__(self, fp: Pieces) -> None:
        self.headers: dict[str, str] = {}
        self.fp = fp
        self._fp = self


def chunked(payloads: list[bytes], end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(payload), payload) for payload in payloads) + end


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=12), st.lists(st.integers(1, 60), max_size=12))
def test_chunks_come_out_whole_however_the_bytes_arrive(payloads: list[bytes], sizes: list[int]) -> None:
    def body() -> Any:
        return ChunkedBody(Response(Pieces(chunked(payloads), list(sizes))))  # type: ignore[arg-type]

    spans = body()
    assert [bytes(spans.view[a:b]) for batch in spans.batches() for a, b in batch] == payloads
    assert body().read_all() == b"".join(payloads)


def test_a_stream_that_breaks_off_is_an_error() -> None:
    broken = ChunkedBody(Response(Pieces(chunked([b"whole"], b"5\r\nha"), [])))  # type: ignore[arg-type]
    with pytest.raises(ConnectionError):
        broken.read_all()


@pytest.mark.parametrize("case", ["sync", "watch"])
@pytest.mark.parametrize("name", [*peers.NAMES, *ours.available()])
def test_a_peer_is_measured_in_a_process_of_its_own(url: str, name: str, case: str) -> None:
    """The process itself checks that the cache is full, the index right and every event handed over."""
    result = runner.peer(name, case, url, PODS, EVENTS)
    assert (result["peer"], result["case"]) == (name, case)
    assert result["objects"] == (PODS if case == "sync" else EVENTS)
    assert result["per_second"] > 0


def test_a_peer_that_misses_an_object_is_an_error(url: str) -> None:
    with pytest.raises(AssertionError, match=f"{PODS} of {PODS + 1}"):
        measure_sync(peers.load("msgspec"), url, PODS + 1)


@pytest.mark.parametrize("name", [name for name in peers.NAMES if not name.startswith(("reader", "official"))])
def test_an_indexing_peer_hands_over_old_and_new_and_follows_the_index(url: str, name: str) -> None:
    calls: list[tuple[str, Any, Any]] = []
    thread = threading.Thread(target=release, args=(url,), daemon=True)
    store = peers.load(name).watch_events(url, PODS, EVENTS, lambda *call: calls.append(call), thread.start)
    thread.join()
    assert [kind for kind, _, _ in calls] == ["ADDED"] * PODS + ["MODIFIED"] * EVENTS
    newest: dict[int, Any] = {}
    for n, (_, old, new) in enumerate(calls):
        assert old is newest.get(n % PODS)
        newest[n % PODS] = new
    latest = {i: (EVENTS - 1 - i) // PODS + 1 for i in range(PODS)}
    assert isinstance(store, IndexedStore)
    for node in {pods.node_of(i, version) for i, version in latest.items()}:
        expected = sorted(
            f"{pods.namespace_of(i)}/{pods.pod(i)['metadata']['name']}"
            for i, version in latest.items()
            if pods.node_of(i, version) == node
        )
        assert store.index_keys("node", node) == expected


def test_ratios_take_the_best_rival_and_name_a_rival_that_is_too_slow() -> None:
    def store(row: str, mode: str, side: str, ours: bool, best_us: float) -> dict[str, Any]:
        return {"row": row, "mode": mode, "side": side, "ours": ours, "best_us": best_us, "median_us": best_us}

    def wire(peer: str, case: str, ours: bool, rate: float) -> dict[str, Any]:
        return {"peer": peer, "case": case, "ours": ours, "best_per_second": rate, "cpu_us": 1e6 / rate}

    found = summary.ratios(
        [
            store("bytes", "single", "rival", False, 40.0),
            store("bytes", "batched", "rival", False, 300.0),
            store("bytes", "batched", "kubeinformer", True, 10.0),
            store("prepared", "batched", "rival", False, 1.0),
        ],
        [
            wire("reader", "sync", False, 400_000),
            wire("msgspec", "sync", False, 29_000),
            wire("msgspec", "watch", False, 50_000),
            wire("orjson", "watch", False, 20_000),
            wire("kubeinformer", "watch", True, 100_000),
        ],
    )
    assert [(r["rival"], r["ratio"], r["counts"]) for r in found] == [
        ("rival, single", 4.0, True),
        ("msgspec", 2.0, False),
        ("orjson", 5.0, True),
    ]
