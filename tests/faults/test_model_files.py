# SPDX-License-Identifier: Apache-2.0
"""Files of a model that are cut, replaced or deleted while it loads and while it is served: what is served goes on,
what does not load says why, and other models do not notice."""

import threading
from pathlib import Path

import pytest

from harness import paths
from harness.load import Load
from harness.onnx_file import WIDTH, dense, expected_row, weight_bytes, write_dense
from harness.paths import put_model
from harness.surroundings import seeded_random

ROW = [1, 2, 3, 4]
ASK = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": ROW}]}
OTHER = paths.TEST_MODELS / "identity_fp32.onnx"
LOADS = 15


@pytest.fixture
def folder(tmp_path):
    """`dense` has its weights in a file beside it; `other` is who must not notice."""
    folder = tmp_path / "models"
    put_model(folder, "other/1/model.onnx", OTHER)
    place = folder / "dense" / "1"
    place.mkdir(parents=True)
    (place / "weights.bin").write_bytes(weight_bytes())
    (place / "model.onnx").write_bytes(dense(weights_file="weights.bin"))
    return folder


def answer(server) -> list[float]:
    reply = server.curl.infer("dense", ASK)
    assert reply.status == 200, reply.text
    return reply.json()["outputs"][0]["data"]


def reload(server):
    return server.curl.post("/v2/repository/models/dense/load", b"")


def cut(path: Path) -> None:
    """In place: whoever has the file mapped or open sees it shrink."""
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size // 3)


def overwrite(path: Path) -> None:
    with open(path, "r+b") as file:
        file.write(b"\xff" * path.stat().st_size)


@pytest.mark.parametrize("harm", [cut, overwrite, Path.unlink], ids=["cut", "overwritten", "deleted"])
@pytest.mark.parametrize("file", ["model.onnx", "weights.bin"])
def test_what_is_served_does_not_depend_on_its_files(start_server, folder, harm, file):
    """A load of the harmed files fails, and the version that serves stays."""
    server = start_server(folder, "--watch=false")
    expected = answer(server)
    assert expected == expected_row(ROW)
    path = folder / "dense" / "1" / file
    good = path.read_bytes()
    with Load(server, "other", {("1", 1.0)}) as load:
        harm(path)
        reply = reload(server)
        if harm is overwrite and file == "weights.bin":
            assert reply.status == 200, "other weights are weights as well"
        else:
            assert reply.status in (400, 404, 409), reply.text
            assert "dense" in reply.error()
            assert answer(server) == expected
        path.write_bytes(good)
        assert reload(server).status == 200
        assert answer(server) == expected
        load.wait_for("1", 1.0)


def test_files_that_change_while_they_are_read_harm_their_load_only(start_server, folder):
    """One thread harms and mends the weights without pause; the loads meanwhile see any mixture."""
    random = seeded_random()
    server = start_server(folder, "--watch=false")
    path = folder / "dense" / "1" / "weights.bin"
    good = path.read_bytes()
    over = threading.Event()

    def harm() -> None:
        while not over.is_set():
            if random.random() < 0.5:
                with open(path, "r+b") as file:
                    file.truncate(random.randrange(len(good)))
            else:
                path.unlink()
            path.write_bytes(good)

    with Load(server, "other", {("1", 1.0)}) as load:
        harmer = threading.Thread(target=harm)
        harmer.start()
        replies = [reload(server) for _ in range(LOADS)]
        over.set()
        harmer.join()
        load.wait_for("1", 1.0)
    for reply in replies:
        assert reply.status == 200 or "dense" in reply.error()
    assert reload(server).status == 200
    assert answer(server) == expected_row(ROW)


def test_a_cache_that_is_deleted_does_not_take_the_mapped_weights_away(start_server, folder, tmp_path):
    cache = tmp_path / "cache"
    server = start_server(folder, "--cache", cache, "--watch=false")
    files = [path for path in cache.rglob("*") if path.is_file()]
    assert "weights.bin" in {path.name for path in files}
    for path in files:
        path.unlink()
    assert answer(server) == expected_row(ROW)
    assert reload(server).status == 200
    assert answer(server) == expected_row(ROW)


def test_a_replaced_file_is_served_without_a_failed_request(start_server, folder, tmp_path):
    server = start_server(folder, "--poll-interval", "50ms")
    write_dense(folder, "whole/1/model.onnx", seed=1)
    server.wait_for_state("whole", "1", "READY")
    with Load(server, "other", {("1", 1.0)}) as load:
        for seed in (2, 3):
            write_dense(folder, "whole/1/model.onnx", seed=seed)
            assert server.curl.post("/v2/repository/models/whole/load", b"").status == 200
            found = server.curl.infer("whole", ASK).json()["outputs"][0]["data"]
            assert found == expected_row(ROW, WIDTH, seed)
        load.wait_for("1", 1.0)
