# SPDX-License-Identifier: Apache-2.0
"""The models of `./dev bench backends`, made by the libraries themselves, and the bare loops around each.

All tree models learn the same target from the same rows: 100 trees of depth 6 over 30 features.
"""

import json
import os
import struct
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before the libraries are loaded

import catboost
import joblib
import lightgbm
import mlflow.pyfunc
import mlflow.xgboost
import numpy as np
import xgboost
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import models as onnx_by_hand

TREES, DEPTH, FEATURES, ROWS, LEARNED_ROWS = 100, 6, 30, 1024, 5000
NOOP = """from protean_worker import Input, Model, Output


class NoOp(Model):
    inputs = [Input("x", "FP32", [-1, 4])]
    outputs = [Output("y", "FP32", [-1, 4])]

    def predict(self, inputs):
        return inputs["x"]
"""


@dataclass
class Served:
    """One model of the folder. `bare`: the library's own answer to one row, to be looped; None: timed by trees_bench,
    under the name `timed_as`. `library`: what the loop calls."""

    name: str
    backend: str
    library: str
    bare: Callable | None = None
    timed_as: str = ""


def learn(folder: Path):
    """{name: path} of the three libraries' files and of the rows asked, and what else the loops need."""
    random = np.random.default_rng(0)
    data = random.normal(size=(LEARNED_ROWS, FEATURES)).astype(np.float32)
    target = np.sin(data[:, 0] * data[:, 1]) + 0.3 * data[:, 2:12].sum(axis=1)
    target += 0.3 * random.normal(size=LEARNED_ROWS)
    folder.mkdir(parents=True)
    paths = {"xgboost": folder / "xgboost.json", "lightgbm": folder / "lightgbm.txt",
             "catboost": folder / "catboost.json", "rows": folder / "rows.f32", "onnx": folder / "trees.onnx"}
    data[:ROWS].tofile(paths["rows"])
    booster = xgboost.train({"max_depth": DEPTH, "nthread": 1}, xgboost.DMatrix(data, target), TREES)
    booster.save_model(paths["xgboost"])
    light = lightgbm.train({"max_depth": DEPTH, "num_leaves": 2**DEPTH, "num_threads": 1, "verbose": -1},
                           lightgbm.Dataset(data.astype(np.float64), target), TREES)
    light.save_model(paths["lightgbm"])
    cat = catboost.CatBoostRegressor(iterations=TREES, depth=DEPTH, thread_count=1, verbose=False,
                                     allow_writing_files=False).fit(data, target)
    cat.save_model(str(paths["catboost"]), format="json")
    paths["onnx"].write_bytes(trees_as_onnx(paths["xgboost"]))
    return paths, data, target, booster, cat


def attribute(name, values):
    """An AttributeProto of a list: ints, floats or texts."""
    if isinstance(values[0], int):
        return onnx_by_hand.ints_attribute(name, values)
    if isinstance(values[0], float):
        body = b"".join(b"\x3d" + struct.pack("<f", value) for value in values)  # field 7, four bytes
        kind = 6
    else:
        body = b"".join(onnx_by_hand.field(9, value) for value in values)
        kind = 8
    return onnx_by_hand.field(5, onnx_by_hand.field(1, name) + body + onnx_by_hand.number_field(20, kind))


def text_attribute(name, value):
    return onnx_by_hand.field(5, onnx_by_hand.field(1, name) + onnx_by_hand.field(4, value)
                              + onnx_by_hand.number_field(20, 3))


