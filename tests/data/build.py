# SPDX-License-Identifier: Apache-2.0
"""Short words for building tiny ONNX graphs, shared by the make_* scripts of this folder."""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

DATA = Path(__file__).resolve().parent
FILE_BYTES_MAX = 20_000
OPSETS = [("", 17), ("ai.onnx.ml", 3)]
FLOAT, INT64, STRING, UINT8 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING, TensorProto.UINT8


def value(name, element_type, shape):
    """A graph input or output; a dimension is a number or a name, `shape` None leaves the rank open."""
    return helper.make_tensor_value_info(name, element_type, shape)


def constant(name, values, dtype=np.float32):
    return numpy_helper.from_array(np.asarray(values, dtype=dtype), name)


def model_of(nodes, inputs, outputs, initializers=(), opsets=OPSETS):
    graph = helper.make_graph(nodes, "test", inputs, outputs, list(initializers))
    imports = [helper.make_opsetid(domain, version) for domain, version in opsets]
    model = helper.make_model(graph, opset_imports=imports, producer_name="protean-tests")
    model.ir_version = 8
    return model


def external(name, element_type, dims, location, span=(None, None)):
    """A tensor whose bytes stand in another file, as the ONNX format's external_data has it. span: offset, length."""
    offset, length = span
    tensor = TensorProto(name=name, data_type=element_type, dims=dims, data_location=TensorProto.EXTERNAL)
    for key, entry in (("location", location), ("offset", offset), ("length", length)):
        if entry is not None:
            tensor.external_data.add(key=key, value=str(entry))
    return tensor


def write(relative_path, content):
    """`content`: bytes or a model."""
    if not isinstance(content, bytes):
        content = content.SerializeToString(deterministic=True)
    assert len(content) < FILE_BYTES_MAX, f"{relative_path}: {len(content)} bytes"
    path = DATA / relative_path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
