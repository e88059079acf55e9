"""Credentials are in no log, no error and no repr, whatever fails."""

from __future__ import annotations

import base64
import pickle
import re
import subprocess
import sys
import textwrap

import pytest
import urllib3
import yaml
from certificates import Authority
from informer_support import eventually
from kubernetes import config
from kubernetes.client import ApiClient, Configuration
from said import check_hidden, of_error, of_log
from socket_server import CHUNKED, Connection, SocketServer, chunk, head

from kubeinformer import CacheSyncTimeoutError, SharedInformerFactory
from kubeinformer.errors import TransportError
from kubeinformer.redaction import redact, redact_foreign
from kubeinformer.transport import make_transport
from kubeinformer.transport._client_requests import PreparedRequest

TOKEN = "eyJhbGciOiJSUzI1NiJ9.c2VjcmV0LXRva2Vu.signature-of-it"
PASSWORD = "hunter2-hunter2"
BASIC = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
SECRETS = [TOKEN, TOKEN[:30], PASSWORD, BASIC]


def with_token(host: str, **settings) -> Configuration:
    made = Configuration(host=host, api_key={"BearerToken": f"Bearer {TOKEN}"})
    for name, value in settings.items():
        setattr(made, name, value)
    return made


def with_password(host: str, **settings) -> Configuration:
    return with_token(host, api_key={"BearerToken": f"Basic {BASIC}"}, username="admin", password=PASSWORD, **settings)


def echo(connection: Connection) -> None:
    """A proxy's page of an error, with the request that it could not pass on."""
    while request := connection.request():
        shown = "\n".join([request.line, *(f"{name}: {value}" for name, value in request.headers.items())])
        connection.answer(f"<html><pre>{shown}</pre></html>".encode(), status="502 Bad Gateway")


def break_off(connection: Connection) -> None:
    connection.request()
    connection.send(head(CHUNKED), chunk(b'{"kind":"PodList"'))


def not_http(connection: Connection) -> None:
    connection.request()
    connection.send(b"SSH-2.0-OpenSSH_9.2\r\n")


def refuse_tunnel(connection: Connection) -> None:
    connection.request()
    connection.answer(b"", "Proxy-Authenticate: Basic", status="407 Proxy Authentication Required")


def unauthorized(connection: Connection) -> None:
    while request := connection.request():
        message = f"invalid token: {request.headers['authorization']}"
        connection.answer(f'{{"kind":"Status","message":"{message}"}}'.encode(), status="401 Unauthorized")


SERVERS = {
    "an error that shows the request": echo,
    "a body that breaks off": break_off,
    "no HTTP": not_http,
    "unauthorized": unauthorized,
}


def failure_of(settings: Configuration, transport_name: str) -> BaseException:
    try:
        transport = make_transport(transport_name, ApiClient(settings))
        response = transport.request("/api/v1/secrets", [], read_timeout=10.0, connect_timeout=10.0)
        while response.read():
            pass
    except (TransportError, ValueError) as error:
        return error
    raise AssertionError("nothing failed")


@pytest.mark.parametrize("make", [with_token, with_password])
@pytest.mark.parametrize("what", SERVERS)
def test_an_informer_whose_server_fails(what, make, transport_name, log):
    with SocketServer(SERVERS[what]) as server:
        client = ApiClient(make(server.url))
        transport = make_transport(transport_name, client)
        errors: list[BaseException] = []
        factory = SharedInformerFactory(client, transport=transport)
        informer = factory.core().v1().secrets().informer()
        informer.set_watch_error_handler(lambda _reflector, error: errors.append(error))
        factory.start()
        last = eventually(informer.last_error, "the failure")
        with pytest.raises(CacheSyncTimeoutError) as caught:
            factory.wait_for_cache_sync(timeout=0.2)
        reprs = [repr(one) for one in (factory, informer, transport, last, informer.controller)]
        reflector = informer.controller.reflectors[""]
        reprs += [repr(reflector), repr(reflector.counters()), repr(transport.capabilities)]
        assert factory.shutdown(timeout=10) == []
        assert errors
        # The body is kept as it came, for programs; nothing shows it.
        shown = [text.replace(repr(getattr(error, "body", None)), "") for error in errors for text in of_error(error)]
        shown = [re.sub(r"'body': b.*", "", text) for text in shown]
        check_hidden(SECRETS, shown, reprs, [str(caught.value), repr(caught.value)], of_log(log))


