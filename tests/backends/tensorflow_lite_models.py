# SPDX-License-Identifier: Apache-2.0
"""Builds TensorFlow Lite files with the TensorFlow that runs this script, and what its interpreter answers them.

Usage: tensorflow_lite_models.py FOLDER: FOLDER/models/NAME/1/model.tflite, FOLDER/answers.npz with arrays named
`NAME|SIGNATURE|CASE|in or out|KEY`.
"""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402


class Pairs(tf.Module):
    """Two inputs and two outputs whose order in the file is not that of their names; a second signature."""

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name=name) for name in ("second", "first")])
    def combine(self, second, first):
        return {"total": first + 2 * second, "gap": first - second}

    @tf.function(input_signature=[tf.TensorSpec([3], tf.int32, name="x")])
    def double(self, x):
        return {"y": x * 2}


def network() -> keras.Model:
    keras.utils.set_random_seed(3)
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Flatten()(keras.layers.Conv2D(4, 3, activation="relu")(image))
    return keras.Model(image, keras.layers.Dense(3, activation="softmax")(x))


def quantised(model: keras.Model, by_channel: bool) -> bytes:
    rng = np.random.default_rng(1)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([rng.random((1, 8, 8, 3), np.float32)] for _ in range(20))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.uint8
    # Libraries before 2.17 take every dense layer to have one scale.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = not by_channel
    return converter.convert()


def files() -> dict[str, bytes]:
    model, pairs = network(), Pairs()
    functions = [pairs.combine.get_concrete_function()]
    return {
        "network": tf.lite.TFLiteConverter.from_keras_model(model).convert(),
        "quantised": quantised(model, by_channel=False),
        "by_channel": quantised(model, by_channel=True),
        "pairs": tf.lite.TFLiteConverter.from_concrete_functions(functions, pairs).convert(),
    }


def two_signatures(folder: Path) -> bytes:
    pairs = Pairs()
    signatures = {"alone": pairs.double, "serving_default": pairs.combine}
    tf.saved_model.save(pairs, str(folder / "pairs"), signatures=signatures)
    return tf.lite.TFLiteConverter.from_saved_model(str(folder / "pairs"), signature_keys=[*signatures]).convert()


def answer(content: bytes, inputs: dict) -> dict:
    interpreter = tf.lite.Interpreter(model_content=content, num_threads=1)
    (key,) = interpreter.get_signature_list()
    runner = interpreter.get_signature_runner(key)
    return runner(**inputs)


def main(folder: Path) -> None:
    made = files()
    rng = np.random.default_rng(2)
    images = {rows: rng.random((rows, 8, 8, 3), np.float32) for rows in (1, 4)}
    cases = {
        "network": [{"image": images[rows]} for rows in (1, 4, 1)],
        "quantised": [{"image": (images[rows] * 255 - 128).astype(np.int8)} for rows in (1, 4)],
        "pairs": [{"first": rng.random((3, 2), np.float32), "second": rng.random((3, 2), np.float32)}],
    }
    arrays = {}
    for name, asked in cases.items():
        for number, inputs in enumerate(asked):
            for way, tensors in (("in", inputs), ("out", answer(made[name], inputs))):
                arrays |= {f"{name}||{number}|{way}|{key}": value for key, value in tensors.items()}
    made["several"] = two_signatures(folder)
    for name, content in made.items():
        (folder / "models" / name / "1").mkdir(parents=True)
        (folder / "models" / name / "1" / "model.tflite").write_bytes(content)
    np.savez(folder / "answers.npz", **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
