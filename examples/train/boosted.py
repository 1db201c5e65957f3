# SPDX-License-Identifier: Apache-2.0
"""Boosted trees as their libraries save them, for backends/trees: four models on scikit-learn's data sets.

diabetes_xgboost: progression of the disease, with two measurements as categories (XGBoost JSON).
cancer_xgboost:   whether a tumour is benign, from thirty measurements (XGBoost UBJSON).
wine_lightgbm:    which of three cultivars a wine is from (LightGBM text).
iris_catboost:    which of three irises it is (CatBoost JSON, symmetric trees).
"""

import catboost
import lightgbm
import numpy as np
import pandas as pd
import xgboost
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine

from common import MODELS, case, write_reference

SLICES = (slice(0, 1), slice(1, 8), slice(8, 72))


def place(name, file_name):
    """Where the file of the model goes."""
    folder = MODELS / name
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder / file_name)


def references(name, library, rows, prediction, tolerance):
    cases = [case({"input": rows[part]}, {"prediction": prediction[part]}, tolerance) for part in SLICES]
    write_reference(name, "1", cases, trained_with=library)


def diabetes_xgboost():
    data, target = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    frame = data.astype(np.float32)
    frame["sex"] = pd.Categorical(np.where(data["sex"] == 1, "one", "two"), categories=["one", "two"])
    decade = (data["age"] // 10).astype(int)
    names = [f"{value}0s" for value in range(int(decade.max()) + 1)]
    frame["age"] = pd.Categorical([names[value] for value in decade], categories=names)
    matrix = xgboost.DMatrix(frame, target, enable_categorical=True)
    parameters = {"max_depth": 4, "eta": 0.1, "objective": "reg:squarederror", "seed": 7, "nthread": 1}
    booster = xgboost.train(parameters, matrix, 60)
    booster.save_model(place("diabetes_xgboost", "model.json"))
    rows = frame.copy()
    for column in ("age", "sex"):
        rows[column] = frame[column].cat.codes
    references("diabetes_xgboost", "xgboost", rows.to_numpy(dtype=np.float32), booster.predict(matrix), 1e-6)


def cancer_xgboost():
    data, target = load_breast_cancer(return_X_y=True)
    rows = data.astype(np.float32)
    model = xgboost.train({"max_depth": 3, "objective": "binary:logistic", "seed": 7, "nthread": 1},
                          xgboost.DMatrix(rows, target), 50)
    model.save_model(place("cancer_xgboost", "model.ubj"))
    references("cancer_xgboost", "xgboost", rows, model.predict(xgboost.DMatrix(rows)), 1e-6)


def wine_lightgbm():
    data, target = load_wine(return_X_y=True)
    parameters = {"objective": "multiclass", "num_class": 3, "num_leaves": 7, "min_data_in_leaf": 5, "seed": 7,
                  "num_threads": 1, "deterministic": True, "verbose": -1}
    booster = lightgbm.train(parameters, lightgbm.Dataset(data, target), 20)
    booster.save_model(place("wine_lightgbm", "model.txt"))
    references("wine_lightgbm", "lightgbm", data, booster.predict(data), 1e-9)


def iris_catboost():
    data, target = load_iris(return_X_y=True)
    rows = data.astype(np.float32)
    model = catboost.CatBoost({"loss_function": "MultiClass", "iterations": 30, "depth": 3, "random_seed": 7,
                               "thread_count": 1, "verbose": 0, "allow_writing_files": False})
    model.fit(rows, target)
    model.save_model(place("iris_catboost", "model.json"), format="json")
    references("iris_catboost", "catboost", rows, model.predict(rows, prediction_type="Probability"), 1e-6)


def main():
    diabetes_xgboost()
    cancer_xgboost()
    wine_lightgbm()
    iris_catboost()


if __name__ == "__main__":
    main()
