# SPDX-License-Identifier: Apache-2.0
"""Every way a client can send one inference: transport, encoding, compression. Each takes the same tensors and returns
the same arrays; what differs is the wire.

A way is `way(server, call) -> {output name: array}`; CLEAR lists those for clear text, TLS those under TLS.
"""

import gzip
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import grpc
import numpy as np
import tritonclient.grpc
import tritonclient.http
import zstandard

from harness.curl import HTTP1, HTTP2, HTTP2_ALPN, infer_path
from harness.grpc_stub import Stub, channel, infer_request, outputs_of
from harness.server import Server
from harness.tensors import array_of_tensor, flat_json, nested

SECONDS = 60


@dataclass
class Call:
    """`inputs`: (name, datatype, array); `outputs`: names asked for, empty for all."""

    model: str
    inputs: list[tuple[str, str, np.ndarray]]
    version: str = ""
    outputs: list[str] = field(default_factory=list)


Way = Callable[[Server, Call], dict[str, np.ndarray]]


def json_request(call: Call, is_nested: bool = False) -> dict:
    """The body of a REST request with all tensors in JSON."""
    layout = nested if is_nested else flat_json
    inputs = [
        {"name": name, "shape": list(array.shape), "datatype": datatype, "data": layout(array)}
        for name, datatype, array in call.inputs
    ]
    request: dict = {"inputs": inputs}
    if call.outputs:
        request["outputs"] = [{"name": name} for name in call.outputs]
    return request


def outputs_of_json(reply: dict) -> dict[str, np.ndarray]:
    return {output["name"]: array_of_tensor(output) for output in reply["outputs"]}


def curl_json(*flags: str, version: str, is_nested: bool = False) -> Way:
    """JSON both ways over the HTTP version that `flags` ask for and `version` names."""

    def send(server: Server, call: Call) -> dict[str, np.ndarray]:
        reply = server.curl.infer(call.model, json_request(call, is_nested), *flags, version=call.version)
        assert (reply.status, reply.version) == (200, version), reply
        assert reply.headers["content-type"] == "application/json"
        return outputs_of_json(reply.json())

    return send


def curl_coded(coding: str, encode: Callable[[bytes], bytes], *flags: str) -> Way:
    """A coded request body, and whatever coding curl likes best back."""

    def send(server: Server, call: Call) -> dict[str, np.ndarray]:
        body = encode(json.dumps(json_request(call)).encode())
        fields = ["-H", f"Content-Encoding: {coding}", "-H", "Content-Type: application/json", "--compressed"]
        reply = server.curl.post(infer_path(call.model, call.version), body, *fields, *flags)
        assert reply.status == 200, reply
        return outputs_of_json(reply.json())

    return send


def triton_http(binary_in: Callable[[int], bool], binary_out: Callable[[int], bool], **options: str) -> Way:
    """tritonclient.http; the functions say for each tensor by its place whether it is binary."""

    def send(server: Server, call: Call) -> dict[str, np.ndarray]:
        inputs = []
        for index, (name, datatype, array) in enumerate(call.inputs):
            tensor = tritonclient.http.InferInput(name, list(array.shape), datatype)
            tensor.set_data_from_numpy(array, binary_data=binary_in(index))
            inputs.append(tensor)
        tls = {"ssl": True, "ssl_options": {"ca_certs": str(server.certificate)}} if server.certificate else {}
        with tritonclient.http.InferenceServerClient(server.authority, network_timeout=SECONDS, **tls) as client:
            metadata = client.get_model_metadata(call.model, call.version)
            names = call.outputs or [output["name"] for output in metadata["outputs"]]
            outputs = [
                tritonclient.http.InferRequestedOutput(name, binary_data=binary_out(index))
                for index, name in enumerate(names)
            ]
            result = client.infer(call.model, inputs, call.version, outputs, **options)
            return {name: _plain(result.as_numpy(name)) for name in names}

    return send


def triton_grpc(**options: object) -> Way:
    """tritonclient.grpc, which always sends raw contents."""

    def send(server: Server, call: Call) -> dict[str, np.ndarray]:
        inputs = []
        for name, datatype, array in call.inputs:
            tensor = tritonclient.grpc.InferInput(name, list(array.shape), datatype)
            tensor.set_data_from_numpy(array)
            inputs.append(tensor)
        outputs = [tritonclient.grpc.InferRequestedOutput(name) for name in call.outputs] or None
        tls = {"ssl": True, "root_certificates": str(server.certificate)} if server.certificate else {}
        with tritonclient.grpc.InferenceServerClient(server.authority, **tls) as client:
            result = client.infer(call.model, inputs, call.version, outputs=outputs, client_timeout=SECONDS, **options)
            return {output.name: _plain(result.as_numpy(output.name)) for output in result.get_response().outputs}

    return send


