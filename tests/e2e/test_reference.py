# SPDX-License-Identifier: Apache-2.0
"""Every case of examples/reference, sent every way, answers what the framework that trained the model answered."""

import json
import sys

import pytest

from harness import paths, ways
from harness.server import serving
from harness.tensors import array_of_tensor, assert_agree
from harness.ways import Call


PYTHON_MODELS = paths.EXAMPLE_MODELS.parent / "python_models"
# What training code saves, and the file that each of them has among the examples.
FORMATS = {
    "ONNX": "wine/model.onnx",
    "XGBoost JSON": "diabetes_xgboost/model.json",
    "XGBoost UBJSON": "cancer_xgboost/model.ubj",
    "LightGBM": "wine_lightgbm/model.txt",
    "CatBoost JSON": "iris_catboost/model.json",
    "scikit-learn, pickle": "cancer_forest/model.pkl",
    "scikit-learn, joblib": "wine_table/1/model.joblib",
    "scikit-learn, skops": "iris_notes/1/model.skops",
    "SavedModel": "iris_keras/1/saved_model.pb",
    "MLflow": "diabetes_mlflow/3/MLmodel",
    "Python class": "../python_models/iris_rules/model.py",
}


def _cases(folder=paths.REFERENCES) -> list:
    found = []
    for path in sorted(folder.glob("*.json")):
        reference = json.loads(path.read_text())
        for number, case in enumerate(reference["cases"]):
            found.append(pytest.param(reference, case, id=f"{path.stem} case {number}"))
    return found


def _check(server, way: ways.Way, reference: dict, case: dict, version: str) -> None:
    inputs = [(tensor["name"], tensor["datatype"], array_of_tensor(tensor)) for tensor in case["inputs"]]
    found = way(server, Call(reference["model"], inputs, version))
    # Ways that name their outputs ask for all there are, also those that come on request only.
    assert set(found) >= {output["name"] for output in case["outputs"]}
    for output in case["outputs"]:
        assert_agree(found[output["name"]], array_of_tensor(output), case["tolerance"], output["name"])


@pytest.mark.parametrize("way", ways.CLEAR.values(), ids=ways.CLEAR.keys())
@pytest.mark.parametrize(("reference", "case"), _cases())
def test_reference_outputs_come_back_in_clear_text(examples, way, reference, case):
    _check(examples, way, reference, case, reference["version"])


@pytest.mark.parametrize("way", ways.TLS.values(), ids=ways.TLS.keys())
@pytest.mark.parametrize(("reference", "case"), _cases())
def test_reference_outputs_come_back_under_tls(examples_tls, way, reference, case):
    _check(examples_tls, way, reference, case, reference["version"])


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_has_an_example_and_a_reference(name):
    path = paths.EXAMPLE_MODELS / FORMATS[name]
    assert path.is_file()
    assert list(paths.REFERENCES.rglob(f"{FORMATS[name].removeprefix('../python_models/').split('/')[0]}.json"))


def _tables() -> list:
    """Cases of models with one input a column."""
    return [case for case in _cases() if all(len(tensor["shape"]) == 1 for tensor in case.values[1]["inputs"])]


@pytest.mark.parametrize(("reference", "case"), _tables())
def test_tables_answer_the_same_as_records(examples, reference, case):
    columns = {tensor["name"]: tensor["data"] for tensor in reversed(case["inputs"])}
    records = [dict(zip(columns, row)) for row in zip(*columns.values())]
    reply = examples.curl.infer(reference["model"], {"records": records})
    assert reply.status == 200, reply.text
    found = ways.outputs_of_json(reply.json())
    for output in case["outputs"]:
        assert_agree(found[output["name"]], array_of_tensor(output), case["tolerance"], output["name"])


@pytest.fixture(scope="module")
def python_examples(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("python"), PYTHON_MODELS, "--python", sys.executable) as running:
        yield running


@pytest.mark.parametrize("way", ways.CLEAR.values(), ids=ways.CLEAR.keys())
@pytest.mark.parametrize(("reference", "case"), _cases(paths.REFERENCES / "python_models"))
def test_python_classes_answer_what_they_answer_by_themselves(python_examples, way, reference, case):
    _check(python_examples, way, reference, case, reference["version"])


@pytest.mark.parametrize(
    "way", ["curl, HTTP/1.1, flat JSON", "tritonclient.http, binary in and out", "tritonclient.grpc"]
)
@pytest.mark.parametrize("name", ["iris.v2", "wine", "wine_bands", "diabetes", "diabetes_risk", "digits"])
def test_the_newest_version_answers_when_none_is_named(examples, way, name):
    reference = json.loads((paths.REFERENCES / f"{name}.json").read_text())
    _check(examples, ways.CLEAR[way], reference, reference["cases"][0], "")
