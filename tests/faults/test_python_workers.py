# SPDX-License-Identifier: Apache-2.0
"""Python models that die, hang, hoard, scribble and try to get out, while an ONNX model beside them is asked all the
time: that one has no failure, callers of the Python model get a clear error, and the server holds nothing more after.

FAULT_RUNS: how many times a worker is killed, once a second (default 8). FAULT_FIGURES: a file for the times from each
fault to its caller's answer; docs/backends/python.md carries those of a release build."""

import http.client
import json
import os
import re
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from harness import paths
from harness.curl import infer_path
from harness.load import Load
from harness.paths import put_model
from harness.python_models import (
    DOUBLE,
    FAULTY,
    ask,
    holdings,
    holds_no_more,
    number_of,
    outputs,
    request,
    workers,
    write_model,
)
from harness.server import Server, serving
from harness.wait import wait_until

_KILLS = int(os.environ.get("FAULT_RUNS", "8"))
_RUN_SECONDS = 5.0
_BEGINS = re.compile(r"^begins (\d+) (\d+)$")
# What each fault is answered with.
_EXPECTED = {
    "exit": (503, "its Python worker"),
    "crash": (503, "its Python worker"),
    "hang": (504, "took too long"),
    "deaf": (504, "took too long"),
    "memory": (500, "MemoryError"),
    "shared_memory": (503, "bytes of memory, allowed are"),
    "threads": (503, "threads, allowed are"),
    "scribble": (500, "cannot be right"),
    "fork": (500, "PermissionError"),
    "program": (500, "PermissionError"),
    "read_file": (500, "PermissionError"),
    "read_server": (500, "PermissionError"),
    "read_neighbour": (500, "PermissionError"),
    "write_file": (500, "PermissionError"),
    "remove_file": (500, "PermissionError"),
    "write_tmp": (500, "PermissionError"),
    "connect": (500, "PermissionError"),
    "unix_socket": (500, "PermissionError"),
    "kill_server": (500, "PermissionError"),
}
# What the log says of the worker, also where the answer left before its end was known.
_LOGGED = {"exit": "ended with status 7", "crash": "was ended by signal 11"}


def make_models(folder: Path) -> Path:
    put_model(folder, "steady/1/model.onnx", paths.TEST_MODELS / "identity_fp32.onnx")
    write_model(folder, "faulty", FAULTY)
    write_model(folder, "neighbour", DOUBLE)
    return folder


def flags(run_seconds: float) -> list[str]:
    limits = ["--python-memory-max", "256MiB", "--python-run-timeout", f"{round(run_seconds * 1000)}ms"]
    return ["--python", sys.executable, *limits]


def wait_until_answered(server: Server) -> None:
    wait_until(lambda: ask(server, "faulty").status == 200, "the faulty model answers again")


def settled(server: Server) -> dict[str, int]:
    """What the server holds once every thread that it will ever need has been needed."""
    with Load(server, "steady", {("1", 1.0)}) as load:
        load.wait_for("1", 1.0)
        wait_until_answered(server)
    # The load's connections are gone when the server has seen so.
    wait_until(lambda: server.metric("protean_connections") <= 1, "only our own connection is open")
    return holdings(server)


