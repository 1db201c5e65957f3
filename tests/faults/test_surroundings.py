# SPDX-License-Identifier: Apache-2.0
"""What surrounds the server fails: descriptors run out, the folder goes away, nobody reads what it prints."""

import json
import os
import resource
import subprocess
from pathlib import Path

import pytest

from harness import paths
from harness.curl import infer_path
from harness.paths import put_model
from harness.raw import connect, get, read_answer
from harness.server import clean_environment
from harness.wait import wait_until

SCALAR = json.dumps({"inputs": [{"name": "x", "shape": [], "datatype": "FP32", "data": [1]}]})


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "models"
    put_model(folder, "scalar.onnx", paths.TEST_MODELS / "scalar.onnx")
    return folder


def test_connections_beyond_the_descriptors_wait_and_are_served_later(start_server, folder):
    server = start_server(folder)
    used = len(os.listdir(f"/proc/{server.pid}/fd"))
    limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (used + 10, limits[1]))
    waiting = [connect(server) for _ in range(30)]
    for connection in waiting:
        connection.sendall(get("/v2/health/live", "Connection: close"))
    # Each that is answered is closed and makes room for the next.
    assert [read_answer(connection).status for connection in waiting] == [200] * 30
    idle = [connect(server) for _ in range(30)]
    wait_until(lambda: "cannot accept connections" in server.log(), "a line about it")
    for connection in idle + waiting:
        connection.close()
    wait_until(server.ready, "new connections")


def test_a_model_folder_that_goes_away_leaves_what_is_loaded(start_server, folder):
    server = start_server(folder, "--poll-interval", "100ms")
    away = folder.with_name("away")
    folder.rename(away)
    wait_until(lambda: "keeping what is loaded" in server.log(), "the loss is noticed")
    assert server.curl.post(infer_path("scalar"), SCALAR).status == 200
    away.rename(folder)
    put_model(folder, "other.onnx", paths.TEST_MODELS / "scalar.onnx")
    server.wait_for_state("other", "1", "READY")


def test_a_model_file_that_goes_while_it_is_loaded_again_is_told(start_server, folder):
    server = start_server(folder, "--watch=false")
    (folder / "scalar.onnx").unlink()
    reply = server.curl.post("/v2/repository/models/scalar/load", b"")
    assert reply.status in (400, 404) and "scalar" in reply.error()
    assert server.curl.post(infer_path("scalar"), SCALAR).status in (200, 404, 503)


def test_nobody_has_to_read_what_the_server_prints(folder):
    """Card and log go to pipes whose readers have left."""
    card_reader, card = os.pipe()
    log_reader, log = os.pipe()
    os.close(card_reader)
    os.close(log_reader)
    command = [paths.binary(), "serve", folder, "--listen", "127.0.0.1:0", "--access-log", "all"]
    process = subprocess.Popen(command, stdout=card, stderr=log, stdin=subprocess.DEVNULL, env=clean_environment())
    os.close(card)
    os.close(log)
    try:
        wait_until(lambda: process.poll() is not None or _listens(process.pid), "the server listens", 60)
        assert process.poll() is None
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


def _listens(pid: int) -> bool:
    """Whether one of the process's sockets is in the table of listening ones."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = {f"socket:[{row[9]}]" for row in rows if row[3] == "0A"}
    links = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd") if os.path.islink(entry.path)]
    return not listening.isdisjoint(links)
