"""Requests over real sockets: what is sent, with whose credentials, and how failures look."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator

import pytest
import urllib3
from certificates import Authority
from kubernetes.client import ApiClient, Configuration
from socket_server import CHUNKED, Connection, SocketServer, chunk, head

from kubeinformer.errors import ForkedError, TransportError
from kubeinformer.transport import (
    HTTPTransport,
    NativeTransport,
    ReadTimeoutError,
    RefusedError,
    StopSignal,
    Transport,
)

AnyTransport: type[Transport] = HTTPTransport  # `both_transports` sets it for each test
pytestmark = pytest.mark.usefixtures("both_transports")

TOKEN = "eyJhbGciOiJSUzI1NiJ9.very-secret"


def answer_all(connection: Connection) -> None:
    while connection.request():
        connection.answer(b"{}")


def get(transport: Transport, path: str = "/api/v1/pods", query=(), **options):
    response = transport.request(path, list(query), **{"read_timeout": 10.0, "connect_timeout": 10.0, **options})
    while response.read():
        pass
    response.close(complete=True)
    return response


@pytest.fixture
def server():
    with SocketServer(answer_all) as running:
        yield running


def configuration(server: SocketServer, **settings) -> Configuration:
    made = Configuration(host=server.url)
    for name, value in settings.items():
        setattr(made, name, value)
    return made


def test_path_and_query_are_sent_as_they_are_meant(server):
    query = [("watch", "true"), ("labelSelector", "app in (a, b),x=ü&y"), ("continue", "a/b+c==")]
    get(AnyTransport(ApiClient(configuration(server))), "/apis/apps/v1/deployments", query)
    target = server.requests[0].target
    assert target == (
        "/apis/apps/v1/deployments?watch=true&labelSelector=app%20in%20%28a%2C%20b%29%2Cx%3D%C3%BC%26y"
        "&continue=a%2Fb%2Bc%3D%3D"
    )


@pytest.mark.parametrize("prefix", ["", "/", "/k8s/clusters/c-1", "/k8s/clusters/c-1/"])
def test_a_host_with_a_path(server, prefix):
    get(AnyTransport(ApiClient(configuration(server, host=server.url + prefix))))
    assert server.requests[0].target == prefix.rstrip("/") + "/api/v1/pods"


def test_headers_are_the_clients_but_for_ours(server):
    client = ApiClient(configuration(server), cookie="a=b")
    client.set_default_header("X-Trace", "7")
    client.set_default_header("accept", "application/yaml")
    client.set_default_header("user-agent", "mine")
    get(AnyTransport(client, user_agent="informer/1"))
    headers = server.requests[0].headers
    assert headers["x-trace"] == "7"
    assert headers["cookie"] == "a=b"
    assert headers["accept"] == "application/json"
    assert headers["user-agent"] == "informer/1"
    assert headers["accept-encoding"] == "identity"


def test_the_users_client_is_not_touched(server):
    client = ApiClient(configuration(server, api_key={"BearerToken": TOKEN}))
    before = dict(client.default_headers), client.user_agent, client.rest_client.pool_manager
    get(AnyTransport(client, user_agent="informer/1", compression=True))
    assert (dict(client.default_headers), client.user_agent, client.rest_client.pool_manager) == before
    assert len(client.rest_client.pool_manager.pools) == 0


def test_without_a_user_agent_it_is_the_clients(server):
    client = ApiClient(configuration(server))
    client.user_agent = "their/2"
    get(AnyTransport(client))
    assert server.requests[0].headers["user-agent"] == "their/2"


def test_compression_asks_for_gzip(server):
    get(AnyTransport(ApiClient(configuration(server)), compression=True))
    assert server.requests[0].headers["accept-encoding"] == "gzip"


def test_f13_the_token_is_read_for_each_request(server):
    tokens = iter(["one", "two", "three"])

    def refresh(settings):
        settings.api_key["BearerToken"] = next(tokens)

    settings = configuration(server, refresh_api_key_hook=refresh, api_key={"BearerToken": "old"})
    settings.api_key_prefix["BearerToken"] = "Bearer"
    transport = AnyTransport(ApiClient(settings))
    for _ in range(3):
        get(transport)
    sent = [request.headers["authorization"] for request in server.requests]
    assert sent == ["Bearer one", "Bearer two", "Bearer three"]
    assert server.connections == 1


def test_credentials_of_older_clients(server):
    class OldClient(ApiClient):
        def update_params_for_auth(self, headers, queries, auth_settings, request_auth=None):
            assert auth_settings == ["BearerToken"]
            headers["authorization"] = "Bearer old"
            queries.append(("token", "q"))

    get(AnyTransport(OldClient(configuration(server))), query=[("limit", "1")])
    assert server.requests[0].headers["authorization"] == "Bearer old"
    assert server.requests[0].target == "/api/v1/pods?limit=1&token=q"


def test_a_hook_that_raises_is_a_transport_error_without_the_token(server):
    def refresh(settings):
        raise RuntimeError(f"exec plugin said: {TOKEN}")

    settings = configuration(server, refresh_api_key_hook=refresh, api_key={"BearerToken": f"Bearer {TOKEN}"})
    with pytest.raises(TransportError, match="reading the credentials: RuntimeError") as caught:
        get(AnyTransport(ApiClient(settings)))
    assert TOKEN not in str(caught.value)
    assert caught.value.__cause__ is None
    assert server.requests == []


def test_a_token_that_is_no_header_is_not_in_the_error(server):
    settings = configuration(server, api_key={"BearerToken": f"Bearer {TOKEN}\nX"})
    with pytest.raises(TransportError) as caught:
        get(AnyTransport(ApiClient(settings)))
    assert TOKEN not in str(caught.value)
    assert caught.value.__cause__ is None


def test_many_threads_refresh_one_at_a_time(server):
    inside, most = [], []

    def refresh(settings):
        inside.append(1)
        most.append(len(inside))
        gate.wait(0.02)
        inside.pop()

    gate = threading.Event()
    settings = configuration(server, refresh_api_key_hook=refresh, api_key={"BearerToken": "t"})
    transport = AnyTransport(ApiClient(settings))
    threads = [threading.Thread(target=get, args=(transport,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable", "307 Temporary Redirect"])
def test_one_refusal_is_one_request_on_the_wire(status):
    headers = ["Retry-After: 1", "Location: /elsewhere"]

    def refuse(connection: Connection) -> None:
        while connection.request():
            connection.answer(b"no", *headers, status=status)

    with SocketServer(refuse) as server:
        settings = configuration(server)
        settings.retries = 5
        response = AnyTransport(ApiClient(settings)).request("/p", [], read_timeout=10, connect_timeout=10)
        assert response.status == int(status[:3])
        assert response.headers["retry-after"] == "1"
        assert response.read_error_body() == b"no"
        response.close(complete=True)
        assert len(server.requests) == 1


def test_refused():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    transport = AnyTransport(ApiClient(Configuration(host=f"http://127.0.0.1:{port}")))
    with pytest.raises(RefusedError, match=rf"GET /api/v1/pods at 127.0.0.1:{port}: connection refused") as caught:
        get(transport)
    assert isinstance(caught.value, ConnectionRefusedError)


def test_a_name_that_does_not_exist():
    transport = AnyTransport(ApiClient(Configuration(host="http://does-not-exist.invalid:6443")))
    with pytest.raises(TransportError, match=r"does-not-exist.invalid:6443") as caught:
        get(transport)
    assert not isinstance(caught.value, (RefusedError, ReadTimeoutError))


@pytest.mark.parametrize("host", ["http://a b", "ftp://example.org", "http://user:hunter2@127.0.0.1:1"])
def test_a_host_that_is_no_server(host):
    with pytest.raises(TransportError) as caught:
        get(AnyTransport(ApiClient(Configuration(host=host))))
    assert "hunter2" not in str(caught.value)


def test_a_server_that_does_not_answer_is_a_read_time_out():
    with (
        SocketServer(lambda c: (c.request(), c.until_closed())) as server,
        pytest.raises(ReadTimeoutError, match="silent"),
    ):
        get(AnyTransport(ApiClient(configuration(server))), read_timeout=0.05)


def test_a_tls_server_that_does_not_answer_is_no_read_time_out():
    with SocketServer(Connection.until_closed) as server:
        settings = configuration(server, host=server.url.replace("http:", "https:"))
        with pytest.raises(TransportError, match="timed out while connecting") as caught:
            get(AnyTransport(ApiClient(settings)), connect_timeout=0.05)
        assert not isinstance(caught.value, ReadTimeoutError)


@pytest.mark.parametrize("reply", [b"", b"SSH-2.0-OpenSSH\r\n"])
def test_no_http(reply):
    with SocketServer(lambda c: (c.request(), c.send(reply))) as server, pytest.raises(TransportError):
        get(AnyTransport(ApiClient(configuration(server))))


@contextlib.contextmanager
def the_socket_to(server: SocketServer) -> Iterator[socket.socket]:
    """The client's end of the one connection to a server, whoever holds it."""
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(name))) as sock:
                if sock.getpeername() == ("127.0.0.1", server.port):
                    yield sock
                    return
    raise AssertionError("no connection")


