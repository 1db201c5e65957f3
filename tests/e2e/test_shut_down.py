# SPDX-License-Identifier: Apache-2.0
"""SIGTERM: readiness goes false, what is in flight finishes, the process ends with 0; a second signal ends at once."""

import contextlib
import http.client
import json
import signal
import socket
import threading

import grpc
import numpy as np
import pytest

from harness import paths
from harness.grpc_stub import Stub, channel, infer_request, outputs_of
from harness.paths import put_model
from harness.raw import Answer, connect, get, parse_answers, post, read_to_end
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
    """One slow request over HTTP/1.1 in the background; made once the server has all of its bytes."""

    def __init__(self, connection: socket.socket):
        super().__init__()
        self.answers: list[Answer] = []
        self._connection = connection
        self.start()

    def run(self) -> None:
        with self._connection:
            data = read_to_end(self._connection)
        with contextlib.suppress(AssertionError):
            self.answers = parse_answers(data)

    @property
    def status(self) -> int | None:
        return self.answers[0].status if self.answers else None


REQUEST = post("/v2/models/slow/infer", json.dumps(SLOW).encode())


def _in_flight(server, count: int, request: bytes = REQUEST) -> list[socket.socket]:
    """`count` connections, each with `request` sent and read by the server."""
    received = _Received(server)
    connections = [connect(server) for _ in range(count)]
    for connection in connections:
        connection.sendall(request)
    wait_until(lambda: received.more() >= count * len(request), f"the server has read {count} requests")
    return connections


class _Received:
    """Bytes the server has received since, less those of looking."""

    def __init__(self, server):
        self._server = server
        first = self._look()
        self._look_bytes = self._look() - first
        self._start = first + self._look_bytes
        self._looks = 0

    def _look(self) -> float:
        lines = [
            line for line in self._server.metrics().splitlines() if line.startswith("protean_received_bytes_total ")
        ]
        return float(lines[0].split()[1])

    def more(self) -> float:
        self._looks += 1
        return self._look() - self._start - self._looks * self._look_bytes


def test_requests_in_flight_finish_and_the_process_ends_with_zero(start_server, folder):
    server = start_server(folder, "--run-threads", "1")
    requests = [_Slow(connection) for connection in _in_flight(server, 4)]
    server.signal()
    for request in requests:
        request.join(SECONDS)
        (answer,) = request.answers
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert json.loads(answer.body)["outputs"][0]["data"] == [4, 5, 6, 9]
    assert server.wait() == 0
    assert server.log_lines()[-1]["event"] == "stopped"


def test_a_request_whose_body_is_still_on_its_way_finishes(start_server, folder):
    server = start_server(folder)
    body = json.dumps({"inputs": [{"name": "x", "shape": [], "datatype": "FP32", "data": [1]}]}).encode()
    request = post("/v2/models/scalar/infer", body)
    (connection,) = _in_flight(server, 1, request[:-10])
    server.signal()
    wait_until(lambda: "second signal" in server.log(), "the signal is noticed")
    with connection:
        connection.sendall(request[-10:])
        (answer,) = parse_answers(read_to_end(connection))
    assert answer.status == 200
    assert server.wait() == 0


def test_grpc_calls_in_flight_finish_too(start_server, folder):
    server = start_server(folder, "--run-threads", "1")
    request = infer_request("slow", [("x", "FP32", np.zeros((1, 4), np.float32))], typed=True)
    with channel(server.authority) as connection:
        stub = Stub(connection)
        calls = [stub.method("ModelInfer").future(request, timeout=SECONDS) for _ in range(6)]
        # They wait for one thread and came on one connection: when the first is answered, the last has long arrived.
        assert calls[0].result().outputs
        server.signal()
        assert [len(call.result().outputs) for call in calls] == [1] * 6
    assert server.wait() == 0


def test_readiness_is_false_while_requests_finish(start_server, folder):
    server = start_server(folder, "--run-threads", "1")
    (connection,) = _in_flight(server, 1, REQUEST * 10)
    server.signal()
    wait_until(lambda: "second signal" in server.log(), "the signal is noticed")
    with connection:
        # On this connection, because there are no new ones any more; its answer comes behind the ten slow ones.
        connection.sendall(get("/v2/health/ready"))
        *slow, ready = parse_answers(read_to_end(connection))
    assert [answer.status for answer in slow] == [200] * 10
    assert (ready.status, json.loads(ready.body)) == (503, {"ready": False})
    assert server.wait() == 0


def test_an_open_stream_is_ended_with_unavailable(start_server, folder):
    server = start_server(folder)
    with channel(server.authority) as connection:
        client_may_end = threading.Event()
        request = infer_request("slow", [("x", "FP32", np.zeros((1, 4), np.float32))], typed=True)

        def requests():
            yield request
            client_may_end.wait(SECONDS)

        replies = Stub(connection).method("ModelStreamInfer")(requests(), timeout=SECONDS)
        assert next(replies).outputs
        server.signal()
        with pytest.raises(grpc.RpcError) as caught:
            next(replies)
        client_may_end.set()
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    assert server.wait() == 0


def test_new_connections_are_refused_while_requests_finish(start_server, folder):
    server = start_server(folder, "--run-threads", "1")
    (connection,) = _in_flight(server, 1, REQUEST * 3)
    request = _Slow(connection)
    server.signal()
    wait_until(lambda: _refuses(server), "no new connections")
    request.join(SECONDS)
    assert [answer.status for answer in request.answers] == [200] * 3
    assert server.wait() == 0


def _refuses(server) -> bool:
    try:
        socket.create_connection((server.host, server.port), timeout=5).close()
    except ConnectionError:
        return True
    return False


def test_calls_during_the_end_are_answered_or_told_that_it_is_one(start_server, folder):
    server = start_server(folder)
    request = infer_request("scalar", [("x", "FP32", np.array(1, np.float32))], typed=True)
    codes: set = set()
    answered = threading.Semaphore(0)

    def ask() -> None:
        with channel(server.authority) as connection:
            method = Stub(connection).method("ModelInfer")
            while grpc.StatusCode.UNAVAILABLE not in codes:
                try:
                    assert outputs_of(method(request, timeout=SECONDS))["y"] == 2
                    answered.release()
                except grpc.RpcError as error:
                    codes.add(error.code())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(100):
        assert answered.acquire(timeout=SECONDS)
    server.signal()
    for thread in threads:
        thread.join(SECONDS)
    assert codes == {grpc.StatusCode.UNAVAILABLE}
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
    requests = [_Slow(connection) for connection in _in_flight(server, 8)]
    server.signal()
    assert server.wait() == 0
    for request in requests:
        request.join(SECONDS)
    assert any(request.status != 200 for request in requests)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_second_signal_ends_at_once(start_server, folder, number):
    server = start_server(folder, "--drain-timeout", "1h")
    (stuck,) = _in_flight(server, 1, REQUEST[:-1])
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
