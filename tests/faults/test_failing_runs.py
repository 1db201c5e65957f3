# SPDX-License-Identifier: Apache-2.0
"""Models that fail while they run: the error is that request's alone, also when others share its run.

fails_at_run picks out of [10, 20, 30] by `index`; an index beyond fails inside ONNX Runtime.
"""

import concurrent.futures

import grpc
import numpy as np
import pytest

from harness import paths
from harness.grpc_stub import Stub, channel, infer_request
from harness.load import Load
from harness.paths import put_model

PICK = paths.TEST_MODELS / "fails_at_run.onnx"
OTHER = paths.TEST_MODELS / "identity_fp32.onnx"
BATCHES = '[batch]\nmode = "on"\ndelay = "100ms"\n'


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "models"
    put_model(folder, "pick/1/model.onnx", PICK)
    put_model(folder, "other/1/model.onnx", OTHER)
    return folder


def pick(index: int) -> dict:
    return {"inputs": [{"name": "index", "shape": [1], "datatype": "INT64", "data": [index]}]}


def check(reply, index: int) -> None:
    if index < 3:
        assert reply.status == 200, reply.text
        assert reply.json()["outputs"][0]["data"] == [10.0 * (index + 1)]
    else:
        assert reply.status == 400
        assert str(index) in reply.error() and "model pick, version 1" in reply.error()


@pytest.mark.parametrize("config", ["", BATCHES], ids=["measured", "batches"])
def test_a_run_that_fails_is_the_error_of_its_request_alone(start_server, folder, config):
    (folder / "pick" / "protean.toml").write_text(config)
    server = start_server(folder)
    indices = [number % 4 if number % 4 < 3 else 97 for number in range(32)]
    with Load(server, "other", {("1", 1.0)}) as load, concurrent.futures.ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda index: server.curl.infer("pick", pick(index)), indices))
        for reply, index in zip(replies, indices, strict=True):
            check(reply, index)
        load.wait_for("1", 1.0)
    if config:
        runs = server.metric("protean_batch_rows_count", model="pick")
        assert runs < len(indices), "some requests shared a run"
    assert server.index()[("pick", "1")]["state"] == "READY"


def test_a_failing_run_is_a_status_of_grpc_and_the_connection_goes_on(start_server, folder):
    server = start_server(folder)
    with channel(server.authority) as connection:
        stub = Stub(connection)
        bad, good = (infer_request("pick", [("index", "INT64", np.array([i]))], typed=False) for i in (97, 1))
        for _ in range(3):
            with pytest.raises(grpc.RpcError) as failure:
                stub.call("ModelInfer", bad)
            assert failure.value.code() == grpc.StatusCode.INVALID_ARGUMENT and "97" in failure.value.details()
            assert stub.call("ModelInfer", good).model_version == "1"
