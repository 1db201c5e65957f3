# SPDX-License-Identifier: Apache-2.0
"""`protean tensorflow_model_server` and `protean import tfserving` with that program's own flags, files and variables."""

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness import paths
from harness.certificates import make_certificate
from harness.curl import Curl
from harness.server import Server, clean_environment, run_protean
from harness.tensorflow import interpreter
from harness.wait import wait_until

X = json.dumps({"instances": [1.0, 2.0, 5.0]}).encode()


@pytest.fixture(scope="session")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The half_plus_two family, written by TensorFlow."""
    folder = tmp_path_factory.mktemp("family")
    script = paths.ROOT / "tests" / "backends" / "half_plus_two.py"
    subprocess.run([interpreter(), script, folder], check=True, capture_output=True, timeout=300)
    return folder


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def model_server(folder: Path, *flags: str, env: dict[str, str] | None = None, wait: bool = True) -> Iterator[Server]:
    folder.mkdir(parents=True, exist_ok=True)
    grpc, rest = free_port(), free_port()
    command = [str(paths.binary()), "tensorflow_model_server", f"--port={grpc}", f"--rest_api_port={rest}", *flags]
    environment = clean_environment({"PROTEAN_CACHE": str(folder / "cache")} | (env or {}))
    with open(folder / "card.txt", "wb") as out, open(folder / "log.txt", "wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=log, env=environment)
    server = Server(process, folder)
    server.port, server.grpc_port = rest, grpc
    try:
        if wait:
            line = f"Exporting HTTP/REST API at:localhost:{rest} ..."
            wait_until(lambda: line in server.log() or not server.alive(), line)
            assert server.alive(), server.tail()
            assert f"Running gRPC ModelServer at 0.0.0.0:{grpc} ..." in server.log()
        yield server
    finally:
        server.stop()


def predictions(server: Server, model: str, where: str = "") -> list[float]:
    reply = server.curl.post(f"/v1/models/{model}{where}:predict", X)
    assert reply.status == 200, reply.text
    return reply.json()["predictions"]


def states(server: Server, model: str) -> dict[str, str]:
    rows = server.curl.get(f"/v1/models/{model}").json().get("model_version_status", [])
    return {row["version"]: row["state"] for row in rows}


def test_the_line_of_the_tutorial(family: Path, tmp_path: Path) -> None:
    flags = ["--model_name=half_plus_two", f"--model_base_path={family / 'half_plus_two'}"]
    with model_server(tmp_path, *flags) as server:
        assert predictions(server, "half_plus_two") == [2.5, 3.0, 4.5]
        reply = server.curl.post("/v1/models/half_plus_two:predict", X)
        assert reply.text == '{\n    "predictions": [2.5, 3.0, 4.5\n    ]\n}'
        assert states(server, "half_plus_two") == {"1": "AVAILABLE"}


def library() -> str:
    """TensorFlow's own; elsewhere the server lowers the models itself."""
    site = interpreter().parents[1] / "lib"
    return str(next(site.glob("python3*/site-packages/tensorflow/libtensorflow_cc.so.2")))


@pytest.mark.parametrize("engine", ["TensorFlow", "lowered"])
def test_the_lines_of_the_rest_api_s_description(family: Path, tmp_path: Path, engine: str) -> None:
    """Its requests on half_plus_three, and its replies byte by byte but for the version's number."""
    flags = ["--model_name=half_plus_three", f"--model_base_path={family / 'half_plus_three'}"]
    env = {"PROTEAN_TENSORFLOW_LIBRARY": library()} if engine == "TensorFlow" else None
    with model_server(tmp_path, *flags, env=env) as server:
        url = "/v1/models/half_plus_three"
        assert server.curl.get(url).text == (
            '{\n "model_version_status": [\n  {\n   "version": "1",\n   "state": "AVAILABLE",\n   "status": {\n'
            '    "error_code": "OK",\n    "error_message": ""\n   }\n  }\n ]\n}\n'
        )
        reply = server.curl.post(f"{url}:predict", b'{"instances": [1.0,2.0,5.0]}')
        assert reply.text == '{\n    "predictions": [3.5, 4.0, 5.5\n    ]\n}'
        body = b'{"signature_name": "tensorflow/serving/regress", "examples": [{"x": 1.0}, {"x": 2.0}]}'
        assert server.curl.post(f"{url}:regress", body).text == '{\n    "results": [3.5, 4.0]\n}'
        reply = server.curl.post("/v1/models/half:predict", b'{"instances": [1.0,5.0]}')
        assert (reply.status, reply.text) == (404, '{\n    "error": "Servable not found for request: Latest(half)"\n}')
        metadata = server.curl.get(f"{url}/metadata").json()
        assert metadata["model_spec"] == {"name": "half_plus_three", "signature_name": "", "version": "1"}
        signature = metadata["metadata"]["signature_def"]["signature_def"]["tensorflow/serving/regress"]
        assert signature["method_name"] == "tensorflow/serving/regress"


