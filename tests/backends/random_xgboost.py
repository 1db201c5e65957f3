# SPDX-License-Identifier: Apache-2.0
"""Random XGBoost models: objectives, boosters, multi-output strategies, categories, missing values, early stopping."""

import numpy as np
import pandas as pd
import xgboost

from old_xgboost import write_old
from random_models import Trained, features, labels_from, path_for, target_from

OBJECTIVES = [
    "reg:squarederror", "reg:squaredlogerror", "reg:pseudohubererror", "reg:absoluteerror", "reg:quantileerror",
    "reg:logistic", "binary:logistic", "binary:logitraw", "binary:hinge", "count:poisson", "reg:gamma", "reg:tweedie",
    "survival:cox", "survival:aft", "multi:softmax", "multi:softprob", "rank:pairwise", "rank:ndcg", "rank:map",
]


def _parameters(rng, objective: str) -> dict:
    parameters = {
        "objective": objective,
        "max_depth": int(rng.integers(1, 8)),
        "eta": float(rng.uniform(0.05, 0.9)),
        "min_child_weight": float(rng.choice([0, 1, 3])),
        "lambda": float(rng.choice([0.01, 1, 5])),
        "subsample": float(rng.choice([0.5, 1])),
        "num_parallel_tree": int(rng.choice([1, 1, 3])),
        "tree_method": str(rng.choice(["hist", "approx", "exact"])),
        "grow_policy": str(rng.choice(["depthwise", "lossguide"])),
        "seed": int(rng.integers(1 << 30)),
        "nthread": 1,
        "verbosity": 0,
    }
    if rng.random() < 0.1:
        parameters |= {"booster": "gblinear", "updater": "coord_descent", "num_parallel_tree": 1}
    elif rng.random() < 0.3:
        parameters |= {"booster": "dart", "rate_drop": 0.4, "skip_drop": 0.2,
                       "normalize_type": str(rng.choice(["tree", "forest"]))}
    if rng.random() < 0.2 and not objective.startswith("survival"):
        parameters["base_score"] = float(rng.uniform(0.1, 0.9))
    if objective == "reg:quantileerror":
        parameters["quantile_alpha"] = [0.1, 0.5, 0.9][: int(rng.integers(1, 4))]
    return parameters


def _frame(rng, data: np.ndarray, stem: str):
    """Half of the columns as categories: texts that begin with `stem`, or, without one, numbers that are their own
    codes. The frame, the codes, and the categories by column."""
    frame = pd.DataFrame(data, columns=[f"column {i}" for i in range(data.shape[1])])
    codes = data.astype(np.float32)
    known = {}
    for column in range(0, data.shape[1], 2):
        count = int(rng.integers(2, 40))
        drawn = rng.integers(0, count, len(data))
        gaps = np.isnan(data[:, column])
        names = np.array([f"{stem}{i}" if stem else i for i in range(count)], dtype=object)
        values = pd.Series(names[drawn]).where(~gaps)
        frame[frame.columns[column]] = pd.Categorical(values, categories=list(names))
        codes[:, column] = np.where(gaps, np.nan, drawn)
        known[frame.columns[column]] = [str(name) for name in names]
    return frame, codes, known


def _several_targets(rng, parameters: dict, labels: np.ndarray, categorical: bool) -> np.ndarray:
    """The labels, or several of them side by side; and for several outputs, trees with one or with all of them."""
    objective = parameters["objective"]
    alone = objective.startswith(("survival", "rank", "multi")) or objective == "reg:quantileerror"
    several = objective.startswith("multi") or len(parameters.get("quantile_alpha", [])) > 1
    if not alone and rng.random() < 0.3:
        more = labels[::-1]
        labels = np.stack([labels, more, np.minimum(labels, more)], axis=1)[:, : int(rng.integers(2, 4))]
        several = True
    # The library trains no trees of vectors on categories, nor with DART.
    if several and not categorical and parameters.get("booster") != "gblinear" and rng.random() < 0.5:
        parameters |= {"multi_strategy": "multi_output_tree", "tree_method": "hist", "num_parallel_tree": 1}
        for key in ("booster", "rate_drop", "skip_drop", "normalize_type"):
            parameters.pop(key, None)
    return labels


