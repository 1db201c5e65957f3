# SPDX-License-Identifier: Apache-2.0
"""The package without a server: what a model's answer becomes, how models are found, and the bytes of the channel."""

import asyncio
import importlib.util
import io
import mmap
import os
import socket
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from protean_worker import Column, Explanation, Input, InvalidInput, Model, Output, empty_output  # noqa: E402
from protean_worker import channel as wire  # noqa: E402
from protean_worker.channel import Channel, pack_bytes_tensor, unpack_bytes_tensor  # noqa: E402
from protean_worker.loading import find_class, import_file, load_model  # noqa: E402
from protean_worker.runner import Runner, split_rows  # noqa: E402
from protean_worker.serve import code_of, describe, placer  # noqa: E402
from protean_worker.stopping import SIGNAL, RunStopped, Stopper  # noqa: E402
from protean_worker.signature import Signature, check_signature, pack_signature, type_of  # noqa: E402


class TwoOutputs(Model):
    inputs = [Input("x", "FP32", [-1, 2])]
    outputs = [Output("a", "FP32", [-1]), Output("b", "INT64", [-1])]

    def __init__(self, answer):
        self._answer = answer

    def predict(self, inputs):
        return self._answer(inputs["x"])


def run(model: Model, x: np.ndarray, wanted=(0, 1)) -> list[np.ndarray]:
    signature = Signature("python", list(model.inputs), list(model.outputs), [])
    return [array for _, _, array in Runner(model, signature).run([(0, x)], wanted)]


X = np.arange(6, dtype="f4").reshape(3, 2)


@pytest.mark.parametrize(
    "answer",
    [
        lambda x: {"a": x[:, 0], "b": x[:, 1].astype(int)},
        lambda x: (x[:, 0], x[:, 1].astype(int)),
        lambda x: [x[:, 0].tolist(), x[:, 1].astype(int)],
        lambda x: ({"a": row[:1], "b": row[1:].astype(int)} for row in x),
        lambda x: asyncio.sleep(0, {"a": x[:, 0], "b": x[:, 1].astype(int)}),
    ],
)
def test_takes_an_answer_in_every_form(answer):
    a, b = run(TwoOutputs(answer), X)
    assert a.tolist() == [0, 2, 4] and a.dtype == np.float32
    assert b.tolist() == [1, 3, 5] and b.dtype == np.int64


def test_a_generator_that_makes_nothing_answers_with_no_rows():
    a, b = run(TwoOutputs(lambda x: (row for row in ())), X)
    assert (a.shape, a.dtype, b.shape, b.dtype) == ((0,), np.float32, (0,), np.int64)


class Counting(Model):
    inputs = [Input("x", "FP32", [-1, 2])]
    outputs = [Output("n", "INT64", [-1])]
    max_batch = 2
    closed = 0

    async def predict(self, inputs):
        try:
            for i in range(len(inputs["x"])):
                await asyncio.sleep(0)
                yield i
        finally:
            self.closed += 1


def test_parts_come_one_by_one_and_a_generator_that_is_left_is_closed():
    model = Counting()
    runner = Runner(model, Signature("python", list(model.inputs), list(model.outputs), []))
    assert runner.streams
    parts = runner.parts([(0, X)], (0,))
    assert [array.tolist() for ((_, _, array),) in parts] == [[0], [1], [0]], "two rows, then the third"
    assert model.closed == 2
    parts = runner.parts([(0, X)], (0,))
    next(parts)
    parts.close()
    assert model.closed == 3


def test_gives_only_the_outputs_asked_for():
    assert [array.tolist() for array in run(TwoOutputs(lambda x: (x[:, 0], x[:, 1].astype(int))), X, (1,))] == [[1, 3, 5]]


@pytest.mark.parametrize(
    "answer, says",
    [
        (lambda x: x, "returned ndarray"),
        (lambda x: (x,), "returned 1 values"),
        (lambda x: {"a": x[:, 0]}, "expected an output 'b'"),
        (lambda x: (x, x[:, 0].astype(int)), r"output 'a': shape \[3, 2\], expected \[-1\]"),
        (lambda x: (x[:, 0], x[:, 0]), "output 'b': an array of float32, expected int64"),
        (lambda x: iter(()), "returned tuple_iterator"),
    ],
)
def test_says_what_is_wrong_with_an_answer(answer, says):
    with pytest.raises((TypeError, ValueError, KeyError), match=says):
        run(TwoOutputs(answer), X)


def test_splits_rows():
    parts = list(split_rows({"x": X, "scale": np.float32(2)}, 2))
    assert [len(part["x"]) for part in parts] == [2, 1]
    assert all(part["scale"] == 2 for part in parts)
    assert [len(part["x"]) for part in split_rows({"x": X[:0]}, 2)] == [0]


