# SPDX-License-Identifier: Apache-2.0
"""Values at the edges of every data type survive the way through an identity model in every encoding, bit for bit."""

import json
import struct

import ml_dtypes
import numpy as np
import pytest

from harness import ways
from harness.grpc_stub import infer_request, outputs_of
from harness.tensors import CONTENTS, DTYPES, array_of, array_of_raw, assert_same_bits, raw_of
from harness.ways import Call

_FLOATS = {
    "FP16": (np.float16, [65504.0, 2.0**-14, 2.0**-24, 1 / 3]),
    "BF16": (ml_dtypes.bfloat16, [3.3895313892515355e38, 2.0**-126, 2.0**-133, 1 / 3]),
    "FP32": (np.float32, [3.4028234663852886e38, 2.0**-126, 2.0**-149, 1 / 3, 0.1, 16777217.0]),
    "FP64": (np.float64, [1.7976931348623157e308, 2.0**-1022, 5e-324, 1 / 3, 0.1, 9007199254740993.0]),
}
_SPECIAL = [float("nan"), float("inf"), float("-inf")]
_STRINGS = [b"", b"text", b"\0", b"a\0b\0", "Größe, 大きさ, 📏".encode(), b'"\\/\b\f\n\r\t\x1f\x7f', b"x" * 70000]
_NOT_UTF8 = [b"\xff\xfe", b"\xc3", bytes(range(256))]


def _values(datatype: str) -> np.ndarray:
    """Finite values of the type, its limits among them."""
    if datatype == "BOOL":
        return np.array([True, False, True, True])
    if datatype == "BYTES":
        return array_of("BYTES", [len(_STRINGS)], _STRINGS)
    if datatype in _FLOATS:
        kind, values = _FLOATS[datatype]
        return np.array([0.0, -0.0, 1.0, -1.5, *values, *(-value for value in values)]).astype(kind)
    limits = np.iinfo(DTYPES[datatype])
    near = {limits.min, limits.min + 1, 0, 1, 2**53 + 1, 2**63 - 1, 2**63, limits.max - 1, limits.max}
    return np.array(sorted(value for value in near if limits.min <= value <= limits.max), DTYPES[datatype])


def _model(datatype: str) -> str:
    return f"identity_{datatype.lower()}"


ALL = list(DTYPES)
IN_JSON = ["curl, HTTP/1.1, flat JSON", "curl, HTTP/2 prior knowledge, flat JSON"]
TRITON = ["tritonclient.http, binary in and out", "tritonclient.grpc"]


@pytest.mark.parametrize("datatype", ALL)
@pytest.mark.parametrize("way", IN_JSON)
def test_json_keeps_every_value(models, way, datatype):
    array = _values(datatype)
    assert_same_bits(ways.CLEAR[way](models, Call(_model(datatype), [("x", datatype, array)]))["y"], array)


@pytest.mark.parametrize("datatype", ALL)
@pytest.mark.parametrize("way", TRITON)
def test_tritonclient_keeps_every_value(models, way, datatype):
    array = _values(datatype)
    assert_same_bits(ways.CLEAR[way](models, Call(_model(datatype), [("x", datatype, array)]))["y"], array)


@pytest.mark.parametrize("datatype", ALL)
@pytest.mark.parametrize("typed", [False, True], ids=["raw", "typed"])
def test_grpc_keeps_every_value(models_stub, datatype, typed):
    if typed and datatype not in CONTENTS:
        request = infer_request(_model(datatype), [("x", datatype, _values(datatype))], typed=False)
        request.ClearField("raw_input_contents")
        request.inputs[0].contents.fp32_contents.append(1.0)
        with pytest.raises(Exception, match="INVALID_ARGUMENT"):
            models_stub.call("ModelInfer", request)
        return
    array = _values(datatype)
    reply = models_stub.call("ModelInfer", infer_request(_model(datatype), [("x", datatype, array)], typed))
    assert_same_bits(outputs_of(reply)["y"], array)


@pytest.mark.parametrize("datatype", ALL)
def test_the_binary_extension_keeps_every_value(models, datatype):
    array = _values(datatype)
    found = _binary(models, datatype, list(array.shape), raw_of(datatype, array))
    assert_same_bits(array_of_raw(datatype, list(array.shape), found), array)


