# SPDX-License-Identifier: Apache-2.0
"""Python models behind the real server: what they answer, and what becomes of those that misbehave while another model
is served beside them. PROTEAN_TEST_FAULT_SECONDS: how long workers are killed (default 5)."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from harness import paths
from harness.wait import wait_until

_FAULT_SECONDS = float(os.environ.get("PROTEAN_TEST_FAULT_SECONDS", "5"))
_HEAD = """
import ctypes, os, socket, sys, threading, time
import numpy as np
from protean_worker import Explanation, Input, InvalidInput, Model, Output, request_id


class Tested(Model):
    inputs = [Input("x", "FP32", [-1, 2])]
    outputs = [Output("y", "FP32", [-1, 2])]
"""
_DOUBLE = """
    def predict(self, inputs):
        return inputs["x"] * 2
"""
# What x[0, 0] asks for.
_FAULTS = """
    def predict(self, inputs):
        fault = int(inputs["x"][0, 0])
        if fault == 1: os._exit(7)
        if fault == 2:
            print("this will take long")
            time.sleep(3600)
        if fault == 3: self.hoard = [np.ones(1 << 26, "u1") for _ in range(1 << 10)]
        if fault == 4:
            for _ in range(1000): os.fork()
        if fault == 5: ctypes.string_at(0)
        if fault == 6:
            line = b"x" * 1000 + b"\\n"
            for _ in range(1 << 10): os.write(1, line * 1000)
        if fault == 7: self.scribble()
        if fault == 8: open("/etc/passwd")
        if fault == 9: socket.create_connection(("127.0.0.1", 9))
        if fault == 10: open("../stolen", "w")
        if fault == 11:
            print("printed by", request_id())
        return inputs["x"] * 2

    def scribble(self):
        frame = sys._getframe()
        while "channel" not in frame.f_locals: frame = frame.f_back
        channel = frame.f_locals["channel"]
        channel._control[1 << 20:] = os.urandom(1 << 20)
        channel._answers[:] = os.urandom(len(channel._answers))
        os.write(channel._reply, b"?")
        time.sleep(3600)
