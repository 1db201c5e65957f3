# SPDX-License-Identifier: Apache-2.0
"""Flags, environment, configuration file: what wins, what is refused and how it is said."""

import os
import re
import signal
import socket
import subprocess
import tomllib

import pytest

from harness import paths
from harness.server import run_protean, spawn


def _config(*args: object, env: dict[str, str] | None = None) -> tuple[dict, dict[str, str]]:
    """The values of --print-config and where each came from."""
    done = run_protean("serve", paths.EXAMPLE_MODELS, *args, "--print-config", env=env)
    assert done.returncode == 0, done.stderr
    origins = dict(re.findall(r"^(\w+) = .*?  # (.*)$", done.stdout, re.MULTILINE))
    return tomllib.loads(done.stdout), origins


def _refusal(*args: object, env: dict[str, str] | None = None) -> str:
    done = run_protean("serve", *args, env=env)
    assert (done.returncode, done.stdout) == (2, ""), done
    assert done.stderr.startswith("protean: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_flags_win_over_environment_over_file_over_defaults(tmp_path):
    file = tmp_path / "protean.toml"
    file.write_text('queue_max = 1\npipeline_max = 11\nchunks_max = 111\nbody_bytes_max = "1MiB"\n')
    env = {"PROTEAN_QUEUE_MAX": "2", "PROTEAN_PIPELINE_MAX": "22"}
    values, origins = _config("--config", file, "--queue-max", "3", env=env)
    assert (values["queue_max"], values["pipeline_max"], values["chunks_max"]) == (3, 22, 111)
    assert (values["body_bytes_max"], values["streams_max"]) == ("1MiB", 256)
    assert origins["queue_max"] == "flag --queue-max"
    assert origins["pipeline_max"] == "environment PROTEAN_PIPELINE_MAX"
    assert "protean.toml:3" in origins["chunks_max"]
    assert origins["streams_max"] == "default"


def test_print_config_says_where_the_number_of_threads_comes_from():
    values, origins = _config()
    cores = len(os.sched_getaffinity(0))
    quota = rf"default: (CPU quota \d+\.\d\d \(/sys/fs/cgroup/.*\), {cores}|{cores}) by affinity(, no CPU quota)?"
    for key in ("io_threads", "run_threads"):
        assert re.fullmatch(quota, origins[key]), origins[key]
        assert 1 <= values[key] <= cores
    assert values["intra_op_threads"] == 0, "chosen for each model"


def test_what_print_config_prints_is_a_configuration_file(tmp_path):
    first = run_protean("serve", paths.EXAMPLE_MODELS, "--queue-max", "7", "--log-format=text", "--print-config").stdout
    file = tmp_path / "again.toml"
    file.write_text(first)
    values, _ = _config("--config", file)
    assert values == tomllib.loads(first)


def test_the_file_may_be_named_by_the_environment(tmp_path):
    file = tmp_path / "protean.toml"
    file.write_text('access_log = "all"\n')
    values, _ = _config(env={"PROTEAN_CONFIG": str(file)})
    assert values["access_log"] == "all"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--quene-max", "1"], ["--quene-max", "did you mean '--queue-max'"]),
        (["--queue-max", "many"], ["--queue-max", "many", "whole number"]),
        (["--queue-max", "0"], ["--queue-max", "0", "from 1"]),
        (["--body-bytes-max", "1parsec"], ["--body-bytes-max", "1parsec", "64MiB"]),
        (["--drain-timeout", "soon"], ["--drain-timeout", "soon", "30s"]),
        (["--log-level", "loud"], ["--log-level", "loud", "debug, info"]),
        (["--listen", "8080"], ["--listen", "8080", "HOST:PORT"]),
        (["--listen", "127.0.0.1:99999"], ["99999", "65535"]),
        (["--listen", "127.0.0.1:0=triton"], ["triton", "default"]),
        (["--tls-cert", "a.pem"], ["tls-cert", "tls-key"]),
        (["--body-bytes-max", "2MiB", "--request-memory-max", "1MiB"], ["body-bytes-max", "request-memory-max"]),
        (["--config", "/no/such/file.toml"], ["/no/such/file.toml"]),
    ],
    ids=lambda value: " ".join(value) if value and value[0].startswith("--") else "",
)
def test_a_wrong_flag_is_refused_with_what_was_found_and_expected(args, words):
    text = _refusal(paths.EXAMPLE_MODELS, *args)
    for word in words:
        assert word in text, text


def test_unknown_variables_and_keys_suggest_the_nearest_name(tmp_path):
    text = _refusal(paths.EXAMPLE_MODELS, env={"PROTEAN_QUEU_MAX": "1"})
    assert "PROTEAN_QUEU_MAX" in text and "did you mean 'PROTEAN_QUEUE_MAX'" in text
    file = tmp_path / "protean.toml"
    file.write_text("queue_max = 1\nquee_max = 2\n")
    text = _refusal(paths.EXAMPLE_MODELS, "--config", file)
    assert "protean.toml:2" in text and "quee_max" in text and "did you mean 'queue_max'" in text
    file.write_text("queue_max = [\n")
    assert "protean.toml:" in _refusal(paths.EXAMPLE_MODELS, "--config", file)


