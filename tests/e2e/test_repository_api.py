# SPDX-License-Identifier: Apache-2.0
"""Index, load and unload by request: REST, tritonclient over HTTP and gRPC, plain gRPC."""

import pytest
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

from harness import paths
from harness.grpc_stub import Stub, channel
from harness.load import Load
from harness.paths import put_model

SAME = paths.TEST_MODELS / "identity_fp32.onnx"
PLUS_TEN = paths.TEST_MODELS / "optional_input.onnx"
ONE = {"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}]}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "models"
    put_model(folder, "m/1/model.onnx", SAME)
    put_model(folder, "m/2/model.onnx", PLUS_TEN)
    put_model(folder, "other.onnx", SAME)
    put_model(folder, "cut/1/model.onnx", paths.BROKEN_MODELS / "truncated.onnx")
    return folder


@pytest.fixture
def server(start_server, folder):
    return start_server(folder, "--poll-interval", "100ms")


def test_the_index_has_a_row_for_every_version(server):
    states = {key: row["state"] for key, row in server.index().items()}
    assert states == {("cut", "1"): "UNAVAILABLE", ("m", "1"): "READY", ("m", "2"): "READY", ("other", "1"): "READY"}
    assert ("cut", "1") not in server.index(ready=True)
    with channel(server.authority) as connection:
        rows = Stub(connection).RepositoryIndex().models
        assert {(row.name, row.version): row.state for row in rows} == states
        assert len(Stub(connection).RepositoryIndex(ready=True).models) == 3


def test_an_unloaded_model_is_unavailable_until_it_is_loaded(server):
    unload = server.curl.post("/v2/repository/models/m/unload", b"")
    assert (unload.status, unload.json()) == (200, {"name": "m", "unload": True})
    assert server.curl.infer("m", ONE).status == 503
    assert server.curl.get("/v2/models/m/ready").status == 503
    assert server.index()[("m", "1")]["state"] == "UNAVAILABLE"
    assert server.curl.infer("other", ONE).status == 200
    load = server.curl.post("/v2/repository/models/m/load", b"{}")
    assert (load.status, load.json()) == (200, {"name": "m", "load": True})
    assert server.curl.infer("m", ONE).json()["outputs"][0]["data"] == [11]


def test_a_model_unloaded_by_request_stays_unloaded_when_its_files_change(server, folder):
    server.curl.post("/v2/repository/models/m/unload", b"")
    put_model(folder, "m/2/model.onnx", SAME)
    put_model(folder, "sign.onnx", SAME)
    # The folder has been read again once this one is there.
    server.wait_for_state("sign", "1", "READY")
    assert server.curl.infer("m", ONE).status == 503


def test_loading_again_reads_the_files_again_without_a_gap(server):
    with Load(server, "m", {("2", 11.0)}) as load:
        for _ in range(5):
            assert server.curl.post("/v2/repository/models/m/load", b"").status == 200
        load.wait_for("2", 11.0)
    assert 'protean_model_loads_total{model="m",version="2",result="success"} 6' in server.metrics()


def test_errors_of_load_and_unload_are_told(server):
    for path in ["/v2/repository/models/missing/load", "/v2/repository/models/missing/unload"]:
        reply = server.curl.post(path, b"")
        assert reply.status == 404 and "missing" in reply.error()
    broken = server.curl.post("/v2/repository/models/cut/load", b"")
    assert broken.status == 400 and "cut" in broken.error()
    assert server.curl.post("/v2/repository/models/m/load", b"{").status == 400
    outside = server.curl.post("/v2/repository/models/..%2f..%2fetc/load", b"")
    assert outside.status == 404


@pytest.mark.parametrize("module", [tritonclient.http, tritonclient.grpc], ids=["http", "grpc"])
def test_tritonclient_controls_the_repository(server, module):
    with module.InferenceServerClient(server.authority) as client:
        client.unload_model("m")
        assert not client.is_model_ready("m")
        client.load_model("m")
        assert client.is_model_ready("m", "1") and client.is_model_ready("m")
        index = client.get_model_repository_index()
        rows = index if isinstance(index, list) else [{"name": row.name, "state": row.state} for row in index.models]
        assert {row["state"] for row in rows if row["name"] == "m"} == {"READY"}
        with pytest.raises(InferenceServerException, match="missing"):
            client.load_model("missing")


def test_loading_by_request_can_be_switched_off(start_server, folder):
    server = start_server(folder, "--model-control=false")
    for verb in ["load", "unload"]:
        reply = server.curl.post(f"/v2/repository/models/m/{verb}", b"")
        assert reply.status == 403 and "model-control" in reply.error()
    assert server.curl.infer("m", ONE).status == 200
    assert server.index()