def test_connections_are_kept_alive(server):
    response = AnyTransport(ApiClient(configuration(server))).request("/p", [], read_timeout=10, connect_timeout=10)
    with the_socket_to(server) as sock:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 15
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 9
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    response.close(complete=False)


def test_socket_options_of_the_user_win(server, both_transports):
    settings = configuration(server, socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 99_000)])
    if both_transports is NativeTransport:  # it has no way to set them
        with pytest.raises(TransportError, match="socket_options"):
            get(NativeTransport(ApiClient(settings)))
        return
    response = HTTPTransport(ApiClient(settings)).request("/p", [], read_timeout=10, connect_timeout=10)
    assert response._socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0
    assert response._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 2 * 99_000
    response.close(complete=False)


def test_more_connections_than_the_client_keeps_are_no_warning(server, caplog):
    transport = AnyTransport(ApiClient(configuration(server, connection_pool_maxsize=1)))
    open_now = [transport.request("/p", [], read_timeout=10, connect_timeout=10) for _ in range(5)]
    for response in open_now:
        response.read()
        response.close(complete=True)
    for response in [transport.request("/p", [], read_timeout=10, connect_timeout=10) for _ in range(5)]:
        response.close(complete=False)
    assert server.connections == 5
    assert caplog.records == []


