# SPDX-License-Identifier: Apache-2.0
"""curl as a client: one call, one process, what came back."""

import json
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

_SECONDS = "60"
HTTP1 = ("--http1.1",)
HTTP2 = ("--http2-prior-knowledge",)
HTTP2_ALPN = ("--http2",)


@dataclass
class Reply:
    """`headers`: names in lower case, of the last response. `exit_code`: curl's own, 0 for a complete answer."""

    status: int
    version: str
    headers: dict[str, str]
    body: bytes
    exit_code: int = 0
    stderr: str = ""
    interim: list[int] = field(default_factory=list)

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self):
        return json.loads(self.body)

    def error(self) -> str:
        """The text of `{"error": ...}`; the body must be exactly that."""
        found = self.json()
        assert set(found) == {"error"} and isinstance(found["error"], str) and found["error"], found
        return found["error"]


@dataclass
class Curl:
    """Requests to one server. `flags` go to curl as they are and come last, so they win."""

    base: str
    certificate: Path | None = None

    def get(self, path: str, *flags: str) -> Reply:
        return self.send(path, None, *flags)

    def post(self, path: str, body: bytes | str, *flags: str) -> Reply:
        return self.send(path, body.encode() if isinstance(body, str) else body, *flags)

    def post_json(self, path: str, value: object, *flags: str) -> Reply:
        return self.post(path, json.dumps(value), "-H", "Content-Type: application/json", *flags)

    def infer(self, model: str, request: dict, *flags: str, version: str = "") -> Reply:
        return self.post_json(infer_path(model, version), request, *flags)

    def send(self, path: str, body: bytes | None, *flags: str) -> Reply:
        with tempfile.TemporaryDirectory(prefix="protean-curl-") as folder:
            head, out = Path(folder, "head"), Path(folder, "body")
            out.touch()
            command = ["curl", "-sS", "--max-time", _SECONDS, "-D", str(head), "-o", str(out), "-w", "%{http_version}"]
            if self.certificate:
                command += ["--cacert", str(self.certificate)]
            if body is not None:
                command += ["--data-binary", "@-"]
            done = subprocess.run([*command, *flags, self.base + path], input=body or b"", capture_output=True)
            return _reply(done, head.read_bytes() if head.exists() else b"", out.read_bytes())


def infer_path(model: str, version: str = "") -> str:
    return f"/v2/models/{model}" + (f"/versions/{version}" if version else "") + "/infer"


def _reply(done: subprocess.CompletedProcess, head: bytes, body: bytes) -> Reply:
    statuses: list[int] = []
    headers: dict[str, str] = {}
    for line in head.decode("latin-1").splitlines():
        if line.startswith("HTTP/"):
            statuses.append(int(line.split()[1]))
            headers = {}
        elif ":" in line:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
    status = statuses[-1] if statuses else 0
    return Reply(status, done.stdout.decode(), headers, body, done.returncode, done.stderr.decode(), statuses[:-1])
