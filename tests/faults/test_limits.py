# SPDX-License-Identifier: Apache-2.0
"""Sizes and counts: what is over a limit is refused by name, at the limit or before, and the rest goes on."""

import contextlib
import gzip
import json
import select
import struct
import threading
import zlib

import grpc
import numpy as np
import pytest
import zstandard

from harness import nghttp, paths
from harness.curl import HTTP1, HTTP2, infer_path
from harness.grpc_stub import Stub, channel, infer_request
from harness.paths import put_model
from harness.raw import (
    GOAWAY,
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
INFER = infer_path("scalar")
CLOSE = "Connection: close"
MIB = 1 << 20


def _alive(server) -> None:
    assert server.curl.post(INFER, SCALAR).status == 200


@pytest.mark.parametrize("flags", [HTTP1, HTTP2], ids=["HTTP/1.1", "HTTP/2"])
def test_a_body_over_its_limit_is_refused(small, flags):
    reply = small.curl.post(INFER, SCALAR + b" " * MIB, *flags)
    assert reply.status == 413, reply
    assert "body-bytes-max" in reply.error() and "1048576" in reply.error()
    at_limit = SCALAR + b" " * (MIB - len(SCALAR))
    assert small.curl.post(INFER, at_limit, *flags).status == 200


@pytest.mark.parametrize("flags", [HTTP1, HTTP2], ids=["HTTP/1.1", "HTTP/2"])
def test_a_body_of_unknown_length_is_refused_at_the_limit(small, flags):
    reply = small.curl.post(
        INFER, SCALAR + b" " * MIB, "-H", "Transfer-Encoding: chunked", "-H", "Content-Length:", *flags
    )
    assert reply.status == 413, reply


@pytest.mark.parametrize("length", ["10000000000", "1048577", "9223372036854775807", "18446744073709551615"])
def test_a_huge_declared_length_is_refused_before_the_body(small, length):
    head = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode()
    (answer,) = parse_answers(exchange(small, head))
    assert answer.status == 413 and answer.headers["connection"] == "close"
    _alive(small)


@pytest.mark.parametrize("size", [b"100001", b"7fffffffffffffff", b"ffffffffffffffff"])
def test_a_huge_chunk_is_refused_before_its_bytes(small, size):
    head = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    (answer,) = parse_answers(exchange(small, head + size + b"\r\n"))
    assert answer.status == 413, answer
    (answer,) = parse_answers(exchange(small, head + b"1" + b"0" * 16 + b"\r\n"))
    assert answer.status in (400, 413), answer
    _alive(small)


def test_too_many_chunks_are_refused(small):
    head = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    (answer,) = parse_answers(exchange(small, head + b"1\r\n \r\n" * 1001))
    assert answer.status == 413 and b"chunks-max" in answer.body
    pieces = SCALAR + b" " * (1000 - len(SCALAR))
    body = b"".join(b"1\r\n" + pieces[i : i + 1] + b"\r\n" for i in range(1000)) + b"0\r\n\r\n"
    (answer,) = parse_answers(exchange(small, head.replace(b"Host: x", b"Host: x\r\nConnection: close") + body))
    assert answer.status == 200


@pytest.mark.parametrize("flags", [HTTP1, HTTP2], ids=["HTTP/1.1", "HTTP/2"])
def test_an_oversized_header_is_refused(small, flags):
    for fields in [["-H", "X-Big: " + "a" * 9000], [part for i in range(900) for part in ("-H", f"x{i}: 123456")]]:
        reply = small.curl.get("/v2/health/live", *flags, *fields)
        assert reply.status == 431, reply
        assert "header-bytes-max" in reply.error()
    assert small.curl.get("/v2/health/live", *flags, "-H", "X-Big: " + "a" * 6000).status == 200


def test_an_endless_request_line_is_refused(small):
    (answer,) = parse_answers(exchange(small, b"GET /" + b"a" * 100_000))
    assert answer.status in (414, 431)
    (answer,) = parse_answers(exchange(small, b"A" * 100_000))
    assert answer.status in (400, 414, 431)


def test_an_endless_field_is_refused_before_its_end(small):
    (answer,) = parse_answers(exchange(small, b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000))
    assert answer.status == 431


BOMBS = {
    "gzip": lambda size: gzip.compress(bytes(size), 9),
    "deflate": lambda size: zlib.compress(bytes(size), 9),
    "zstd": lambda size: zstandard.ZstdCompressor(write_content_size=False).compress(bytes(size)),
    "zstd, size announced": lambda size: zstandard.compress(bytes(size)),
    "gzip, many members": lambda size: gzip.compress(bytes(size // 64), 9) * 64,
}


@pytest.mark.parametrize("flags", [HTTP1, HTTP2], ids=["HTTP/1.1", "HTTP/2"])
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_at_the_limit(small, bomb, flags):
    body = BOMBS[bomb](64 * MIB)
    assert len(body) < MIB
    reply = small.curl.post(INFER, body, "-H", f"Content-Encoding: {bomb.partition(',')[0]}", *flags)
    assert reply.status == 413 and reply.error(), reply
    _alive(small)


def test_a_zstd_frame_that_announces_the_impossible_costs_nothing(small):
    # Magic, a descriptor with an eight-byte content size and no window, a size of 2^63, then nothing of it.
    body = b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 2**63) + b"\x01\x00\x00"
    reply = small.curl.post(INFER, body, "-H", "Content-Encoding: zstd")
    assert reply.status in (400, 413), reply


def test_a_grpc_bomb_is_refused_at_the_limit(small):
    bomb = gzip.compress(bytes(64 * MIB), 9)
    status, _ = nghttp.call(small, nghttp.framed(bomb, 1), grpc_encoding="gzip")
    assert status == "8"
    _alive(small)


@pytest.mark.parametrize("length", [2**32 - 1, 2**31, MIB + 1])
def test_a_grpc_message_that_announces_too_much_is_refused(small, length):
    assert nghttp.call(small, b"\0" + struct.pack(">I", length) + b"abc")[0] == "8"
    _alive(small)


def test_grpc_frames_that_do_not_add_up_are_refused(small):
    for data in [
        b"",
        b"\0",
        b"\0\0\0\0",
        b"\0\0\0\0\x05abc",
        b"\2\0\0\0\0",
        b"\0\0\0\0\0\0\0\0\0\0",
        b"\1\0\0\0\x03abc",
    ]:
        status, text = nghttp.call(small, data)
        assert status in ("3", "12", "13") and text, (data, status)
    _alive(small)


def test_a_large_grpc_message_is_refused_with_its_limit(small):
    request = infer_request("identity_large", [("x", "FP32", np.zeros(MIB, np.float32))], typed=False)
    with channel(small.authority) as connection, pytest.raises(grpc.RpcError) as caught:
        Stub(connection).call("ModelInfer", request)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "body-bytes-max" in caught.value.details()


def test_connections_over_the_limit_are_closed_at_once_and_room_is_used_again(start_server):
    server = start_server(paths.TEST_MODELS, "--connections-max", "20")
    held: list = []

    def hold_one_more() -> bool:
        # The client that waited for readiness may still be counted, so the first tries may fail.
        connection = connect(server)
        connection.sendall(get("/v2/health/live"))
        with contextlib.suppress(ConnectionError):
            if connection.recv(4096).startswith(b"HTTP/1.1 200"):
                held.append(connection)
        return len(held) == 20

    wait_until(hold_one_more, "twenty connections")
    for _ in range(5):
        assert exchange(server, get("/v2/health/live")) == b""
    held.pop().close()
    wait_until(server.ready, "room for one connection")
    assert server.metric("protean_connections_refused_total") >= 5
    for connection in held:
        connection.sendall(get("/v2/health/live"))
        assert connection.recv(4096).startswith(b"HTTP/1.1 200"), "those inside were not disturbed"
        connection.close()


def test_the_number_of_streams_is_announced_and_enforced(small):
    headers = request_block("POST", INFER)
    with connect(small) as connection:
        connection.sendall(PREFACE + SETTINGS)
        # Requests that never end occupy their streams.
        connection.sendall(b"".join(frame(1, 4, 1 + 2 * i, headers) for i in range(12)) + frame(GOAWAY, 0, 0, bytes(8)))
        connection.shutdown(1)
        found = frames(read_to_end(connection))
    settings = next(payload for kind, flags, _, payload in found if kind == 4 and not flags)
    assert (3).to_bytes(2, "big") + (10).to_bytes(4, "big") in settings
    refused = {stream for kind, _, stream, payload in found if kind == 3 and payload == (7).to_bytes(4, "big")}
    assert {21, 23} <= refused, found
    _alive(small)


def test_grpcio_queues_calls_over_the_number_of_streams(small):
    request = infer_request("scalar", [("x", "FP32", np.array(1, np.float32))], typed=True)
    with channel(small.authority) as connection:
        method = Stub(connection).method("ModelInfer")
        calls = [method.future(request, timeout=60) for _ in range(100)]
        assert all(call.result().outputs for call in calls)


def test_a_full_queue_says_so_and_serves_what_it_took(start_server, tmp_path):
    folder = tmp_path / "models"
    put_model(folder, "slow.onnx", paths.TEST_MODELS / "slow.onnx")
    server = start_server(folder, "--run-threads", "1", "--queue-max", "2")
    body = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 6]}]}
    replies: list = []
    threads = [threading.Thread(target=lambda: replies.append(server.curl.infer("slow", body))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = [reply.status for reply in replies]
    assert set(statuses) == {200, 429} and statuses.count(200) >= 3
    refused = next(reply for reply in replies if reply.status == 429)
    assert "slow" in refused.error() and "2" in refused.error()


def test_bodies_in_flight_are_bounded_together_and_room_is_given_back(small):
    # Seven bodies of nearly a mebibyte fit into eight; what announces more than the rest must be refused.
    head = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: {MIB}\r\n\r\n".encode()
    held = [connect(small) for _ in range(20)]
    for connection in held:
        connection.sendall(head + b" " * 1000)
    wait_until(lambda: small.metric("protean_transport_refusals_total", cause="memory") >= 12, "refusals")
    answers: list = []

    def arrived() -> bool:
        for connection in select.select(held, [], [], 0)[0]:
            held.remove(connection)
            answers.extend(parse_answers(read_to_end(connection)))
            connection.close()
        return len(answers) >= 12

    wait_until(arrived, "twelve answers")
    assert {answer.status for answer in answers} == {503} and len(answers) <= 13
    for connection in held:
        connection.close()
    wait_until(lambda: small.curl.post(INFER, SCALAR + b" " * (MIB - len(SCALAR))).status == 200, "room again")


def test_more_answers_than_may_be_unsent_stop_the_reading_and_lose_nothing(small):
    tensor = {"name": "x", "shape": [20000], "datatype": "FP32", "data": [0.5] * 20000}
    body = json.dumps({"inputs": [tensor]}).encode()
    request = post(infer_path("identity_large"), body)
    count = 50
    with connect(small, receive_buffer=4096) as connection:
        sender = threading.Thread(
            target=lambda: connection.sendall(request * count + get("/v2/health/live", CLOSE)), daemon=True
        )
        sender.start()
        answers = parse_answers(read_to_end(connection))
        sender.join()
    assert [answer.status for answer in answers] == [200] * (count + 1)


def test_pipelining_deeper_than_allowed_is_served_step_by_step(small):
    data = exchange(small, post(INFER, SCALAR) * 200 + get("/v2/health/live", CLOSE))
    assert [answer.status for answer in parse_answers(data)] == [200] * 201
