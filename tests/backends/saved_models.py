# SPDX-License-Identifier: Apache-2.0
"""SavedModels built once for a test run, what TensorFlow answers them, and saved_model_probe as an object."""

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import ml_dtypes
import numpy as np
from harness import paths
from harness.tensors import DTYPES, raw_of

NAMES = {np.dtype(kind): name for name, kind in DTYPES.items()}


@dataclass
class Case:
    """One call: function of a model, inputs and TensorFlow's outputs by name."""

    inputs: dict = field(default_factory=dict)
    outputs: dict = field(default_factory=dict)


def _typed(key: str, value: np.ndarray) -> np.ndarray:
    return value.view(ml_dtypes.bfloat16) if "bfloat16" in key else value


def read_answers(path: Path) -> dict[tuple[str, str, int], Case]:
    """{(model, function, number): case}"""
    cases: dict[tuple[str, str, int], Case] = {}
    with np.load(path, allow_pickle=True) as kept:
        for name, value in kept.items():
            model, function, number, way, key = name.split("|")
            case = cases.setdefault((model, function, int(number)), Case())
            (case.inputs if way == "in" else case.outputs)[key] = _typed(key, value)
    return cases


def build(python: Path, script: str, folder: Path) -> None:
    """Runs tests/backends/SCRIPT FOLDER with the interpreter that has TensorFlow."""
    command = [str(python), str(Path(__file__).parent / script), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr


def library_of(python: Path) -> Path:
    (library,) = python.parent.parent.glob("lib/python3*/site-packages/tensorflow/libtensorflow_cc.so.2")
    return library


def datatype_of(array: np.ndarray) -> str:
    return "BYTES" if array.dtype == object else NAMES[array.dtype]


class Refused(Exception):
    """What the backend said instead of an answer."""


class Probe:
    """One process; one model at a time."""

    def __init__(self, library: object, cache: object = ""):
        program = paths.binary().parent / "tests" / "saved_model_probe"
        command = [str(program), str(library), str(cache)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=dict(os.environ)
        )

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()
        assert self.process.returncode == 0

    def _ask(self, text: str, data: bytes = b"") -> str:
        self.process.stdin.write(text.encode() + b"\n" + data)
        self.process.stdin.flush()
        line = self.process.stdout.readline().decode()
        if not line.startswith("ok "):
            raise Refused(line.strip())
        return line[3:]

    def load(self, folder: Path, engine: str) -> dict:
        """{"notes": [...], "functions": {name: {...}}}, the main function first."""
        told = json.loads(self._ask(f"load {folder} {engine}"))
        told["functions"] = {each["name"]: each for each in told["functions"]}
        return told

    def run(self, function: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Inputs go in the order of their names, as the backend has them."""
        raws = [(raw_of(datatype_of(inputs[key]), inputs[key]), inputs[key].shape) for key in sorted(inputs)]
        words = [f"{len(raw)} {','.join(map(str, shape)) or '-'}" for raw, shape in raws]
        count = int(self._ask(" ".join(["run", function, *words]), b"".join(raw for raw, _ in raws)))
        found = {}
        for _ in range(count):
            name, datatype, shape, size = self.process.stdout.readline().decode().split()
            data = self.process.stdout.read(int(size))
            dimensions = [int(part) for part in shape.split(",") if part.isdigit()]
            if datatype == "BYTES":
                found[name] = texts_of(data).reshape(dimensions)
            else:
                found[name] = np.frombuffer(data, DTYPES[datatype]).reshape(dimensions)
        return found

    def cost_ns(self, function: str, runs: int) -> int:
        return int(self._ask(f"cost {function} {runs}"))


def texts_of(data: bytes) -> np.ndarray:
    texts = []
    while data:
        size = int.from_bytes(data[:4], "little")
        texts.append(data[4 : 4 + size])
        data = data[4 + size :]
    found = np.empty(len(texts), object)
    found[:] = texts
    return found
