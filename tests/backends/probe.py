# SPDX-License-Identifier: Apache-2.0
"""The Python side of trees_probe: a model file, loaded by backends/trees, as an object that answers arrays."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np

TYPES = {"FP32": np.float32, "FP64": np.float64, "INT32": np.int32, "INT64": np.int64}


class Refused(Exception):
    """What the backend said instead of an answer."""


def program() -> Path:
    """trees_probe stands beside the unit tests of the build whose server is tested."""
    named = os.environ.get("TREES_PROBE")
    return Path(named) if named else Path(os.environ["PROTEAN_BINARY"]).parent / "tests" / "trees_probe"


def _bytes_of(column, datatype: str) -> bytes:
    if datatype != "BYTES":
        return np.ascontiguousarray(column, dtype=TYPES[datatype]).tobytes()
    texts = [str(text).encode() for text in column]
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)


class Probe:
    """One process; one model at a time."""

    def __init__(self):
        self.process = subprocess.Popen([str(program())], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
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

    def _send(self, text: str, data: bytes = b""):
        self.process.stdin.write(text.encode() + b"\n" + data)
        self.process.stdin.flush()

    def load(self, path):
        self._send(f"load {path}")
        self.signature = json.loads(self._answer())
        return self.signature

    def _inputs(self, rows) -> tuple:
        """`rows`: a matrix, or a list of columns for a model that takes one input a column."""
        specs = self.signature["inputs"]
        columns = [rows] if len(specs) == 1 else rows
        parts = [_bytes_of(column, spec[1]) for column, spec in zip(columns, specs, strict=True)]
        head = " ".join(str(value) for value in [len(columns[0]), *map(len, parts)])
        return head, b"".join(parts)

    def _results(self) -> dict:
        found = {}
        for _ in range(int(self._answer())):
            name, datatype, shape, size = self.process.stdout.readline().decode().split()
            data = self.process.stdout.read(int(size))
            dimensions = [int(part) for part in shape.split(",") if part]
            found[name] = np.frombuffer(data, dtype=TYPES[datatype]).reshape(dimensions)
        return found

    def run(self, rows, *outputs) -> dict:
        head, data = self._inputs(rows)
        self._send(f"run {','.join(outputs)} {head}", data)
        return self._results()

    def explain(self, rows, background=None) -> dict:
        head, data = self._inputs(rows)
        if background is not None:
            more, more_data = self._inputs(background)
            head, data = f"{head} / {more}", data + more_data
        self._send(f"explain {head}", data)
        return self._results()