@pytest.mark.parametrize("make", [with_token, with_password])
def test_nobody_listens(make, transport_name, log):
    with SocketServer(echo) as server:
        url = server.url
    error = failure_of(make(url), transport_name)
    check_hidden(SECRETS, of_error(error), of_log(log))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_address_with_a_password(scheme, transport_name, log):
    with SocketServer(Connection.hang_up) as server:
        host = server.url.replace("http://", f"{scheme}://admin:{PASSWORD}@")
        error = failure_of(with_token(host), transport_name)
        check_hidden(SECRETS, of_error(error), of_log(log))


@pytest.mark.parametrize("host", ["bad host", "host:port"])
def test_an_address_that_is_none(host, log):
    for name in ("python", "auto"):
        error = failure_of(with_token(f"https://admin:{PASSWORD}@{host}"), name)
        check_hidden(SECRETS, of_error(error), of_log(log))
    with pytest.raises(ValueError, match="cannot be used") as caught:
        make_transport("native", ApiClient(with_token(f"https://admin:{PASSWORD}@{host}")))
    check_hidden(SECRETS, of_error(caught.value))


@pytest.mark.parametrize("target", ["http://api.invalid:6443", "https://api.invalid:6443"])
@pytest.mark.parametrize("handler", [refuse_tunnel, not_http])
def test_a_proxy_with_credentials_that_refuses(target, handler, transport_name, log):
    with SocketServer(handler) as proxy:
        address = proxy.url.replace("://", f"://admin:{PASSWORD}@")
        settings = with_token(target, proxy=address)
        settings.proxy_headers = urllib3.make_headers(proxy_basic_auth=f"admin:{PASSWORD}")
        if target.startswith("https") or handler is not_http:
            error = failure_of(settings, transport_name)
            check_hidden(SECRETS, of_error(error), of_log(log))
    error = failure_of(settings, transport_name)
    assert "api.invalid" in str(error)
    check_hidden(SECRETS, of_error(error), of_log(log))


def test_a_proxy_that_is_no_address(log):
    settings = with_token("https://api.invalid:6443", proxy=f"http://admin:{PASSWORD}@bad host:x")
    for name in ("native", "python", "auto"):
        error = failure_of(settings, name)
        check_hidden(SECRETS, of_error(error), of_log(log))


@pytest.mark.parametrize("ending", ["\n", "\r\nX-Other: 1", "\u2603"])
def test_a_token_that_is_no_header(ending, transport_name, log):
    with SocketServer(echo) as server:
        settings = with_token(server.url)
        settings.api_key["BearerToken"] += ending
        error = failure_of(settings, transport_name)
        assert server.requests == []
        check_hidden(SECRETS, of_error(error), of_log(log))


@pytest.mark.parametrize("key", [PASSWORD.encode(), b"-----BEGIN PRIVATE KEY-----\n" + BASIC.encode()])
def test_a_client_key_that_is_none(key, transport_name, tmp_path, log):
    authority = Authority.create(tmp_path, "ca")
    certificate, file = authority.issue("alice")
    file.write_bytes(key)
    with SocketServer(echo, authority.server_context("127.0.0.1")) as server:
        settings = with_token(server.url, ssl_ca_cert=str(authority.path), cert_file=str(certificate))
        settings.key_file = str(file)
        error = failure_of(settings, transport_name)
        assert server.requests == []
        check_hidden(SECRETS, of_error(error), of_log(log))


@pytest.mark.parametrize(
    "words", [f"bad token {TOKEN}", f'{{"status": {{"token": "{PASSWORD}"}}}}', f"Authorization: Basic {BASIC}"]
)
def test_a_hook_that_fails_with_what_it_knows(words, transport_name, log):
    def refresh(_settings: Configuration) -> None:
        raise RuntimeError(words)

    with SocketServer(echo) as server:
        settings = Configuration(host=server.url, api_key={"BearerToken": "old-token-of-before"})
        settings.refresh_api_key_hook = refresh
        error = failure_of(settings, transport_name)
        assert "reading the credentials: RuntimeError" in str(error)
        check_hidden([*SECRETS, "old-token-of-before"], of_error(error), of_log(log))