def test_a_service_link_of_kubernetes_is_no_setting():
    env = {
        "PROTEAN_PORT": "tcp://10.0.0.1:80",
        "PROTEAN_SERVICE_HOST": "10.0.0.1",
        "PROTEAN_PORT_80_TCP_ADDR": "10.0.0.1",
    }
    assert run_protean("serve", paths.EXAMPLE_MODELS, "--print-config", env=env).returncode == 0


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:8080"])
def test_listening_beyond_this_machine_needs_insecure(address):
    text = _refusal(paths.EXAMPLE_MODELS, "--listen", address)
    assert "--insecure" in text and address in text


def test_with_insecure_every_address_may_be_listened_on(start_server):
    server = start_server(paths.EXAMPLE_MODELS, "--listen", "0.0.0.0:0", "--insecure")
    assert server.host == "0.0.0.0" and server.ready()


def test_a_file_may_say_everything(start_server, tmp_path):
    paths.put_model(tmp_path / "models", "scalar.onnx", paths.TEST_MODELS / "scalar.onnx")
    file = tmp_path / "protean.toml"
    file.write_text('models = "models"\nlisten = ["127.0.0.1:0"]\n')
    # The folder is found beside the file, wherever the program is started.
    server = start_server("--config", file, "--listen", "127.0.0.1:0")
    assert server.curl.get("/v2/models").json() == {"models": ["scalar"]}


def test_ipv6_is_listened_on(start_server):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    server = start_server(paths.EXAMPLE_MODELS, "--listen", "[::1]:0")
    assert server.host == "[::1]" and server.ready()
    line = next(line for line in server.card().splitlines() if line.startswith("curl -s"))
    done = subprocess.run(["bash", "-c", f"{line} --fail"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "model_name" in done.stdout, done


def test_several_addresses_are_listened_on_at_once(start_server):
    server = start_server(paths.EXAMPLE_MODELS, "--listen", "127.0.0.1:0", "--listen", "127.0.0.2:0")
    urls = re.findall(r"^  Inference\s+(http://\S+)/v2$", server.card(), re.MULTILINE)
    assert len(urls) == 2
    from harness.curl import Curl

    for url in urls:
        assert Curl(url).get("/v2/health/ready").status == 200


def test_a_port_in_use_is_said_and_ends_the_program(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run_protean("serve", paths.EXAMPLE_MODELS, "--listen", address)
    assert done.returncode == 1 and done.stdout == ""
    assert address in done.stderr and "in use" in done.stderr


def test_a_folder_that_is_not_there_is_said(tmp_path):
    done = run_protean("serve", tmp_path / "nowhere", "--listen", "127.0.0.1:0")
    assert done.returncode == 1 and "nowhere" in done.stderr
    assert "FOLDER" in _refusal("--listen", "127.0.0.1:0")


@pytest.mark.parametrize("file", ["cert", "key"])
def test_a_broken_certificate_is_said_by_name(tmp_path, certificate, file):
    broken = tmp_path / "broken.pem"
    broken.write_text("not PEM")
    files = {"cert": certificate[0], "key": certificate[1]} | {file: broken}
    done = run_protean(
        "serve", paths.EXAMPLE_MODELS, "--listen", "127.0.0.1:0", "--tls-cert", files["cert"], "--tls-key", files["key"]
    )
    assert done.returncode == 1 and "broken.pem" in done.stderr, done


def test_a_missing_runtime_disables_the_backend_and_not_the_server(start_server, tmp_path):
    server = start_server(paths.EXAMPLE_MODELS, "--onnxruntime-library", tmp_path / "libnothing.so")
    states = {name: row["state"] for (name, _), row in server.index().items()}
    assert states["iris"] == states["digits"] == "UNAVAILABLE"
    assert states["wine_lightgbm"] == "READY", "another backend's"
    assert "libnothing.so" in server.card()


def test_help_and_version_need_nothing_else():
    for args in (["--help"], ["serve", "--help"], ["serve", "-h"]):
        done = run_protean(*args, env={"PROTEAN_NONSENSE": "1"})
        assert (done.returncode, done.stderr) == (0, ""), done
        assert "protean serve" in done.stdout
    text = run_protean("serve", "--help").stdout
    assert "--listen" in text and "examples:" in text and "[64MiB]" in text
    assert max(map(len, text.splitlines())) <= 120
    assert re.fullmatch(r"protean \d+\.\d+\.\d+\n", run_protean("--version").stdout)


def test_an_unknown_command_suggests_the_nearest():
    done = run_protean("sevre", paths.EXAMPLE_MODELS)
    assert done.returncode == 2 and "did you mean 'serve'" in done.stderr


def test_signals_during_the_start_end_the_program_cleanly(tmp_path):
    server = spawn(tmp_path, paths.EXAMPLE_MODELS, "--listen", "127.0.0.1:0")
    server.signal(signal.SIGTERM)
    status = server.wait()
    # Before the handler is there the signal itself ends it; afterwards the server stops as always.
    assert status in (0, -signal.SIGTERM)
    server.check_sanitizers()
