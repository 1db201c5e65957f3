# SPDX-License-Identifier: Apache-2.0
"""/metrics: valid for Prometheus and OpenMetrics, and true after known traffic."""

import json
import subprocess

import numpy as np
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from harness import paths, ways
from harness.curl import infer_path
from harness.grpc_stub import Stub, channel, infer_request
from harness.paths import tool
from harness.ways import Call

IRIS = {"inputs": [{"name": "measurements", "shape": [2, 4], "datatype": "FP32", "data": [5, 3, 1, 0] * 2}]}
STAGES = {"read", "decode", "queue", "run", "encode", "write"}


def _samples(server) -> dict[tuple[str, frozenset], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse_text(server.metrics())
        for sample in family.samples
    }


def _value(server, name: str, **labels: str) -> float:
    return _samples(server).get((name, frozenset(labels.items())), 0.0)


def _promtool(text: str) -> str:
    """What `promtool check metrics` complains about."""
    done = subprocess.run(
        [tool("promtool"), "check", "metrics"], input=text, capture_output=True, text=True, timeout=60
    )
    return done.stdout + done.stderr + ("" if done.returncode == 0 else f"exit status {done.returncode}")


def _touch_everything(server) -> None:
    server.curl.infer("iris", IRIS)
    server.curl.infer("iris", {"inputs": []})
    server.curl.get("/nothing")
    server.curl.post(infer_path("iris"), b"{")
    with channel(server.authority) as connection:
        Stub(connection).ServerLive()


def test_promtool_finds_nothing_to_complain_about(examples):
    _touch_everything(examples)
    assert _promtool(examples.metrics()) == ""


def test_the_text_format_is_the_default_and_openmetrics_is_given_when_asked_for(examples):
    plain = examples.curl.get("/metrics")
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert list(parse_text(plain.text))
    open_metrics = examples.curl.get(
        "/metrics", "-H", "Accept: application/openmetrics-text; version=1.0.0,text/plain;q=0.5"
    )
    assert open_metrics.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert open_metrics.text.endswith("# EOF\n")


def test_both_formats_tell_the_same_families(examples):
    _touch_everything(examples)
    text = {family.name for family in parse_text(examples.metrics())}
    openmetrics = {family.name for family in parse_openmetrics(examples.metrics("application/openmetrics-text"))}
    assert {"protean_requests", "protean_request_duration_seconds", "protean_connections"} <= openmetrics
    assert text == openmetrics


def test_process_figures_are_there(examples):
    samples = {name for name, _ in _samples(examples)}
    assert {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_max_fds",
            "process_start_time_seconds", "process_threads", "protean_build_info"} <= samples  # fmt: skip


@pytest.fixture
def counted(start_server):
    return start_server(paths.EXAMPLE_MODELS)


def test_requests_failures_rows_and_bytes_are_counted_exactly(counted):
    one = {"model": "iris", "version": "2"}
    body = json.dumps(IRIS).encode()
    replies = [counted.curl.post(infer_path("iris"), body) for _ in range(3)]
    flower = np.array([[5.1, 3.5, 1.4, 0.2]], np.float32)
    message = infer_request("iris", [("measurements", "FP32", flower)], typed=False)
    with channel(counted.authority) as connection:
        answer = Stub(connection).call("ModelInfer", message)
    bad = json.dumps({"inputs": []}).encode()
    refusals = [counted.curl.post(infer_path("iris"), bad) for _ in range(2)]
    assert [reply.status for reply in replies + refusals] == [200] * 3 + [400] * 2
    samples = _samples(counted)

    def value(name: str, **labels: str) -> float:
        return samples.get((name, frozenset((one | labels).items())), 0.0)

    assert value("protean_requests_total") == 6
    assert value("protean_request_failures_total", code="INVALID_ARGUMENT") == 2
    assert value("protean_request_bytes_total") == 3 * len(body) + message.ByteSize() + 2 * len(bad)
    assert value("protean_response_bytes_total") == sum(len(r.body) for r in replies + refusals) + answer.ByteSize()
    assert (value("protean_batch_rows_count"), value("protean_batch_rows_sum")) == (4, 7)
    assert (value("protean_batch_rows_bucket", le="1"), value("protean_batch_rows_bucket", le="2")) == (1, 4)
    assert value("protean_request_duration_seconds_count") == 6
    assert value("protean_request_stage_duration_seconds_count", stage="run") >= 4
    assert ("protean_requests_total", frozenset({"model": "iris", "version": "1"}.items())) in samples


