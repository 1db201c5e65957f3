# SPDX-License-Identifier: Apache-2.0
"""Tensors of the protocol as NumPy arrays, and back: JSON, raw little-endian bytes, typed protobuf contents."""

import struct

import ml_dtypes
import numpy as np

DTYPES = {
    "BOOL": np.dtype(np.bool_),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "FP16": np.dtype("<f2"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    "BYTES": np.dtype(object),
}
CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


def array_of(datatype: str, shape: list[int], data: list) -> np.ndarray:
    """From JSON's flat or nested data; strings become bytes, null NaN."""
    if datatype == "BYTES":
        flat = [text.encode() if isinstance(text, str) else text for text in _flat(data)]
        array = np.empty(len(flat), object)
        array[:] = flat
        return array.reshape(shape)
    flat = [float("nan") if value is None else value for value in _flat(data)]
    return np.array(flat, DTYPES[datatype]).reshape(shape)


def array_of_tensor(tensor: dict) -> np.ndarray:
    """From a tensor of a JSON body."""
    return array_of(tensor["datatype"], tensor["shape"], tensor["data"])


def raw_of(datatype: str, array: np.ndarray) -> bytes:
    if datatype == "BYTES":
        return b"".join(struct.pack("<I", len(element)) + element for element in array.flatten())
    return np.ascontiguousarray(array, DTYPES[datatype]).tobytes()


def array_of_raw(datatype: str, shape: list[int], raw: bytes) -> np.ndarray:
    if datatype != "BYTES":
        return np.frombuffer(raw, DTYPES[datatype]).reshape(shape)
    elements, at = [], 0
    while at < len(raw):
        (size,) = struct.unpack_from("<I", raw, at)
        elements.append(raw[at + 4 : at + 4 + size])
        at += 4 + size
    assert at == len(raw), "the last element is cut off"
    return array_of("BYTES", shape, elements)


def nested(array: np.ndarray) -> object:
    """Nested lists as JSON takes them."""
    return _json_value(array.tolist())


def flat_json(array: np.ndarray) -> list:
    return [_json_value(value) for value in array.flatten().tolist()]


def assert_agree(found: np.ndarray, expected: np.ndarray, tolerance: float, name: str) -> None:
    """Equal shapes; floats within `tolerance * max(1, |expected|)`, all else equal (examples/train/README.md)."""
    assert found.shape == expected.shape, f"{name}: shape {found.shape}, expected {expected.shape}"
    if is_float(expected):
        off = np.abs(found.astype(np.float64) - expected) / np.maximum(1.0, np.abs(expected.astype(np.float64)))
        worst = off.max(initial=0.0)
        assert worst <= tolerance, f"{name}: off by {worst:g}, expected at most {tolerance:g}"
    else:
        assert found.tolist() == expected.tolist(), name


def assert_same_bits(found: np.ndarray, expected: np.ndarray) -> None:
    """Equal to the last bit, NaN with NaN and -0.0 not with 0.0."""
    assert found.shape == expected.shape
    same = found.tolist() == expected.tolist()
    if is_float(expected):
        # Every float type here fits into FP64 without rounding.
        wide, wanted = found.astype(np.float64), expected.astype(np.float64)
        both_nan = np.isnan(wide) & np.isnan(wanted)
        same = bool(np.all(both_nan | ((wide == wanted) & (np.signbit(wide) == np.signbit(wanted)))))
    assert same, f"found {str(found.tolist())[:500]}, expected {str(expected.tolist())[:500]}"


def is_float(array: np.ndarray) -> bool:
    return array.dtype.kind == "f" or array.dtype == DTYPES["BF16"]


def _flat(data: object) -> list:
    if not isinstance(data, list):
        return [data]
    return [value for row in data for value in _flat(row)] if data and isinstance(data[0], list) else data


def _json_value(value: object) -> object:
    if isinstance(value, list):
        return [_json_value(row) for row in value]
    return value.decode() if isinstance(value, bytes) else value
