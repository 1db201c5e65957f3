# SPDX-License-Identifier: Apache-2.0
"""Files that mean harm: each is refused with a reason, in bounded time and memory, and nothing in them runs."""

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

pytest.importorskip("sklearn")

from scikit_learn_probe import Probe, Refused  # noqa: E402
from sklearn.linear_model import LinearRegression  # noqa: E402

# A first class that makes the file scikit-learn's business; what follows it is the attack.
GENUINE = b"\x80\x04\x8c\x1asklearn.linear_model._base\x8c\x10LinearRegression\x93)\x81"


class _Calls:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def _inside(value, protocol=4):
    """The value as an attribute of a model."""
    model = LinearRegression().fit([[0.0], [1.0]], [0, 1])
    model.extra = value
    return pickle.dumps(model, protocol=protocol)


def _built(body):
    """GENUINE with `body` as its state."""
    return GENUINE + body + b"b."


CODE = {
    "os.system": _inside(_Calls(os.system, "touch /tmp/protean-was-here")),
    "eval": _inside(_Calls(eval, "1+1")),
    "exec, protocol 0": _inside(_Calls(exec, "x=1"), 0),
    "getattr": _inside(_Calls(getattr, 1, "real")),
    "__import__": _inside(_Calls(__import__, "os")),
    "open": _inside(_Calls(open, "/etc/passwd")),
    "subprocess": _built(b"csubprocess\nPopen\n(lp0\nS'id'\natR"),
    "builtins through sklearn": _built(b"csklearn.base\nos.system\n(S'id'\ntR"),
    "dotted name": _built(b"\x8c\x0csklearn.base\x8c\x09os.system\x93(\x8c\x02idtR"),
    "a module by a colon": _built(b"\x8c\x0csklearn:base\x8c\x03Foo\x93)R"),
    "a function of sklearn": _built(b"csklearn.utils\nall_estimators\n)R"),
    "a call of what is no class": _built(b"(]tR"),
    "a call of a dict": _built(b"}(ttR"),
    "numpy.load": _built(b"cnumpy\nload\n(S'/etc/passwd'\ntR"),
    "a call of numpy.exp": _built(b"cnumpy\nexp\n(I1\ntR"),
    "joblib.load": _built(b"cjoblib\nload\n(S'/etc/passwd'\ntR"),
    "type": _built(b"cbuiltins\ntype\n(S'X'\n)}tR"),
    "INST": _built(b"(S'id'\nios\nsystem\n"),
    "OBJ": _built(b"(cbuiltins\neval\nS'1'\no"),
    "persistent id": _built(b"Phttp://example.com/x\n"),
    "binary persistent id": _built(b"K\x01Q"),
    "extension code": _built(b"\x82\x01"),
    "out-of-band buffer": _built(b"\x97"),
    "read-only buffer": _built(b"\x97\x98"),
    "codecs.encode into a module": _built(b"c_codecs\nencode\n(\x8c\x01x\x8c\x03rottR"),
    "a lambda": _built(b"c__main__\n<lambda>\n)R"),
    "a user's class": _built(b"c__main__\nMyModel\n)\x81"),
}

MALFORMED = {
    "cut off": GENUINE,
    "no STOP": GENUINE + b"}" * 100,
    "an empty stack": GENUINE + b"00000.",
    "a negative LONG4": _built(b"\x8b\xff\xff\xff\xff"),
    "a huge LONG4": _built(b"\x8b\xff\xff\xff\x7f"),
    "a long of 1 MB": _built(b"\x8b" + struct.pack("<I", 1 << 20) + b"\x01" * (1 << 20)),
    "a decimal of 1 MB": _built(b"L" + b"9" * (1 << 20) + b"L\n"),
    "a text of 2^63 bytes": _built(b"\x8d" + struct.pack("<Q", 1 << 63)),
    "bytes of 2^64-1": _built(b"\x8e" + b"\xff" * 8),
    "a frame beyond the file": _built(b"\x95" + struct.pack("<Q", 1 << 40)),
    "memo slot 2^32-1": _built(b"}r\xff\xff\xff\xff"),
    "a memo slot that is empty": _built(b"j\x09\0\0\0"),
    "a mark that is missing": _built(b"t"),
    "an unknown opcode": _built(b"\xfe"),
    "protocol 99": b"\x80\x04\x80\x63" + GENUINE[2:] + b".",
    "a key without a value": _built(b"}(K\x01u"),
    "depth of a million": _built(b"]" * 1_000_000 + b"a" * 999_999),
    "tuples in tuples": _built(b")" + b"\x85" * 3_000_000),
    "a list inside itself": _built(b"]\x94h\x00a"),
    "doubling lists": _built(b"](" + b"K\x01" * 10 + b"e" + b"2\x86" * 200_000),
    "sets of one large list": _built(
        b"](" + b"K\x01" * 100_000 + b"e\x940" + b"(" + b"cbuiltins\nset\n\x940" + b"h\x01h\x00\x85R" * 100_000 + b"t"
    ),
    "encodings of one large text": _built(
        b"\x8d" + struct.pack("<Q", 1 << 20) + b"x" * (1 << 20) + b"\x940" + b"c_codecs\nencode\n\x940"
        b"\x8c\x06latin1\x940" + b"h\x01h\x00h\x02\x86R0" * 20_000 + b"}"
    ),
    "a shape of 2^62": _built(
        b"}\x8c\x05coef_cnumpy._core.numeric\n_frombuffer\n(C\x08" + b"\0" * 8 + b"\x8c\x02f8\x8a\x08" + b"\0" * 7
        + b"\x40\x85\x8c\x01CtRs"
    ),
    "no state": GENUINE + b".",
    "a state that is a number": _built(b"K\x01"),
}