def test_a_body_may_be_larger_than_64_mib(family: Path, tmp_path: Path) -> None:
    flags = ["--model_name=half_plus_two", f"--model_base_path={family / 'half_plus_two'}"]
    with model_server(tmp_path, *flags) as server:
        reply = server.curl.post("/v1/models/half_plus_two:predict", b" " * (65 << 20) + X)
        assert (reply.status, reply.json()) == (200, {"predictions": [2.5, 3.0, 4.5]})


def test_the_variables_of_the_image(family: Path, tmp_path: Path) -> None:
    env = {"MODEL_NAME": "half_plus_three", "MODEL_BASE_PATH": str(family)}
    with model_server(tmp_path, env=env) as server:
        assert predictions(server, "half_plus_three") == [3.5, 4.0, 5.5]


def config_text(family: Path, *models: str) -> str:
    return "model_config_list {\n" + "\n".join(models) + "\n}\n"


def config_of(family: Path, name: str, folder: str, more: str = "") -> str:
    return f'  config {{ name: "{name}" base_path: "{family / folder}" model_platform: "tensorflow" {more} }}'


def test_a_file_of_models_is_read_again_when_it_changes(family: Path, tmp_path: Path) -> None:
    both = 'model_version_policy { all {} } version_labels { key: "stable" value: 1 } version_labels { key: "canary" value: 2 }'
    config = tmp_path / "models.config"
    config.write_text(config_text(family, config_of(family, "two", "two_versions", both)))
    flags = [f"--model_config_file={config}", "--model_config_file_poll_wait_seconds=1"]
    with model_server(tmp_path / "server", *flags) as server:
        assert predictions(server, "two") == [3.5, 4.0, 5.5]
        assert predictions(server, "two", "/versions/1") == [2.5, 3.0, 4.5]
        assert predictions(server, "two", "/labels/stable") == [2.5, 3.0, 4.5]
        assert predictions(server, "two", "/labels/canary") == [3.5, 4.0, 5.5]
        config.write_text(
            config_text(family, config_of(family, "two", "two_versions"), config_of(family, "new", "half_plus_two"))
        )
        wait_until(lambda: states(server, "new") == {"1": "AVAILABLE"}, "the new model")
        assert predictions(server, "new") == [2.5, 3.0, 4.5]
        wait_until(lambda: states(server, "two").get("1") != "AVAILABLE", "version 1 to go")
        assert predictions(server, "two") == [3.5, 4.0, 5.5]
        config.write_text("model_config_list { config { nme: 3 } }")
        wait_until(lambda: server.log_lines("model configuration"), "the complaint")
        assert "models.config:1:33" in server.log_lines("model configuration")[-1]["reason"]
        assert predictions(server, "new") == [2.5, 3.0, 4.5]


def test_a_missing_model_keeps_no_other_waiting(family: Path, tmp_path: Path) -> None:
    config = tmp_path / "models.config"
    config.write_text(
        config_text(family, config_of(family, "here", "half_plus_two"), config_of(family, "later", "not_yet"))
    )
    shutil.rmtree(family / "not_yet", ignore_errors=True)
    with model_server(tmp_path / "server", f"--model_config_file={config}") as server:
        assert predictions(server, "here") == [2.5, 3.0, 4.5]
        [line] = server.log_lines("model is missing")
        assert "model later" in line["path"]
        assert server.curl.get("/v1/models/later").status == 404
        shutil.copytree(family / "half_plus_three", tmp_path / "moving")
        (tmp_path / "moving").rename(family / "not_yet")
        wait_until(lambda: states(server, "later") == {"1": "AVAILABLE"}, "the model that came later")
    shutil.rmtree(family / "not_yet")