# --- TLS -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def authority(tmp_path):
    return Authority.create(tmp_path, "ca")


def test_tls_is_verified(authority):
    with SocketServer(answer_all, authority.server_context("127.0.0.1")) as server:
        transport = AnyTransport(ApiClient(configuration(server, ssl_ca_cert=str(authority.path))))
        for _ in range(2):
            assert get(transport).status == 200
        assert server.connections == 1


def test_a_wrong_ca_is_refused(authority, tmp_path):
    other = Authority.create(tmp_path, "other")
    with SocketServer(answer_all, authority.server_context("127.0.0.1")) as server:
        transport = AnyTransport(ApiClient(configuration(server, ssl_ca_cert=str(other.path))))
        with pytest.raises(TransportError, match=r"CERTIFICATE_VERIFY_FAILED|invalid peer certificate"):
            get(transport)
        assert server.requests == []


def test_a_wrong_name_is_refused_and_tls_server_name_mends_it(authority):
    with SocketServer(answer_all, authority.server_context("api.example.org")) as server:
        settings = configuration(server, ssl_ca_cert=str(authority.path))
        with pytest.raises(TransportError, match=r"CERTIFICATE_VERIFY_FAILED|invalid peer certificate"):
            get(AnyTransport(ApiClient(settings)))
        settings.tls_server_name = "api.example.org"
        assert get(AnyTransport(ApiClient(settings))).status == 200


def test_a_client_certificate_is_shown(authority):
    with SocketServer(answer_all, authority.server_context("127.0.0.1", clients=authority)) as server:
        settings = configuration(server, ssl_ca_cert=str(authority.path))
        with pytest.raises(TransportError):
            get(AnyTransport(ApiClient(settings)))
        settings.cert_file, settings.key_file = map(str, authority.issue("alice"))
        assert get(AnyTransport(ApiClient(settings))).status == 200


def test_a_credential_hook_may_bring_another_certificate(authority, tmp_path):
    other = Authority.create(tmp_path, "other")

    def refresh(settings):
        settings.ssl_ca_cert = str(authority.path)

    with SocketServer(answer_all, authority.server_context("127.0.0.1")) as server:
        settings = configuration(server, ssl_ca_cert=str(other.path), api_key={"BearerToken": "t"})
        settings.refresh_api_key_hook = refresh
        assert get(AnyTransport(ApiClient(settings))).status == 200


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_verification_is_off_only_when_the_user_says_so(authority):
    with SocketServer(answer_all, authority.server_context("elsewhere")) as server:
        assert get(AnyTransport(ApiClient(configuration(server, verify_ssl=False)))).status == 200


# --- proxies -------------------------------------------------------------------------------------------------------


def test_a_proxy_is_used(server):
    settings = configuration(server, host="http://api.invalid:6443", proxy=server.url)
    settings.proxy_headers = urllib3.make_headers(proxy_basic_auth="user:pass")
    get(AnyTransport(ApiClient(settings)))
    assert server.requests[0].target == "http://api.invalid:6443/api/v1/pods"
    assert "proxy-authorization" in server.requests[0].headers


def test_tls_goes_through_a_tunnel(authority):
    context = authority.server_context("api.invalid")

    def tunnel(connection: Connection) -> None:
        assert connection.request().line.startswith("CONNECT api.invalid:6443 HTTP/1.")
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        with context.wrap_socket(connection.sock, server_side=True) as inner:
            answer_all(Connection(inner, proxy))

    with SocketServer(tunnel) as proxy:
        settings = configuration(
            proxy, host="https://api.invalid:6443", proxy=proxy.url, ssl_ca_cert=str(authority.path)
        )
        assert get(AnyTransport(ApiClient(settings))).status == 200
        assert proxy.requests[1].target == "/api/v1/pods"


