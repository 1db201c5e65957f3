# SPDX-License-Identifier: Apache-2.0
"""The servers that are compared: Protean and its peers, each started on loopback, pinned to one core, and stopped.

A server is a context manager. `port` speaks HTTP, `grpc_port` gRPC (the same number for Protean). Output goes to a log
file in the run's folder, of which the end is shown when a server does not come up.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import measure

START_SECONDS = 60
STOP_SECONDS = 20


class ServerFailed(RuntimeError):
    pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One process. Subclasses give command() and, where a connect is not enough, ready_path."""

    name = "server"
    ready_path = None

    def __init__(self, folder, core):
        self.folder = Path(folder) / self.name
        self.core = core
        self.port = free_port()
        self.grpc_port = self.port
        self.process = None
        self.prefix = []  # of the command line: a profiler

    def command(self):
        raise NotImplementedError

    def environment(self):
        return dict(os.environ)

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                ["taskset", "-c", str(self.core), *self.prefix, *map(str, self.command())],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment(), start_new_session=True)
        try:
            self._wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def cpu(self):
        return measure.read_cpu(self.process.pid)

    def memory_bytes(self):
        return measure.read_memory_bytes(self.process.pid)

    def _wait_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            if self._is_ready():
                return
            time.sleep(0.05)
        tail = (self.folder / "log").read_text(errors="replace")[-2000:]
        raise ServerFailed(f"{self.name} did not become ready (status {self.process.poll()}):\n{tail}")

    def _is_ready(self):
        try:
            if self.ready_path is None:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{self.ready_path}", timeout=2) as reply:
                return reply.status == 200
        except (OSError, urllib.error.URLError):
            return False


class Protean(Server):
    """The server of this project, on a folder that holds only the models of the benchmarks."""

    name = "protean"
    ready_path = "/v2/health/ready"

    def __init__(self, folder, core, binary, models):
        super().__init__(folder, core)
        self.binary = binary
        self.models = models

    def command(self):
        root = self.folder / "models"
        shutil.rmtree(root, ignore_errors=True)
        for model in self.models.values():
            (root / model.name / model.version).mkdir(parents=True)
            shutil.copy(model.path, root / model.name / model.version / "model.onnx")
        return [self.binary, "serve", root, "--listen", f"127.0.0.1:{self.port}"]


class Nginx(Server):
    """One worker, no access log, keep-alive without end; answers `reply` as a constant.

    /constant  `return 200`: a body that came with the headers is never looked at; a longer one is read from the socket
               in pieces of 4 KB and thrown away
    /kept      the body is read whole into one buffer in memory, then the same constant is answered (echo module)
    """

    name = "nginx"
    ready_path = "/ready"

    def __init__(self, folder, core, reply):
        super().__init__(folder, core)
        self.reply = reply.decode("latin-1")
        self.http2_port = free_port()

    def command(self):
        constant = "'" + self.reply.replace("\\", "\\\\").replace("'", "\\'") + "'"
        temporary = "\n".join(f"  {kind}_temp_path {self.folder}/{kind};"
                              for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        config = f"""
load_module /usr/lib/nginx/modules/ngx_http_echo_module.so;
daemon off;
worker_processes 1;
error_log stderr warn;
pid {self.folder}/pid;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  default_type application/json;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  client_max_body_size 8m;
  client_body_buffer_size 1m;
  client_body_in_single_buffer on;
{temporary}
  server {{
    listen 127.0.0.1:{self.port};
    listen 127.0.0.1:{self.http2_port} http2;
    location /ready {{ return 200; }}
    location /constant {{ return 200 {constant}; }}
    location /kept {{ echo_read_request_body; echo -n {constant}; }}
  }}
}}
"""
        (self.folder / "nginx.conf").write_text(config)
        return ["nginx", "-p", self.folder, "-c", self.folder / "nginx.conf", "-e", "stderr"]


class GrpcCallback(Server):
    """A minimal grpc++ server (callback API) that answers `reply`, a serialised ModelInferResponse."""

    name = "grpc++"

    def __init__(self, folder, core, tools, reply):
        super().__init__(folder, core)
        self.tools = tools
        self.reply = reply

    def command(self):
        (self.folder / "reply").write_bytes(self.reply)
        return [self.tools / "grpc_callback_server", "--port", self.port, "--reply", self.folder / "reply"]


class TcpEcho(Server):
    """The loopback round trip: `reply_bytes` for every `request_bytes`."""

    name = "tcp echo"

    def __init__(self, folder, core, tools, request_bytes, reply_bytes):
        super().__init__(folder, core)
        self.arguments = [tools / "tcp_echo", "--request-bytes", request_bytes, "--reply-bytes", reply_bytes]

    def command(self):
        return [*self.arguments, "--port", self.port]


class Triton(Server):
    """NVIDIA Triton as the nvidia-pytriton wheel ships it, with the minimal ONNX Runtime backend of this folder."""

    name = "triton"
    ready_path = "/v2/health/ready"

    def __init__(self, folder, core, tools, models, paths):
        super().__init__(folder, core)
        self.grpc_port = free_port()
        self.tools = tools
        self.models = models
        self.paths = paths
        self.batch_rows_max = {}  # model name: rows of its dynamic batcher; absent: no batching
        self.flags = []

    def environment(self):
        return dict(os.environ, PROTEAN_BENCH_ONNXRUNTIME=str(self.paths.onnxruntime))

    def command(self):
        repository = self.folder / "models"
        backends = self.folder / "backends"
        shutil.rmtree(repository, ignore_errors=True)
        (backends / "onnx_minimal").mkdir(parents=True, exist_ok=True)
        shutil.copy(self.tools / "libtriton_onnx_minimal.so", backends / "onnx_minimal")
        for model in self.models.values():
            (repository / model.name / model.version).mkdir(parents=True)
            shutil.copy(model.path, repository / model.name / model.version / "model.onnx")
            (repository / model.name / "config.pbtxt").write_text(triton_config(model, self.batch_rows_max.get(model.name, 0)))
        return [self.paths.triton / "bin" / "tritonserver", f"--model-repository={repository}",
                f"--backend-directory={backends}", f"--http-port={self.port}", f"--grpc-port={self.grpc_port}",
                "--http-address=127.0.0.1", "--grpc-address=127.0.0.1", "--allow-metrics=false", "--log-info=false", *self.flags]


def triton_config(model, batch_rows_max=0):
    """The config.pbtxt of one model: one instance on the CPU; with the dynamic batcher when `batch_rows_max` > 0."""

    def dims(shape):  # a row that is a scalar has to be said in two steps
        return f"dims: {json.dumps(shape)}" if shape else "dims: [1] reshape: { shape: [] }"

    def tensors(kind, declared):
        skipped = 1 if batch_rows_max else 0  # the batcher adds the first dimension itself
        rows = ",\n".join(
            f'  {{ name: "{t["name"]}" data_type: TYPE_{t["datatype"]} {dims(t["shape"][skipped:])} }}'
            for t in declared)
        return f"{kind} [\n{rows}\n]\n"

    batcher = "dynamic_batching { }\n" if batch_rows_max else ""
    return (f'name: "{model.name}"\nbackend: "onnx_minimal"\nmax_batch_size: {batch_rows_max}\n' + batcher +
            "instance_group [ { count: 1 kind: KIND_CPU } ]\n"
            + tensors("input", model.signature["inputs"]) + tensors("output", model.signature["outputs"]))
