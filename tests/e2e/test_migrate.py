# SPDX-License-Identifier: Apache-2.0
"""`protean migrate` between two stand-ins that compute with real TensorFlow: every planted difference is found, none is
invented, and traffic moves over and back under load, with kills on both sides, without a failed request."""

import gzip
import json
import re
import time
from dataclasses import dataclass

import grpc
import pytest
from harness.grpc_stub import channel, message_class, unary
from harness.migration import Client, Load, Migration, OldServer, make_saved_models
from harness.tensorflow import interpreter
from harness.wait import wait_until

_ROWS = [1.0, 2.5, -3.0]
_KINDS = (
    "value", "close", "dtype", "missing", "extra", "status", "text", "content-type", "version", "format",
)  # fmt: skip


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    """An honest old server, and a new one with every fault, each in the model of its name."""
    folder = tmp_path_factory.mktemp("sides")
    servers = [OldServer(folder / "old"), OldServer(folder / "new", *_KINDS)]
    yield servers
    for server in servers:
        server.kill()


@dataclass
class _Own:
    """Our own server as a side: one port for everything."""

    url: str
    authority: str

    @property
    def urls(self) -> tuple[str, str]:
        return self.url, f"grpc://{self.authority}"


@pytest.fixture
def migrate(tmp_path):
    """migrate(old, new, *flags) starts one; all are stopped."""
    started: list[Migration] = []

    def start(old: OldServer, new: OldServer, *flags: object) -> Migration:
        started.append(Migration(tmp_path / f"migration-{len(started)}", old.urls, new.urls, *flags))
        return started[-1]

    yield start
    for each in started:
        each.kill()


def rows_of(figures: dict) -> dict[tuple[str, str], dict]:
    return {(row["model"], row["method"]): row for row in figures["rows"]}


def everything(client: Client, model: str) -> None:
    """One call of each kind that answers well."""
    client.predict_rest(model, _ROWS)
    client.http(f"/v1/models/{model}:classify", {"examples": [{"x": 1.0}]})
    client.http(f"/v1/models/{model}:regress", {"examples": [{"x": 1.0}]})
    client.http(f"/v1/models/{model}")
    client.http(f"/v1/models/{model}/metadata")
    client.predict_grpc(model, _ROWS)
    client.call("PredictionService", "Classify", client.examples("ClassificationRequest", model, _ROWS))
    client.call("PredictionService", "Regress", client.examples("RegressionRequest", model, _ROWS))
    both = client.examples("MultiInferenceRequest", model, _ROWS)
    for method in ("classify", "regress"):
        both.tasks.add(method_name=f"tensorflow/serving/{method}").model_spec.name = model
    client.call("PredictionService", "MultiInference", both)
    client.call("PredictionService", "GetModelMetadata", client.model_request("GetModelMetadataRequest", model))
    client.call("ModelService", "GetModelStatus", client.model_request("GetModelStatusRequest", model))


def test_equal_servers_have_no_difference(sides, migrate):
    migration = migrate(sides[0], sides[1], "--fail-on-difference")
    for _ in range(3):
        everything(migration.client, "clean")
    migration.client.predict_rest("clean", [float("nan"), float("inf"), -float("inf")])
    migration.client.predict_rest("clean", _ROWS, signature_name="nobody")
    with pytest.raises(grpc.RpcError):
        migration.client.predict_grpc("clean", _ROWS, "nobody")
    figures = migration.settled()
    assert figures["total"]["equal"] == figures["total"]["compared"] == 36, figures
    assert figures["verdict"] == "parity"
    assert len(figures["rows"]) == 11
    assert all(row["to"]["timed"] == row["from"]["timed"] == row["compared"] for row in figures["rows"])
    assert figures["examples"] == []
    assert migration.stop() == 0
    assert json.loads(migration.json.read_text())["total"]["equal"] == 36


# Model, and what a prediction over REST and over gRPC then is: the verdict and the kinds of difference.
_PLANTED = {
    "value": ({"different"}, {"value"}, {"value"}),
    "close": ({"within_tolerance"}, set(), set()),
    "dtype": ({"different"}, {"type"}, {"dtype"}),
    "missing": ({"different"}, {"missing"}, {"missing"}),
    "extra": ({"different"}, {"extra"}, {"extra"}),
    "content-type": ({"different"}, {"header"}, None),
    "version": ({"different"}, None, {"version"}),
    "format": ({"formatting_only"}, {"formatting"}, {"formatting"}),
}


