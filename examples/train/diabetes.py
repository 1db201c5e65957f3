# SPDX-License-Identifier: Apache-2.0
"""diabetes: progression of the disease one year on, from ten scaled measurements; boosted trees."""

import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.model_selection import train_test_split

from common import OPSET, case, rename_output, save_model, write_reference


def main():
    data, target = load_diabetes(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(
        data.astype(np.float32), target, test_size=0.3, random_state=7
    )
    regressor = GradientBoostingRegressor(n_estimators=60, max_depth=3, random_state=7)
    regressor.fit(train_x, train_y)
    print(f"diabetes: R2 {regressor.score(test_x, test_y):.3f}")
    model = to_onnx(
        regressor,
        initial_types=[("measurements", FloatTensorType([None, 10]))],
        target_opset=OPSET,
        name="diabetes",
    )
    rename_output(model, "variable", "progression")
    save_model(model, "diabetes.onnx")

    cases = []
    for rows in (test_x[:1], test_x[1:8], test_x[8:72]):
        progression = regressor.predict(rows).astype(np.float32).reshape(-1, 1)
        cases.append(case({"measurements": rows}, {"progression": progression}))
    write_reference("diabetes", "1", cases, trained_with="scikit-learn")


if __name__ == "__main__":
    main()
