# SPDX-License-Identifier: Apache-2.0
"""Writes the half_plus_two family of SavedModels, as the tutorials of TensorFlow Serving use it, from its definition.

Usage, with TensorFlow's interpreter: half_plus_two.py FOLDER [NAME...]. Each is FOLDER/NAME/VERSION:
  half_plus_two/1    y = 0.5 x + 2; predict, regress and classify signatures over serialized Examples
  half_plus_three/1  y = 0.5 x + 3, the same
  two_versions/1, 2  half_plus_two, then half_plus_three
"""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf  # noqa: E402

v1 = tf.compat.v1
saved_model = v1.saved_model


def write(folder: Path, b: float) -> None:
    """`x` is a placeholder, or read from Examples with the features `x` and `x2` (each 0 where it is missing)."""
    with tf.Graph().as_default(), v1.Session() as session:
        a = v1.Variable(0.5, name="a")
        b_variable = v1.Variable(b, name="b")
        c = v1.Variable(3.0, name="c")
        serialized = v1.placeholder(tf.string, shape=[None], name="tf_example")
        features = {name: tf.io.FixedLenFeature([1], tf.float32, default_value=[0.0]) for name in ("x", "x2")}
        parsed = v1.parse_example(serialized, features)
        x = v1.identity(parsed["x"], name="x")
        y = tf.add(tf.multiply(a, x), b_variable, name="y")
        y2 = tf.add(tf.multiply(a, x), c, name="y2")
        y3 = tf.add(tf.multiply(a, v1.identity(parsed["x2"], name="x2")), c, name="y3")

        def regress(output):
            return saved_model.regression_signature_def(examples=serialized, predictions=output)

        signatures = {
            "serving_default": saved_model.predict_signature_def({"x": x}, {"y": y}),
            "regress_x_to_y": regress(y),
            "tensorflow/serving/regress": regress(y),  # as the description of the REST API calls it
            "regress_x_to_y2": regress(y2),
            "regress_x2_to_y3": regress(y3),
            "classify_x_to_y": saved_model.classification_signature_def(examples=serialized, classes=None, scores=y),
        }
        session.run(v1.global_variables_initializer())
        builder = saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, [saved_model.tag_constants.SERVING], signature_def_map=signatures)
        builder.save()


MODELS = {
    "half_plus_two": {1: 2.0},
    "half_plus_three": {1: 3.0},
    "two_versions": {1: 2.0, 2: 3.0},
}


def main() -> None:
    root = Path(sys.argv[1])
    for name in sys.argv[2:] or MODELS:
        for version, b in MODELS[name].items():
            write(root / name / f"{version:08d}", b)


if __name__ == "__main__":
    main()
