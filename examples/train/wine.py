# SPDX-License-Identifier: Apache-2.0
"""wine: which of three growers, from thirteen chemical measurements; a scaler and a classifier.

ZipMap stays on, as scikit-learn converters do by default: the second output is a sequence of maps from
class to probability, which no tensor protocol can carry as it is. The reference holds it as the tensor
[rows, classes] in ascending class order.
"""

import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from common import OPSET, case, save_model, write_reference


def main():
    data, target = load_wine(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(
        data.astype(np.float32), target, test_size=0.3, random_state=7, stratify=target
    )
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, random_state=7))
    pipeline.fit(train_x.astype(np.float64), train_y)
    print(f"wine: accuracy {pipeline.score(test_x, test_y):.3f}")
    model = to_onnx(
        pipeline,
        initial_types=[("measurements", FloatTensorType([None, 13]))],
        target_opset=OPSET,
        name="wine",
    )
    save_model(model, "wine/model.onnx")

    cases = []
    for rows in (test_x[:1], test_x[1:8]):
        wide = rows.astype(np.float64)
        outputs = {
            "output_label": pipeline.predict(wide).astype(np.int64),
            "output_probability": pipeline.predict_proba(wide).astype(np.float32),
        }
        cases.append(case({"measurements": rows}, outputs))
    flattened = {"output_probability": "seq(map(int64,tensor(float)))"}
    write_reference("wine", "1", cases, trained_with="scikit-learn", flattened=flattened)


if __name__ == "__main__":
    main()
