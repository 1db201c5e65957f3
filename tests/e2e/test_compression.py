# SPDX-License-Identifier: Apache-2.0
"""Content codings: answers are compressed when asked and when it pays; every request coding is undone exactly."""

import gzip
import json
import zlib

import numpy as np
import pytest
import zstandard

from harness import nghttp
from harness.curl import HTTP1, HTTP2, infer_path
from harness.grpc_stub import Stub, channel, infer_request

CODINGS = {
    "gzip": (gzip.compress, gzip.decompress),
    "deflate": (zlib.compress, zlib.decompress),
    "zstd": (zstandard.compress, lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body)),
}
BIG = {"inputs": [{"name": "x", "shape": [4000], "datatype": "FP32", "data": [0.25] * 4000}]}
SMALL = {"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [0.25]}]}


@pytest.mark.parametrize("flags", [HTTP1, HTTP2], ids=["HTTP/1.1", "HTTP/2"])
@pytest.mark.parametrize("coding", CODINGS)
def test_large_answers_are_compressed_as_asked(models, coding, flags):
    plain = models.curl.infer("identity_fp32", BIG)
    coded = models.curl.infer("identity_fp32", BIG, "-H", f"Accept-Encoding: {coding}", *flags)
    assert coded.headers["content-encoding"] == coding
    assert int(coded.headers.get("content-length", len(coded.body))) == len(coded.body) < len(plain.body) / 10
    assert "accept-encoding" in coded.headers["vary"].lower()
    assert CODINGS[coding][1](coded.body) == plain.body


def test_nobody_who_does_not_ask_gets_a_compressed_answer(models):
    for fields in [
        [],
        ["-H", "Accept-Encoding: identity"],
        ["-H", "Accept-Encoding: br"],
        ["-H", "Accept-Encoding: gzip;q=0"],
    ]:
        assert "content-encoding" not in models.curl.infer("identity_fp32", BIG, *fields).headers


def test_small_answers_stay_as_they_are(models):
    reply = models.curl.infer("identity_fp32", SMALL, "-H", "Accept-Encoding: gzip, zstd")
    assert "content-encoding" not in reply.headers and reply.status == 200


def test_the_preferred_coding_is_chosen(models):
    for accept, chosen in [
        ("gzip;q=0.5, deflate;q=0.9", "deflate"),
        ("gzip, zstd", "zstd"),
        ("*", "zstd"),
        ("GZIP", "gzip"),
    ]:
        reply = models.curl.infer("identity_fp32", BIG, "-H", f"Accept-Encoding: {accept}")
        assert reply.headers["content-encoding"] == chosen, accept


def test_metrics_and_pages_are_compressed_too(models):
    for path in ["/metrics", "/docs", "/openapi.json"]:
        reply = models.curl.get(path, "-H", "Accept-Encoding: gzip")
        assert reply.headers["content-encoding"] == "gzip" and gzip.decompress(reply.body), path


def test_a_body_of_several_members_or_frames_is_one_body(models):
    text = json.dumps(SMALL).encode()
    for coding, (encode, _) in CODINGS.items():
        if coding == "deflate":
            continue
        body = encode(text[:20]) + encode(text[20:])
        reply = models.curl.post(infer_path("identity_fp32"), body, "-H", f"Content-Encoding: {coding}")
        assert reply.status == 200, (coding, reply)


def test_a_binary_tensor_may_be_compressed_with_its_json(models):
    raw = np.arange(1000, dtype=np.float32).tobytes()
    tensor = {"name": "x", "shape": [1000], "datatype": "FP32", "parameters": {"binary_data_size": len(raw)}}
    text = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    # The header counts bytes of the body before it was compressed.
    fields = ["-H", f"Inference-Header-Content-Length: {len(text)}", "-H", "Content-Encoding: gzip"]
    reply = models.curl.post(infer_path("identity_fp32"), gzip.compress(text + raw), *fields)
    assert reply.body.endswith(raw)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_corrupt_body_is_refused_and_the_connection_lives_on(models, coding):
    good = CODINGS[coding][0](json.dumps(SMALL).encode())
    for bad in [good[:-1], good[: len(good) // 2], b"not compressed at all", good + b"tail"]:
        reply = models.curl.post(infer_path("identity_fp32"), bad, "-H", f"Content-Encoding: {coding}")
        assert reply.status == 400 and reply.error(), (coding, bad[:20], reply)


def test_an_unknown_coding_is_refused_with_those_that_work(models):
    for coding in ["br", "compress", "gzip, gzip"]:
        reply = models.curl.post(infer_path("identity_fp32"), b"x", "-H", f"Content-Encoding: {coding}")
        assert reply.status == 415, reply
        assert reply.headers["accept-encoding"] == "gzip, deflate, zstd"
        assert reply.error()


def test_grpc_messages_in_a_coding_unknown_here_are_unimplemented(models):
    request = infer_request("scalar", [("x", "FP32", np.array(1, np.float32))], typed=True)
    body = nghttp.framed(request.SerializeToString(), compressed=1)
    fields = {"content_type": "application/grpc", "te": "trailers", "grpc_encoding": "snappy"}
    found = nghttp.post(models, nghttp.MODEL_INFER, body, **fields)
    assert (found[":status"], found["grpc-status"]) == ("200", "12")
    assert "gzip" in found["grpc-accept-encoding"]


def test_grpc_answers_are_compressed_for_clients_that_compress(models):
    import grpc

    array = np.zeros(100_000, np.float32)
    request = infer_request("identity_fp32", [("x", "FP32", array)], typed=False)
    with channel(models.authority) as connection:
        reply, call = (
            Stub(connection).method("ModelInfer").with_call(request, timeout=60, compression=grpc.Compression.Gzip)
        )
    assert reply.raw_output_contents[0] == array.tobytes()
    assert call.code() == grpc.StatusCode.OK
