# SPDX-License-Identifier: Apache-2.0
"""`protean bench` and `protean tune` as people run them: what they print, write and exit with."""

import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import threading
import tomllib
from pathlib import Path

import pytest

from harness import paths
from harness.server import clean_environment, run_protean
from harness.wait import wait_until

_SHORT = ("--duration", "300ms", "--warm-up", "100ms")
_TUNE_SHORT = ("--duration-per-point", "50ms", "--repetitions", "1", "--batch-rows-max", "2", "--connections-max", "2")


def _bench(*args: object, **options) -> subprocess.CompletedProcess:
    return run_protean("bench", *args, *_SHORT, **options)


def _measured(*args: object) -> dict:
    done = _bench(*args, "--json", "-")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _failure(status: int, *args: object) -> str:
    done = run_protean(*args)
    assert done.returncode == status, done
    assert done.stderr.startswith("protean: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.fixture
def digits(tmp_path):
    """A copy of a model that `tune` may write beside."""
    return shutil.copy(paths.EXAMPLE_MODELS / "digits.onnx", tmp_path / "digits.onnx")


class RudeServer:
    """Takes every connection, reads something, sends `answer` and closes."""

    def __init__(self, answer: bytes):
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65536)
                    connection.sendall(self._answer)
                except OSError:
                    continue

    def __enter__(self) -> "RudeServer":
        return self

    def __exit__(self, *_: object) -> None:
        # A blocked accept() ends at shutdown, not at close.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()


# ---- bench ----------------------------------------------------------------------------------------------------------


def test_a_running_server_is_measured_over_http(examples):
    found = _measured("iris", "--url", examples.url, "--connections", "2")
    assert found["answers"] > 0 and found["failed"] == 0 and found["dropped"] == 0
    assert found["requests_per_second"] > 0
    latency = found["latency_ms"]
    order = [latency[name] for name in ("min", "p50", "p90", "p99", "p99.9", "max")]
    assert order == sorted(order) and order[0] > 0
    config = found["config"]
    assert (config["model"], config["protocol"], config["loop"], config["bodies"]) == ("iris", "http", "closed", "json")
    assert (config["connections"], config["duration_s"], config["server_in_process"]) == (2, 0.3, False)


def test_the_server_counts_as_many_requests_as_the_client(examples):
    name = "protean_requests_total"
    before = examples.metric(name, model="wine")
    done = run_protean("bench", "wine", "--url", examples.url, "--duration", "300ms", "--warm-up", "0", "--json", "-")
    assert done.returncode == 0, done.stderr
    counted = json.loads(done.stdout)["answers"]
    # One more: the request that is tried before the load.
    assert examples.metric(name, model="wine") - before == counted + 1


@pytest.mark.parametrize("form", [(), ("--binary",), ("--json-bodies",), ("--protocol", "grpc", "--streams", "8")])
def test_every_form_of_body_is_answered(examples, form):
    found = _measured("digits", "--url", examples.url, "--rows", "3", *form)
    assert found["answers"] > 0 and found["failed"] == 0, found["failures"]
    assert found["rows_per_second"] == pytest.approx(3 * found["requests_per_second"])


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_version_can_be_named(examples, version):
    assert _measured("iris", "--url", examples.url, "--version", version)["failed"] == 0


@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
def test_an_open_loop_keeps_its_rate(examples, arrivals):
    found = _measured("iris", "--url", examples.url, "--rate", "200", "--arrivals", arrivals)
    due = found["answers"] + found["failed"] + found["dropped"]
    # 60 in 300 ms; Poisson: with a standard deviation of 7.7.
    assert due == 60 if arrivals == "constant" else 20 <= due <= 100
    assert found["config"]["rate"] == 200


@pytest.mark.parametrize("model", ["iris", "digits.onnx", "wine/"])
def test_a_path_gets_a_server_of_its_own(model):
    found = _measured(f"{paths.EXAMPLE_MODELS}/{model}")
    assert found["config"]["server_in_process"] and found["failed"] == 0 and found["answers"] > 0


