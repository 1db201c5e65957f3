# SPDX-License-Identifier: Apache-2.0
"""Aliases: moved live, all at once, durable, and never a failed request.

Two models with the same signature tell the versions apart: identity_fp32 answers x, optional_input answers x + 10.
"""

import json
import signal

import pytest

from harness import paths
from harness.load import Load
from harness.paths import put_model
from harness.server import run_protean

SAME = paths.TEST_MODELS / "identity_fp32.onnx"
PLUS_TEN = paths.TEST_MODELS / "optional_input.onnx"
ONE = {"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}]}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "models"
    for name in ("a", "b"):
        put_model(folder, f"{name}/1/model.onnx", SAME)
        put_model(folder, f"{name}/2/model.onnx", PLUS_TEN)
    return folder


def answer(server, model, version=""):
    return server.curl.infer(model, ONE, version=version).json()["outputs"][0]["data"][0]


def change(server, *changes):
    rows = [{"model": model, "alias": alias, "version": version} for model, alias, version in changes]
    return server.admin.send("/admin/v1/aliases", json.dumps({"changes": rows}).encode(), "-X", "PUT")


def test_an_alias_stands_where_a_version_does(start_server, folder):
    server = start_server(folder)
    assert server.set_alias("a", "champion", 1).status == 200
    assert answer(server, "a", "champion") == 1
    assert server.set_alias("a", "champion", 2).status == 200
    assert answer(server, "a", "champion") == 11
    assert server.curl.get("/v2/models/a/versions/champion").json()["name"] == "a"
    assert server.curl.infer("a", ONE, version="challenger").status == 404


def test_the_default_version_is_an_alias_and_previous_follows_it(start_server, folder):
    server = start_server(folder)
    assert answer(server, "a") == 11
    assert server.set_alias("a", "default", 1).status == 200
    assert answer(server, "a") == 1
    assert server.aliases("a") == {"default": 1, "previous": 2}
    assert server.set_alias("a", "default", 2).status == 200
    assert server.aliases("a") == {"default": 2, "previous": 1}


def test_a_change_of_several_models_happens_whole_or_not_at_all(start_server, folder):
    server = start_server(folder)
    assert change(server, ("a", "champion", 1), ("b", "champion", 1)).status == 200
    refused = change(server, ("a", "champion", 2), ("b", "champion", 7))
    assert refused.status in (404, 409), refused.text
    assert "7" in refused.error() and "b" in refused.error()
    assert answer(server, "a", "champion") == 1 and answer(server, "b", "champion") == 1


def test_moves_under_load_lose_nothing(start_server, folder):
    server = start_server(folder)
    with Load(server, "a", {("1", 1.0), ("2", 11.0)}) as load:
        for round_number in range(50):
            version = 1 + round_number % 2
            assert server.set_alias("a", "default", version).status == 200
        load.wait_for("2", 11.0)


def test_what_was_acknowledged_survives_a_kill(start_server, folder, tmp_path):
    state = tmp_path / "kept"
    for version in (1, 2, 1):
        server = start_server(folder, "--state", state)
        assert server.set_alias("a", "champion", version).status == 200
        assert server.admin.post("/admin/v1/models/b/unload", b"").status == 200
        server.signal(signal.SIGKILL)
        server.wait()
        again = start_server(folder, "--state", state)
        assert again.aliases("a")["champion"] == version
        assert again.curl.infer("b", ONE).status != 200, "b was taken out of service"
        assert again.admin.post("/admin/v1/models/b/load", b"").status == 200
        assert answer(again, "b") == 11
        again.stop()


def test_the_history_says_who_did_what(start_server, folder):
    server = start_server(folder)
    body = json.dumps({"version": 1}).encode()
    path = "/admin/v1/models/a/aliases/champion"
    assert server.admin.send(path, body, "-X", "PUT", "-H", "x-protean-actor: ann").status == 200
    assert server.admin.post("/admin/v1/models/a/unload", b"").status == 200
    rows = server.admin.get("/admin/v1/history?model=a&count=10").json()["history"]
    unload = next(row for row in rows if row["action"] == "unload_model")
    move = next(row for row in rows if row["action"] == "set_alias")
    assert unload["id"] > move["id"] and unload["outcome"] == move["outcome"] == "ok"
    assert move["actor"].startswith("ann (127.0.0.1:") and "champion" in move["detail"]


def test_a_second_server_on_the_same_default_state_warns_and_serves(start_server, folder):
    server_folder = folder / ".protean"
    first = start_server(folder, "--state", server_folder)
    assert first.set_alias("a", "champion", 1).status == 200
    refused = run_protean("serve", folder, "--listen", "127.0.0.1:0", "--state", server_folder)
    assert refused.returncode == 1 and "another process holds" in refused.stderr
    second = start_server(folder, "--cache", "none", "--listen", "127.0.0.1:0", own_state=False)
    assert answer(second, "a") == 11
    assert "another process holds" in second.log()


def test_the_admin_routes_are_nowhere_but_on_their_listener(start_server, folder):
    server = start_server(folder)
    assert server.curl.get("/admin/v1/models").status == 404
    assert server.admin.get("/v2/models/a").status == 404
    assert server.admin.get("/metrics").status == 200
