# SPDX-License-Identifier: Apache-2.0
"""Random LightGBM models: objectives, boosters, categories, every way of missing values, linear trees."""

import lightgbm
import numpy as np
import pandas as pd

from random_models import Trained, features, labels_from, path_for, target_from

OBJECTIVES = [
    "regression", "regression_l1", "huber", "fair", "quantile", "mape", "poisson", "gamma", "tweedie", "binary",
    "multiclass", "multiclassova", "cross_entropy", "cross_entropy_lambda", "lambdarank", "rank_xendcg",
]


def _parameters(rng, objective: str) -> dict:
    parameters = {
        "objective": objective,
        "num_leaves": int(rng.choice([2, 4, 15, 63])),
        "learning_rate": float(rng.uniform(0.05, 0.7)),
        "min_data_in_leaf": int(rng.choice([1, 5, 20])),
        "min_data_per_group": 1,
        "max_cat_to_onehot": int(rng.choice([1, 4, 64])),
        "cat_smooth": 1,
        "boosting": str(rng.choice(["gbdt", "gbdt", "dart", "rf"])),
        "use_missing": bool(rng.random() < 0.8),
        "zero_as_missing": bool(rng.random() < 0.3),
        "sigmoid": float(rng.choice([1.0, 2.5])),
        "num_threads": 1,
        "seed": int(rng.integers(1 << 30)),
        "verbose": -1,
    }
    if parameters["boosting"] == "rf":
        parameters |= {"bagging_freq": 1, "bagging_fraction": 0.6, "feature_fraction": 0.8}
    if objective == "regression" and rng.random() < 0.4:
        parameters["reg_sqrt"] = True
    linear = objective in ("regression", "huber", "quantile", "fair", "binary", "poisson")
    if linear and parameters["boosting"] == "gbdt" and rng.random() < 0.35:
        parameters |= {"linear_tree": True, "zero_as_missing": False}
    return parameters


def _frame(data: np.ndarray, categorical: list):
    """The data with texts as categories, which are their numbers' names, and the names by column."""
    frame = pd.DataFrame(data, columns=[f"c{i}" for i in range(data.shape[1])])
    known = {}
    for column in categorical:
        count = int(np.nanmax(data[:, column], initial=0)) + 1
        names = [f"té{i}" for i in range(count)]
        numbers = np.where(np.isnan(data[:, column]), -1, data[:, column]).astype(int)
        frame[f"c{column}"] = pd.Categorical.from_codes(numbers, names)
        known[f"c{column}"] = names
    return frame, known


def make(seed: int, folder) -> Trained:
    """One random model as text, and what Booster.predict() answers."""
    rng = np.random.default_rng(seed + 1_000_000)
    objective = OBJECTIVES[seed % len(OBJECTIVES)]
    parameters = _parameters(rng, objective)
    data = features(rng, int(rng.integers(80, 250)), int(rng.integers(1, 10)), bool(rng.random() < 0.5))
    if parameters.get("linear_tree"):
        data = np.clip(data, -1e3, 1e3)
    score = target_from(rng, data)
    classes = 0
    if objective.startswith("multiclass"):
        classes = parameters["num_class"] = int(rng.integers(2, 5))
    categorical = []
    if rng.random() < 0.4:
        categorical = list(range(0, data.shape[1], 2))
        for column in categorical:
            drawn = rng.integers(0, int(rng.integers(2, 50)), len(data)).astype(float)
            data[:, column] = np.where(np.isnan(data[:, column]), np.nan, drawn)
    table, categories = data, {}
    if categorical and rng.random() < 0.5:
        table, categories = _frame(data, categorical)
    group = [len(data) // 2, len(data) - len(data) // 2] if "rank" in objective else None
    labels = labels_from(score, "rank" if "rank" in objective else objective, classes)
    kind = {"categorical_feature": "auto" if categories else categorical, "free_raw_data": False, "group": group}
    booster = lightgbm.train(parameters, lightgbm.Dataset(table, labels, **kind), int(rng.integers(1, 20)))
    path = path_for(folder, f"lightgbm{seed}.txt")
    booster.save_model(path)
    asked = np.vstack([data, np.where(rng.random(data.shape) < 0.3, rng.choice([0.0, np.nan, -1.0, 1e-36, 1e6]), data)])
    if categories:  # the library takes matrices from models of frames, but only numbers as categories then
        assert np.array_equal(booster.predict(table), booster.predict(data), equal_nan=True)
    leaves = booster.predict(asked, pred_leaf=True)
    # Random forests: the library averages before the link, but not what it calls the raw score.
    averaged = booster.num_trees() // booster.num_model_per_iteration() if parameters["boosting"] == "rf" else 1
    expected = {
        "prediction": booster.predict(asked),
        "margin": booster.predict(asked, raw_score=True) / averaged,
        "leaf_index": np.asarray(leaves).reshape(len(asked), -1),
    }
    if not parameters.get("linear_tree"):
        found = booster.predict(asked, pred_contrib=True) / averaged
        outputs = booster.num_model_per_iteration()
        expected["contributions"] = found.reshape(len(asked), outputs, -1) if outputs > 1 else found
    label = f"LightGBM {parameters}, {categorical=}, {categories=}"
    return Trained(label, [path], asked, expected, tolerance=1e-9, categories=categories)
