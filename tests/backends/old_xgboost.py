# SPDX-License-Identifier: Apache-2.0
"""The binary format that XGBoost wrote up to 2.x, written here from the JSON of a newer one, which cannot write it.

The structures are those of XGBoost 1.7 (include/xgboost/tree_model.h, src/learner.cc, src/gbm/gbtree_model.h,
src/gbm/gbtree.cc); XGBoost 1.7.6 loads these files and predicts the same.
"""

import json
import struct

LEFT_CHILD = 0x80000000
NO_PARENT = 2147483647


def _tree(tree: dict, features: int) -> bytes:
    count = len(tree["left_children"])
    # TreeParam: roots, nodes, deleted, depth, features, leaf vector, 31 reserved.
    body = struct.pack("<6i", 1, count, 0, 0, features, 0) + bytes(31 * 4)
    for node in range(count):
        left, right, parent = (tree[key][node] for key in ("left_children", "right_children", "parents"))
        if parent == NO_PARENT:
            parent = 0xFFFFFFFF
        elif tree["left_children"][parent] == node:
            parent |= LEFT_CHILD
        split = tree["split_indices"][node] | (LEFT_CHILD if tree["default_left"][node] else 0)
        body += struct.pack("<IiiIf", parent, left, right, split, tree["split_conditions"][node])
    for node in range(count):
        body += struct.pack("<fffi", tree["loss_changes"][node], tree["sum_hessian"][node], tree["base_weights"][node], 0)
    return body


def write_old(path_json: str, path: str) -> bool:
    """False, and nothing is written, where the format has no words for the model: categories, vectors as leaves, a base
    score for each output; or it is not read here: linear models."""
    with open(path_json, encoding="utf-8") as file:
        learner = json.load(file)["learner"]
    booster = learner["gradient_booster"]
    if booster["name"] == "gblinear":
        return False
    dart = booster["name"] == "dart"
    model = (booster["gbtree"] if dart else booster)["model"]
    facts = learner["learner_model_param"]
    bases = set(facts["base_score"].strip("[]").split(","))
    trees = model["trees"]
    plain = all(tree["tree_param"]["size_leaf_vector"] in ("0", "1") and not tree["categories_nodes"] for tree in trees)
    if len(bases) != 1 or not plain:
        return False
    features, classes, targets = (int(facts[key]) for key in ("num_feature", "num_class", "num_target"))
    body = struct.pack("<fIiiiIII", float(bases.pop()), features, classes, 0, 0, 1, 7, targets).ljust(136, b"\0")
    for name in (learner["objective"]["name"], booster["name"]):
        body += struct.pack("<Q", len(name)) + name.encode()
    parallel = int(model["gbtree_model_param"]["num_parallel_tree"])
    body += struct.pack("<iiiiqii", len(trees), parallel, 0, 0, 0, 1, 0).ljust(160, b"\0")
    body += b"".join(_tree(tree, features) for tree in trees)
    body += struct.pack(f"<{len(trees)}i", *model["tree_info"])
    if dart:
        weights = booster["weight_drop"]
        body += struct.pack(f"<Q{len(weights)}f", len(weights), *weights)
    with open(path, "wb") as file:
        file.write(b"binf" + body)
    return True
