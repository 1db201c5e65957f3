# SPDX-License-Identifier: Apache-2.0
"""Explanations of an ONNX model, held against Shapley values computed here from the model's own answers."""

import itertools
import json
import math
import shutil

import numpy as np
import pytest

from harness import paths

ROW = [0.04, 0.05, 0.06, 0.02, -0.04, -0.03, -0.04, -0.002, 0.02, -0.02]
OTHER = [-0.05, -0.04, -0.05, -0.03, 0.01, 0.02, 0.03, 0.04, -0.06, 0.07]
FEATURES = len(ROW)


def tensor(rows) -> dict:
    rows = np.atleast_2d(rows)
    return {"name": "measurements", "shape": list(rows.shape), "datatype": "FP32", "data": rows.ravel().tolist()}


def answers(server, rows) -> np.ndarray:
    reply = server.curl.infer("diabetes", {"inputs": [tensor(rows)]})
    assert reply.status == 200, reply.text
    return np.array(reply.json()["outputs"][0]["data"])


def shapley(server, row: list[float], background: list[float]) -> np.ndarray:
    """By the definition, over all subsets of the features."""
    subsets = list(itertools.product([False, True], repeat=FEATURES))
    values = answers(server, np.where(subsets, row, background))
    value = dict(zip(subsets, values))
    found = np.zeros(FEATURES)
    for subset in subsets:
        size = sum(subset)
        for feature in itertools.compress(range(FEATURES), (not one for one in subset)):
            weight = math.factorial(size) * math.factorial(FEATURES - size - 1) / math.factorial(FEATURES)
            joined = tuple(one or i == feature for i, one in enumerate(subset))
            found[feature] += weight * (value[joined] - value[subset])
    return found


def explain(server, model: str, request: dict):
    return server.curl.post_json(f"/v2/models/{model}/explain", request)


def test_ten_features_are_explained_exactly(examples):
    request = {"id": "e1", "inputs": [tensor(ROW)], "background": {"inputs": [tensor(OTHER)]}}
    reply = explain(examples, "diabetes", request)
    assert reply.status == 200, reply.text
    found = reply.json()
    assert (found["method"], found["scale"], found["id"]) == ("kernel_shap", "output", "e1")
    assert found["additivity_error"] < 1e-6
    assert found["features"] == [f"measurements[{i}]" for i in range(FEATURES)]
    (output,) = found["outputs"]
    assert output["name"] == "progression"
    assert output["base"] == pytest.approx(answers(examples, OTHER)[0], abs=1e-4)
    (row,) = output["rows"]
    assert row["total"] == pytest.approx(answers(examples, ROW)[0], abs=1e-4)
    assert row["contributions"] == pytest.approx(shapley(examples, ROW, OTHER), abs=2e-3)


def test_samples_and_seed_decide_the_answer(examples):
    def values(seed: int) -> list[float]:
        request = {
            "inputs": [tensor(ROW)],
            "background": {"inputs": [tensor([OTHER, [0] * FEATURES])]},
            "parameters": {"samples": 60, "seed": seed},
        }
        found = explain(examples, "diabetes", request).json()
        assert found["additivity_error"] < 1e-6
        return found["outputs"][0]["rows"][0]["contributions"]

    assert values(1) == values(1)
    assert values(1) != values(2)


def test_what_is_missing_or_wrong_is_said(examples):
    assert "needs a background" in explain(examples, "diabetes", {"inputs": [tensor(ROW)]}).error()
    wrong = {"inputs": [tensor(ROW)], "background": {"inputs": [tensor([1, 2])]}}
    assert explain(examples, "diabetes", wrong).error() == (
        "background: input 'measurements': shape [1,2], expected [-1,10] (background) (model diabetes, version 1)"
    )
    assert explain(examples, "nobody", wrong).status == 404
    late = examples.curl.post_json("/v2/models/diabetes/explain", wrong | {"parameters": {"samples": 0}})
    assert late.status == 400


def test_the_models_own_background_and_columns_are_used(start_server, tmp_path):
    folder = tmp_path / "models" / "patients"
    folder.mkdir(parents=True)
    shutil.copy(paths.EXAMPLE_MODELS / "diabetes.onnx", folder / "model.onnx")
    (folder / "background.json").write_text(json.dumps({"inputs": [tensor(OTHER)]}))
    names = [f"m{i}" for i in range(FEATURES)]
    (folder / "protean.toml").write_text("".join(f'[[columns]]\nname = "{name}"\n' for name in names))
    server = start_server(folder.parent)
    record = dict(zip(names, ROW))
    found = explain(server, "patients", {"records": [record]}).json()
    assert found["features"] == names
    assert found["outputs"][0]["rows"][0]["total"] == pytest.approx(answers_of_record(server, record), abs=1e-4)
    assert sum(found["outputs"][0]["rows"][0]["contributions"]) != 0


def answers_of_record(server, record: dict) -> float:
    reply = server.curl.infer("patients", {"records": [record]})
    assert reply.status == 200, reply.text
    return reply.json()["outputs"][0]["data"][0]
