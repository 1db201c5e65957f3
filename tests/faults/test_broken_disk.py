# SPDX-License-Identifier: Apache-2.0
"""Disks that are full or fail, under the state and under the cache: a change is refused by name or it is there after a
kill, requests go on, and once the disk works again so do changes."""

import json
import shutil
import signal

import pytest

from harness import paths
from harness.load import Load
from harness.onnx_file import expected_row, write_dense
from harness.paths import put_model
from harness.server import run_protean
from harness.surroundings import failing_calls, fill, small_disk

SAME = paths.TEST_MODELS / "identity_fp32.onnx"
ONE = {"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}]}
ROW = [1, 2, 3, 4]
ASK = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": ROW}]}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "models"
    for name in ("a", "b"):
        for version in (1, 2, 3):
            put_model(folder, f"{name}/{version}/model.onnx", SAME)
    return folder


@pytest.fixture
def dense(tmp_path):
    folder = tmp_path / "dense"
    write_dense(folder, "dense/1/model.onnx")
    return folder


def move(server, version: int):
    """Both at once."""
    rows = [{"model": name, "alias": "champion", "version": version} for name in ("a", "b")]
    return server.admin.send("/admin/v1/aliases", json.dumps({"changes": rows}).encode(), "-X", "PUT")


def champions(server) -> list[int]:
    return [server.aliases(name)["champion"] for name in ("a", "b")]


def kill(server) -> None:
    server.signal(signal.SIGKILL)
    server.wait()


def check_cache_was_not_needed(server, cause: str) -> None:
    assert server.curl.infer("dense", ASK).json()["outputs"][0]["data"] == expected_row(ROW)
    (version,) = server.admin.get("/admin/v1/models/dense").json()["versions"]
    (note,) = [note for note in version["notes"] if "cache" in note]
    assert note.startswith("not cached: ") and cause in note, note


def test_a_full_disk_refuses_changes_by_name_and_nothing_else(start_server, folder, tmp_path):
    with small_disk(tmp_path / "disk", "2m") as disk:
        server = start_server(folder, "--state", disk)
        assert move(server, 1).status == 200
        filler = fill(disk)
        with Load(server, "a", {("3", 1.0)}) as load:
            # What is free inside the log's last page may take some more changes.
            replies = [move(server, 2 + step % 2) for step in range(20)]
            refused = [reply for reply in replies if reply.status != 200]
            assert refused and {reply.status for reply in refused} == {503}
            assert "disk full" in refused[0].error() and str(disk) in refused[0].error()
            unload = server.curl.post("/v2/repository/models/b/unload", b"")
            assert unload.status != 200 and "disk full" in unload.error()
            assert server.curl.infer("b", ONE).status == 200
            load.wait_for("3", 1.0)
        done = [2 + step % 2 for step, reply in enumerate(replies) if reply.status == 200]
        assert champions(server) == [done[-1] if done else 1] * 2
        filler.unlink()
        assert move(server, 3).status == 200 and move(server, 1).status == 200
        kill(server)
        again = start_server(folder, "--state", disk)
        assert champions(again) == [1, 1]
        again.stop()


def test_a_start_on_a_full_disk_says_so(folder, tmp_path):
    with small_disk(tmp_path / "disk", "64k") as disk:
        fill(disk)
        refused = run_protean("serve", folder, "--listen", "127.0.0.1:0", "--state", disk)
        assert refused.returncode != 0
        assert "disk full" in refused.stderr and "protean.db" in refused.stderr, refused.stderr


@pytest.mark.parametrize("free", ["64k", "1m"])
def test_a_cache_on_a_full_disk_costs_a_note(start_server, dense, tmp_path, free):
    with small_disk(tmp_path / "disk", free) as disk:
        server = start_server(dense, "--cache", disk)
        check_cache_was_not_needed(server, "bytes free, expected")
        assert not list(disk.iterdir())
        server.stop()


# One alias move writes its pages with pwrite64 and ends with fdatasync: each of these calls fails once.
FAILURES = [("fdatasync:error=EIO:when=1", "Input/output error")] + [
    (f"pwrite64:error={error}:when={place}", cause)
    for error, cause in [("EIO", "Input/output error"), ("ENOSPC", "disk full")]
    for place in (1, 2, 8)
]


@pytest.mark.parametrize(("failure", "cause"), FAILURES)
def test_a_write_that_fails_refuses_the_change_for_good(start_server, folder, tmp_path, failure, cause):
    state = tmp_path / "kept"
    server = start_server(folder, "--state", state)
    assert move(server, 1).status == 200
    with failing_calls(server, tmp_path, failure, *state.iterdir()) as log:
        refused = move(server, 2)
    assert "(INJECTED)" in log.read_text()
    assert refused.status == 503
    assert cause in refused.error() and "protean.db" in refused.error(), refused.error()
    assert champions(server) == [1, 1]
    kill(server)
    again = start_server(folder, "--state", state)
    assert champions(again) == [1, 1], "a change that was refused came back"
    assert move(again, 3).status == 200 and champions(again) == [3, 3]
    again.stop()


def test_changes_work_again_when_the_disk_does(start_server, folder, tmp_path):
    state = tmp_path / "kept"
    server = start_server(folder, "--state", state)
    assert move(server, 1).status == 200
    failing = failing_calls(server, tmp_path, "fdatasync,fsync:error=EIO", *state.iterdir())
    with failing, Load(server, "a", {("3", 1.0)}) as load:
        for version in (2, 3, 2):
            reply = move(server, version)
            assert reply.status == 503 and "Input/output error" in reply.error()
            assert "a restart may bring this one back" in reply.error(), "nothing could be undone either"
        load.wait_for("3", 1.0)
    assert champions(server) == [1, 1]
    assert move(server, 2).status == 200
    kill(server)
    again = start_server(folder, "--state", state)
    assert champions(again) == [2, 2]


FAILED_CACHE_WRITES = [("fsync:error=EIO", "Input/output error"), ("rename:error=ENOSPC", "No space left")]


@pytest.mark.parametrize(("failure", "cause"), FAILED_CACHE_WRITES)
def test_a_cache_that_cannot_be_written_costs_a_note(start_server, dense, tmp_path, failure, cause):
    cache = tmp_path / "cache"
    server = start_server(dense, "--cache", cache, "--watch=false")
    (key,) = [entry for entry in cache.iterdir() if entry.is_dir()]
    shutil.rmtree(key)
    with failing_calls(server, tmp_path, failure):
        assert server.curl.post("/v2/repository/models/dense/load", b"").status == 200
        check_cache_was_not_needed(server, cause)
    assert [entry.name for entry in cache.iterdir() if entry.is_dir()] == []
    assert server.curl.post("/v2/repository/models/dense/load", b"").status == 200
    assert key.is_dir()
