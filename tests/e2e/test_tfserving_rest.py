# SPDX-License-Identifier: Apache-2.0
"""TensorFlow Serving's REST API against the real process: what its clients send, byte by byte what they get."""

import gzip
import json

import numpy as np
import pytest

from harness import paths
from harness.tfserving import curl_to, error_of, serving_tfserving


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving_tfserving(tmp_path_factory.mktemp("tfserving"), paths.TEST_MODELS) as (server, authority):
        yield server, authority


@pytest.fixture(scope="module")
def rest(served):
    return curl_to(served[1])


@pytest.fixture(scope="module")
def example_rest(tmp_path_factory):
    with serving_tfserving(tmp_path_factory.mktemp("examples"), paths.EXAMPLE_MODELS) as (_, authority):
        yield curl_to(authority)


def predict(client, model: str, body: object, *flags: str):
    text = body if isinstance(body, str) else json.dumps(body)
    return client.post(f"/v1/models/{model}:predict", text, *flags)


def test_rows_are_answered_as_rows(rest):
    reply = predict(rest, "identity_fp32", {"instances": [1.0, 2.5, 0.1]})
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert reply.text == '{\n    "predictions": [1.0, 2.5, 0.1\n    ]\n}'


def test_columns_are_answered_as_columns(rest):
    body = {"inputs": {"a": [[1, 2, 3]], "b": [[4, 5, 6]]}}
    assert predict(rest, "sum_two", body).json() == {
        "outputs": {"sum": [[5.0, 7.0, 9.0]], "difference": [[-3.0, -3.0, -3.0]]}
    }


def test_rows_of_several_inputs_and_outputs(rest):
    body = {"instances": [{"a": [1, 2, 3], "b": [4, 5, 6]}, {"a": [0, 0, 0], "b": [1, 1, 1]}]}
    assert predict(rest, "sum_two", body).text == (
        '{\n    "predictions": [\n'
        '        {\n            "sum": [5.0, 7.0, 9.0],\n            "difference": [-3.0, -3.0, -3.0]\n        },\n'
        '        {\n            "sum": [1.0, 1.0, 1.0],\n            "difference": [-1.0, -1.0, -1.0]\n        }\n'
        "    ]\n}"
    )


@pytest.mark.parametrize("kind", ["int8", "int16", "int32", "int64", "uint8", "uint32", "uint64"])
def test_whole_numbers_keep_their_limits(rest, kind):
    limits = np.iinfo(kind)
    values = [int(limits.min), 0, int(limits.max)]
    assert predict(rest, f"identity_{kind}", {"inputs": values}).json() == {"outputs": values}


def test_texts_and_bytes_come_back(rest):
    reply = predict(rest, "identity_bytes", {"instances": ["é\n", {"b64": "YWI="}]})
    assert reply.json() == {"predictions": ["é\n", "ab"]}


def test_values_that_are_not_finite(rest):
    reply = predict(rest, "identity_fp64", '{"instances": [NaN, Infinity, -Infinity]}')
    assert reply.text == '{\n    "predictions": [NaN, Infinity, -Infinity\n    ]\n}'


def test_a_large_array_of_floats_survives_bit_by_bit(rest):
    values = np.random.default_rng(1).standard_normal(200_000).astype(np.float32)
    reply = predict(rest, "identity_fp32", {"instances": [float(value) for value in values]})
    assert np.array_equal(np.array(reply.json()["predictions"], np.float32), values)


def test_types_that_json_does_not_carry(rest):
    reply = predict(rest, "identity_fp16", {"inputs": [1]})
    assert (reply.status, error_of(reply)) == (501, "Conversion of JSON Value: 1 to type: half")


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("nix:predict", '{"instances": [1', 400, "JSON Parse error: Missing a comma or ] after an array element. at offset: 16"),
        ("nix:predict", '{"instances": [1]}', 404, "Servable not found for request: Latest(nix)"),
        ("identity_fp32/versions/9:predict", '{"inputs": [1]}', 404, "Servable not found for request: Specific(identity_fp32, 9)"),
        ("identity_fp32/labels/a:predict", '{"inputs": [1]}', 400, "Unrecognized servable version label: a"),
        ("identity_fp32:predict", "", 400, "JSON Parse error: The document is empty"),
    ],
)
def test_errors_are_worded_as_the_original_does(rest, path, body, status, message):
    reply = rest.post(f"/v1/models/{path}", body)
    assert (reply.status, error_of(reply)) == (status, message)


