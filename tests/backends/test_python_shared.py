# SPDX-License-Identifier: Apache-2.0
"""Python models that share a worker process (`shared = true` of an environment), behind the real server: one process
for all of them, and what one does to the others."""

import json
import os
import shutil
import signal
import sys
import threading

import pytest

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
from harness.server import run_protean
from harness.wait import wait_until

CHOOSES = '[python]\nenvironment = "pool"\n'
# Its answer is the process, and a number that says which folder its own module came from.
TELLS = """
    def load(self, folder):
        import {module}
        self._number = {module}.NUMBER

    def predict(self, inputs):
        import {module}
        print("asked in", os.getpid(), "by", request_id())
        return np.array([[{module}.NUMBER, self._number]], "f4")
"""
# What it awaits, or does step by step, until it is stopped.
WAITS = """
    async def predict(self, inputs):
        import asyncio
        print("begins", 0)
        try:
            if inputs["x"][0, 1] == 1: await asyncio.sleep(3600)
            while inputs["x"][0, 1] == 2: time.sleep(0.001)
        finally:
            print("ends")
        return inputs["x"]
"""
PARTS = """
    def predict(self, inputs):
        for part in range(max(1, int(inputs["x"][0, 1]))):
            yield inputs["x"] + part
"""


def write_shared(folder, name, body, version=1, more=""):
    return write_model(folder, name, body, version, CHOOSES + more)


@pytest.fixture
def serve(start_server, tmp_path):
    def start_one(folder, run_timeout="2s", environment="", flags=()):
        config = tmp_path / "protean.toml"
        config.write_text(
            f'[python_environments.pool]\nshared = true\npython = "{sys.executable}"\nmemory_max = "512MiB"\n'
            f'run_timeout = "{run_timeout}"\n{environment}'
        )
        return start_server(folder, "--config", config, *flags)

    return start_one


@pytest.fixture
def models(tmp_path):
    folder = tmp_path / "models"
    write_shared(folder, "steady", DOUBLE)
    write_shared(folder, "faulty", FAULTY)
    return folder


def wait_until_answered(server, model):
    wait_until(lambda: ask(server, model).status == 200, f"{model} answers again")


def ask_beside(server, model, *arguments):
    """Asks on a thread of its own; what it hears is the list's only element once it is joined."""
    replies = []
    client = threading.Thread(target=lambda: replies.append(ask(server, model, *arguments)))
    client.start()
    return client, replies


def lines(server, text):
    return [line for line in server.log_lines("Python model") if text in line["line"]]


def test_models_of_an_environment_live_in_one_process(serve, models):
    write_model(models, "alone", DOUBLE)
    server = serve(models, flags=["--python", sys.executable])
    assert [outputs(ask(server, name)) for name in ("steady", "faulty", "alone")] == [[0, 2]] * 3
    assert len(workers(server)) == 2, "one is shared, one is of the model that chose nothing"
    notes = server.admin.get("/admin/v1/models/steady").json()["versions"][0]["notes"]
    assert "shares the worker process of environment 'pool' with every model that chooses it" in notes


def test_each_has_the_modules_of_its_own_folder(serve, tmp_path):
    folder = tmp_path / "models"
    for name, version, number in [("one", 1, 11), ("two", 1, 21), ("two", 2, 22)]:
        place = write_shared(folder, name, TELLS.format(module="helper"), version)
        (place / "helper.py").write_text(f"from helper_parts import NUMBER\nassert NUMBER == {number}\n")
        (place / "helper_parts.py").write_text(f"NUMBER = {number}\n")
    server = serve(folder)
    assert outputs(ask(server, "one")) == [11, 11]
    for version in (1, 2):
        reply = server.curl.infer("two", request(), version=str(version))
        assert outputs(reply) == [20 + version, 20 + version]
    assert len(workers(server)) == 1


