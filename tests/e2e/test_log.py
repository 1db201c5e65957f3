# SPDX-License-Identifier: Apache-2.0
"""The log: JSON lines, one for each request when asked, with the client's ids and traces."""

import re

import pytest

from harness import paths
from harness.grpc_stub import Stub, channel
from harness.wait import wait_until

IRIS = {"inputs": [{"name": "measurements", "shape": [1, 4], "datatype": "FP32", "data": [5, 3, 1, 0]}]}
TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    from harness.server import serving

    with serving(tmp_path_factory.mktemp("logged"), paths.EXAMPLE_MODELS, "--access-log", "all") as server:
        yield server


def _line(server, **members: object) -> dict:
    """The one access line that has these members."""

    def found() -> dict | None:
        lines = [line for line in server.log_lines("request") if members.items() <= line.items()]
        assert len(lines) <= 1, lines
        return lines[0] if lines else None

    return wait_until(found, f"a line of the log with {members}; it is:\n{server.tail()}")


def test_a_request_id_goes_to_the_log_and_comes_back(logged):
    reply = logged.curl.infer("iris", IRIS, "-H", "X-Request-Id: order-66")
    assert reply.headers["x-request-id"] == "order-66"
    line = _line(logged, request_id="order-66")
    assert (line["method"], line["path"], line["status"]) == ("POST", "/v2/models/iris/infer", 200)
    assert (line["model"], line["version"]) == ("iris", "2")
    assert line["response_bytes"] == len(reply.body) and line["request_bytes"] > 0
    assert line["peer"].startswith("127.0.0.1:")
    for stage in ["duration_ms", "read_ms", "decode_ms", "run_ms", "encode_ms"]:
        assert line[stage] >= 0


def test_a_trace_goes_to_the_log(logged):
    logged.curl.infer("iris", IRIS, "-H", f"traceparent: 00-{TRACE}-{SPAN}-01", "-H", "X-Request-Id: traced")
    line = _line(logged, request_id="traced")
    assert (line["trace_id"], line["span_id"]) == (TRACE, SPAN)


def test_a_broken_trace_is_left_out(logged):
    logged.curl.infer("iris", IRIS, "-H", "traceparent: 00-xyz-1-01", "-H", "X-Request-Id: untraced")
    assert "trace_id" not in _line(logged, request_id="untraced")


def test_a_grpc_call_has_its_line_too(logged):
    with channel(logged.authority) as connection:
        metadata = [("x-request-id", "by-grpc"), ("traceparent", f"00-{TRACE}-{SPAN}-00")]
        call = Stub(connection).method("ServerLive")
        from harness.grpc_stub import message

        call(message("ServerLiveRequest")(), timeout=60, metadata=metadata)
    line = _line(logged, request_id="by-grpc")
    assert line["path"] == "/inference.GRPCInferenceService/ServerLive"
    assert line["trace_id"] == TRACE


def test_a_refused_request_has_its_status_and_code(logged):
    logged.curl.infer("iris", {"inputs": []}, "-H", "X-Request-Id: refused")
    line = _line(logged, request_id="refused")
    assert (line["status"], line["code"]) == (400, "INVALID_ARGUMENT")


def test_requests_without_an_id_get_one_each(logged):
    before = len(logged.log_lines("request"))
    for _ in range(3):
        logged.curl.infer("iris", IRIS)
    lines = wait_until(
        lambda: logged.log_lines("request")[before + 2 :] and logged.log_lines("request")[before:], "three lines"
    )
    ids = [line["request_id"] for line in lines[:3]]
    assert len(set(ids)) == 3 and all(re.fullmatch(r"[0-9a-zA-Z-]{8,}", text) for text in ids)


def test_what_clients_send_cannot_break_a_line(logged):
    logged.curl.get('/v2/models/x%0Ay"\\', "--path-as-is", "-H", "X-Request-Id: nasty")
    assert _line(logged, request_id="nasty")["status"] == 404
    for line in logged.log().splitlines():
        assert line.startswith("{") and line.endswith("}"), line


def test_by_default_only_failures_have_lines(examples):
    examples.curl.infer("iris", IRIS, "-H", "X-Request-Id: good")
    examples.curl.infer("irsi", IRIS, "-H", "X-Request-Id: bad")
    assert _line(examples, request_id="bad")["status"] == 404
    assert not [line for line in examples.log_lines("request") if line["request_id"] == "good"]


def test_the_text_format_is_for_people(start_server):
    server = start_server(paths.EXAMPLE_MODELS, "--log-format", "text", "--access-log", "all")
    server.curl.infer("iris", IRIS, "-H", "X-Request-Id: readable")
    line = wait_until(lambda: [line for line in server.log().splitlines() if "readable" in line], "the line")[0]
    assert not line.startswith("{") and "/v2/models/iris/infer" in line
