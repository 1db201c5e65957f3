# SPDX-License-Identifier: Apache-2.0
"""Random CatBoost models: losses, growing policies, one-hot categories, missing values."""

import catboost
import numpy as np
import pandas as pd

from random_models import Trained, features, labels_from, path_for, target_from

LOSSES = ["RMSE", "MAE", "Quantile", "Poisson", "Tweedie:variance_power=1.5", "Logloss", "CrossEntropy", "MultiClass",
          "MultiClassOneVsAll", "RMSEWithUncertainty", "MultiRMSE", "Huber:delta=1.0", "MultiLogloss",
          "MultiCrossEntropy", "Expectile:alpha=0.3", "MAPE", "Lq:q=2", "LogCosh", "LogLinQuantile:alpha=0.4",
          "QueryRMSE", "YetiRank", "PairLogit", "Cox"]
KINDS = {"Poisson": "Exponent", "Tweedie": "Exponent", "RMSEWithUncertainty": "RMSEWithUncertainty",
         "Logloss": "Probability", "CrossEntropy": "Probability", "MultiClass": "Probability",
         "MultiClassOneVsAll": "Probability", "MultiLogloss": "Probability", "MultiCrossEntropy": "Probability"}
SEVERAL_LABELS = ("MultiRMSE", "MultiLogloss", "MultiCrossEntropy")
RANKING = ("QueryRMSE", "YetiRank", "PairLogit")


def make(seed: int, folder) -> Trained:
    """One random model as JSON, and what CatBoost.predict() answers."""
    rng = np.random.default_rng(seed + 2_000_000)
    loss = LOSSES[seed % len(LOSSES)]
    name = loss.split(":")[0]
    policy = str(rng.choice(["SymmetricTree", "Depthwise", "Lossguide"]))
    parameters = {
        "loss_function": loss,
        "iterations": int(rng.integers(1, 20)),
        "depth": int(rng.integers(1, 7)),
        "learning_rate": float(rng.uniform(0.05, 0.6)),
        "grow_policy": "SymmetricTree" if name in SEVERAL_LABELS + RANKING else policy,
        "nan_mode": str(rng.choice(["Min", "Max"])),
        "one_hot_max_size": 255,
        "random_seed": int(rng.integers(1 << 30)),
        "thread_count": 1,
        "verbose": 0,
        "allow_writing_files": False,
    }
    data = np.clip(features(rng, int(rng.integers(60, 200)), int(rng.integers(2, 10)), bool(rng.random() < 0.5)), -1e30, 1e30)
    score = target_from(rng, data)
    classes = 3 if name.startswith("MultiClass") else 2 if name in ("Logloss",) else 0
    labels = labels_from(score, "count" if name == "Poisson" else "other", classes)
    if name in SEVERAL_LABELS:
        labels = np.stack([labels, labels**2], axis=1)
        if name == "MultiLogloss":
            labels = (labels > 0.4).astype(int)
    group = np.arange(len(data)) // 20 if name in RANKING else None
    frame = pd.DataFrame(data.astype(np.float32), columns=[f"c{i}" for i in range(data.shape[1])])
    texts = []
    if rng.random() < 0.5:
        for column in frame.columns[::2]:
            texts.append(column)
            count = int(rng.integers(2, 12))
            frame[column] = [("né" + "x" * int(i * i)) if i % 3 else str(i) for i in rng.integers(0, count, len(data))]
    pool = catboost.Pool(frame, labels, cat_features=texts, group_id=group)
    model = catboost.CatBoost(parameters).fit(pool)
    path = path_for(folder, f"catboost{seed}.json")
    model.save_model(path, format="json")
    loaded = catboost.CatBoost()  # numbers its leaves, and weighs them, as the file does
    loaded.load_model(path, format="json")
    columns = [frame[column].tolist() if column in texts else frame[column].to_numpy() for column in frame.columns]
    answer = model.predict(pool, prediction_type=KINDS.get(name, "RawFormulaVal"))
    if classes == 2 or name == "CrossEntropy":
        answer = answer[:, 1]
    expected = {"prediction": answer, "margin": model.predict(pool, prediction_type="RawFormulaVal"),
                "leaf_index": loaded.calc_leaf_indexes(pool)}
    if name != "RMSEWithUncertainty":  # the library explains the mean alone
        expected["contributions"] = loaded.get_feature_importance(pool, type="ShapValues", thread_count=1)
    if KINDS.get(name) == "Probability":
        expected["probabilities"] = model.predict(pool, prediction_type="Probability")
    rows = columns if texts else frame.to_numpy(dtype=np.float32)
    return Trained(f"CatBoost {parameters}, {texts=}", [path], rows, expected)