@pytest.mark.parametrize("datatype", list(_FLOATS))
def test_nan_and_infinities_travel_in_binary_and_are_null_in_json(models, datatype):
    array = np.array(_SPECIAL).astype(DTYPES[datatype])
    found = _binary(models, datatype, [3], raw_of(datatype, array))
    assert_same_bits(array_of_raw(datatype, [3], found), array)
    request = {"inputs": [{"name": "x", "shape": [3], "datatype": datatype, "data": "DATA"}]}
    body = json.dumps(request).replace('"DATA"', "[NaN, Infinity, -Infinity]")
    reply = models.curl.post(f"/v2/models/{_model(datatype)}/infer", body)
    assert reply.json()["outputs"][0]["data"] == [None, None, None]


def test_numbers_beyond_a_type_are_refused_by_name(models):
    for datatype, number in [("INT8", "128"), ("UINT8", "-1"), ("INT64", "9223372036854775808"), ("UINT64", "-1"),
                             ("UINT64", "18446744073709551616"), ("FP32", "1e39"), ("FP16", "65520"), ("INT32", "1.5"),
                             ("INT64", "true"), ("BOOL", "2"), ("FP32", '"1"'), ("BYTES", "1")]:  # fmt: skip
        body = f'{{"inputs":[{{"name":"x","shape":[1],"datatype":"{datatype}","data":[{number}]}}]}}'
        reply = models.curl.post(f"/v2/models/{_model(datatype)}/infer", body)
        assert reply.status == 400, (datatype, number, reply)
        assert "element 0" in reply.error() and datatype in reply.error()


def test_integers_are_exact_to_sixty_four_bits_in_json(models):
    for datatype, numbers in [("INT64", "[-9223372036854775808,9223372036854775807,9007199254740993]"),
                              ("UINT64", "[18446744073709551615,9223372036854775809,9007199254740993]")]:  # fmt: skip
        body = f'{{"inputs":[{{"name":"x","shape":[3],"datatype":"{datatype}","data":{numbers}}}]}}'
        reply = models.curl.post(f"/v2/models/{_model(datatype)}/infer", body)
        assert f'"data":{numbers}' in reply.text


def test_floats_are_printed_in_their_shortest_form(models):
    for datatype, sent, printed in [("FP32", "0.1", "0.1"), ("FP32", "0.3333333333333333", "0.33333334"),
                                    ("FP64", "0.1", "0.1"), ("FP64", "0.30000000000000004", "0.30000000000000004"),
                                    ("FP64", "3", "3.0"), ("FP32", "-0", "-0.0"), ("FP64", "5e-324", "5e-324"),
                                    ("FP64", "1e22", "1e+22")]:  # fmt: skip
        body = f'{{"inputs":[{{"name":"x","shape":[1],"datatype":"{datatype}","data":[{sent}]}}]}}'
        reply = models.curl.post(f"/v2/models/{_model(datatype)}/infer", body)
        assert f'"data":[{printed}]' in reply.text, (datatype, sent, reply.text)


@pytest.mark.parametrize("datatype", ALL)
def test_zero_rows_come_back_as_zero_rows(models, models_stub, datatype):
    request = {"inputs": [{"name": "x", "shape": [0], "datatype": datatype, "data": []}]}
    output = models.curl.infer(_model(datatype), request).json()["outputs"][0]
    assert (output["shape"], output["data"]) == ([0], [])
    empty = array_of(datatype, [0], [])
    assert _binary(models, datatype, [0], b"") == b""
    for typed in [False, True] if datatype in CONTENTS else [False]:
        reply = models_stub.call("ModelInfer", infer_request(_model(datatype), [("x", datatype, empty)], typed))
        assert list(reply.outputs[0].shape) == [0]


def test_shapes_with_a_zero_keep_their_other_dimensions(models):
    request = {"inputs": [{"name": "x", "shape": [0, 7], "datatype": "FP32", "data": []}]}
    output = models.curl.infer("identity_fp32_2d", request).json()["outputs"][0]
    assert (output["shape"], output["data"]) == ([0, 7], [])