def test_text_survives_the_channel():
    texts = np.array([["", "grün"], [b"\xff", 7]], dtype=object)
    back = unpack_bytes_tensor(memoryview(pack_bytes_tensor(texts)), (2, 2))
    assert back.tolist() == [[b"", "grün".encode()], [b"\xff", b"7"]]


def test_finds_the_one_class_of_a_file(tmp_path):
    path = tmp_path / "model.py"
    path.write_text("from protean_worker import Model\nclass Base(Model): pass\nclass Real(Base): pass\n")
    assert find_class(import_file(path)).__name__ == "Real"
    path.write_text("from protean_worker import Model\nclass A(Model): pass\nclass B(Model): pass\n")
    importlib.invalidate_caches()
    with pytest.raises(TypeError, match="A, B; expected exactly one"):
        find_class(import_file(path))
    with pytest.raises(ValueError, match="adapter 'x', expected one of sklearn, pyfunc"):
        load_model({"adapter": "x", "path": "", "folder": ""})


@pytest.mark.parametrize(
    "inputs, says",
    [
        ([], "declares no inputs"),
        ([Output("x", "FP32", [1])], "expected protean_worker.Input"),
        ([Input("x", "FLOAT", [1])], "type 'FLOAT', expected one of BOOL"),
        ([Input("x", "FP32", [-2])], r"shape \[-2\]"),
        ([Input("x", "FP32", [1]), Input("x", "FP32", [1])], "the same name"),
    ],
)
def test_refuses_signatures_that_nobody_can_call(inputs, says):
    with pytest.raises((TypeError, ValueError), match=says):
        check_signature(Signature("python", inputs, [Output("y", "FP32", [1])], []))


def test_packs_signatures_as_the_server_reads_them():
    signature = Signature("p", [Input("x", "FP32", [-1, 2])], [Output("y", "BYTES", None)], [Column("c", "BYTES", True, ["u"])])
    text = lambda value: struct.pack("<I", len(value)) + value.encode()  # noqa: E731
    expected = text("p") + struct.pack("<I", 1) + text("x") + struct.pack("<BBBqqI", 11, 0, 2, -1, 2, 0)
    expected += struct.pack("<I", 1) + text("y") + struct.pack("<BBBI", 13, 2, 0, 0)
    expected += struct.pack("<I", 1) + text("c") + struct.pack("<BBI", 13, 1, 1) + text("u")
    for explains, streams, abilities in ((True, False, b"\1"), (False, True, b"\2"), (True, True, b"\3")):
        packed = pack_signature(signature, explains, streams, ["n"])
        assert packed == expected + abilities + struct.pack("<I", 1) + text("n")


def test_names_types():
    assert [type_of(np.dtype(name)) for name in ("f4", "i8", "?", "U3", "u2")] == ["FP32", "INT64", "BOOL", "BYTES", "UINT16"]
    with pytest.raises(TypeError, match="complex128"):
        type_of(np.dtype(complex))


def test_describes_errors():
    def fail():
        raise ValueError("bad\nnews")

    with pytest.raises(ValueError) as caught:
        fail()
    assert "bad" in describe(caught.value) and "in fail)" in describe(caught.value)
    assert [code_of(error) for error in (InvalidInput(), MemoryError(), KeyError())] == [3, 13, 13]


def test_explanations_are_what_they_were_made_of():
    explanation = Explanation("linear", "raw", ["a"], ["y"], np.zeros(1), np.zeros((1, 1, 1)), np.zeros((1, 1)))
    with pytest.raises(AttributeError):
        explanation.method = "other"


class Server:
    """The other end of a channel, with the layout written out once more."""

    def __init__(self):
        ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ours = ours
        self.control, control = self._memory(2 << 20)
        self.requests, requests = self._memory(4096)
        self.answers, answers = self._memory(4096)
        wake, self.wake = os.pipe()
        self.reply, reply = os.pipe()
        socket.send_fds(ours, [b"S"], [control, requests, answers, wake, reply])

    @staticmethod
    def _memory(size):
        descriptor = os.memfd_create("test")
        os.ftruncate(descriptor, size)
        return mmap.mmap(descriptor, size), descriptor

    def ask(self, op, messages=1):
        struct.pack_into("<QIIIIII", self.control, 0, 5, op, messages, 1, 1, 3, 0)
        self.control[32:35] = b"id7"
        struct.pack_into("<IBBHQQ2q", self.control, 320, 0, 11, 2, 0, 64, 16, 2, 2)
        struct.pack_into("<I", self.control, 320 + 152, 1)
        self.requests[64:80] = np.arange(4, dtype="f4").tobytes()
        os.write(self.wake, b"\1")

    def head(self):
        assert len(os.read(self.reply, 64)) == 1
        return struct.unpack_from("<QIIQII", self.control, 1 << 20)


