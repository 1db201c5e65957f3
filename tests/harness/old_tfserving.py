# SPDX-License-Identifier: Apache-2.0
"""A stand-in for an old TensorFlow Serving: real TensorFlow behind its REST routes and gRPC services.

Runs under a Python that has tensorflow-cpu and tensorflow-serving-api. Every model computes the same, whatever its
name; `--plant KIND` makes the model of that name answer with one deliberate fault, so that two of these differ in
exactly what was planted. With `--model NAME=FOLDER` it serves SavedModels instead, answers and errors laid out as
TensorFlow Serving lays them out (protocol notes: "Numbers", "Layout"). Prints `ready REST_PORT GRPC_PORT` when it serves.
"""

import argparse
import json
import os
import re
import socket
import threading
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import grpc  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from tensorflow_serving.apis import (  # noqa: E402
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

KINDS = (
    "value", "close", "dtype", "missing", "extra", "status", "text", "content-type", "version", "format",
)  # fmt: skip
_ROUTE = re.compile(r"^/v1/models/([^/:]+)(?:/versions/(\d+))?(?::(\w+)|/(metadata))?$", re.IGNORECASE)
_PLANTED: set[str] = set()
_SAVED: dict[str, object] = {}


class Refusal(Exception):
    """An error of the API: a gRPC code and a text."""

    def __init__(self, code: grpc.StatusCode, text: str):
        super().__init__(text)
        self.code = code
        self.text = text


def planted(model: str, kind: str) -> bool:
    return model == kind and kind in _PLANTED


@tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
def _half_plus_two(x):
    """The computation of TensorFlow Serving's own example model, and a second output of another type."""
    return {"y": x * 0.5 + 2.0, "n": tf.cast(tf.round(tf.where(tf.math.is_finite(x), x, 0.0)), tf.int32)}


def compute(model: str, x: np.ndarray) -> dict[str, np.ndarray]:
    """The outputs, with the fault of `model` in them; of the model `hang` never."""
    if model == "hang":
        threading.Event().wait()
    if _SAVED:
        answer = saved(model).signatures["serving_default"](x=tf.constant(x, tf.float32))
        return {name: tensor.numpy() for name, tensor in answer.items()}
    outputs = {name: tensor.numpy() for name, tensor in _half_plus_two(tf.constant(x, tf.float32)).items()}
    if planted(model, "value"):
        outputs["y"] = outputs["y"] + np.float32(1e-3)
    if planted(model, "close"):
        outputs["y"] = outputs["y"] * np.float32(1 + 1e-6)
    if planted(model, "missing"):
        del outputs["n"]
    if planted(model, "extra"):
        outputs["debug"] = outputs["y"]
    return outputs


def saved(model: str):
    if model not in _SAVED:
        raise Refusal(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Latest({model})")
    return _SAVED[model]


def regress_values(model: str, signature: str, serialized: list[bytes], x: np.ndarray) -> list[float]:
    """One value for each Example, whose feature `x` is also given."""
    if _SAVED:
        answer = saved(model).signatures[signature](inputs=tf.constant(serialized))
        return answer["outputs"].numpy().ravel().tolist()
    return compute(model, x)["y"].tolist()


def check_signature(model: str, name: str) -> None:
    if name in ("", "serving_default"):
        return
    code = grpc.StatusCode.NOT_FOUND if planted(model, "status") else grpc.StatusCode.INVALID_ARGUMENT
    other = "No such signature" if planted(model, "text") else "not found in signature def"
    raise Refusal(code, f'Serving signature name: "{name}" {other}')


def version_of(model: str) -> int:
    return 2 if planted(model, "version") else 1


# ---- gRPC ------------------------------------------------------------------------------------------------------------


def fill_spec(spec, model: str, signature: str = "serving_default") -> None:
    spec.name = model
    spec.signature_name = signature
    spec.version.value = version_of(model)


def tensor_of(model: str, name: str, array: np.ndarray):
    """As TensorFlow Serving encodes it: in the typed list, unless the fault is another encoding or type."""
    if name == "y" and planted(model, "dtype"):
        array = array.astype(np.float64)
    made = tf.make_tensor_proto(array)
    tensor = type(made)(dtype=made.dtype, tensor_shape=made.tensor_shape)
    if planted(model, "format"):
        tensor.tensor_content = array.tobytes()
        return tensor
    field = {np.float32: "float_val", np.float64: "double_val", np.int32: "int_val"}[array.dtype.type]
    getattr(tensor, field).extend(array.ravel().tolist())
    return tensor


def inputs_of(request) -> np.ndarray:
    """Feature `x` of each Example."""
    examples = request.input.example_list.examples
    return np.array([e.features.feature["x"].float_list.value[0] for e in examples], np.float32)


def answering(method):
    """Turns a Refusal into the call's status."""

    def call(self, request, context):
        echoed = [(key, value) for key, value in context.invocation_metadata() if key.startswith("x-echo")]
        context.send_initial_metadata(echoed)
        try:
            return method(self, request)
        except Refusal as refusal:
            context.abort(refusal.code, refusal.text)

    return call


def classify(model: str, x: np.ndarray, result) -> None:
    for value in compute(model, x)["y"]:
        result.classifications.add().classes.add(label="half", score=float(value))


def regress(request, model: str, signature: str, result) -> None:
    serialized = [example.SerializeToString() for example in request.input.example_list.examples]
    for value in regress_values(model, signature, serialized, inputs_of(request)):
        result.regressions.add(value=value)


class Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
    @answering
    def Predict(self, request):
        model = request.model_spec.name
        check_signature(model, request.model_spec.signature_name)
        response = predict_pb2.PredictResponse()
        fill_spec(response.model_spec, model)
        for name, array in compute(model, tf.make_ndarray(request.inputs["x"])).items():
            response.outputs[name].CopyFrom(tensor_of(model, name, array))
        return response

    @answering
    def Classify(self, request):
        response = classification_pb2.ClassificationResponse()
        fill_spec(response.model_spec, request.model_spec.name)
        classify(request.model_spec.name, inputs_of(request), response.result)
        return response

    @answering
    def Regress(self, request):
        response = regression_pb2.RegressionResponse()
        spec = request.model_spec
        fill_spec(response.model_spec, spec.name, spec.signature_name or "serving_default")
        regress(request, spec.name, spec.signature_name, response.result)
        return response

    @answering
    def MultiInference(self, request):
        response = inference_pb2.MultiInferenceResponse()
        for task in request.tasks:
            one = response.results.add()
            fill_spec(one.model_spec, task.model_spec.name)
            if task.method_name.endswith("classify"):
                classify(task.model_spec.name, inputs_of(request), one.classification_result)
            else:
                regress(request, task.model_spec.name, "", one.regression_result)
        return response

    @answering
    def GetModelMetadata(self, request):
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        model = request.model_spec.name
        fill_spec(response.model_spec, model)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        signature = signatures.signature_def["serving_default"]
        signature.method_name = "tensorflow/serving/predict"
        signature.inputs["x"].dtype = tf.float32.as_datatype_enum
        for name in ("y", "n"):
            signature.outputs[name].name = f"StatefulPartitionedCall:{name}"
        response.metadata["signature_def"].Pack(signatures)
        return response


class Models(model_service_pb2_grpc.ModelServiceServicer):
    reloads = 0

    @answering
    def GetModelStatus(self, request):
        response = get_model_status_pb2.GetModelStatusResponse()
        one = response.model_version_status.add(version=version_of(request.model_spec.name), state=30)
        one.status.SetInParent()
        return response

    @answering
    def HandleReloadConfigRequest(self, request):
        Models.reloads += 1
        response = model_management_pb2.ReloadConfigResponse()
        response.status.error_message = f"reload {Models.reloads}"
        return response


def serve_grpc(port: int) -> tuple[grpc.Server, int]:
    server = grpc.server(futures.ThreadPoolExecutor(8))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Prediction(), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(Models(), server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, bound


# ---- REST ------------------------------------------------------------------------------------------------------------

_HTTP = {grpc.StatusCode.INVALID_ARGUMENT: 400, grpc.StatusCode.NOT_FOUND: 404}


def json_value(model: str, name: str, value) -> object:
    if name == "y" and planted(model, "dtype"):
        return str(value)
    if planted(model, "format") and value == int(value):
        return int(value)
    return value


def number_text(value: float) -> str:
    """As TensorFlow Serving prints a float."""
    if not np.isfinite(value):
        return "NaN" if np.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    short = f"{value:g}"
    text = short if np.float32(short) == np.float32(value) else f"{value:.9g}"
    return text if "." in text or "e" in text else text + ".0"


def row_text(value: object) -> str:
    return f"[{', '.join(map(row_text, value))}]" if isinstance(value, list) else number_text(value)


class Laid(str):
    """JSON that is printed already."""


def predict_json(model: str, body: bytes) -> object:
    request = json.loads(body)
    check_signature(model, request.get("signature_name", ""))
    x = np.array([row["x"] if isinstance(row, dict) else row for row in request["instances"]], np.float32)
    outputs = compute(model, x)
    if _SAVED:
        (only,) = outputs.values()
        return Laid(f'{{\n    "predictions": [{", ".join(map(row_text, only.tolist()))}\n    ]\n}}')
    rows = [
        {name: json_value(model, name, array[i].item()) for name, array in outputs.items()} for i in range(len(x))
    ]
    return {"predictions": rows}


def serialized_example(value: float) -> bytes:
    example = tf.train.Example()
    example.features.feature["x"].float_list.value.append(value)
    return example.SerializeToString()


def results_json(model: str, verb: str, body: bytes) -> object:
    request = json.loads(body)
    x = np.array([example["x"] for example in request["examples"]], np.float32)
    if _SAVED:
        serialized = [serialized_example(value) for value in x]
        return Laid(f'{{\n    "results": {row_text(regress_values(model, request["signature_name"], serialized, x))}\n}}')
    values = [value.item() for value in compute(model, x)["y"]]
    return {"results": values if verb == "regress" else [[["half", value]] for value in values]}


def status_json(model: str) -> object:
    if _SAVED:
        saved(model)
    state = {"version": str(version_of(model)), "state": "AVAILABLE"}
    return {"model_version_status": [{**state, "status": {"error_code": "OK", "error_message": ""}}]}


def metadata_json(model: str) -> object:
    spec = {"name": model, "signature_name": "", "version": str(version_of(model))}
    outputs = {name: {"dtype": dtype} for name, dtype in (("y", "DT_FLOAT"), ("n", "DT_INT32"))}
    return {"model_spec": spec, "metadata": {"signature_def": {"serving_default": {"outputs": outputs}}}}


class Rest(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, *_: object) -> None:
        """Nothing: a test reads what it needs from the answers."""

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("content-length", 0))))

    def _answer(self, body: bytes) -> None:
        model = ""
        try:
            route = _ROUTE.match(self.path)
            if not route:
                raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, f"Malformed request: {self.command} {self.path}")
            model = route[1]
            status, answer = 200, self._call(model, route[3] or route[4] or "", body)
        except Refusal as refusal:
            status, answer = _HTTP[refusal.code], {"error": refusal.text}
        except (ValueError, KeyError) as error:
            status, answer = 400, {"error": f"JSON Parse error: {error}"}
        text = (answer if isinstance(answer, Laid) else json.dumps(answer, indent=4)).encode()
        kind = "text/plain" if planted(model, "content-type") else "application/json"
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(text)}\r\n"
        self.wfile.write(head.encode() + f"X-Port: {self.server.server_port}\r\n\r\n".encode() + text)

    def _call(self, model: str, verb: str, body: bytes) -> object:
        if verb == "predict":
            return predict_json(model, body)
        if verb in ("classify", "regress"):
            return results_json(model, verb, body)
        return metadata_json(model) if verb == "metadata" else status_json(model)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rest-port", type=int, default=0)
    parser.add_argument("--grpc-port", type=int, default=0)
    parser.add_argument("--plant", action="append", default=[], choices=KINDS)
    parser.add_argument("--model", action="append", default=[], help="NAME=FOLDER of one version of a SavedModel")
    options = parser.parse_args()
    _PLANTED.update(options.plant)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for name, folder in (model.split("=", 1) for model in options.model):
        _SAVED[name] = tf.saved_model.load(folder)
    if not _SAVED:
        compute("warm", np.zeros(1, np.float32))
    rest = Server(("127.0.0.1", options.rest_port), Rest)
    _grpc, grpc_port = serve_grpc(options.grpc_port)
    threading.Thread(target=rest.serve_forever, daemon=True).start()
    print(f"ready {rest.server_port} {grpc_port}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
