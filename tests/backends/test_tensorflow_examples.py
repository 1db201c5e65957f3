# SPDX-License-Identifier: Apache-2.0
"""Signatures over serialized Examples without TensorFlow: what it answers, and the words in which it refuses."""

import base64
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from harness.tensorflow import interpreter, tensorflow_python  # noqa: F401
from harness.tfserving import curl_to, error_of, serving_tfserving
from saved_models import Probe, Refused, build

NOWHERE = "/nowhere/libtensorflow.so.2"


@pytest.fixture(scope="module")
def made(tmp_path_factory, tensorflow_python):  # noqa: F811
    folder = tmp_path_factory.mktemp("examples")
    build(tensorflow_python, "tensorflow_examples.py", folder)
    return folder


@pytest.fixture(scope="module")
def cases(made):
    return json.loads((made / "cases.json").read_text())


@pytest.fixture(scope="module")
def probe():
    running = Probe(NOWHERE)
    yield running
    running.close()


@pytest.fixture(scope="module")
def authority(made, tmp_path_factory):
    (made / "models" / "half_plus_two" / "protean.toml").write_text("[tensorflow]\nengine = 'onnx'\n")
    flags = ("--tensorflow-library", NOWHERE)
    with serving_tfserving(tmp_path_factory.mktemp("server"), made / "models", *flags) as (_, authority):
        yield authority


@pytest.fixture(scope="module")
def rest(authority):
    return curl_to(authority)


def texts_of(case: dict) -> np.ndarray:
    texts = np.empty(len(case["examples"]), object)
    texts[:] = [base64.b64decode(text) for text in case["examples"]]
    return texts.reshape(()) if case["signature"] == "single" else texts


def test_answers_are_those_of_tensorflow(probe, made, cases):
    compared = 0
    for case in cases:
        if "error" in case:
            continue
        probe.load(made / "models" / case["model"] / "1", "auto")
        found = probe.run(case["signature"], {"inputs": texts_of(case)})
        assert set(found) == set(case["outputs"]), case["name"]
        for name, wanted in case["outputs"].items():
            if found[name].dtype == object:
                assert [base64.b64encode(text).decode() for text in found[name].ravel()] == wanted, case["name"]
            else:
                np.testing.assert_allclose(found[name].ravel(), wanted, rtol=1e-5, atol=1e-5, err_msg=case["name"])
            compared += 1
    assert compared == 4 + 6 * 5 + 6 + 2


def test_what_tensorflow_refuses_is_refused_in_its_words(probe, made, cases):
    refused = [case for case in cases if "error" in case]
    assert len(refused) == 4 + 9 * 3 + 7 + 3
    for case in refused:
        probe.load(made / "models" / case["model"] / "1", "auto")
        with pytest.raises(Refused) as error:
            probe.run(case["signature"], {"inputs": texts_of(case)})
        assert str(error.value) == "error INVALID_ARGUMENT: " + case["error"], case["name"]


def test_models_are_lowered_once_with_what_they_read(made, cases, tmp_path):
    case = next(case for case in cases if case["model"] == "people" and "outputs" in case)
    for way in ("lowered to ONNX", "lowered earlier, from the cache"):
        keeping = Probe(NOWHERE, tmp_path)
        notes = keeping.load(made / "models" / "people" / "1", "onnx")["notes"]
        assert f"signature 'serving_default' {way}" in notes
        found = keeping.run(case["signature"], {"inputs": texts_of(case)})
        np.testing.assert_allclose(found["scores"].ravel(), case["outputs"]["scores"], atol=1e-5)
        keeping.close()
    assert len(list((tmp_path / "savedmodels").glob("*.features"))) == 5


def test_rest_classifies_and_regresses(rest):
    """y = 0.5 x + 2, y3 = 0.5 x2 + 3; a feature that is missing is 0."""
    examples = [{"x": 2.0}, {"x2": [8.0]}, {}]
    body = {"signature_name": "classify_x_to_y", "examples": examples}
    reply = rest.post_json("/v1/models/half_plus_two:classify", body)
    assert reply.status == 200, reply.text
    assert [row[0][1] for row in reply.json()["results"]] == [3.0, 2.0, 2.0]
    body["signature_name"] = "regress_x2_to_y3"
    assert rest.post_json("/v1/models/half_plus_two:regress", body).json()["results"] == [3.0, 7.0, 3.0]


def test_rest_regresses_where_nothing_is_said_about_the_shape(rest):
    body = {"examples": [{"x": 2.0}, {"x": 4.0}]}
    assert rest.post_json("/v1/models/shapeless:regress", body).json()["results"] == [3.0, 4.0]


def test_grpc_classifies_and_regresses(authority):
    script = Path(__file__).with_name("tensorflow_examples.py")
    command = [interpreter(), script, "call", authority]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=100).stdout)
    assert told == {"classify": [[3.0], [2.0], [2.0]], "regress": [3.0, 7.0, 3.0]}


def test_a_function_that_does_not_lower_says_so_and_how_to_get_the_library(rest):
    body = {"signature_name": "regress", "examples": [{"words": 1.0}]}
    said = error_of(rest.post_json("/v1/models/sparse:regress", body))
    assert "signature 'regress' cannot be served: operations that do not lower: ParseExampleV2" in said
    assert "features that are sparse or ragged" in said
    assert "TensorFlow itself could run it: TensorFlow's library is missing" in said
