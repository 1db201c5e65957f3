# SPDX-License-Identifier: Apache-2.0
"""Writes the SavedModels of `./dev bench tfserving`: tfserving_models.py FOLDER, with TensorFlow's interpreter.

tiny: y = 0.5 x + 2 of 4 floats.  image: the mean of each channel of a 224x224x3 image.  Both do next to nothing, so that
what is measured is the way to the model and back.
"""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf  # noqa: E402


class Tiny(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def serve(self, x):
        return {"y": 0.5 * x + 2.0}


class Image(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 224, 224, 3], tf.float32, name="image")])
    def serve(self, image):
        return {"mean": tf.reduce_mean(image, axis=[1, 2])}


for name, model in (("tiny", Tiny()), ("image", Image())):
    tf.saved_model.save(model, f"{sys.argv[1]}/{name}/1", signatures={"serving_default": model.serve})
