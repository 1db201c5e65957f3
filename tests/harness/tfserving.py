# SPDX-License-Identifier: Apache-2.0
"""A server with a listener that speaks TensorFlow Serving's dialect, on whatever port is free."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from harness.curl import Curl, Reply
from harness.server import Server, serving

_LISTENING = "0A"


def _listening_ports(pid: int) -> list[int]:
    """Ports of the TCP sockets of a process that listen, in the order in which they were opened."""
    links = [(int(link.name), str(link.readlink())) for link in Path(f"/proc/{pid}/fd").iterdir()]
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    ports = {f"socket:[{row[9]}]": int(row[1].partition(":")[2], 16) for row in rows if row[3] == _LISTENING}
    return [ports[target] for _, target in sorted(links) if target in ports]


@contextlib.contextmanager
def serving_tfserving(folder: Path, models: Path, *flags: object) -> Iterator[tuple[Server, str]]:
    """The server and the authority of its listener."""
    listeners = ("--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0=tfserving")
    with serving(folder, models, *listeners, *flags) as server:
        others = [port for port in _listening_ports(server.pid) if port != server.port]
        assert len(others) == 1, others
        yield server, f"127.0.0.1:{others[0]}"


def curl_to(authority: str) -> Curl:
    return Curl(f"http://{authority}", None)


def error_of(reply: Reply) -> str:
    """The message of an error, whose body must have the original's layout to the byte."""
    found = re.fullmatch(r'\{\n    "error": "(.*)"\n\}', reply.text, re.DOTALL)
    assert found, reply.text
    assert reply.headers["content-type"] == "application/json"
    return found[1]
