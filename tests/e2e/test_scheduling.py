# SPDX-License-Identifier: Apache-2.0
"""What the scheduler, the cache and loading on demand look like from outside."""

import concurrent.futures
import json
import os
import re
import socket
import threading
from pathlib import Path

import grpc
import numpy as np
import pytest

from harness import paths
from harness.curl import infer_path
from harness.grpc_stub import Stub, channel, infer_request
from harness.paths import put_model
from harness.raw import connect, post
from harness.wait import wait_until

SAME = paths.TEST_MODELS / "identity_fp32.onnx"
SLOW = paths.TEST_MODELS / "slow.onnx"
ONE = {"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}]}
SLOW_ONE = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 6]}]}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "models"
    put_model(folder, "slow/1/model.onnx", SLOW)
    put_model(folder, "same/1/model.onnx", SAME)
    return folder


def notes(server, model):
    (version,) = server.admin.get(f"/admin/v1/models/{model}").json()["versions"]
    return " | ".join([*version["notes"], version.get("scheduling", ""), version["state"]])


def ask_slowly(server, count, request=None, *flags):
    """The replies to so many requests at once."""
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        calls = [pool.submit(server.curl.infer, "slow", request or SLOW_ONE, *flags) for _ in range(count)]
        return [call.result() for call in calls]


def test_the_status_says_how_a_model_runs_and_why(start_server, folder):
    server = start_server(folder)
    assert server.curl.infer("same", ONE).status == 200
    text = notes(server, "same")
    for part in ("warmed by", "runs: ", "cost: ", "batches: ", "instances: ", "now: 0 waiting"):
        assert part in text, text


def test_instances_and_threads_are_chosen_and_the_status_says_why(start_server, folder):
    server = start_server(folder, "--run-threads", "2")
    assert "too little to share out" in notes(server, "same")
    # Figures where the machine had time to measure, else the reason why there are none.
    chosen = r"instances: [12] x [12] threads?; work done by runs of 1 thread: 1 at once 1\.00, 2 at once \d+\.\d\d"
    text = notes(server, "slow")
    assert re.search(rf"{chosen}|instances: as many as run threads x 1 thread; not measured: ", text), text
    assert server.curl.infer("slow", SLOW_ONE).status == 200


def test_what_is_configured_is_not_measured(start_server, folder):
    (folder / "slow" / "protean.toml").write_text("instances = 2\nintra_op_threads = 2\n")
    server = start_server(folder, "--run-threads", "2")
    assert "instances: 2 by configuration x 2 threads |" in notes(server, "slow")
    assert "2 intra-op threads, shared by all models" in notes(server, "slow")
    assert server.curl.infer("slow", SLOW_ONE).status == 200


def test_an_idle_server_uses_no_processor(start_server, folder):
    (folder / "slow" / "protean.toml").write_text("instances = 2\nintra_op_threads = 3\n")
    (folder / "same" / "protean.toml").write_text("intra_op_threads = 2\n")
    server = start_server(folder, "--run-threads", "2")
    assert all(reply.status == 200 for reply in ask_slowly(server, 4))

    def ticks():
        fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = ticks()
    threading.Event().wait(2)  # what is observed is two seconds in which nothing is asked
    # A thread that spins would use 200 of these hundredths of a second.
    assert (ticks() - before) * 100 / os.sysconf("SC_CLK_TCK") <= 20


def test_a_deadline_that_cannot_be_met_is_refused_at_once_with_a_time_to_retry(start_server, folder):
    (folder / "slow" / "protean.toml").write_text('[batch]\nmode = "off"\n')
    server = start_server(folder, "--run-threads", "1")
    assert all(reply.status == 200 for reply in ask_slowly(server, 4)), "the cost is learned"
    replies = ask_slowly(server, 16, None, "-H", "x-request-timeout-ms: 60")
    refused = [reply for reply in replies if reply.status == 503]
    assert refused and all(int(reply.headers["retry-after"]) >= 1 for reply in refused)
    assert server.metric("protean_refused_requests_total", model="slow", cause="deadline") >= len(refused)