def trees_as_onnx(path):
    """XGBoost's JSON file as one TreeEnsembleRegressor node."""
    learner = json.loads(path.read_text())["learner"]
    bases = json.loads(learner["learner_model_param"]["base_score"])
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
    fields["base_values"] = [float(base) for base in (bases if isinstance(bases, list) else [bases])]
    attributes = b"".join(attribute(name, values) for name, values in fields.items())
    attributes += onnx_by_hand.field(5, onnx_by_hand.field(1, "n_targets") + onnx_by_hand.number_field(3, 1)
                                     + onnx_by_hand.number_field(20, 2))
    attributes += text_attribute("post_transform", "NONE")
    # NodeProto: the domain is field 7.
    node = onnx_by_hand.node("TreeEnsembleRegressor", ["x"], "y", attributes + onnx_by_hand.field(7, "ai.onnx.ml"))
    return onnx_model(node, [None, FEATURES], [None, 1])


def onnx_model(node, shape_in, shape_out):
    """ModelProto with one node, opset 17 and ai.onnx.ml 3."""
    graph = node + onnx_by_hand.field(2, "g")
    graph += onnx_by_hand.field(11, onnx_by_hand.value_info("x", shape_in))
    graph += onnx_by_hand.field(12, onnx_by_hand.value_info("y", shape_out))
    opsets = onnx_by_hand.field(8, onnx_by_hand.field(1, "") + onnx_by_hand.number_field(2, 17))
    opsets += onnx_by_hand.field(8, onnx_by_hand.field(1, "ai.onnx.ml") + onnx_by_hand.number_field(2, 3))
    return onnx_by_hand.number_field(1, 8) + onnx_by_hand.field(7, graph) + opsets


def write_folder(folder: Path, made: Path):
    """Fills a model folder; returns the files of trees_bench and what is served: one model a backend, and two no-ops."""
    paths, data, target, booster, cat = learn(made)

    def place(name, file, content):
        version = folder / name / "1"
        version.mkdir(parents=True)
        (version / file).write_bytes(content)
        return version / file

    for name, file in (("xgboost", "model.json"), ("lightgbm", "model.txt"), ("catboost", "model.json"),
                       ("onnx", "model.onnx")):
        place(name, file, paths[name].read_bytes())
    classes = (target > np.median(target)).astype(int)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(data.astype(np.float64), classes)
    joblib.dump(pipeline, place("sklearn", "model.joblib", b""))
    place("noop", "model.py", NOOP.encode())
    place("identity", "model.onnx", onnx_model(onnx_by_hand.node("Identity", ["x"], "y"), [None, 4], [None, 4]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        signature = mlflow.models.infer_signature(data[:2], booster.predict(xgboost.DMatrix(data[:2])))
        mlflow.xgboost.save_model(booster, str(folder / "mlflow" / "1"), signature=signature,
                                  pip_requirements=["numpy"])
        as_function = mlflow.pyfunc.load_model(str(folder / "mlflow" / "1"))
    row, wide = data[:1], data[:1].astype(np.float64)
    rows = [np.ascontiguousarray(data[i: i + 1]) for i in range(ROWS)]
    return paths, [
        Served("onnx", "ONNX Runtime, tree operator", "ONNX Runtime's C++ API", timed_as="onnxruntime"),
        Served("xgboost", "trees, XGBoost", "libxgboost's C API", timed_as="xgboost"),
        Served("lightgbm", "trees, LightGBM", "LightGBM's C API, single row fast", timed_as="lightgbm"),
        Served("catboost", "trees, CatBoost", "catboost in Python",
               lambda i: cat.predict(rows[i % ROWS], thread_count=1)),
        Served("sklearn", "scikit-learn reader", "scikit-learn in Python", lambda _: pipeline.predict(wide)),
        Served("mlflow", "MLflow folder (XGBoost)", "mlflow.pyfunc in Python", lambda _: as_function.predict(row)),
        Served("noop", "Python worker, no-op", "the method in Python", lambda _: noop(row)),
        Served("identity", "ONNX Runtime, Identity", "ONNX Runtime's C++ API"),
    ]


def noop(x):
    """What the no-op's predict() does."""
    return x


def loop_us(call, seconds):
    """Microseconds a call over about `seconds`."""
    calls, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        for _ in range(10):
            call(calls)
            calls += 1
    return elapsed / calls * 1e6
