# SPDX-License-Identifier: Apache-2.0
"""The calls of test_tfserving_grpc.py, by TensorFlow Serving's own stubs: runs under the interpreter that has them.

ADDRESS EXAMPLES_ADDRESS EMPTY_ADDRESS MODEL_FOLDER: prints one JSON object, from the name of a call to its reply, or to
`[code, details]`.
"""

import json
import sys
import time

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf.json_format import MessageToDict
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

_SECONDS = 60
_TYPES = {
    "fp32": np.float32, "fp64": np.float64, "int8": np.int8, "int16": np.int16, "int32": np.int32, "int64": np.int64,
    "uint8": np.uint8, "uint16": np.uint16, "uint32": np.uint32, "uint64": np.uint64, "bool": np.bool_,
    "fp16": np.float16,
}  # fmt: skip


def predict_request(model: str, inputs: dict, signature: str = "", outputs: tuple = ()) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        tensor = value if isinstance(value, TensorProto) else tf.make_tensor_proto(value)
        request.inputs[name].CopyFrom(tensor)
    request.output_filter.extend(outputs)
    return request


def example(**features: object) -> tf.train.Example:
    made = tf.train.Example()
    for name, values in features.items():
        made.features.feature[name].float_list.value.extend(values)
    return made


def edge_values(kind: type) -> np.ndarray:
    if kind is np.bool_:
        return np.array([True, False])
    if np.issubdtype(kind, np.integer):
        limits = np.iinfo(kind)
        return np.array([limits.min, 0, 1, limits.max], kind)
    return np.array([0.0, -0.0, 1.5, np.inf, -np.inf, np.nan, np.finfo(kind).max, np.finfo(kind).tiny], kind)


