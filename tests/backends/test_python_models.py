# SPDX-License-Identifier: Apache-2.0
"""Python models behind the real server. tests/faults/test_python_workers.py has those that misbehave."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy
import pytest

from harness import paths
from harness.python_models import DOUBLE, FAULTY, ask, outputs, request, workers, write_model
from harness.wait import wait_until


@pytest.fixture
def models(tmp_path):
    folder = tmp_path / "models"
    write_model(folder, "steady", DOUBLE)
    write_model(folder, "faulty", FAULTY)
    return folder


@pytest.fixture
def serve(start_server):
    def start_one(folder, *flags, run_timeout="2s"):
        limits = ("--python-memory-max", "512MiB", "--python-run-timeout", run_timeout)
        return start_server(folder, "--python", sys.executable, *limits, *flags)

    return start_one


def wait_until_answered(server, model: str) -> None:
    wait_until(lambda: ask(server, model).status == 200, f"{model} answers again")


def test_answers_with_the_signature_of_its_class(serve, models):
    server = serve(models)
    assert outputs(ask(server, "steady", "hang")) == [6, 2]
    metadata = server.curl.get("/v2/models/steady").json()
    assert metadata["platform"] == "python"
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}]


def test_the_one_who_waits_hears_of_a_killed_worker_at_once(serve, models):
    server = serve(models, run_timeout="60s")
    replies = []
    client = threading.Thread(target=lambda: replies.append(ask(server, "faulty", "hang")))
    client.start()
    wait_until(lambda: "begins " in server.log(), "the run begins")
    for worker in workers(server):
        os.kill(worker, signal.SIGKILL)
    client.join()
    assert (replies[0].status, "signal 9" in replies[0].error()) == (503, True), replies[0].text
    wait_until_answered(server, "faulty")


def test_a_run_whose_client_has_left_is_stopped_and_its_worker_serves_on(serve, models):
    server = serve(models, run_timeout="100s")
    before = workers(server)
    left = server.curl.infer("faulty", request("hang"), "--max-time", "0.5")
    assert (left.status, left.exit_code) == (0, 28)
    assert outputs(ask(server, "faulty")) == [0, 2], "the only worker is free again"
    assert workers(server) == before
    assert [line["code"] for line in server.log_lines("request") if line["status"] == 499] == ["CANCELLED"]


def test_a_run_past_its_time_is_stopped_and_its_worker_serves_on(serve, models):
    server = serve(models, run_timeout="500ms")
    before = workers(server)
    reply = ask(server, "faulty", "hang")
    assert (reply.status, "its run was stopped after 500 ms" in reply.error()) == (504, True), reply.text
    assert outputs(ask(server, "faulty")) == [0, 2]
    assert workers(server) == before


def test_log_lines_name_the_request(serve, models):
    server = serve(models)
    ask(server, "faulty", "print", request_id="order-17")

    def found():
        return [line for line in server.log_lines("Python model") if line["line"] == "printed by order-17"]

    line = wait_until(found, "the printed line")[0]
    assert (line["model"], line["request_id"], line["level"]) == ("faulty", "order-17", "info")


def test_a_model_that_cannot_be_loaded_says_why(serve, models):
    write_model(models, "broken", "    def load(self, folder): raise ValueError('no weights here')\n")
    server = serve(models)
    row = server.wait_for_state("broken", "1", "UNAVAILABLE")
    assert "ValueError: no weights here (model.py, line 10, in load)" in row["reason"]


def make_environment(folder: Path) -> Path:
    """A virtual environment of its own, with the libraries of this one."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=100)
    packages = next(folder.glob("lib/python3*/site-packages"))
    (packages / "tests.pth").write_text(str(Path(numpy.__file__).parents[1]) + "\n")
    return folder


def test_a_model_chooses_its_environment_and_opens_nothing(serve, models, tmp_path):
    other, scratch, config = tmp_path / "other", tmp_path / "scratch", tmp_path / "protean.toml"
    make_environment(other)
    scratch.mkdir()
    config.write_text(f'[python_environments.other]\npython = "{other}"\nscratch = "scratch"\nrun_timeout = "9s"\n')
    body = "    def predict(self, inputs):\n        print(sys.prefix, os.environ.get('TMPDIR'))\n        return inputs['x']\n"
    for name, environment in [("chosen", "other"), ("plain", ""), ("lost", "nowhere")]:
        write_model(models, name, body, config=f'[python]\nenvironment = "{environment}"\nmemory_max = "256MiB"\n')
    write_model(models, "greedy", body, config='[python]\nenvironment = "other"\nrun_timeout = "10s"\n')
    write_model(models, "sly", body, config='[python]\nnetwork = true\n')
    server = serve(models, "--config", config)
    for name, prints in [("chosen", f"{other} {scratch}"), ("plain", f"{sys.prefix} None")]:
        assert ask(server, name).status == 200
        wait_until(lambda: prints in [line["line"] for line in server.log_lines("Python model")], f"{name}: {prints}")
    versions = server.admin.get("/admin/v1/models/chosen").json()["versions"]
    assert f"environment 'other': {other}/bin/python3" in versions[0]["notes"], versions
    for name, reason in [
        ("lost", "environment = \"nowhere\" is not defined; known are 'other'"),
        ("greedy", "run_timeout is above what environment 'other' allows"),
        ("sly", "unknown key 'network'"),
    ]:
        assert reason in server.wait_for_state(name, "1", "UNAVAILABLE")["reason"]


def test_workers_end_with_the_server(serve, models):
    server = serve(models)
    left = workers(server)
    assert len(left) == 2
    server.signal(signal.SIGKILL)
    server.wait()
    wait_until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in left), "workers are gone")


def test_the_example_runs(serve):
    server = serve(paths.ROOT / "examples" / "python_models")
    tensor = {"name": "measurements", "datatype": "FP32", "shape": [2, 4], "data": [5.1, 3.5, 1.4, 0.2, 6.3, 2.9, 5.6, 1.8]}
    reply = server.curl.infer("iris_rules", {"inputs": [tensor]}).json()
    assert reply["outputs"][0]["data"] == ["setosa", "virginica"]
