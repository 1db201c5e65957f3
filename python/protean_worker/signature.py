# SPDX-License-Identifier: Apache-2.0
"""Inputs, outputs and columns as models declare them, and as the server reads them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

TYPES: tuple[tuple[str, np.dtype], ...] = (
    ("BOOL", np.dtype("?")),
    ("UINT8", np.dtype("u1")),
    ("UINT16", np.dtype("<u2")),
    ("UINT32", np.dtype("<u4")),
    ("UINT64", np.dtype("<u8")),
    ("INT8", np.dtype("i1")),
    ("INT16", np.dtype("<i2")),
    ("INT32", np.dtype("<i4")),
    ("INT64", np.dtype("<i8")),
    ("FP16", np.dtype("<f2")),
    ("BF16", np.dtype("<u2")),
    ("FP32", np.dtype("<f4")),
    ("FP64", np.dtype("<f8")),
    ("BYTES", np.dtype("O")),
)
"""Names of the Open Inference Protocol, with their arrays' types; the position is the number on the channel."""

NUMBERS = {name: number for number, (name, _) in enumerate(TYPES)}
BYTES = NUMBERS["BYTES"]
RANK_MAX = 16
TENSORS_MAX = 4096


def type_of(dtype: np.dtype) -> str:
    """The protocol's name for an array's type. Errors: TypeError when it has none."""
    if dtype.kind in "OSU":
        return "BYTES"
    for name, known in TYPES:
        if known == dtype and name != "BF16":
            return name
    raise TypeError(f"arrays of {dtype} have no type in the protocol")


@dataclass(frozen=True)
class Input:
    """`type`: `FP32`, `BYTES` and so on; `shape`: -1 where any size will do, None for any number of dimensions;
    `optional`: requests may leave it out, and it is then missing from what the model gets."""

    name: str
    type: str
    shape: Sequence[int] | None
    optional: bool = False
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Output:
    """As Input; `parameters` are told to clients, such as {"class_labels": '["a", "b"]'}."""

    name: str
    type: str
    shape: Sequence[int] | None
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Column:
    """`type`: as clients send it, BYTES for text. `categories`: the texts it may hold; empty: any value."""

    name: str
    type: str = "FP32"
    nullable: bool = False
    categories: Sequence[str] = ()


@dataclass
class Signature:
    platform: str
    inputs: list[Input]
    outputs: list[Output]
    columns: list[Column]


def check_signature(signature: Signature) -> None:
    """Errors: TypeError or ValueError that says which declaration is wrong."""
    for kind, specs in (("input", signature.inputs), ("output", signature.outputs)):
        if not specs:
            raise ValueError(f"the model declares no {kind}s: set `{kind}s = [...]` in its class, or in load()")
        if len(specs) > TENSORS_MAX:
            raise ValueError(f"{len(specs)} {kind}s, expected at most {TENSORS_MAX}")
        if len({spec.name for spec in specs}) != len(specs):
            raise ValueError(f"two {kind}s have the same name")
        for spec in specs:
            _check_spec(kind, spec)
    for column in signature.columns:
        if column.type not in NUMBERS:
            raise ValueError(f"column '{column.name}': type '{column.type}', expected one of {', '.join(NUMBERS)}")


def _check_spec(kind: str, spec: Input | Output) -> None:
    if not isinstance(spec, Input if kind == "input" else Output):
        raise TypeError(f"{kind}s hold {spec!r}, expected protean_worker.{kind.capitalize()}")
    if spec.type not in NUMBERS:
        raise ValueError(f"{kind} '{spec.name}': type '{spec.type}', expected one of {', '.join(NUMBERS)}")
    if spec.shape is None:
        return
    if len(spec.shape) > RANK_MAX or any(size < -1 for size in spec.shape):
        raise ValueError(f"{kind} '{spec.name}': shape {list(spec.shape)}, expected at most {RANK_MAX} sizes or -1")


def pack_text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<I", len(data)) + data


def pack_texts(texts: Sequence[str]) -> bytes:
    return struct.pack("<I", len(texts)) + b"".join(map(pack_text, texts))


def _pack_spec(spec: Input | Output) -> bytes:
    shape = spec.shape or ()
    flags = (1 if getattr(spec, "optional", False) else 0) | (2 if spec.shape is None else 0)
    pairs = [text for pair in spec.parameters.items() for text in pair]
    head = struct.pack(f"<BBB{len(shape)}q", NUMBERS[spec.type], flags, len(shape), *shape)
    return pack_text(spec.name) + head + pack_texts(pairs)


def pack_signature(signature: Signature, explains: bool, streams: bool, notes: Sequence[str]) -> bytes:
    """The answer to loading. Source: src/backends/python/signature_reader.h."""
    parts = [pack_text(signature.platform)]
    for specs in (signature.inputs, signature.outputs):
        parts.append(struct.pack("<I", len(specs)))
        parts.extend(map(_pack_spec, specs))
    parts.append(struct.pack("<I", len(signature.columns)))
    for column in signature.columns:
        parts.append(pack_text(column.name) + struct.pack("<BB", NUMBERS[column.type], column.nullable))
        parts.append(pack_texts(list(column.categories)))
    parts.append(struct.pack("<B", explains + 2 * streams))
    parts.append(pack_texts(list(notes)))
    return b"".join(parts)
