"""Which transport is used: what the user says, and without a word the native one wherever it can be used."""

from __future__ import annotations

import logging
import ssl
import threading

import pytest
import urllib3
from certificates import Authority
from kubernetes.client import ApiClient, Configuration
from socket_server import SocketServer
from test_transport_request import answer_all, configuration, get

from kubeinformer import SharedInformerFactory
from kubeinformer.errors import TransportError
from kubeinformer.informers import DynamicSharedInformerFactory, MetadataSharedInformerFactory
from kubeinformer.transport import AutoTransport, HTTPTransport, NativeTransport, RefusedError, make_transport
from kubeinformer.transport._response import HTTPResponse
from kubeinformer.transport.native import NativeResponse

FACTORIES = [SharedInformerFactory, DynamicSharedInformerFactory, MetadataSharedInformerFactory]


@pytest.fixture
def server():
    with SocketServer(answer_all) as running:
        yield running


@pytest.fixture(autouse=True)
def log(caplog):
    caplog.set_level(logging.INFO, "kubeinformer")
    return caplog


def lines(log) -> list[str]:
    return [record.getMessage() for record in log.records if "the Python transport is used" in record.getMessage()]


def test_names(server):
    client = ApiClient(configuration(server))
    assert type(make_transport(None, client)) is AutoTransport
    assert type(make_transport("auto", client)) is AutoTransport
    assert type(make_transport("native", client)) is NativeTransport
    assert type(make_transport("python", client)) is HTTPTransport
    own = HTTPTransport()
    assert make_transport(own) is own


@pytest.mark.parametrize("factory", FACTORIES)
def test_wrong_ones(factory):
    with pytest.raises(ValueError, match='"auto", "native", "python" or a transport, not \'rust\''):
        factory(transport="rust")
    with pytest.raises(TypeError, match="transport must have request"):
        factory(transport=7)


@pytest.mark.parametrize("factory", FACTORIES)
@pytest.mark.parametrize("name", ["auto", "native", "python"])
def test_factories_take_a_name_and_close_what_they_made(factory, name, server):
    made = factory(ApiClient(configuration(server)), transport=name)
    assert made.shutdown(timeout=5) == []


def test_the_native_one_is_used_without_a_word(server, log):
    assert type(get(AutoTransport(ApiClient(configuration(server))))) is NativeResponse
    assert lines(log) == []


CANNOT = {
    "socket_options": ({"socket_options": []}, "socket_options is set"),
    "assert_hostname": ({"assert_hostname": "other"}, "assert_hostname is set"),
    "an encrypted key": ({"cert_file": "c.pem", "key_file": "k.pem", "host": "https://127.0.0.1:1"}, "c.pem"),
    "a proxy with TLS": ({"proxy": "https://127.0.0.1:1"}, "the proxy is not one of plain HTTP"),
}


@pytest.mark.parametrize("case", CANNOT)
def test_native_says_at_once_what_it_cannot_do(case, server):
    settings, reason = CANNOT[case]
    with pytest.raises(ValueError, match=f'transport="native" cannot be used: {reason}'):
        SharedInformerFactory(ApiClient(configuration(server, **settings)), transport="native")


def test_what_the_client_knows_and_the_native_one_does_not_is_not_passed_over(server, monkeypatch):
    class Manager(urllib3.PoolManager):
        pass

    monkeypatch.setattr("kubernetes.client.rest.urllib3.PoolManager", Manager)
    with pytest.raises(ValueError, match="the client's pool is a Manager"):
        make_transport("native", ApiClient(configuration(server)))
    monkeypatch.undo()
    init = urllib3.PoolManager.__init__
    context = ssl.create_default_context()
    monkeypatch.setattr(
        urllib3.PoolManager, "__init__", lambda self, *a, **options: init(self, *a, ssl_context=context, **options)
    )
    with pytest.raises(ValueError, match="the client's pool has the option ssl_context"):
        make_transport("native", ApiClient(configuration(server)))


def test_the_python_one_takes_over_with_one_line_until_the_settings_change(server, log):
    settings = configuration(server, assert_hostname="other")
    refreshed = []
    settings.api_key["BearerToken"] = "t"
    settings.refresh_api_key_hook = lambda _: refreshed.append(1)
    transport = AutoTransport(ApiClient(settings))
    for _ in range(3):
        assert type(get(transport)) is HTTPResponse
    assert lines(log) == ["the Python transport is used: assert_hostname is set"]
    assert len(refreshed) == 4, "once for each request, and once to see what the settings are"
    settings.assert_hostname = None
    assert type(get(transport)) is NativeResponse
    settings.assert_hostname = "other"
    assert type(get(transport)) is HTTPResponse
    assert len(server.requests) == 5


def test_capabilities_are_those_of_the_server_whoever_asks(server):
    settings = configuration(server)
    transport = AutoTransport(ApiClient(settings))
    get(transport)
    transport.capabilities.disable_watch_list("v1", "no")
    settings.assert_hostname = "other"
    get(transport)
    assert transport._native.capabilities is transport._python.capabilities
    assert not transport.capabilities.supports_watch_list("v1")


def test_a_handshake_that_only_pythons_ssl_can_do(tmp_path, log):
    """A server with an old cipher: the second word is Python's, and then it keeps it."""
    authority = Authority.create(tmp_path, "ca")
    context = authority.server_context("127.0.0.1")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA256")
    with SocketServer(answer_all, context) as server:
        settings = configuration(server, ssl_ca_cert=str(authority.path))
        transport = AutoTransport(ApiClient(settings))
        assert type(get(transport)) is HTTPResponse
        assert len(server.requests) == 1, "what failed was not sent"
        connections = server.connections
        for _ in range(3):
            assert type(get(transport)) is HTTPResponse
        assert server.connections == connections
        assert len(lines(log)) == 1


def test_a_server_that_nobody_believes_is_not_left_to_the_python_one(tmp_path, log):
    authority, other = Authority.create(tmp_path, "ca"), Authority.create(tmp_path, "other")
    with SocketServer(answer_all, authority.server_context("127.0.0.1")) as server:
        settings = configuration(server, ssl_ca_cert=str(other.path))
        transport = AutoTransport(ApiClient(settings))
        with pytest.raises(TransportError, match="CERTIFICATE_VERIFY_FAILED"):
            get(transport)
        assert lines(log) == []
        other.path.write_bytes(authority.path.read_bytes())
        assert type(get(transport)) is NativeResponse


def test_a_server_that_is_away_is_asked_by_the_native_one_alone(monkeypatch):
    transport = AutoTransport(ApiClient(Configuration(host="http://127.0.0.1:1")))
    monkeypatch.setattr(transport._python, "request", lambda *_args, **_options: pytest.fail("asked twice"))
    with pytest.raises(RefusedError):
        get(transport)


def test_many_threads_find_the_same(server, log):
    transport = AutoTransport(ApiClient(configuration(server, assert_hostname="other")))
    threads = [threading.Thread(target=get, args=(transport,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.requests) == 8
    assert len(lines(log)) == 1
