# SPDX-License-Identifier: Apache-2.0
"""ONNX files of any size, written field by field as onnx.proto has them, for tests that need megabytes of weights.

dense(): x FP32 [n,4] -> y FP32 [n,4] = x @ A @ B @ C.  All weights are small whole numbers, so every runtime's sums are
exact and expected_row() is the answer to the last bit.
"""

from pathlib import Path

import numpy as np

WIDTH = 600
_EDGE = 4
_FLOAT = 1


def _varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def _number(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _text(field: int, content: bytes | str) -> bytes:
    raw = content.encode() if isinstance(content, str) else content
    return _varint(field << 3 | 2) + _varint(len(raw)) + raw


def _weight(name: str, array: np.ndarray, location: str) -> bytes:
    """TensorProto; `location`: the file that holds the bytes, or empty for this one."""
    head = b"".join(_number(1, size) for size in array.shape) + _number(2, _FLOAT) + _text(8, name)
    if not location:
        return head + _text(9, array.astype("<f4").tobytes())
    return head + _text(13, _text(1, "location") + _text(2, location)) + _number(14, 1)


def _value(name: str) -> bytes:
    """ValueInfoProto of FP32 [n,4]."""
    shape = _text(1, _text(2, "n")) + _text(1, _number(1, _EDGE))
    return _text(1, name) + _text(2, _text(1, _number(1, _FLOAT) + _text(2, shape)))


def _weights(width: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, columns = np.arange(width)[:, None], np.arange(width)[None, :]
    edge = np.arange(_EDGE)
    first = (edge[:, None] == columns % _EDGE).astype(np.float32)
    middle = ((rows * 7 + columns * 13 + rows * columns % 11 + seed) % 5 - 2).astype(np.float32)
    return first, middle, (rows % _EDGE == edge[None, :]).astype(np.float32)


def dense(width: int = WIDTH, seed: int = 0, weights_file: str = "") -> bytes:
    """A model of about 4 * width * width bytes; with `weights_file` its large weight is that file's content
    (weight_bytes()) and the model itself is small."""
    names = ["a", "b", "c"]
    places = ["", weights_file, ""]
    steps = [("x", "a", "p"), ("p", "b", "q"), ("q", "c", "y")]
    nodes = b"".join(
        _text(1, _text(1, left) + _text(1, right) + _text(2, out) + _text(4, "MatMul")) for left, right, out in steps
    )
    initializers = b"".join(_text(5, _weight(*each)) for each in zip(names, _weights(width, seed), places, strict=True))
    graph = nodes + _text(2, "dense") + initializers + _text(11, _value("x")) + _text(12, _value("y"))
    return _number(1, 8) + _text(7, graph) + _text(8, _text(1, "") + _number(2, 17))


def weight_bytes(width: int = WIDTH, seed: int = 0) -> bytes:
    return _weights(width, seed)[1].astype("<f4").tobytes()


def expected_row(row: list[float], width: int = WIDTH, seed: int = 0) -> list[float]:
    first, middle, last = (weight.astype(np.float64) for weight in _weights(width, seed))
    return (np.array(row) @ first @ middle @ last).tolist()


def write_dense(folder: Path, place: str, width: int = WIDTH, seed: int = 0) -> Path:
    """Written beside, then renamed to folder/place."""
    target = folder / place
    target.parent.mkdir(parents=True, exist_ok=True)
    hidden = folder.parent / f".{folder.name}-{place.replace('/', '_')}.partial"
    hidden.write_bytes(dense(width, seed))
    hidden.rename(target)
    return target
