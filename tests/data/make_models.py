# SPDX-License-Identifier: Apache-2.0
"""Writes models/ and external_ok*/: tiny ONNX models that load, each for one purpose (README.md lists them).

`--verify` then runs every one in ONNX Runtime and compares with values worked out by hand. The models
that must be refused come from make_broken.py.
"""

import sys

import numpy as np
from onnx import TensorProto, helper

from build import FLOAT, INT64, STRING, constant, external, model_of, value, write

IDENTITY_TYPES = {
    "bool": TensorProto.BOOL,
    "int8": TensorProto.INT8,
    "int16": TensorProto.INT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "uint8": TensorProto.UINT8,
    "uint16": TensorProto.UINT16,
    "uint32": TensorProto.UINT32,
    "uint64": TensorProto.UINT64,
    "fp16": TensorProto.FLOAT16,
    "fp32": TensorProto.FLOAT,
    "fp64": TensorProto.DOUBLE,
    "bf16": TensorProto.BFLOAT16,
    "bytes": TensorProto.STRING,
}


def identity(element_type, shape):
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    return model_of(nodes, [value("x", element_type, shape)], [value("y", element_type, shape)])


def scalar():
    nodes = [helper.make_node("Add", ["x", "one"], ["y"])]
    return model_of(nodes, [value("x", FLOAT, [])], [value("y", FLOAT, [])], [constant("one", 1.0)])