def test_recorded_requests_take_turns(examples, tmp_path):
    good = tmp_path / "good.json"
    good.write_text('{"inputs":[{"name":"X","shape":[2,4],"datatype":"FP32","data":[5.1,3.5,1.4,0.2,6,3,4.8,1.8]}]}')
    name = examples.curl.get("/v2/models/iris").json()["inputs"][0]["name"]
    good.write_text(good.read_text().replace('"X"', json.dumps(name)))
    for protocol in ("http", "grpc"):
        found = _measured("iris", "--url", examples.url, "--input", good, "--input", good, "--protocol", protocol)
        assert found["config"]["rows"] == 2 and found["failed"] == 0
        assert len(found["config"]["inputs"]) == 2


def test_the_table_is_for_people_and_the_file_for_scripts(examples, tmp_path):
    done = _bench("iris", "--url", examples.url, "--json", tmp_path / "result.json")
    assert done.returncode == 0, done.stderr
    assert "REQUESTS/S" in done.stdout and "p99.9" in done.stdout and "no failures" in done.stdout
    assert "\x1b" not in done.stdout and "█" not in done.stdout and "#" in done.stdout
    assert json.loads((tmp_path / "result.json").read_text())["answers"] > 0


def _read_terminal(leader: int) -> bytes:
    """What was written to the other end, which is closed: Linux then answers with an error instead of an end."""
    text = b""
    with open(leader, "rb", buffering=0) as stream:
        try:
            while block := stream.read(65536):
                text += block
        except OSError:
            pass
    return text


@pytest.mark.parametrize("no_colour", ["", "1"])
def test_a_terminal_gets_blocks_and_colour_unless_told_otherwise(no_colour):
    leader, follower = pty.openpty()
    env = clean_environment({"TERM": "xterm", "LC_ALL": "C.UTF-8", "NO_COLOR": no_colour})
    command = [str(paths.binary()), "bench", str(paths.EXAMPLE_MODELS / "iris"), *_SHORT]
    with subprocess.Popen(command, stdout=follower, stderr=subprocess.DEVNULL, env=env) as process:
        assert process.wait(timeout=60) == 0
    os.close(follower)
    shown = _read_terminal(leader).decode()
    assert "█" in shown or "▏" in shown
    assert ("\x1b[" in shown) == (no_colour == "")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert all(len(line) <= 100 for line in plain.splitlines())


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "no MODEL"),
        (("iris", "--conections", "3"), "did you mean '--connections'?"),
        (("iris", "--rate", "fast"), "flag --rate: found 'fast'"),
        (("iris", "--duration", "0"), "flag --duration: found '0'"),
        (("iris", "--streams", "4"), "--protocol grpc"),
        (("iris", "--protocol", "carrier-pigeon"), "expected one of http, grpc"),
        (("iris", "wine"), "found argument 'wine'"),
        (("iris", "--json"), "no value"),
    ],
)
def test_a_wrong_command_line_says_what_was_meant(args, words):
    assert words in _failure(2, "bench", *args)


def test_what_cannot_be_measured_fails_early_and_clearly(examples, tmp_path):
    assert "Connection refused" in _failure(1, "bench", "iris", "--url", "http://127.0.0.1:1")
    assert "did you mean 'iris'" in _failure(1, "bench", "irs", "--url", examples.url)
    assert "flag --url" in _failure(1, "bench", "iris", "--url", "https://127.0.0.1:1")
    assert "no such file" in _failure(1, "bench", tmp_path / "gone.onnx")
    assert "cannot be served" in _failure(1, "bench", tmp_path)
    nonsense = tmp_path / "nonsense.json"
    nonsense.write_text("{")
    assert "nonsense.json: malformed JSON" in _failure(1, "bench", "iris", "--url", examples.url, "--input", nonsense)
    nonsense.write_text('{"inputs":[{"name":"no","shape":[1],"datatype":"FP32","data":[1]}]}')
    assert "HTTP 400" in _failure(1, "bench", "iris", "--url", examples.url, "--input", nonsense)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "closed the connection"),
        (b"\x00\xff garbage\r\n\r\n", "not an HTTP/1.1 answer"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n<html>", "closed the connection"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>", "not a JSON object"),
        (b"HTTP/1.1 500 Oh\r\ncontent-length: 5\r\n\r\n\x1b[31m", "HTTP 500"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not an HTTP/1.1 answer"),
    ],
)
def test_a_hostile_server_is_a_message_not_a_crash(answer, words):
    with RudeServer(answer) as server:
        said = _failure(1, "bench", "iris", "--url", server.url, "--timeout", "5s")
        assert words in said and "\x1b" not in said


