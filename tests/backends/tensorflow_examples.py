# SPDX-License-Identifier: Apache-2.0
"""SavedModels whose signatures read serialized Examples, and what TensorFlow answers; runs under its interpreter.

FOLDER: writes FOLDER/models, and FOLDER/cases.json: of each model and signature the Examples (base64) and the outputs,
or the words in which TensorFlow refuses them.
call ADDRESS: classifies and regresses over gRPC by TensorFlow Serving's own stubs; prints one JSON object.
"""

import base64
import json
import os
import re
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import half_plus_two  # noqa: E402
import tensorflow as tf  # noqa: E402

FEATURES = {
    "age": tf.io.FixedLenFeature([], tf.int64, 7),
    "matrix": tf.io.FixedLenFeature([2, 2], tf.float32, [[1.0, 2.0], [3.0, 4.0]]),
    "name": tf.io.FixedLenFeature([1], tf.string, [b"nobody"]),
    "row": tf.io.FixedLenFeature([3], tf.float32),
    "unused": tf.io.FixedLenFeature([2], tf.int64, [0, 0]),
}
v1 = tf.compat.v1
TEXTS = [tf.TensorSpec([None], tf.string, name="inputs")]


class People(tf.Module):
    """Features of every type, read in a function that the signatures call."""

    def __init__(self):
        super().__init__()
        self.weights = tf.Variable([[0.5, -1.0], [2.0, 0.25], [-0.75, 1.5]])

    @tf.function
    def read(self, examples):
        return tf.io.parse_example(examples, FEATURES)

    @tf.function(input_signature=TEXTS)
    def classify(self, inputs):
        read = self.read(inputs)
        ages = tf.cast(read["age"], tf.float32)[:, tf.newaxis]
        scores = tf.nn.softmax(tf.matmul(read["row"], self.weights) * ages, axis=-1)
        return {"classes": tf.repeat(read["name"], 2, axis=1), "scores": scores}

    @tf.function(input_signature=TEXTS)
    def regress(self, inputs):
        read = self.read(inputs)
        return {"outputs": tf.reduce_sum(read["row"], 1) + tf.reduce_sum(read["matrix"] * [[10.0, 0.0], [0.0, 10.0]], [1, 2])}

    @tf.function(input_signature=TEXTS)
    def count(self, inputs):
        """Looks at the Examples themselves as well."""
        read = self.read(inputs)
        return {"outputs": tf.reduce_sum(read["row"], 1), "count": tf.shape(inputs)}

    @tf.function(input_signature=TEXTS)
    def old(self, inputs):
        """With the operation that exporters wrote before there was a second version of it."""
        keys, defaults = [b"age", b"row"], [tf.constant(7, tf.int64), tf.zeros([0])]
        age, row = tf.raw_ops.ParseExample(
            serialized=inputs, names=[], sparse_keys=[], dense_keys=keys, dense_defaults=defaults, sparse_types=[],
            dense_shapes=[[], [3]],
        ).dense_values  # fmt: skip
        return {"outputs": tf.reduce_sum(row, 1) * tf.cast(age, tf.float32)}

    @tf.function(input_signature=[tf.TensorSpec([], tf.string, name="inputs")])
    def single(self, inputs):
        age, row = tf.raw_ops.ParseSingleExample(
            serialized=inputs, dense_defaults=[tf.constant(7, tf.int64), tf.zeros([0])], num_sparse=0, sparse_keys=[],
            dense_keys=["age", "row"], sparse_types=[], dense_shapes=[[], [3]],
        ).dense_values  # fmt: skip
        return {"outputs": tf.reduce_sum(row) * tf.cast(age, tf.float32)}


def write_sparse(folder: Path) -> None:
    """Its Examples have features of any number of values, as TensorFlow 1 exported them."""
    with tf.Graph().as_default(), v1.Session() as session:
        serialized = v1.placeholder(tf.string, [None])
        read = v1.io.parse_example(serialized, {"words": v1.io.VarLenFeature(tf.float32)})
        x = v1.placeholder(tf.float32, [None])
        define = v1.saved_model.regression_signature_def
        signatures = {
            "serving_default": v1.saved_model.predict_signature_def({"x": x}, {"y": x + 1.0}),
            "regress": define(examples=serialized, predictions=tf.sparse.reduce_sum(read["words"], 1)),
        }
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, ["serve"], signature_def_map=signatures)
        builder.save()


def write_shapeless(folder: Path) -> None:
    """Its placeholder says nothing about its shape, as that of the first tutorials."""
    with tf.Graph().as_default(), v1.Session() as session:
        serialized = v1.placeholder(tf.string)
        (x,) = tf.raw_ops.ParseExample(
            serialized=serialized, names=[], sparse_keys=[], dense_keys=[b"x"], dense_defaults=[tf.zeros([1])],
            sparse_types=[], dense_shapes=[[1]],
        ).dense_values  # fmt: skip
        regress = v1.saved_model.regression_signature_def(examples=serialized, predictions=x * 0.5 + 2.0)
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, ["serve"], signature_def_map={"serving_default": regress})
        builder.save()