def found(row: dict) -> set[str]:
    verdicts = ("different", "formatting_only", "within_tolerance", "equal", "old_side_failed", "new_side_failed")
    return {verdict for verdict in verdicts if row[verdict]}


@pytest.mark.parametrize("weight", [0, 1])
def test_planted_differences_are_found_and_none_is_invented(sides, migrate, weight):
    """Whichever side answers the client, `from` and `to` stay what they are."""
    migration = migrate(*sides, "--weight", weight)
    for model in (*_PLANTED, "clean"):
        migration.client.predict_rest(model, [2.0, 3.0])
        migration.client.predict_grpc(model, [2.0, 3.0])
    rows = rows_of(migration.settled())
    for model, (verdict, over_rest, over_grpc) in _PLANTED.items():
        for method, kinds in (("REST predict", over_rest), ("gRPC Predict", over_grpc)):
            row = rows[model, method]
            assert found(row) == ({"equal"} if kinds is None else verdict), (model, method, row)
            assert set(row["kinds"]) == (kinds or set()), (model, method, row)
    for method in ("REST predict", "gRPC Predict"):
        assert found(rows["clean", method]) == {"equal"}
    assert rows["value", "gRPC Predict"]["largest_deviation"] == pytest.approx(1e-3, rel=1e-2)


def test_planted_errors_and_versions_are_found(sides, migrate):
    migration = migrate(*sides)
    for model in ("status", "text"):
        migration.client.predict_rest(model, [2.0], signature_name="nobody")
        with pytest.raises(grpc.RpcError) as refused:
            migration.client.predict_grpc(model, [2.0], "nobody")
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert refused.value.details() == 'Serving signature name: "nobody" not found in signature def'
    migration.client.http("/v1/models/version")
    migration.client.http("/v1/models/version/metadata")
    status = migration.client.model_request("GetModelStatusRequest", "version")
    migration.client.call("ModelService", "GetModelStatus", status)
    figures = migration.settled()
    kinds = {key: set(row["kinds"]) for key, row in rows_of(figures).items()}
    assert kinds == {
        ("status", "REST predict"): {"status"},
        ("status", "gRPC Predict"): {"status"},
        ("text", "REST predict"): {"text"},
        ("text", "gRPC Predict"): {"text"},
        ("version", "REST status"): {"version"},
        ("version", "REST metadata"): {"version"},
        ("version", "gRPC GetModelStatus"): {"version"},
    }
    assert figures["verdict"] == "differences"
    paths = {(each["model"], each["method"]): each["differences"][0] for each in figures["examples"]}
    assert paths["version", "REST status"] == {
        "kind": "version", "path": "body.model_version_status[0].version", "from": "1", "to": "2",
    }  # fmt: skip
    assert paths["status", "gRPC Predict"]["from"] == "3 INVALID_ARGUMENT"


def test_examples_show_place_values_and_request(sides, migrate):
    migration = migrate(*sides, "--fail-on-difference")
    migration.client.predict_grpc("value", [4.0, 6.0])
    migration.client.predict_rest("value", [{"x": 4.0}, {"x": 6.0}])
    migration.settled()
    assert migration.stop() == 1
    figures = json.loads(migration.json.read_text())
    over_rest, over_grpc = sorted(figures["examples"], key=lambda each: each["method"])
    assert over_grpc["differences"][0]["path"] == "message.outputs.y[0]"
    assert float(over_grpc["differences"][1]["from"]) == 5.0
    assert float(over_grpc["differences"][1]["to"]) == pytest.approx(5.001)
    assert 'name: "value"' in over_grpc["request"]
    assert over_rest["differences"][0]["path"] == "body.predictions[0].y"
    assert over_rest["request"] == '{"instances": [{"x": 4.0}, {"x": 6.0}]}'
    assert over_rest["request_line"] == "POST /v1/models/value:predict"
    page = migration.report.read_text()
    assert "body.predictions[0].y" in page
    assert "2 of 2 compared answers differ" in page
    assert not re.search(r"<script|src=|href=|url\(|@import", page)


def test_markup_in_requests_is_shown_as_text(sides, migrate):
    migration = migrate(*sides)
    migration.client.predict_rest("value", [1.0], note="<img src=x onerror=alert(1)>")
    migration.settled()
    page = migration.ask_control("/")[2].decode()
    assert "&lt;img src=x" in page
    assert "<img" not in page


