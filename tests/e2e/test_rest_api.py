# SPDX-License-Identifier: Apache-2.0
"""The REST side of the Open Inference Protocol: health, metadata, ids, parameters, outputs, versions, errors."""

import json

import pytest

from harness import paths
from harness.curl import HTTP1, HTTP2
from harness.paths import put_model

IRIS = {"name": "measurements", "shape": [1, 4], "datatype": "FP32", "data": [5.1, 3.5, 1.4, 0.2]}
PAIR = {
    "inputs": [
        {"name": "a", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]},
        {"name": "b", "shape": [1, 3], "datatype": "FP32", "data": [10, 20, 30]},
    ]
}


@pytest.mark.parametrize("flags", [HTTP1, HTTP2], ids=["HTTP/1.1", "HTTP/2"])
def test_a_ready_server_says_live_and_ready(examples, flags):
    live = examples.curl.get("/v2/health/live", *flags)
    ready = examples.curl.get("/v2/health/ready", *flags)
    assert (live.status, live.json()) == (200, {"live": True})
    assert (ready.status, ready.json()) == (200, {"ready": True})


def test_head_is_answered_like_get_without_a_body(examples):
    get, head = examples.curl.get("/v2/health/live"), examples.curl.get("/v2/health/live", "-I")
    assert (head.status, head.headers["content-length"]) == (200, get.headers["content-length"])


def test_the_server_tells_its_name_version_and_extensions(examples):
    info = examples.curl.get("/v2").json()
    assert info["name"] == "protean"
    assert info["version"].count(".") == 2
    assert "binary_tensor_data" in info["extensions"] and "model_repository" in info["extensions"]


def test_models_are_listed_once_each(examples):
    assert sorted(examples.curl.get("/v2/models").json()["models"]) == [
        "cancer_forest", "cancer_xgboost", "diabetes", "diabetes_mlflow", "diabetes_risk", "diabetes_xgboost", "digits",
        "iris", "iris_catboost", "iris_keras", "iris_notes", "wine", "wine_bands", "wine_lightgbm", "wine_table"]  # fmt: skip


def test_metadata_of_a_model_names_versions_inputs_and_outputs(examples):
    info = examples.curl.get("/v2/models/iris").json()
    assert (info["name"], info["platform"], info["versions"]) == ("iris", "onnx_onnxv1", ["1", "2"])
    assert info["inputs"] == [{"name": "measurements", "datatype": "FP32", "shape": [-1, 4]}]
    assert [(o["name"], o["datatype"], o["shape"]) for o in info["outputs"]] == [
        ("label", "INT64", [-1]), ("probabilities", "FP32", [-1, 3])]  # fmt: skip
    assert examples.curl.get("/v2/models/iris/versions/1").json()["versions"] == ["1"]


@pytest.mark.parametrize("path", ["/v2/models/iris/ready", "/v2/models/iris/versions/1/ready"])
def test_a_loaded_model_says_that_it_is_ready(examples, path):
    assert examples.curl.get(path).json() == {"name": "iris", "ready": True}


def test_the_newest_version_is_the_default_and_all_stay_addressable(examples):
    for version, answered_by in [("", "2"), ("1", "1"), ("2", "2")]:
        reply = examples.curl.infer("iris", {"inputs": [IRIS]}, version=version).json()
        assert (reply["model_name"], reply["model_version"]) == ("iris", answered_by)
        assert reply["outputs"][0]["data"] == [0]


def test_an_id_comes_back_as_it_was_sent(examples):
    for given in ["42", "a/b c", "Größe 📏", 'say "hi"\n']:
        assert examples.curl.infer("iris", {"id": given, "inputs": [IRIS]}).json()["id"] == given
    assert "id" not in examples.curl.infer("iris", {"inputs": [IRIS]}).json()


def test_parameters_of_every_kind_are_accepted(examples):
    parameters = {"text": "x", "count": 3, "ratio": 0.5, "flag": True}
    tensor = IRIS | {"parameters": {"source": "garden"}}
    request = {"parameters": parameters, "inputs": [tensor], "outputs": [{"name": "label", "parameters": {"note": 1}}]}
    assert examples.curl.infer("iris", request).status == 200


