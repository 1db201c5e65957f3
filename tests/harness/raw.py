# SPDX-License-Identifier: Apache-2.0
"""A bare socket to the server, for what no client library would send, and what came back on it."""

import socket
import ssl
from dataclasses import dataclass

from harness.server import Server

SECONDS = 30
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\x04\0\0\0\0\0"
GOAWAY = 7


@dataclass
class Answer:
    """One HTTP/1.1 response."""

    status: int
    headers: dict[str, str]
    body: bytes


def connect(server: Server, receive_buffer: int = 0) -> socket.socket:
    """`receive_buffer`: bytes the kernel may hold for us, so that a client that does not read is felt soon."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(SECONDS)
    connection.connect((server.host, server.port))
    if server.certificate is None:
        return connection
    return ssl.create_default_context(cafile=str(server.certificate)).wrap_socket(
        connection, server_hostname="127.0.0.1"
    )


def read_to_end(connection: socket.socket) -> bytes:
    """Everything until the server closes; what a reset leaves unread is gone."""
    data = b""
    try:
        while piece := connection.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return data


def exchange(server: Server, data: bytes, half_close: bool = False) -> bytes:
    """Sends `data` on a connection of its own and returns all that comes back until the server closes."""
    with connect(server) as connection:
        try:
            connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return read_to_end(connection)


def parse_answers(data: bytes) -> list[Answer]:
    """Responses with Content-Length, one after another; interim ones are answers of their own."""
    answers = []
    while data:
        head, separator, data = data.partition(b"\r\n\r\n")
        assert separator, f"an incomplete response: {head[:200]!r}"
        first, *fields = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        size = int(headers.get("content-length", 0))
        answers.append(Answer(int(first.split()[1]), headers, data[:size]))
        data = data[size:]
    return answers


def read_answer(connection: socket.socket) -> Answer:
    """The next response on a connection that stays open."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(1)
        assert piece, f"closed after {data!r}"
        data += piece
    size = parse_answers(data)[0].headers.get("content-length", "0")
    body = b""
    while len(body) < int(size):
        piece = connection.recv(int(size) - len(body))
        assert piece, "closed inside a body"
        body += piece
    answer = parse_answers(data)[0]
    answer.body = body
    return answer


def post(path: str, body: bytes, *fields: str) -> bytes:
    """A request as HTTP/1.1 has it."""
    lines = [f"POST {path} HTTP/1.1", "Host: test", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def get(path: str, *fields: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: test", *fields]).encode() + b"\r\n\r\n"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """An HTTP/2 frame."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def frames(data: bytes) -> list[tuple[int, int, int, bytes]]:
    """(kind, flags, stream, payload) of what the server sent."""
    found = []
    while len(data) >= 9:
        size = int.from_bytes(data[:3], "big")
        found.append((data[3], data[4], int.from_bytes(data[5:9], "big") & 0x7FFFFFFF, data[9 : 9 + size]))
        data = data[9 + size :]
    return found


def header_block(*fields: tuple[str, str]) -> bytes:
    """HPACK: every field literal, not indexed, not compressed."""
    block = b""
    for name, value in fields:
        block += b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
    return block


def request_block(method: str, path: str, *fields: tuple[str, str]) -> bytes:
    """The header block of a request over HTTP/2."""
    return header_block((":method", method), (":scheme", "http"), (":path", path), (":authority", "test"), *fields)