def test_an_answer_that_cannot_be_written_is_a_failure_too(start_server, tmp_path):
    folder = tmp_path / "models"
    paths.put_model(folder, "identity_bytes.onnx", paths.TEST_MODELS / "identity_bytes.onnx")
    server = start_server(folder)
    head = {"inputs": [{"name": "x", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 5}}]}
    text = json.dumps(head).encode()
    body = text + b"\1\0\0\0\xff"  # one byte, which is no UTF-8 and cannot be a JSON string
    reply = server.curl.post(infer_path("identity_bytes"), body, "-H", f"Inference-Header-Content-Length: {len(text)}")
    assert reply.status == 400
    labels = {"model": "identity_bytes", "version": "1", "code": "INVALID_ARGUMENT"}
    assert _value(server, "protean_request_failures_total", **labels) == 1


def test_requests_that_reach_no_model_are_counted_by_code(counted):
    def failures(code: str) -> float:
        samples = _samples(counted).items()
        return sum(value for (name, labels), value in samples if name.endswith("_total") and ("code", code) in labels)

    assert (failures("INVALID_ARGUMENT"), failures("NOT_FOUND")) == (0, 0)
    counted.curl.post(infer_path("iris"), b"{")
    counted.curl.infer("irsi", IRIS)
    counted.curl.infer("iris", IRIS, version="9")
    assert (failures("INVALID_ARGUMENT"), failures("NOT_FOUND")) == (1, 2)


def test_every_stage_is_measured_and_stages_fit_into_the_whole(counted):
    for way in ["curl, HTTP/1.1, flat JSON", "tritonclient.grpc"]:
        array = np.full((64, 4), 0.5, np.float32)
        ways.CLEAR[way](counted, Call("iris", [("measurements", "FP32", array)]))
    labels = {"model": "iris", "version": "2"}
    for stage in STAGES:
        assert _value(counted, "protean_request_stage_duration_seconds_count", **labels, stage=stage) == 2, stage
    within = [stage for stage in STAGES if stage != "write"]
    parts = sum(
        _value(counted, "protean_request_stage_duration_seconds_sum", **labels, stage=stage) for stage in within
    )
    assert 0 < parts <= _value(counted, "protean_request_duration_seconds_sum", **labels) * 1.0001


def test_loads_are_counted_by_result(start_server, tmp_path):
    folder = tmp_path / "models"
    paths.put_model(folder, "good.onnx", paths.TEST_MODELS / "scalar.onnx")
    paths.put_model(folder, "cut/1/model.onnx", paths.BROKEN_MODELS / "truncated.onnx")
    server = start_server(folder)
    server.curl.post("/v2/repository/models/good/load", b"")
    assert _value(server, "protean_model_loads_total", model="good", version="1", result="success") == 2
    assert _value(server, "protean_model_loads_total", model="cut", version="1", result="failure") == 1
    assert _value(server, "protean_model_load_duration_seconds_count", model="good", version="1") == 2


def test_connections_and_bytes_on_the_wire_are_counted(counted):
    before = _value(counted, "protean_connections_accepted_total")
    for _ in range(3):
        counted.curl.get("/v2/health/live")
    # The look itself is a connection, open while it is counted.
    assert _value(counted, "protean_connections_accepted_total") == before + 4
    assert _value(counted, "protean_connections") >= 1
    assert _value(counted, "protean_received_bytes_total") > 0
    assert _value(counted, "protean_sent_bytes_total") > _value(counted, "protean_received_bytes_total")


def test_names_with_special_characters_stay_valid_labels(start_server, tmp_path):
    folder = tmp_path / "models"
    name = 'quo"te \\ grö\u00dfe'
    paths.put_model(folder, f"{name}/model.onnx", paths.TEST_MODELS / "scalar.onnx")
    server = start_server(folder)
    assert _promtool(server.metrics()) == ""
    assert _value(server, "protean_model_loads_total", model=name, version="1", result="success") == 1


def test_unknown_models_make_no_series_of_their_own(counted):
    before = len(_samples(counted))
    for number in range(20):
        counted.curl.infer(f"made_up_{number}", IRIS)
        counted.curl.infer("iris", IRIS, version=str(100 + number))
    samples = _samples(counted)
    assert not any("made_up" in str(labels) for _, labels in samples)
    assert len(samples) <= before + 30