def figure(name: str, ms: list[float]) -> None:
    if not ms or "FAULT_FIGURES" not in os.environ:
        return
    ms = sorted(ms)
    row = {"fault": name, "count": len(ms), "median_ms": ms[len(ms) // 2]}
    row |= {"p95_ms": ms[len(ms) * 95 // 100], "longest_ms": ms[-1]}
    with open(os.environ["FAULT_FIGURES"], "a") as file:
        file.write(json.dumps({key: round(v, 2) if isinstance(v, float) else v for key, v in row.items()}) + "\n")


class Caller(threading.Thread):
    """Asks the faulty model for `sleep` seconds of work over one connection, again and again.
    answers: (when it was sent, when it was answered, status, error text)."""

    def __init__(self, server: Server, sleep: float):
        super().__init__()
        self._server = server
        self._body = json.dumps(request("sleep", sleep))
        self._ended = threading.Event()
        self.answers: list[tuple[float, float, int, str]] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection(self._server.host, self._server.port, timeout=60)
        while not self._ended.is_set():
            sent = time.monotonic()
            connection.request("POST", infer_path("faulty"), self._body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read().decode()
            error = json.loads(text)["error"] if response.status != 200 else ""
            self.answers.append((sent, time.monotonic(), response.status, error))
            if error:  # as a client does that was told to come again later
                self._ended.wait(0.05)
        connection.close()

    def served_after(self, moment: float) -> bool:
        return any(answer[1] > moment and answer[2] == 200 for answer in self.answers[-20:])

    def stop(self) -> None:
        self._ended.set()
        self.join()


def kill_worker(server: Server, folder: str) -> float:
    """`kill -9` to the worker of the model in `folder`; when."""
    for worker in workers(server):
        try:
            if os.readlink(f"/proc/{worker}/cwd").endswith(folder):
                killed = time.monotonic()
                os.kill(worker, signal.SIGKILL)
                return killed
        except (ProcessLookupError, FileNotFoundError):
            pass  # it has ended meanwhile
    return 0.0


def test_a_worker_killed_every_second_costs_only_its_own_requests(start_server, tmp_path):
    server = start_server(make_models(tmp_path / "models"), *flags(30))
    before = settled(server)
    callers = [Caller(server, 0.02) for _ in range(4)]
    kills = []
    with Load(server, "steady", {("1", 1.0)}) as load:
        for caller in callers:
            caller.start()
        begun = time.monotonic()
        for turn in range(_KILLS):
            wait_until(lambda: time.monotonic() >= begun + turn, "the next second")
            wait_until(lambda: any(c.served_after(kills[-1] if kills else 0) for c in callers), "it serves again")
            kills.append(wait_until(lambda: kill_worker(server, "faulty/1"), "there is a worker to kill"))
            load.wait_for("1", 1.0)
        for caller in callers:
            caller.stop()
        wait_until_answered(server)
    answers = [answer for caller in callers for answer in caller.answers]
    assert {answer[2] for answer in answers} <= {200, 503}
    refused = [answer for answer in answers if answer[2] == 503]
    assert all("its Python worker" in error for *_, error in refused), refused[:3]
    assert any("its Python worker was ended by signal 9 (Killed)" in error for *_, error in refused), refused[:3]
    under_way = [[a for a in refused if a[0] <= kill <= a[1]] for kill in kills]
    assert sum(map(bool, under_way)) >= len(kills) / 2, "most kills hit a request in its middle"
    figure("kill -9", [(a[1] - kill) * 1000 for kill, hit in zip(kills, under_way) for a in hit])
    wait_until(lambda: holds_no_more(server, before), f"nothing more is held than {before}")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faulty")
    with serving(folder, make_models(folder / "models"), *flags(_RUN_SECONDS)) as server:
        yield server


def began(server: Server, after: float) -> float | None:
    """When the model says that the latest fault after that moment began."""
    found = [_BEGINS.match(line["line"]) for line in server.log_lines("Python model")]
    times = [int(match[2]) / 1e9 for match in found if match]
    return max((moment for moment in times if moment > after), default=None)


def ask_at_once(server: Server, fault: str) -> tuple[int, str, float]:
    """Status, text and moment of the answer. No process is started in between, so that the moment means something."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    body = json.dumps(request(fault))
    connection.request("POST", infer_path("faulty"), body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    text = response.read().decode()
    moment = time.monotonic()
    connection.close()
    return response.status, text, moment


@pytest.mark.parametrize("fault", _EXPECTED)
def test_a_fault_costs_its_own_request_only(server, fault):
    before = settled(server)
    sent = time.monotonic()
    with Load(server, "steady", {("1", 1.0)}) as load:
        status, text, answered = ask_at_once(server, fault)
        load.wait_for("1", 1.0)
        wait_until_answered(server)
    wanted, says = _EXPECTED[fault]
    assert (status, says in text) == (wanted, True), (status, text)
    ends = [line["reason"] for line in server.log_lines("Python worker ended")]
    assert fault not in _LOGGED or any(_LOGGED[fault] in end for end in ends), ends
    begin = wait_until(lambda: began(server, sent), "the model said when it began")
    late = _RUN_SECONDS if wanted == 504 else 0
    figure(fault, [(answered - begin - late) * 1000])
    wait_until(lambda: holds_no_more(server, before), f"nothing more is held than {before}: {holdings(server)}")


def test_nothing_came_out_of_the_fence(server):
    folder = server.card_path.parent / "models" / "faulty" / "1"
    assert [path.name for path in folder.iterdir()] == ["model.py"]
    assert not Path("/tmp/stolen").exists()


def test_a_gigabyte_of_output_is_cut_to_what_a_log_can_take(start_server, tmp_path):
    server = start_server(make_models(tmp_path / "models"), *flags(100))
    before = settled(server)
    with Load(server, "steady", {("1", 1.0)}):
        assert outputs(ask(server, "faulty", "output")) == [2.0 * number_of("output"), 2]
    assert server.log_path.stat().st_size < 8 << 20
    wait_until(lambda: "bytes of output were left out" in server.log(), "the log says that something is missing")
    before["descriptors"] += 1  # /dev/null, where output goes that nobody reads
    wait_until(lambda: holds_no_more(server, before), f"nothing more is held than {before}")
