# SPDX-License-Identifier: Apache-2.0
"""Writes broken/: files that must be refused while the models beside them are served.

The external_* models differ in where a tensor's bytes are said to stand and in where that tensor hides:
an initializer, a node's attribute, a subgraph, a sparse initializer, a function. What they point at
exists, so whoever follows the path loads them. Cases that need a link are built by make_links.py.
"""

import numpy as np
from onnx import SparseTensorProto, TensorProto, helper

from build import FLOAT, INT64, OPSETS, UINT8, constant, external, model_of, value, write

OUTSIDE = "../external_ok/weights.bin"
HUGE = 2**64 - 1
X = [value("x", FLOAT, ["n", 3])]
Y = [value("y", FLOAT, ["n", 3])]


def scaled_by(tensor):
    """y = x * tensor, which is an initializer."""
    return model_of([helper.make_node("Mul", ["x", tensor.name], ["y"])], X, Y, [tensor])


def three_floats(location, offset=None, length=None):
    return external("weights", FLOAT, [3], location, (offset, length))


def absolute():
    """The first 16 bytes of a file that every Linux has."""
    tensor = external("weights", UINT8, [16], "/etc/passwd", (None, 16))
    nodes = [helper.make_node("Identity", ["weights"], ["y"])]
    return model_of(nodes, [], [value("y", UINT8, [16])], [tensor])


def in_attribute():
    nodes = [
        helper.make_node("Constant", [], ["weights"], value=three_floats(OUTSIDE, 4, 12)),
        helper.make_node("Mul", ["x", "weights"], ["y"]),
    ]
    return model_of(nodes, X, Y)


def in_subgraph():
    """Both branches of an If, two levels down: the inner If's branches hold the tensor."""

    def branch(name, nodes, initializers=()):
        return helper.make_graph(nodes, name, [], [value(name + "_y", FLOAT, ["n", 3])], list(initializers))

    def leaf(name):
        return branch(name, [helper.make_node("Mul", ["x", "weights"], [name + "_y"])], [three_floats(OUTSIDE, 4, 12)])

    inner = helper.make_node(
        "If", ["flag"], ["outer_y"], then_branch=leaf("inner_then"), else_branch=leaf("inner_else")
    )
    plain = branch("plain", [helper.make_node("Identity", ["x"], ["plain_y"])])
    nodes = [helper.make_node("If", ["flag"], ["y"], then_branch=branch("outer", [inner]), else_branch=plain)]
    return model_of(nodes, X, Y, [constant("flag", True, np.bool_)])


def in_sparse_initializer():
    values = external("weights", FLOAT, [3], OUTSIDE, (4, 12))
    sparse = SparseTensorProto(values=values, indices=constant("indices", [0, 1, 2], np.int64), dims=[3])
    model = model_of([helper.make_node("Mul", ["x", "weights"], ["y"])], X, Y)
    model.graph.sparse_initializer.append(sparse)
    return model


def in_function():
    body = [
        helper.make_node("Constant", [], ["weights"], value=three_floats(OUTSIDE, 4, 12)),
        helper.make_node("Mul", ["a", "weights"], ["b"]),
    ]
    function = helper.make_function("tests", "Scale", ["a"], ["b"], body, [helper.make_opsetid("", 17)])
    nodes = [helper.make_node("Scale", ["x"], ["y"], domain="tests")]
    model = model_of(nodes, X, Y, opsets=OPSETS + [("tests", 1)])
    model.functions.append(function)
    return model


def in_unused_function():
    """Nobody calls the function; a walk over the used nodes alone does not see its tensor."""
    model = in_function()
    del model.graph.node[:]
    model.graph.node.append(helper.make_node("Identity", ["x"], ["y"]))
    return model


def no_such_op():
    return model_of([helper.make_node("NoSuchOperator", ["x"], ["y"])], X, Y)


def no_such_domain():
    nodes = [helper.make_node("Anything", ["x"], ["y"], domain="com.example.custom")]
    return model_of(nodes, X, Y, opsets=OPSETS + [("com.example.custom", 1)])


