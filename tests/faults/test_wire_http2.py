# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 frames that break the rules or abuse them: the connection ends with the right error, the server lives on.

h2spec covers the specification's own cases; these are floods, and what lies between HTTP/2 and gRPC.
"""

import random
import socket

import pytest

from harness import nghttp
from harness.raw import GOAWAY, PREFACE, SETTINGS, connect, frame, frames, get, header_block, read_to_end, request_block
from harness.wait import wait_until

DATA, HEADERS, RST_STREAM, SETTINGS_FRAME, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 8, 9
END_STREAM, END_HEADERS = 1, 4
STATUS_400 = 0x8C  # `:status: 400` of HPACK's static table
LIVE = request_block("GET", "/v2/health/live")
INFER = "/v2/models/scalar/infer"


def _talk(server, data: bytes, pieces: int = 1) -> list[tuple[int, int, int, bytes]]:
    """What the server sends until it closes; the client half-closes when it has sent everything."""
    with connect(server) as connection:
        try:
            for _ in range(pieces):
                connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the server has closed in the middle of a flood, as it should
        return frames(read_to_end(connection))


def _goaway(found: list[tuple[int, int, int, bytes]]) -> int | None:
    """The error code of the last GOAWAY."""
    codes = [int.from_bytes(payload[4:8], "big") for kind, _, _, payload in found if kind == GOAWAY]
    return codes[-1] if codes else None


def _answered(found: list[tuple[int, int, int, bytes]], stream: int) -> bool:
    return any(kind == HEADERS and number == stream for kind, _, number, _ in found)


def test_a_good_request_is_answered(models):
    found = _talk(models, PREFACE + SETTINGS + frame(HEADERS, END_HEADERS | END_STREAM, 1, LIVE))
    assert _answered(found, 1) and _goaway(found) in (None, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r",
        b"PRI * HTTP/1.1\r\nHost: x\r\n\r\n",
        PREFACE[1:],
        PREFACE + b"garbage" * 10,
        PREFACE + get("/v2/health/live"),
        PREFACE + frame(HEADERS, END_HEADERS | END_STREAM, 1, LIVE),
        PREFACE + PREFACE,
    ],
    ids=lambda data: repr(data[:40]),
)
def test_a_broken_opening_ends_the_connection(models, data):
    found = _talk(models, data)
    assert not _answered(found, 1)
    assert models.ready()


@pytest.mark.parametrize(
    ("frames_sent", "code"),
    [
        (frame(DATA, 0, 0, b"x"), 1),
        (frame(DATA, 0, 1, b"x"), 1),
        (frame(HEADERS, END_HEADERS, 2, LIVE), 1),
        (frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff\xff"), 9),
        (frame(HEADERS, END_HEADERS, 1, b"\x80"), 9),
        (frame(SETTINGS_FRAME, 0, 1), 1),
        (frame(SETTINGS_FRAME, 0, 0, b"abc"), 6),
        (frame(SETTINGS_FRAME, 0, 0, b"\0\4\x80\0\0\0"), 3),
        (frame(SETTINGS_FRAME, 0, 0, b"\0\5\0\0\0\1"), 1),
        (frame(PING, 0, 0, b"short"), 6),
        (frame(PING, 0, 1, bytes(8)), 1),
        (frame(WINDOW_UPDATE, 0, 0, bytes(4)), 1),
        (frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"), 3),
        (frame(RST_STREAM, 0, 0, bytes(4)), 1),
        (frame(RST_STREAM, 0, 1, bytes(4)), 1),
        (frame(CONTINUATION, END_HEADERS, 1, LIVE), 1),
        (frame(HEADERS, 0, 1, LIVE[:10]) + frame(DATA, 0, 1, b"x"), 1),
        (b"\xff\xff\xff\0\0\0\0\0\1", 6),
        (frame(HEADERS, END_HEADERS | 8, 1, b"\xff" + LIVE), 1),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else repr(value[:16]),
)
def test_a_broken_frame_ends_the_connection_with_its_error(models, frames_sent, code):
    assert _goaway(_talk(models, PREFACE + SETTINGS + frames_sent)) == code
    assert models.ready()


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [(":method", "GET")],
        [(":method", "GET"), (":scheme", "http"), (":path", "")],
        [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":path", "/")],
        [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":unknown", "1")],
        [(":method", "GET"), (":scheme", "http"), ("a", "1"), (":path", "/")],
        [(":method", "GET"), (":scheme", "http"), (":path", "/"), ("Upper", "1")],
        [(":method", "GET"), (":scheme", "http"), (":path", "/"), ("connection", "close")],
        [(":method", "GET"), (":scheme", "http"), (":path", "/"), ("te", "gzip")],
        [(":method", "GET"), (":scheme", "http"), (":path", "/"), ("a", "b\nc")],
        [(":method", "POST"), (":scheme", "http"), (":path", INFER), ("content-length", "-1")],
        [(":method", "POST"), (":scheme", "http"), (":path", INFER), ("content-length", "5")],
    ],
)
def test_a_malformed_request_is_reset_or_refused_and_the_connection_goes_on(models, fields):
    bad = frame(HEADERS, END_HEADERS | END_STREAM, 1, header_block(*fields))
    found = _talk(models, PREFACE + SETTINGS + bad + frame(HEADERS, END_HEADERS | END_STREAM, 3, LIVE))
    first = [(kind, payload) for kind, _, stream, payload in found if stream == 1]
    refused = any(kind == RST_STREAM or (kind == HEADERS and payload[0] == STATUS_400) for kind, payload in first)
    assert refused, found
    assert _answered(found, 3), found


FLOODS = {
    "resets": lambda i: (
        frame(HEADERS, END_HEADERS | END_STREAM, 2 * i + 1, LIVE) + frame(RST_STREAM, 0, 2 * i + 1, b"\0\0\0\x08")
    ),
    "pings": lambda i: frame(PING, 0, 0, bytes(8)),
    "settings": lambda i: SETTINGS,
    "empty data": lambda i: frame(DATA, 0, 1),
    "unknown frames": lambda i: frame(200, 0, 0, b"x" * 10),
    "window updates": lambda i: frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1"),
    "priorities": lambda i: frame(2, 0, 3, b"\0\0\0\1\0"),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_ends_the_connection_or_costs_nothing(models, flood):
    opening = PREFACE + SETTINGS + frame(HEADERS, END_HEADERS, 1, request_block("POST", INFER))
    start = 1 if flood == "resets" else 0
    data = opening + b"".join(FLOODS[flood](i) for i in range(start, 30_000))
    _talk(models, data)
    assert models.ready()
    wait_until(lambda: models.metric("protean_connections") <= 1, "the flood's connection is gone")


def test_rapid_resets_end_the_connection(models):
    data = PREFACE + SETTINGS + b"".join(FLOODS["resets"](i) for i in range(30_000))
    found = _talk(models, data)
    assert _goaway(found) not in (None, 0), "a GOAWAY with an error (CVE-2023-44487)"


def test_an_endless_header_ends_the_connection(models):
    endless = frame(HEADERS, 0, 1, LIVE) + b"".join(frame(CONTINUATION, 0, 1, b"\0\1a\1b" * 200) for _ in range(2000))
    found = _talk(models, PREFACE + SETTINGS + endless)
    assert not _answered(found, 1) or _goaway(found) not in (None, 0)
    empty = frame(HEADERS, 0, 1, LIVE) + frame(CONTINUATION, 0, 1) * 20_000
    assert not _answered(_talk(models, PREFACE + SETTINGS + empty), 1)
    assert models.ready()


def test_a_header_that_unpacks_to_more_than_the_limit_is_refused(models):
    # One indexed field of 4,000 bytes, named again and again by a single byte.
    big = b"\x40\x01x" + b"\x7f\xa1\x1e" + b"v" * 4000
    block = LIVE + big + b"\xbe" * 8000
    found = _talk(models, PREFACE + SETTINGS + frame(HEADERS, END_HEADERS | END_STREAM, 1, block))
    assert not [payload for kind, _, stream, payload in found if kind == HEADERS and stream == 1 and payload[0] == 0x88]
    assert models.ready()


def test_more_data_than_the_window_is_an_error(models):
    head = frame(HEADERS, END_HEADERS, 1, request_block("POST", INFER))
    flood = frame(DATA, 0, 1, b"x" * 16384) * 1024
    found = _talk(models, PREFACE + SETTINGS + head + flood)
    assert any(kind in (RST_STREAM, GOAWAY) for kind, *_ in found) or _answered(found, 1)
    assert models.ready()


def test_a_request_that_is_no_grpc_to_a_grpc_path_and_the_other_way_round(models):
    reply = models.curl.post("/inference.GRPCInferenceService/ModelInfer", b"{}", "--http2-prior-knowledge")
    assert reply.status in (404, 415)
    assert nghttp.call(models, nghttp.framed(b""), INFER)[0] == "12"


@pytest.mark.parametrize("seed", range(6))
def test_random_frames_never_hurt(models, seed):
    dice = random.Random(seed)
    for _ in range(40):
        sent = PREFACE + SETTINGS
        for _ in range(dice.randrange(1, 20)):
            payload = dice.choice([LIVE, dice.randbytes(dice.randrange(40)), b"", bytes(8), bytes(4)])
            sent += frame(
                dice.randrange(11), dice.choice([0, 1, 4, 5, 8, 32]), dice.choice([0, 1, 1, 3, 5, 2]), payload
            )
        _talk(models, sent)
    assert models.ready()