def test_a_full_queue_refuses(start_server, folder):
    (folder / "slow" / "protean.toml").write_text('queue_max = 2\n\n[batch]\nmode = "off"\n')
    server = start_server(folder, "--run-threads", "1")
    replies = ask_slowly(server, 12)
    codes = {reply.status for reply in replies}
    assert codes == {200, 429}
    assert all("retry-after" in reply.headers for reply in replies if reply.status == 429)


@pytest.mark.parametrize("value", ["", "0", "-1", "1.5", "soon", "86400001"])
def test_a_malformed_timeout_is_refused(start_server, folder, value):
    server = start_server(folder)
    reply = server.curl.infer("same", ONE, "-H", f"x-request-timeout-ms;{value}" if not value else f"x-request-timeout-ms: {value}")
    assert reply.status == 400 and "x-request-timeout-ms" in reply.error()


def test_priority_and_timeout_parameters_are_checked(start_server, folder):
    server = start_server(folder)
    assert server.curl.infer("same", ONE | {"parameters": {"priority": 1, "timeout": 1000000}}).status == 200
    assert "priority" in server.curl.infer("same", ONE | {"parameters": {"priority": 10}}).error()
    assert "timeout" in server.curl.infer("same", ONE | {"parameters": {"timeout": "soon"}}).error()


def test_requests_that_wait_together_share_a_run(start_server, tmp_path):
    folder = tmp_path / "models"
    put_model(folder, "digits/1/model.onnx", paths.EXAMPLE_MODELS / "digits.onnx")
    (folder / "digits" / "protean.toml").write_text('[batch]\nmode = "on"\ndelay = "200ms"\n')
    server = start_server(folder)
    pixels = [[(row + 7 * i) % 16 / 16 for i in range(64)] for row in range(16)]

    def ask(row):
        image = {"name": "images", "shape": [1, 1, 8, 8], "datatype": "FP32", "data": pixels[row]}
        outputs = server.curl.infer("digits", {"inputs": [image]}).json()["outputs"]
        return {output["name"]: output["data"] for output in outputs}

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        together = list(pool.map(ask, range(16)))
    assert server.metric("protean_batch_rows_sum", model="digits") == 16
    assert server.metric("protean_batch_rows_count", model="digits") < 16
    for row in range(16):
        alone = ask(row)
        assert alone["digit"] == together[row]["digit"]
        assert np.allclose(alone["probabilities"], together[row]["probabilities"], rtol=1e-5, atol=1e-6)


def test_a_client_that_closes_leaves_the_queue(start_server, folder):
    (folder / "slow" / "protean.toml").write_text('instances = 1\n\n[batch]\nmode = "off"\n')
    server = start_server(folder, "--run-threads", "1")
    body = json.dumps(SLOW_ONE).encode()
    connections = [connect(server) for _ in range(8)]
    for connection in connections:
        connection.sendall(post(infer_path("slow"), body))
    wait_until(lambda: server.metric("protean_queue_requests", model="slow") >= 5, "requests wait")
    for connection in connections:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        connection.close()
    wait_until(lambda: server.metric("protean_queue_requests", model="slow") == 0, "the queue is empty")
    assert server.metric("protean_cancelled_requests_total", model="slow") >= 5


def test_a_cancelled_grpc_call_leaves_the_queue(start_server, folder):
    (folder / "slow" / "protean.toml").write_text('instances = 1\n\n[batch]\nmode = "off"\n')
    server = start_server(folder, "--run-threads", "1")
    with channel(server.authority) as connection:
        stub = Stub(connection)
        request = infer_request("slow", [("x", "FP32", np.array([[1, 2, 3, 6]], np.float32))], typed=False)
        calls = [stub.method("ModelInfer").future(request) for _ in range(8)]
        wait_until(lambda: server.metric("protean_queue_requests", model="slow") >= 5, "requests wait")
        for call in calls:
            call.cancel()
        wait_until(lambda: server.metric("protean_queue_requests", model="slow") == 0, "the queue is empty")
    assert server.metric("protean_cancelled_requests_total", model="slow") >= 5


