# SPDX-License-Identifier: Apache-2.0
"""TensorFlow Serving's gRPC API against the real process, called by tensorflow-serving-api's own stubs."""

import json
import shutil
import subprocess

import grpc
import pytest

from harness import paths
from harness.server import clean_environment
from harness.tensorflow import interpreter
from harness.tfserving import serving_tfserving

_CALLS = paths.ROOT / "tests" / "harness" / "tfserving_calls.py"


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> dict:
    """All calls in one process: importing TensorFlow takes longer than they do."""
    python = interpreter()
    model = tmp_path_factory.mktemp("given")
    (model / "1").mkdir()
    shutil.copy(paths.TEST_MODELS / "identity_fp32.onnx", model / "1" / "model.onnx")
    with (
        serving_tfserving(tmp_path_factory.mktemp("models"), paths.TEST_MODELS) as (_, address),
        serving_tfserving(tmp_path_factory.mktemp("examples"), paths.EXAMPLE_MODELS) as (_, examples),
        serving_tfserving(tmp_path_factory.mktemp("none"), tmp_path_factory.mktemp("no_models")) as (_, empty),
    ):
        command = [str(python), "-P", str(_CALLS), address, examples, empty, str(model)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=clean_environment())
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_limits_of_every_type_come_back_bit_by_bit(report):
    assert len(report["types"]) == 12
    assert all(report["types"].values()), report["types"]


def test_strings_are_any_bytes(report):
    assert report["strings"] == [True] * 4


def test_an_image_comes_back_bit_by_bit(report):
    assert report["large"] is True


def test_the_reply_tells_the_resolved_spec(report):
    assert report["spec"] == {"name": "identity_fp32", "version": "1", "signatureName": "serving_default"}


def test_only_the_outputs_asked_for_come(report):
    assert report["output_filter"] == ["difference"]


def test_a_value_that_stands_for_all(report):
    assert report["repeated_value"] == [2.5, 2.5, 2.5]


@pytest.mark.parametrize(
    ("call", "code", "details"),
    [
        ("unknown_model", "NOT_FOUND", "Servable not found for request: Latest(nix)"),
        ("unknown_function", "FAILED_PRECONDITION", 'Serving signature key "f" not found.'),
        ("wrong_type", "INVALID_ARGUMENT", "Expects arg[0] to be float but int32 is provided"),
        ("no_examples", "INVALID_ARGUMENT", "Input is empty."),
        (
            "reload_of_a_relative_path",
            "INVALID_ARGUMENT",
            "Expected model a to have an absolute path or URI; got base_path()=a",
        ),
    ],
)
def test_errors_are_worded_as_the_original_does(report, call, code, details):
    assert report[call] == [code, details]


def test_a_model_that_fails_says_so(report):
    code, details = report["failing_model"]
    assert code in ("INTERNAL", "INVALID_ARGUMENT")
    assert details


def test_a_reload_brings_models_with_labels_and_takes_them_away(report):
    assert report["reload"] == [{"status": {}}, [4.0], "Servable not found for request: Latest(given)"]


def test_metadata_is_a_map_of_signatures(report):
    assert report["metadata"] == {"serving_default": ["a", "b", "difference", "sum"]}


def test_status_names_the_version_and_its_state(report):
    assert report["status"] == {"model_version_status": [{"version": "1", "state": "AVAILABLE", "status": {}}]}


def test_classify_regress_and_multi_inference_work_for_any_model(report):
    assert report["classify"]["classes"] == 3
    assert report["classify"]["spec"]["signatureName"] == "serving_default"
    by_regress, by_predict = report["regress"]
    assert by_regress == by_predict
    assert report["multi_inference_of_one_model"] == [1]


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


def test_a_feature_whose_name_is_no_text_leaves_no_line_in_the_log(tmp_path):
    entry = _field(1, b"\xff") + _field(2, _field(2, _field(1, b"\0\0\x80?")))
    examples = _field(1, _field(1, _field(1, _field(1, entry))))
    with serving_tfserving(tmp_path, paths.EXAMPLE_MODELS) as (server, address), grpc.insecure_channel(address) as channel:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Classify")
        with pytest.raises(grpc.RpcError) as refused:
            call(_field(1, _field(1, b"iris")) + _field(2, examples), timeout=20)
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert "protobuf" not in server.log()