def test_ports_open_when_there_is_a_model(family: Path, tmp_path: Path) -> None:
    base = tmp_path / "models" / "m"
    with model_server(tmp_path / "server", "--model_name=m", f"--model_base_path={base}", wait=False) as server:
        wait_until(lambda: server.log_lines("model is missing"), "the line that says what is missing")
        with socket.socket() as client:
            assert client.connect_ex(("127.0.0.1", server.port)) != 0
        shutil.copytree(family / "half_plus_two", tmp_path / "moving")
        base.parent.mkdir()
        (tmp_path / "moving").rename(base)
        wait_until(lambda: "Exporting HTTP/REST API" in server.log(), "the port")
        assert predictions(server, "m") == [2.5, 3.0, 4.5]


def test_what_has_no_effect_is_told(family: Path, tmp_path: Path) -> None:
    flags = [
        *("--model_name=m", f"--model_base_path={family / 'half_plus_two'}"),
        *("--xla_cpu_compilation_enabled", "--grpc_channel_arguments=grpc.max_connection_age_ms=2000", "--nonsense=1"),
    ]
    with model_server(tmp_path, *flags) as server:
        assert "unsupported   --xla_cpu_compilation_enabled = true: graphs are not compiled with XLA" in server.log()
        assert "unsupported   --grpc_channel_arguments = grpc.max_connection_age_ms=2000" in server.log()
        assert server.card().startswith("unknown argument: --nonsense=1\nusage: ")
        assert predictions(server, "m") == [2.5, 3.0, 4.5]