def test_a_function_that_there_is_not(rest):
    reply = predict(rest, "identity_fp32", {"signature_name": "f", "inputs": [1]})
    assert reply.json()["error"] == 'Serving signature name: "f" not found in signature def'


def test_status_and_metadata(rest):
    status = rest.get("/v1/models/identity_fp32").json()
    assert status == {
        "model_version_status": [
            {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        ]
    }
    metadata = rest.get("/v1/models/identity_fp32/metadata").json()
    assert metadata["model_spec"] == {"name": "identity_fp32", "signature_name": "", "version": "1"}
    signature = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert [info["dtype"] for info in signature["inputs"].values()] == ["DT_FLOAT"]


def test_what_is_outside_has_the_page_of_the_original(rest):
    reply = rest.get("/other")
    assert (reply.status, reply.headers["content-type"]) == (404, "text/html")
    assert reply.text.startswith("<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>")


def test_gzip_is_inflated_and_replies_are_never_compressed(rest):
    body = gzip.compress(json.dumps({"instances": [0.5] * 4000}).encode())
    reply = rest.send(
        "/v1/models/identity_fp32:predict", body, "-H", "Content-Encoding: gzip", "-H", "Accept-Encoding: gzip"
    )
    assert (reply.status, "content-encoding" in reply.headers) == (200, False)
    assert reply.json()["predictions"] == [0.5] * 4000


def test_gzip_that_is_broken_is_an_empty_body(rest):
    reply = rest.send("/v1/models/identity_fp32:predict", b"no gzip", "-H", "Content-Encoding: gzip")
    assert (reply.status, error_of(reply)) == (400, "JSON Parse error: The document is empty")


def test_the_default_listener_speaks_it_too(served):
    reply = predict(served[0].curl, "identity_fp32", {"instances": [1.5]})
    assert reply.text == '{\n    "predictions": [1.5\n    ]\n}'


def test_readiness_of_the_open_inference_protocol_is_there_too(rest):
    assert rest.get("/v2/health/ready").status == 200


def test_tables_take_rows_with_named_columns(example_rest):
    row = {"age": 0.03, "sex": 0.05, "bmi": 0.06, "bp": 0.02, "s1": -0.04, "s2": -0.03, "s3": -0.04, "s4": 0, "s5": 0.01}
    named = predict(example_rest, "diabetes_mlflow", {"instances": [row | {"s6": -0.01}]}).json()["predictions"]
    columns = {name: [value] for name, value in (row | {"s6": -0.01}).items()}
    assert named == predict(example_rest, "diabetes_mlflow", {"inputs": columns}).json()["outputs"]


def test_regress_takes_features_by_name(example_rest):
    values = [0.03, 0.05, 0.06, 0.02, -0.04, -0.03, -0.04, 0.0, 0.01, -0.01]
    reply = example_rest.post_json("/v1/models/diabetes:regress", {"examples": [{"measurements": values}]})
    (expected,) = predict(example_rest, "diabetes", {"instances": [values]}).json()["predictions"]
    assert reply.json() == {"results": expected}


def test_classify_labels_scores(example_rest):
    values = [5.1, 3.5, 1.4, 0.2]
    reply = example_rest.post_json("/v1/models/iris:classify", {"examples": [{"measurements": values}]})
    (expected,) = predict(example_rest, "iris", {"instances": [values]}).json()["predictions"]
    assert [score for _, score in reply.json()["results"][0]] == expected["probabilities"]
