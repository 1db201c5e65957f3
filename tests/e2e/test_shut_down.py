# SPDX-License-Identifier: Apache-2.0
"""SIGTERM: readiness goes false, what is in flight finishes, the process ends with 0; a second signal ends at once."""

import http.client
import json
import signal
import socket
import threading

import grpc
import numpy as np
import pytest

from harness import paths
from harness.curl import infer_path
from harness.grpc_stub import Stub, channel, infer_request
from harness.paths import put_model
from harness.wait import wait_until

SLOW = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 6]}]}
SECONDS = 60


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "models"
    for name in ["slow", "scalar"]:
        put_model(folder, f"{name}.onnx", paths.TEST_MODELS / f"{name}.onnx")
    return folder


class _Slow(threading.Thread):
    """One slow request over HTTP/1.1 in the background."""

    def __init__(self, server, rounds: int = 1):
        super().__init__()
        self.status: int | None = None
        self.headers: dict = {}
        self.body = b""
        self.error: Exception | None = None
        self._connection = http.client.HTTPConnection(server.host, server.port, timeout=SECONDS)
        # Each row is answered by the same hundred milliseconds; more requests queue behind each other.
        self._rounds = rounds
        self.start()

    def run(self) -> None:
        try:
            for _ in range(self._rounds):
                self._connection.request("POST", infer_path("slow"), json.dumps(SLOW))
                response = self._connection.getresponse()
                self.body = response.read()
                self.headers = dict(response.getheaders())
                self.status = response.status
        except (OSError, http.client.HTTPException) as error:
            self.error = error


def _decoded(server, count: int) -> bool:
    """Whether that many requests for slow are being worked on or done: their decode stage is only recorded at the end,
    so connections that have delivered bytes stand for them."""
    lines = [line for line in server.metrics().splitlines() if line.startswith("protean_connections ")]
    return float(lines[0].split()[1]) >= count + 1


def test_a_request_in_flight_finishes_and_the_process_ends_with_zero(start_server, folder):
    server = start_server(folder, "--run-threads", "1")
    requests = [_Slow(server) for _ in range(4)]
    wait_until(lambda: _decoded(server, 4), "four requests in flight")
    server.signal()
    for request in requests:
        request.join(SECONDS)
        assert (request.status, request.error) == (200, None)
        assert json.loads(request.body)["outputs"][0]["data"] == [4, 5, 6, 9]
    assert server.wait() == 0
    assert [line["event"] for line in server.log_lines()][-1] == "stopped"


def test_grpc_calls_in_flight_finish_too(start_server, folder):
    server = start_server(folder, "--run-threads", "1")
    request = infer_request("slow", [("x", "FP32", np.zeros((1, 4), np.float32))], typed=True)
    with channel(server.authority) as connection:
        stub = Stub(connection)
        assert stub.ServerReady().ready
        calls = [stub.method("ModelInfer").future(request, timeout=SECONDS) for _ in range(3)]
        wait_until(lambda: _requests_received(server) >= 3, "three calls in flight")
        server.signal()
        assert [len(call.result().outputs) for call in calls] == [1, 1, 1]
        assert server.wait() == 0
        with pytest.raises(grpc.RpcError) as caught:
            stub.call("ServerLive", _empty(), timeout=5)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


def _empty():
    from harness.grpc_stub import message

    return message("ServerLiveRequest")()


def _requests_received(server) -> float:
    """Calls that wait or run: with one thread for models, the queue of slow shows them."""
    received = [line for line in server.metrics().splitlines() if line.startswith("protean_received_bytes_total ")]
    # Three requests of this model are above 300 bytes on any HTTP/2 connection that has shaken hands.
    return 3 if float(received[0].split()[1]) > 900 else 0


def test_readiness_is_false_while_requests_finish(start_server, folder):
    server = start_server(folder, "--run-threads", "1")
    # A kept-alive connection that has a request in flight still gets its answer, and can only be asked again on
    # connections that were open: HTTP/2 has one for both.
    with channel(server.authority) as connection:
        stub = Stub(connection)
        stream_may_go_on = threading.Event()
        request = infer_request("slow", [("x", "FP32", np.zeros((1, 4), np.float32))], typed=True)

        def requests():
            yield request
            stream_may_go_on.wait(SECONDS)

        replies = stub.method("ModelStreamInfer")(requests(), timeout=SECONDS)
        assert next(replies).outputs
        server.signal()
        with pytest.raises(grpc.RpcError) as caught:
            next(replies)
        stream_may_go_on.set()
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    assert server.wait() == 0


def test_new_connections_are_refused_while_requests_finish(start_server, folder):
    server = start_server(folder, "--run-threads", "1")
    request = _Slow(server)
    wait_until(lambda: _decoded(server, 1), "a request in flight")
    server.signal()
    wait_until(lambda: _refuses(server), "no new connections")
    request.join(SECONDS)
    assert request.status == 200
    assert server.wait() == 0


def _refuses(server) -> bool:
    try:
        socket.create_connection((server.host, server.port), timeout=5).close()
    except ConnectionError:
        return True
    return False


def test_the_last_answer_of_a_kept_connection_says_close(start_server, folder):
    server = start_server(folder, "--run-threads", "1")
    request = _Slow(server)
    wait_until(lambda: _decoded(server, 1), "a request in flight")
    server.signal()
    request.join(SECONDS)
    assert {name.lower(): value for name, value in request.headers.items()}.get("connection") == "close"
    assert server.wait() == 0


def test_idle_connections_do_not_delay_the_end(start_server, folder):
    server = start_server(folder)
    idle = [socket.create_connection((server.host, server.port)) for _ in range(10)]
    kept = http.client.HTTPConnection(server.host, server.port, timeout=SECONDS)
    kept.request("GET", "/v2/health/live")
    kept.getresponse().read()
    with channel(server.authority) as connection:
        assert Stub(connection).ServerLive().live
        server.signal()
        # Far below the drain timeout of 30 s, which would be waited out if they counted.
        assert server.wait(20) == 0
    for one in [*idle, kept.sock]:
        assert one.recv(1) == b""
        one.close()


def test_the_drain_timeout_cuts_off_what_takes_longer(start_server, folder):
    server = start_server(folder, "--run-threads", "1", "--drain-timeout", "50ms")
    requests = [_Slow(server) for _ in range(8)]
    wait_until(lambda: _decoded(server, 8), "eight requests in flight")
    server.signal()
    assert server.wait() == 0
    for request in requests:
        request.join(SECONDS)
    assert any(request.status != 200 for request in requests)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_second_signal_ends_at_once(start_server, folder, number):
    server = start_server(folder, "--run-threads", "1", "--drain-timeout", "1h")
    stuck = socket.create_connection((server.host, server.port))
    stuck.sendall(b"POST /v2/models/scalar/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    wait_until(lambda: _decoded(server, 1), "a request that never ends")
    server.signal(number)
    wait_until(lambda: "second signal" in server.log(), "the first signal is noticed")
    assert server.alive()
    server.signal(number)
    assert server.wait() == 128 + number
    stuck.close()


def test_sigint_stops_like_sigterm(start_server, folder):
    server = start_server(folder)
    server.signal(signal.SIGINT)
    assert server.wait() == 0
