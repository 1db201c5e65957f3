# SPDX-License-Identifier: Apache-2.0
"""`protean serve` as a process: started on a free port, stopped by SIGTERM, judged by exit status and sanitizers."""

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from harness import paths
from harness.curl import Curl
from harness.wait import wait_until

_URL = re.compile(r"^  Inference\s+(https?)://([0-9.]+|\[[0-9a-f:]+\]):(\d+)/v2$", re.MULTILINE)
_ADMIN_URL = re.compile(r"^  Admin\s+(https?://\S+)/admin/v1/models$", re.MULTILINE)
_SANITIZER = re.compile(r"(ERROR|WARNING): (Address|Leak|Thread|Memory|UndefinedBehavior)Sanitizer|runtime error:")
_START_SECONDS = 60
_STOP_SECONDS = 60


def clean_environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    """This environment without PROTEAN_* (the server would read them), with `extra` on top."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PROTEAN_")}
    return kept | (extra or {})


def run_protean(
    *args: object, env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess:
    """Runs the program to its end: for what does not serve."""
    command = [str(paths.binary()), *map(str, args)]
    return subprocess.run(
        command,
        env=clean_environment(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


class Server:
    """One running server. Make it with `start()`; end it with `stop()`, or with `signal()` and `wait()`."""

    def __init__(self, process: subprocess.Popen, folder: Path):
        self.process = process
        self.card_path = folder / "card.txt"
        self.log_path = folder / "log.txt"
        self.scheme = "http"
        self.host = "127.0.0.1"
        self.port = 0
        self.admin_url = ""
        self.certificate: Path | None = None

    @property
    def admin(self) -> Curl:
        """Calls to the administration's own listener."""
        return Curl(self.admin_url, self.certificate)

    def set_alias(self, model: str, alias: str, version: int):
        """The reply to moving one alias."""
        body = json.dumps({"version": version})
        return self.admin.send(f"/admin/v1/models/{model}/aliases/{alias}", body.encode(), "-X", "PUT")

    def aliases(self, model: str) -> dict[str, int]:
        rows = self.admin.get(f"/admin/v1/aliases?model={model}").json()["aliases"]
        return {row["alias"]: row["version"] for row in rows}

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def curl(self) -> Curl:
        return Curl(self.url, self.certificate)

    @property
    def pid(self) -> int:
        return self.process.pid

    def card(self) -> str:
        return self.card_path.read_text(errors="replace")

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def log_lines(self, event: str | None = None) -> list[dict]:
        """The JSON lines of the log; those of one event if it is named. A line being written is left out."""
        whole = self.log().rpartition("\n")[0]
        lines = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
        return [line for line in lines if event is None or line.get("event") == event]

    def alive(self) -> bool:
        return self.process.poll() is None

    def ready(self) -> bool:
        return self.alive() and self.curl.get("/v2/health/ready").status == 200

    def index(self, **body: object) -> dict[tuple[str, str], dict]:
        """The repository index by (name, version)."""
        rows = self.curl.post("/v2/repository/index", json.dumps(body) if body else b"").json()
        return {(row["name"], row.get("version", "")): row for row in rows}

    def wait_for_state(self, model: str, version: str, state: str | None) -> dict:
        """Until that version is in `state`, or gone (None)."""
        what = f"{model} version {version} in state {state}"

        def arrived() -> object:
            row = self.index().get((model, version))
            return (row or {}).get("state") == state and (row or {"gone": True})

        return wait_until(arrived, what)

    def metrics(self, accept: str = "") -> str:
        return self.curl.get("/metrics", *(["-H", f"Accept: {accept}"] if accept else [])).text

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of that name that have these labels; 0 when there are none."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        rows = [line for line in self.metrics().splitlines() if line.startswith((name + " ", name + "{"))]
        return sum(float(row.rpartition(" ")[2]) for row in rows if all(label in row for label in wanted))

    def memory_bytes(self, field: str = "VmRSS") -> int:
        """Resident memory now, or at its highest (`VmHWM`)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)[1]) * 1024

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = _STOP_SECONDS) -> int:
        """The exit status."""
        return self.process.wait(timeout=seconds)

    def stop(self) -> None:
        """SIGTERM, then: status 0, nothing from the sanitizers."""
        if self.alive():
            self.signal()
        try:
            status = self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the server did not stop within {_STOP_SECONDS} s; log:\n{self.tail()}") from None
        assert status == 0, f"the server ended with status {status}; log:\n{self.tail()}"
        self.check_sanitizers()

    def check_sanitizers(self) -> None:
        found = _SANITIZER.search(self.log())
        assert not found, f"sanitizer report:\n{self.log()[max(0, found.start() - 200) :][:6000]}"

    def tail(self, characters: int = 6000) -> str:
        return self.log()[-characters:]

    def _await_card(self) -> None:
        def printed() -> re.Match | None:
            assert self.alive(), (
                f"the server ended with status {self.process.returncode}:\n{self.tail()}\n{self.card()}"
            )
            return _URL.search(self.card())

        found = wait_until(printed, f"start-up card with a URL; log:\n{self.tail()}", _START_SECONDS)
        self.scheme, self.host, self.port = found[1], found[2], int(found[3])
        admin = _ADMIN_URL.search(self.card())
        self.admin_url = admin[1] if admin else ""


def spawn(folder: Path, *args: object, env: dict[str, str] | None = None, program: Path | None = None) -> Server:
    """Starts `protean serve ARGS...` without waiting; `folder` receives what it prints."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [str(program or paths.binary()), "serve", *map(str, args)]
    with open(folder / "card.txt", "wb") as card, open(folder / "log.txt", "wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=card, stderr=log, env=clean_environment(env)
        )
    return Server(process, folder)


def start(
    folder: Path,
    models: Path,
    *flags: object,
    tls: tuple[Path, Path] | None = None,
    own_state: bool = True,
    **options: object,
) -> Server:
    """A server that is ready, on a free port of 127.0.0.1.  `tls`: certificate and key; `own_state`: a state folder of
    its own instead of the default one; `options`: as of spawn()."""
    files = ["--tls-cert", tls[0], "--tls-key", tls[1]] if tls else []
    listen = [] if "--listen" in flags else ["--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0=admin"]
    # Model folders are shared between servers, and the user's cache is not ours: each server keeps its own.
    kept = ["--state", "--cache"] if own_state else ["--cache"]
    own = [each for name in kept if name not in flags for each in (name, folder / name.strip("-"))]
    server = spawn(folder, models, *flags, *listen, *files, *own, **options)
    server.certificate = tls[0] if tls else None
    try:
        server._await_card()
        wait_until(server.ready, f"readiness; log:\n{server.tail()}", _START_SECONDS)
    except BaseException:
        if server.alive():
            server.process.kill()
        server.process.wait()
        raise
    return server


@contextlib.contextmanager
def serving(folder: Path, models: Path, *flags: object, **options: object) -> Iterator[Server]:
    """start() ... stop(). A test that fails inside does not hide behind what stopping then says."""
    server = start(folder, models, *flags, **options)
    try:
        yield server
    except BaseException:
        if server.alive():
            server.process.kill()
        server.process.wait()
        raise
    server.stop()