def test_only_requested_outputs_come_back_in_the_order_asked(models):
    for names in [["difference", "sum"], ["sum"]]:
        reply = models.curl.infer("sum_two", PAIR | {"outputs": [{"name": name} for name in names]}).json()
        assert [output["name"] for output in reply["outputs"]] == names
    assert [o["data"] for o in models.curl.infer("sum_two", PAIR).json()["outputs"]] == [[11, 22, 33], [-9, -18, -27]]


def test_binary_and_json_outputs_mix_by_request(models):
    outputs = [{"name": "sum", "parameters": {"binary_data": True}}, {"name": "difference"}]
    reply = models.curl.infer("sum_two", PAIR | {"outputs": outputs})
    size = int(reply.headers["inference-header-content-length"])
    head = json.loads(reply.body[:size])
    assert head["outputs"][0]["parameters"]["binary_data_size"] == 12 and "data" not in head["outputs"][0]
    assert head["outputs"][1]["data"] == [-9, -18, -27]
    assert reply.body[size:] == b"\x00\x000A\x00\x00\xb0A\x00\x00\x04B"  # 11, 22, 33 as little-endian FP32


def test_members_may_come_in_any_order_and_unknown_ones_are_passed_over(models):
    body = """{"extra": {"deep": [1, {"x": null}]}, "outputs": null, "inputs": [
        {"data": [[1, 2, 3]], "datatype": "FP32", "unknown": [[]], "shape": [1, 3], "name": "a"},
        {"shape": [1, 3], "data": [1, 1, 1], "name": "b", "datatype": "FP32", "parameters": null}]}"""
    reply = models.curl.post("/v2/models/sum_two/infer", body)
    assert reply.json()["outputs"][0]["data"] == [2, 3, 4]


def test_an_optional_input_may_be_left_out(models):
    x = {"name": "x", "shape": [2], "datatype": "FP32", "data": [1, 2]}
    bias = {"name": "bias", "shape": [1], "datatype": "FP32", "data": [0.5]}
    assert models.curl.infer("optional_input", {"inputs": [x]}).json()["outputs"][0]["data"] == [11, 12]
    assert models.curl.infer("optional_input", {"inputs": [x, bias]}).json()["outputs"][0]["data"] == [1.5, 2.5]


