# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments while optimised graphs are written, and entries that were damaged: every start answers
right, and nothing half made stays behind."""

import concurrent.futures
import shutil
from pathlib import Path

import pytest

from harness.onnx_file import expected_row, write_dense
from harness.surroundings import fault_runs, kill_after, seeded_random
from harness.wait import wait_until

ROW = [1, 2, 3, 4]
ASK = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": ROW}]}
MODEL = "dense"
KEY_LETTERS = 64


def keys(cache: Path) -> list[Path]:
    return [entry for entry in cache.iterdir() if entry.is_dir() and len(entry.name) == KEY_LETTERS]


def check_answers(server) -> None:
    reply = server.curl.infer(MODEL, ASK)
    assert reply.status == 200, reply.text
    assert reply.json()["outputs"][0]["data"] == expected_row(ROW)


def check_folder(cache: Path) -> None:
    """One entry, what its model's files are called, and nothing else."""
    names = sorted(entry.name for entry in cache.iterdir())
    others = [name for name in names if len(name) != KEY_LETTERS and not name.startswith("seen-")]
    assert not others, names
    (key,) = keys(cache)
    assert sorted(entry.name for entry in key.iterdir()) == ["entry", "graph.onnx", "weights.bin"]


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "models"
    write_dense(folder, f"{MODEL}/1/model.onnx")
    return folder


def test_a_kill_at_any_moment_of_a_cache_write_costs_a_slow_load(start_server, folder, tmp_path):
    random = seeded_random()
    cache = tmp_path / "cache"
    server = start_server(folder, "--cache", cache, "--watch=false")
    check_answers(server)
    check_folder(cache)
    (loaded,) = server.log_lines("model loaded")
    complete = half_made = runs = 0
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        for runs in fault_runs():
            shutil.rmtree(keys(cache)[0])
            load = pool.submit(server.curl.post, f"/v2/repository/models/{MODEL}/load", b"")
            wait_until(lambda: any(cache.glob(".new-*")) or keys(cache), "the cache is written")
            kill_after(server, random.uniform(0, 2.0 * loaded["load_ms"] / 1000))
            concurrent.futures.wait([load])
            half_made += any(cache.glob(".new-*"))
            complete += len(keys(cache))
            server = start_server(folder, "--cache", cache, "--watch=false")
            check_answers(server)
            check_folder(cache)
    print(f"{runs + 1} kills: {half_made} left something half made, {complete} a complete entry")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    """One bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("file", "damage"),
    [("entry", flip), ("graph.onnx", flip), ("weights.bin", cut), ("weights.bin", flip), ("weights.bin", Path.unlink)],
    ids=["entry flipped", "graph flipped", "weights cut", "weights flipped", "weights gone"],
)
def test_a_damaged_entry_is_told_and_made_again(start_server, folder, tmp_path, file, damage):
    cache = tmp_path / "cache"
    start_server(folder, "--cache", cache).stop()
    (key,) = keys(cache)
    damage(key / file)
    server = start_server(folder, "--cache", cache)
    check_answers(server)
    check_folder(cache)
    (told,) = server.log_lines("cached graph deleted, it will be made again")
    assert told["entry"] == key.name and told["reason"]
