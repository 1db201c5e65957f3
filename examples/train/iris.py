# SPDX-License-Identifier: Apache-2.0
"""iris: which of three species, from four lengths in centimetres.

Two versions of one signature: 1 is a logistic regression, 2 a small random forest, so that a client
sees the same names and other numbers when it asks for another version.
"""

import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from common import OPSET, case, save_model, write_reference


def train_version(version, classifier):
    data, target = load_iris(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(
        data.astype(np.float32), target, test_size=0.3, random_state=7, stratify=target
    )
    classifier.fit(train_x.astype(np.float64), train_y)
    print(f"iris {version}: accuracy {classifier.score(test_x, test_y):.3f}")
    model = to_onnx(
        classifier,
        initial_types=[("measurements", FloatTensorType([None, 4]))],
        options={"zipmap": False},
        target_opset=OPSET,
        name=f"iris_{version}",
    )
    save_model(model, f"iris/{version}/model.onnx")

    cases = []
    for rows in (test_x[:1], test_x[1:8], test_x):
        wide = rows.astype(np.float64)
        outputs = {
            "label": classifier.predict(wide).astype(np.int64),
            "probabilities": classifier.predict_proba(wide).astype(np.float32),
        }
        cases.append(case({"measurements": rows}, outputs))
    write_reference("iris", str(version), cases, f"iris.v{version}.json", trained_with="scikit-learn")


def main():
    train_version(1, LogisticRegression(max_iter=1000, random_state=7))
    train_version(2, RandomForestClassifier(n_estimators=20, max_depth=4, random_state=7))


if __name__ == "__main__":
    main()
