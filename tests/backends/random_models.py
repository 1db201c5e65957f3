# SPDX-License-Identifier: Apache-2.0
"""Random data, and random models of every option combination of the tree libraries, with the libraries' own answers.

Each maker returns a Trained: the files it saved, rows to ask, and what the library answers for each output. Everything
follows from one seed.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass
class Trained:
    """`expected`: output name -> array. `exact`: outputs that must agree to the last bit.
    `categories`: of some columns, as the signature must tell them."""

    label: str
    files: list
    rows: object
    expected: dict
    exact: bool = False
    tolerance: float = 1e-6
    contributions_tolerance: float = 1e-5
    categories: dict = field(default_factory=dict)


def features(rng, rows: int, columns: int, missing: bool) -> np.ndarray:
    """Numbers of several kinds: continuous, small integers, mostly zero, huge and tiny."""
    data = np.empty((rows, columns))
    for column in range(columns):
        kind = rng.integers(5)
        if kind == 0:
            data[:, column] = rng.normal(size=rows)
        elif kind == 1:
            data[:, column] = rng.integers(-3, 4, rows)
        elif kind == 2:
            data[:, column] = rng.normal(size=rows) * (rng.random(rows) < 0.3)
        elif kind == 3:
            data[:, column] = rng.normal(size=rows) * 10.0 ** rng.integers(-20, 20)
        else:
            data[:, column] = rng.exponential(size=rows)
    if missing:
        data[rng.random(data.shape) < 0.15] = np.nan
    return data


def target_from(rng, data: np.ndarray) -> np.ndarray:
    """A score that depends on a few features and on whether they are missing."""
    ranks = np.argsort(np.argsort(np.nan_to_num(data, nan=-1.0), axis=0), axis=0) / len(data)
    weights = rng.normal(size=data.shape[1])
    return ranks @ weights + ranks[:, 0] * ranks[:, -1] + 0.1 * rng.normal(size=len(data))


def labels_from(score: np.ndarray, objective: str, classes: int) -> np.ndarray:
    """`score` as what the objective takes."""
    ranks = np.argsort(np.argsort(score)) / len(score)
    if classes:
        return np.minimum((ranks * classes).astype(int), classes - 1)
    if objective.startswith(("binary", "rank", "lambdarank")):
        return (ranks > 0.5).astype(int)
    if objective.startswith(("count", "poisson")):
        return (ranks * 5).astype(int)
    if objective.startswith(("reg:squared", "regression")):
        return score - min(score.min() + 0.5, 0)
    return 0.05 + 0.9 * ranks


def path_for(folder: Path, name: str) -> str:
    return str(folder / name)
