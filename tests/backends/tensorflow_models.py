# SPDX-License-Identifier: Apache-2.0
"""Builds SavedModels with the TensorFlow that runs this script, and what TensorFlow itself answers them.

Usage: tensorflow_models.py FOLDER: FOLDER/models/NAME/1 for each model, FOLDER/answers.npz with arrays named
`NAME|FUNCTION|CASE|in or out|KEY`.
"""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

v1 = tf.compat.v1
FLOATS = [tf.float32, tf.float64, tf.half, tf.bfloat16]
INTEGERS = [tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint16, tf.uint32, tf.uint64]


class Types(tf.Module):
    """Every element type, in and out."""

    @tf.function(input_signature=[tf.TensorSpec([None, 2], each, name=f"in_{each.name}") for each in FLOATS + INTEGERS])
    def numbers(self, *inputs):
        return {f"out_{each.dtype.name}": each + tf.cast(1, each.dtype) for each in inputs}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.bool, name="flag"), tf.TensorSpec(None, tf.string, name="s")])
    def others(self, flag, s):
        return {"not": tf.logical_not(flag), "joined": tf.strings.join([s, "/", s]), "length": tf.strings.length(s)}


class Words(tf.Module):
    """Lookup tables from a file that becomes an asset, and from constants."""

    def __init__(self, vocabulary: Path):
        super().__init__()
        initializer = tf.lookup.TextFileInitializer(
            str(vocabulary), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
        )
        self.ids = tf.lookup.StaticVocabularyTable(initializer, 3)
        constants = tf.lookup.KeyValueTensorInitializer(
            tf.constant([0, 1, 2], tf.int64), tf.constant(["zero", "one", "two"])
        )
        self.names = tf.lookup.StaticHashTable(constants, "many")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="word")])
    def look(self, word):
        ids = self.ids.lookup(word)
        return {"id": ids, "name": self.names.lookup(ids)}


class Counter(tf.Module):
    def __init__(self):
        super().__init__()
        self.total = tf.Variable(0.0)

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32, name="by")])
    def add(self, by):
        return {"total": self.total.assign_add(by)}

    @tf.function(input_signature=[])
    def read(self):
        return {"total": self.total.read_value()}


class Gathering(tf.Module):
    """Rows of one shape in and out, with what all calls have seen so far; written by a function that another calls."""

    def __init__(self):
        super().__init__()
        self.sum = tf.Variable(0.0)

    @tf.function
    def gather(self, seen):
        self.sum.assign_add(tf.reduce_sum(seen))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="seen")])
    def call(self, seen):
        self.gather(seen)
        return {"sum": tf.zeros_like(seen) + self.sum}


class Raising(tf.Module):
    """Refuses negative numbers when it runs."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def root(self, x):
        tf.debugging.assert_non_negative(x, "no roots of negative numbers here")
        return {"root": tf.sqrt(x)}


class Loops(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, name="n")])
    def collatz(self, n):
        steps = tf.zeros_like(n)
        while tf.reduce_any(n > 1):
            n = tf.where(n > 1, tf.where(n % 2 == 0, n // 2, 3 * n + 1), n)
            steps += tf.cast(n > 1, tf.int64)
        return {"steps": steps}


class Mixed(tf.Module):
    """A signature that can be served, and one whose type no protocol carries."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def plain(self, x):
        return {"y": x + 1}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.complex64, name="z")])
    def imaginary(self, z):
        return {"w": z * 2}


class Reader(tf.Module):
    """Reads a file that its caller names: no server should do that."""

    @tf.function(input_signature=[tf.TensorSpec([], tf.string, name="path")])
    def read(self, path):
        return {"content": tf.io.read_file(path)}


def network() -> keras.Model:
    keras.utils.set_random_seed(11)
    image = keras.Input((12, 12, 3), name="image")
    x = keras.layers.Conv2D(8, 3, activation="relu")(image)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(5, activation="softmax", name="scores")(x))


def recurrent() -> keras.Model:
    keras.utils.set_random_seed(12)
    words = keras.Input((None,), dtype="int64", name="words")
    x = keras.layers.Embedding(50, 6, mask_zero=True)(words)
    x = keras.layers.Bidirectional(keras.layers.LSTM(5))(x)
    return keras.Model(words, keras.layers.Dense(2, name="out")(x))


