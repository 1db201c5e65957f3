# SPDX-License-Identifier: Apache-2.0
"""Random models of every option combination, trained here and now by the libraries, answer in Protean what they answer
there, row by row. TREES_PROPERTY_COUNT models a library (default 60), from TREES_PROPERTY_SEED on (default 0).
"""

import importlib
import itertools
import math
import os

import numpy as np
import pytest

from probe import Probe

random_xgboost = pytest.importorskip("random_xgboost")

COUNT = int(os.environ.get("TREES_PROPERTY_COUNT", "60"))
CHUNK = 20  # models a test
COALITION_FEATURES_MAX = 4
MANY_ROWS = 30_000
FIRST = int(os.environ.get("TREES_PROPERTY_SEED", "0"))
LIBRARIES = {"xgboost": "random_xgboost", "lightgbm": "random_lightgbm", "catboost": "random_catboost"}


@pytest.fixture
def probe():
    process = Probe()
    yield process
    process.close()


def disagreement(got: np.ndarray, want: np.ndarray, tolerance: float) -> str:
    """Empty when they agree; else where they do not."""
    want = np.asarray(want)
    if got.shape != want.shape:
        return f"shape {got.shape}, expected {want.shape}"
    with np.errstate(invalid="ignore"):
        good = (got == want) | (np.isnan(got) & np.isnan(want))
        if tolerance:
            good |= np.abs(got - want) <= tolerance * np.maximum(1, np.abs(want))
    if good.all():
        return ""
    at = tuple(np.argwhere(~good)[0])
    return f"{(~good).sum()} of {good.size} differ; {at}: {got[at]!r}, expected {want[at]!r}"


def check(probe, trained):
    for path in trained.files:
        signature = probe.load(path)
        told = {column[0]: column[1:] for column in signature["columns"]}
        for column, categories in trained.categories.items():
            assert told[column] == categories, f"{path}: {column}\n{trained.label}"
        names = list(trained.expected)
        answers = probe.run(trained.rows, *names)
        assert list(answers) == names, trained.label
        for name in names:
            tolerance = 0 if trained.exact else trained.tolerance
            if name == "contributions":
                tolerance = trained.contributions_tolerance
            problem = disagreement(answers[name], trained.expected[name], tolerance)
            assert not problem, f"{path}: {name}: {problem}\n{trained.label}"
        alone = probe.run(take(trained.rows, 1), "margin")["margin"]
        assert np.array_equal(alone, answers["margin"][:1], equal_nan=True), f"{path}: a row alone\n{trained.label}"
        # A diverged model (survival:cox does so at times) answers NaN, as in its library.
        if "contributions" in names and np.isfinite(answers["margin"]).all():
            check_additivity(probe, trained)
            check_interventional(probe, trained)


def take(rows, count: int):
    return [column[:count] for column in rows] if isinstance(rows, list) else rows[:count]


def pick(rows, wanted, features=None, others=None, other: int = 0):
    """The rows `wanted`; with `features` those columns, the others from the row `other` of `others`."""
    if isinstance(rows, list):
        return [[column[i] if features is None or f in features else others[f][other] for i in wanted]
                for f, column in enumerate(rows)]
    picked = rows[wanted].copy()
    if features is not None:
        rest = [f for f in range(rows.shape[1]) if f not in features]
        picked[:, rest] = others[other, rest]
    return picked


def check_interventional(probe, trained):
    """Contributions against a background are Shapley values by definition: every coalition of features is asked for."""
    columns = len(trained.rows) if isinstance(trained.rows, list) else trained.rows.shape[1]
    if columns > COALITION_FEATURES_MAX:
        return
    count = len(trained.rows[0]) if isinstance(trained.rows, list) else len(trained.rows)
    wanted, background = [0, 1], pick(trained.rows, [count - 1, count - 2, count - 3])
    worth = {}
    for size in range(columns + 1):
        for coalition in itertools.combinations(range(columns), size):
            asked = [pick(trained.rows, wanted, coalition, background, other) for other in range(3)]
            margins = [probe.run(rows, "margin")["margin"].astype(float).reshape(2, -1) for rows in asked]
            worth[coalition] = np.mean(margins, axis=0)
    found = probe.explain(pick(trained.rows, wanted), background)
    scale = np.maximum(1, max(np.abs(value).max() for value in worth.values()))
    assert np.all(np.abs(found["base"] - worth[()]) <= 1e-5 * scale), trained.label
    for feature in range(columns):
        share = 0
        for coalition, value in worth.items():
            if feature not in coalition:
                weight = 1 / (columns * math.comb(columns - 1, len(coalition)))
                share = share + weight * (worth[tuple(sorted((*coalition, feature)))] - value)
        assert np.all(np.abs(found["values"][:, feature] - share) <= 1e-5 * scale), f"{feature}\n{trained.label}"


def check_additivity(probe, trained):
    """Contributions and base add up to the margin, path-dependent and against a background."""
    few = take(trained.rows, 8)
    for background in (None, take(trained.rows, 5)):
        found = probe.explain(few, background)
        sums = found["base"] + found["values"].sum(axis=1)
        scale = np.maximum(1, np.abs(found["values"]).sum(axis=1))
        assert np.all(np.abs(sums - found["totals"]) <= 1e-5 * scale), trained.label


@pytest.mark.parametrize("objective", random_xgboost.OBJECTIVES)
def test_transforms_of_xgboost_are_equal_on_many_margins(probe, objective, tmp_path):
    """One bit in some thousand margins tells exp() in float from exp() in double."""
    trained = random_xgboost.make_transform(objective, MANY_ROWS, tmp_path)
    probe.load(trained.files[0])
    answers = probe.run(trained.rows, *trained.expected)
    for name, wanted in trained.expected.items():
        problem = disagreement(answers[name], wanted, 0)
        assert not problem, f"{objective}: {name}: {problem}"


@pytest.mark.parametrize("first", range(FIRST, FIRST + COUNT, CHUNK))
@pytest.mark.parametrize("library", LIBRARIES)
def test_random_models_answer_as_in_their_library(probe, library, first, tmp_path):
    pytest.importorskip(library)
    maker = importlib.import_module(LIBRARIES[library])
    for seed in range(first, min(first + CHUNK, FIRST + COUNT)):
        trained = maker.make(seed, tmp_path)
        trained.label = f"TREES_PROPERTY_SEED={seed}: {trained.label}"
        check(probe, trained)
        for path in trained.files:
            os.unlink(path)
