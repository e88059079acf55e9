"""By default no server is believed that the client has no reason to believe, and it is told nothing before."""

from __future__ import annotations

import re

import pytest
from certificates import Authority
from informer_support import eventually
from kubernetes.client import ApiClient, Configuration
from said import check_hidden, of_error, of_log
from socket_server import Connection, SocketServer

from kubeinformer import SharedInformerFactory
from kubeinformer.errors import TransportError
from kubeinformer.transport import make_transport

TOKEN = "a-token-that-only-the-server-may-see"


def answer(connection: Connection) -> None:
    while connection.request():
        connection.answer(b"{}")


@pytest.fixture
def authority(tmp_path):
    return Authority.create(tmp_path, "ca")


def configuration(server: SocketServer, authority: Authority | None, **settings) -> Configuration:
    made = Configuration(host=server.url, api_key={"BearerToken": f"Bearer {TOKEN}"})
    if authority is not None:
        made.ssl_ca_cert = str(authority.path)
    for name, value in settings.items():
        setattr(made, name, value)
    return made


def get(settings: Configuration, transport_name: str) -> int:
    transport = make_transport(transport_name, ApiClient(settings))
    response = transport.request("/api/v1/pods", [], read_timeout=10.0, connect_timeout=10.0)
    while response.read():
        pass
    response.close(complete=True)
    transport.close()
    return response.status


WRONG = {
    "the authority": r"unable to get local issuer|UnknownIssuer",
    "a system authority": r"unable to get local issuer|UnknownIssuer",
    "the name": r"not valid for (name )?['\"]?127\.0\.0\.1",
    "the time": r"certificate (has )?expired",
}


def wrong(what: str, authority: Authority, tmp_path):
    """The server's side of TLS, and whom the client believes."""
    match what:
        case "the authority":
            return authority.server_context("127.0.0.1"), Authority.create(tmp_path, "other")
        case "a system authority":
            return authority.server_context("127.0.0.1"), None
        case "the name":
            return authority.server_context("api.example.org"), authority
        case _:
            return authority.server_context("127.0.0.1", days=-1), authority


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_certificate_is_refused_for_its_cause_and_nothing_is_sent(
    what, authority, tmp_path, transport_name, log
):
    context, believed = wrong(what, authority, tmp_path)
    with SocketServer(answer, context) as server:
        with pytest.raises(TransportError) as caught:
            get(configuration(server, believed), transport_name)
        assert re.search(WRONG[what], str(caught.value)), caught.value
        assert "GET /api/v1/pods at 127.0.0.1:" in str(caught.value)
        assert server.connections > 0
        assert server.requests == []
        check_hidden([TOKEN], of_error(caught.value), of_log(log))


def test_the_same_server_with_nothing_wrong_is_asked(authority, transport_name):
    with SocketServer(answer, authority.server_context("127.0.0.1")) as server:
        assert get(configuration(server, authority), transport_name) == 200
        assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
@pytest.mark.parametrize("what", WRONG)
def test_verification_is_off_only_for_who_asks_for_it(what, authority, tmp_path, transport_name):
    context, believed = wrong(what, authority, tmp_path)
    with SocketServer(answer, context) as server:
        settings = configuration(server, believed)
        assert settings.verify_ssl is True
        with pytest.raises(TransportError):
            get(settings, transport_name)
        assert server.requests == []
        settings.verify_ssl = False
        assert get(settings, transport_name) == 200
        settings.verify_ssl = True
        with pytest.raises(TransportError):
            get(settings, transport_name)
        assert len(server.requests) == 1


def test_an_informer_says_why_it_does_not_begin(authority, tmp_path, transport_name, log):
    context, believed = wrong("the name", authority, tmp_path)
    with SocketServer(answer, context) as server:
        client = ApiClient(configuration(server, believed))
        factory = SharedInformerFactory(client, transport=make_transport(transport_name, client))
        informer = factory.core().v1().secrets().informer()
        factory.start()
        last = eventually(informer.last_error, "the failure")
        assert re.search(WRONG["the name"], str(last.error))
        assert not informer.has_synced()
        assert factory.shutdown(timeout=10) == []
        assert server.requests == []
        assert any(re.search(WRONG["the name"], record.getMessage()) for record in log.records)
        check_hidden([TOKEN], of_error(last.error), of_log(log))


def test_a_redirect_takes_no_token_elsewhere(authority, transport_name):
    with SocketServer(answer) as other:

        def redirect(connection: Connection) -> None:
            while connection.request():
                connection.answer(b"", f"Location: {other.url}/api/v1/pods", status="302 Found")

        with SocketServer(redirect, authority.server_context("127.0.0.1")) as server:
            assert get(configuration(server, authority), transport_name) == 302
            assert other.connections == 0