def test_log_lines_name_the_model_and_the_request(serve, tmp_path):
    folder = tmp_path / "models"
    for name in ("one", "two"):
        place = write_shared(folder, name, TELLS.format(module="helper"))
        (place / "helper.py").write_text("NUMBER = 1\n")
    server = serve(folder)
    clients = [
        threading.Thread(target=lambda name=name: [ask(server, name, "", 1, f"{name}-{i}") for i in range(10)])
        for name in ("one", "two")
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    process = workers(server)[0]

    def asked():
        found = [line for line in lines(server, "asked in") if "request_id" in line]  # warming up has none
        return found if len(found) == 20 else None

    for line in wait_until(asked, "twenty lines"):
        assert line["line"] == f"asked in {process} by {line['request_id']}"
        assert line["request_id"].startswith(line["model"] + "-")


def test_one_leaves_and_one_joins_while_another_is_under_load(serve, models):
    server = serve(models)
    before = workers(server)
    stop, failures, answered = threading.Event(), [], []

    def load():
        while not stop.is_set():
            reply = ask(server, "steady")
            (answered if reply.status == 200 else failures).append(reply)

    client = threading.Thread(target=load)
    client.start()
    dropped = "    def __del__(self): print('dropped')\n"
    for turn in range(3):
        write_shared(models, "passing", dropped + DOUBLE)
        server.wait_for_state("passing", "1", "READY")
        assert outputs(ask(server, "passing")) == [0, 2]
        shutil.rmtree(models / "passing")
        wait_until(lambda: len(lines(server, "dropped")) == turn + 1, "the model is dropped")
    stop.set()
    client.join()
    assert (failures, len(answered) > 0) == ([], True)
    assert workers(server) == before


@pytest.mark.parametrize("fault, reason", [("exit", "ended with status 7"), ("crash", "signal 11"), ("kill", "signal 9")])
def test_a_crash_is_told_to_everybody_and_all_come_back(serve, models, fault, reason):
    write_shared(models, "waiting", FAULTY)
    server = serve(models, run_timeout="60s")
    client, replies = ask_beside(server, "waiting", "hang")
    wait_until(lambda: lines(server, "begins"), "the run begins")
    before = workers(server)
    if fault == "kill":
        os.kill(before[0], signal.SIGKILL)
    else:
        replies.append(ask(server, "faulty", fault))
    client.join()
    for reply in replies:
        assert reply.status == 503, reply.text
        assert "its shared Python worker " in reply.error() and reason in reply.error(), reply.text
    for name in ("steady", "faulty", "waiting"):
        wait_until_answered(server, name)
    assert len(workers(server)) == 1 and workers(server) != before


def test_a_run_that_does_not_stop_costs_all_their_worker_and_they_hear_why(serve, models):
    write_shared(models, "waiting", FAULTY)
    (models / "waiting" / "protean.toml").write_text(CHOOSES + 'run_timeout = "50s"\n')
    (models / "faulty" / "protean.toml").write_text(CHOOSES + 'run_timeout = "500ms"\n')
    server = serve(models, run_timeout="60s")
    client, replies = ask_beside(server, "waiting", "hang")
    wait_until(lambda: lines(server, "begins"), "the run begins")
    reply = ask(server, "faulty", "hang")
    client.join()
    assert (reply.status, "its shared Python worker was ended after 500 ms" in reply.error()) == (504, True), reply.text
    cause = "its shared Python worker was ended because a run of model 'faulty', version 1, took too long"
    assert (replies[0].status, cause in replies[0].error()) == (503, True), replies[0].text
    for name in ("steady", "faulty", "waiting"):
        wait_until_answered(server, name)


@pytest.mark.parametrize("how", [1, 2], ids=["awaits", "steps"])
def test_a_run_past_its_time_is_stopped_and_no_other(serve, models, how):
    write_shared(models, "waits", WAITS)
    (models / "waits" / "protean.toml").write_text(CHOOSES + 'run_timeout = "500ms"\n')
    server = serve(models, run_timeout="60s")
    before = workers(server)
    client, replies = ask_beside(server, "faulty", "sleep", 1.5)
    reply = ask(server, "waits", "", how, "late")
    client.join()
    assert (reply.status, "its run was stopped after 500 ms" in reply.error()) == (504, True), reply.text
    assert outputs(replies[0]) == [2 * number_of("sleep"), 3], "the other run goes on to its end"
    assert [line["request_id"] for line in lines(server, "ends") if "request_id" in line] == ["late"]
    assert outputs(ask(server, "waits", "", 0)) == [0, 0]
    assert workers(server) == before


def test_a_run_whose_client_has_left_is_stopped(serve, models):
    write_shared(models, "waits", WAITS)
    server = serve(models, run_timeout="100s")
    before = workers(server)
    left = server.curl.infer("waits", request("", 1), "--max-time", "0.5")
    assert (left.status, left.exit_code) == (0, 28)
    assert outputs(ask(server, "waits", "", 0)) == [0, 0], "it is free again"
    assert workers(server) == before


def test_answers_in_parts(serve, models):
    write_shared(models, "parts", PARTS)
    server = serve(models)
    reply = server.curl.post_json("/v2/models/parts/infer_stream", request("", 3))
    parts = [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: ")]
    assert [part["outputs"][0]["data"] for part in parts] == [[0, 3], [1, 4], [2, 5]], reply.text
    assert outputs(ask(server, "steady")) == [0, 2]


def test_what_cannot_be_loaded_leaves_the_others_alone(serve, models):
    write_shared(models, "broken", "    def load(self, folder): raise ValueError('no weights here')\n")
    write_shared(models, "greedy", DOUBLE, more='memory_max = "256MiB"\n')
    outside = models.parent / "outside"
    write_shared(outside, "linked", DOUBLE)
    (models / "linked").symlink_to(outside / "linked")
    server = serve(models)
    for name, reason in [
        ("broken", "ValueError: no weights here (model.py, line 10, in load)"),
        ("greedy", "[python] memory_max is of the process, and models share that of environment 'pool'"),
        ("linked", "is not among what the shared environment 'pool' may read"),
    ]:
        assert reason in server.wait_for_state(name, "1", "UNAVAILABLE")["reason"]
    assert outputs(ask(server, "steady")) == [0, 2]
    assert len(workers(server)) == 1


def test_a_load_that_does_not_end_is_told_to_everybody(serve, models):
    server = serve(models, run_timeout="60s")
    client, replies = ask_beside(server, "faulty", "hang")
    wait_until(lambda: lines(server, "begins"), "the run begins")
    write_shared(models, "slow", "    def load(self, folder): time.sleep(3600)\n", more='load_timeout = "500ms"\n')
    client.join()
    cause = "its shared Python worker was ended because loading model 'slow', version 1, took too long"
    assert (replies[0].status, cause in replies[0].error()) == (503, True), replies[0].text
    shutil.rmtree(models / "slow")
    wait_until_answered(server, "faulty")


def test_what_a_model_raises_ends_nothing(serve, models):
    body = "    def predict(self, inputs):\n        if inputs['x'][0, 1] == 5: raise BrokenPipeError('of its own')\n"
    write_shared(models, "raises", body + "        return inputs['x']\n")
    server = serve(models)
    before = workers(server)
    reply = ask(server, "raises", "", 5)
    assert (reply.status, "BrokenPipeError: of its own" in reply.error()) == (500, True), reply.text
    assert outputs(ask(server, "raises", "", 6)) == [0, 6]
    assert workers(server) == before


def test_many_ends_leave_nothing_behind(serve, models):
    server = serve(models)
    for name in ("steady", "faulty"):
        wait_until_answered(server, name)
    before = holdings(server)
    for _ in range(5):
        os.kill(workers(server)[0], signal.SIGKILL)
        for name in ("steady", "faulty"):
            wait_until_answered(server, name)
    wait_until(lambda: holds_no_more(server, before), f"what the server held: {before}")


def test_nothing_is_left_when_nobody_uses_it(serve, models):
    server = serve(models)
    for name in ("steady", "faulty"):
        shutil.rmtree(models / name)
    wait_until(lambda: not workers(server), "the process ends with its last model")
    write_shared(models, "steady", DOUBLE)
    server.wait_for_state("steady", "1", "READY")
    assert outputs(ask(server, "steady")) == [0, 2]


def test_more_than_one_worker_is_refused(models, tmp_path):
    config = tmp_path / "protean.toml"
    config.write_text("[python_environments.pool]\nshared = true\nworkers = 2\n")
    done = run_protean("serve", models, "--config", config)
    assert done.returncode != 0
    assert "python_environments.pool: workers = 2, expected 1 where shared = true" in done.stderr
