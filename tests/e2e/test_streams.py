# SPDX-License-Identifier: Apache-2.0
"""Answers in parts: Python models that are generators, read by clients while they are being made."""

import json
import socket
import sys

import grpc
import numpy
import pytest
import requests

from harness import raw
from harness.grpc_stub import SECONDS, Stub, infer_request
from harness.wait import wait_until

TELLER = """
import asyncio
from pathlib import Path

from protean_worker import Input, Model, Output


class Teller(Model):
    inputs = [Input("n", "INT64", [1])]
    outputs = [Output("word", "BYTES", [-1])]

    def load(self, folder):
        self._words = ["one", "two", b"three\\0"]

    def predict(self, inputs):
        n = int(inputs["n"][0])
        if n < 0:
            raise ValueError("fewer than none")
        try:
            for i in range(n):
                while i > 0 and not Path(GATES, str(i)).exists():
                    time.sleep(0.001)
                if i == 3:
                    raise ValueError("only three words are known")
                yield self._words[i]
        finally:
            print("told", n)
"""
SLOW = """
from protean_worker import Input, Model, Output
import numpy as np


class Counter(Model):
    inputs = [Input("n", "INT64", [1])]
    outputs = [Output("block", "UINT8", [-1])]

    async def predict(self, inputs):
        try:
            for i in range(int(inputs["n"][0])):
                print("part", i)
                yield np.full(1 << 20, i, np.uint8)
        finally:
            print("counted")
"""


@pytest.fixture
def gates(tmp_path):
    """A folder; the teller says its word of a number once a file of that number is there."""
    folder = tmp_path / "gates"
    folder.mkdir()
    return folder


@pytest.fixture
def server(tmp_path, gates, start_server):
    for name, text in (("teller", f"import time\nGATES = {str(gates)!r}\n" + TELLER), ("counter", SLOW)):
        place = tmp_path / "models" / name
        place.mkdir(parents=True)
        (place / "model.py").write_text(text)
    flags = ("--python", sys.executable, "--python-readable", gates, "--python-run-timeout", "5s")
    return start_server(tmp_path / "models", *flags)


def request(n: int) -> dict:
    return {"id": "7", "inputs": [{"name": "n", "shape": [1], "datatype": "INT64", "data": [n]}]}


def events(server, n: int):
    """(name, data) as they come."""
    reply = requests.post(
        f"{server.url}/v2/models/teller/infer_stream", json=request(n), stream=True, timeout=(SECONDS, SECONDS)
    )
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    name = ""
    for line in reply.iter_lines(chunk_size=1):
        if line.startswith(b"event: "):
            name = line[7:].decode()
        elif line.startswith(b"data: "):
            yield name, json.loads(line[6:])
            name = ""


def words(answer: dict) -> list[str]:
    assert (answer["model_name"], answer["id"]) == ("teller", "7")
    (output,) = answer["outputs"]
    assert output["shape"] == [len(output["data"])]
    return output["data"]


def test_each_part_is_there_before_the_next_is_made(server, gates):
    coming = events(server, 3)
    assert words(next(coming)[1]) == ["one"]
    (gates / "1").touch()
    assert words(next(coming)[1]) == ["two"]
    (gates / "2").touch()
    assert words(next(coming)[1]) == ["three\0"]
    assert list(coming) == []
    assert server.metric("protean_requests_total", model="teller", version="1") == 1


def test_the_parts_come_joined_to_who_does_not_stream(server, gates):
    (gates / "1").touch()
    assert words(server.curl.infer("teller", request(2)).json()) == ["one", "two"]


def test_an_error_after_the_first_part_is_an_event(server, gates):
    for i in (1, 2, 3):
        (gates / str(i)).touch()
    *told, last = events(server, 4)
    assert [words(answer)[0] for _, answer in told] == ["one", "two", "three\0"]
    assert last[0] == "error"
    assert last[1]["error"].startswith("the model raised ValueError: only three words are known (model.py, line")
    assert server.metric("protean_request_failures_total", model="teller", version="1", code="INTERNAL") == 1


def test_a_generator_that_makes_nothing_answers_nothing(server):
    assert [words(answer) for _, answer in events(server, 0)] == [[]]
    assert words(server.curl.infer("teller", request(0)).json()) == []


def test_an_error_before_the_first_part_is_an_answer(server):
    reply = server.curl.post_json("/v2/models/teller/infer_stream", request(-1))
    assert (reply.status, "ValueError: fewer than none" in reply.error()) == (500, True), reply.text
    binary = request(1) | {"parameters": {"binary_data_output": True}}
    reply = server.curl.post_json("/v2/models/teller/infer_stream", binary)
    assert (reply.status, "events of text" in reply.error()) == (400, True), reply.text


def test_a_part_that_takes_too_long_ends_the_stream(server):
    (name, first), (late_name, late) = events(server, 2)
    assert (name, words(first), late_name) == ("", ["one"], "error")
    assert "its run was stopped after 5000 ms" in late["error"]


def test_the_parts_are_messages_of_a_stream(server, gates):
    with grpc.insecure_channel(server.authority) as connection:
        count = infer_request("teller", [("n", "INT64", numpy.array([2], numpy.int64))], False, id="7")
        replies = Stub(connection).method("ModelStreamInfer")(iter([count, count]), timeout=SECONDS)
        assert next(replies).raw_output_contents == [b"\x03\0\0\0one"]
        (gates / "1").touch()
        rest = [reply.raw_output_contents[0][4:] for reply in replies]
    assert rest == [b"two", b"one", b"two"], "the second message is answered after the first"


def test_a_generator_is_closed_when_its_client_leaves(server, gates):
    coming = events(server, 3)
    next(coming)
    coming.close()
    wait_until(lambda: "told 3" in server.log(), "the generator is closed")
    (gates / "1").touch()
    assert words(server.curl.infer("teller", request(2)).json()) == ["one", "two"], "its worker serves on"


def test_a_client_that_does_not_read_makes_the_model_wait(server):
    body = json.dumps(request(1 << 20)).encode()
    with raw.connect(server, receive_buffer=4096) as connection:
        connection.sendall(raw.post("/v2/models/counter/infer_stream", body))
        wait_until(lambda: "part 2" in server.log(), "three parts are made")
        for _ in range(50):  # time for more, if there were room for them
            assert server.curl.get("/v2/models/counter").status == 200
        assert "part 20" not in server.log(), "parts of 4 MB of JSON fill the window and the sockets' buffers"
        connection.shutdown(socket.SHUT_RDWR)
    wait_until(lambda: "counted" in server.log(), "the generator is closed")


def test_a_model_without_parts_answers_with_one_event(examples):
    line = {"inputs": [{"name": "measurements", "shape": [1, 4], "datatype": "FP32", "data": [5.1, 3.5, 1.4, 0.2]}]}
    whole = examples.curl.infer("iris", line)
    reply = examples.curl.post_json("/v2/models/iris/infer_stream", line)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert reply.body == b"data: " + whole.body + b"\n\n"
