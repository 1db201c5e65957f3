# SPDX-License-Identifier: Apache-2.0
"""`protean migrate` between two servers that speak TensorFlow Serving, and clients of all of them."""

import json
import re
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import grpc
import numpy as np

from harness import paths
from harness.grpc_stub import channel, message_class, unary
from harness.server import clean_environment
from harness.tensorflow import interpreter
from harness.wait import wait_until

_SANITIZER = re.compile(r"ERROR: (Address|Leak|UndefinedBehavior)Sanitizer|runtime error:")


class OldServer:
    """harness/old_tfserving.py as a process: real TensorFlow, with faults to plant."""

    def __init__(self, folder: Path, *plants: str, models: dict[str, Path] | None = None):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.plants = plants
        self.models = models or {}
        self.rest_port = self.grpc_port = 0
        self.process: subprocess.Popen | None = None
        self.begin()
        self.wait_ready()

    def begin(self) -> None:
        """Starts the process, on the ports that it had before."""
        script = Path(__file__).with_name("old_tfserving.py")
        ports = ["--rest-port", self.rest_port, "--grpc-port", self.grpc_port]
        plants = [each for kind in self.plants for each in ("--plant", kind)]
        plants += [each for name, path in self.models.items() for each in ("--model", f"{name}={path}")]
        with open(self.folder / "out.txt", "wb") as out, open(self.folder / "err.txt", "wb") as err:
            # -P: the folder of the script holds a tensorflow.py of its own.
            command = [str(each) for each in (interpreter(), "-P", script, *ports, *plants)]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    def wait_ready(self) -> None:
        def ready() -> re.Match | None:
            assert self.process.poll() is None, (self.folder / "err.txt").read_text()
            return re.search(r"^ready (\d+) (\d+)$", (self.folder / "out.txt").read_text(), re.MULTILINE)

        found = wait_until(ready, "the stand-in serves", 60)
        self.rest_port, self.grpc_port = int(found[1]), int(found[2])

    @property
    def urls(self) -> tuple[str, str]:
        return f"http://127.0.0.1:{self.rest_port}", f"grpc://127.0.0.1:{self.grpc_port}"

    def kill(self) -> None:
        """SIGKILL: connections are cut in the middle of whatever they carry."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def make_saved_models(folder: Path, *names: str) -> Path:
    """The models of TensorFlow Serving's tutorials."""
    script = paths.ROOT / "tests" / "backends" / "half_plus_two.py"
    command = [str(each) for each in (interpreter(), "-P", script, folder, *names)]
    subprocess.run(command, check=True, capture_output=True, timeout=100)
    return folder


