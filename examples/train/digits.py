# SPDX-License-Identifier: Apache-2.0
"""digits: handwritten digits, images [rows, 1, 8, 8] of pixels 0 to 16, through a small convolutional
network. Trained with JAX on the CPU; the graph holds the same weights, written by hand.
"""

import jax
import jax.numpy as jnp
import numpy as np
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from common import OPSET, case, save_model, write_reference

jax.config.update("jax_platforms", "cpu")
EPOCHS = 25
BATCH = 64
RATE = 2e-3


def initial_weights(key):
    shapes = {"conv1": (8, 1, 3, 3), "conv2": (16, 8, 3, 3), "dense": (64, 10)}
    weights = {}
    for name, shape in shapes.items():
        key, used = jax.random.split(key)
        fan_in = shape[0] if name == "dense" else shape[1] * 9
        weights[name] = jax.random.normal(used, shape) * np.sqrt(2.0 / fan_in)
        weights[name + "_bias"] = jnp.zeros(shape[1] if name == "dense" else shape[0])
    return weights


def forward(weights, images):
    """Logits [rows, 10]: two rounds of 3x3 convolution, ReLU and 2x2 max pooling, then a dense layer."""
    value = images / 16.0
    for name in ("conv1", "conv2"):
        value = jax.lax.conv_general_dilated(
            value, weights[name], (1, 1), "SAME", dimension_numbers=("NCHW", "OIHW", "NCHW"),
            precision=jax.lax.Precision.HIGHEST,
        )
        value = jax.nn.relu(value + weights[name + "_bias"].reshape(1, -1, 1, 1))
        value = jax.lax.reduce_window(value, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    flat = value.reshape(value.shape[0], 64)
    return jnp.dot(flat, weights["dense"], precision=jax.lax.Precision.HIGHEST) + weights["dense_bias"]


def loss(weights, images, labels):
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(forward(weights, images)), labels[:, None], 1))


@jax.jit
def adam_step(weights, first, second, step, batch):
    """One step of Adam (Kingma and Ba, 2015, algorithm 1)."""
    gradient = jax.grad(loss)(weights, *batch)
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradient)

    def moved(weight, m, v):
        return weight - RATE * (m / (1 - 0.9**step)) / (jnp.sqrt(v / (1 - 0.999**step)) + 1e-8)

    return jax.tree.map(moved, weights, first, second), first, second


def train(images, labels):
    weights = initial_weights(jax.random.PRNGKey(7))
    first = jax.tree.map(jnp.zeros_like, weights)
    second = jax.tree.map(jnp.zeros_like, weights)
    shuffle = np.random.default_rng(7)
    step = 0
    for _ in range(EPOCHS):
        order = shuffle.permutation(len(images))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            picked = order[start : start + BATCH]
            step += 1
            weights, first, second = adam_step(weights, first, second, float(step), (images[picked], labels[picked]))
    return weights


def build_graph(weights):
    nodes = [helper.make_node("Div", ["images", "brightest"], ["pooled0"])]
    for layer in (1, 2):
        name = f"conv{layer}"
        nodes += [
            helper.make_node(
                "Conv", [f"pooled{layer - 1}", name, name + "_bias"], [name + "_out"], kernel_shape=[3, 3], pads=[1] * 4
            ),
            helper.make_node("Relu", [name + "_out"], [f"relu{layer}"]),
            helper.make_node("MaxPool", [f"relu{layer}"], [f"pooled{layer}"], kernel_shape=[2, 2], strides=[2, 2]),
        ]
    nodes += [
        helper.make_node("Flatten", ["pooled2"], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "dense", "dense_bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["logits"], ["digit"], axis=1, keepdims=0),
    ]
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["rows", 1, 8, 8])]
    outputs = [
        helper.make_tensor_value_info("digit", TensorProto.INT64, ["rows"]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["rows", 10]),
    ]
    constants = [numpy_helper.from_array(np.asarray(weights[name]), name) for name in sorted(weights)]
    constants.append(numpy_helper.from_array(np.float32(16.0), "brightest"))
    return helper.make_graph(nodes, "digits", inputs, outputs, constants)


def main():
    data, target = load_digits(return_X_y=True)
    images = data.astype(np.float32).reshape(-1, 1, 8, 8)
    train_x, test_x, train_y, test_y = train_test_split(
        images, target.astype(np.int32), test_size=0.3, random_state=7, stratify=target
    )
    weights = train(train_x, train_y)
    correct = np.asarray(forward(weights, test_x)).argmax(axis=1) == test_y
    print(f"digits: accuracy {correct.mean():.3f}")
    opsets = [helper.make_opsetid("", OPSET[""])]
    model = helper.make_model(build_graph(weights), opset_imports=opsets, producer_name="protean-examples")
    save_model(model, "digits.onnx")

    cases = []
    for rows in (test_x[:1], test_x[1:3], test_x[3:10]):
        logits = forward(weights, rows)
        outputs = {
            "digit": np.asarray(jnp.argmax(logits, axis=1)).astype(np.int64),
            "probabilities": np.asarray(jax.nn.softmax(logits, axis=1)),
        }
        cases.append(case({"images": rows}, outputs))
    write_reference("digits", "1", cases, trained_with="jax")


if __name__ == "__main__":
    main()
