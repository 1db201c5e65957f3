# SPDX-License-Identifier: Apache-2.0
"""Continuous load from client threads while something changes: each answer is checked, none may fail."""

import http.client
import json
import threading
from collections import Counter

import numpy as np

from harness.curl import infer_path
from harness.grpc_stub import Stub, channel, infer_request, outputs_of
from harness.server import Server
from harness.wait import wait_until

_SECONDS = 60


class Load:
    """Asks `model` for its y of `x` = [1.0] without pause, over HTTP/1.1 keep-alive and gRPC at once.

    answers: how often each (version, y) came.  `allowed`: the pairs that may come; anything else is a failure.
    """

    def __init__(self, server: Server, model: str, allowed: set[tuple[str, float]]):
        self.answers: Counter[tuple[str, float]] = Counter()
        self.failures: list[str] = []
        self._server = server
        self._model = model
        self._allowed = allowed
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(ask,)) for ask in (self._http, self._grpc)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(_SECONDS)
        assert not self.failures, (
            f"{len(self.failures)} failed, first: {self.failures[0]}; answers: {dict(self.answers)}"
        )

    def wait_for(self, version: str, value: float, more: int = 10) -> None:
        """Until `more` further answers (version, value) have come."""
        with self._lock:
            wanted = self.answers[(version, value)] + more
        what = f"{more} more answers of version {version} with {value}"
        wait_until(lambda: self.failures or self.answers[(version, value)] >= wanted, what)
        assert not self.failures, self.failures[0]

    def _run(self, ask) -> None:
        try:
            for version, values in ask():
                with self._lock:
                    self.answers[(version, values[0])] += 1
                    if len(values) != 1 or (version, values[0]) not in self._allowed:
                        self.failures.append(f"version {version} answered {values}")
                if self._stop.is_set():
                    return
        except Exception as error:  # whatever a client library raises is a failed request
            self.failures.append(f"{type(error).__name__}: {error}")

    def _http(self):
        body = json.dumps({"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}]})
        connection = http.client.HTTPConnection(self._server.host, self._server.port, timeout=_SECONDS)
        while True:
            connection.request("POST", infer_path(self._model), body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
            if response.status != 200:
                raise AssertionError(f"status {response.status}: {text.decode()}")
            reply = json.loads(text)
            yield reply["model_version"], reply["outputs"][0]["data"]

    def _grpc(self):
        request = infer_request(self._model, [("x", "FP32", np.ones(1, np.float32))], typed=True)
        with channel(self._server.authority) as connection:
            stub = Stub(connection)
            while True:
                reply = stub.call("ModelInfer", request)
                yield reply.model_version, outputs_of(reply)["y"].tolist()