class Client:
    """REST and gRPC to one address."""

    def __init__(self, rest: str, grpc_authority: str):
        self.rest = rest
        self.connection = channel(grpc_authority)

    def close(self) -> None:
        self.connection.close()

    def http(self, path: str, body: object = None, headers: dict[str, str] | None = None):
        """(status, headers, body) of a GET, or of a POST of `body` as JSON or bytes."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.rest + path, data, headers or {})
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return reply.status, reply.headers, reply.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def predict_rest(self, model: str, rows: list, **extra: object):
        return self.http(f"/v1/models/{model}:predict", {"instances": rows, **extra})

    def call(self, service: str, method: str, request, **options: object):
        return unary(self.connection, f"tensorflow.serving.{service}", method)(request, timeout=60, **options)

    def predict_grpc(self, model: str, rows: list, signature: str = "", **options: object):
        request = message_class("tensorflow.serving.PredictRequest")()
        request.model_spec.name = model
        request.model_spec.signature_name = signature
        tensor = request.inputs["x"]
        tensor.dtype = 1
        array = np.array(rows, np.float32)
        for size in array.shape:
            tensor.tensor_shape.dim.add(size=size)
        tensor.tensor_content = array.tobytes()
        return self.call("PredictionService", "Predict", request, **options)

    def examples(self, kind: str, model: str, rows: list):
        """A ClassificationRequest and the like."""
        request = message_class(f"tensorflow.serving.{kind}")()
        for value in rows:
            feature = request.input.example_list.examples.add().features.feature["x"]
            feature.float_list.value.append(value)
        if hasattr(request, "model_spec"):
            request.model_spec.name = model
        return request

    def model_request(self, kind: str, model: str):
        request = message_class(f"tensorflow.serving.{kind}")()
        request.model_spec.name = model
        return request


class Migration:
    """One running `protean migrate`."""

    def __init__(self, folder: Path, source: tuple[str, ...], target: tuple[str, ...], *flags: object):
        folder.mkdir(parents=True, exist_ok=True)
        self.report = folder / "report.html"
        self.json = folder / "report.json"
        self.log_path = folder / "log.txt"
        self.card_path = folder / "card.txt"
        urls = [each for url in source for each in ("--from", url)] + [each for url in target for each in ("--to", url)]
        own = ["--dialect", "tfserving", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"]
        files = ["--report", self.report, "--json", self.json]
        command = [str(each) for each in (paths.binary(), "migrate", *urls, *own, *files, *flags)]
        with open(self.card_path, "wb") as card, open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=card, stderr=log, env=clean_environment()
            )
        found = wait_until(self._addresses, "the addresses of the proxy", 30)
        self.url, self.control = found
        self.authority = self.url.partition("://")[2]
        self.client = Client(self.url, self.authority)
        self._control_client = Client(self.control, self.control.removeprefix("http://"))

    def _addresses(self) -> tuple[str, str] | None:
        assert self.process.poll() is None, self.log_path.read_text()
        card = self.card_path.read_text()
        clients = re.search(r"^  Clients +(\S+)$", card, re.MULTILINE)
        control = re.search(r"^  Control +(\S+)$", card, re.MULTILINE)
        return (clients[1], control[1]) if clients and control else None

    def ask_control(self, path: str):
        return self._control_client.http(path)

    def status(self) -> dict:
        return json.loads(self.ask_control("/status")[2])

    def settled(self) -> dict:
        """The figures once every request has been compared or dropped; all must be of kinds that are mirrored."""

        def done() -> dict | None:
            figures = self.status()
            total = figures["total"]
            one_sided = total["old_side_failed"] + total["new_side_failed"]
            answered = figures["requests"] - figures["failed"]
            return figures if total["compared"] + one_sided + total["dropped"] >= answered else None

        return wait_until(done, "all comparisons", 60)

    def set_weight(self, weight: float) -> subprocess.CompletedProcess:
        """By the command that a person would use."""
        command = [str(paths.binary()), "migrate", "--control", self.control.removeprefix("http://")]
        return subprocess.run(
            [*command, "--weight", str(weight)], env=clean_environment(), capture_output=True, text=True, timeout=60
        )

    def stop(self) -> int:
        """SIGTERM; the exit status. Nothing from the sanitizers."""
        self.client.close()
        self._control_client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=90)
        log = self.log_path.read_text()
        assert not _SANITIZER.search(log), log[-6000:]
        return status

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Load:
    """Clients that predict as fast as they are answered, until stopped; every answer is checked."""

    def __init__(self, client: Client, threads: int):
        self.client = client
        self.failures: list[str] = []
        self.answered = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        kinds = [self._rest if i % 2 == 0 else self._grpc for i in range(threads)]
        self._threads = [threading.Thread(target=self._run, args=(kind,)) for kind in kinds]
        for thread in self._threads:
            thread.start()

    def _rest(self, x: float) -> None:
        status, _, body = self.client.predict_rest("clean", [x])
        assert status == 200, body
        assert json.loads(body)["predictions"][0]["y"] == x / 2 + 2

    def _grpc(self, x: float) -> None:
        assert self.client.predict_grpc("clean", [x]).outputs["y"].float_val[:] == [x / 2 + 2]

    def _run(self, one) -> None:
        count = 0
        while not self._stop.is_set():
            try:
                one(float(count % 100))
            except (AssertionError, OSError, grpc.RpcError) as error:
                with self._lock:
                    self.failures.append(repr(error)[:500])
            count += 1
            with self._lock:
                self.answered += 1

    def wait_for_more(self, requests: int) -> None:
        """Until that many more have been answered."""
        wanted = self.answered + requests
        wait_until(lambda: self.answered >= wanted, f"{requests} more answers", 60)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            with suppress(RuntimeError):
                thread.join(timeout=60)
