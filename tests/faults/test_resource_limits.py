# SPDX-License-Identifier: Apache-2.0
"""Resources that run out: the memory of a cgroup, the budget for models, descriptors. What does not fit is refused by
name, what is served goes on, and what was given back can be used again."""

import contextlib
import os
import signal
import socket
from pathlib import Path

import pytest

from harness import paths
from harness.load import Load
from harness.onnx_file import write_dense
from harness.paths import put_model
from harness.raw import connect, get, read_answer
from harness.wait import wait_until

SMALL = paths.TEST_MODELS / "identity_fp32.onnx"
ONE = {"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}]}
MIB = 1 << 20
LIMIT = 320 * MIB
HUGE_WIDTH = 8400  # 269 MiB of weights: more than three quarters of the limit
DESCRIPTORS = 64


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "models"
    for name in ("a", "b", "c"):
        put_model(folder, f"{name}/1/model.onnx", SMALL)
    return folder


def wrapper(tmp_path: Path, name: str, program: Path, before: str) -> Path:
    """A program that does `before` and then becomes the server."""
    script = tmp_path / name
    script.write_text(f'#!/bin/sh\nset -e\n{before}\nexec "{program}" "$@"\n')
    script.chmod(0o755)
    return script


def may_load(server, model: str):
    return server.curl.post(f"/v2/repository/models/{model}/load", b"")


# ---- memory ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def memory_group():
    """A cgroup with LIMIT bytes (version 1 or 2); skips where there is none to be had."""
    root = Path("/sys/fs/cgroup")
    version_1 = (root / "memory" / "memory.limit_in_bytes").exists()
    group = (root / "memory" if version_1 else root) / f"protean-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"a cgroup was refused: {error}")
    try:
        try:
            (group / ("memory.limit_in_bytes" if version_1 else "memory.max")).write_text(str(LIMIT))
        except OSError as error:
            pytest.skip(f"a memory limit was refused: {error}")
        yield group
    finally:
        wait_until(lambda: not (group / "cgroup.procs").read_text(), "the group is empty")
        group.rmdir()


@pytest.fixture
def limited(memory_group, tmp_path):
    """The program inside the group. Its memory counts, so one without sanitizers is needed."""
    program = paths.plain_binary()
    if program is None:
        pytest.skip("no build without sanitizers: their memory says nothing about the server's (./dev build release)")
    return wrapper(tmp_path, "limited", program, f'echo $$ > "{memory_group}/cgroup.procs"')


def test_a_model_larger_than_the_memory_of_the_group_is_refused_by_name(limited, start_server, folder):
    # `limited` comes first, so that it goes last: the group has to be empty.
    server = start_server(folder, "--watch=false", "--cache", "none", program=limited)
    write_dense(folder, "huge/1/model.onnx", HUGE_WIDTH)
    with Load(server, "a", {("1", 1.0)}) as load:
        reply = may_load(server, "huge")
        assert reply.status != 200
        for part in ("huge", "memory", "budget", "MB"):
            assert part in reply.error(), reply.error()
        load.wait_for("1", 1.0)
    assert "budget" in server.index()[("huge", "1")]["reason"]
    assert server.memory_bytes("VmHWM") < 200 * MIB, "it was not even read"
    (folder / "huge" / "1" / "model.onnx").unlink()
    put_model(folder, "huge/1/model.onnx", SMALL)
    assert may_load(server, "huge").status == 200
    assert server.curl.infer("huge", ONE).status == 200


def test_a_start_with_a_model_larger_than_the_budget_serves_the_others(start_server, folder):
    write_dense(folder, "dense/1/model.onnx")
    server = start_server(folder, "--model-memory-max", "1MiB", "--cache", "none")
    assert server.curl.infer("a", ONE).status == 200
    row = server.index()[("dense", "1")]
    assert "budget is 1.0 MB" in row["reason"], row
    refused = server.curl.infer("dense", ONE)
    assert refused.status == 503 and "budget is 1.0 MB" in refused.error(), refused.text
    assert server.curl.infer("a", ONE).status == 200


def test_the_kernel_killing_the_process_for_memory_loses_nothing_acknowledged(start_server, folder, tmp_path):
    """What the kernel does to a process that is out of memory is SIGKILL."""
    state = tmp_path / "kept"
    server = start_server(folder, "--state", state)
    assert server.set_alias("a", "champion", 1).status == 200
    server.signal(signal.SIGKILL)
    server.wait()
    again = start_server(folder, "--state", state)
    assert again.aliases("a") == {"champion": 1}


# ---- descriptors ----------------------------------------------------------------------------------------------------


def hold_all(server) -> list:
    """Connections until the server has no descriptor left."""
    held = []
    with contextlib.suppress(OSError):
        while "cannot accept connections" not in server.log():
            held.append(connect(server))
            assert len(held) <= 2 * DESCRIPTORS + 4096
    return held


def serve_with_few(start_server, folder, tmp_path, program):
    few = wrapper(tmp_path, "few", program, f"ulimit -n {DESCRIPTORS}")
    server = start_server(folder, "--watch=false", "--io-threads", "2", "--run-threads", "2", program=few)
    assert int(server.metric("process_max_fds")) == DESCRIPTORS
    return server


def test_sixty_four_descriptors_are_enough_to_serve_and_to_load(start_server, folder, tmp_path):
    server = serve_with_few(start_server, folder, tmp_path, paths.binary())
    for name in ("a", "b", "c"):
        assert may_load(server, name).status == 200
        assert server.curl.infer(name, ONE).status == 200
        assert server.set_alias(name, "champion", 1).status == 200
    with Load(server, "a", {("1", 1.0)}) as load:
        assert server.curl.post("/v2/repository/models/c/unload", b"").status == 200
        assert may_load(server, "c").status == 200
        load.wait_for("1", 1.0)


def test_running_out_of_descriptors_passes(start_server, folder, tmp_path):
    # The check of virtual tables in UBSan opens a pipe, and takes having no descriptor for a broken object.
    program = paths.plain_binary()
    if program is None:
        pytest.skip("no build without sanitizers: theirs need descriptors themselves (./dev build release)")
    server = serve_with_few(start_server, folder, tmp_path, program)
    admin = connect_admin(server)
    kept = connect(server)
    kept.sendall(get("/v2/health/live"))
    assert read_answer(kept).status == 200
    held = hold_all(server)
    # Who is connected is served; loading needs a descriptor and says that there is none.
    for _ in range(3):
        kept.sendall(get("/v2/models/a"))
        assert read_answer(kept).status == 200
    refused = ask_admin(admin, "POST", "/admin/v1/models/a/load")
    assert refused.status != 200 and b"Too many open files" in refused.body, refused
    moved = ask_admin(admin, "PUT", "/admin/v1/models/b/aliases/champion", b'{"version":1}')
    assert moved.status == 200, moved
    kept.sendall(get("/v2/models/a/ready"))
    assert read_answer(kept).status == 200, "the version that served goes on"
    for connection in held:
        connection.close()
    wait_until(server.ready, "new connections are accepted again")
    assert may_load(server, "a").status == 200
    assert server.curl.post("/v2/repository/models/c/unload", b"").status == 200
    assert may_load(server, "c").status == 200
    assert server.curl.infer("a", ONE).status == 200
    assert server.aliases("b") == {"champion": 1}


def connect_admin(server):
    host, _, port = server.admin_url.partition("//")[2].rpartition(":")
    connection = socket.create_connection((host, int(port)), 30)
    connection.sendall(get("/admin/v1/aliases"))
    assert read_answer(connection).status == 200
    return connection


def ask_admin(connection, method: str, path: str, body: bytes = b""):
    head = f"{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return read_answer(connection)
