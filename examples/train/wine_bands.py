# SPDX-License-Identifier: Apache-2.0
"""wine_bands: the wine data with two columns told as words, so that a model takes and returns strings.

Alcohol and colour intensity are cut at their terciles into "low", "medium" and "high"; four columns stay
numbers. The answer is the grower's name. A word the model never saw is encoded as all zeros.
"""

import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from common import OPSET, case, save_model, write_reference

WORDED = ["alcohol", "color_intensity"]
NUMERIC = ["flavanoids", "hue", "proline", "malic_acid"]
BANDS = np.array(["low", "medium", "high"])


def load_rows():
    """Rows of two words and four float32 numbers, and the growers' names."""
    wine = load_wine()
    column = {name: wine.data[:, index] for index, name in enumerate(wine.feature_names)}
    words = [BANDS[np.digitize(column[n], np.quantile(column[n], [1 / 3, 2 / 3]))] for n in WORDED]
    numbers = np.stack([column[name] for name in NUMERIC], axis=1).astype(np.float32)
    rows = np.empty((len(numbers), 6), dtype=object)
    rows[:, :2] = np.stack(words, axis=1)
    rows[:, 2:] = numbers.astype(np.float64)
    return rows, wine.target_names[wine.target]


def main():
    rows, growers = load_rows()
    train_x, test_x, train_y, test_y = train_test_split(
        rows, growers, test_size=0.3, random_state=7, stratify=growers
    )
    columns = ColumnTransformer(
        [("words", OneHotEncoder(handle_unknown="ignore"), [0, 1]), ("numbers", StandardScaler(), [2, 3, 4, 5])],
        sparse_threshold=0,
    )
    pipeline = make_pipeline(columns, LogisticRegression(max_iter=1000, random_state=7))
    pipeline.fit(train_x, train_y)
    print(f"wine_bands: accuracy {pipeline.score(test_x, test_y):.3f}")
    model = to_onnx(
        pipeline,
        initial_types=[("bands", StringTensorType([None, 2])), ("measurements", FloatTensorType([None, 4]))],
        options={"zipmap": False},
        target_opset=OPSET,
        name="wine_bands",
    )
    save_model(model, "wine_bands/model.onnx")

    unseen = test_x[8:10].copy()
    unseen[:, 0] = ["très élevé", ""]
    cases = []
    for picked in (test_x[:1], test_x[1:8], unseen):
        inputs = {"bands": picked[:, :2], "measurements": picked[:, 2:].astype(np.float32)}
        outputs = {
            "label": pipeline.predict(picked),
            "probabilities": pipeline.predict_proba(picked).astype(np.float32),
        }
        cases.append(case(inputs, outputs))
    write_reference("wine_bands", "1", cases, trained_with="scikit-learn")


if __name__ == "__main__":
    main()
