# SPDX-License-Identifier: Apache-2.0
"""Files of tree ensembles that mean harm: each is refused with a reason, in bounded time and memory, and the genuine file
that comes next is served as ever."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris

lightgbm = pytest.importorskip("lightgbm")
xgboost = pytest.importorskip("xgboost")

from probe import Probe, Refused  # noqa: E402

# Of one process that met all of them one after another, under AddressSanitizer (whose own book-keeping is in it).
MEMORY_KB_MAX = 2 << 20
X, Y = load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def probe():
    running = Probe()
    yield running
    peak = Path(f"/proc/{running.process.pid}/status").read_text().split("VmHWM:")[1].split()[0]
    running.close()
    assert int(peak) < MEMORY_KB_MAX, "KiB in use"


def _booster():
    return xgboost.train(
        {"max_depth": 3, "objective": "multi:softprob", "num_class": 3}, xgboost.DMatrix(X, Y), num_boost_round=2
    )


BOOSTER = _booster()
JSON = json.loads(bytes(BOOSTER.save_raw("json")))
UBJ = bytes(BOOSTER.save_raw("ubj"))
LIGHT = (
    lightgbm.train({"verbose": -1, "num_leaves": 7, "objective": "regression"}, lightgbm.Dataset(X, Y), 2)
    .model_to_string()
)
CAT = json.loads((Path(__file__).parents[2] / "examples/models/iris_catboost/model.json").read_text())


def _xgboost(**fields):
    """The genuine model with fields of its first tree replaced at one index, or whole."""
    model = json.loads(json.dumps(JSON))
    tree = model["learner"]["gradient_booster"]["model"]["trees"][0]
    for name, change in fields.items():
        if isinstance(change, tuple):
            tree[name][change[0]] = change[1]
        else:
            tree[name] = change
    return json.dumps(model).encode()


def _learner(change):
    model = json.loads(json.dumps(JSON))
    change(model["learner"])
    return json.dumps(model).encode()


def _light(name, value):
    """The genuine text with a line of its first tree (or of its head) replaced."""
    lines = LIGHT.split("\n")
    at = next(i for i, line in enumerate(lines) if line.startswith(name + "="))
    lines[at] = f"{name}={value}"
    return "\n".join(lines).encode()


def _cat(change):
    model = json.loads(json.dumps(CAT))
    change(model)
    return json.dumps(model).encode()


def _deep(depth):
    """A chain of nodes, each the left child of the one before."""
    count = 2 * depth + 1
    left = [i + 1 if i % 2 == 0 and i + 2 < count else -1 for i in range(count)]
    right = [i + 2 if child != -1 else -1 for i, child in enumerate(left)]
    parents = [2147483647] + [(i - 1) // 2 * 2 for i in range(1, count)]
    zeros = [0] * count
    return _xgboost(
        left_children=left,
        right_children=right,
        parents=parents,
        split_indices=zeros,
        split_conditions=[0.5] * count,
        default_left=zeros,
        split_type=zeros,
        base_weights=[0.0] * count,
        loss_changes=[0.0] * count,
        sum_hessian=[1.0] * count,
        tree_param={"num_deleted": "0", "num_feature": "4", "num_nodes": str(count), "size_leaf_vector": "1"},
    )


def _ubj_array(kind, count, body=b""):
    """UBJSON whose trees are an array of this many elements."""
    start = UBJ.index(b"left_children") + len(b"left_children")
    return UBJ[:start] + b"[$" + kind + b"#L" + struct.pack(">q", count) + body


XGBOOST = {
    "children that point at the root": _xgboost(left_children=(0, 0)),
    "a child that is its own parent": _xgboost(right_children=(0, 0)),
    "two parents of one child": _xgboost(right_children=(0, 1)),
    "a child beyond the tree": _xgboost(left_children=(0, 1 << 40)),
    "a child of 2^63": _xgboost(left_children=(0, 1 << 63)),
    "a feature beyond the row": _xgboost(split_indices=(0, 1 << 31)),
    "lists of different lengths": _xgboost(split_conditions=[0.5]),
    "a text among the numbers": _xgboost(split_conditions=(0, "x")),
    "an empty tree": _xgboost(left_children=[], right_children=[], split_indices=[], split_conditions=[]),
    "trees of unheard outputs": _learner(
        lambda l: l["gradient_booster"]["model"].update(tree_info=[1 << 30] * len(l["gradient_booster"]["model"]["tree_info"]))
    ),
    "2^62 outputs": _learner(lambda l: l["learner_model_param"].update(num_class=str(1 << 62))),
    "2^31 outputs": _learner(lambda l: l["learner_model_param"].update(num_class=str(1 << 31))),
    "2^62 columns": _learner(lambda l: l["learner_model_param"].update(num_feature=str(1 << 62))),
    "no columns": _learner(lambda l: l["learner_model_param"].update(num_feature="0")),
    "-1 columns": _learner(lambda l: l["learner_model_param"].update(num_feature="-1")),
    "an objective of nobody's": _learner(lambda l: l["objective"].update(name="reg:nobody")),
    "a booster of nobody's": _learner(lambda l: l["gradient_booster"].update(name="gbnobody")),
    "a base score that is a text": _learner(lambda l: l["learner_model_param"].update(base_score="high")),
    "nesting of 10,000": b'{"learner":{"gradient_booster":' + b'{"model":' * 10_000,
    "lists 10,000 deep": b'{"learner":{"gradient_booster":{"model":{"trees":' + b"[" * 10_000 + b"]" * 10_000 + b"}}}}",
    "JSON cut off": json.dumps(JSON).encode()[:-40],
    "UBJSON cut off": UBJ[:-40],
    "UBJSON array of 2^62 doubles": _ubj_array(b"D", 1 << 62),
    "UBJSON array of 2^40 bytes": _ubj_array(b"U", 1 << 40),
    "UBJSON array of a negative count": _ubj_array(b"i", -1),
    "UBJSON array of 2^40 nothings": _ubj_array(b"Z", 1 << 40),
    "UBJSON array of 2^40 truths": _ubj_array(b"T", 1 << 40),
    "UBJSON 10,000 deep": b"{L" + struct.pack(">q", 7) + b"learner" + b"[" * 10_000,
    "UBJSON objects 10,000 deep": b"{" + (b"L" + struct.pack(">q", 7) + b"learner{") * 10_000,
    "UBJSON name of 2^62": b"{L" + struct.pack(">q", 1 << 62) + b"learner",
    "binary with 2^31 trees": b"binf" + struct.pack("<fI i", 0.5, 4, 1) + b"\xff" * 400,
    "binary cut off": b"binf" + bytes(136) + struct.pack("<Q", 9) + b"reg:linea",
    "binary with a name of 2^63": b"binf" + bytes(136) + struct.pack("<Q", 1 << 63) + b"reg:linear",
}

LIGHTGBM = {
    "children that point at the root": _light("left_child", "0 0 0 0 0 0"),
    "children that point at each other": _light("right_child", "1 0 1 0 1 0"),
    "a child beyond the tree": _light("left_child", "999999999 -1 -2 -3 -4 -5"),
    "a child of 2^63": _light("left_child", "9223372036854775808 -1 -2 -3 -4 -5"),
    "2^31 leaves": _light("num_leaves", 1 << 31),
    "-1 leaves": _light("num_leaves", -1),
    "a feature beyond the row": _light("split_feature", "99 99 99 99 99 99"),
    "2^62 columns": _light("max_feature_idx", 1 << 62),
    "2^31 columns": _light("max_feature_idx", (1 << 31) - 2),
    "trees of 2^30 an iteration": _light("num_tree_per_iteration", 1 << 30),
    "categories of 2^30": _light("num_cat", 1 << 30),
    "thresholds of no numbers": _light("threshold", "a b c d e f"),
    "too few thresholds": _light("threshold", "1"),
    "an objective of nobody's": _light("objective", "nobody"),
    "cut off": LIGHT[: len(LIGHT) // 3].encode(),
    "only its first line": b"tree\nversion=v4\n",
    "a line of 32 MB": b"tree\nversion=v4\nfeature_names=" + b"x " * (16 << 20),
    "a million empty trees": LIGHT[: LIGHT.index("Tree=0")].encode() + b"".join(b"Tree=%d\n\n" % i for i in range(1_000_000)),
}

CATBOOST = {
    "a tree of 63 splits": _cat(lambda m: m["oblivious_trees"][0].update(splits=m["oblivious_trees"][0]["splits"][:1] * 63)),
    "a tree of 10,000 splits": _cat(
        lambda m: m["oblivious_trees"][0].update(splits=m["oblivious_trees"][0]["splits"][:1] * 10_000)
    ),
    "too few leaves": _cat(lambda m: m["oblivious_trees"][0].update(leaf_values=[1.0])),
    "a feature beyond the row": _cat(lambda m: m["oblivious_trees"][0]["splits"][0].update(float_feature_index=1 << 40)),
    "a feature before the row": _cat(lambda m: m["oblivious_trees"][0]["splits"][0].update(float_feature_index=-1)),
    "a flat index of 2^62": _cat(lambda m: m["features_info"]["float_features"][0].update(flat_feature_index=1 << 62)),
    "a split of no kind": _cat(lambda m: m["oblivious_trees"][0]["splits"][0].update(split_type="Nobody")),
    "nesting of 10,000": b'{"features_info":{},"oblivious_trees":' + b"[" * 10_000,
    "cut off": json.dumps(CAT).encode()[:-100],
}


def _refused(probe, tmp_path, data):
    path = tmp_path / "model"
    path.write_bytes(data)
    with pytest.raises(Refused) as reason:
        probe.load(path)
    assert len(str(reason.value)) > 15
    genuine = tmp_path / "genuine.ubj"
    genuine.write_bytes(UBJ)
    probe.load(genuine)
    assert np.isfinite(probe.run(X[:3], "probabilities")["probabilities"]).all()


@pytest.mark.parametrize("name", XGBOOST)
def test_a_hostile_xgboost_file_is_refused(probe, tmp_path, name):
    _refused(probe, tmp_path, XGBOOST[name])


@pytest.mark.parametrize("name", LIGHTGBM)
def test_a_hostile_lightgbm_file_is_refused(probe, tmp_path, name):
    _refused(probe, tmp_path, LIGHTGBM[name])


@pytest.mark.parametrize("name", CATBOOST)
def test_a_hostile_catboost_file_is_refused(probe, tmp_path, name):
    _refused(probe, tmp_path, CATBOOST[name])


@pytest.mark.parametrize("depth", [200, 10_000])
def test_a_tree_of_great_depth_is_refused_or_answers(probe, tmp_path, depth):
    path = tmp_path / "model.json"
    path.write_bytes(_deep(depth))
    try:
        probe.load(path)
    except Refused as refused:
        assert "deeper than" in str(refused)
        return
    assert np.isfinite(probe.run(X[:2], "probabilities")["probabilities"]).all()


@pytest.mark.parametrize("data", [UBJ, json.dumps(JSON).encode(), LIGHT.encode(), json.dumps(CAT).encode()],
                         ids=["UBJSON", "JSON", "LightGBM", "CatBoost"])
def test_flipped_bytes_are_refused_or_read(probe, tmp_path, data):
    path = tmp_path / "model"
    # Every one of them ends in an answer of the probe, not in its end.
    for at in range(0, len(data), max(1, len(data) // 150)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        try:
            probe.load(path)
        except Refused:
            continue
