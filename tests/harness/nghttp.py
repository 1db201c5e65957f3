# SPDX-License-Identifier: Apache-2.0
"""nghttp as a client, for gRPC calls put together by hand: it shows fields and trailers whatever ends the stream."""

import re
import subprocess
import tempfile

from harness.paths import tool
from harness.server import Server

_FIELD = re.compile(r"recv \(stream_id=\d+\) (:?[a-z0-9-]+): (.*)$", re.MULTILINE)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
MODEL_INFER = "/inference.GRPCInferenceService/ModelInfer"


def post(server: Server, path: str, body: bytes, **fields: str) -> dict[str, str]:
    """Field and trailer values of the answer by name. `fields`: with `_` for `-`."""
    with tempfile.NamedTemporaryFile(prefix="protean-nghttp-") as file:
        file.write(body)
        file.flush()
        command = [tool("nghttp"), "-v", "-t", "60", "-d", file.name]
        for name, value in fields.items():
            command += ["-H", f"{name.replace('_', '-')}: {value}"]
        done = subprocess.run(
            [*command, server.url + path], capture_output=True, text=True, errors="replace", timeout=90
        )
    return dict(_FIELD.findall(_COLOUR.sub("", done.stdout)))


def call(server: Server, body: bytes, path: str = MODEL_INFER, **fields: str) -> tuple[str, str]:
    """grpc-status and grpc-message of a gRPC call; `body`: messages with their prefixes."""
    found = post(server, path, body, content_type="application/grpc", te="trailers", **fields)
    assert found[":status"] == "200", found
    return found["grpc-status"], found.get("grpc-message", "")


def framed(message: bytes, compressed: int = 0) -> bytes:
    """A message with the five bytes that gRPC puts before it."""
    return bytes([compressed]) + len(message).to_bytes(4, "big") + message