def test_maps_are_flattened_with_their_classes_named(models):
    outputs = {o["name"]: o for o in models.curl.get("/v2/models/zip_map").json()["outputs"]}
    assert outputs["probabilities"]["shape"] == [-1, 3]
    assert "cat" in json.dumps(outputs["probabilities"]["parameters"])
    x = {"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [0.1, 0.7, 0.2]}
    found = {o["name"]: o["data"] for o in models.curl.infer("zip_map", {"inputs": [x]}).json()["outputs"]}
    assert found["label"] == [1] and len(found["probabilities"]) == 3


def test_a_model_that_no_tensor_protocol_can_carry_is_refused_with_a_reason(models):
    index = models.index()
    for name in ["sequence_in", "sequence_out"]:
        row = index[(name, "1")]
        assert row["state"] == "UNAVAILABLE" and "sequence" in row["reason"], row


def test_shapes_that_the_data_decide_come_back_as_they_are(models):
    x = {"name": "x", "shape": [4], "datatype": "FP32", "data": [0, 5, 0, 7]}
    output = models.curl.infer("data_dependent_shape", {"inputs": [x]}).json()["outputs"][0]
    assert (output["shape"], output["data"]) == ([2, 1], [1, 3])


def test_a_failure_inside_the_model_is_told_and_harms_nothing(models):
    bad = {"name": "index", "shape": [1], "datatype": "INT64", "data": [7]}
    reply = models.curl.infer("fails_at_run", {"inputs": [bad]})
    assert reply.status in (400, 500) and "fails_at_run" in reply.error()
    good = models.curl.infer("fails_at_run", {"inputs": [bad | {"data": [2]}]})
    assert good.json()["outputs"][0]["data"] == [30]


def test_names_that_need_escapes_are_served(start_server, tmp_path):
    folder = tmp_path / "models"
    for name in ["two words", "größe", "100%", "a+b", "q?x=1#y", "semi;colon", "it's"]:
        put_model(folder, f"{name}/model.onnx", paths.TEST_MODELS / "scalar.onnx")
    server = start_server(folder)
    x = {"inputs": [{"name": "x", "shape": [], "datatype": "FP32", "data": [1]}]}
    for name, path in [("two words", "two%20words"), ("größe", "gr%C3%B6%C3%9Fe"), ("100%", "100%25"), ("a+b", "a+b"),
                       ("q?x=1#y", "q%3Fx%3D1%23y"), ("semi;colon", "semi;colon"), ("it's", "it%27s")]:  # fmt: skip
        reply = server.curl.infer(path, x)
        assert (reply.status, reply.json()["model_name"]) == (200, name), reply
        assert server.curl.get(f"/v2/models/{path}").json()["name"] == name


def test_errors_name_what_was_found_and_what_was_expected(examples, models):
    def refuse(server, model, request, status, *words, version=""):
        reply = server.curl.infer(model, request, version=version)
        assert reply.status == status, reply
        assert reply.headers["content-type"] == "application/json"
        for word in words:
            assert word in reply.error(), reply.error()

    refuse(examples, "irsi", {"inputs": [IRIS]}, 404, "irsi", "iris")
    refuse(examples, "iris", {"inputs": [IRIS]}, 404, "iris", "9", version="9")
    refuse(examples, "iris", {"inputs": [IRIS]}, 404, "newest", version="newest")
    refuse(examples, "iris", {"inputs": [IRIS | {"name": "x"}]}, 400, "'x'", "'measurements'")
    refuse(examples, "iris", {"inputs": [IRIS | {"shape": [2, 2]}]}, 400, "[2,2]", "[-1,4]", "iris")
    refuse(examples, "iris", {"inputs": [IRIS | {"shape": [4]}]}, 400, "[4]", "[-1,4]")
    refuse(examples, "iris", {"inputs": [IRIS | {"datatype": "INT64", "data": [1, 2, 3, 4]}]}, 400, "INT64", "FP32")
    refuse(examples, "iris", {"inputs": [IRIS | {"datatype": "FLOAT"}]}, 400, "FLOAT", "FP32")
    refuse(examples, "iris", {"inputs": [IRIS | {"data": [1, 2, 3]}]}, 400, "3", "4")
    refuse(examples, "iris", {"inputs": [IRIS | {"data": [1, 2, 3, 4, 5]}]}, 400, "4")
    refuse(examples, "iris", {"inputs": [IRIS | {"data": [[1, 2], [3, 4]]}]}, 400, "[1,4]")
    refuse(examples, "iris", {"inputs": [IRIS | {"shape": [-1, 4]}]}, 400, "-1")
    refuse(examples, "iris", {"inputs": [IRIS, IRIS]}, 400, "measurements", "twice")
    refuse(examples, "iris", {"inputs": []}, 400, "measurements", "missing")
    refuse(examples, "iris", {"inputs": [IRIS], "outputs": [{"name": "score"}]}, 400, "score", "label")
    refuse(examples, "iris", {}, 400, "inputs")
    refuse(examples, "iris", [], 400, "array", "object")
    refuse(examples, "diabetes_risk", {"inputs": [IRIS]}, 400, "measurements", "patient")
    refuse(models, "fixed_shape", {"inputs": [IRIS | {"name": "x"}]}, 400, "[1,4]", "[2,3]")


def test_a_query_is_no_part_of_the_path(examples):
    assert examples.curl.get("/v2/models/iris?verbose=true&x=%zz").json()["name"] == "iris"


def test_unknown_paths_and_wrong_methods_are_told_apart(examples):
    assert examples.curl.get("/v2/nothing").status == 404
    assert examples.curl.get("/nothing").status == 404
    assert examples.curl.get("/v2/models/..%2f..%2fetc%2fpasswd").status == 404
    wrong = examples.curl.get("/v2/models/iris/infer")
    assert (wrong.status, wrong.headers["allow"]) == (405, "POST")
    assert "GET" in wrong.error()
    assert examples.curl.post("/v2/health/live", b"{}").status == 405
