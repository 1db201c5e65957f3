# SPDX-License-Identifier: Apache-2.0
"""References of the Python classes in ../python_models: what the class answers by itself, without a server.

iris_rules: which of three irises it is, by two thresholds.
"""

import importlib.util
import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_iris

from common import EXAMPLES, case, write_reference

sys.path.insert(0, str(EXAMPLES.parent / "python"))


def load_class(folder: Path, name: str):
    spec = importlib.util.spec_from_file_location("model", folder / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = getattr(module, name)()
    model.load(folder)
    return model


def iris_rules():
    model = load_class(EXAMPLES / "python_models" / "iris_rules", "IrisRules")
    data, target = load_iris(return_X_y=True)
    rows = data.astype(np.float32)
    cases = []
    for part in (slice(0, 1), slice(None, None, 5)):
        inputs = {"measurements": rows[part]}
        cases.append(case(inputs, model.postprocess(model.predict(model.preprocess(inputs))), 1e-6))
    said = model.postprocess(model.predict(model.preprocess({"measurements": rows})))["species"]
    print(f"iris_rules: accuracy {(said == load_iris().target_names[target]).mean():.3f}")
    write_reference("iris_rules", "1", cases, "python_models/iris_rules.json", trained_with="NumPy")


def main():
    iris_rules()


if __name__ == "__main__":
    main()
