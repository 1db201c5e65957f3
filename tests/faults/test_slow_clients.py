# SPDX-License-Identifier: Apache-2.0
"""Clients that take their time, stop, leave or never read cost little, are let go of, and no other client notices."""

import json
import select
import socket
import struct
import threading

import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from harness import paths
from harness.curl import infer_path
from harness.grpc_stub import channel, infer_request
from harness.paths import put_model
from harness.raw import (
    PREFACE,
    SETTINGS,
    connect,
    exchange,
    frame,
    frames,
    get,
    parse_answers,
    post,
    read_to_end,
    request_block,
)
from harness.wait import wait_until

SCALAR = json.dumps({"inputs": [{"name": "x", "shape": [], "datatype": "FP32", "data": [1]}]}).encode()
SLOW = json.dumps({"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 6]}]}).encode()
INFER = infer_path("scalar")
CLOSE = "Connection: close"


def _drip(connection: socket.socket, data: bytes) -> bytes:
    """Sends a byte whenever 20 ms have brought no answer; what came until the server closed."""
    for at in range(len(data)):
        readable, _, _ = select.select([connection], [], [], 0.02)
        if readable:
            break
        try:
            connection.send(data[at : at + 1])
        except OSError:
            break
    else:
        raise AssertionError("the server took it all")
    return read_to_end(connection)


def test_a_header_that_drips_is_given_up(hasty):
    request = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 3000
    with connect(hasty) as connection:
        (answer,) = parse_answers(_drip(connection, request))
    assert answer.status == 408 and b"header-time-max" in answer.body and answer.headers["connection"] == "close"


def test_a_header_that_stops_is_given_up(hasty):
    for start in [b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n"]:
        (answer,) = parse_answers(exchange(hasty, start))
        assert answer.status == 408, start


def test_a_body_that_stops_is_given_up(hasty):
    for body in [b"", b"{"]:
        request = post(INFER, SCALAR)[: -len(SCALAR)] + body
        (answer,) = parse_answers(exchange(hasty, request))
        assert answer.status == 408 and b"body-idle-max" in answer.body
    chunked = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab".encode()
    assert parse_answers(exchange(hasty, chunked))[0].status == 408


def test_a_slow_body_that_keeps_coming_is_waited_for(hasty):
    request = post(INFER, SCALAR, CLOSE)
    with connect(hasty) as connection:
        connection.sendall(request[: -len(SCALAR)])
        for at in range(len(SCALAR)):
            # In all this takes longer than a silent client is granted.
            assert select.select([connection], [], [], 0.01)[0] == []
            connection.send(SCALAR[at : at + 1])
        (answer,) = parse_answers(read_to_end(connection))
    assert answer.status == 200


def test_silent_and_idle_connections_are_closed(hasty):
    assert exchange(hasty, b"") == b""
    (answer,) = parse_answers(exchange(hasty, get("/v2/health/live")))
    assert answer.status == 200


@pytest.mark.parametrize(
    "data",
    [PREFACE[:10], PREFACE, PREFACE + SETTINGS, PREFACE + SETTINGS + frame(1, 0, 1, b"\x82")],
    ids=["half a preface", "preface", "settings", "half a header"],
)
def test_an_http2_client_that_stops_is_let_go(hasty, data):
    exchange(hasty, data)  # comes back once the server has closed
    assert hasty.ready()


def test_an_http2_body_that_stops_is_given_up(hasty):
    head = request_block("POST", INFER, ("content-length", "9"))
    with connect(hasty) as connection:
        connection.sendall(PREFACE + SETTINGS + frame(1, 4, 1, head) + frame(0, 0, 1, b"{"))
        found = frames(read_to_end(connection))
    # Answered with 408, or reset: either ends the stream before the idle connection is closed.
    assert any(stream == 1 and kind in (1, 3) for kind, _, stream, _ in found), found


def test_a_handshake_that_stops_is_given_up(hasty_tls):
    before = hasty_tls.metric("protean_tls_handshake_failures_total")
    for data in [b"", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)) * 4]:
        with socket.create_connection((hasty_tls.host, hasty_tls.port), timeout=30) as connection:
            connection.sendall(data)
            read_to_end(connection)
    wait_until(lambda: hasty_tls.metric("protean_tls_handshake_failures_total") >= before + 4, "four failures")


def test_a_watcher_may_be_idle_for_ever(hasty):
    heard: list = []

    def watch() -> None:
        with channel(hasty.authority) as opened:
            try:
                for reply in health_pb2_grpc.HealthStub(opened).Watch(health_pb2.HealthCheckRequest(), timeout=4):
                    heard.append(reply.status)
            except Exception as error:
                heard.append(error.code().name)

    watcher = threading.Thread(target=watch)
    watcher.start()
    wait_until(lambda: heard, "the first answer")
    for _ in range(3):
        exchange(hasty, b"")  # each takes as long as an idle connection is kept
    assert heard == [1]
    watcher.join()
    assert heard == [1, "DEADLINE_EXCEEDED"], "only the client's own deadline ended it"


def test_a_client_that_never_reads_is_let_go(hasty):
    tensor = {"name": "x", "shape": [200000], "datatype": "FP32", "data": [0.5] * 200000}
    request = post(infer_path("identity_large"), json.dumps({"inputs": [tensor]}).encode())
    before = hasty.metric("protean_connections")
    with connect(hasty, receive_buffer=4096) as connection:
        connection.setblocking(False)
        unsent = request * 8

        def left() -> bool:
            nonlocal unsent
            try:
                if unsent:
                    unsent = unsent[connection.send(unsent) :]
            except BlockingIOError:
                pass
            except OSError:
                return True
            return hasty.metric("protean_connections") <= before and not unsent

        wait_until(left, "the connection is closed")
        assert hasty.metric("protean_transport_refusals_total", cause="timeout") >= 1
    assert hasty.ready()


def _http2_client_that_never_reads(server) -> socket.socket:
    """Asks for an answer larger than the window it grants, which is none."""
    head = request_block("GET", "/docs")
    connection = connect(server)
    no_window = frame(4, 0, 0, (4).to_bytes(2, "big") + bytes(4))
    connection.sendall(PREFACE + no_window + frame(1, 5, 1, head))
    return connection


def test_an_http2_client_that_grants_no_window_is_let_go(hasty):
    with _http2_client_that_never_reads(hasty) as connection:
        found = frames(read_to_end(connection))
    assert any(kind == 1 and stream == 1 for kind, _, stream, _ in found)
    assert hasty.ready()


def test_a_client_that_stops_sending_has_left(models):
    (answer,) = parse_answers(exchange(models, post(infer_path("slow"), SLOW), half_close=True))
    assert answer.status == 499 and b"left" in answer.body


def test_a_client_that_stops_sending_gets_its_answer_when_told_so(start_server):
    models = start_server(paths.TEST_MODELS, "--half-close-cancels=false")
    (answer,) = parse_answers(exchange(models, post(infer_path("slow"), SLOW), half_close=True))
    assert answer.status == 200
    data = exchange(models, post(infer_path("slow"), SLOW) * 3 + get("/v2/health/live"), half_close=True)
    assert [answer.status for answer in parse_answers(data)] == [200] * 4


def test_a_client_that_ends_inside_its_request_is_let_go(models):
    request = post(INFER, SCALAR)
    for size in [1, 30, len(request) - len(SCALAR), len(request) - 1]:
        for answer in parse_answers(exchange(models, request[:size], half_close=True)):
            assert answer.status == 400
    assert models.ready()


def _reset(connection: socket.socket) -> None:
    """Closes with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _send_to_all(server, connections: list[socket.socket], data: bytes) -> None:
    """Until the server has read it all."""
    received = server.metric("protean_received_bytes_total")
    for connection in connections:
        connection.sendall(data)
    wanted = received + len(connections) * len(data)
    wait_until(lambda: server.metric("protean_received_bytes_total") >= wanted, "the server has read it all")


def test_clients_that_reset_inside_a_body_give_their_memory_back(start_server):
    server = start_server(paths.TEST_MODELS, "--body-bytes-max", "1MiB", "--request-memory-max", "4MiB")
    body = SCALAR + b" " * ((1 << 20) - len(SCALAR))
    for _ in range(5):
        held = [connect(server) for _ in range(4)]
        _send_to_all(server, held, post(INFER, body)[:500_000])
        for connection in held:
            _reset(connection)
        # All of the memory is needed again for this.
        wait_until(lambda: server.curl.post(INFER, body).status == 200, "memory for a whole body")


def test_requests_of_clients_that_left_are_dropped_before_they_run(start_server, tmp_path):
    folder = tmp_path / "models"
    put_model(folder, "slow.onnx", paths.TEST_MODELS / "slow.onnx")
    server = start_server(folder, "--run-threads", "1")
    held = [connect(server) for _ in range(30)]
    _send_to_all(server, held, post(infer_path("slow"), SLOW))
    for connection in held:
        _reset(connection)
    assert server.curl.post(infer_path("slow"), SLOW).status == 200
    runs = server.metric("protean_batch_rows_count", model="slow")
    dropped = server.metric("protean_cancelled_requests_total", model="slow")
    assert runs + dropped == 31 and dropped >= 1, (runs, dropped)


def test_grpc_clients_that_vanish_harm_nothing(models):
    request = infer_request("slow", [("x", "FP32", np.zeros((1, 4), np.float32))], typed=False)
    message = request.SerializeToString()
    path = "/inference.GRPCInferenceService/ModelInfer"
    head = request_block("POST", path, ("content-type", "application/grpc"), ("te", "trailers"))
    body = b"\0" + len(message).to_bytes(4, "big") + message
    for cut in [1, 20]:
        connections = [connect(models) for _ in range(10)]
        for connection in connections:
            streams = [frame(1, 4, 1 + 2 * i, head) + frame(0, 1, 1 + 2 * i, body) for i in range(5)]
            connection.sendall(PREFACE + SETTINGS + b"".join(streams)[:-cut])
        for connection in connections:
            _reset(connection)
    assert models.curl.post(INFER, SCALAR).status == 200
    wait_until(lambda: models.metric("protean_connections") <= 1, "all connections are gone")
