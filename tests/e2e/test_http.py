# SPDX-License-Identifier: Apache-2.0
"""HTTP as such: keep-alive, pipelining, chunked bodies, 100-continue, HTTP/1.0, many streams, load from h2load."""

import json
import re
import subprocess

import pytest

from harness.curl import HTTP2, infer_path
from harness.paths import tool
from harness.raw import connect, exchange, get, parse_answers, post, read_answer, read_to_end

IRIS = json.dumps(
    {"inputs": [{"name": "measurements", "shape": [1, 4], "datatype": "FP32", "data": [5, 3, 1, 0]}]}
).encode()
INFER = "/v2/models/iris/infer"
CLOSE = "Connection: close"


def test_a_connection_is_kept_until_the_client_says_close(examples):
    with connect(examples) as connection:
        for _ in range(5):
            connection.sendall(post(INFER, IRIS))
            answer = read_answer(connection)
            assert answer.status == 200 and answer.headers.get("connection") != "close"
        connection.sendall(post(INFER, IRIS, CLOSE))
        (last,) = parse_answers(read_to_end(connection))
        assert last.headers["connection"] == "close"


def test_pipelined_requests_are_answered_in_order(examples):
    requests = [
        post(INFER, IRIS),
        get("/v2/health/live"),
        post(INFER, b"{"),
        get("/nothing"),
        get("/v2/models/iris"),
    ] * 8
    answers = parse_answers(exchange(examples, b"".join(requests) + get("/v2/health/ready", CLOSE)))
    assert [answer.status for answer in answers] == [200, 200, 400, 404, 200] * 8 + [200]


def test_more_pipelined_requests_than_may_be_owed_are_all_answered(examples):
    data = exchange(examples, post(INFER, IRIS) * 500 + get("/v2/health/ready", CLOSE))
    assert [answer.status for answer in parse_answers(data)] == [200] * 501


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_request_may_arrive_in_pieces_of_any_size(examples, size):
    request = post(INFER, IRIS, CLOSE)
    with connect(examples) as connection:
        for at in range(0, len(request), size):
            connection.send(request[at : at + size])
        (answer,) = parse_answers(read_to_end(connection))
    assert answer.status == 200


def _chunked(pieces: list[bytes], trailer: bytes = b"") -> bytes:
    head = f"POST {INFER} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n{CLOSE}\r\n\r\n".encode()
    chunks = b"".join(f"{len(piece):x}".encode() + b";note=1\r\n" + piece + b"\r\n" for piece in pieces)
    return head + chunks + b"0\r\n" + trailer + b"\r\n"


def test_chunked_bodies_of_any_cut_are_put_together(examples):
    for pieces in [[IRIS], [IRIS[:1], IRIS[1:]], [IRIS[i : i + 1] for i in range(len(IRIS))]]:
        (answer,) = parse_answers(exchange(examples, _chunked(pieces)))
        assert answer.status == 200
    (answer,) = parse_answers(exchange(examples, _chunked([IRIS], b"X-Checksum: 1\r\n")))
    assert answer.status == 200


def test_curl_uploads_chunked_with_expect_continue(models):
    body = json.dumps({"inputs": [{"name": "x", "shape": [300000], "datatype": "FP32", "data": [0.5] * 300000}]})
    fields = ["-H", "Expect: 100-continue", "-H", "Transfer-Encoding: chunked", "--http1.1"]
    reply = models.curl.post(infer_path("identity_large"), body, *fields)
    assert (reply.status, reply.interim) == (200, [100])


def test_expect_continue_is_answered_before_the_body_comes(examples):
    request = post(INFER, IRIS, "Expect: 100-continue", CLOSE)
    head, _, body = request.partition(b"\r\n\r\n")
    with connect(examples) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert read_answer(connection).status == 100
        connection.sendall(body)
        (answer,) = parse_answers(read_to_end(connection))
    assert answer.status == 200


def test_a_body_over_its_limit_is_refused_instead_of_continued(examples):
    head = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n".encode()
    (answer,) = parse_answers(exchange(examples, head))
    assert answer.status == 413 and b"body-bytes-max" in answer.body


def test_http_1_0_is_answered_and_closed(examples):
    request = post(INFER, IRIS).replace(b"HTTP/1.1", b"HTTP/1.0")
    (answer,) = parse_answers(exchange(examples, request))
    assert answer.status == 200 and answer.headers.get("connection", "close") == "close"
    with connect(examples) as connection:
        connection.sendall(get("/v2/health/live", "Connection: keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0"))
        answer = read_answer(connection)
        assert (answer.status, answer.headers["connection"]) == (200, "keep-alive")
        connection.sendall(get("/v2/health/live", CLOSE))
        assert read_answer(connection).status == 200


def test_http_1_0_without_a_host_is_answered(examples):
    (answer,) = parse_answers(exchange(examples, b"GET /v2/health/live HTTP/1.0\r\n\r\n"))
    assert answer.status == 200


def test_an_absolute_target_is_understood(examples):
    request = get("/v2/health/live", CLOSE).replace(b"GET /", f"GET {examples.url}/".encode())
    (answer,) = parse_answers(exchange(examples, request))
    assert answer.status == 200


def test_every_answer_has_a_date_and_a_length(examples):
    for path in ["/v2", "/nothing", "/metrics", "/docs"]:
        headers = examples.curl.get(path).headers
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", headers["date"]), path
        assert headers["content-length"].isdigit() and headers["content-type"], path


def _h2load(server, *args: str) -> str:
    command = [tool("h2load"), *args, f"{server.url}{INFER}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("protocol", [["--h1"], []], ids=["HTTP/1.1", "HTTP/2"])
def test_two_thousand_requests_of_h2load_all_succeed(examples, tmp_path, protocol):
    body = tmp_path / "iris.json"
    body.write_bytes(IRIS)
    text = _h2load(
        examples, *protocol, "-n2000", "-c16", "-m8", f"--data={body}", "-H", "content-type: application/json"
    )
    assert "2000 succeeded, 0 failed, 0 errored" in text and "2000 2xx" in text, text


def test_nghttp_gets_many_streams_on_one_connection(examples):
    urls = [f"{examples.url}/v2/models/iris"] * 50
    done = subprocess.run([tool("nghttp"), "-s", "-n", *urls], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert examples.curl.get("/v2/models/iris", *HTTP2).version == "2"
