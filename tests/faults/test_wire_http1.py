# SPDX-License-Identifier: Apache-2.0
"""Bytes that are no HTTP/1.1, or HTTP/1.1 that two servers could read differently: refused, closed, survived."""

import random

import pytest

from harness.raw import connect, exchange, get, parse_answers, read_to_end

BODY = b"{}"
HEAD = b"POST /v2/models/scalar/infer HTTP/1.1\r\nHost: x\r\n"


def _refused(server, data: bytes, *statuses: int) -> None:
    answers = parse_answers(exchange(server, data))
    assert answers and answers[-1].status in statuses, (data[:200], answers)
    assert answers[-1].headers["connection"] == "close"
    assert answers[-1].body.startswith(b'{"error":"')


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0\0\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1 extra\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.\r\nHost: x\r\n\r\n",
        b"GET / HTTP/11\r\nHost: x\r\n\r\n",
        b"GET / http/1.1\r\nHost: x\r\n\r\n",
        b"G(T / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\x7f HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n: empty\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nSpace : 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nBad\x01Name: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nValue: a\0b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nValue: a\rb\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 32 + b"\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(models, data):
    _refused(models, data, 400, 405, 414, 501, 505)


def test_versions_that_do_not_exist_are_refused(models):
    for version in [b"HTTP/9.9", b"HTTP/2.0", b"HTTP/0.9"]:
        _refused(models, b"GET / " + version + b"\r\nHost: x\r\n\r\n", 400, 505)


def test_a_request_needs_exactly_one_host(models):
    _refused(models, b"GET / HTTP/1.1\r\n\r\n", 400)
    _refused(models, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400)
    _refused(models, b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400)
    _refused(models, b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400)


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
        b"Content-Length: 2\r\nContent-Length: 3\r\n",
        b"Content-Length: 2, 3\r\n",
        b"Content-Length: -2\r\n",
        b"Content-Length: +2\r\n",
        b"Content-Length: 0x2\r\n",
        b"Content-Length: 2 2\r\n",
        b"Content-Length: \r\n",
        b"Content-Length: 18446744073709551616\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Transfer-Encoding: chunked, gzip\r\n",
        b"Transfer-Encoding: chunked, chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: \x0bchunked\r\n",
    ],
)
def test_bodies_whose_end_is_ambiguous_are_refused(models, fields):
    smuggled = b"0\r\n\r\n" + get("/v2/health/live")
    data = exchange(models, HEAD + fields + b"\r\n" + smuggled)
    (answer,) = parse_answers(data)
    assert answer.status in (400, 413, 501), data


@pytest.mark.parametrize(
    "chunks",
    [
        b"xyz\r\n",
        b"\r\n\r\n\r\n",
        b"-1\r\n\r\n",
        b"+2\r\n{}\r\n0\r\n\r\n",
        b"0x2\r\n{}\r\n0\r\n\r\n",
        b"2 2\r\n{}\r\n",
        b"2\r\n{}x\r\n0\r\n\r\n",
        b"2\r\n{}\n\n0\r\n\r\n",
        b"2\n{}\r\n0\r\n\r\n",
        b"2;" + b"e" * 100_000,
        b"2\r\n{}\r\n0\r\nBad Trailer\r\n\r\n",
        b"2\r\n{}\r\n0\r\n" + b"T: " + b"t" * 100_000,
    ],
    ids=lambda chunks: repr(chunks[:30]),
)
def test_broken_chunks_are_refused(models, chunks):
    data = exchange(models, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
    (answer,) = parse_answers(data)
    assert answer.status in (400, 413, 431), data
    assert answer.headers["connection"] == "close"


def test_folded_fields_are_refused_or_made_one_line(models):
    data = exchange(models, b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\nA: b\r\n  folded\r\n\r\n")
    (answer,) = parse_answers(data)
    assert answer.status in (200, 400)


def test_nothing_behind_a_refused_request_is_looked_at(models):
    answers = parse_answers(exchange(models, b"bad\r\n\r\n" + get("/v2/health/live")))
    assert [answer.status for answer in answers] == [400]


def test_good_requests_ahead_of_a_bad_one_are_answered(models):
    answers = parse_answers(exchange(models, get("/v2/health/live") * 3 + b"bad\r\n\r\n"))
    assert [answer.status for answer in answers] == [200, 200, 200, 400]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "X" * 100])
def test_methods_that_no_path_takes_are_refused(models, method):
    answers = parse_answers(exchange(models, f"{method} /v2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()))
    assert answers[-1].status in (400, 405, 501), answers


def test_an_upgrade_is_ignored(models):
    fields = ["Connection: Upgrade, HTTP2-Settings, close", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"]
    (answer,) = parse_answers(exchange(models, get("/v2/health/live", *fields)))
    assert answer.status == 200


@pytest.mark.parametrize("seed", range(8))
def test_random_bytes_never_hurt(models, seed):
    dice = random.Random(seed)
    request = get("/v2/health/live", "Connection: close")
    for _ in range(60):
        data = bytearray(request) if dice.random() < 0.7 else bytearray(dice.randbytes(dice.randrange(1, 2000)))
        for _ in range(dice.randrange(6)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        with connect(models) as connection:
            try:
                connection.sendall(data)
                connection.shutdown(1)
            except OSError:
                pass
            read_to_end(connection)
    assert models.ready()
