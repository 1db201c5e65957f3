# SPDX-License-Identifier: Apache-2.0
"""The clients: closed-loop load over HTTP/1.1 (load_client) and gRPC (h2load), idle connections, and one-off requests.

Each load function returns {"requests", "seconds", "rps", "p50_us", "p99_us"} and raises ClientFailed when any answer
was not a success: a server that fails fast must not look fast.
"""

import json
import re
import resource
import socket
import struct
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass

RECEIVE_SECONDS = 10
SETTLE_SECONDS = 0.3  # for the bookkeeping that follows a server's last answer


class ClientFailed(RuntimeError):
    pass


@dataclass
class Load:
    """Closed loop: `streams` requests at a time on each of `connections` (HTTP/1.1: one), for `seconds`."""

    connections: int
    streams: int
    seconds: float


def raise_file_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def post(port, path, body, headers=()):
    """The body of one successful answer."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body, headers=dict(headers), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=RECEIVE_SECONDS) as reply:
            return reply.read()
    except urllib.error.HTTPError as error:
        raise ClientFailed(f"{path}: {error.code} {error.read()[:300]!r}") from error


def http_load(paths, port, load, request, reply_bytes=0):
    """`request`: a whole HTTP/1.1 request; with `reply_bytes` the answer is that many raw bytes instead of HTTP."""
    request_file = paths.run / "http_request"
    request_file.write_bytes(request)
    done = _run(["taskset", "-c", paths.client_core, paths.tools / "load_client", "--port", port, "--connections",
                 load.connections, "--seconds", load.seconds, "--request", request_file, "--reply-bytes", reply_bytes],
                load.seconds)
    return json.loads(done)


MODEL_INFER = "/inference.GRPCInferenceService/ModelInfer"


def grpc_load(paths, port, load, frame, method=MODEL_INFER):
    """Load through h2load; `frame`: a length-prefixed gRPC message."""
    body = paths.run / "grpc_body"
    log = paths.run / "h2load_log"
    body.write_bytes(frame)
    log.unlink(missing_ok=True)
    text = _run(["taskset", "-c", paths.client_core, "h2load", "-t", 1, "-c", load.connections, "-m", load.streams,
                 "-D", f"{int(load.seconds * 1000)}ms", "-d", body, "--log-file", log,
                 "-H", "content-type: application/grpc", "-H", "te: trailers",
                 f"http://127.0.0.1:{port}{method}"], load.seconds)
    totals = re.search(r"(\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored", text)
    if not totals or int(totals[3]) or int(totals[4]) or not int(totals[1]):
        raise ClientFailed(f"h2load:\n{text}")
    latencies = sorted(int(line.rsplit("\t", 1)[1]) for line in log.read_text().splitlines())
    requests = int(totals[1])
    return {"requests": requests, "seconds": load.seconds, "rps": requests / load.seconds,
            "p50_us": latencies[len(latencies) // 2], "p99_us": latencies[int(len(latencies) * 0.99)],
            "body_bytes": _h2load_data_bytes(text) / requests}


def verify_grpc(paths, port, frame, method=MODEL_INFER):
    """One call through nghttp: checks grpc-status 0 and returns the answer's message, without its prefix."""
    body = paths.run / "grpc_body"
    body.write_bytes(frame)
    command = ["nghttp", "-v", "-d", body, "-H", ":method: POST", "-H", "content-type: application/grpc", "-H",
               "te: trailers", f"http://127.0.0.1:{port}{method}"]
    text = _run(command, RECEIVE_SECONDS)
    status = re.findall(r"grpc-status: (\d+)", text)
    if status != ["0"]:
        raise ClientFailed(f"gRPC verification: grpc-status {status}, expected 0\n{text[-1500:]}")
    command.remove("-v")
    done = subprocess.run([str(part) for part in command], capture_output=True, timeout=RECEIVE_SECONDS, check=True)
    (length,) = struct.unpack(">I", done.stdout[1:5])
    if length != len(done.stdout) - 5:
        raise ClientFailed(f"gRPC verification: prefix says {length} bytes, {len(done.stdout) - 5} came")
    return done.stdout[5:]


def open_idle_http1(port, count, request):
    """`count` keep-alive connections, each after one answered `request` (whole, in bytes). The caller closes them."""
    connections = []
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", port), RECEIVE_SECONDS)
        connections.append(connection)
        connection.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received:
            received += _receive(connection)
        if not received.startswith(b"HTTP/1.1 200"):
            raise ClientFailed(f"idle connection: {received[:200]!r}")
    time.sleep(SETTLE_SECONDS)
    return connections


def open_idle_http2(port, count, path, body):
    """`count` HTTP/2 connections (prior knowledge), each after one answered POST. The caller closes them."""
    # HPACK: :method POST and :scheme http by index; :path, :authority and content-type as literals, names by index.
    block = b"\x83\x86" + b"\x04" + _hpack_text(path) + b"\x01" + _hpack_text("127.0.0.1")
    block += b"\x0f\x10" + _hpack_text("application/json")
    opening = (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _http2_frame(0x4, 0, 0, b"")
               + _http2_frame(0x1, 0x4, 1, block) + _http2_frame(0x0, 0x1, 1, body))
    connections = []
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", port), RECEIVE_SECONDS)
        connections.append(connection)
        connection.sendall(opening)
        _await_http2_answer(connection)
    time.sleep(SETTLE_SECONDS)
    return connections


def _hpack_text(text):
    return bytes([len(text)]) + text.encode()


def _await_http2_answer(connection):
    """Reads frames until stream 1 ends; acknowledges the server's settings."""
    buffer = b""
    while True:
        while len(buffer) < 9 or len(buffer) < 9 + int.from_bytes(buffer[:3], "big"):
            buffer += _receive(connection)
        length, kind, flags = int.from_bytes(buffer[:3], "big"), buffer[3], buffer[4]
        stream = int.from_bytes(buffer[5:9], "big") & 0x7FFFFFFF
        buffer = buffer[9 + length:]
        if kind == 0x4 and not flags & 0x1:
            connection.sendall(_http2_frame(0x4, 0x1, 0, b""))
        elif kind in (0x3, 0x7):
            raise ClientFailed(f"HTTP/2: the server sent frame type {kind}")
        elif stream == 1 and kind in (0x0, 0x1) and flags & 0x1:
            return


def _http2_frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _receive(connection):
    received = connection.recv(65536)
    if not received:
        raise ClientFailed("the server closed a connection")
    return received


def _h2load_data_bytes(text):
    """Bytes of DATA frames' payload in h2load's traffic line, such as `... (12345) data`."""
    match = re.search(r"\((\d+)\) data", text)
    return int(match[1]) if match else 0


def _run(command, seconds):
    done = subprocess.run([str(part) for part in command], capture_output=True, errors="replace", timeout=seconds + 60,
                          check=False)
    if done.returncode != 0:
        raise ClientFailed(f"{command[0]}: status {done.returncode}\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
    return done.stdout