def test_requests_are_views_and_answers_lie_where_they_are_said_to():
    server = Server()
    channel = Channel(server.theirs.detach())
    server.ask(wire.OP_RUN)
    request = channel.receive()
    assert (request.op, request.id, request.outputs) == (wire.OP_RUN, "id7", (1,))
    (index, array), = request.tensors
    assert index == 0 and array.tolist() == [[0, 1], [2, 3]] and not array.flags.writeable and not array.flags.owndata
    channel.answer([(1, 11, array * 2)])
    assert server.head() == (5, wire.STATUS_OK, 1, 0, 0, 0)
    assert struct.unpack_from("<IBBHQQ2q", server.control, (1 << 20) + 4160) == (1, 11, 2, 0, 0, 16, 2, 2)
    assert server.answers[:16] == np.array([0, 2, 4, 6], "f4").tobytes()


def test_asks_for_more_space():
    server = Server()
    channel = Channel(server.theirs.detach())
    server.ask(wire.OP_RUN)
    channel.receive()
    larger, descriptor = Server._memory(1 << 16)
    socket.send_fds(server.ours, [b"A"], [descriptor])
    server.ask(wire.OP_SEND_AGAIN, messages=2)
    channel.answer([(0, 1, np.full(5000, 7, "u1"))])
    assert len(os.read(server.reply, 64)) == 2  # once for the question, once for the answer
    assert larger[:5000] == b"\7" * 5000


def test_errors_are_cut_to_what_fits():
    server = Server()
    channel = Channel(server.theirs.detach())
    channel.fail(3, "x" * 10_000)
    assert server.head() == (0, wire.STATUS_ERROR, 0, 0, 3, 4096)


def test_the_bundle_imports_the_package(monkeypatch):
    root = Path(__file__).resolve().parents[1]
    spec = importlib.util.spec_from_file_location("bootstrap", root / "protean_worker" / "bootstrap.py")
    bootstrap = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bootstrap)
    stream = io.BytesIO()
    for path in sorted((root / "protean_worker").rglob("*.py")):
        data = path.read_bytes()
        stream.write(f"{path.relative_to(root)}\n{len(data)}\n".encode() + data)
    stream.seek(0)
    importer = bootstrap.BundleImporter(bootstrap.read_bundle(stream))
    assert importer.find_spec("protean_worker").submodule_search_locations is not None
    assert importer.find_spec("protean_worker.adapters.sklearn") is not None
    assert importer.find_spec("numpy") is None
    assert "class Model" in importer.get_source("protean_worker.interface")


def test_stops_a_run_that_is_meant_and_no_other():
    asked = False
    stopper = Stopper(lambda: asked)
    os.kill(os.getpid(), SIGNAL)  # outside of a run: nothing
    with stopper:
        os.kill(os.getpid(), SIGNAL)  # meant for the run before
    asked = True
    with pytest.raises(RunStopped):
        with stopper:
            raise AssertionError("it was stopped before it began")
    asked = False
    with pytest.raises(RunStopped):
        with stopper:
            asked = True
            os.kill(os.getpid(), SIGNAL)
            raise AssertionError("not stopped")
    os.kill(os.getpid(), SIGNAL)


def test_what_a_stopped_run_awaited_is_cancelled():
    asked, ends = False, []

    async def waits(x):
        nonlocal asked
        try:
            asked = True
            os.kill(os.getpid(), SIGNAL)
            await asyncio.sleep(3600)
        finally:
            ends.append("ended")

    model = TwoOutputs(waits)
    runner = Runner(model, Signature("python", list(model.inputs), list(model.outputs), []))
    with pytest.raises(RunStopped):
        with Stopper(lambda: asked):
            runner.run([(0, X)], (0, 1))
    assert ends == ["ended"]
    assert [a.tolist() for a in run(TwoOutputs(lambda x: {"a": x[:, 0], "b": [1]}), X)] == [[0, 2, 4], [1]]


def test_an_output_made_in_place_has_the_outputs_type_and_needs_a_server():
    with pytest.raises(RuntimeError, match="being served"):
        empty_output("a", [1])
    signature = Signature("python", [Input("x", "FP32", [-1])], [Output("a", "INT16", [-1]), Output("t", "BYTES", [-1])], [])

    class Places:
        def place(self, dtype, shape):
            return np.zeros(shape, dtype)

    place = placer(Places(), signature)
    assert place("a", (2, 3)).dtype == np.int16
    with pytest.raises(TypeError, match="of BYTES"):
        place("t", (1,))
    with pytest.raises(KeyError):
        place("nothing", (1,))
