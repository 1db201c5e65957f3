# SPDX-License-Identifier: Apache-2.0
"""The gRPC side: the service of the protocol with grpcio and tritonclient, streams, deadlines, cancellation."""

import threading

import grpc
import numpy as np
import pytest
import tritonclient.grpc
from tritonclient.utils import InferenceServerException

from harness import nghttp, paths
from harness.grpc_stub import SECONDS, Stub, channel, infer_request, message, outputs_of

FLOWER = np.array([[5.1, 3.5, 1.4, 0.2]], np.float32)


def _iris(version: str = "", typed: bool = False, **fields):
    return infer_request("iris", [("measurements", "FP32", FLOWER)], typed, version, **fields)


def _slow(rows: int = 1):
    return infer_request("slow", [("x", "FP32", np.zeros((rows, 4), np.float32))], typed=False)


def test_the_server_answers_health_and_metadata(stub):
    assert stub.ServerLive().live and stub.ServerReady().ready
    info = stub.ServerMetadata()
    assert info.name == "protean" and "binary_tensor_data" in info.extensions


def test_metadata_of_a_model_names_versions_inputs_and_outputs(stub):
    info = stub.ModelMetadata(name="iris")
    assert (info.name, list(info.versions), info.platform) == ("iris", ["1", "2"], "onnx_onnxv1")
    assert [(t.name, t.datatype, list(t.shape)) for t in info.inputs] == [("measurements", "FP32", [-1, 4])]
    assert [(t.name, t.datatype, list(t.shape)) for t in info.outputs] == [
        ("label", "INT64", [-1]), ("probabilities", "FP32", [-1, 3])]  # fmt: skip
    assert list(stub.ModelMetadata(name="iris", version="1").versions) == ["1"]
    assert stub.ModelReady(name="iris").ready and stub.ModelReady(name="iris", version="1").ready


def test_the_newest_version_is_the_default_and_all_stay_addressable(stub):
    for version, answered_by in [("", "2"), ("1", "1"), ("2", "2")]:
        reply = stub.call("ModelInfer", _iris(version))
        assert (reply.model_name, reply.model_version) == ("iris", answered_by)


def test_an_id_comes_back_as_it_was_sent(stub):
    assert stub.call("ModelInfer", _iris(id="größe/1")).id == "größe/1"
    assert stub.call("ModelInfer", _iris()).id == ""


def test_parameters_of_every_kind_are_accepted(stub):
    request = _iris()
    request.parameters["a"].bool_param = True
    request.parameters["b"].int64_param = -1
    request.parameters["c"].string_param = "x"
    request.parameters["d"].double_param = 0.5
    request.parameters["e"].uint64_param = 2**64 - 1
    request.inputs[0].parameters["f"].string_param = "y"
    assert stub.call("ModelInfer", request).outputs


def test_only_requested_outputs_come_back_in_the_order_asked(models_stub):
    one, ten = np.ones((1, 3), np.float32), np.full((1, 3), 10, np.float32)
    for typed in [False, True]:
        request = infer_request("sum_two", [("a", "FP32", one), ("b", "FP32", ten)], typed)
        for name in ["difference", "sum"]:
            request.outputs.add(name=name)
        reply = models_stub.call("ModelInfer", request)
        assert [output.name for output in reply.outputs] == ["difference", "sum"]
        assert outputs_of(reply)["difference"].tolist() == [[-9, -9, -9]]


def _refusal(stub: Stub, request, method: str = "ModelInfer") -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        stub.call(method, request)
    return caught.value.code(), caught.value.details()


def test_errors_carry_the_right_code_and_name_what_was_found(stub):
    def refuse(request, code, *words):
        found, details = _refusal(stub, request)
        assert found == code, details
        for word in words:
            assert word in details, details

    invalid = grpc.StatusCode.INVALID_ARGUMENT
    refuse(infer_request("irsi", [], typed=False), grpc.StatusCode.NOT_FOUND, "irsi")
    refuse(_iris("9"), grpc.StatusCode.NOT_FOUND, "iris", "9")
    refuse(_iris("newest"), grpc.StatusCode.NOT_FOUND, "newest")
    refuse(infer_request("iris", [("x", "FP32", FLOWER)], typed=True), invalid, "'x'", "'measurements'")
    refuse(infer_request("iris", [("measurements", "FP32", FLOWER[0])], typed=True), invalid, "[4]", "[-1,4]")
    refuse(infer_request("iris", [("measurements", "FP64", FLOWER)], typed=True), invalid, "FP64", "FP32")
    refuse(infer_request("iris", [], typed=False), invalid, "measurements", "missing")
    both = _iris()
    both.inputs[0].contents.fp32_contents.extend([1, 2, 3, 4])
    refuse(both, invalid, "raw_input_contents", "measurements")
    surplus = _iris()
    surplus.raw_input_contents.append(b"1234")
    refuse(surplus, invalid, "(1)", "(2)")
    short = _iris()
    short.raw_input_contents[0] = short.raw_input_contents[0][:-1]
    refuse(short, invalid, "measurements", "15", "16")
    few = _iris(typed=True)
    del few.inputs[0].contents.fp32_contents[3:]
    refuse(few, invalid, "measurements", "3", "4")
    mistyped = _iris(typed=True)
    mistyped.inputs[0].contents.int64_contents.append(1)
    refuse(mistyped, invalid, "measurements")