# --- stopping ------------------------------------------------------------------------------------------------------


def asleep(thread: threading.Thread) -> bool:
    """Whether the thread is blocked, as the kernel sees it."""
    with open(f"/proc/self/task/{thread.native_id}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "S"


def ends_at_once(call, end) -> BaseException:
    """Run `call` on a thread until it is blocked, then `end` it; what it raised, at once."""
    raised = []

    def run() -> None:
        try:
            call()
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while not asleep(thread):
        pass
    end()
    thread.join(0.2)
    late = thread.is_alive()
    thread.join(20)
    assert not late, "it took more than 0.2 s"
    return raised[0]


def silent(*headers: str):
    def handler(connection: Connection) -> None:
        connection.request()
        connection.send(head(*headers))
        connection.until_closed()

    return handler


FRAMINGS = {
    "chunked": (CHUNKED,),
    "close-delimited": (),
    "content-length": ("Content-Length: 100",),
    "gzip": (CHUNKED, "Content-Encoding: gzip"),
}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("headers", FRAMINGS.values(), ids=FRAMINGS.keys())
def test_shutdown_ends_a_blocked_read_at_once(headers, tls, authority):
    with SocketServer(silent(*headers), authority.server_context("127.0.0.1") if tls else None) as server:
        transport = AnyTransport(ApiClient(configuration(server, ssl_ca_cert=str(authority.path))))
        response = transport.request("/p", [], read_timeout=30, connect_timeout=10)
        error = ends_at_once(response.read, response.shutdown)
        assert isinstance(error, TransportError)
        assert "stopped" in str(error)
        with pytest.raises(TransportError, match="stopped"):
            response.read()
        response.close(complete=True)
        response.shutdown()


def test_a_shutdown_hides_bytes_that_arrive_with_it():
    with SocketServer(lambda c: (c.request(), c.send(head(CHUNKED), chunk(b"late")), c.until_closed())) as server:
        response = AnyTransport(ApiClient(configuration(server))).request("/p", [], read_timeout=30, connect_timeout=10)
        response.shutdown()
        with pytest.raises(TransportError, match="stopped"):
            response.read()
        response.close(complete=False)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_stop_signal_ends_the_wait_for_an_answer_at_once(tls, authority):
    arrived = threading.Event()

    def handler(connection: Connection) -> None:
        connection.request()
        arrived.set()
        connection.until_closed()

    with SocketServer(handler, authority.server_context("127.0.0.1") if tls else None) as server:
        transport = AnyTransport(ApiClient(configuration(server, ssl_ca_cert=str(authority.path))))
        stop = StopSignal()
        error = ends_at_once(
            lambda: transport.request("/p", [], read_timeout=30, connect_timeout=10, stop=stop),
            lambda: (arrived.wait(10), stop.set()),
        )
        assert isinstance(error, TransportError)


def test_a_stop_signal_ends_a_read_at_once():
    with SocketServer(silent(CHUNKED)) as server:
        stop = StopSignal()
        transport = AnyTransport(ApiClient(configuration(server)))
        response = transport.request("/p", [], read_timeout=30, connect_timeout=10, stop=stop)
        assert "stopped" in str(ends_at_once(response.read, stop.set))
        response.close(complete=False)


def test_a_stop_signal_that_is_set_asks_nothing(server):
    stop = StopSignal()
    stop.set()
    with pytest.raises(TransportError, match="stopped"):
        AnyTransport(ApiClient(configuration(server))).request("/p", [], read_timeout=9, connect_timeout=9, stop=stop)
    assert server.connections == 0


def test_a_stop_after_a_response_was_closed_does_not_touch_its_connection(server):
    transport = AnyTransport(ApiClient(configuration(server)))
    stop = StopSignal()
    get(transport, stop=stop)
    assert stop._actions == [], "a reflector's signal outlives its responses"
    stop.set()
    get(transport)
    assert server.connections == 1


def test_a_stop_signal_runs_each_action_once_and_late_ones_at_once():
    stop, ran = StopSignal(), []
    stop.add(lambda: ran.append("first"))
    removed = lambda: ran.append("removed")  # noqa: E731
    stop.add(removed)
    stop.remove(removed)
    assert ran == []
    stop.set()
    stop.set()
    assert ran == ["first"]
    stop.add(lambda: ran.append("late"))
    assert ran == ["first", "late"]
    assert stop.wait(0)


def test_a_forked_child_is_told(server):
    transport = AnyTransport(ApiClient(configuration(server)))
    pid = os.fork()
    if pid == 0:
        try:
            get(transport)
        except ForkedError:
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_arguments_are_checked(server):
    with pytest.raises(TypeError, match="user_agent"):
        AnyTransport(ApiClient(configuration(server)), user_agent=7)
