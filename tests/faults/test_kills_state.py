# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments while aliases and models change: what was acknowledged is there after the next start, and
a change of several models is there whole or not at all.

Each client owns its models and goes round three versions, so that a change that got lost leaves a version that neither
the last acknowledgement nor the change under way explains.
"""

import contextlib
import http.client
import itertools
import json
import sqlite3
import threading
from dataclasses import dataclass, field

import pytest

from harness import paths
from harness.paths import put_model
from harness.server import Server
from harness.surroundings import fault_runs, kill_after, seeded_random
from harness.wait import wait_until

SAME = paths.TEST_MODELS / "identity_fp32.onnx"
ONE = {"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}]}
VERSIONS = 3
MOMENT_MAX_SECONDS = 0.25


@dataclass
class Client:
    """Sends changes one after another until the server is gone. `sent` and `acknowledged` count this run's."""

    sent: int = 0
    acknowledged: int = 0
    step: int = 0
    refusals: list[str] = field(default_factory=list)

    def run(self, server: Server) -> None:
        self.sent = self.acknowledged = 0
        with contextlib.suppress(OSError, http.client.HTTPException):
            connections = [self._connect(server.authority), self._connect(server.admin_url.partition("//")[2])]
            while True:
                is_admin, method, path, body = self.request(self.step + 1)
                self.sent += 1
                connection = connections[is_admin]
                connection.request(method, path, json.dumps(body))
                reply = connection.getresponse()
                text = reply.read()
                if reply.status != 200:
                    self.refusals.append(f"{method} {path}: {reply.status} {text.decode()}")
                    return
                self.acknowledged += 1
                self.step += 1

    @staticmethod
    def _connect(authority: str) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(authority, timeout=30)

    def request(self, step: int) -> tuple[bool, str, str, dict]:
        """Whether it goes to the admin listener, method, path, body of the change that leads to `step`."""
        raise NotImplementedError

    def check(self, server: Server) -> None:
        """Compares with what the server found, and goes on from there."""
        raise NotImplementedError


@dataclass
class Mover(Client):
    """Moves one alias of two models at once; every fifth change removes it from both."""

    name: str = ""
    alias: str = ""

    def wanted(self, step: int) -> int | None:
        return None if step % 5 == 0 and self.alias != "default" else 1 + step % VERSIONS

    def request(self, step):
        rows = [{"model": self.name + side, "alias": self.alias, "version": self.wanted(step)} for side in "xy"]
        return True, "PUT", "/admin/v1/aliases", {"changes": rows}

    def check(self, server):
        found = [server.aliases(self.name + side) for side in "xy"]
        values = [aliases.get(self.alias) for aliases in found]
        assert values[0] == values[1], f"half a change: {self.name}: {found}"
        possible = {self.wanted(step): step for step in range(self.step, self.step + self.sent - self.acknowledged + 1)}
        if self.step > 0:
            assert values[0] in possible, f"{self.name}: {values[0]}, expected one of {possible}"
            self.step = possible[values[0]]
        if self.alias == "default" and self.step > 1:
            assert found[0]["previous"] == found[1]["previous"] == self.wanted(self.step - 1)


@dataclass
class Switch(Client):
    """Takes a model out of service and back, by the protocol's repository calls."""

    name: str = "h"
    counted: int = 0

    def request(self, step):
        return False, "POST", f"/v2/repository/models/{self.name}/{('load', 'unload')[step % 2]}", {}

    def check(self, server):
        rows = server.admin.get(f"/admin/v1/history?model={self.name}&count=1000").json()["history"]
        changes = [row for row in rows if row["detail"] == "by request"]
        fresh = [row for row in changes if row["id"] > self.counted]
        assert self.acknowledged <= len(fresh) <= self.sent, (self.acknowledged, len(fresh), self.sent)
        self.step += len(fresh) - self.acknowledged
        self.counted = changes[0]["id"] if changes else 0
        state = server.index()[(self.name, "1")]["state"]
        assert state == ("UNAVAILABLE" if self.step % 2 else "READY"), (state, self.step)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "models"
    for name, version in itertools.product(("ax", "ay", "bx", "by"), range(1, VERSIONS + 1)):
        put_model(folder, f"{name}/{version}/model.onnx", SAME)
    put_model(folder, "h/1/model.onnx", SAME)
    return folder


def start_again(start_server, folder, state, clients) -> Server:
    server = start_server(folder, "--state", state, "--watch=false")
    for client in clients:
        client.check(server)
    default = server.aliases("bx").get("default", VERSIONS)
    assert server.curl.infer("bx", ONE).json()["model_version"] == str(default)
    return server


def test_what_was_acknowledged_survives_a_kill_at_any_moment(start_server, folder, tmp_path):
    random = seeded_random()
    clients = [Mover(name="a", alias="champion"), Mover(name="b", alias="default"), Switch()]
    runs = acknowledged = caught = 0
    for runs in fault_runs():
        server = start_again(start_server, folder, tmp_path / "kept", clients)
        threads = [threading.Thread(target=client.run, args=(server,)) for client in clients]
        for thread in threads:
            thread.start()
        wait_until(lambda: all(client.sent for client in clients), "every client is at work")
        kill_after(server, random.uniform(0, MOMENT_MAX_SECONDS))
        for thread in threads:
            thread.join()
        assert not [client.refusals for client in clients if client.refusals]
        acknowledged += sum(client.acknowledged for client in clients)
        caught += sum(client.sent - client.acknowledged for client in clients)
    start_again(start_server, folder, tmp_path / "kept", clients).stop()
    with contextlib.closing(sqlite3.connect(tmp_path / "kept" / "protean.db")) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    print(f"{runs + 1} kills, {acknowledged} changes acknowledged, {caught} under way when it died")
    assert acknowledged > 0 and caught > 0