"""


def write_model(folder: Path, name: str, body: str, version: int = 1) -> Path:
    place = folder / name / str(version)
    place.mkdir(parents=True)
    (place / "model.py").write_text(_HEAD + body)
    return place


@pytest.fixture
def models(tmp_path):
    folder = tmp_path / "models"
    write_model(folder, "steady", _DOUBLE)
    write_model(folder, "faulty", _FAULTS)
    return folder


@pytest.fixture
def serve(start_server):
    def start_one(folder, run_timeout="2s"):
        limits = ("--python-memory-max", "512MiB", "--python-run-timeout", run_timeout)
        return start_server(folder, "--python", sys.executable, *limits)

    return start_one


def ask(server, model: str, first: float, request_id: str = ""):
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [first, 1]}
    return server.curl.infer(model, {"inputs": [tensor]} | ({"id": request_id} if request_id else {}))


def outputs(reply) -> list[float]:
    assert reply.status == 200, reply.text
    return reply.json()["outputs"][0]["data"]


def workers(server) -> list[int]:
    found = []
    for task in Path(f"/proc/{server.pid}/task").iterdir():
        try:
            found += map(int, (task / "children").read_text().split())
        except OSError:
            pass  # the thread has ended meanwhile
    return found


def wait_until_answered(server, model: str) -> None:
    wait_until(lambda: ask(server, model, 0).status == 200, f"{model} answers again")


class SteadyClient(threading.Thread):
    """Asks the model beside the faulty one all the time, and remembers whatever was not right."""

    def __init__(self, server):
        super().__init__()
        self._server = server
        self._ended = threading.Event()
        self.count = 0
        self.wrong: list[str] = []

    def run(self) -> None:
        while not self._ended.is_set():
            reply = ask(self._server, "steady", 3)
            self.count += 1
            if reply.status != 200 or outputs(reply) != [6, 2]:
                self.wrong.append(reply.text)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()
        assert self.count > 0 and not self.wrong, self.wrong[:3]


def test_answers_with_the_signature_of_its_class(serve, models):
    server = serve(models)
    assert outputs(ask(server, "steady", 3)) == [6, 2]
    metadata = server.curl.get("/v2/models/steady").json()
    assert metadata["platform"] == "python"
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}]


@pytest.mark.parametrize(
    "fault, status, says",
    [
        (1, 503, "ended with status 7"),
        (2, 504, "took too long"),
        (3, 429, "MemoryError"),
        (4, 500, "PermissionError"),
        (5, 503, "signal 11"),
        (7, 500, "cannot be right"),
        (8, 500, "PermissionError"),
        (9, 500, "PermissionError"),
        (10, 500, "PermissionError"),
    ],
)
def test_a_fault_costs_its_own_request_only(serve, models, fault, status, says):
    server = serve(models)
    with SteadyClient(server):
        reply = ask(server, "faulty", fault)
        assert (reply.status, says in reply.error()) == (status, True), (reply.status, reply.text)
        wait_until_answered(server, "faulty")
    assert not (models / "faulty" / "stolen").exists()


def test_the_one_who_waits_hears_of_a_killed_worker_at_once(serve, models):
    server = serve(models, run_timeout="60s")
    replies = []
    client = threading.Thread(target=lambda: replies.append(ask(server, "faulty", 2)))
    client.start()
    wait_until(lambda: "this will take long" in server.log(), "the run begins")
    for worker in workers(server):
        os.kill(worker, signal.SIGKILL)
    client.join()
    assert (replies[0].status, "signal 9" in replies[0].error()) == (503, True), replies[0].text
    wait_until_answered(server, "faulty")


def test_survives_workers_that_are_killed_all_the_time(serve, models):
    server = serve(models)
    wait_until_answered(server, "faulty")
    descriptors = len(os.listdir(f"/proc/{server.pid}/fd"))
    threads = len(os.listdir(f"/proc/{server.pid}/task"))
    until = time.monotonic() + _FAULT_SECONDS
    statuses = set()
    while time.monotonic() < until:
        for worker in workers(server):
            try:
                os.kill(worker, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for model in ("steady", "faulty"):
            statuses.add(ask(server, model, 0).status)
            wait_until_answered(server, model)
    assert statuses <= {200, 503}
    wait_until(lambda: len(workers(server)) == 2, "one worker a model")
    wait_until(lambda: len(os.listdir(f"/proc/{server.pid}/fd")) <= descriptors + 2, "no descriptor is left open")
    assert len(os.listdir(f"/proc/{server.pid}/task")) <= threads + 2


def test_a_gigabyte_of_output_is_cut_to_what_a_log_can_take(serve, models):
    server = serve(models, run_timeout="100s")
    with SteadyClient(server):
        assert outputs(ask(server, "faulty", 6)) == [12, 2]
    assert server.log_path.stat().st_size < 8 << 20
    wait_until(lambda: "bytes of output were left out" in server.log(), "the log says that something is missing")


def test_log_lines_name_the_request(serve, models):
    server = serve(models)
    ask(server, "faulty", 11, request_id="order-17")

    def found():
        return [line for line in server.log_lines("Python model") if line["line"] == "printed by order-17"]

    line = wait_until(found, "the printed line")[0]
    assert (line["model"], line["request_id"], line["level"]) == ("faulty", "order-17", "info")


def test_a_model_that_cannot_be_loaded_says_why(serve, models):
    write_model(models, "broken", "    def load(self, folder): raise ValueError('no weights here')\n")
    server = serve(models)
    row = server.wait_for_state("broken", "1", "UNAVAILABLE")
    assert "ValueError: no weights here (model.py, line 10, in load)" in row["reason"]


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
