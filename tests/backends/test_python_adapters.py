# SPDX-License-Identifier: Apache-2.0
"""Files that only Python can read, served by a worker where the operator allows it (--python-unpickle), held against the
library's own answers; and what becomes of them where he does not."""

import os
import pickle
import sys
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.kernel_approximation import RBFSampler
from sklearn.manifold import Isomap
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from harness.python_models import DOUBLE, outputs, write_model
from harness.server import serving

mlflow = pytest.importorskip("mlflow")
ROWS = 8


class RunsCode:
    """Unpickled, it writes a file; in the worker it cannot."""

    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return open, (str(self._path), "w")


@pytest.fixture(scope="module")
def iris():
    table = load_iris(as_frame=True)
    return table.data.iloc[::10], table.target.iloc[::10]


@pytest.fixture(scope="module")
def saved(iris, tmp_path_factory):
    """(models folder, estimators by name)"""
    folder = tmp_path_factory.mktemp("adapters") / "models"
    x, y = iris
    estimators = {
        "classifier": GaussianProcessClassifier().fit(x, y),  # fitted with names
        "regressor": GaussianProcessRegressor(alpha=0.1).fit(x.to_numpy(), y),
        "pipeline": make_pipeline(StandardScaler(), RBFSampler(random_state=1), GaussianProcessRegressor()).fit(x, y),
        "transformer": Isomap(n_components=2, n_neighbors=8).fit(x.to_numpy()),
    }
    for name, estimator in estimators.items():
        (folder / name).mkdir(parents=True)
        if name == "regressor":
            with (folder / name / "model.pkl").open("wb") as file:
                pickle.dump(estimator, file)
        else:
            joblib.dump(estimator, folder / name / "model.joblib", compress=3)

    class Shout(mlflow.pyfunc.PythonModel):  # pickled by value: the worker cannot import this file
        def predict(self, context, model_input, params=None):
            return model_input["word"].str.upper()

    (folder / "hostile").mkdir()
    joblib.dump([GaussianProcessRegressor(), RunsCode(folder.parent / "stolen")], folder / "hostile" / "model.joblib")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        words = pd.DataFrame({"word": ["a"]})
        signature = mlflow.models.infer_signature(words, pd.Series(["A"], name="loud"))
        mlflow.pyfunc.save_model(str(folder / "shout"), python_model=Shout(), signature=signature,
                                 pip_requirements=["mlflow-skinny"])  # fmt: skip
    return folder, estimators


def flags(*more: str) -> list[str]:
    return ["--python", sys.executable, "--python-load-timeout", "60s", *more]


@pytest.fixture(scope="module")
def server(saved, tmp_path_factory):
    with serving(tmp_path_factory.mktemp("allowed"), saved[0], *flags("--python-unpickle")) as server:
        yield server


def ask(server, name: str, x: np.ndarray) -> dict[str, np.ndarray]:
    tensor = {"name": "input", "datatype": "FP64", "shape": list(x.shape), "data": x.reshape(-1).tolist()}
    reply = server.curl.infer(name, {"inputs": [tensor]})
    assert reply.status == 200, reply.text
    return {out["name"]: np.reshape(out["data"], out["shape"]) for out in reply.json()["outputs"]}


@pytest.mark.parametrize("name", ["classifier", "regressor", "pipeline", "transformer"])
def test_estimators_answer_as_scikit_learn_does(server, saved, iris, name):
    estimator = saved[1][name]
    x = iris[0].iloc[:ROWS]
    named = x if hasattr(estimator, "feature_names_in_") else x.to_numpy()
    answer = ask(server, name, x.to_numpy())
    expected = {
        method: getattr(estimator, method)(named)
        for method in (["transform"] if name == "transformer" else ["predict", "predict_proba"])
        if hasattr(estimator, method)
    }
    assert set(answer) == set(expected)
    for method, values in expected.items():
        np.testing.assert_allclose(answer[method], values, rtol=1e-9, atol=1e-12)


def test_an_estimators_columns_and_classes_are_told(server, iris):
    metadata = server.curl.get("/v2/models/classifier").json()
    assert metadata["platform"] == "sklearn_pickle"
    by_name = server.curl.post_json(
        "/v2/models/classifier/infer", {"inputs": [
            {"name": name, "datatype": "FP64", "shape": [1], "data": [float(iris[0][name].iloc[0])]}
            for name in reversed(iris[0].columns)
        ]}
    )  # fmt: skip
    assert by_name.status == 200, by_name.text
    probabilities = next(out for out in metadata["outputs"] if out["name"] == "predict_proba")
    assert probabilities["parameters"]["class_labels"] == "[0, 1, 2]"


def test_a_python_function_answers_as_mlflow_does(server):
    tensor = {"name": "word", "datatype": "BYTES", "shape": [2], "data": ["so", "loud"]}
    reply = server.curl.infer("shout", {"inputs": [tensor]})
    assert outputs(reply) == ["SO", "LOUD"]


def test_a_pickle_that_runs_code_stays_inside_the_fence(server, saved):
    row = server.wait_for_state("hostile", "1", "UNAVAILABLE")
    assert "PermissionError" in row["reason"], row
    assert not (saved[0].parent / "stolen").exists()


def test_without_permission_the_refusal_names_the_class_and_the_way_out(saved, tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    os.symlink(saved[0] / "classifier", folder / "classifier")
    os.symlink(saved[0] / "shout", folder / "shout")
    with serving(tmp_path / "refused", folder, *flags()) as server:
        for name, says in [("classifier", "GaussianProcessClassifier"), ("shout", "python_function")]:
            reason = server.wait_for_state(name, "1", "UNAVAILABLE")["reason"]
            assert says in reason and "--python-unpickle" in reason, reason


def test_a_model_py_comes_before_the_files_that_it_loads(start_server, saved, tmp_path):
    folder = tmp_path / "models"
    place = write_model(folder, "coded", DOUBLE)
    (place / "model.joblib").write_bytes((saved[0] / "regressor" / "model.pkl").read_bytes())
    server = start_server(folder, *flags())
    assert server.curl.get("/v2/models/coded").json()["platform"] == "python"
