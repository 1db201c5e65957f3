# SPDX-License-Identifier: Apache-2.0
"""iris_keras: a small network as a SavedModel, with the scaling of the measurements and the names of the kinds inside.

TensorFlow writes random numbers into `saved_model.pb` and `fingerprint.pb`: run again, the script writes other bytes with
the same content.
"""

import os
import shutil

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from sklearn.datasets import load_iris  # noqa: E402

from common import MODELS, case, write_reference  # noqa: E402

SEED = 7
BYTES_MAX = 100_000


def train():
    iris = load_iris()
    rows = iris.data.astype(np.float32)
    order = np.random.default_rng(SEED).permutation(len(rows))
    learn, test = order[:105], order[105:]
    keras.utils.set_random_seed(SEED)
    scaling = keras.layers.Normalization()
    scaling.adapt(rows[learn])
    model = keras.Sequential(
        [
            keras.Input((4,), name="measurements"),
            scaling,
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(rows[learn], iris.target[learn], epochs=60, batch_size=16, verbose=0)
    print(f"iris_keras: accuracy {model.evaluate(rows[test], iris.target[test], verbose=0)[1]:.3f}")
    return model, rows[test], iris.target_names


def export(model, names, folder) -> None:
    kinds = tf.constant(names.tolist())

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="measurements")])
    def classify(measurements):
        probabilities = model(measurements)
        return {"kind": tf.gather(kinds, tf.argmax(probabilities, axis=1)), "probabilities": probabilities}

    shutil.rmtree(folder, ignore_errors=True)
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serving_default", classify)
    archive.write_out(str(folder), verbose=False)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert size < BYTES_MAX, f"{size} bytes"
    print(f"iris_keras: {size} bytes")


def main():
    model, rows, names = train()
    folder = MODELS / "iris_keras" / "1"
    export(model, names, folder)
    served = tf.saved_model.load(str(folder)).signatures["serving_default"]
    cases = []
    for some in (rows[:1], rows[1:6]):
        answer = {name: value.numpy() for name, value in served(measurements=tf.constant(some)).items()}
        kinds = np.array([kind.decode() for kind in answer["kind"]])
        cases.append(case({"measurements": some}, {"kind": kinds, "probabilities": answer["probabilities"]}))
    write_reference("iris_keras", "1", cases, trained_with=f"tensorflow {tf.__version__}, keras {keras.__version__}")


if __name__ == "__main__":
    main()