def dangling_input():
    return model_of([helper.make_node("Add", ["x", "nowhere"], ["y"])], X, Y)


def cycle():
    nodes = [helper.make_node("Add", ["x", "later"], ["y"]), helper.make_node("Neg", ["y"], ["later"])]
    return model_of(nodes, X, Y)


def type_conflict():
    """Adds floats to integers."""
    nodes = [helper.make_node("Add", ["x", "number"], ["y"])]
    return model_of(nodes, X, Y, [constant("number", [1], np.int64)])


def initializer_too_short():
    """Says three floats and holds two."""
    tensor = TensorProto(name="weights", data_type=FLOAT, dims=[3], raw_data=np.float32([1, 2]).tobytes())
    return scaled_by(tensor)


def initializer_overflow():
    """Dimensions whose product does not fit in 64 bits."""
    tensor = TensorProto(name="weights", data_type=FLOAT, dims=[2**33, 2**33], raw_data=b"\0" * 12)
    return scaled_by(tensor)


def external_models():
    """{name: model}; the file weights.bin beside them holds 16 bytes."""
    return {
        "external_parent": scaled_by(three_floats(OUTSIDE, 4, 12)),
        "external_parent_inside": scaled_by(three_floats("sub/../../external_ok/weights.bin", 4, 12)),
        "external_absolute": absolute(),
        "external_attribute": in_attribute(),
        "external_subgraph": in_subgraph(),
        "external_sparse": in_sparse_initializer(),
        "external_function": in_function(),
        "external_unused_function": in_unused_function(),
        "external_missing": scaled_by(three_floats("no_such_file.bin")),
        "external_folder": scaled_by(three_floats(".")),
        "external_no_location": scaled_by(three_floats(None)),
        "external_nul": scaled_by(three_floats("weights.bin\0.txt", 4, 12)),
        "external_offset_beyond": scaled_by(three_floats("weights.bin", 4096, 12)),
        "external_offset_negative": scaled_by(three_floats("weights.bin", -4, 12)),
        "external_offset_huge": scaled_by(three_floats("weights.bin", HUGE - 7, 12)),
        "external_offset_text": scaled_by(three_floats("weights.bin", "four", 12)),
        "external_length_beyond": scaled_by(three_floats("weights.bin", 8, 12)),
        "external_length_short": scaled_by(three_floats("weights.bin", 4, 8)),
        "external_length_huge": scaled_by(three_floats("weights.bin", 4, HUGE)),
    }


def main():
    good = scaled_by(constant("weights", [1, 2, 3]))
    whole = good.SerializeToString(deterministic=True)
    write("broken/truncated.onnx", whole[: len(whole) * 2 // 3])
    write("broken/empty.onnx", b"")
    write("broken/text.onnx", b"This is not a model.\nIt only has the name of one.\n")
    write("broken/html.onnx", b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n")
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9\n"
    write("broken/lfs_pointer.onnx", pointer)
    write("broken/pickle.onnx", b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x05model\x94K\x01s.")
    write("broken/opset_99.onnx", model_of(list(good.graph.node), X, Y, good.graph.initializer, opsets=[("", 99)]))
    future = model_of(list(good.graph.node), X, Y, good.graph.initializer)
    future.ir_version = 999
    write("broken/ir_999.onnx", future)
    write("broken/no_graph.onnx", _without_graph(good))
    for make in (
        no_such_op, no_such_domain, dangling_input, cycle, type_conflict, initializer_too_short, initializer_overflow
    ):
        write(f"broken/{make.__name__}.onnx", make())
    for name, model in external_models().items():
        write(f"broken/{name}.onnx", model)
    write("broken/weights.bin", np.array([99, 1, 2, 3], dtype="<f4").tobytes())
    write("links/model.onnx", scaled_by(three_floats("weights.bin", 4, 12)))
    write("links/model_deep.onnx", scaled_by(three_floats("sub/weights.bin", 4, 12)))


def _without_graph(model):
    copy = type(model)()
    copy.CopyFrom(model)
    copy.ClearField("graph")
    return copy


if __name__ == "__main__":
    main()