def test_a_server_that_turns_hostile_fails_every_request():
    body = b'{"name":"m","versions":["1"],"inputs":[{"name":"x","datatype":"FP32","shape":[-1]}],"outputs":[]}'
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
    with RudeServer(answer) as server:
        # Every answer is complete, and every connection ends after it: that is allowed and costs reconnects.
        found = _measured("m", "--url", server.url)
        assert found["answers"] > 0 and found["reconnects"] > 0
        # The same bytes are no HTTP/2.
        assert "not HTTP/2" in _failure(1, "bench", "m", "--url", server.url, "--protocol", "grpc")


def test_interrupting_shows_what_is_known():
    command = [str(paths.binary()), "bench", str(paths.EXAMPLE_MODELS / "iris"), "--duration", "1h", "--warm-up", "0"]
    with subprocess.Popen(
        [*command, "--json", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment()
    ) as process:
        # A process that uses the processor for so long is in the middle of the load.
        _wait_for_cpu(process.pid)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    found = json.loads(out)
    assert found["interrupted"] and found["failed"] == 0


def _wait_for_cpu(pid: int) -> None:
    """Until the process has used half a second of processor time."""

    def used() -> bool:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) > 50

    wait_until(used, "half a second of processor time used")


# ---- tune -----------------------------------------------------------------------------------------------------------


def test_tune_writes_the_best_choice_and_a_page(digits, tmp_path):
    page = tmp_path / "page.html"
    done = run_protean("tune", digits, "--slo", "p99=5s", *_TUNE_SHORT, "--html", page)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "Best:" in done.stdout and "requests/s" in done.stdout and "\x1b" not in done.stdout
    written = tomllib.loads((tmp_path / "digits.toml").read_text())
    assert {"instances", "intra_op_threads", "batch"} <= written.keys()
    html = page.read_text()
    assert html.startswith("<!doctype html>") and "<svg" in html and "http" not in html and "<script" not in html


def test_tune_keeps_what_stood_in_the_configuration(digits, tmp_path):
    (tmp_path / "digits.toml").write_text("priority = 3\n")
    done = run_protean("tune", digits, "--slo", "p99=5s", *_TUNE_SHORT)
    assert done.returncode == 0, done.stderr
    assert tomllib.loads((tmp_path / "digits.toml").read_text())["priority"] == 3


def test_a_dry_run_writes_nothing(digits, tmp_path):
    done = run_protean("tune", digits, "--slo", "p99=5s", "--protocol", "grpc", *_TUNE_SHORT, "--dry-run")
    assert done.returncode == 0 and "Not written (--dry-run)" in done.stdout, done
    assert not (tmp_path / "digits.toml").exists()


def test_an_objective_that_nothing_keeps_is_no_success(digits, tmp_path):
    done = run_protean("tune", digits, "--slo", "p50=1us", *_TUNE_SHORT)
    assert done.returncode == 1 and "No configuration keeps the objective." in done.stdout
    assert not (tmp_path / "digits.toml").exists()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "no MODEL_PATH"),
        (("m",), "no --slo"),
        (("m", "--slo", "p99"), "such as p99=20ms"),
        (("m", "--slo", "p99=1ms", "--write", "--dry-run"), "exclude each other"),
        (("m", "--slo", "p99=1ms", "--dryrun"), "did you mean '--dry-run'?"),
    ],
)
def test_a_wrong_tune_command_line_says_what_was_meant(args, words):
    assert words in _failure(2, "tune", *args)


def test_tune_needs_a_model_that_works(tmp_path):
    assert "no such file" in _failure(1, "tune", tmp_path / "gone", "--slo", "p99=1ms")
    assert "cannot be served" in _failure(1, "tune", tmp_path, "--slo", "p99=1ms")


def test_help_lists_the_commands_with_examples():
    overview = run_protean("--help").stdout
    assert all(f"protean {command}" in overview for command in ("serve", "bench", "tune"))
    for command in ("bench", "tune"):
        done = run_protean(command, "--help")
        assert done.returncode == 0 and "Examples:" in done.stdout
        assert all(len(line) <= 120 for line in done.stdout.splitlines())
