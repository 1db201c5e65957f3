# SPDX-License-Identifier: Apache-2.0
"""The worker's end of the channel: requests and answers in shared memory, one byte in a pipe to wake the other side.
Source: src/backends/python/wire.h, which has the layout."""

from __future__ import annotations

import math
import mmap
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from protean_worker.signature import BYTES, TYPES

OP_LOAD, OP_RUN, OP_EXPLAIN, OP_SEND_AGAIN, OP_RUN_PARTS, OP_NEXT_PART = 1, 2, 3, 4, 5, 6
STATUS_OK, STATUS_ERROR, STATUS_NEEDS_SPACE, STATUS_PART = 0, 1, 2, 3
CANCELLED, INVALID_ARGUMENT, UNIMPLEMENTED, INTERNAL = 1, 3, 12, 13

_HALF = 1 << 20
_REQUEST = struct.Struct("<QIIIIII")
_STOP_AT = 28
_ID_AT = 32
_RECORDS_AT = 320
_RECORD = struct.Struct("<IBBHQQ")
_RECORD_BYTES = 152
_ANSWER = struct.Struct("<QIIQII")
_MESSAGE_AT = _HALF + 32
_MESSAGE_MAX = 4096
_ANSWER_RECORDS_AT = _HALF + 4160
_DIMS = [struct.Struct(f"<{rank}q") for rank in range(17)]
_ALIGNMENT = 64


class ChannelClosed(ConnectionError):
    """The server has closed its end. A class of its own: models raise ConnectionError, too."""


@dataclass
class Request:
    """`tensors`: (index in the signature's inputs, array); `outputs`: indices of the outputs asked for."""

    op: int
    id: str
    tensors: list[tuple[int, np.ndarray]]
    outputs: tuple[int, ...]


def unpack_bytes_tensor(data: memoryview, shape: tuple[int, ...]) -> np.ndarray:
    """Elements of a 4-byte length and that many bytes each, as an array of `bytes`."""
    count = int(np.prod(shape, dtype=np.int64))
    array = np.empty(count, dtype=object)
    at = 0
    for i in range(count):
        size = int.from_bytes(data[at : at + 4], "little")
        array[i] = bytes(data[at + 4 : at + 4 + size])
        at += 4 + size
    return array.reshape(shape)