def sum_two():
    nodes = [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Sub", ["a", "b"], ["difference"])]
    return model_of(
        nodes,
        [value("a", FLOAT, ["n", 3]), value("b", FLOAT, ["n", 3])],
        [value("sum", FLOAT, ["n", 3]), value("difference", FLOAT, ["n", 3])],
    )


def fixed_shape():
    nodes = [helper.make_node("Mul", ["x", "two"], ["y"])]
    return model_of(nodes, [value("x", FLOAT, [2, 3])], [value("y", FLOAT, [2, 3])], [constant("two", 2.0)])


def optional_input():
    """`bias` has an initializer, so a caller may leave it out: y = x + 10 then."""
    nodes = [helper.make_node("Add", ["x", "bias"], ["y"])]
    inputs = [value("x", FLOAT, ["n"]), value("bias", FLOAT, [1])]
    return model_of(nodes, inputs, [value("y", FLOAT, ["n"])], [constant("bias", [10.0])])


def zip_map(key_type, **keys):
    """Three scores a row as a map from class to score, as the converters of scikit-learn write it, and a
    plain tensor output beside it: the index of the largest score."""
    nodes = [
        helper.make_node("ZipMap", ["x"], ["probabilities"], domain="ai.onnx.ml", **keys),
        helper.make_node("ArgMax", ["x"], ["label"], axis=1, keepdims=0),
    ]
    one_map = helper.make_map_type_proto(key_type, helper.make_tensor_type_proto(FLOAT, None))
    maps = helper.make_value_info("probabilities", helper.make_sequence_type_proto(one_map))
    return model_of(nodes, [value("x", FLOAT, ["n", 3])], [value("label", INT64, ["n"]), maps])


def sequence_out():
    nodes = [helper.make_node("Neg", ["x"], ["minus"]), helper.make_node("SequenceConstruct", ["x", "minus"], ["y"])]
    output = helper.make_tensor_sequence_value_info("y", FLOAT, ["n"])
    return model_of(nodes, [value("x", FLOAT, ["n"])], [output])


def sequence_in():
    nodes = [helper.make_node("ConcatFromSequence", ["x"], ["y"], axis=0)]
    return model_of(nodes, [helper.make_tensor_sequence_value_info("x", FLOAT, ["n"])], [value("y", FLOAT, ["m"])])


def slow(size=512, rounds=60):
    """y = x + mean(x), by way of `rounds` products of a [size,size] matrix that holds mean(x) everywhere
    with one that holds 1/size everywhere, which leave it as it is."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go_in"], ["go_out"]),
            helper.make_node("MatMul", ["state_in", "averaging"], ["state_out"]),
        ],
        "round",
        [value("round", INT64, []), value("go_in", TensorProto.BOOL, []), value("state_in", FLOAT, [size, size])],
        [value("go_out", TensorProto.BOOL, []), value("state_out", FLOAT, [size, size])],
    )
    share = constant("share", [1.0 / size])
    nodes = [
        helper.make_node("ConstantOfShape", ["square"], ["averaging"], value=share),
        helper.make_node("ReduceMean", ["x"], ["mean"], keepdims=1),
        helper.make_node("Expand", ["mean", "square"], ["state"]),
        helper.make_node("Loop", ["rounds", "", "state"], ["final"], body=body),
        helper.make_node("ReduceMax", ["final"], ["largest"], keepdims=0),
        helper.make_node("Add", ["x", "largest"], ["y"]),
    ]
    constants = [constant("square", [size, size], np.int64), constant("rounds", rounds, np.int64)]
    return model_of(nodes, [value("x", FLOAT, ["n", 4])], [value("y", FLOAT, ["n", 4])], constants)


def reduce_image():
    nodes = [helper.make_node("ReduceMean", ["image"], ["mean"], axes=[2, 3], keepdims=0)]
    return model_of(nodes, [value("image", FLOAT, ["n", 3, 224, 224])], [value("mean", FLOAT, ["n", 3])])


def data_dependent_shape():
    nodes = [helper.make_node("NonZero", ["x"], ["rows_of"]), helper.make_node("Transpose", ["rows_of"], ["y"])]
    return model_of(nodes, [value("x", FLOAT, ["n"])], [value("y", INT64, ["found", 1])])


def fails_at_run():
    """Gathers from a table of three rows: an index beyond it is an error of the model while it runs."""
    nodes = [helper.make_node("Gather", ["table", "index"], ["y"], axis=0)]
    table = constant("table", [10.0, 20.0, 30.0])
    return model_of(nodes, [value("index", INT64, ["n"])], [value("y", FLOAT, ["n"])], [table])


def external_ok():
    weights = external("weights", FLOAT, [3], "weights.bin", (4, 12))
    nodes = [helper.make_node("Mul", ["x", "weights"], ["y"])]
    return model_of(nodes, [value("x", FLOAT, ["n", 3])], [value("y", FLOAT, ["n", 3])], [weights])


def external_ok_deep():
    """y = x * weights + shift: one tensor is an initializer, the other a Constant's attribute."""
    weights = external("weights", FLOAT, [3], "parts/weights.bin", (0, 12))
    shift = external("shift", FLOAT, [3], "parts/weights.bin", (12, 12))
    nodes = [
        helper.make_node("Constant", [], ["shift"], value=shift),
        helper.make_node("Mul", ["x", "weights"], ["scaled"]),
        helper.make_node("Add", ["scaled", "shift"], ["y"]),
    ]
    return model_of(nodes, [value("x", FLOAT, ["n", 3])], [value("y", FLOAT, ["n", 3])], [weights])


def models():
    """{name: model} of everything in models/."""
    built = {f"identity_{name}": identity(kind, ["n"]) for name, kind in IDENTITY_TYPES.items()}
    built["identity_fp32_2d"] = identity(FLOAT, ["n", "m"])
    built["identity_bytes_2d"] = identity(STRING, ["n", "m"])
    built["identity_any_rank"] = identity(FLOAT, None)
    built["identity_large"] = identity(FLOAT, ["n"])
    built["zip_map"] = zip_map(STRING, classlabels_strings=["cat", "dog", "eel"])
    built["map_int"] = zip_map(INT64, classlabels_int64s=[7, 1, 4])
    makers = [
        scalar, sum_two, fixed_shape, optional_input, sequence_out, sequence_in, slow, reduce_image,
        data_dependent_shape, fails_at_run,
    ]
    built.update({make.__name__: make() for make in makers})
    return built


def main():
    for name, model in models().items():
        write(f"models/{name}.onnx", model)
    write("external_ok/model.onnx", external_ok())
    # Four bytes that nobody reads, then 1, 2, 3: an offset that is ignored gives other numbers.
    write("external_ok/weights.bin", np.array([99, 1, 2, 3], dtype="<f4").tobytes())
    write("external_ok_deep/model.onnx", external_ok_deep())
    write("external_ok_deep/parts/weights.bin", np.array([1, 2, 3, 100, 200, 300], dtype="<f4").tobytes())
    if "--verify" in sys.argv[1:]:
        import verify

        verify.main()


if __name__ == "__main__":
    main()