def test_answers_are_those_of_the_chosen_side(sides, migrate):
    """Byte for byte, header for header."""
    old, new = sides
    migration = migrate(old, new)
    for weight, side in ((0, old), (1, new)):
        assert migration.set_weight(weight).returncode == 0
        direct = Client(side.urls[0], f"127.0.0.1:{side.grpc_port}")
        for path, body in (("/v1/models/value:predict", {"instances": _ROWS}), ("/v1/nothing?a=b", None)):
            status, headers, answer = migration.client.http(path, body)
            wanted = direct.http(path, body)
            assert (status, answer) == (wanted[0], wanted[2])
            own = {"date", "content-length", "connection"}
            assert {k.lower(): v for k, v in headers.items() if k.lower() not in own} == {
                k.lower(): v for k, v in wanted[1].items() if k.lower() not in own
            }
        assert migration.client.predict_grpc("value", _ROWS) == direct.predict_grpc("value", _ROWS)
        direct.close()


def test_a_coded_body_reaches_the_side_as_it_is(sides, migrate):
    """The stand-in does not undo gzip: it must see the coded bytes, and says so."""
    migration = migrate(*sides)
    status, _, _ = migration.client.http(
        "/v1/models/clean:predict", gzip.compress(b'{"instances": [1.0]}'), {"Content-Encoding": "gzip"}
    )
    direct = Client(sides[0].urls[0], "127.0.0.1:1")
    wanted, _, _ = direct.http(
        "/v1/models/clean:predict", gzip.compress(b'{"instances": [1.0]}'), {"Content-Encoding": "gzip"}
    )
    direct.close()
    assert status == wanted == 400


def test_large_bodies_pass_both_ways(sides, migrate):
    migration = migrate(*sides)
    x = [float(i) for i in range(200_000)]
    wanted = [value / 2 + 2 for value in x]
    assert list(migration.client.predict_grpc("clean", x).outputs["y"].float_val) == wanted
    _, _, body = migration.client.predict_rest("clean", x)
    assert [row["y"] for row in json.loads(body)["predictions"]] == wanted
    assert migration.settled()["total"]["equal"] == 2


def test_metadata_and_deadlines_reach_the_side(sides, migrate):
    migration = migrate(*sides)
    request = message_class("tensorflow.serving.PredictRequest")()
    request.model_spec.name = "clean"
    request.inputs["x"].dtype = 1
    request.inputs["x"].tensor_shape.dim.add(size=0)
    method = unary(migration.client.connection, "tensorflow.serving.PredictionService", "Predict")
    metadata = [("x-echo", "a b"), ("x-echo-bin", b"\x00\xff")]
    _, call = method.with_call(request, metadata=metadata, timeout=60)
    assert [(key, value) for key, value in call.initial_metadata() if key.startswith("x-echo")] == metadata
    request.model_spec.name = "hang"
    with pytest.raises(grpc.RpcError) as late:
        method(request, timeout=0.2)
    assert late.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert migration.client.predict_rest("clean", [1.0])[0] == 200
    figures = migration.status()
    assert figures["failed"] == 0
    assert figures["sides"]["from"]["up"]


def test_reloading_goes_to_one_side_only(sides, migrate):
    migration = migrate(*sides)
    before = None
    for _ in range(2):
        request = message_class("tensorflow.serving.ReloadConfigRequest")()
        text = migration.client.call("ModelService", "HandleReloadConfigRequest", request).status.error_message
        number = int(text.removeprefix("reload "))
        assert before is None or number == before + 1
        before = number
    assert migration.set_weight(1).returncode == 0
    answer = migration.client.call("ModelService", "HandleReloadConfigRequest", request)
    assert answer.status.error_message == "reload 1"  # the new side has seen none so far
    assert migration.status()["total"]["compared"] == 0


def test_the_guard_moves_traffic_back(sides, migrate):
    migration = migrate(*sides, "--weight", "1", "--guard", "--guard-differences", "0.1")
    for _ in range(40):
        migration.client.predict_rest("value", [2.0])
    wait_until(lambda: migration.status()["weight"]["to"] == 0, "the guard's decision")
    assert any("guard: 100.0 %" in event["text"] for event in migration.status()["events"])


def test_a_request_without_a_side_fails_with_a_reason(tmp_path):
    """Nobody listens on port 1."""
    nobody = ("http://127.0.0.1:1", "grpc://127.0.0.1:1")
    migration = Migration(tmp_path / "m", nobody, nobody)
    status, headers, body = migration.client.predict_rest("clean", [1.0])
    assert (status, headers["content-type"]) == (502, "application/json")
    assert "connecting to 127.0.0.1:1: Connection refused" in json.loads(body)["error"]
    with pytest.raises(grpc.RpcError) as refused:
        migration.client.predict_grpc("clean", [1.0])
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
    assert migration.status()["failed"] == 2
    assert migration.stop() == 0


