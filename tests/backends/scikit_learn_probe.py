# SPDX-License-Identifier: Apache-2.0
"""The Python side of scikit_learn_probe: a model file, loaded by backends/scikit_learn, as something that answers tables."""

import os
import subprocess
from pathlib import Path

import numpy as np

TYPES = {"FP64": np.float64, "INT64": np.int64, "BOOL": np.bool_}


class Refused(Exception):
    """What the backend said instead of an answer."""


def program() -> Path:
    """It stands beside the unit tests of the build whose server is tested."""
    named = os.environ.get("SCIKIT_LEARN_PROBE")
    return Path(named) if named else Path(os.environ["PROTEAN_BINARY"]).parent / "tests" / "scikit_learn_probe"


def _texts(data: bytes) -> np.ndarray:
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        found.append(data[at + 4 : at + 4 + size].decode())
        at += 4 + size
    return np.array(found, dtype=object)


def _bytes_of(text) -> bytes:
    missing = text is None or isinstance(text, float)
    encoded = b"" if missing else str(text).encode()
    return len(encoded).to_bytes(4, "little") + encoded


class Probe:
    """One process; one model at a time."""

    def __init__(self):
        self.process = subprocess.Popen([str(program())], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.inputs = []

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self.process.stdout.close()
        assert self.process.returncode == 0

    def classes(self):
        """All classes that are served."""
        return [name for name, _, _, _ in self._send(b"classes\n")]

    def load(self, path):
        self.inputs = [(name, kind) for name, kind, _, _ in self._send(f"load {path}\n".encode())]
        return self.inputs

    def run(self, table, command="run", names=None) -> dict:
        """`table`: [rows, columns], of numbers or of objects where some columns are texts. `names`: of its columns."""
        table = np.asarray(table)
        parts = [command.encode() + b"\n"]
        if len(self.inputs) == 1 and self.inputs[0][1] == "FP64":
            table = np.ascontiguousarray(table, dtype=np.float64)
            parts.append(f"{table.shape[0]} {table.shape[1]}\n".encode() + table.tobytes())
        else:
            for j, (_, kind) in enumerate(self.inputs):
                column = table[:, names.index(self.inputs[j][0]) if names else j]
                data = (
                    b"".join(map(_bytes_of, column)) if kind == "BYTES" else column.astype(np.float64).tobytes()
                )
                parts.append(f"{len(column)} 1\n".encode() + data)
        return {name: self._array(kind, shape, data) for name, kind, shape, data in self._send(b"".join(parts))}

    @staticmethod
    def _array(kind, shape, data):
        return _texts(data) if kind == "BYTES" else np.frombuffer(data, dtype=TYPES[kind]).reshape(shape)

    def _send(self, data: bytes) -> list:
        self.process.stdin.write(data)
        self.process.stdin.flush()
        line = self.process.stdout.readline().decode(errors="replace").strip()
        if not line.startswith("ok "):
            raise Refused(line)
        found = []
        for _ in range(int(line[3:])):
            name, kind, size, *shape = self.process.stdout.readline().decode().split()
            found.append((name, kind, [int(part) for part in shape], self.process.stdout.read(int(size))))
        return found