class Calls:
    """Each method is one call; what it returns goes into the report."""

    def __init__(self, address: str, examples: str, empty: str, folder: str):
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self._channel = grpc.insecure_channel(address, options=options)
        self._examples_channel = grpc.insecure_channel(examples)
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._model = model_service_pb2_grpc.ModelServiceStub(self._channel)
        self._examples = prediction_service_pb2_grpc.PredictionServiceStub(self._examples_channel)
        self._empty_channel = grpc.insecure_channel(empty)
        self._folder = folder

    def _output(self, request: predict_pb2.PredictRequest) -> np.ndarray:
        (tensor,) = self._prediction.Predict(request, timeout=_SECONDS).outputs.values()
        return tf.make_ndarray(tensor)

    def types(self) -> dict:
        """Whether the limits of each type come back bit by bit, in its typed list and as raw contents."""
        same = {}
        for name, kind in _TYPES.items():
            values = edge_values(kind)
            typed = TensorProto(dtype=tf.as_dtype(kind).as_datatype_enum)
            typed.tensor_shape.dim.add().size = len(values)
            field = {"fp32": "float_val", "fp64": "double_val", "bool": "bool_val", "fp16": "half_val",
                     "int64": "int64_val", "uint32": "uint32_val", "uint64": "uint64_val"}.get(name, "int_val")  # fmt: skip
            bits = values.view(np.uint16) if name == "fp16" else values
            getattr(typed, field).extend(bits.tolist())
            raw = tf.make_tensor_proto(values)
            back = [self._output(predict_request(f"identity_{name}", {"x": tensor})) for tensor in (typed, raw)]
            same[name] = all(one.dtype == values.dtype and one.tobytes() == values.tobytes() for one in back)
        return same

    def strings(self) -> list:
        values = np.array([b"", b"a\0b", b"\xff", b"x" * 70000], object)
        back = self._output(predict_request("identity_bytes", {"x": values}))
        return [one == other for one, other in zip(back.tolist(), values.tolist(), strict=True)]

    def large(self) -> bool:
        values = np.random.default_rng(1).standard_normal((4, 224, 224, 3)).astype(np.float32)
        back = self._output(predict_request("identity_any_rank", {"x": values}))
        return back.shape == values.shape and back.tobytes() == values.tobytes()

    def spec(self) -> dict:
        request = predict_request("identity_fp32", {"x": np.float32([1])})
        return MessageToDict(self._prediction.Predict(request, timeout=_SECONDS).model_spec)

    def output_filter(self) -> list:
        inputs = {name: np.float32([[1, 2, 3]]) for name in "ab"}
        request = predict_request("sum_two", inputs, outputs=("difference",))
        return list(self._prediction.Predict(request, timeout=_SECONDS).outputs)

    def repeated_value(self) -> list:
        tensor = tf.make_tensor_proto(2.5, dtype=tf.float32, shape=[3])
        return self._output(predict_request("identity_fp32", {"x": tensor})).tolist()

    def unknown_model(self) -> object:
        return self._prediction.Predict(predict_request("nix", {}), timeout=_SECONDS)

    def unknown_function(self) -> object:
        return self._prediction.Predict(predict_request("identity_fp32", {}, "f"), timeout=_SECONDS)

    def wrong_type(self) -> object:
        return self._prediction.Predict(predict_request("identity_fp32", {"x": np.int32([1])}), timeout=_SECONDS)

    def failing_model(self) -> object:
        return self._prediction.Predict(predict_request("fails_at_run", {"index": np.int64([100])}), timeout=_SECONDS)

    def metadata(self) -> dict:
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name = "sum_two"
        reply = self._prediction.GetModelMetadata(request, timeout=_SECONDS)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        reply.metadata["signature_def"].Unpack(signatures)
        return {name: sorted(one.inputs) + sorted(one.outputs) for name, one in signatures.signature_def.items()}

    def status(self) -> dict:
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = "identity_fp32"
        return MessageToDict(self._model.GetModelStatus(request, timeout=_SECONDS))

    def classify(self) -> dict:
        request = classification_pb2.ClassificationRequest()
        request.model_spec.name = "iris"
        request.input.example_list.examples.append(example(measurements=[5.1, 3.5, 1.4, 0.2]))
        reply = self._examples.Classify(request, timeout=_SECONDS)
        return {"classes": len(reply.result.classifications[0].classes), "spec": MessageToDict(reply.model_spec)}

    def regress(self) -> list:
        request = regression_pb2.RegressionRequest()
        request.model_spec.name = "diabetes"
        request.input.example_list.examples.append(example(measurements=[0.01] * 10))
        values = [one.value for one in self._examples.Regress(request, timeout=_SECONDS).result.regressions]
        whole = predict_request("diabetes", {"measurements": np.full([1, 10], 0.01, np.float32)})
        (output,) = self._examples.Predict(whole, timeout=_SECONDS).outputs.values()
        return [values, tf.make_ndarray(output).ravel().tolist()]

    def multi_inference_of_one_model(self) -> list:
        request = inference_pb2.MultiInferenceRequest()
        task = request.tasks.add(method_name="tensorflow/serving/regress")
        task.model_spec.name = "diabetes"
        request.input.example_list.examples.append(example(measurements=[0.01] * 10))
        reply = self._examples.MultiInference(request, timeout=_SECONDS)
        return [len(one.regression_result.regressions) for one in reply.results]

    def no_examples(self) -> object:
        request = regression_pb2.RegressionRequest()
        request.model_spec.name = "diabetes"
        return self._examples.Regress(request, timeout=_SECONDS)

    def reload(self) -> list:
        """A server without models gets one, which answers by its label; then it is taken away again."""
        model = model_service_pb2_grpc.ModelServiceStub(self._empty_channel)
        prediction = prediction_service_pb2_grpc.PredictionServiceStub(self._empty_channel)
        request = model_management_pb2.ReloadConfigRequest()
        models = request.config.model_config_list
        config = models.config.add(name="given", base_path=self._folder, model_platform="tensorflow")
        config.version_labels["stable"] = 1
        report = [MessageToDict(model.HandleReloadConfigRequest(request, timeout=_SECONDS))]
        predict = predict_request("given", {"x": np.float32([4])})
        predict.model_spec.version_label = "stable"
        (tensor,) = prediction.Predict(predict, timeout=_SECONDS).outputs.values()
        report.append(tf.make_ndarray(tensor).tolist())
        del models.config[:]
        request.config.model_config_list.SetInParent()
        model.HandleReloadConfigRequest(request, timeout=_SECONDS)
        report.append(self._end_of(prediction, predict_request("given", {"x": np.float32([4])})))
        return report

    def _end_of(self, prediction: prediction_service_pb2_grpc.PredictionServiceStub, request: object) -> str:
        """What is said once the model is gone: a reload returns when new models are there, old ones go after that."""
        until = time.monotonic() + _SECONDS
        while time.monotonic() < until:
            try:
                prediction.Predict(request, timeout=_SECONDS)
            except grpc.RpcError as error:
                return error.details()
        return "still there"

    def reload_of_a_relative_path(self) -> object:
        request = model_management_pb2.ReloadConfigRequest()
        request.config.model_config_list.config.add(name="a", base_path="a", model_platform="tensorflow")
        return self._model.HandleReloadConfigRequest(request, timeout=_SECONDS)


def main() -> None:
    calls = Calls(*sys.argv[1:])
    report = {}
    for name in [name for name in dir(Calls) if not name.startswith("_")]:
        try:
            report[name] = getattr(calls, name)()
        except grpc.RpcError as error:
            report[name] = [error.code().name, error.details()]
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
