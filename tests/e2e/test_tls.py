# SPDX-License-Identifier: Apache-2.0
"""TLS: which versions and protocols are spoken, certificates renewed while running, clients that do not speak it."""

import socket
import ssl

import pytest
import tritonclient.http

from harness import paths
from harness.certificates import make_certificate
from harness.grpc_stub import Stub, channel
from harness.raw import connect, exchange, get, parse_answers
from harness.wait import wait_until


def _name_shown(server) -> str:
    """The common name of the certificate that new connections get."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((server.host, server.port), timeout=30) as plain,
        context.wrap_socket(plain) as secured,
    ):
        der = secured.getpeercert(binary_form=True)
    return "renewed" if b"renewed" in der else "server"


@pytest.mark.parametrize(("flags", "version"), [(["--http1.1"], "1.1"), (["--http2"], "2"), (["--no-alpn"], "1.1")])
def test_alpn_decides_the_protocol(examples_tls, flags, version):
    reply = examples_tls.curl.get("/v2/health/ready", *flags)
    assert (reply.status, reply.version) == (200, version)


@pytest.mark.parametrize("flags", [["--tlsv1.2", "--tls-max", "1.2"], ["--tlsv1.3"]], ids=["1.2", "1.3"])
def test_tls_1_2_and_1_3_are_spoken(examples_tls, flags):
    assert examples_tls.curl.get("/v2/health/ready", *flags).status == 200


def test_older_versions_are_refused(examples_tls):
    reply = examples_tls.curl.get(
        "/v2/health/ready", "--tlsv1.0", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0"
    )
    assert reply.exit_code == 35, reply


def test_a_client_that_speaks_clear_text_is_turned_away(examples_tls):
    with socket.create_connection((examples_tls.host, examples_tls.port), timeout=30) as connection:
        connection.sendall(get("/v2/health/live"))
        data = connection.recv(65536)
    assert b"200 OK" not in data
    assert examples_tls.ready()


def test_a_client_that_speaks_tls_to_a_clear_port_is_turned_away(examples):
    context = ssl.create_default_context()
    with socket.create_connection((examples.host, examples.port), timeout=30) as plain:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(plain, server_hostname="127.0.0.1")
    assert examples.ready()


def test_tritonclient_speaks_tls(examples_tls):
    client = tritonclient.http.InferenceServerClient(
        examples_tls.authority, ssl=True, ssl_options={"ca_certs": str(examples_tls.certificate)}
    )
    with client:
        assert client.is_server_ready() and client.get_server_metadata()["name"] == "protean"


def test_requests_on_one_connection_are_answered_in_order(examples_tls):
    data = exchange(examples_tls, get("/v2/health/live") * 9 + get("/v2/health/ready", "Connection: close"))
    assert [answer.body for answer in parse_answers(data)] == [b'{"live":true}'] * 9 + [b'{"ready":true}']


def test_a_renewed_certificate_is_used_without_a_restart(start_server, tmp_path):
    certificate, key = make_certificate(tmp_path)
    server = start_server(paths.EXAMPLE_MODELS, tls=(certificate, key))
    assert _name_shown(server) == "server"
    with connect(server) as kept, channel(server.authority, certificate) as connection:
        assert Stub(connection).ServerReady().ready
        old = certificate.read_bytes()
        folder = tmp_path / "new"
        folder.mkdir()
        new_certificate, new_key = make_certificate(folder, "renewed")
        new_key.rename(key)
        new_certificate.rename(certificate)
        wait_until(lambda: _name_shown(server) == "renewed", "the new certificate is shown")
        # Connections that were open stay open.
        kept.sendall(get("/v2/health/ready", "Connection: close"))
        assert kept.recv(65536).startswith(b"HTTP/1.1 200")
        assert Stub(connection).ServerReady().ready
        assert certificate.read_bytes() != old


def test_a_broken_certificate_on_disk_leaves_the_old_one_in_use(start_server, tmp_path):
    certificate, key = make_certificate(tmp_path)
    kept = tmp_path / "kept.crt"
    kept.write_bytes(certificate.read_bytes())
    server = start_server(paths.EXAMPLE_MODELS, tls=(certificate, key))
    server.certificate = kept
    certificate.write_text("not PEM")
    wait_until(
        lambda: [line for line in server.log_lines() if line["level"] in ("warning", "error")], "a line about it"
    )
    assert server.ready() and _name_shown(server) == "server"
