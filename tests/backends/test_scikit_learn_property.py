# SPDX-License-Identifier: Apache-2.0
"""Random estimators, fitted here by scikit-learn and saved in every way, answer the same when read as data.

SCIKIT_LEARN_ROUNDS: how many random ones of each kind (default 3), from the round SCIKIT_LEARN_FIRST on (default 0).
"""

import os
import pickle
import warnings
import zlib

import numpy as np
import pytest

pytest.importorskip("sklearn")
joblib = pytest.importorskip("joblib")
sio = pytest.importorskip("skops.io")

from estimator_cases import CASES  # noqa: E402
from estimators_by_class import BY_CLASS  # noqa: E402
from scikit_learn_probe import Probe, Refused  # noqa: E402

FIRST = int(os.environ.get("SCIKIT_LEARN_FIRST", "0"))
ROUNDS = range(FIRST, FIRST + int(os.environ.get("SCIKIT_LEARN_ROUNDS", "3")))
TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def probe():
    running = Probe()
    yield running
    running.close()


def _save(rng, model, folder):
    """Every way once in a while: (what it was, path)."""
    way = rng.integers(4)
    path = folder / "model"
    if way == 0:
        protocol = int(rng.integers(0, 6))
        path.write_bytes(pickle.dumps(model, protocol=protocol))
        return f"pickle {protocol}", path
    if way == 1:
        joblib.dump(model, path)
        return "joblib", path
    if way == 2:
        method = str(rng.choice(["zlib", "gzip", "bz2", "lzma", "xz"]))
        joblib.dump(model, path, compress=(method, 3))
        return f"joblib {method}", path
    sio.dump(model, path)
    return "skops", path


def _table(rows):
    if hasattr(rows, "to_numpy"):
        return rows.to_numpy(dtype=object)
    return rows.reshape(-1, 1) if rows.ndim == 1 else rows


def _dense(array):
    return array.toarray() if hasattr(array, "toarray") else np.asarray(array)


def _check(found, expected, what):
    expected = _dense(expected)
    if expected.dtype.kind in "fiub" and found.dtype != object:
        if expected.ndim != found.ndim:
            expected = expected.reshape(found.shape)
        expected = expected.astype(float)
        assert found.shape == expected.shape, what
        scale = np.maximum(1, np.abs(expected))
        wrong = ~(np.abs(found.astype(float) - expected) <= TOLERANCE * scale)
        wrong &= ~(np.isnan(expected) & np.isnan(found.astype(float)))
        assert not wrong.any(), f"{what}: {found[wrong][:3]} is not {expected[wrong][:3]}"
    else:
        assert found.tolist() == expected.tolist(), what


def _outputs(model):
    if hasattr(model, "get_support"):
        return {"output": model.transform}  # a selection: RFE would also predict, by what it was made with
    ways = {"prediction": "predict", "probabilities": "predict_proba", "decision": "decision_function"}
    found = {name: getattr(model, method) for name, method in ways.items() if hasattr(model, method)}
    if not found or hasattr(model, "cluster_centers_"):
        found["output"] = model.transform
    return found


def _compare(probe, tmp_path, make, name, round_):
    rng = np.random.default_rng([zlib.crc32(name.encode()), round_])
    np.random.seed(round_)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, rows = make(rng)
        way, path = _save(rng, model, tmp_path)
        probe.load(path)
        found = probe.run(_table(rows), names=list(rows.columns) if hasattr(rows, "columns") else None)
        for output, ask in _outputs(model).items():
            assert output in found, f"{model} ({way}): no {output}"
            _check(found[output], ask(rows), f"{model} ({way}): {output}")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("round_", ROUNDS)
@pytest.mark.parametrize("name", CASES)
def test_estimators_answer_as_scikit_learn_does(probe, tmp_path, name, round_):
    _compare(probe, tmp_path, CASES[name], name, round_)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("round_", ROUNDS)
@pytest.mark.parametrize("name", BY_CLASS)
def test_every_class_answers_as_scikit_learn_does(probe, tmp_path, name, round_):
    _compare(probe, tmp_path, BY_CLASS[name], "class " + name, round_)


def test_every_served_class_is_compared(probe):
    assert set(probe.classes()) == set(BY_CLASS)


def test_rows_that_scikit_learn_refuses_are_refused(probe, tmp_path):
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import OneHotEncoder

    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(LogisticRegression().fit([[0.0], [1.0]], [0, 1])))
    probe.load(path)
    for bad in (np.nan, np.inf):
        with pytest.raises(Refused, match="row 1, column 0 is"):
            probe.run(np.array([[1.0], [bad]]))
    path.write_bytes(pickle.dumps(OneHotEncoder().fit(np.array([["a"], ["b"]], dtype=object))))
    probe.load(path)
    with pytest.raises(Refused, match="row 0, column 0 is 'c', which was not among the training categories"):
        probe.run(np.array([["c"]], dtype=object))


def test_an_estimator_that_is_not_served_is_named_with_the_way_out(probe, tmp_path):
    from sklearn.gaussian_process import GaussianProcessRegressor

    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(GaussianProcessRegressor().fit([[0.0], [1.0]], [0, 1])))
    with pytest.raises(Refused, match="GaussianProcessRegressor.*Python worker.*ONNX"):
        probe.load(path)


def _explained():
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = load_breast_cancer(return_X_y=True)
    models = {
        "probabilities": [RandomForestClassifier(n_estimators=5, max_depth=5, random_state=1)],
        "decision": [
            GradientBoostingClassifier(n_estimators=5, random_state=1),
            HistGradientBoostingClassifier(max_iter=5, random_state=1),
            make_pipeline(StandardScaler(), LogisticRegression()),
        ],
    }
    return [(model.fit(x, y), output, x[::40]) for output, group in models.items() for model in group]


@pytest.mark.parametrize(("model", "output", "rows"), _explained())
def test_contributions_add_up_to_what_the_model_says(probe, tmp_path, model, output, rows):
    path = tmp_path / "model"
    joblib.dump(model, path)
    probe.load(path)
    said = probe.run(rows)[output].reshape(len(rows), -1)
    found = probe.run(rows, "explain")
    np.testing.assert_allclose(found["totals"], said, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found["base"] + found["values"].sum(axis=1), found["totals"], rtol=0, atol=1e-5)
