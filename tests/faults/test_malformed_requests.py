# SPDX-License-Identifier: Apache-2.0
"""Bodies that are wrong: cut off at every byte, of the wrong kind, too deep, lying about their sizes. Always the
protocol's own error, never a lost connection or server."""

import http.client
import json

import numpy as np
import pytest

from harness import nghttp
from harness.grpc_stub import infer_request, message
from harness.raw import exchange, get, parse_answers, post

TENSOR = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [[1.5, -2e3]]}
BODY = json.dumps(
    {"id": "a\u00e9\n", "parameters": {"p": True}, "inputs": [TENSOR], "outputs": [{"name": "y"}]}
).encode()
INFER = "/v2/models/identity_fp32_2d/infer"


class Client:
    """One connection kept for thousands of requests; made again when the server closes it."""

    def __init__(self, server):
        self._connection = http.client.HTTPConnection(server.host, server.port, timeout=60)

    def post(self, path: str, body: bytes, **headers: str) -> tuple[int, dict]:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request("POST", path, body, {"Content-Type": "application/json"} | names)
        response = self._connection.getresponse()
        return response.status, json.loads(response.read())


@pytest.fixture
def client(models):
    return Client(models)


def _check_error(status: int, reply: dict, about: object) -> None:
    assert status == 400 and set(reply) == {"error"} and reply["error"], (about, status, reply)


def test_the_whole_body_is_accepted(client):
    assert client.post(INFER, BODY)[0] == 200


def test_a_body_cut_off_at_any_byte_is_refused(client):
    for size in range(1, len(BODY)):
        _check_error(*client.post(INFER, BODY[:size]), BODY[:size])


def test_a_body_with_any_byte_left_out_is_answered(client):
    # Leaving out a byte may leave a good request: what counts is that every one gets an answer of the protocol.
    for at in range(len(BODY)):
        status, reply = client.post(INFER, BODY[:at] + BODY[at + 1 :])
        assert (status == 200 and "outputs" in reply) or (status in (400, 404) and reply["error"]), (at, status, reply)


@pytest.mark.parametrize("byte", [0, 0x01, 0x22, 0x2C, 0x5B, 0x5C, 0x7B, 0x7D, 0x80, 0xC0, 0xFF], ids=hex)
def test_a_body_with_any_byte_replaced_is_answered(client, byte):
    for at in range(len(BODY)):
        status, reply = client.post(INFER, BODY[:at] + bytes([byte]) + BODY[at + 1 :])
        assert (status == 200 and "outputs" in reply) or (status == 400 and reply["error"]), (at, status, reply)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"true",
        b"1",
        b'"text"',
        b"[]",
        b"{}",
        b"\xef\xbb\xbf{}",
        b'{"inputs":null}',
        b'{"inputs":{}}',
        b'{"inputs":[null]}',
        b'{"inputs":[[]]}',
        b'{"inputs":[{}]}',
        b'{"inputs":[{"name":1}]}',
        b'{"inputs":[],"inputs":[]}',
        b'{"id":1,"inputs":[]}',
        b'{"parameters":[],"inputs":[]}',
        b'{"parameters":{"a":null},"inputs":[]}',
        b'{"parameters":{"a":[1]},"inputs":[]}',
        b'{"parameters":{"a":1,"a":2},"inputs":[]}',
        b'{"outputs":[1],"inputs":[]}',
        b'{"inputs":[]}{"inputs":[]}',
        b'{"inputs":[],}',
        b"{'inputs':[]}",
        b'{"inputs":[]} // comment',
        b'{"inputs":[{"name":"x","datatype":"FP32","data":[1]}]}',
        b'{"inputs":[{"name":"x","shape":[1,1],"data":[1]}]}',
        b'{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32"}]}',
        b'{"inputs":[{"name":"x","shape":1,"datatype":"FP32","data":[1]}]}',
        b'{"inputs":[{"name":"x","shape":["1"],"datatype":"FP32","data":[1]}]}',
        b'{"inputs":[{"name":"x","shape":[1.5],"datatype":"FP32","data":[1]}]}',
        b'{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","data":{}}]}',
        b'{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","data":"1"}]}',
        b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[[1],[2]]}]}',
        b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,[2]]}]}',
        b'{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1,2],[3]]}]}',
        b'{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","data":[01]}]}',
        b'{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","data":[+1]}]}',
        b'{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","data":[1.]}]}',
        b'{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","data":[1e]}]}',
        b'{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","data":[0x1]}]}',
        b'{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","data":[nan]}]}',
        b'{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","data":[1,]}]}',
        b'{"inputs":[{"name":"\xff","shape":[1,1],"datatype":"FP32","data":[1]}]}',
        b'{"inputs":[{"name":"x\\ud800","shape":[1,1],"datatype":"FP32","data":[1]}]}',
        b'{"inputs":[{"name":"x\x00","shape":[1,1],"datatype":"FP32","data":[1]}]}',
    ],
)
def test_what_is_no_request_is_refused(client, body):
    _check_error(*client.post(INFER, body), body)


