# SPDX-License-Identifier: Apache-2.0
"""Models as scikit-learn's users keep them: a plain pickle, and a folder that MLflow wrote.

cancer_forest:   whether a tumour is benign, from thirty measurements (pickle of a random forest).
diabetes_mlflow: progression of the disease, from ten measurements by name (MLflow folder, flavors sklearn and
                 python_function, with signature, a param and an input example).
"""

import pickle
import shutil

import mlflow.sklearn
import numpy as np
import yaml
from mlflow.models import ModelSignature
from mlflow.types import DataType, ParamSchema, ParamSpec
from mlflow.models import infer_signature
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from common import MODELS, case, write_reference

SLICES = (slice(0, 1), slice(1, 8), slice(8, 40))


def cancer_forest():
    data, target = load_breast_cancer(return_X_y=True)
    model = RandomForestClassifier(20, max_depth=4, random_state=7).fit(data, target)
    print(f"cancer_forest: accuracy {model.score(data, target):.3f}")
    path = MODELS / "cancer_forest" / "model.pkl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(model, protocol=5))
    cases = []
    for part in SLICES:
        rows = data[part]
        answers = {"prediction": model.predict(rows), "probabilities": model.predict_proba(rows)}
        cases.append(case({"input": rows}, answers, 1e-6))
    write_reference("cancer_forest", "1", cases, trained_with="scikit-learn")


def diabetes_mlflow():
    frame, target = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    # Whole numbers that may be missing one day are doubles in MLflow's schemas.
    frame = frame.astype(np.float64)
    model = make_pipeline(StandardScaler(), PolynomialFeatures(2), RidgeCV([1, 10, 100])).fit(frame, target)
    print(f"diabetes_mlflow: R2 {model.score(frame, target):.3f}")
    plain = infer_signature(frame, model.predict(frame))
    params = ParamSchema([ParamSpec("unit", DataType.string, "mg/dL")])
    path = MODELS / "diabetes_mlflow" / "3"
    shutil.rmtree(path, ignore_errors=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    mlflow.sklearn.save_model(
        model,
        str(path),
        signature=ModelSignature(plain.inputs, plain.outputs, params),
        input_example=frame[:2],
        serialization_format="cloudpickle",
        pip_requirements=["scikit-learn==1.9.1", "pandas==3.1.1"],
    )
    without_chance(path / "MLmodel")
    cases = []
    for part in SLICES:
        rows = frame[part]
        inputs = {name: rows[name].to_numpy() for name in frame.columns}
        cases.append(case(inputs, {"prediction": model.predict(rows)}, 1e-6))
    write_reference("diabetes_mlflow", "3", cases, trained_with="scikit-learn, mlflow")


def without_chance(path):
    """The day and the number of this very file would make it another one each time."""
    content = yaml.safe_load(path.read_text())
    content["utc_time_created"] = "2026-01-01 00:00:00.000000"
    content["model_uuid"] = "m-" + "0" * 32
    path.write_text(yaml.safe_dump(content))


def main():
    cancer_forest()
    diabetes_mlflow()


if __name__ == "__main__":
    main()