def test_clients_may_speak_tls(sides, migrate, certificate):
    migration = migrate(*sides, "--tls-cert", certificate[0], "--tls-key", certificate[1])
    assert migration.url.startswith("https://")
    with channel(migration.authority, certificate[0]) as connection:
        request = migration.client.model_request("GetModelStatusRequest", "clean")
        answer = unary(connection, "tensorflow.serving.ModelService", "GetModelStatus")(request, timeout=60)
    assert answer.model_version_status[0].version == 1


def test_the_control_listener_refuses_what_it_does_not_know(sides, migrate):
    migration = migrate(*sides)
    control = Client(migration.control, "127.0.0.1:1")
    assert control.http("/nothing")[0] == 404
    assert control.http("/weight")[0] == 405
    assert control.http("/report", b"")[0] == 202
    wait_until(migration.report.exists, "the report that was asked for")
    control.close()
    assert migration.set_weight(0.25).returncode == 0
    assert migration.status()["weight"] == {"to": 0.25}
    assert migration.set_weight(1.5).returncode == 2


def test_our_own_server_answers_like_tensorflow(tmp_path, migrate, start_server):
    """The same SavedModel here and there. REST predictions and results are the same to the byte."""
    folder = make_saved_models(tmp_path / "models", "half_plus_two")
    old = OldServer(tmp_path / "old", models={"half_plus_two": folder / "half_plus_two" / "00000001"})
    own = start_server(folder, "--python", interpreter())
    migration = migrate(old, _Own(own.url, own.authority), "--fail-on-difference")
    client = migration.client
    numbers = [[1.0], [0.1], [-3e7], [1e-9], [float("inf")], [123456.789]]
    client.predict_rest("half_plus_two", numbers)
    client.predict_grpc("half_plus_two", numbers)
    body = {"signature_name": "regress_x_to_y", "examples": [{"x": 1.5}, {"x": 2.25}]}
    client.http("/v1/models/half_plus_two:regress", body)
    regress = client.examples("RegressionRequest", "half_plus_two", [1.5, 2.25])
    regress.model_spec.signature_name = "regress_x_to_y"
    client.call("PredictionService", "Regress", regress)
    client.call("ModelService", "GetModelStatus", client.model_request("GetModelStatusRequest", "half_plus_two"))
    client.predict_rest("nobody", [1.0])
    with pytest.raises(grpc.RpcError):
        client.predict_grpc("nobody", [1.0])
    client.http("/v1/models/half_plus_two")
    figures = migration.settled()
    old.kill()
    assert figures["total"]["different"] == 0, json.dumps(figures["examples"], indent=1)
    rows = rows_of(figures)
    assert found(rows.pop(("half_plus_two", "REST status"))) <= {"equal", "formatting_only"}
    assert len(rows) == 7
    assert all(found(row) == {"equal"} for row in rows.values()), figures["examples"]
    assert migration.stop() == 0


def test_the_cut_over_under_load_fails_no_request(tmp_path, migrate):
    old, new = OldServer(tmp_path / "a"), OldServer(tmp_path / "b")
    migration = migrate(old, new)
    load = Load(migration.client, threads=6)
    try:
        begin = time.monotonic()
        for weight in (0.1, 0.5, 1, 0):
            assert migration.set_weight(weight).returncode == 0
            load.wait_for_more(300)
        rate = load.answered / (time.monotonic() - begin)
        assert migration.set_weight(0.5).returncode == 0
        for name, victim in (("from", old), ("to", new)):
            load.wait_for_more(100)
            victim.kill()
            load.wait_for_more(200)
            victim.begin()
            victim.wait_ready()
            wait_until(lambda side=name: migration.status()["sides"][side]["up"], f"side {name} is back", 30)
        load.wait_for_more(200)
    finally:
        load.stop()
        for server in (old, new):
            server.kill()
    figures = migration.status()
    print(f"{load.answered} requests, {rate:.0f} a second, failed over {figures['failed_over']}")
    assert load.failures == []
    assert figures["failed"] == 0
    assert figures["failed_over"]["from"] > 0
    assert figures["failed_over"]["to"] > 0
    assert figures["total"]["different"] == 0
