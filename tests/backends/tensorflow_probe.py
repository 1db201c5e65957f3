# SPDX-License-Identifier: Apache-2.0
"""TensorFlow in one process, our lowering in another, and files between them."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np

TYPES = {
    "FP32": np.float32, "FP64": np.float64, "FP16": np.float16, "INT8": np.int8, "INT16": np.int16, "INT32": np.int32,
    "INT64": np.int64, "UINT8": np.uint8, "BOOL": np.bool_,
}  # fmt: skip


class Refused(Exception):
    """What the lowering said instead of an answer."""


def program() -> Path:
    """tensorflow_probe stands beside the unit tests of the build whose server is tested."""
    named = os.environ.get("TENSORFLOW_PROBE")
    return Path(named) if named else Path(os.environ["PROTEAN_BINARY"]).parent / "tests" / "tensorflow_probe"


def array_of(data: bytes, datatype: str, shape) -> np.ndarray:
    if datatype != "BYTES":
        return np.frombuffer(data, dtype=TYPES[datatype]).reshape(shape)
    texts = []
    while data:
        size = int.from_bytes(data[:4], "little")
        texts.append(data[4 : 4 + size])
        data = data[4 + size :]
    return np.array(texts, dtype=object).reshape(shape)


class Probe:
    """One process; one model at a time."""

    def __init__(self):
        self.process = subprocess.Popen([str(program()), "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.signature = {}

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self.process.stdout.close()
        assert self.process.returncode == 0

    def _answer(self) -> str:
        line = self.process.stdout.readline().decode()
        if not line.startswith("ok "):
            raise Refused(line.strip())
        return line[3:]

    def load(self, folder, signature="serving_default"):
        self.process.stdin.write(f"load {folder} {signature}\n".encode())
        self.process.stdin.flush()
        self.signature = json.loads(self._answer())
        return self.signature

    def lowers(self, folder, signature="serving_default") -> bool:
        """Whether it does; a process that ends instead is a failure."""
        self.process.stdin.write(f"check {folder} {signature}\n".encode())
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer.startswith((b"ok ", b"error ")), f"the probe ended with {self.process.wait(timeout=30)}"
        return answer.startswith(b"ok ")

    def run(self, inputs: dict) -> dict:
        """`inputs`: key to (bytes, shape)."""
        words = []
        for name, _, _ in self.signature["inputs"]:
            data, shape = inputs[name]
            words += [str(len(data)), ",".join(map(str, shape)) or "-"]
        self.process.stdin.write(f"run {' '.join(words)}\n".encode())
        for name, _, _ in self.signature["inputs"]:
            self.process.stdin.write(inputs[name][0])
        self.process.stdin.flush()
        found = {}
        for _ in range(int(self._answer())):
            name, datatype, shape, size = self.process.stdout.readline().decode().rsplit(" ", 3)
            data = self.process.stdout.read(int(size))
            found[name] = array_of(data, datatype, [int(part) for part in shape.split(",") if part.isdigit()])
        return found


class Builder:
    """TensorFlow, which makes models and says what they answer."""

    def __init__(self, interpreter: Path):
        script = Path(__file__).with_name("tensorflow_builder.py")
        self.process = subprocess.Popen(
            [str(interpreter), str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()

    def make(self, kind: str, name: str, seed: int, folder: Path):
        """(inputs as Probe.run() takes them, outputs as arrays); the model is in folder/model."""
        self.process.stdin.write(f"{kind} {name} {seed} {folder}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        assert answer == "ok", answer
        listed = json.loads((folder / "io.json").read_text())
        inputs = {key: ((folder / entry["file"]).read_bytes(), entry["shape"]) for key, entry in listed["inputs"].items()}
        outputs = {
            key: array_of((folder / entry["file"]).read_bytes(), entry["type"], entry["shape"])
            for key, entry in listed["outputs"].items()
        }
        return inputs, outputs
