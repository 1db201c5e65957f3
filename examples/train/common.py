# SPDX-License-Identifier: Apache-2.0
"""What every training script shares: where files go and how references are written.

A reference is the answer of the framework that trained the model, as Open Inference Protocol tensors
with flat data, so that a test can post `inputs` as they stand and compare `outputs` number by number.
"""

import json
from pathlib import Path

import numpy as np

EXAMPLES = Path(__file__).resolve().parent.parent
MODELS = EXAMPLES / "models"
REFERENCE = EXAMPLES / "reference"

# Old enough for any ONNX Runtime in use, new enough for every operator used here.
OPSET = {"": 17, "ai.onnx.ml": 3}
IR_VERSION = 8
MODEL_BYTES_MAX = 1_000_000

DATATYPES = {"float32": "FP32", "float64": "FP64", "int64": "INT64", "bool": "BOOL", "uint8": "UINT8"}


def save_model(model, relative_path):
    """Checks `model` (an onnx.ModelProto) and writes it to examples/models/`relative_path`."""
    import onnx  # only what trains for ONNX has it installed

    model.ir_version = IR_VERSION
    # The converter walks a set here, whose order changes from run to run.
    opsets = sorted(model.opset_import, key=lambda opset: opset.domain)
    del model.opset_import[:]
    model.opset_import.extend(opsets)
    onnx.checker.check_model(model, full_check=True)
    content = model.SerializeToString(deterministic=True)
    assert len(content) < MODEL_BYTES_MAX, f"{relative_path}: {len(content)} bytes"
    path = MODELS / relative_path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    print(f"{path.relative_to(EXAMPLES)}: {len(content)} bytes")


def rename_output(model, old, new):
    """Gives the graph output `old` the name `new`; the converter's own names say little."""
    (output,) = [value for value in model.graph.output if value.name == old]
    output.name = new
    for node in model.graph.node:
        for index, name in enumerate(node.output):
            if name == old:
                node.output[index] = new


def tensor(name, array):
    """One protocol tensor; float data in the shortest text that reads back to the same float."""
    array = np.asarray(array)
    if array.dtype.kind in "US" or array.dtype == object:
        datatype, data = "BYTES", [str(value) for value in array.ravel()]
    else:
        datatype = DATATYPES[array.dtype.name]
        data = [_shortest(value) for value in array.ravel()]
    return {"name": name, "shape": list(array.shape), "datatype": datatype, "data": data}


def _shortest(value):
    return float(str(value)) if value.dtype.kind == "f" else value.item()


def case(inputs, outputs, tolerance=1e-5):
    """`inputs`, `outputs`: {name: array}. A float agrees when |got - want| <= tolerance * max(1, |want|);
    everything else agrees when it is equal."""
    return {
        "inputs": [tensor(name, array) for name, array in inputs.items()],
        "outputs": [tensor(name, array) for name, array in outputs.items()],
        "tolerance": tolerance,
    }


def write_reference(model, version, cases, file_name=None, **extra):
    """`extra` goes into the top level of the file beside model and version."""
    document = {"model": model, "version": version, **extra}
    head = json.dumps(document)[:-1]
    lines = [head + ', "cases": [']
    for index, one in enumerate(cases):
        comma = "," if index + 1 < len(cases) else ""
        lines.append(' {"inputs": [\n   ' + ",\n   ".join(json.dumps(t) for t in one["inputs"]) + "],")
        lines.append('  "outputs": [\n   ' + ",\n   ".join(json.dumps(t) for t in one["outputs"]) + "],")
        lines.append(f'  "tolerance": {one["tolerance"]}}}{comma}')
    lines.append("]}")
    text = "\n".join(lines) + "\n"
    json.loads(text)
    REFERENCE.mkdir(parents=True, exist_ok=True)
    path = REFERENCE / (file_name or f"{model}.json")
    path.write_text(text)
    print(f"{path.relative_to(EXAMPLES)}: {len(cases)} cases")
