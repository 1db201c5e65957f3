# SPDX-License-Identifier: Apache-2.0
"""Runs under the interpreter that has TensorFlow: makes SavedModels and says what TensorFlow answers.

Each line on standard input is `KIND NAME SEED FOLDER`; the model is written to FOLDER/model, and for each of its inputs
and outputs a file of bytes to FOLDER, as FOLDER/io.json lists them. One line comes back: `ok`, or `error MESSAGE`.
"""

import json
import os
import sys
import traceback
import zlib
from pathlib import Path

# oneDNN aborts on some transposed convolutions that TensorFlow's own kernels compute.
os.environ.update(
    TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", KERAS_BACKEND="tensorflow", TF_ENABLE_ONEDNN_OPTS="0"
)

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from tensorflow_functions import OPS, TF1  # noqa: E402
from tensorflow_layers import CASES, WORDS  # noqa: E402

TYPES = {
    "float32": "FP32", "float64": "FP64", "float16": "FP16", "int8": "INT8", "int16": "INT16", "int32": "INT32",
    "int64": "INT64", "uint8": "UINT8", "bool": "BOOL", "object": "BYTES",
}  # fmt: skip


class Random:
    """Choices of a case."""

    def __init__(self, name, seed):
        self.generator = np.random.default_rng([zlib.crc32(name.encode()), seed])

    def one(self, choices):
        return choices[int(self.generator.integers(len(choices)))]

    def flag(self):
        return bool(self.generator.integers(2))

    def integer(self, low, high):
        return int(self.generator.integers(low, high + 1))

    def number(self, low, high):
        return float(self.generator.uniform(low, high))

    def numbers(self, shape):
        return self.generator.normal(size=shape).astype(np.float32)


class Module(tf.Module):
    def __init__(self, function):
        super().__init__()
        self.scale = tf.Variable(1.25)
        self.function = function

    @tf.function(input_signature=[tf.TensorSpec([None, 6, 4], tf.float32, name="x")])
    def serve(self, x):
        return {"y": self.function(x * self.scale)}


class Counter(tf.Module):
    def __init__(self):
        super().__init__()
        self.calls = tf.Variable(0.0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def serve(self, x):
        self.calls.assign_add(1.0)
        return {"y": x + self.calls}


def build_unlowered(name, folder):
    """Models that our lowering refuses."""
    if name == "counter":
        module = Counter()
        tf.saved_model.save(module, folder, signatures=module.serve.get_concrete_function())
    elif name == "text_vectorisation":
        words = keras.Input((1,), dtype="string", name="words")
        layer = keras.layers.TextVectorization(vocabulary=WORDS)
        keras.Model(words, layer(words)).export(folder, verbose=False)
    else:
        v1 = tf.compat.v1
        with tf.Graph().as_default(), v1.Session() as session:
            serialized = v1.placeholder(tf.string, [None], name="words")
            features = {"x": v1.FixedLenSequenceFeature([], tf.float32, allow_missing=True)}
            x = v1.parse_example(serialized, features, name="ParseExample")["x"]
            v1.saved_model.simple_save(session, folder, {"inputs": serialized}, {"outputs": x * 2.0})


def build(kind, name, r, folder):
    if kind == "unlowered":
        build_unlowered(name, folder)
        return
    if kind == "layer":
        model = CASES[name](r, keras)
        if r.integer(0, 3) == 0:
            tf.saved_model.save(model, folder)
        else:
            model.export(folder, verbose=False)
    elif kind == "op":
        # Choices are made while the function is traced: once, as the concrete function is kept.
        module = Module(OPS[name](r, tf, keras))
        tf.saved_model.save(module, folder, signatures=module.serve.get_concrete_function())
    else:
        with tf.Graph().as_default():
            tf.compat.v1.set_random_seed(r.integer(0, 1 << 30))
            TF1[name](r, tf, Path(folder))


def values_for(r, key, spec, batch):
    shape = [batch if axis == 0 and size is None else r.integer(5, 8) if size is None else size for axis, size in enumerate(spec.shape)]
    if spec.dtype == tf.string:
        return r.generator.choice([word.encode() for word in [*WORDS, "", "kiwi"]], shape).astype(object)
    if spec.dtype.is_integer:
        suffix = key.rsplit("_", 1)[-1]
        limit = int(suffix) if suffix.isdigit() else 5
        return r.generator.integers(0, limit, shape).astype(spec.dtype.as_numpy_dtype)
    return r.generator.normal(size=shape).astype(spec.dtype.as_numpy_dtype)


def bytes_of(array):
    if array.dtype != object:
        return np.ascontiguousarray(array).tobytes()
    return b"".join(len(text).to_bytes(4, "little") + text for text in array.reshape(-1))


def write(folder, prefix, tensors):
    listed = {}
    for index, (key, array) in enumerate(sorted(tensors.items())):
        file = f"{prefix}{index}.bin"
        (folder / file).write_bytes(bytes_of(array))
        listed[key] = {"file": file, "type": TYPES[str(array.dtype)], "shape": list(array.shape)}
    return listed


def make(kind, name, seed, folder):
    r = Random(name, seed)
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    build(kind, name, r, str(folder / "model"))
    if kind == "unlowered":
        (folder / "io.json").write_text('{"inputs": {}, "outputs": {}}')
        return
    signature = tf.saved_model.load(str(folder / "model"), tags=["serve"]).signatures["serving_default"]
    batch = r.integer(1, 4)
    specs = signature.structured_input_signature[1]
    inputs = {key: values_for(r, key, spec, batch) for key, spec in specs.items()}
    outputs = signature(**{key: tf.constant(value) for key, value in inputs.items()})
    answers = {key: value.numpy() for key, value in outputs.items()}
    answers = {key: np.asarray(value, dtype=object) if value.dtype.kind in "OS" else value for key, value in answers.items()}
    listed = {"inputs": write(folder, "in", inputs), "outputs": write(folder, "out", answers)}
    (folder / "io.json").write_text(json.dumps(listed))


def main():
    tf.config.threading.set_intra_op_parallelism_threads(1)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not mix with answers
    for line in sys.stdin:
        kind, name, seed, folder = line.split()
        try:
            make(kind, name, int(seed), Path(folder))
            answers.write("ok\n")
        except Exception:
            answers.write("error " + traceback.format_exc()[-1500:].replace("\n", " | ") + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
