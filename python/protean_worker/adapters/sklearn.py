# SPDX-License-Identifier: Apache-2.0
"""A scikit-learn estimator or pipeline out of a pickle or joblib file, run by scikit-learn itself.

Unpickling runs code, so the server takes this way only where the operator has allowed it, inside the sandbox."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from protean_worker.interface import Arrays, Model
from protean_worker.signature import Column, Input, Output, type_of


def read_estimator(path: Path) -> Any:
    """Unpickles with joblib where it is installed (it reads compressed files too), else with pickle."""
    try:
        import joblib
    except ImportError:
        with path.open("rb") as stream:
            return pickle.load(stream)
    return joblib.load(path)


class Adapter(Model):
    """Input `input` FP64 [-1, features]; outputs `predict` and, where the estimator has them, `predict_proba`,
    or `transform` for one that only transforms. The features' names become columns."""

    platform = "sklearn_pickle"

    def __init__(self, path: Path, settings: Mapping[str, str]):
        self._path = path
        self._estimator: Any = None
        self._names: list[str] | None = None

    def load(self, folder: Path) -> None:
        estimator = self._estimator = read_estimator(self._path)
        features = getattr(estimator, "n_features_in_", -1)
        names = getattr(estimator, "feature_names_in_", None)
        self._names = [str(name) for name in names] if names is not None else None
        self.inputs = [Input("input", "FP64", [-1, int(features)])]
        self.columns = [Column(name, "FP64", nullable=True) for name in self._names or ()]
        if hasattr(estimator, "predict"):
            self.outputs = self._prediction_outputs(estimator)
        elif hasattr(estimator, "transform"):
            self.outputs = [Output("transform", "FP64", [-1, -1])]
        else:
            raise TypeError(f"{type(estimator).__name__} has neither predict nor transform")

    @staticmethod
    def _prediction_outputs(estimator: Any) -> list[Output]:
        classes = getattr(estimator, "classes_", None)
        if not isinstance(classes, np.ndarray):
            wide = int(getattr(estimator, "n_outputs_", 1)) > 1
            clusters = hasattr(estimator, "fit_predict") and not hasattr(estimator, "score_samples")
            return [Output("predict", "INT64" if clusters else "FP64", [-1, -1] if wide else [-1])]
        labels = json.dumps([label.item() if hasattr(label, "item") else str(label) for label in classes])
        outputs = [Output("predict", type_of(classes.dtype), [-1])]
        if hasattr(estimator, "predict_proba"):
            parameters = {"class_labels": labels}
            outputs.append(Output("predict_proba", "FP64", [-1, len(classes)], parameters))
        return outputs

    def predict(self, inputs: Arrays) -> dict[str, np.ndarray]:
        table = self._table(inputs["input"])
        return {spec.name: self._dense(getattr(self._estimator, spec.name)(table)) for spec in self.outputs}

    def _table(self, matrix: np.ndarray) -> Any:
        """A data frame where the estimator was fitted with one, so that it finds its columns by name."""
        if self._names is None:
            return matrix
        try:
            import pandas
        except ImportError:
            return matrix
        return pandas.DataFrame(matrix, columns=self._names)

    @staticmethod
    def _dense(result: Any) -> np.ndarray:
        return np.asarray(result.toarray() if hasattr(result, "toarray") else result)