def test_unknown_methods_are_unimplemented(examples):
    with channel(examples.authority) as connection:
        for path in ["/inference.GRPCInferenceService/Explode", "/other.Service/Method"]:
            call = connection.unary_unary(path, request_serializer=None, response_deserializer=None)
            with pytest.raises(grpc.RpcError) as caught:
                call(b"", timeout=SECONDS)
            assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_stream_answers_each_message_in_order(stub):
    requests = [_iris(version, id=str(i)) for i, version in enumerate(["1", "2", "", "1"] * 5)]
    replies = list(stub.method("ModelStreamInfer")(iter(requests), timeout=SECONDS))
    assert [reply.id for reply in replies] == [str(i) for i in range(20)]
    assert [reply.model_version for reply in replies] == ["1", "2", "2", "1"] * 5


def test_a_stream_may_answer_before_the_next_message_is_sent(stub):
    answered = threading.Semaphore(0)

    def requests():
        for i in range(3):
            yield _iris(id=str(i))
            assert answered.acquire(timeout=SECONDS)

    for i, reply in enumerate(stub.method("ModelStreamInfer")(requests(), timeout=SECONDS)):
        assert reply.id == str(i)
        answered.release()


def test_a_bad_message_ends_the_stream_after_the_answers_before_it(stub):
    requests = [_iris(id="0"), _iris(id="1"), _iris("9", id="2"), _iris(id="3")]
    replies = stub.method("ModelStreamInfer")(iter(requests), timeout=SECONDS)
    assert [next(replies).id, next(replies).id] == ["0", "1"]
    with pytest.raises(grpc.RpcError) as caught:
        next(replies)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def test_streamed_messages_may_be_compressed(models_stub):
    array = np.zeros(100_000, np.float32)
    request = infer_request("identity_fp32", [("x", "FP32", array)], typed=False)
    stream = models_stub.method("ModelStreamInfer")
    replies = list(stream(iter([request] * 3), timeout=SECONDS, compression=grpc.Compression.Gzip))
    assert [reply.raw_output_contents[0] for reply in replies] == [array.tobytes()] * 3


def test_tritonclient_asks_everything_it_can(examples):
    with tritonclient.grpc.InferenceServerClient(examples.authority) as client:
        assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("iris", "1")
        assert client.get_server_metadata().name == "protean"
        assert list(client.get_model_metadata("iris").versions) == ["1", "2"]
        names = {model.name for model in client.get_model_repository_index().models}
        assert {"iris", "wine", "digits"} <= names
        with pytest.raises(InferenceServerException, match="irsi"):
            client.get_model_metadata("irsi")


def test_a_deadline_that_cannot_be_kept_is_told(models_stub):
    with pytest.raises(grpc.RpcError) as caught:
        models_stub.call("ModelInfer", _slow(), timeout=0.02)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_the_server_itself_ends_a_call_whose_deadline_has_passed(models):
    # nghttp keeps waiting where grpcio gives up by its own clock, so this answer is the server's.
    body = nghttp.framed(_slow().SerializeToString())
    assert nghttp.call(models, body, grpc_timeout="5m")[0] == "4"


@pytest.mark.parametrize(
    ("timeout", "status"),
    [("99999999H", "0"), ("60S", "0"), ("1n", "4"), ("0m", "4"), ("5", "13"), ("-1S", "13"), ("x", "13")],
)
def test_the_timeout_of_a_call_is_read_as_grpc_writes_it(models, timeout, status):
    request = infer_request("scalar", [("x", "FP32", np.array(1, np.float32))], typed=True)
    found, text = nghttp.call(models, nghttp.framed(request.SerializeToString()), grpc_timeout=timeout)
    assert found == status, text


def test_cancelled_calls_are_dropped_before_they_run(models, models_stub):
    before = _runs(models, "slow")
    calls = [models_stub.method("ModelInfer").future(_slow(), timeout=SECONDS) for _ in range(40)]
    for call in calls:
        call.cancel()
    assert all(call.cancelled() for call in calls)
    assert models_stub.call("ModelInfer", _slow()).outputs
    # The queue is in order: what was cancelled before this last call has been run or dropped by now.
    assert _runs(models, "slow") - before < 40


def test_one_connection_carries_many_calls_at_once(stub):
    calls = [stub.method("ModelInfer").future(_iris(id=str(i)), timeout=SECONDS) for i in range(200)]
    assert [call.result().id for call in calls] == [str(i) for i in range(200)]


def test_messages_above_four_megabytes_pass_both_ways(models_stub):
    array = np.arange(2_000_000, dtype=np.float32)
    reply = models_stub.call("ModelInfer", infer_request("identity_large", [("x", "FP32", array)], typed=False))
    assert outputs_of(reply)["y"].tobytes() == array.tobytes()


def test_repository_messages_of_kserve_are_understood(start_server, tmp_path):
    folder = tmp_path / "models"
    paths.put_model(folder, "scalar.onnx", paths.TEST_MODELS / "scalar.onnx")
    server = start_server(folder)
    with channel(server.authority) as connection:
        stub = Stub(connection)
        # KServe's own message has the name in field 1 and answers with it.
        reply = stub.RepositoryModelUnload(repository_name="scalar")
        assert (reply.model_name, reply.isUnloaded) == ("scalar", True)
        reply = stub.RepositoryModelLoad(repository_name="scalar")
        assert (reply.model_name, reply.isLoaded) == ("scalar", True)
        assert not stub.RepositoryModelLoad(model_name="scalar").isLoaded
        states = {row.name: row.state for row in stub.RepositoryIndex().models}
    assert states == {"scalar": "READY"}
    assert message("RepositoryIndexRequest")(ready=True).ready


def _runs(server, model: str) -> float:
    start = f'protean_batch_rows_count{{model="{model}"'
    return sum(float(line.split()[-1]) for line in server.metrics().splitlines() if line.startswith(start))