def _matrix(rng, parameters: dict, table, score: np.ndarray):
    objective = parameters["objective"]
    classes = 0
    if objective.startswith("multi"):
        classes = parameters["num_class"] = int(rng.integers(2, 6))
    labels = labels_from(score, objective, classes)
    labels = _several_targets(rng, parameters, labels, isinstance(table, pd.DataFrame))
    matrix = xgboost.DMatrix(table, labels, enable_categorical=True, nthread=1)
    if objective == "survival:aft":
        matrix.set_float_info("label_lower_bound", labels)
        matrix.set_float_info("label_upper_bound", labels + 0.1)
    if objective.startswith("rank"):
        matrix.set_group([len(score) // 2, len(score) - len(score) // 2])
    return matrix


def make(seed: int, folder) -> Trained:
    """One random model in JSON, UBJSON and, where it can be, the old binary format, and what Booster.predict() answers."""
    rng = np.random.default_rng(seed)
    objective = OBJECTIVES[seed % len(OBJECTIVES)]
    parameters = _parameters(rng, objective)
    missing = bool(rng.random() < 0.5)
    data = features(rng, int(rng.integers(60, 200)), int(rng.integers(1, 12)), missing)
    score = target_from(rng, data)
    table, codes = data.astype(np.float32), data.astype(np.float32)
    linear = parameters.get("booster") == "gblinear"
    categorical = bool(rng.random() < 0.35) and not linear
    if linear:  # what trees only compare, it multiplies
        data = np.clip(data, -10, 10)
        table, codes = data.astype(np.float32), data.astype(np.float32)
    known = {}
    stem = str(rng.choice(["", "ca te", "ca té"]))
    if categorical:
        table, codes, known = _frame(rng, data, stem)
        parameters["max_cat_to_onehot"] = int(rng.choice([1, 4, 100]))
        if parameters["tree_method"] == "exact":
            parameters["tree_method"] = "hist"
    matrix = _matrix(rng, parameters, table, score)
    booster = xgboost.train(parameters, matrix, int(rng.integers(1, 25)))
    files = [path_for(folder, f"xgboost{seed}.{kind}") for kind in ("json", "ubj")]
    for path in files:
        booster.save_model(path)
    old = path_for(folder, f"xgboost{seed}.model")
    if not categorical and write_old(files[0], old):
        files.append(old)
    # Category numbers, as the model sees them: the library maps texts to them, core/table.h does here by the names in
    # the file. XGBoost 3.2 garbles names that are not ASCII, and then confuses categories itself.
    kinds = ["c" if categorical and i % 2 == 0 else "q" for i in range(codes.shape[1])]
    asked = xgboost.DMatrix(codes, feature_types=kinds, enable_categorical=True, nthread=1)

    def predict(**options):
        return booster.predict(asked, validate_features=False, **options)

    expected = {
        "prediction": predict(),
        "margin": predict(output_margin=True),
    }
    if not linear:
        expected["leaf_index"] = predict(pred_leaf=True).reshape(len(codes), -1)
    if stem.isascii() and categorical:
        again = booster.predict(xgboost.DMatrix(table, enable_categorical=True, nthread=1))
        assert np.array_equal(again, expected["prediction"], equal_nan=True)
    if parameters.get("multi_strategy") != "multi_output_tree":
        expected["contributions"] = predict(pred_contribs=True)
    label = f"XGBoost {parameters}, {categorical=}, {stem=}, {missing=}"
    categories = {column: names if stem.isascii() else [] for column, names in known.items()}
    return Trained(label, files, codes, expected, exact=True, categories=categories)


def make_transform(objective: str, rows: int, folder) -> Trained:
    """A model of the objective whose margins are many different numbers."""
    rng = np.random.default_rng(7)
    data = rng.normal(size=(rows, 6)).astype(np.float32)
    score = data @ rng.normal(size=6) + rng.normal(size=rows)
    parameters = {"objective": objective, "max_depth": 6, "eta": 0.5, "nthread": 1, "verbosity": 0}
    if objective == "reg:quantileerror":
        parameters["quantile_alpha"] = [0.2, 0.7]
    classes = 4 if objective.startswith("multi") else 0
    if classes:
        parameters["num_class"] = classes
    matrix = xgboost.DMatrix(data, labels_from(score, objective, classes), nthread=1)
    if objective == "survival:aft":
        matrix.set_float_info("label_lower_bound", matrix.get_label())
        matrix.set_float_info("label_upper_bound", matrix.get_label() + 0.1)
    if objective.startswith("rank"):
        matrix.set_group([100] * (rows // 100))
    booster = xgboost.train(parameters, matrix, 20)
    path = path_for(folder, "transform.ubj")
    booster.save_model(path)
    expected = {"prediction": booster.predict(matrix), "margin": booster.predict(matrix, output_margin=True)}
    return Trained(objective, [path], data, expected, exact=True)