def _zip(members, compression=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def _node(name, module, loader="ObjectNode", content=None):
    return {"__class__": name, "__module__": module, "__loader__": loader, "content": content, "protocol": 2}


def _schema(node):
    return json.dumps(node).encode()


def _deep(depth):
    return b'{"__loader__":"ListNode","__module__":"sklearn.x","content":[' * depth + b"]}" * depth


SKOPS = {
    "a class of os": _zip({"schema.json": _schema(_node("system", "os")) + b" " * 9 + b"\n"}),
    "a method": _zip({"schema.json": _schema(_node("f", "sklearn.base", "MethodNode", {"func": "x"}))}),
    "an operator": _zip({"schema.json": _schema(_node("methodcaller", "sklearn.x", "OperatorFuncNode"))}),
    "a deep schema": _zip({"schema.json": _deep(10_000)}),
    "a member outside": _zip(
        {"schema.json": _schema(_node("ndarray", "sklearn.x", "NdArrayNode") | {"type": "numpy", "file": "../../etc/passwd"})}
    ),
    "a bomb": _zip({"schema.json": b'{"__loader__": "sklearn.", "x": "' + b"0" * (300 << 20) + b'"}'}),
    "cut off": _zip({"schema.json": _schema(_node("Ridge", "sklearn.linear_model"))})[:-30],
}


def _nothing():
    return GENUINE + b"\x8e" + struct.pack("<Q", 400 << 20) + b"\0" * (400 << 20)


BOMBS = {
    "zlib": lambda: zlib.compress(_nothing(), 9),
    "gzip": lambda: gzip.compress(_nothing(), 9),
    "bz2": lambda: bz2.compress(_nothing(), 1),
    "xz": lambda: lzma.compress(_nothing(), preset=0),
    "broken zlib": lambda: zlib.compress(GENUINE * 50, 9)[:-20],
    "two layers": lambda: zlib.compress(zlib.compress(GENUINE)),
}


@pytest.fixture(scope="module")
def probe():
    running = Probe()
    yield running
    peak = Path(f"/proc/{running.process.pid}/status").read_text().split("VmHWM:")[1].split()[0]
    running.close()
    assert int(peak) < 2 << 20, "more than 2 GiB were in use (KiB)"


def _refused(probe, tmp_path, data):
    path = tmp_path / "model.pkl"
    path.write_bytes(data)
    with pytest.raises(Refused) as reason:
        probe.load(path)
    return str(reason.value)


@pytest.mark.parametrize("name", CODE)
def test_a_pickle_that_would_run_code_is_refused_by_name(probe, tmp_path, name):
    reason = _refused(probe, tmp_path, CODE[name])
    assert reason.startswith("error ") and len(reason) > 30
    assert not os.path.exists("/tmp/protean-was-here")


def test_the_refusal_names_module_class_and_way_out(probe, tmp_path):
    reason = _refused(probe, tmp_path, CODE["os.system"])
    assert "'system' of module 'posix'" in reason
    assert "Python worker" in reason and "ONNX" in reason


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_pickle_is_refused(probe, tmp_path, name):
    assert len(_refused(probe, tmp_path, MALFORMED[name])) > 30


@pytest.mark.parametrize("name", SKOPS)
def test_a_hostile_archive_is_refused(probe, tmp_path, name):
    _refused(probe, tmp_path, SKOPS[name])


@pytest.mark.parametrize("name", BOMBS)
def test_a_decompression_bomb_is_refused(probe, tmp_path, name):
    _refused(probe, tmp_path, BOMBS[name]())


def test_every_cut_of_a_genuine_file_is_refused(probe, tmp_path):
    whole = pickle.dumps(LinearRegression().fit([[0.0], [1.0]], [0, 1]))
    for size in range(8, len(whole) - 1):
        _refused(probe, tmp_path, whole[:size])


def test_every_flipped_byte_is_refused_or_read(probe, tmp_path):
    whole = pickle.dumps(LinearRegression().fit([[0.0], [1.0]], [0, 1]))
    path = tmp_path / "model.pkl"
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            probe.load(path)
        except Refused:
            continue