def test_a_grpc_refusal_says_when_to_come_back(start_server, folder):
    (folder / "slow" / "protean.toml").write_text('queue_max = 1\n\n[batch]\nmode = "off"\n')
    server = start_server(folder, "--run-threads", "1")
    with channel(server.authority) as connection:
        stub = Stub(connection)
        request = infer_request("slow", [("x", "FP32", np.array([[1, 2, 3, 6]], np.float32))], typed=False)
        calls = [stub.method("ModelInfer").future(request) for _ in range(12)]
        errors = [call.exception() for call in calls]
    refused = [error for error in errors if error is not None]
    assert refused and all(error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED for error in refused)
    metadata = dict(list(refused[0].trailing_metadata()) + list(refused[0].initial_metadata()))
    assert int(metadata["grpc-retry-pushback-ms"]) >= 1


def test_equal_requests_are_answered_from_the_cache(start_server, folder):
    (folder / "same" / "protean.toml").write_text('[cache]\nbytes_max = "1MiB"\n')
    server = start_server(folder)
    replies = [server.curl.infer("same", ONE | {"id": str(i)}) for i in range(3)]
    assert [reply.headers["x-protean-cache"] for reply in replies] == ["miss", "hit", "hit"]
    assert [reply.json()["id"] for reply in replies] == ["0", "1", "2"]
    other = {"inputs": [ONE["inputs"][0] | {"data": [2]}]}
    assert server.curl.infer("same", other).headers["x-protean-cache"] == "miss"
    assert server.metric("protean_response_cache_hits_total", model="same") == 2
    assert server.curl.infer("slow", SLOW_ONE).headers.get("x-protean-cache") is None


def test_a_model_on_demand_sleeps_until_it_is_asked_for(start_server, folder):
    server = start_server(folder, "--on-demand")
    assert "ASLEEP" in notes(server, "same")
    assert server.curl.get("/v2/models/same/ready").status == 200, "as good as ready"
    assert server.metric("protean_model_loads_total", model="same") == 0
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        calls = [pool.submit(server.curl.infer, "same", ONE) for _ in range(16)]
        assert all(call.result().status == 200 for call in calls)
    assert server.metric("protean_model_loads_total", model="same", result="success") == 1


def test_memory_is_made_by_the_least_recently_used(start_server, tmp_path):
    folder = tmp_path / "many"
    for i in range(80):
        put_model(folder, f"m{i}/1/model.onnx", SAME)
    server = start_server(folder, "--on-demand", "--model-memory-max", "2MiB")
    for i in range(80):
        assert server.curl.infer(f"m{i}", ONE).status == 200
    rows = server.admin.get("/admin/v1/models").json()["models"]
    found = {row["name"]: version for row in rows for version in row["versions"]}
    held = [row["memory"]["private_bytes"] for row in found.values() if row["state"] == "READY"]
    assert found["m79"]["state"] == "READY" and sum(held) <= 2 << 20
    assert found["m0"]["state"] == "ASLEEP", (len(held), sum(held))
    assert server.curl.infer("m0", ONE).status == 200


def test_a_configuration_that_is_wrong_fails_its_model_only(start_server, folder):
    (folder / "slow" / "protean.toml").write_text("[batch]\nrow_max = 4\n")
    server = start_server(folder)
    row = server.index()[("slow", "1")]
    assert row["state"] == "UNAVAILABLE" and "rows_max" in row["reason"] and "protean.toml:2" in row["reason"]
    assert server.curl.infer("same", ONE).status == 200