def _element(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else str(value).encode()


def pack_bytes_tensor(array: np.ndarray) -> bytes:
    """The inverse; elements may be `bytes` or `str`, anything else is written as its text."""
    parts = []
    for value in array.reshape(-1).tolist():
        element = _element(value)
        parts.append(len(element).to_bytes(4, "little"))
        parts.append(element)
    return b"".join(parts)


class Channel:
    """Owns the descriptors and mappings. Not thread-safe: one thread receives and answers."""

    def __init__(self, descriptor: int):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, fileno=descriptor)
        self._messages = 0
        self._sequence = 0
        self._control = self._requests = self._answers = None
        self._answers_at = 0  # address
        self._placed: dict[int, int] = {}  # answers being made in place: offset, bytes
        self._placed_end = 0
        self._wake = self._reply = -1
        self._receive_descriptors(1)

    def _receive_descriptors(self, messages: int) -> None:
        """First: control, requests, answers, wake, reply; later: a larger region, named by the message's byte."""
        while self._messages < messages:
            kind, descriptors, _, _ = socket.recv_fds(self._socket, 1, 5)
            self._messages += 1
            if kind == b"S":
                self._control = mmap.mmap(descriptors[0], 2 * _HALF)
                self._requests = self._map(descriptors[1], mmap.PROT_READ)
                self._map_answers(descriptors[2])
                self._wake, self._reply = descriptors[3:]
                os.close(descriptors[0])
            elif kind == b"Q":
                self._requests = self._map(descriptors[0], mmap.PROT_READ)
            elif kind == b"A":
                self._map_answers(descriptors[0])
            else:
                raise ChannelClosed("the server closed the channel")

    def close(self) -> None:
        """The other side hears of it. Mappings go with the last array that looks at them."""
        self._socket.close()
        for descriptor in (self._wake, self._reply):
            os.close(descriptor)

    def _map_answers(self, descriptor: int) -> None:
        self._answers = self._map(descriptor, mmap.PROT_READ | mmap.PROT_WRITE)
        self._answers_at = np.frombuffer(self._answers, np.uint8).ctypes.data
        self._placed.clear()
        self._placed_end = 0

    @staticmethod
    def _map(descriptor: int, protection: int) -> mmap.mmap:
        mapping = mmap.mmap(descriptor, os.fstat(descriptor).st_size, prot=protection)
        os.close(descriptor)
        return mapping

    def receive(self) -> Request:
        """Waits for the next request. Arrays of fixed-size elements are views of the shared memory."""
        if not os.read(self._wake, 1):
            raise ChannelClosed("the server has gone")
        self._placed.clear()
        self._placed_end = 0
        control = self._control
        self._sequence, op, messages, count, output_count, id_bytes, _ = _REQUEST.unpack_from(control, 0)
        if messages != self._messages:
            self._receive_descriptors(messages)
        text = control[_ID_AT : _ID_AT + id_bytes].decode(errors="replace") if id_bytes else ""
        tensors = list(self._tensors(count))
        outputs = struct.unpack_from(f"<{output_count}I", control, _RECORDS_AT + count * _RECORD_BYTES)
        return Request(op, text, tensors, outputs)

    def _tensors(self, count: int) -> Iterator[tuple[int, np.ndarray]]:
        at = _RECORDS_AT
        for _ in range(count):
            index, number, rank, _, offset, size = _RECORD.unpack_from(self._control, at)
            shape = _DIMS[rank].unpack_from(self._control, at + _RECORD.size)
            at += _RECORD_BYTES
            if number == BYTES:
                with memoryview(self._requests) as view, view[offset : offset + size] as data:
                    yield index, unpack_bytes_tensor(data, shape)
            else:
                yield index, np.ndarray(shape, TYPES[number][1], self._requests, offset)

    def asked_to_stop(self) -> bool:
        """Whether the server gave up waiting for the request received last."""
        return self._control[_STOP_AT] != 0

    def place(self, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
        """An array where its answer will lie, or an ordinary one where there is no room yet."""
        size = math.prod(shape) * dtype.itemsize
        offset = self._placed_end
        if size == 0 or offset + size > len(self._answers):
            return np.empty(shape, dtype)
        self._placed[offset] = size
        self._placed_end = offset + self._padded(size)
        return np.ndarray(shape, dtype, self._answers, offset)

    def _take_placed(self, data: bytes | np.ndarray) -> int | None:
        """Where it lies already; each place is given out once."""
        if not self._placed or isinstance(data, bytes) or not data.flags.c_contiguous:
            return None
        offset = data.ctypes.data - self._answers_at
        if data.nbytes == 0 or self._placed.get(offset, 0) < data.nbytes:
            return None
        del self._placed[offset]
        return offset

    def part(self, tensors: list[tuple[int, int, np.ndarray]]) -> bool:
        """As answer(), with more to come. Waits until the server has taken it; False when it wants no more."""
        self.answer(tensors, STATUS_PART)
        if self.receive().op != OP_NEXT_PART:
            raise ChannelClosed("expected to be asked for the next part")
        return not self.asked_to_stop()

    def answer(self, tensors: list[tuple[int, int, np.ndarray]], status: int = STATUS_OK) -> None:
        """Sends (index, number of the type, array) back; waits for more shared memory where they do not fit."""
        flat = [
            (index, number, array.shape, pack_bytes_tensor(array) if number == BYTES else array)
            for index, number, array in tensors
        ]
        places = [self._take_placed(data) for _, _, _, data in flat]
        needed = self._placed_end
        for place, (_, _, _, data) in zip(places, flat):
            needed += self._padded(self._size(data)) if place is None else 0
        while needed > len(self._answers):
            self._send(STATUS_NEEDS_SPACE, bytes_needed=needed)
            if self.receive().op != OP_SEND_AGAIN:
                raise ChannelClosed("expected to be asked again")
            places = [None] * len(flat)  # what was made in place lies in the memory before
        end = self._placed_end
        for position, (index, number, shape, data) in enumerate(flat):
            size = self._size(data)
            offset = places[position]
            if offset is None:
                offset = end
                end += self._padded(size)
                if isinstance(data, bytes):
                    self._answers[offset : offset + size] = data
                else:
                    np.ndarray(shape, data.dtype, self._answers, offset)[...] = data
            at = _ANSWER_RECORDS_AT + position * _RECORD_BYTES
            _RECORD.pack_into(self._control, at, index, number, len(shape), 0, offset, size)
            _DIMS[len(shape)].pack_into(self._control, at + _RECORD.size, *shape)
        self._send(status, count=len(flat))

    @staticmethod
    def _size(data: bytes | np.ndarray) -> int:
        return len(data) if isinstance(data, bytes) else data.nbytes

    @staticmethod
    def _padded(size: int) -> int:
        return -(-size // _ALIGNMENT) * _ALIGNMENT

    def fail(self, code: int, message: str) -> None:
        """Sends an error; `code`: of gRPC. Messages are cut to what fits."""
        text = message.encode(errors="replace")[:_MESSAGE_MAX]
        self._control[_MESSAGE_AT : _MESSAGE_AT + len(text)] = text
        self._send(STATUS_ERROR, code=code, message_bytes=len(text))

    def _send(self, status: int, count: int = 0, bytes_needed: int = 0, code: int = 0, message_bytes: int = 0) -> None:
        _ANSWER.pack_into(
            self._control, _HALF, self._sequence, status, count, bytes_needed, code, message_bytes
        )
        try:
            os.write(self._reply, b"\1")
        except BrokenPipeError:
            raise ChannelClosed("the server has gone") from None