def example(**features) -> bytes:
    """A tensorflow.Example of floats and texts."""
    made = {}
    for name, values in features.items():
        if isinstance(values[0], bytes):
            made[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
        else:
            made[name] = tf.train.Feature(float_list=tf.train.FloatList(value=values))
    return tf.train.Example(features=tf.train.Features(feature=made)).SerializeToString()


def save_examples(folder: Path) -> None:
    """As TensorFlow 1 exported: one graph, Examples parsed in it, signatures for classify, regress and predict."""
    with tf.Graph().as_default(), v1.Session() as session:
        serialized = v1.placeholder(tf.string, [None], name="tf_example")
        parsed = v1.io.parse_example(serialized, {"x": v1.io.FixedLenFeature([2], tf.float32)})
        x = tf.identity(parsed["x"], name="x")
        weights = v1.get_variable("weights", initializer=tf.constant([[1.0, -2.0, 0.5], [0.25, 1.0, -1.0]]))
        scores = tf.nn.softmax(tf.matmul(x, weights), name="scores")
        names = tf.constant(["ash", "birch", "cedar"])
        classes = tf.tile(tf.expand_dims(names, 0), [tf.shape(scores)[0], 1])
        outputs = tf.reduce_sum(x, 1, name="outputs")
        info = v1.saved_model.utils.build_tensor_info
        inputs = {"inputs": info(serialized)}
        define = v1.saved_model.signature_def_utils.build_signature_def
        signatures = {
            "serving_default": define({"x": info(x)}, {"scores": info(scores)}, "tensorflow/serving/predict"),
            "classify": define(
                inputs, {"classes": info(classes), "scores": info(scores)}, "tensorflow/serving/classify"
            ),
            "regress": define(inputs, {"outputs": info(outputs)}, "tensorflow/serving/regress"),
        }
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, ["serve"], signature_def_map=signatures)
        builder.save()


def cases(rng: np.random.Generator) -> dict:
    """{model: [(function, {input: array})]}"""
    numbers = {
        f"in_{each.name}": rng.integers(0, 100, (3, 2)).astype(each.as_numpy_dtype) for each in FLOATS + INTEGERS
    }
    others = {"flag": np.array([True, False]), "s": np.array([[b"", "\u00e4\0b".encode()], [b"x" * 300, b"y"]], object)}
    words = {"word": np.array([b"cat", b"", b"zebra", b"dog", b"nothing"], object)}
    rows = rng.normal(size=(4, 2)).astype(np.float32)
    lines = np.array([example(x=row.tolist()) for row in rows], object)
    return {
        "numbers": [("serving_default", numbers)],
        "others": [("serving_default", others)],
        "words": [("serving_default", words)],
        "raising": [("serving_default", {"x": np.array([4.0, 2.0], np.float32)})],
        "loops": [("serving_default", {"n": np.array([6, 27, 1], np.int64)})],
        "mixed": [("serving_default", {"x": np.array(x, np.float32)}) for x in ([1.5], [])],
        "network": [("serving_default", {"image": rng.normal(size=(n, 12, 12, 3)).astype(np.float32)}) for n in (1, 3)],
        "recurrent": [("serving_default", {"words": np.array([[3, 9, 0, 0], [1, 2, 3, 4]], np.int64)})],
        "examples": [
            ("serving_default", {"x": rows}),
            ("classify", {"inputs": lines}),
            ("regress", {"inputs": lines}),
        ],
    }


def save_all(folder: Path) -> None:
    vocabulary = folder / "vocabulary.txt"
    vocabulary.write_text("cat\ndog\nbird\n")
    types, mixed, counter = Types(), Mixed(), Counter()
    words, raising, loops, reader, gathering = Words(vocabulary), Raising(), Loops(), Reader(), Gathering()
    modules = {
        "numbers": (types, {"serving_default": types.numbers}),
        "others": (types, {"serving_default": types.others}),
        "words": (words, {"serving_default": words.look}),
        "counter": (counter, {"serving_default": counter.add, "read": counter.read}),
        "gathering": (gathering, {"serving_default": gathering.call}),
        "raising": (raising, {"serving_default": raising.root}),
        "loops": (loops, {"serving_default": loops.collatz}),
        "mixed": (mixed, {"serving_default": mixed.plain, "imaginary": mixed.imaginary}),
        "reader": (reader, {"serving_default": reader.read}),
    }
    for name, (module, signatures) in modules.items():
        tf.saved_model.save(module, str(folder / "models" / name / "1"), signatures=signatures)
    for name, model in {"network": network(), "recurrent": recurrent()}.items():
        model.export(str(folder / "models" / name / "1"), verbose=False)
    save_examples(folder / "models" / "examples" / "1")


def answers_of(folder: Path, asked: list) -> list[dict]:
    """What a session over the SavedModel answers; as TensorFlow Serving runs it."""
    found = []
    with tf.Graph().as_default(), v1.Session() as session:
        graph = v1.saved_model.load(session, ["serve"], str(folder))
        for function, inputs in asked:
            signature = graph.signature_def[function]
            feeds = {signature.inputs[key].name: value for key, value in inputs.items()}
            fetches = {key: info.name for key, info in signature.outputs.items()}
            found.append(session.run(fetches, feeds))
    return found


def main(folder: Path) -> None:
    save_all(folder)
    arrays = {}
    for name, asked in cases(np.random.default_rng(5)).items():
        answers = answers_of(folder / "models" / name / "1", asked)
        for number, ((function, inputs), outputs) in enumerate(zip(asked, answers, strict=True)):
            for way, tensors in (("in", inputs), ("out", outputs)):
                for key, value in tensors.items():
                    # NumPy's files know no bfloat16; its bits are those of an integer.
                    bits = value.view(np.uint16) if value.dtype == tf.bfloat16.as_numpy_dtype else value
                    arrays[f"{name}|{function}|{number}|{way}|{key}"] = bits
    np.savez(folder / "answers.npz", **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
