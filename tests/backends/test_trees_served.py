# SPDX-License-Identifier: Apache-2.0
"""Tree models behind the real server: categories as texts, by the names of the file and by those of protean.toml."""

import json

import numpy as np
import pandas as pd
import pytest

xgboost = pytest.importorskip("xgboost")
NAMES = {"plain": ["flat", "house", "loft", "shed"], "accents": ["élan", "fière", "naïve", "zoë"]}


@pytest.fixture(scope="module")
def tables() -> dict:
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 4, 200)
    size = rng.normal(size=200).round(3)
    return {
        kind: (pd.DataFrame({"kind": pd.Categorical.from_codes(codes, names), "size": size}), codes)
        for kind, names in NAMES.items()
    }


@pytest.fixture(scope="module")
def trained(tables) -> dict:
    """{name: (booster, what it answers for the numbers of the categories)}"""
    found = {}
    for kind, (frame, codes) in tables.items():
        target = np.array([3.0, -1.0, 0.5, 7.0])[codes] + frame["size"]
        matrix = xgboost.DMatrix(frame, target, enable_categorical=True, nthread=1)
        booster = xgboost.train({"max_cat_to_onehot": 1, "max_depth": 4, "nthread": 1}, matrix, 10)
        numbers = np.stack([codes, frame["size"]], axis=1).astype(np.float32)
        asked = xgboost.DMatrix(numbers, feature_types=["c", "float"], enable_categorical=True, nthread=1)
        found[kind] = (booster, booster.predict(asked, validate_features=False))
    return found


def predictions(server, model: str, frame: pd.DataFrame) -> np.ndarray:
    reply = server.curl.infer(model, {"records": json.loads(frame.to_json(orient="records"))})
    assert reply.status == 200, reply.text
    return np.array(reply.json()["outputs"][0]["data"], dtype=np.float32)


def test_texts_stand_for_the_categories_of_the_file(start_server, tables, trained, tmp_path):
    (tmp_path / "models" / "plain").mkdir(parents=True)
    trained["plain"][0].save_model(tmp_path / "models" / "plain" / "model.json")
    server = start_server(tmp_path / "models")
    assert np.array_equal(predictions(server, "plain", tables["plain"][0]), trained["plain"][1])
    unknown = server.curl.infer("plain", {"records": [{"kind": "tent", "size": 1}]})
    assert unknown.status == 400 and "expected one of 'flat'" in unknown.error()


def test_garbled_names_are_told_and_can_be_given(start_server, tables, trained, tmp_path):
    """XGBoost 3.2 itself confuses these categories: its own answer from the frame is another one."""
    booster, wanted = trained["accents"]
    frame, codes = tables["accents"]
    for name in ("numbers", "named"):
        (tmp_path / "models" / name).mkdir(parents=True)
        booster.save_model(tmp_path / "models" / name / "model.json")
    listed = json.dumps(NAMES["accents"], ensure_ascii=False)
    (tmp_path / "models" / "named" / "protean.toml").write_text(f'[[columns]]\nname = "kind"\ncategories = {listed}\n')
    server = start_server(tmp_path / "models")
    assert np.array_equal(predictions(server, "numbers", frame.assign(kind=codes)), wanted)
    assert np.array_equal(predictions(server, "named", frame), wanted)
    (version,) = server.admin.get("/admin/v1/models/numbers").json()["versions"]
    assert "column 'kind': XGBoost" in " ".join(version["notes"])


def test_catboosts_classes_are_named(start_server, tmp_path):
    catboost = pytest.importorskip("catboost")
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(90, 3)).astype(np.float32)
    labels = np.array(["ash", "birch", "cedar"])[np.argmax(rows, axis=1)]
    classifier = catboost.CatBoostClassifier(iterations=5, depth=3, verbose=False, allow_writing_files=False)
    classifier.fit(rows, labels)
    (tmp_path / "models" / "trees").mkdir(parents=True)
    classifier.save_model(str(tmp_path / "models" / "trees" / "model.json"), format="json")
    server = start_server(tmp_path / "models")
    outputs = {output["name"]: output for output in server.curl.get("/v2/models/trees").json()["outputs"]}
    assert outputs["probabilities"]["parameters"]["class_labels"] == ",".join(classifier.classes_)
    tensor = {"name": "input", "shape": [90, 3], "datatype": "FP32", "data": rows.ravel().tolist()}
    asked = {"inputs": [tensor], "outputs": [{"name": "probabilities"}]}
    found = np.array(server.curl.infer("trees", asked).json()["outputs"][0]["data"]).reshape(90, 3)
    assert found == pytest.approx(classifier.predict_proba(rows), abs=1e-6)
