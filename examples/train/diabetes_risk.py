# SPDX-License-Identifier: Apache-2.0
"""diabetes_risk: several inputs and outputs. What a nurse notes (age, sex, bmi, blood pressure) and what
the laboratory finds (six serum values) arrive as two tensors; the progression after a year, the
probability that it is above the median, and whether it is likely, leave as three.

A ridge and a logistic regression of scikit-learn, written into one graph by hand.
"""

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split

from common import OPSET, case, save_model, write_reference


def build_graph(ridge, logistic):
    def constant(name, values):
        return numpy_helper.from_array(np.asarray(values, dtype=np.float32), name)

    nodes = [
        helper.make_node("Concat", ["patient", "serum"], ["all"], axis=1),
        helper.make_node("Gemm", ["all", "ridge_weight", "ridge_bias"], ["progression"]),
        helper.make_node("Gemm", ["all", "risk_weight", "risk_bias"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["risk"]),
        helper.make_node("Greater", ["logit", "zero"], ["above_median"]),
    ]
    inputs = [
        helper.make_tensor_value_info("patient", TensorProto.FLOAT, ["rows", 4]),
        helper.make_tensor_value_info("serum", TensorProto.FLOAT, ["rows", 6]),
    ]
    outputs = [
        helper.make_tensor_value_info("progression", TensorProto.FLOAT, ["rows", 1]),
        helper.make_tensor_value_info("risk", TensorProto.FLOAT, ["rows", 1]),
        helper.make_tensor_value_info("above_median", TensorProto.BOOL, ["rows", 1]),
    ]
    constants = [
        constant("ridge_weight", ridge.coef_.reshape(10, 1)),
        constant("ridge_bias", [ridge.intercept_]),
        constant("risk_weight", logistic.coef_.reshape(10, 1)),
        constant("risk_bias", logistic.intercept_),
        constant("zero", 0.0),
    ]
    return helper.make_graph(nodes, "diabetes_risk", inputs, outputs, constants)


def main():
    data, target = load_diabetes(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(
        data.astype(np.float32), target, test_size=0.3, random_state=7
    )
    wide = train_x.astype(np.float64)
    median = np.median(train_y)
    ridge = Ridge(alpha=0.1).fit(wide, train_y)
    logistic = LogisticRegression(C=10.0, random_state=7).fit(wide, train_y > median)
    print(f"diabetes_risk: R2 {ridge.score(test_x, test_y):.3f}, ", end="")
    print(f"accuracy {logistic.score(test_x, test_y > median):.3f}")
    opsets = [helper.make_opsetid("", OPSET[""])]
    model = helper.make_model(build_graph(ridge, logistic), opset_imports=opsets, producer_name="protean-examples")
    save_model(model, "diabetes_risk/model.onnx")

    cases = []
    for rows in (test_x[:1], test_x[1:8]):
        wide = rows.astype(np.float64)
        outputs = {
            "progression": ridge.predict(wide).astype(np.float32).reshape(-1, 1),
            "risk": logistic.predict_proba(wide)[:, 1:].astype(np.float32),
            "above_median": logistic.predict(wide).reshape(-1, 1),
        }
        cases.append(case({"patient": rows[:, :4], "serum": rows[:, 4:]}, outputs))
    write_reference("diabetes_risk", "1", cases, trained_with="scikit-learn")


if __name__ == "__main__":
    main()
