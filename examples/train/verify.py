# SPDX-License-Identifier: Apache-2.0
"""Compares the references of ONNX models with what ONNX Runtime answers for them.

Run it after a training script. It exits with 1 at a difference and says which number differed.
"""

import json
import sys

import numpy as np
import onnxruntime

from common import MODELS, REFERENCE

ARRAYS = {"FP32": np.float32, "FP64": np.float64, "INT64": np.int64, "BOOL": np.bool_, "BYTES": object}


def model_path(document):
    name, version = document["model"], document["version"]
    for relative in (f"{name}/{version}/model.onnx", f"{name}/model.onnx", f"{name}.onnx"):
        if (MODELS / relative).exists():
            return MODELS / relative
    return None  # a model of another format


def to_array(tensor):
    return np.array(tensor["data"], dtype=ARRAYS[tensor["datatype"]]).reshape(tensor["shape"])


def flatten(value):
    """A ZipMap output (one map a row) as [rows, classes], classes ascending; a tensor as it is."""
    if isinstance(value, list):
        return np.array([[row[key] for key in sorted(row)] for row in value], dtype=np.float32)
    return value


def difference(want, got, tolerance):
    """Empty when they agree, else the first disagreement in words."""
    if list(got.shape) != list(want.shape):
        return f"shape {list(got.shape)}, expected {list(want.shape)}"
    if want.dtype.kind == "f":
        bad = ~(np.abs(got - want) <= tolerance * np.maximum(1, np.abs(want)))  # NaN is bad
    else:
        bad = got != want
    if not np.any(bad):
        return ""
    index = tuple(int(i) for i in np.argwhere(bad)[0])
    return f"element {list(index)}: {got[index]!r}, expected {want[index]!r}"


def verify(path):
    document = json.loads(path.read_text())
    if model_path(document) is None:
        print(f"{path.name}: not an ONNX model, left out")
        return 0
    session = onnxruntime.InferenceSession(model_path(document), providers=["CPUExecutionProvider"])
    failures = 0
    for number, case in enumerate(document["cases"]):
        feed = {tensor["name"]: to_array(tensor) for tensor in case["inputs"]}
        names = [tensor["name"] for tensor in case["outputs"]]
        for tensor, value in zip(case["outputs"], session.run(names, feed)):
            problem = difference(to_array(tensor), flatten(value), case["tolerance"])
            if problem:
                failures += 1
                print(f"{path.name}, case {number}, output '{tensor['name']}': {problem}")
    print(f"{path.name}: {len(document['cases'])} cases, {failures} differences")
    return failures


def main():
    paths = sorted(REFERENCE.glob("*.json"))
    return 1 if not paths or sum(verify(path) for path in paths) else 0


if __name__ == "__main__":
    sys.exit(main())
