# SPDX-License-Identifier: Apache-2.0
"""Builds the models of the batching and overload runs: a small transformer encoder and a tiny linear model.

    python3 benchmarks/encoder_model.py FOLDER      writes encoder.onnx, deep_encoder.onnx, linear.onnx

The encoder: two layers (the deep one 16), width 64, four heads, 32 positions, feed-forward of 256; x FP32 [batch,32,64] -> y [batch,64].
Weights come from a fixed seed: what is measured is arithmetic, not meaning.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WIDTH, HEADS, POSITIONS, INNER = 64, 4, 32, 256
OPSET = 17


class Graph:
    """Nodes and weights in the making; every method returns the name of its output."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.nodes, self.weights, self.count = [], [], 0

    def name(self, stem):
        self.count += 1
        return f"{stem}_{self.count}"

    def constant(self, array):
        name = self.name("w")
        self.weights.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def weight(self, *shape):
        return self.constant((self.random.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32))

    def node(self, operator, *inputs, output=None, **attributes):
        output = output or self.name(operator.lower())
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def linear(self, x, inputs, outputs):
        product = self.node("MatMul", x, self.weight(inputs, outputs))
        return self.node("Add", product, self.constant(np.zeros(outputs, np.float32)))

    def heads(self, x, order):
        shape = self.constant(np.array([0, POSITIONS, HEADS, WIDTH // HEADS], np.int64))
        return self.node("Transpose", self.node("Reshape", x, shape), perm=order)

    def norm(self, x):
        scale, bias = self.constant(np.ones(WIDTH, np.float32)), self.constant(np.zeros(WIDTH, np.float32))
        return self.node("LayerNormalization", x, scale, bias, axis=-1)

    def attention(self, x):
        query = self.heads(self.linear(x, WIDTH, WIDTH), [0, 2, 1, 3])
        key = self.heads(self.linear(x, WIDTH, WIDTH), [0, 2, 3, 1])
        value = self.heads(self.linear(x, WIDTH, WIDTH), [0, 2, 1, 3])
        scores = self.node("Mul", self.node("MatMul", query, key),
                           self.constant(np.float32(1 / np.sqrt(WIDTH // HEADS))))
        mixed = self.node("MatMul", self.node("Softmax", scores, axis=-1), value)
        shape = self.constant(np.array([0, POSITIONS, WIDTH], np.int64))
        joined = self.node("Reshape", self.node("Transpose", mixed, perm=[0, 2, 1, 3]), shape)
        return self.linear(joined, WIDTH, WIDTH)

    def model(self, input_shape, output_shape):
        graph = helper.make_graph(
            self.nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, input_shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, output_shape)], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="protean-bench")
        model.ir_version = 8
        onnx.checker.check_model(model)
        return model


def encoder(layers):
    graph = Graph(seed=7)
    x = "x"
    for _ in range(layers):
        x = graph.norm(graph.node("Add", x, graph.attention(x)))
        inner = graph.node("Relu", graph.linear(x, WIDTH, INNER))
        x = graph.norm(graph.node("Add", x, graph.linear(inner, INNER, WIDTH)))
    graph.node("ReduceMean", x, output="y", axes=[1], keepdims=0)
    return graph.model(["batch", POSITIONS, WIDTH], ["batch", WIDTH])


def linear():
    graph = Graph(seed=8)
    product = graph.node("MatMul", "x", graph.weight(8, 2))
    graph.node("Add", product, graph.constant(np.array([0.5, -0.5], np.float32)), output="y")
    return graph.model(["batch", 8], ["batch", 2])


def build(folder):
    """Writes both; returns {name: path}."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, make in (("encoder", lambda: encoder(2)), ("deep_encoder", lambda: encoder(16)), ("linear", linear)):
        paths[name] = folder / f"{name}.onnx"
        onnx.save(make(), paths[name])
    return paths


if __name__ == "__main__":
    for name, path in build(sys.argv[1]).items():
        print(name, path, path.stat().st_size)
