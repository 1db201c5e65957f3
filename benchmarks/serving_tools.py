# SPDX-License-Identifier: Apache-2.0
"""What the serving cases share: servers on folders they may change, load from `protean bench`, and the admin routes."""

import json
import os
import shutil
import statistics
import subprocess
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import encoder_model
import measure
import models as large_models
import servers

ROOT = Path(__file__).resolve().parent.parent
SERVER_CORE, CLIENT_CORE = 0, 1
CALL_SECONDS = 120


class CallFailed(RuntimeError):
    pass


class ProteanFolder(servers.Server):
    """`protean serve` on a model folder that the case fills; the administration listens on a port of its own."""

    name = "protean"
    ready_path = "/v2/health/ready"

    def __init__(self, folder, binary, models, flags=()):
        super().__init__(folder, SERVER_CORE)
        self.binary, self.models, self.flags = binary, models, list(flags)
        self.admin_port = servers.free_port()

    def command(self):
        return [self.binary, "serve", self.models, "--listen", f"127.0.0.1:{self.port}", "--listen",
                f"127.0.0.1:{self.admin_port}=admin", "--state", self.folder / "state", "--cache",
                self.folder / "cache", "--log-level", "error", *self.flags]

    def admin(self, method, path, body=None):
        return call(self.admin_port, method, path, body)

    def load_model(self, name):
        call(self.port, "POST", f"/v2/repository/models/{name}/load", {})

    def unload_model(self, name):
        call(self.port, "POST", f"/v2/repository/models/{name}/unload", {})


class TritonFolder(servers.Triton):
    """Triton under explicit model control, loading everything at the start."""

    def __init__(self, folder, tools, models, batch_rows_max=()):
        super().__init__(folder, SERVER_CORE, tools.built, models, tools.paths)
        self.batch_rows_max = dict(batch_rows_max)
        self.flags = ["--model-control-mode=explicit", "--load-model=*"]

    def load_model(self, name):
        call(self.port, "POST", f"/v2/repository/models/{name}/load", {})

    def unload_model(self, name):
        call(self.port, "POST", f"/v2/repository/models/{name}/unload", {})


def call(port, method, path, body=None):
    """The decoded JSON of one successful answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=data, method=method,
                                     headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=CALL_SECONDS) as reply:
            text = reply.read()
            return json.loads(text) if text.strip() else {}
    except urllib.error.HTTPError as error:
        raise CallFailed(f"{method} {path}: {error.code} {error.read()[:400]!r}") from error


@contextmanager
def in_background(work):
    """Runs work(stop) on a thread for the time of the block; its exception is raised at the end."""
    stop, failures = threading.Event(), []

    def body():
        try:
            work(stop)
        except Exception as failure:  # noqa: BLE001 - handed to the caller below
            failures.append(failure)

    thread = threading.Thread(target=body)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if failures:
        raise failures[0]


class Tools:
    """Paths, models and durations of one run."""

    def __init__(self, run, binary, quick):
        self.run, self.binary, self.quick = run, binary.resolve(), quick
        self.built = Path(os.environ.get("SERVING_BENCH_BUILD", ROOT / ".deps/bench/build"))
        self.onnxruntime = next((ROOT / ".deps/onnxruntime/lib").glob("libonnxruntime.so.*.*"))
        self.triton = ROOT / ".deps/bench/pytriton/pytriton/tritonserver"
        self.paths = self
        self.seconds = 1.0 if quick else 4.0
        self.repetitions = 2 if quick else 5
        self.models = encoder_model.build(run / "made")
        for name in ("conv", "dense"):
            self.models[name] = run / "made" / f"{name}.onnx"
            self.models[name].write_bytes(large_models.KINDS[name]())
        self.models["iris"] = ROOT / "examples/models/iris/2/model.onnx"
        self.models["digits"] = ROOT / "examples/models/digits.onnx"
        self.folders = 0

    def folder(self):
        self.folders += 1
        path = self.run / f"case{self.folders}"
        path.mkdir()
        return path

    def put(self, models, name, version=1, config=""):
        """Places a model as NAME/VERSION/model.onnx, with its protean.toml if any."""
        target = Path(models) / name / str(version)
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.models[name], target / "model.onnx")
        if config:
            (target.parent / "protean.toml").write_text(config)

    def protean(self, *names, flags=(), configs=None):
        folder = self.folder()
        for name in names:
            self.put(folder / "models", name, config=(configs or {}).get(name, ""))
        return ProteanFolder(folder, self.binary, folder / "models", flags)

    def triton_server(self, *names, batch_rows_max=()):
        import cases  # the description of models is shared with the other benchmarks

        models = {name: cases.describe_model(self, name, "1", self.models[name]) for name in names}
        return TritonFolder(self.folder(), self, models, batch_rows_max)

    @property
    def tools(self):
        return self.built

    def load(self, port, model, **options):
        """One run of `protean bench`; returns its JSON. Options become flags: connections=8 -> --connections 8."""
        out = self.run / "load.json"
        out.unlink(missing_ok=True)
        options.setdefault("duration", f"{self.seconds}s")
        options.setdefault("warm_up", "300ms")
        flags = []
        for name, value in options.items():
            flag = "--" + name.replace("_", "-")
            flags += [flag] if value is True else [flag, str(value)]
        done = subprocess.run(["taskset", "-c", str(CLIENT_CORE), self.binary, "bench", model, "--url",
                               f"http://127.0.0.1:{port}", "--json", out, *flags], capture_output=True, text=True,
                              timeout=CALL_SECONDS, check=False)
        if not out.exists():
            raise CallFailed(f"protean bench {model} {' '.join(flags)}: status {done.returncode}\n"
                             f"{done.stdout[-1500:]}{done.stderr[-1500:]}")
        return json.loads(out.read_text())

    def bare(self, model, rows):
        """Rows a second of the model alone in a loop, one thread on the server's core."""
        done = subprocess.run(["taskset", "-c", str(SERVER_CORE), self.built / "bare_onnxruntime", "--library",
                               self.onnxruntime, "--model", self.models[model], "--rows", str(rows), "--seconds",
                               str(min(1.0, self.seconds))], capture_output=True, text=True, check=True)
        return rows * 1e6 / json.loads(done.stdout)["wall_us"]


def median(values):
    return statistics.median(values)


def resident_bytes(server):
    return measure.read_memory_bytes(server.process.pid)["rss"]
