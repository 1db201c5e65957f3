# SPDX-License-Identifier: Apache-2.0
"""The watched folder: versions come, change and go under load, and no request notices more than a new answer.

Two models with the same signature tell old from new: identity_fp32 answers x, optional_input answers x + 10.
"""

import json
import shutil
import subprocess
import sys

import pytest

from harness import paths
from harness.load import Load
from harness.paths import put_model
from harness.wait import wait_until

SAME = paths.TEST_MODELS / "identity_fp32.onnx"
PLUS_TEN = paths.TEST_MODELS / "optional_input.onnx"
ONE = {"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}]}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "models"
    put_model(folder, "m/1/model.onnx", SAME)
    return folder


@pytest.fixture
def server(start_server, folder):
    return start_server(folder, "--poll-interval", "100ms")


def _loads(server, result: str) -> float:
    label = f'result="{result}"'
    return sum(float(line.split()[-1]) for line in server.metrics().splitlines()
               if line.startswith("protean_model_loads_total") and label in line)  # fmt: skip


def test_a_new_version_takes_over_and_goes_again_without_a_failed_request(server, folder):
    with Load(server, "m", {("1", 1.0), ("2", 11.0)}) as load:
        load.wait_for("1", 1.0)
        put_model(folder, "m/2/model.onnx", PLUS_TEN)
        load.wait_for("2", 11.0)
        assert server.curl.infer("m", ONE, version="1").json()["outputs"][0]["data"] == [1]
        shutil.rmtree(folder / "m" / "2")
        server.wait_for_state("m", "2", None)
        load.wait_for("1", 1.0)
    assert server.curl.infer("m", ONE, version="2").status == 404


def test_a_version_replaced_in_one_step_is_never_missing_and_never_mixed(server, folder):
    with Load(server, "m", {("1", 1.0), ("1", 11.0)}) as load:
        load.wait_for("1", 1.0)
        for source, value in [(PLUS_TEN, 11.0), (SAME, 1.0), (PLUS_TEN, 11.0)]:
            put_model(folder, "m/1/model.onnx", source)
            load.wait_for("1", value)


def test_a_half_copied_version_is_refused_and_served_once_it_is_whole(server, folder):
    content = PLUS_TEN.read_bytes()
    (folder / "m" / "2").mkdir()
    with Load(server, "m", {("1", 1.0), ("2", 11.0)}) as load:
        load.wait_for("1", 1.0)
        with open(folder / "m" / "2" / "model.onnx", "wb") as copy:
            copy.write(content[: len(content) // 2])
            copy.flush()
            # Whoever copies this slowly is taken for finished: the half is tried, and refused.
            row = server.wait_for_state("m", "2", "UNAVAILABLE")
            assert row["reason"]
            load.wait_for("1", 1.0)
            copy.write(content[len(content) // 2 :])
        load.wait_for("2", 11.0)


def test_a_half_overwritten_version_leaves_the_old_one_serving(server, folder):
    content = PLUS_TEN.read_bytes()
    with Load(server, "m", {("1", 1.0), ("1", 11.0)}) as load:
        load.wait_for("1", 1.0)
        with open(folder / "m" / "1" / "model.onnx", "r+b") as copy:
            copy.truncate(0)
            copy.write(content[: len(content) // 2])
            copy.flush()
            wait_until(lambda: _loads(server, "failure") >= 1, "the half is tried")
            row = server.index()[("m", "1")]
            assert row["state"] == "READY" and "the new ones failed" in row["reason"]
            load.wait_for("1", 1.0)
            copy.write(content[len(content) // 2 :])
        load.wait_for("1", 11.0)
    assert "reason" not in server.index()[("m", "1")]


def test_a_whole_model_comes_and_goes(server, folder):
    put_model(folder, "late.onnx", PLUS_TEN)
    server.wait_for_state("late", "1", "READY")
    assert server.curl.infer("late", ONE).json()["outputs"][0]["data"] == [11]
    (folder / "late.onnx").unlink()
    server.wait_for_state("late", "1", None)
    assert server.curl.infer("late", ONE).status == 404
    assert "late" not in server.metrics()


def test_many_changes_at_once_end_in_what_lies_there(server, folder):
    with Load(server, "m", {("1", 1.0), *((str(v), 11.0) for v in range(2, 9))}) as load:
        for version in range(2, 9):
            put_model(folder, f"m/{version}/model.onnx", PLUS_TEN)
        load.wait_for("8", 11.0)
        for version in range(3, 9):
            shutil.rmtree(folder / "m" / str(version))
        load.wait_for("2", 11.0)
    wait_until(lambda: {v for n, v in server.index() if n == "m"} == {"1", "2"}, "versions 1 and 2 alone")


def test_a_folder_renamed_into_place_is_one_new_model(server, folder, tmp_path):
    outside = tmp_path / "outside"
    put_model(outside, "whole/3/model.onnx", PLUS_TEN)
    (outside / "whole").rename(folder / "whole")
    server.wait_for_state("whole", "3", "READY")


def test_broken_models_do_not_stop_the_good_ones(start_server, tmp_path):
    folder = tmp_path / "models"
    put_model(folder, "good.onnx", SAME)
    broken = ["truncated", "no_such_op", "opset_99", "dangling_input", "external_parent", "external_missing", "cycle"]
    for name in broken:
        put_model(folder, f"{name}/1/model.onnx", paths.BROKEN_MODELS / f"{name}.onnx")
    put_model(folder, "mixed/1/model.onnx", SAME)
    put_model(folder, "mixed/2/model.onnx", paths.BROKEN_MODELS / "truncated.onnx")
    server = start_server(folder)
    assert server.curl.infer("good", ONE).status == 200
    # The newest version that is ready answers.
    assert server.curl.infer("mixed", ONE).json()["model_version"] == "1"
    index = server.index()
    for name in broken:
        row = index[(name, "1")]
        assert row["state"] == "UNAVAILABLE" and len(row["reason"]) > 10, row
        refused = server.curl.infer(name, ONE)
        assert refused.status == 503 and row["reason"] in refused.error()
        ready = server.curl.get(f"/v2/models/{name}/ready")
        assert (ready.status, ready.json()["ready"]) == (503, False)
    assert set(server.index(ready=True)) == {("good", "1"), ("mixed", "1")}


def test_a_broken_model_is_served_once_it_is_mended(start_server, tmp_path):
    folder = tmp_path / "models"
    put_model(folder, "m.onnx", paths.BROKEN_MODELS / "truncated.onnx")
    server = start_server(folder, "--poll-interval", "100ms")
    server.wait_for_state("m", "1", "UNAVAILABLE")
    put_model(folder, "m.onnx", SAME)
    server.wait_for_state("m", "1", "READY")


def test_models_that_reach_outside_their_folder_are_refused(start_server, tmp_path):
    folder = tmp_path / "models"
    names = [path.stem for path in sorted(paths.BROKEN_MODELS.glob("external_*.onnx"))]
    for name in names:
        put_model(folder, f"{name}/model.onnx", paths.BROKEN_MODELS / f"{name}.onnx")
    shutil.copytree(paths.ROOT / "tests/data/external_ok", folder / "external_ok")
    shutil.copytree(paths.ROOT / "tests/data/external_ok_deep", folder / "external_ok_deep")
    server = start_server(folder)
    index = server.index()
    assert {name for name, _ in index} == {*names, "external_ok", "external_ok_deep"}
    for (name, _), row in index.items():
        expected = "READY" if name.startswith("external_ok") else "UNAVAILABLE"
        assert row["state"] == expected, row
    x = {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 1, 1]}]}
    assert server.curl.infer("external_ok", x).json()["outputs"][0]["data"] == [1, 2, 3]
    assert server.curl.infer("external_ok_deep", x).json()["outputs"][0]["data"] == [101, 202, 303]


def test_weights_behind_links_are_read_inside_the_folder_only(start_server, tmp_path):
    folder = tmp_path / "models"
    script = [sys.executable, paths.ROOT / "tests/data/make_links.py", folder, tmp_path / "outside"]
    subprocess.run(script, check=True, timeout=60)
    server = start_server(folder)
    states = {name: row["state"] for (name, _), row in server.index().items()}
    # `inside` may load; that it does not today is said in its row.
    states.pop("inside")
    refused = {"symlink", "symlink_dir", "chain", "dangling", "loop", "fifo", "hard_link"}
    assert states == dict.fromkeys(refused, "UNAVAILABLE")


def test_a_stray_link_beside_a_model_does_not_hide_it(start_server, tmp_path):
    folder = tmp_path / "models"
    put_model(folder, "m/model.onnx", SAME)
    (folder / "m" / "notes.txt").symlink_to("gone.txt")
    server = start_server(folder)
    assert server.curl.infer("m", ONE).status == 200


def test_an_empty_folder_is_served_and_fills_later(start_server, tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    server = start_server(folder, "--poll-interval", "100ms")
    assert server.curl.get("/v2/models").json() == {"models": []}
    assert json.loads(server.curl.post("/v2/repository/index", b"").text) == []
    put_model(folder, "m/model.onnx", SAME)
    server.wait_for_state("m", "1", "READY")


def test_without_watching_the_folder_is_read_once(start_server, folder):
    server = start_server(folder, "--watch=false")
    put_model(folder, "late.onnx", SAME)
    # Only a command makes the server look again.
    assert server.curl.post("/v2/repository/models/late/load", b"").status == 200
    assert server.curl.infer("late", ONE).status == 200
