#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the larger models of the benchmarks, which are too big to be kept in the repository.

python3 benchmarks/models.py KIND FILE     KIND: conv (79 MB), dense (94 MB)

ONNX is written field by field here, so that nothing has to be installed. Weights are pseudo-random and the same on every
machine; they repeat after 65,537 values, which no operator notices.
"""

import argparse
import math
import random
import struct
from pathlib import Path

PERIOD = 65_537
FLOAT = 1
# Fields of ModelProto, GraphProto, NodeProto, AttributeProto, TensorProto (onnx-ml.proto, IR version 8).
INTS = 7  # AttributeProto.AttributeType


def varint(number):
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def field(number, content):
    """A length-delimited field; text is UTF-8."""
    content = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(content)) + content


def number_field(number, value):
    return varint(number << 3) + varint(value)


def ints_attribute(name, values):
    return field(5, field(1, name) + b"".join(number_field(8, value) for value in values) + number_field(20, INTS))


def node(op_type, inputs, output, attributes=b""):
    named = b"".join(field(1, name) for name in inputs) + field(2, output)
    return field(1, named + field(4, op_type) + attributes)


def value_info(name, shape):
    """`shape`: None for a free dimension."""
    dims = b"".join(field(1, field(2, "n") if size is None else number_field(1, size)) for size in shape)
    return field(1, name) + field(2, field(1, number_field(1, FLOAT) + field(2, dims)))


class Weights:
    """Initializers of a graph; `uniform` draws from [low, high)."""

    def __init__(self, seed):
        drawn = random.Random(seed)
        self.unit = [drawn.random() for _ in range(PERIOD)]
        self.encoded = bytearray()
        self.place = 0

    def uniform(self, name, shape, low, high):
        block = struct.pack(f"<{PERIOD}f", *(low + (high - low) * value for value in self.unit))
        size = 4 * math.prod(shape)
        start = 4 * (self.place % PERIOD)
        raw = (block * ((start + size) // len(block) + 1))[start:start + size]
        self.place += math.prod(shape)
        dims = b"".join(number_field(1, dim) for dim in shape)
        self.encoded += field(5, dims + number_field(2, FLOAT) + field(8, name) + field(9, raw))
        return name


def model(nodes, weights, shape_in, shape_out):
    graph = nodes + field(2, "g") + bytes(weights.encoded)
    graph += field(11, value_info("x", shape_in)) + field(12, value_info("y", shape_out))
    return number_field(1, 8) + field(2, "protean-bench") + field(7, graph) + field(8, number_field(2, 17))


def conv_model():
    """A network of the shape of a ResNet: 7x7, then 3x3 convolutions of 64 to 512 channels, each with BatchNormalization
    and Relu; 19.7 million weights."""
    layers = [(64, 7, 2)] + [(64, 3, 1)] * 4
    for channels, count in ((128, 3), (256, 5), (512, 6)):
        layers += [(channels, 3, 2)] + [(channels, 3, 1)] * count
    weights = Weights(seed=1)
    nodes = b""
    last, channels_in = "x", 3
    for i, (channels, kernel, stride) in enumerate(layers):
        bound = math.sqrt(6 / (channels_in * kernel * kernel))
        weight = weights.uniform(f"w{i}", [channels, channels_in, kernel, kernel], -bound, bound)
        ranges = {"s": (0.9, 1.1), "b": (-0.1, 0.1), "m": (-0.1, 0.1), "v": (0.9, 1.1)}
        norm = [weights.uniform(f"{name}{i}", [channels], *limits) for name, limits in ranges.items()]
        shape = ints_attribute("kernel_shape", [kernel] * 2) + ints_attribute("pads", [kernel // 2] * 4)
        nodes += node("Conv", [last, weight], f"c{i}", shape + ints_attribute("strides", [stride] * 2))
        nodes += node("BatchNormalization", [f"c{i}", *norm], f"n{i}") + node("Relu", [f"n{i}"], f"r{i}")
        last, channels_in = f"r{i}", channels
    nodes += node("GlobalAveragePool", [last], "pooled") + node("Flatten", ["pooled"], "flat")
    nodes += node("MatMul", ["flat", weights.uniform("wf", [channels_in, 1000], -0.05, 0.05)], "y")
    return model(nodes, weights, [None, 3, 224, 224], [None, 1000])


def dense_model(width=2800, layers=3):
    """MatMul, Add and Relu with weights of 31 MB each: what a kernel packs for itself when it is loaded."""
    weights = Weights(seed=2)
    nodes, last = b"", "x"
    for i in range(layers):
        weight = weights.uniform(f"w{i}", [width, width], -0.03, 0.03)
        bias = weights.uniform(f"b{i}", [width], -0.1, 0.1)
        out = "y" if i + 1 == layers else f"r{i}"
        nodes += node("MatMul", [last, weight], f"m{i}") + node("Add", [f"m{i}", bias], f"a{i}")
        nodes += node("Relu", [f"a{i}"], out)
        last = out
    return model(nodes, weights, [None, width], [None, width])


KINDS = {"conv": conv_model, "dense": dense_model}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("file", type=Path)
    options = parser.parse_args()
    options.file.write_bytes(KINDS[options.kind]())


if __name__ == "__main__":
    main()