def test_a_scalar_has_an_empty_shape_and_one_element(models, models_stub):
    for data in [[41.0], 41.0]:
        request = {"inputs": [{"name": "x", "shape": [], "datatype": "FP32", "data": data}]}
        output = models.curl.infer("scalar", request).json()["outputs"][0]
        assert (output["shape"], output["data"]) == ([], [42.0])
    scalar = np.array(41.0, np.float32)
    for typed in [False, True]:
        reply = models_stub.call("ModelInfer", infer_request("scalar", [("x", "FP32", scalar)], typed))
        assert outputs_of(reply)["y"].tolist() == 42.0


@pytest.mark.parametrize("shape", [[], [1], [3], [2, 3], [2, 1, 3], [1, 2, 3, 1, 2]], ids=str)
def test_a_model_without_declared_shape_takes_any_rank(models, shape):
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    for way in ["curl, HTTP/1.1, nested JSON", "tritonclient.grpc"]:
        found = ways.CLEAR[way](models, Call("identity_any_rank", [("x", "FP32", array)]))["y"]
        assert_same_bits(found, array)


def test_strings_that_are_not_utf8_travel_in_binary_and_are_refused_in_json(models, models_stub):
    array = array_of("BYTES", [len(_NOT_UTF8)], _NOT_UTF8)
    reply = models_stub.call("ModelInfer", infer_request("identity_bytes", [("x", "BYTES", array)], typed=True))
    assert outputs_of(reply)["y"].tolist() == _NOT_UTF8
    raw = raw_of("BYTES", array)
    assert _binary(models, "BYTES", [len(_NOT_UTF8)], raw) == raw
    reply = _send_binary(models, "BYTES", [len(_NOT_UTF8)], raw, binary_out=False)
    assert reply.status == 400 and "not UTF-8" in reply.error()


def test_strings_keep_their_places_in_two_dimensions(models):
    array = array_of("BYTES", [2, 3], [b"a", b"", b"ccc", "ä".encode(), b"\0", b"f"])
    for way in ["curl, HTTP/1.1, nested JSON", "tritonclient.http, mixed", "grpcio, typed contents"]:
        found = ways.CLEAR[way](models, Call("identity_bytes_2d", [("x", "BYTES", array)]))["y"]
        assert_same_bits(found, array)


def test_six_hundred_kilobytes_arrive_whole_in_every_encoding(models):
    array = np.arange(150528, dtype=np.float32) * np.float32(0.37)
    call = Call("identity_large", [("x", "FP32", array)])
    for way in [
        "curl, HTTP/1.1, flat JSON",
        "curl, HTTP/2, gzip",
        "tritonclient.http, binary in and out",
        "tritonclient.grpc",
        "grpcio, typed contents",
    ]:
        assert_same_bits(ways.CLEAR[way](models, call)["y"], array)


def _send_binary(server, datatype: str, shape: list[int], raw: bytes, binary_out: bool = True):
    """Sends `raw` behind JSON to the identity model of the type."""
    tensor = {"name": "x", "shape": shape, "datatype": datatype, "parameters": {"binary_data_size": len(raw)}}
    text = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": binary_out}}).encode()
    fields = ["-H", f"Inference-Header-Content-Length: {len(text)}", "-H", "Content-Type: application/octet-stream"]
    return server.curl.post(f"/v2/models/{_model(datatype)}/infer", text + raw, *fields)


def _binary(server, datatype: str, shape: list[int], raw: bytes) -> bytes:
    """Sends `raw` behind JSON; returns the raw output behind the JSON of the answer."""
    reply = _send_binary(server, datatype, shape, raw)
    assert reply.status == 200, reply
    size = int(reply.headers["inference-header-content-length"])
    output = json.loads(reply.body[:size])["outputs"][0]
    assert (output["datatype"], output["shape"]) == (datatype, shape)
    assert output["parameters"]["binary_data_size"] == len(reply.body) - size
    return reply.body[size:]


def test_a_binary_answer_is_described_by_its_head(models):
    reply = _send_binary(models, "INT16", [2], struct.pack("<2h", -2, 3))
    assert reply.headers["content-type"] == "application/octet-stream"
    assert int(reply.headers["content-length"]) == len(reply.body)