@pytest.mark.parametrize(
    "shape",
    [
        [2**31, 2**31, 4],
        [2**62, 4],
        [2**63 - 1, 2**63 - 1],
        [2**63],
        [2**64],
        [2**32, 2**32],
        [10**18, 0, 10**18],
        [1] * 65,
        [1] * 5000,
        [-1, 2],
        [-(2**63)],
    ],
    ids=lambda shape: str(shape)[:40],
)
def test_shapes_that_overflow_or_explode_are_refused(client, shape):
    tensor = TENSOR | {"shape": shape, "data": [1, 2]}
    _check_error(*client.post("/v2/models/identity_any_rank/infer", json.dumps({"inputs": [tensor]}).encode()), shape)
    binary = {"name": "x", "shape": shape, "datatype": "FP32", "parameters": {"binary_data_size": 8}}
    text = json.dumps({"inputs": [binary]}).encode()
    fields = {"Inference_Header_Content_Length": str(len(text))}
    _check_error(*client.post("/v2/models/identity_any_rank/infer", text + b"\0" * 8, **fields), shape)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":['])
def test_nesting_is_bounded_wherever_it_hides(client, opening):
    deep = 100_000
    for body in [opening * deep, b'{"inputs":[],"extra":' + opening * deep, b'{"parameters":{"a":' + opening * deep]:
        _check_error(*client.post(INFER, body), opening)
    tensor = b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":' + b"[" * deep + b"1" + b"]" * deep + b"}]}"
    _check_error(*client.post("/v2/models/identity_any_rank/infer", tensor), "data")


def _binary(tensor_size: object, header: object, raw: bytes, data: object = None) -> tuple[bytes, dict[str, str]]:
    tensor = {"name": "x", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": tensor_size}}
    if data is not None:
        tensor["data"] = data
    text = json.dumps({"inputs": [tensor]}).encode()
    size = len(text) if header is None else header
    return text + raw, {"Inference_Header_Content_Length": str(size)}


@pytest.mark.parametrize(
    ("tensor_size", "header", "raw", "data"),
    [
        (8, None, b"\0" * 7, None),
        (8, None, b"", None),
        (8, None, b"\0" * 9, None),
        (7, None, b"\0" * 7, None),
        (16, None, b"\0" * 16, None),
        (2**63 - 1, None, b"\0" * 8, None),
        (2**64, None, b"\0" * 8, None),
        (-8, None, b"\0" * 8, None),
        (8.0, None, b"\0" * 8, None),
        ("8", None, b"\0" * 8, None),
        (8, 0, b"\0" * 8, None),
        (8, 10, b"\0" * 8, None),
        (8, 10**9, b"\0" * 8, None),
        (8, 2**64, b"\0" * 8, None),
        (8, -1, b"\0" * 8, None),
        (8, "many", b"\0" * 8, None),
        (8, None, b"\0" * 8, [1, 2]),
    ],
)
def test_binary_tensors_that_lie_about_their_size_are_refused(client, tensor_size, header, raw, data):
    body, fields = _binary(tensor_size, header, raw, data)
    _check_error(*client.post(INFER, body, **fields), (tensor_size, header))
    assert client.post(INFER, BODY)[0] == 200


def test_binary_data_cut_off_at_any_byte_is_refused(client):
    body, fields = _binary(8, None, b"\0" * 8)
    assert client.post(INFER, body, **fields)[0] == 200
    for size in range(len(body)):
        _check_error(*client.post(INFER, body[:size], **fields), size)


@pytest.mark.parametrize(
    "raw", [b"\1", b"\1\0\0", b"\2\0\0\0a", b"\xff\xff\xff\xffa", b"\0\0\0\0\0", b"\1\0\0\0a\1\0\0"]
)
def test_strings_whose_lengths_lie_are_refused(client, raw):
    tensor = {"name": "x", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(raw)}}
    text = json.dumps({"inputs": [tensor]}).encode()
    fields = {"Inference_Header_Content_Length": str(len(text))}
    _check_error(*client.post("/v2/models/identity_bytes/infer", text + raw, **fields), raw)


