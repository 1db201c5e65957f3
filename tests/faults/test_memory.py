# SPDX-License-Identifier: Apache-2.0
"""Memory stays within what is configured, whatever is sent. Needs a build without sanitizers; theirs is not ours."""

import contextlib
import gzip
import json
import resource
import threading

import pytest
import zstandard

from harness import paths
from harness.curl import infer_path
from harness.raw import PREFACE, SETTINGS, connect, frame, get, parse_answers, post, read_to_end, request_block
from harness.server import serving
from harness.wait import wait_until

MIB = 1 << 20
SLACK = 96 * MIB
CLIENTS = 50


@pytest.fixture
def serve_plain(tmp_path):
    """Starts a server of a build without sanitizers; skips where there is none."""
    program = paths.plain_binary()
    if program is None:
        pytest.skip("no build without sanitizers: their memory says nothing about the server's (./dev build release)")
    with contextlib.ExitStack() as stack:
        yield lambda *flags: stack.enter_context(
            serving(tmp_path / "server", paths.TEST_MODELS, "--connections-max", "5000", *flags, program=program)
        )


def _send_all(server, data: bytes, clients: int = CLIENTS) -> list[bytes]:
    """The same bytes from many clients at once; what each got back."""
    replies: list[bytes] = []

    def talk() -> None:
        with connect(server) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(data)
            replies.append(read_to_end(connection))

    threads = [threading.Thread(target=talk) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return replies


BODY_MAX = 16 * MIB
BOUND = 64 * MIB
BOUNDS = ["--body-bytes-max", "16MiB", "--request-memory-max", "64MiB", "--io-threads", "2", "--chunks-max", "100000"]


def _check_bound(server, request: bytes, bound: int) -> None:
    """Every client is answered, with an error, and memory stays below `bound` and the slack."""
    before = server.memory_bytes()
    statuses = [answer.status for reply in _send_all(server, request) for answer in parse_answers(reply)]
    assert len(statuses) == CLIENTS and set(statuses) <= {400, 413, 503}
    grown = server.memory_bytes("VmHWM") - before
    assert grown <= bound + SLACK, f"{grown // MIB} MiB, at most {(bound + SLACK) // MIB} expected"
    assert server.curl.get("/v2/health/ready").status == 200


def test_fifty_large_binary_bodies_at_once_stay_within_the_bound(serve_plain):
    raw = bytes(15 * MIB)
    tensor = {"name": "wrong", "shape": [len(raw) // 4], "datatype": "FP32"}
    text = json.dumps({"inputs": [tensor | {"parameters": {"binary_data_size": len(raw)}}]}).encode()
    fields = [f"Inference-Header-Content-Length: {len(text)}", "Connection: close"]
    _check_bound(serve_plain(*BOUNDS), post(infer_path("identity_large"), text + raw, *fields), BOUND)


@pytest.mark.parametrize("framing", ["content-length", "chunked"])
def test_fifty_large_json_bodies_at_once_stay_within_the_bound(serve_plain, framing):
    # Each I/O thread parses one body at a time and takes some five times its size for that.
    bound = BOUND + 2 * 6 * BODY_MAX
    body = b"[" * (15 * MIB)
    request = post(infer_path("identity_large"), body, "Connection: close")
    if framing == "chunked":
        head = f"POST {infer_path('identity_large')} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        piece = b"10000\r\n" + body[:65536] + b"\r\n"
        request = head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + piece * (len(body) // 65536) + b"0\r\n\r\n"
    _check_bound(serve_plain(*BOUNDS), request, bound)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_fifty_bombs_at_once_stay_within_the_bound(serve_plain, coding):
    encode = {"gzip": gzip.compress, "zstd": zstandard.compress}[coding]
    request = post(
        infer_path("identity_large"), encode(bytes(64 * MIB)), f"Content-Encoding: {coding}", "Connection: close"
    )
    _check_bound(serve_plain(*BOUNDS), request, BOUND)


def test_answers_that_nobody_reads_stay_within_the_bound(serve_plain):
    server = serve_plain("--output-bytes-max", "1MiB", "--request-memory-max", "64MiB", "--body-bytes-max", "4MiB")
    before = server.memory_bytes()
    tensor = {"name": "x", "shape": [100000], "datatype": "FP32", "data": [0.5] * 100000}
    request = post(infer_path("identity_large"), json.dumps({"inputs": [tensor]}).encode())
    held = [connect(server, receive_buffer=4096) for _ in range(20)]
    for connection in held:
        connection.setblocking(False)
    unsent = {connection: request * 40 for connection in held}

    def stuck() -> bool:
        moved = False
        for connection, data in unsent.items():
            with contextlib.suppress(BlockingIOError):
                if data:
                    unsent[connection] = data[connection.send(data) :]
                    moved = True
        return not moved

    wait_until(lambda: all(stuck() for _ in range(5)), "the server reads no further")
    # Each connection owes at most its limit and one answer, kept as JSON of about half a mebibyte.
    assert server.memory_bytes("VmHWM") <= before + 20 * 4 * MIB + 64 * MIB + SLACK
    for connection in held:
        connection.close()
    assert server.curl.get("/v2/health/ready").status == 200


def _hold(server, count: int, data: bytes, first_byte: bytes) -> list:
    held = []
    for _ in range(count):
        connection = connect(server)
        connection.sendall(data)
        held.append(connection)
    for connection in held:
        assert connection.recv(65536).startswith(first_byte)
    return held


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 8192), hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


IDLE = {
    "HTTP/1.1": (get("/v2/health/live"), b"HTTP/1.1 200", 10 * 1024),
    "HTTP/2": (PREFACE + SETTINGS + frame(1, 5, 1, request_block("GET", "/v2/health/live")), b"\0\0", 20 * 1024),
}


@pytest.mark.parametrize("protocol", IDLE)
def test_two_thousand_idle_connections_are_held_and_the_server_answers(start_server, many_descriptors, protocol):
    data, first_byte, _ = IDLE[protocol]
    server = start_server(paths.EXAMPLE_MODELS)
    held = _hold(server, 2000, data, first_byte)
    wait_until(lambda: server.metric("protean_connections") == 2001, "they and the one that looks")
    assert server.ready()
    for connection in held:
        connection.close()
    wait_until(lambda: server.metric("protean_connections") == 1, "all are let go")


@pytest.mark.parametrize("protocol", IDLE)
def test_an_idle_connection_takes_no_more_memory_than_promised(serve_plain, many_descriptors, protocol):
    data, first_byte, bytes_max = IDLE[protocol]
    server = serve_plain()
    # The first ones pay for what all share.
    warm = _hold(server, 500, data, first_byte)
    before = server.memory_bytes()
    held = _hold(server, 2000, data, first_byte)
    each = (server.memory_bytes() - before) / len(held)
    assert each <= bytes_max, f"{each:.0f} bytes a connection, at most {bytes_max} expected"
    for connection in warm + held:
        connection.close()


def test_memory_does_not_grow_with_requests(serve_plain):
    server = serve_plain("--io-threads", "2")
    tensor = {"name": "x", "shape": [2000], "datatype": "FP32", "data": [0.5] * 2000}
    request = post(infer_path("identity_large"), json.dumps({"inputs": [tensor]}).encode())
    batch = request * 200 + get("/v2/health/live", "Connection: close")
    for _ in range(2):
        _send_all(server, batch, clients=4)
    before = server.memory_bytes()
    for _ in range(3):
        _send_all(server, batch, clients=4)
    assert server.memory_bytes() <= before + 16 * MIB