def example(**features) -> bytes:
    """A tensorflow.Example; None: a feature without a list of values."""
    made = tf.train.Example()
    for name, values in features.items():
        feature = made.features.feature[name]
        if values is None:
            continue
        if values and isinstance(values[0], bytes):
            feature.bytes_list.value.extend(values)
        elif values and isinstance(values[0], int):
            feature.int64_list.value.extend(values)
        else:
            feature.float_list.value.extend(values)
    return made.SerializeToString()


ROW = {"row": [0.5, -1.0, 2.0]}
WHOLE = example(**ROW, age=[40], name=[b"\xffm\0"], matrix=[5.0, 6.0, 7.0, 8.0], unused=[1, 2], other=[b"x"])
# {features {feature {key: "\xff" value {}}}}
NOT_TEXT = b"\x0a\x07\x0a\x05\x0a\x01\xff\x12\x00"
PEOPLE = {
    "one": [WHOLE],
    "defaults": [example(**ROW), WHOLE, example(row=[1.0, 1.0, 1.0], age=[2])],
    "an_empty_feature": [example(**ROW, age=None)],
    "later_ones_count": [example(row=[9.0, 9.0, 9.0]) + example(**ROW)],
    "later_ones_without_values": [example(**ROW, age=[5]) + example(age=None, row=None)],
    "names_of_any_bytes": [example(**ROW) + NOT_TEXT],
    "missing": [WHOLE, example(age=[3])],
    "an_empty_text": [b""],
    "other_type": [WHOLE, example(row=[1, 2, 3])],
    "other_type_of_default": [example(**ROW, name=[1.5])],
    "unused_of_other_type": [example(**ROW, unused=[b"x", b"y"])],
    "too_few": [example(row=[1.0, 2.0])],
    "too_many": [WHOLE, WHOLE, example(**ROW, age=[1, 2])],
    "none_of_them": [example(row=[])],
    "no_example": [WHOLE, b"abcdef"],
}
IN_NEW_ONES = ("other_type_of_default", "unused_of_other_type")
ALONE = {name: [PEOPLE[name][-1]] for name in ("one", "later_ones_count", "missing", "other_type", "no_example")}
HALF = {"plain": [example(x=[2.0]), example(x2=[8.0]), b""], "other_type": [example(x=[2])]}


def without_place(message: str) -> str:
    """The words alone, without node and stack."""
    return re.search(r"^(?:Name: |Feature: |Key: |Could not ).*$", message, re.MULTILINE)[0]


def answer(signature, texts: list) -> dict:
    ((key, spec),) = signature.structured_input_signature[1].items()
    try:
        found = signature(**{key: tf.constant(texts[0] if spec.shape.rank == 0 else texts, tf.string)})
    except tf.errors.InvalidArgumentError as error:
        return {"error": without_place(error.message)}
    plain = {}
    for name, tensor in found.items():
        values = tensor.numpy()
        plain[name] = [base64.b64encode(v).decode() for v in values.ravel()] if values.dtype == object else values.ravel().tolist()
    return {"outputs": plain}


def make(folder: Path) -> None:
    models = folder / "models"
    half_plus_two.write(models / "half_plus_two" / "1", 2.0)
    people = People()
    signatures = {
        "serving_default": people.classify, "regress": people.regress, "count": people.count, "old": people.old,
        "single": people.single,
    }  # fmt: skip
    tf.saved_model.save(people, str(models / "people" / "1"), signatures=signatures)
    write_shapeless(models / "shapeless" / "1")
    write_sparse(models / "sparse" / "1")
    asked = {
        "half_plus_two": (HALF, ("classify_x_to_y", "regress_x_to_y", "regress_x2_to_y3")),
        "shapeless": (HALF, ("serving_default",)),
        "people": (PEOPLE, ("serving_default", "regress", "count")),
        # Neither reads what others have of another type.
        "people of old": ({name: PEOPLE[name] for name in PEOPLE if name not in IN_NEW_ONES}, ("old",)),
        "people alone": (ALONE, ("single",)),
    }
    cases = []
    for model, (texts_by_name, names) in asked.items():
        model = model.split()[0]
        loaded = tf.saved_model.load(str(models / model / "1"))
        for signature in names:
            for name, texts in texts_by_name.items():
                case = {"model": model, "signature": signature, "name": name}
                case["examples"] = [base64.b64encode(text).decode() for text in texts]
                cases.append(case | answer(loaded.signatures[signature], texts))
    (folder / "cases.json").write_text(json.dumps(cases))


def call(address: str) -> None:
    import grpc
    from tensorflow_serving.apis import classification_pb2, prediction_service_pb2_grpc, regression_pb2

    stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(address))
    examples = [tf.train.Example.FromString(text) for text in HALF["plain"]]

    def fill(request, signature: str):
        request.model_spec.name = "half_plus_two"
        request.model_spec.signature_name = signature
        request.input.example_list.examples.extend(examples)
        return request

    classified = stub.Classify(fill(classification_pb2.ClassificationRequest(), "classify_x_to_y"), timeout=60)
    regressed = stub.Regress(fill(regression_pb2.RegressionRequest(), "regress_x2_to_y3"), timeout=60)
    scores = [[each.score for each in row.classes] for row in classified.result.classifications]
    print(json.dumps({"classify": scores, "regress": [each.value for each in regressed.result.regressions]}))


if __name__ == "__main__":
    if sys.argv[1] == "call":
        call(sys.argv[2])
    else:
        make(Path(sys.argv[1]))