def test_grpc_speaks_tls_and_asks_for_certificates(family: Path, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    client, client_key = make_certificate(tmp_path, "client")
    ssl = tmp_path / "ssl.txt"

    def text(path: Path) -> str:
        return path.read_text().replace("\n", "\\n")

    ssl.write_text(
        f'server_key: "{text(key)}"\nserver_cert: "{text(certificate)}"\n'
        f'custom_ca: "{text(client)}"\nclient_verify: true\n'
    )
    flags = ["--model_name=m", f"--model_base_path={family / 'half_plus_two'}", f"--ssl_config_file={ssl}"]
    with model_server(tmp_path / "server", *flags) as server:
        assert predictions(server, "m") == [2.5, 3.0, 4.5]  # REST stays in the clear, as in the original
        secure = Curl(f"https://127.0.0.1:{server.grpc_port}", certificate)
        reply = secure.get("/v1/models/m", "--cert", str(client), "--key", str(client_key))
        assert reply.status == 200
        refused = secure.get("/v1/models/m")
        assert refused.status == 0 and refused.exit_code != 0


def test_wrong_command_lines_end_as_the_original_does(tmp_path: Path) -> None:
    bad = run_protean("tensorflow_model_server", "--port=x")
    assert bad.returncode == 255
    assert "--enable_batching=false" in bad.stdout
    nothing = run_protean("tensorflow_model_server")
    assert nothing.returncode == 255
    assert nothing.stderr.startswith("Failed to start server. Error: INVALID_ARGUMENT: neither --model_base_path")
    version = run_protean("tensorflow_model_server", "--version")
    assert (version.returncode, version.stdout.startswith("TensorFlow ModelServer: ")) == (0, True)


def with_warm_up(family: Path, folder: Path, *kinds: str) -> Path:
    shutil.copytree(family / "half_plus_two", folder)
    script = paths.ROOT / "tests" / "backends" / "warm_up_requests.py"
    version = next(folder.iterdir())
    subprocess.run([interpreter(), script, version, *kinds], check=True, capture_output=True, timeout=300)
    return version


def test_warm_up_requests_are_repeated_before_a_version_is_there(family: Path, tmp_path: Path) -> None:
    good = with_warm_up(family, tmp_path / "good", "predict", "classify", "regress", "multi")
    with_warm_up(family, tmp_path / "wrong", "predict", "wrong")
    with_warm_up(family, tmp_path / "session", "session")
    config = tmp_path / "models.config"
    config.write_text(config_text(family, *(config_of(tmp_path, name, name) for name in ("good", "wrong", "session"))))
    monitoring = tmp_path / "monitoring.txt"
    monitoring.write_text("prometheus_config { enable: true }")
    flags = [f"--model_config_file={config}", f"--monitoring_config_file={monitoring}"]
    flags += ["--num_request_iterations_for_warmup=2", "--max_num_load_retries=0"]
    env = {"PROTEAN_TENSORFLOW_LIBRARY": library()}
    with model_server(tmp_path / "server", *flags, env=env) as server:
        wait_until(lambda: states(server, "good") == {"1": "AVAILABLE"}, "good")
        for name, message in (
            ("wrong", "warm-up with record 2 of 'assets.extra/tf_serving_warmup_requests' failed: input tensor alias not found"),
            ("session", "record 1 of 'assets.extra/tf_serving_warmup_requests': session_run cannot be repeated"),
        ):
            wait_until(lambda name=name: "END" in states(server, name).values(), name)
            status = server.curl.get(f"/v1/models/{name}").json()["model_version_status"][0]["status"]
            assert message in status["error_message"], status
        page = server.curl.get("/monitoring/prometheus/metrics").text
        counted = ':tensorflow:serving:model_warmup_records_read{{model_path="{}",status="{}"}} {}\n'
        assert counted.format(good, "OK", 4) in page
        assert counted.format(tmp_path / "session" / good.name, "UNIMPLEMENTED", 1) in page
    with model_server(tmp_path / "cold", *flags, "--enable_model_warmup=false") as server:
        assert predictions(server, "wrong") == [2.5, 3.0, 4.5]


def test_import_writes_a_configuration_that_serves_the_same(family: Path, tmp_path: Path) -> None:
    config = tmp_path / "models.config"
    labels = 'model_version_policy { all {} } version_labels { key: "stable" value: 1 }'
    config.write_text(
        config_text(
            family,
            config_of(family, "two", "two_versions", labels),
            config_of(family, "one", "half_plus_two", "logging_config { sampling_config { sampling_rate: 0.5 } }"),
        )
    )
    batching = tmp_path / "batching.txt"
    batching.write_text("max_batch_size { value: 16 } batch_timeout_micros { value: 100 } num_batch_threads { value: 2 }")
    monitoring = tmp_path / "monitoring.txt"
    monitoring.write_text('prometheus_config { enable: true path: "/m" }')
    grpc, rest = free_port(), free_port()
    out = tmp_path / "imported"
    command = [
        *("import", "tfserving", "--out", out, f"--port={grpc}", f"--rest_api_port={rest}"),
        *(f"--model_config_file={config}", "--enable_batching", f"--batching_parameters_file={batching}"),
        *(f"--monitoring_config_file={monitoring}", "--xla_cpu_compilation_enabled=true"),
    ]
    done = run_protean(*command)
    assert done.returncode == 0, done.stderr
    for line in (
        "unsupported   model_config_list.config[1].logging_config",
        "mapped        model_config_list.config[0].version_labels[0]",
        "mapped        max_batch_size = value: 16",
        "approximated  num_batch_threads",
        "unsupported   --xla_cpu_compilation_enabled",
        "mapped        prometheus_config.path",
    ):
        assert line in done.stdout, done.stdout
    assert run_protean(*command).returncode == 1  # what is there is not overwritten
    strict = run_protean(*command[:2], "--out", tmp_path / "again", "--strict", *command[4:])
    assert strict.returncode == 3
    with serving(tmp_path / "server", out / "protean.toml", rest) as server:
        assert predictions(server, "two", "/labels/stable") == [2.5, 3.0, 4.5]
        assert predictions(server, "one") == [2.5, 3.0, 4.5]
        assert ":tensorflow:serving:request_count" in server.curl.get("/m").text


@contextmanager
def serving(folder: Path, config: Path, port: int) -> Iterator[Server]:
    folder.mkdir()
    command = [str(paths.binary()), "serve", "--config", str(config), "--cache", str(folder / "cache")]
    with open(folder / "card.txt", "wb") as out, open(folder / "log.txt", "wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=log, env=clean_environment())
    server = Server(process, folder)
    server.port = port
    try:
        wait_until(lambda: not server.alive() or "Models" in server.card() or "two" in server.card(), "the card")
        yield server
    finally:
        server.stop()
