# SPDX-License-Identifier: Apache-2.0
"""The requests of the benchmarks, as bytes: Open Inference Protocol JSON, binary tensors, and gRPC.

The protobuf messages are encoded here by hand (a dozen lines for what is needed), so that the bytes sent to the server
do not come out of any code of the server.
"""

import json
import math
import struct
from dataclasses import dataclass

_PACK = {"FP32": "f", "FP64": "d", "INT64": "q", "INT32": "i", "UINT8": "B", "BOOL": "B"}


@dataclass
class Tensor:
    name: str
    datatype: str
    shape: list
    raw: bytes

    def values(self):
        numbers = list(struct.unpack(f"<{math.prod(self.shape)}{_PACK[self.datatype]}", self.raw))
        return [round(number, 7) for number in numbers] if self.datatype in ("FP32", "FP64") else numbers


def make_tensors(signatures, rows, values):
    """One tensor for each of the model's declared tensors; `values` repeat until it is full; -1 is `rows`, then 1."""
    tensors = []
    for declared in signatures:
        shape = [size if size >= 0 else (rows if axis == 0 else 1) for axis, size in enumerate(declared["shape"])]
        count = math.prod(shape)
        integral = declared["datatype"] not in ("FP32", "FP64")
        numbers = [int(value) if integral else value for value in values]
        filled = (numbers * (count // len(numbers) + 1))[:count]
        raw = struct.pack(f"<{count}{_PACK[declared['datatype']]}", *filled)
        tensors.append(Tensor(declared["name"], declared["datatype"], shape, raw))
    return tensors


def json_infer_body(tensors):
    inputs = [{"name": t.name, "shape": t.shape, "datatype": t.datatype, "data": t.values()} for t in tensors]
    return json.dumps({"inputs": inputs}, separators=(",", ":")).encode()


def binary_infer_body(tensors, output_names):
    """(body, bytes of its JSON part): inputs and outputs in binary."""
    head = {
        "inputs": [
            {"name": t.name, "shape": t.shape, "datatype": t.datatype, "parameters": {"binary_data_size": len(t.raw)}}
            for t in tensors
        ],
        "outputs": [{"name": name, "parameters": {"binary_data": True}} for name in output_names],
    }
    encoded = json.dumps(head, separators=(",", ":")).encode()
    return encoded + b"".join(t.raw for t in tensors), len(encoded)


def json_reply_body(model, version, tensors):
    """What a server would answer, for peers that answer a constant when no server has answered before."""
    outputs = [{"name": t.name, "datatype": t.datatype, "shape": t.shape, "data": t.values()} for t in tensors]
    reply = {"model_name": model, "model_version": version, "outputs": outputs}
    return json.dumps(reply, separators=(",", ":")).encode()


def http_post(path, body, headers=()):
    """A whole HTTP/1.1 request."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Accept: */*", "User-Agent: protean-bench/1"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _varint(number):
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _field(number, payload):
    """A length-delimited protobuf field (wire type 2)."""
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _tensor_description(tensor):
    """InferInputTensor and InferOutputTensor: name = 1, datatype = 2, shape = 3 (packed)."""
    shape = b"".join(_varint(size) for size in tensor.shape)
    return _field(1, tensor.name.encode()) + _field(2, tensor.datatype.encode()) + _field(3, shape)


def grpc_infer_message(model, tensors):
    """ModelInferRequest: model_name = 1, inputs = 5, raw_input_contents = 7."""
    message = _field(1, model.encode())
    message += b"".join(_field(5, _tensor_description(t)) for t in tensors)
    return message + b"".join(_field(7, t.raw) for t in tensors)


def grpc_reply_message(model, version, tensors):
    """ModelInferResponse: model_name = 1, model_version = 2, outputs = 5, raw_output_contents = 6."""
    message = _field(1, model.encode()) + _field(2, version.encode())
    message += b"".join(_field(5, _tensor_description(t)) for t in tensors)
    return message + b"".join(_field(6, t.raw) for t in tensors)


def grpc_frame(message):
    """A gRPC length-prefixed message, not compressed."""
    return b"\0" + struct.pack(">I", len(message)) + message
