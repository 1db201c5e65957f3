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


def test_tables_of_numbers_and_texts_are_explained_by_the_definition(examples):
    """Five columns, of which all 32 subsets are asked."""
    row = {"alcohol": 14.2, "flavanoids": None, "proline": 1065.0, "colour": "ruby", "strength": "full"}
    others = [
        {"alcohol": 12.2, "flavanoids": 1.0, "proline": 565.0, "colour": "pale", "strength": "light"},
        {"alcohol": 13.0, "flavanoids": 2.5, "proline": 700.0, "colour": "deep", "strength": None},
    ]
    names = list(row)
    subsets = list(itertools.product([False, True], repeat=len(names)))
    mixed = [
        {name: row[name] if one else other[name] for name, one in zip(names, subset)}
        for subset in subsets
        for other in others
    ]
    reply = examples.curl.infer("wine_table", {"records": mixed})
    assert reply.status == 200, reply.text
    said = np.array(reply.json()["outputs"][1]["data"]).reshape(len(subsets), len(others), 3).mean(axis=1)
    value = dict(zip(subsets, said))
    wanted = np.zeros((len(names), 3))
    for subset in subsets:
        size = sum(subset)
        weight = math.factorial(size) * math.factorial(len(names) - size - 1) if size < len(names) else 0
        for feature in itertools.compress(range(len(names)), (not one for one in subset)):
            joined = tuple(one or i == feature for i, one in enumerate(subset))
            wanted[feature] += weight / math.factorial(len(names)) * (value[joined] - value[subset])

    found = explain(examples, "wine_table", {"records": [row], "background": {"records": others}}).json()
    assert (found["method"], found["features"]) == ("kernel_shap", names)
    assert found["additivity_error"] < 1e-9
    for k, output in enumerate(found["outputs"]):
        assert output["base"] == pytest.approx(value[subsets[0]][k], abs=1e-9)
        assert output["rows"][0]["contributions"] == pytest.approx(wanted[:, k], abs=1e-9)


def test_trees_and_linear_models_are_explained_without_a_background(start_server, examples, tmp_path):
    import pickle

    from sklearn.datasets import load_breast_cancer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    x, y = load_breast_cancer(return_X_y=True)
    rows = {"name": "input", "shape": [4, 30], "datatype": "FP64", "data": x[:4].ravel().tolist()}
    trees = explain(examples, "cancer_forest", {"inputs": [rows]}).json()
    assert (trees["method"], trees["scale"]) == ("tree_shap", "probability")
    assert trees["additivity_error"] < 1e-9

    model = make_pipeline(StandardScaler(), MinMaxScaler(), LogisticRegression()).fit(x, y)
    (tmp_path / "models" / "linear").mkdir(parents=True)
    (tmp_path / "models" / "linear" / "model.pkl").write_bytes(pickle.dumps(model))
    found = explain(start_server(tmp_path / "models"), "linear", {"inputs": [rows]}).json()
    assert (found["method"], found["scale"]) == ("linear", "decision")
    assert found["additivity_error"] < 1e-9
    # One feature alone: what the decision changes by when it becomes zero, the others as they are.
    for i, row in enumerate(found["outputs"][0]["rows"]):
        assert row["total"] == pytest.approx(model.decision_function(x[i : i + 1])[0], abs=1e-9)
        for feature in (0, 7, 29):
            without = x[i : i + 1].copy()
            without[0, feature] = 0
            change = row["total"] - model.decision_function(without)[0]
            assert row["contributions"][feature] == pytest.approx(change, abs=1e-9)


def answers_of_record(server, record: dict) -> float:
    reply = server.curl.infer("patients", {"records": [record]})
    assert reply.status == 200, reply.text
    return reply.json()["outputs"][0]["data"][0]