PLUGIN = """\
import os, sys
if os.path.exists({flag!r}):
    {failing}
else:
    print('{{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",'
          '"status":{{"token":"{token}","expirationTimestamp":"2020-01-01T00:00:00Z"}}}}')
"""
FAILING = {
    "it ends with an error": "sys.exit('no login; token: {token}')",
    "no JSON": "print('token={token}')",
    "another version": 'print(\'{{"apiVersion":"{token}","kind":"ExecCredential","status":{{}}}}\')',
}


@pytest.mark.parametrize("how", FAILING)
def test_a_plugin_that_fails_when_its_token_is_too_old(how, transport_name, tmp_path, log, capfd):
    flag, plugin, kubeconfig = (tmp_path / name for name in ("flag", "plugin.py", "kubeconfig"))
    failing = FAILING[how].format(token=TOKEN)
    plugin.write_text(textwrap.dedent(PLUGIN).format(flag=str(flag), failing=failing, token=TOKEN))
    with SocketServer(echo) as server:
        run = {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable, "args": [str(plugin)]}
        named = {"clusters": "cluster", "users": "user", "contexts": "context"}
        inner = {"cluster": {"server": server.url}, "user": {"exec": run}, "context": {"cluster": "c", "user": "c"}}
        written = {key: [{"name": "c", one: inner[one]}] for key, one in named.items()}
        kubeconfig.write_text(yaml.safe_dump({**written, "current-context": "c"}))
        client = config.new_client_from_config(str(kubeconfig))
        assert client.configuration.api_key
        flag.touch()
        transport = make_transport(transport_name, client)
        said = []
        try:
            response = transport.request("/api/v1/pods", [], read_timeout=10.0, connect_timeout=10.0)
            response.close(complete=False)
        except TransportError as error:
            said += of_error(error)
        ours = [record for record in log.records if record.name != "root"]  # the kubernetes package logs to the root
        check_hidden(SECRETS, said, [record.getMessage() for record in ours])


def test_the_command_does_not_repeat_what_a_server_shows(tmp_path):
    kubeconfig = tmp_path / "kubeconfig"
    with SocketServer(unauthorized) as server:
        inner = {"cluster": {"server": server.url}, "user": {"token": TOKEN}, "context": {"cluster": "c", "user": "c"}}
        written = {f"{one}s": [{"name": "c", one: value}] for one, value in inner.items()}
        kubeconfig.write_text(yaml.safe_dump({**written, "current-context": "c"}))
        command = [sys.executable, "-m", "kubeinformer", "watch", "pods", "-v", "--kubeconfig", str(kubeconfig)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert ended.returncode == 1
    assert "not logged in (401)" in ended.stderr
    check_hidden(SECRETS, [ended.stdout, ended.stderr])


def test_a_prepared_request_shows_nothing():
    request = PreparedRequest(None, f"https://admin:{PASSWORD}@host/", {"Authorization": TOKEN}, [TOKEN])
    check_hidden(SECRETS, [repr(request), str(request)])


def test_errors_can_be_pickled_without_it(transport_name):
    with SocketServer(echo) as server:
        url = server.url
    error = failure_of(with_token(url), transport_name)
    assert TOKEN.encode() not in pickle.dumps(error)


def test_what_is_redacted():
    assert redact(f"a {TOKEN} b", [f"Bearer {TOKEN}"]) == "a *** b"
    assert redact("a short one", ["a"]) == "a short one"
    assert redact("at http://admin:pass@proxy:3128/x") == "at http://***@proxy:3128/x"
    assert redact_foreign(f"got {TOKEN}, bad") == "got ***, bad"
    assert redact_foreign("password=1234567890") == "password=***"
    assert redact_foreign('"token": "1234567890", "a": 1') == '"token": "***", "a": 1'
    for harmless in (
        'secrets "db-password" not found',
        'secrets is forbidden: User "system:serviceaccount:a:b" cannot list resource "secrets"',
        "exec: process returned 1. please run: aws sso login",
    ):
        assert redact_foreign(harmless) == harmless
