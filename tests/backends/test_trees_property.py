# SPDX-License-Identifier: Apache-2.0
"""Random models of every option combination, trained here and now by the libraries, answer in Protean what they answer
there, row by row. TREES_PROPERTY_COUNT models a library (default 60), from TREES_PROPERTY_SEED on (default 0).
"""

import importlib
import os

import numpy as np
import pytest

from probe import Probe

COUNT = int(os.environ.get("TREES_PROPERTY_COUNT", "60"))
FIRST = int(os.environ.get("TREES_PROPERTY_SEED", "0"))
LIBRARIES = {"xgboost": "random_xgboost", "lightgbm": "random_lightgbm", "catboost": "random_catboost"}


@pytest.fixture(scope="module")
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
        probe.load(path)
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
        assert np.array_equal(alone, answers["margin"][:1]), f"{path}: a row alone\n{trained.label}"
        if "contributions" in names:
            check_additivity(probe, trained, answers)


def take(rows, count: int):
    return [column[:count] for column in rows] if isinstance(rows, list) else rows[:count]


def check_additivity(probe, trained, answers):
    """Contributions and base add up to the margin, path-dependent and against a background."""
    few = take(trained.rows, 8)
    for background in (None, take(trained.rows, 5)):
        found = probe.explain(few, background)
        sums = found["base"] + found["values"].sum(axis=1)
        scale = np.maximum(1, np.abs(found["values"]).sum(axis=1))
        assert np.all(np.abs(sums - found["totals"]) <= 1e-5 * scale), trained.label


@pytest.mark.parametrize("library", LIBRARIES)
def test_random_models_answer_as_in_their_library(probe, library, tmp_path):
    pytest.importorskip(library)
    maker = importlib.import_module(LIBRARIES[library])
    for seed in range(FIRST, FIRST + COUNT):
        check(probe, maker.make(seed, tmp_path))
