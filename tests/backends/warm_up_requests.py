# SPDX-License-Identifier: Apache-2.0
"""Writes warm-up requests beside a half_plus_two, as TensorFlow Serving's documentation says: with TensorFlow's writer of
records and tensorflow-serving-api's messages.

Usage, with TensorFlow's interpreter: warm_up_requests.py VERSION_FOLDER KIND...
  predict    x = [1, 2, 5], without a model's name     classify, regress, multi    the signatures over Examples
  session    a session run                             wrong                       an input that there is not
"""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf  # noqa: E402
from tensorflow_serving.apis import (  # noqa: E402
    classification_pb2,
    inference_pb2,
    model_pb2,
    predict_pb2,
    prediction_log_pb2,
    regression_pb2,
    session_service_pb2,
)

Log = prediction_log_pb2.PredictionLog


def spec(signature: str) -> model_pb2.ModelSpec:
    return model_pb2.ModelSpec(name="recorded_elsewhere", signature_name=signature)


def fill(request):
    example = tf.train.Example()
    example.features.feature["x"].float_list.value.append(2.0)
    request.input.example_list.examples.append(example)
    return request


def predict(name: str) -> Log:
    request = predict_pb2.PredictRequest(inputs={name: tf.make_tensor_proto([1.0, 2.0, 5.0], shape=[3, 1])})
    return Log(predict_log=prediction_log_pb2.PredictLog(request=request))


def classify() -> Log:
    request = fill(classification_pb2.ClassificationRequest(model_spec=spec("classify_x_to_y")))
    return Log(classify_log=prediction_log_pb2.ClassifyLog(request=request))


def regress() -> Log:
    request = fill(regression_pb2.RegressionRequest(model_spec=spec("regress_x_to_y")))
    return Log(regress_log=prediction_log_pb2.RegressLog(request=request))


def multi() -> Log:
    request = inference_pb2.MultiInferenceRequest()
    for signature, method in (("regress_x_to_y", "regress"), ("classify_x_to_y", "classify")):
        request.tasks.add(model_spec=spec(signature), method_name=f"tensorflow/serving/{method}")
    return Log(multi_inference_log=prediction_log_pb2.MultiInferenceLog(request=fill(request)))


def session() -> Log:
    request = session_service_pb2.SessionRunRequest(fetch=["y:0"])
    return Log(session_run_log=prediction_log_pb2.SessionRunLog(request=request))


KINDS = {
    "predict": lambda: predict("x"),
    "classify": classify,
    "regress": regress,
    "multi": multi,
    "session": session,
    "wrong": lambda: predict("z"),
}


def main() -> None:
    folder = Path(sys.argv[1]) / "assets.extra"
    folder.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(folder / "tf_serving_warmup_requests")) as writer:
        for kind in sys.argv[2:]:
            writer.write(KINDS[kind]().SerializeToString())


if __name__ == "__main__":
    main()
