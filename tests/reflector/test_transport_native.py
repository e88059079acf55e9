"""What only the native transport has: keys of every form, how it reuses connections, bodies that go to readers.

What both transports have in common is in `test_transport_request.py` and `test_transport_body.py`.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import socket
import threading
from pathlib import Path

import pytest
from certificates import Authority
from cryptography.hazmat.primitives import serialization
from informer_support import eventually
from kubernetes.client import ApiClient, Configuration
from reflector_fakes import bookmark, event
from socket_server import CHUNKED, Connection, SocketServer, chunk, head
from test_transport_request import answer_all, configuration, ends_at_once, get

from kubeinformer._core import InformerCore
from kubeinformer.errors import ClosedError, DecodeError, TransportError
from kubeinformer.transport import NativeTransport, ReadTimeoutError, StopSignal, TLSError


def transport(server: SocketServer, **settings) -> NativeTransport:
    return NativeTransport(ApiClient(configuration(server, **settings)))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path, "ca")


# --- TLS -------------------------------------------------------------------------------------------------------------


FORMS = {
    "PKCS#8": serialization.PrivateFormat.PKCS8,
    "SEC1": serialization.PrivateFormat.TraditionalOpenSSL,
}


@pytest.mark.parametrize("together", [False, True], ids=["two files", "one file"])
@pytest.mark.parametrize("form", FORMS)
def test_client_keys_of_every_form(authority, form, together, tmp_path):
    certificate, key = authority.issue("alice")
    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    pem = loaded.private_bytes(serialization.Encoding.PEM, FORMS[form], serialization.NoEncryption())
    key.write_bytes(pem)
    files = {"cert_file": str(certificate), "key_file": str(key)}
    if together:
        both = tmp_path / "both.pem"
        both.write_bytes(certificate.read_bytes() + pem)
        files = {"cert_file": str(both)}
    with SocketServer(answer_all, authority.server_context("127.0.0.1", clients=authority)) as server:
        assert get(transport(server, ssl_ca_cert=str(authority.path), **files)).status == 200


def test_a_certificate_that_was_replaced_under_its_name_is_used_by_the_next_request(authority, tmp_path):
    other = Authority.create(tmp_path, "other")
    certificate, key = other.issue("alice")
    context = authority.server_context("127.0.0.1", clients=authority)
    with SocketServer(answer_all, context) as server:
        client = transport(server, ssl_ca_cert=str(authority.path), cert_file=str(certificate), key_file=str(key))
        with pytest.raises(TransportError):
            get(client)
        for new, old in zip(authority.issue("bob"), (certificate, key), strict=True):
            shutil.copy(new, old)
        assert get(client).status == 200


def test_authorities_as_text(authority):
    with SocketServer(answer_all, authority.server_context("127.0.0.1")) as server:
        assert get(transport(server, ca_cert_data=authority.path.read_text())).status == 200


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_without_an_authority_those_of_pythons_ssl_are_believed(authority, variable, monkeypatch, tmp_path):
    folder = tmp_path / "hashed"
    folder.mkdir()
    (folder / "0a1b2c3d.0").write_bytes(authority.path.read_bytes())
    (folder / "0a1b2c3d.1").symlink_to("nowhere")
    (folder / "README").write_text("no certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    with SocketServer(answer_all, authority.server_context("127.0.0.1")) as server:
        monkeypatch.setenv(variable, str(authority.path if variable == "SSL_CERT_FILE" else folder))
        assert get(transport(server)).status == 200


def test_a_wrong_key_is_an_error_without_the_key(authority):
    certificate, key = authority.issue("alice")
    key.write_text("-----BEGIN PRIVATE KEY-----\nc2VjcmV0LXNlY3JldA==\n-----END PRIVATE KEY-----\n")
    with SocketServer(answer_all, authority.server_context("127.0.0.1")) as server:
        client = transport(server, ssl_ca_cert=str(authority.path), cert_file=str(certificate), key_file=str(key))
        with pytest.raises(TransportError, match="client certificate and key") as caught:
            get(client)
        assert "c2VjcmV0" not in str(caught.value)
        assert server.connections == 0


def test_a_handshake_that_fails_is_known_as_one(authority, tmp_path):
    other = Authority.create(tmp_path, "other")
    with (
        SocketServer(answer_all, authority.server_context("127.0.0.1")) as server,
        pytest.raises(TLSError, match="invalid peer certificate"),
    ):
        get(transport(server, ssl_ca_cert=str(other.path)))


# --- connections -----------------------------------------------------------------------------------------------------


def test_a_connection_that_the_server_closed_meanwhile_costs_nothing():
    closed = threading.Event()

    def once(connection: Connection) -> None:
        connection.request()
        connection.answer(b"{}")
        connection.hang_up()
        closed.set()

    with SocketServer(once) as server:
        client = transport(server)
        for number in range(20):
            closed.clear()
            assert get(client).status == 200
            assert closed.wait(10)
            assert len(server.requests) == server.connections == number + 1


def test_a_connection_that_ends_after_the_request_is_an_error_and_the_request_is_not_repeated():
    """Also on a connection that was used before, where others take the end for that of an idle one."""

    def second_time_none(connection: Connection) -> None:
        connection.request()
        connection.answer(b"{}")
        connection.request()
        connection.hang_up()

    with SocketServer(second_time_none) as server:
        client = transport(server)
        get(client)
        with pytest.raises(TransportError):
            get(client)
        assert (len(server.requests), server.connections) == (2, 1)


def test_a_stop_ends_an_attempt_to_connect_at_once():
    stop = StopSignal()
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = []
        for _ in range(4):  # more than the backlog: the next one gets no answer
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(address)
        client = NativeTransport(ApiClient(Configuration(host=f"http://127.0.0.1:{address[1]}")))
        error = ends_at_once(lambda: client.request("/p", [], read_timeout=60, connect_timeout=60, stop=stop), stop.set)
        for sock in waiting:
            sock.close()
    assert isinstance(error, TransportError)
    assert "stopped" in str(error)


def test_a_stop_ends_a_handshake_at_once():
    stop, arrived = StopSignal(), threading.Event()

    def silent(connection: Connection) -> None:
        arrived.set()
        connection.until_closed()

    with SocketServer(silent) as server:
        client = transport(server, host=server.url.replace("http:", "https:"))
        error = ends_at_once(
            lambda: client.request("/p", [], read_timeout=60, connect_timeout=60, stop=stop),
            lambda: (arrived.wait(10), stop.set()),
        )
    assert "stopped" in str(error)


def test_close_closes_idle_connections():
    over = threading.Event()

    def handler(connection: Connection) -> None:
        connection.request()
        connection.answer(b"{}")
        connection.until_closed()
        over.set()

    with SocketServer(handler) as server:
        client = transport(server)
        client.close()
        get(client)
        client.close()
        assert over.wait(10)


def test_a_proxy_is_passed_by_for_hosts_that_the_user_names():
    with SocketServer(answer_all) as server, SocketServer(answer_all) as proxy:
        assert get(transport(server, proxy=proxy.url, no_proxy="127.0.0.1")).status == 200
        assert (len(server.requests), len(proxy.requests)) == (1, 0)
        assert get(transport(server, proxy=proxy.url, no_proxy="10.0.0.0/8")).status == 200
        assert (len(server.requests), len(proxy.requests)) == (1, 1)


# --- reading into a reader -------------------------------------------------------------------------------------------


class Watch:
    """A watch of a server that sends what the test says; its bytes go to a core that nobody processes."""

    def __init__(self, server: SocketServer, *, read_timeout: float = 10.0, **options) -> None:
        self.core = InformerCore("v1/pods", **options)
        self.source = self.core.add_source("")
        self.core.start()
        client = NativeTransport(ApiClient(configuration(server)))
        self.response = client.request("/p", [], read_timeout=read_timeout, connect_timeout=10.0)
        self.reader = self.source.watch_reader(chunked=self.response.chunked)

    def read_into(self, timeout: float | None = None, at_most: float = math.inf) -> bool:
        return self.response.read_into(self.reader, timeout, at_most)


def scripted(*parts: bytes, then=Connection.until_closed):
    def handler(connection: Connection) -> None:
        connection.request()
        connection.send(head(CHUNKED), *(chunk(part) for part in parts))
        then(connection)

    return handler


def end(connection: Connection) -> None:
    connection.send(chunk(b""))
    connection.until_closed()


def test_it_reads_to_the_end_of_the_body():
    with SocketServer(scripted(event("ADDED", "5", "a"), event("MODIFIED", "6", "a"), then=end)) as server:
        watch = Watch(server)
        assert watch.read_into()
        assert (watch.reader.events, watch.reader.resource_version) == (2, "6")
        watch.response.close(complete=True)


def test_it_comes_back_for_each_bookmark_and_goes_on():
    parts = event("ADDED", "5", "a"), bookmark("7"), event("ADDED", "8", "b"), bookmark("9")
    gate = threading.Event()

    def handler(connection: Connection) -> None:
        connection.request()
        connection.send(head(CHUNKED), *(chunk(part) for part in parts[:2]))
        assert gate.wait(10)
        connection.send(*(chunk(part) for part in parts[2:]), chunk(b""))

    with SocketServer(handler) as server:
        watch = Watch(server)
        assert not watch.read_into()
        assert (watch.reader.bookmarks, watch.reader.resource_version) == (1, "7")
        gate.set()
        assert not watch.read_into()
        assert (watch.reader.bookmarks, watch.reader.resource_version) == (2, "9")
        assert watch.read_into()


def test_a_version_that_goes_back_ends_the_stream():
    with SocketServer(scripted(event("ADDED", "5", "a"), bookmark("4") + event("ADDED", "6", "b"))) as server:
        watch = Watch(server)
        assert watch.read_into()
        assert (watch.reader.went_back_to, watch.reader.resource_version) == ("4", "5")


def test_an_error_event_ends_the_stream():
    error = b'{"type":"ERROR","object":{"kind":"Status","code":410}}\n'
    with SocketServer(scripted(event("ADDED", "5", "a"), error)) as server:
        watch = Watch(server)
        assert watch.read_into()
        assert watch.reader.error is not None
        assert b"410" in watch.reader.error


def test_progress_and_silence_are_seen_while_it_reads():
    gate = threading.Event()

    def more(connection: Connection) -> None:
        gate.wait(10)
        connection.send(chunk(event("ADDED", "9", "b")), chunk(b""))

    with SocketServer(scripted(event("ADDED", "5", "a"), then=more)) as server:
        watch = Watch(server)
        thread = threading.Thread(target=watch.read_into)
        thread.start()
        eventually(lambda: watch.reader.resource_version == "5", "the first event")
        before = eventually(lambda: max(0.05, watch.response.silence()) > 0.05 and watch.response.silence(), "silence")
        gate.set()
        eventually(lambda: watch.reader.resource_version == "9", "the second event")
        thread.join(10)
        assert before > 0.05
        assert watch.response.silence() < 10


def test_silence_is_a_time_out_and_what_came_before_is_there():
    with SocketServer(scripted(event("ADDED", "5", "a"))) as server:
        watch = Watch(server)
        with pytest.raises(ReadTimeoutError, match="silent"):
            watch.read_into(0.05)
        assert watch.reader.events == 1


def test_the_time_may_be_up_before_the_silence_is_too_long():
    with SocketServer(scripted(event("ADDED", "5", "a"))) as server:
        watch = Watch(server)
        assert not watch.read_into(30.0, 0.05)
        assert watch.reader.events == 1


def test_a_shutdown_ends_it_at_once():
    with SocketServer(scripted(event("ADDED", "5", "a"))) as server:
        watch = Watch(server)
        assert "stopped" in str(ends_at_once(watch.read_into, watch.response.shutdown))
        watch.response.close(complete=False)


def test_bytes_that_are_no_event_are_named_and_those_before_are_read():
    with SocketServer(scripted(event("ADDED", "5", "a"), b'{"type":]\n')) as server:
        watch = Watch(server)
        with pytest.raises(DecodeError):
            watch.read_into()
        assert watch.reader.resource_version == "5"


def test_a_full_queue_stops_the_reading_and_a_stop_of_the_informer_ends_it():
    events = [event("ADDED", str(number), f"pod-{number}") for number in range(1, 20_000)]
    with SocketServer(scripted(*events)) as server:
        watch = Watch(server, queue_bytes=1000)
        raised = []

        def read() -> None:
            try:
                watch.read_into()
            except ClosedError as error:
                raised.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        eventually(lambda: watch.reader.events > 0, "it reads")
        read_before = watch.reader.events
        thread.join(0.1)
        assert watch.reader.events == read_before < len(events), "more was read than the queue has room for"
        watch.core.stop()
        thread.join(10)
        assert not thread.is_alive()
        assert len(raised) == 1


def test_a_list_is_read_in_one_call():
    body = b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[%s]}' % b",".join(
        b'{"metadata":{"name":"pod-%d"}}' % number for number in range(10_000)
    )
    with SocketServer(lambda c: (c.request(), c.answer(body))) as server:
        watch = Watch(server)
        relist = watch.source.begin_relist()
        page = relist.page(chunked=False)
        assert watch.response.read_into(page)
        assert page.finish().resource_version == "7"
        assert len(relist) == 10_000


def test_only_readers_of_the_core_are_fed():
    with SocketServer(scripted(event("ADDED", "5", "a"))) as server:
        watch = Watch(server)
        with pytest.raises(TypeError, match="reader must be"):
            watch.response.read_into(object())  # type: ignore[arg-type]


def test_its_threads_are_few_and_python_knows_none_of_them():
    with SocketServer(scripted(event("ADDED", "5", "a"))) as server:
        watches = [Watch(server) for _ in range(5)]

        def read(watch: Watch) -> None:
            with contextlib.suppress(TransportError):
                watch.read_into()

        threads = [threading.Thread(target=read, args=(watch,)) for watch in watches]
        for thread in threads:
            thread.start()
        for watch in watches:
            eventually(lambda watch=watch: watch.reader.events, "it reads")
        names = [Path(f"/proc/self/task/{task}/comm").read_text() for task in os.listdir("/proc/self/task")]
        for watch in watches:
            watch.response.shutdown()
        for thread in threads:
            thread.join(10)
    # Resolving names may take one more for a while.
    assert 2 <= len([name for name in names if name.startswith("kubeinformer-ht")]) <= 4
