# SPDX-License-Identifier: Apache-2.0
"""Trees against libxgboost's C API and ONNX Runtime's tree operator: one model, one core, one run, turn by turn.

Usage: taskset -c 1 python trees_bench.py PATH_OF/libtrees_bench.so [rounds]
Prints microseconds (the best of the rounds) and ratios to ours. Needs xgboost, onnx and onnxruntime.
"""

import ctypes
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import xgboost
from onnx import TensorProto, helper

TREES, DEPTH, FEATURES, ROWS, EXPLAINED = 100, 6, 30, 1024, 64


def train(path):
    """100 trees of depth 6 on data with interactions, saved as JSON."""
    rng = np.random.default_rng(0)
    data = rng.normal(size=(5000, FEATURES)).astype(np.float32)
    target = np.sin(data[:, 0] * data[:, 1]) + 0.3 * data[:, 2:12].sum(axis=1) + 0.3 * rng.normal(size=5000)
    booster = xgboost.train({"max_depth": DEPTH, "nthread": 1}, xgboost.DMatrix(data, target), TREES)
    booster.save_model(path)
    return booster, np.ascontiguousarray(data[:ROWS])


def onnx_model(path):
    """The same trees as one TreeEnsembleRegressor node."""
    learner = json.loads(Path(path).read_text())["learner"]
    base = json.loads(learner["learner_model_param"]["base_score"])
    names = ("nodes_treeids", "nodes_nodeids", "nodes_featureids", "nodes_modes", "nodes_values", "nodes_truenodeids",
             "nodes_falsenodeids", "nodes_missing_value_tracks_true", "target_treeids", "target_nodeids",
             "target_ids", "target_weights")
    fields = {name: [] for name in names}
    for number, tree in enumerate(learner["gradient_booster"]["model"]["trees"]):
        for node, left in enumerate(tree["left_children"]):
            leaf = left < 0
            row = (number, node, tree["split_indices"][node], "LEAF" if leaf else "BRANCH_LT",
                   float(tree["split_conditions"][node]), max(left, 0), max(tree["right_children"][node], 0),
                   int(tree["default_left"][node]))
            for name, value in zip(names[:8], row, strict=True):
                fields[name].append(value)
            if leaf:
                for name, value in zip(names[8:], (number, node, 0, row[4]), strict=True):
                    fields[name].append(value)
    bases = base if isinstance(base, list) else [base]
    node = helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1,
                            base_values=bases, post_transform="NONE", **fields)
    graph = helper.make_graph([node], "trees", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, FEATURES])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def xgboost_calls(booster, data):
    """inplace_predict through the C API, with everything that Python adds prepared beforehand."""
    library = xgboost.core._LIB
    config = (b'{"type":0,"training":false,"iteration_begin":0,"iteration_end":0,"strict_shape":false,'
              b'"missing":NaN,"cache_id":0}')
    shape, out = ctypes.POINTER(ctypes.c_uint64)(), ctypes.POINTER(ctypes.c_float)()
    size = ctypes.c_uint64()

    def prepared(first, count):
        return json.dumps({"data": [data.ctypes.data + first * FEATURES * 4, True], "shape": [count, FEATURES],
                           "typestr": "<f4", "version": 3}).encode()

    def call(rows):
        library.XGBoosterPredictFromDense(booster.handle, rows, config, None, ctypes.byref(shape), ctypes.byref(size),
                                          ctypes.byref(out))

    singles, everything = [prepared(i, 1) for i in range(ROWS)], prepared(0, ROWS)
    few = xgboost.DMatrix(data[:EXPLAINED], nthread=1)
    return {"single": lambda i: call(singles[i % ROWS]), "batch": lambda _: call(everything),
            "explain": lambda _: booster.predict(few, pred_contribs=True)}


def our_calls(library, path, data):
    library.trees_bench_load.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(library.trees_bench_load(str(path).encode()))
    out = np.empty(ROWS * (FEATURES + 1))
    address = ctypes.c_void_p(out.ctypes.data)
    rows = [ctypes.c_void_p(data.ctypes.data + i * FEATURES * 4) for i in range(ROWS)]
    one, all_rows, few = ctypes.c_size_t(1), ctypes.c_size_t(ROWS), ctypes.c_size_t(EXPLAINED)
    return {"single": lambda i: library.trees_bench_predict(handle, rows[i % ROWS], one, address),
            "batch": lambda _: library.trees_bench_predict(handle, rows[0], all_rows, address),
            "explain": lambda _: library.trees_bench_explain(handle, rows[0], few, address)}


def onnx_calls(session, data):
    singles = [np.ascontiguousarray(data[i : i + 1]) for i in range(ROWS)]
    return {"single": lambda i: session.run(None, {"x": singles[i % ROWS]}),
            "batch": lambda _: session.run(None, {"x": data})}


def measure(contenders, case, repeats, rounds):
    """Microseconds a call, the best round of each; the contenders take turns."""
    best = dict.fromkeys(contenders, float("inf"))
    for _ in range(rounds):
        for name, calls in contenders.items():
            if case not in calls:
                continue
            started = time.perf_counter()
            for i in range(repeats):
                calls[case](i)
            best[name] = min(best[name], (time.perf_counter() - started) / repeats * 1e6)
    return best


def main():
    library = ctypes.CDLL(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 15
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        booster, data = train(path)
        contenders = {"protean": our_calls(library, path, data), "xgboost": xgboost_calls(booster, data),
                      "onnxruntime": onnx_calls(onnx_model(path), data)}
        assert onnx.__version__
        for case, repeats, rows in (("single", 500, 1), ("batch", 5, ROWS), ("explain", 1, EXPLAINED)):
            best = measure(contenders, case, repeats, rounds)
            parts = [f"{name} {us:.2f} us" + ("" if name == "protean" else f" (ratio {best['protean'] / us:.3f})")
                     for name, us in best.items() if us < float("inf")]
            print(f"{case}, {rows} rows: " + ", ".join(parts))


if __name__ == "__main__":
    main()
