# SPDX-License-Identifier: Apache-2.0
"""Plain grpcio against proto/: message classes are made from what protoc says, without generated code."""

import subprocess
import tempfile
from functools import cache
from pathlib import Path

import grpc
import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from harness import paths
from harness.tensors import CONTENTS, array_of, array_of_raw, raw_of

SERVICE = "inference.GRPCInferenceService"
SECONDS = 60
_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    with tempfile.TemporaryDirectory(prefix="protean-protoc-") as folder:
        out = Path(folder, "set.pb")
        files = [path.name for path in sorted(paths.PROTO.glob("*.proto"))]
        command = [paths.tool("protoc"), f"-I{paths.PROTO}", "--include_imports", f"--descriptor_set_out={out}", *files]
        subprocess.run(command, check=True, timeout=60)
        found = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in found.file:
        pool.Add(file)
    return pool


@cache
def message_class(full_name: str) -> type:
    """The class of a message of proto/, such as `tensorflow.TensorProto`."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(full_name))


def message(name: str) -> type:
    """The class of `inference.NAME`."""
    return message_class(f"inference.{name}")


def unary(connection: grpc.Channel, service: str, name: str):
    """The multicallable of a unary method of any service of proto/."""
    kind = _pool().FindServiceByName(service).methods_by_name[name]
    request, reply = (message_factory.GetMessageClass(part) for part in (kind.input_type, kind.output_type))
    return connection.unary_unary(
        f"/{service}/{name}", request_serializer=request.SerializeToString, response_deserializer=reply.FromString
    )


def channel(authority: str, certificate: Path | None = None, **options: object) -> grpc.Channel:
    given = _OPTIONS + [(name.replace("__", "."), value) for name, value in options.items()]
    if certificate is None:
        return grpc.insecure_channel(authority, given)
    return grpc.secure_channel(authority, grpc.ssl_channel_credentials(certificate.read_bytes()), given)


class Stub:
    """Calls by name: `stub.ServerLive()`, `stub.ModelReady(name="iris")`, `stub.call("ModelInfer", request)`."""

    def __init__(self, connection: grpc.Channel):
        self.connection = connection

    def method(self, name: str):
        """The multicallable, with grpcio's own arguments."""
        service = _pool().FindServiceByName(SERVICE)
        kind = service.methods_by_name[name]
        make = self.connection.stream_stream if name == "ModelStreamInfer" else self.connection.unary_unary
        request, reply = (message_factory.GetMessageClass(part) for part in (kind.input_type, kind.output_type))
        return make(
            f"/{SERVICE}/{name}", request_serializer=request.SerializeToString, response_deserializer=reply.FromString
        )

    def call(self, name: str, request, timeout: float = SECONDS, **options):
        return self.method(name)(request, timeout=timeout, **options)

    def __getattr__(self, name: str):
        kind = _pool().FindServiceByName(SERVICE).methods_by_name[name]
        request = message_factory.GetMessageClass(kind.input_type)
        return lambda **fields: self.call(name, request(**fields))


def input_of(name: str, datatype: str, array: np.ndarray, typed: bool):
    tensor = message("ModelInferRequest").InferInputTensor(name=name, datatype=datatype, shape=list(array.shape))
    if typed:
        getattr(tensor.contents, CONTENTS[datatype]).extend(array.flatten().tolist())
    return tensor


def infer_request(model: str, inputs: list[tuple[str, str, np.ndarray]], typed: bool, version: str = "", **fields):
    """A ModelInferRequest; `inputs`: (name, datatype, array)."""
    request = message("ModelInferRequest")(model_name=model, model_version=version, **fields)
    for name, datatype, array in inputs:
        request.inputs.append(input_of(name, datatype, array, typed))
        if not typed:
            request.raw_input_contents.append(raw_of(datatype, array))
    return request


def outputs_of(reply) -> dict[str, np.ndarray]:
    """Tensors of a ModelInferResponse, raw or typed."""
    found = {}
    for index, output in enumerate(reply.outputs):
        shape = list(output.shape)
        if reply.raw_output_contents:
            assert not output.HasField("contents"), f"output '{output.name}' is both typed and raw"
            found[output.name] = array_of_raw(output.datatype, shape, reply.raw_output_contents[index])
        else:
            found[output.name] = array_of(
                output.datatype, shape, list(getattr(output.contents, CONTENTS[output.datatype]))
            )
    return found