def test_too_many_tensors_and_parameters_are_refused(client):
    many = {"inputs": [TENSOR | {"name": f"x{i}"} for i in range(2000)]}
    _check_error(*client.post(INFER, json.dumps(many).encode()), "inputs")
    outputs = {"inputs": [TENSOR], "outputs": [{"name": f"y{i}"} for i in range(2000)]}
    _check_error(*client.post(INFER, json.dumps(outputs).encode()), "outputs")
    parameters = {"inputs": [TENSOR], "parameters": {f"p{i}": i for i in range(2000)}}
    _check_error(*client.post(INFER, json.dumps(parameters).encode()), "parameters")


def _grpc(server, data: bytes) -> tuple[str, str]:
    """Sends `data` as the message of a ModelInfer call; grpc-status and grpc-message."""
    return nghttp.call(server, nghttp.framed(data))


def test_a_message_cut_off_at_any_byte_is_an_invalid_argument_or_less_of_a_request(models):
    array = np.array([[1.5, -2e3]], np.float32)
    whole = infer_request("identity_fp32_2d", [("x", "FP32", array)], typed=True, id="a").SerializeToString()
    assert _grpc(models, whole)[0] == "0"
    for size in range(0, len(whole), 3):
        status, text = _grpc(models, whole[:size])
        # A cut between two fields leaves a smaller request: of no model (5) or without its input (3).
        assert status in ("3", "5") and text, (size, status)


def test_messages_that_are_no_protobuf_are_invalid_arguments(models):
    for data in [b"\xff" * 50, b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x80", b"\x2a\x02\x2a\x05", b"\x0b\x0b\x0b"]:
        assert _grpc(models, data)[0] == "3", data


def test_shapes_that_overflow_are_invalid_arguments_over_grpc(models):
    for shape in [[2**62, 4], [2**63 - 1, 2**63 - 1], [-1, 1], [2**31, 2**31, 4], [1] * 65]:
        for typed in (True, False):
            request = infer_request("identity_any_rank", [("x", "FP32", np.ones(2, np.float32))], typed)
            del request.inputs[0].shape[:]
            request.inputs[0].shape.extend(shape)
            assert _grpc(models, request.SerializeToString())[0] == "3", shape


def test_a_parameter_without_a_value_is_refused(models):
    request = message("ModelInferRequest")(model_name="scalar")
    request.parameters["empty"].SetInParent()
    assert _grpc(models, request.SerializeToString())[0] == "3"


def test_the_server_is_none_the_worse(models):
    (answer,) = parse_answers(exchange(models, post(INFER, BODY, "Connection: close")))
    assert answer.status == 200
    assert parse_answers(exchange(models, get("/v2/health/ready", "Connection: close")))[0].status == 200