def plain_grpc(typed: bool, **options: object) -> Way:
    """grpcio with the messages of proto/, typed or raw contents."""

    def send(server: Server, call: Call) -> dict[str, np.ndarray]:
        request = infer_request(call.model, call.inputs, typed, call.version)
        for name in call.outputs:
            request.outputs.add(name=name)
        with channel(server.authority, server.certificate) as connection:
            reply = Stub(connection).call("ModelInfer", request, **options)
        assert bool(reply.raw_output_contents) == (not typed), "answered in the form of the request"
        return outputs_of(reply)

    return send


def _plain(array: np.ndarray) -> np.ndarray:
    """tritonclient gives strings as bytes or str, by the way they came."""
    if array.dtype != object:
        return array
    out = np.empty(array.shape, object)
    out.ravel()[:] = [text.encode() if isinstance(text, str) else text for text in array.ravel()]
    return out


def _always(_index: int) -> bool:
    return True


def _never(_index: int) -> bool:
    return False


def _even(index: int) -> bool:
    return index % 2 == 0


def _odd(index: int) -> bool:
    return index % 2 == 1


def _raw_deflate(body: bytes) -> bytes:
    return zlib.compress(body, wbits=-15)


CLEAR: dict[str, Way] = {
    "curl, HTTP/1.1, flat JSON": curl_json(*HTTP1, version="1.1"),
    "curl, HTTP/1.1, nested JSON": curl_json(*HTTP1, version="1.1", is_nested=True),
    "curl, HTTP/1.1, chunked JSON": curl_json(*HTTP1, "-H", "Transfer-Encoding: chunked", version="1.1"),
    "curl, HTTP/2 prior knowledge, flat JSON": curl_json(*HTTP2, version="2"),
    "curl, HTTP/1.1, gzip": curl_coded("gzip", gzip.compress),
    "curl, HTTP/1.1, deflate": curl_coded("deflate", zlib.compress),
    "curl, HTTP/1.1, deflate without its wrapper": curl_coded("deflate", _raw_deflate),
    "curl, HTTP/1.1, zstd": curl_coded("zstd", zstandard.compress),
    "curl, HTTP/2, gzip": curl_coded("gzip", gzip.compress, *HTTP2),
    "curl, HTTP/2, zstd": curl_coded("zstd", zstandard.compress, *HTTP2),
    "tritonclient.http, binary in and out": triton_http(_always, _always),
    "tritonclient.http, binary in, JSON out": triton_http(_always, _never),
    "tritonclient.http, JSON in, binary out": triton_http(_never, _always),
    "tritonclient.http, mixed": triton_http(_even, _odd),
    "tritonclient.http, mixed the other way": triton_http(_odd, _even),
    "tritonclient.http, gzip both ways": triton_http(
        _always, _always, request_compression_algorithm="gzip", response_compression_algorithm="gzip"
    ),
    "tritonclient.http, deflate both ways": triton_http(
        _always, _never, request_compression_algorithm="deflate", response_compression_algorithm="deflate"
    ),
    "tritonclient.grpc": triton_grpc(),
    "tritonclient.grpc, gzip": triton_grpc(compression_algorithm="gzip"),
    "grpcio, typed contents": plain_grpc(typed=True),
    "grpcio, raw contents": plain_grpc(typed=False),
    "grpcio, typed contents, gzip": plain_grpc(typed=True, compression=grpc.Compression.Gzip),
}
TLS: dict[str, Way] = {
    "curl, TLS, ALPN http/1.1": curl_json(*HTTP1, version="1.1"),
    "curl, TLS, ALPN h2": curl_json(*HTTP2_ALPN, version="2"),
    "curl, TLS, no ALPN": curl_json("--no-alpn", version="1.1"),
    "curl, TLS, zstd": curl_coded("zstd", zstandard.compress),
    "tritonclient.http, TLS, mixed": triton_http(_even, _odd),
    "tritonclient.grpc, TLS": triton_grpc(),
    "grpcio, TLS, typed contents": plain_grpc(typed=True),
    "grpcio, TLS, raw contents, gzip": plain_grpc(typed=False, compression=grpc.Compression.Gzip),
}
