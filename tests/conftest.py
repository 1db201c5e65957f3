# SPDX-License-Identifier: Apache-2.0
"""Fixtures for tests against the real process: $PROTEAN_BINARY, or build/dev/protean.

A shared server serves one module's read-only tests; whoever changes or stops a server starts one with `start_server`.
"""

import contextlib
import itertools
import os
import signal
import warnings

import pytest

from harness import paths
from harness.certificates import make_certificate
from harness.grpc_stub import Stub, channel
from harness.server import Server, clean_environment, serving, start
from harness.tensorflow import tensorflow_python  # noqa: F401 (a fixture)

_RUNNING: list[Server] = []
_TEST_SECONDS = 120


def pytest_configure(config: pytest.Config) -> None:
    # tritonclient loads CUDA helpers it does not need here, and says so.
    warnings.filterwarnings("ignore", category=UserWarning, module="tritonclient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if items and not paths.binary().exists():
        pytest.exit(f"no program to test: {paths.binary()} does not exist (run ./dev build dev)", returncode=3)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """A failure shows what the servers said, the newest lines last."""
    report = yield
    if report.failed:
        for server in _RUNNING:
            state = "running" if server.alive() else f"ended with status {server.process.returncode}"
            report.sections.append((f"log of the server on port {server.port} ({state})", server.tail(4000)))
    return report


@contextlib.contextmanager
def _watched(server: Server):
    _RUNNING.append(server)
    try:
        yield server
    finally:
        _RUNNING.remove(server)


@pytest.fixture(autouse=True)
def _ends_in_time():
    """A test that hangs becomes a failure with a traceback."""

    def out_of_time(*_: object) -> None:
        raise AssertionError(f"the test took more than {_TEST_SECONDS} s")

    previous = signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(_TEST_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory):
    """(certificate, key) for 127.0.0.1."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory):
    """A server of examples/models, in clear text."""
    with serving(tmp_path_factory.mktemp("examples"), paths.EXAMPLE_MODELS) as server, _watched(server):
        yield server


@pytest.fixture(scope="module")
def examples_tls(tmp_path_factory: pytest.TempPathFactory, certificate):
    """The same under TLS."""
    with (
        serving(tmp_path_factory.mktemp("examples_tls"), paths.EXAMPLE_MODELS, tls=certificate) as server,
        _watched(server),
    ):
        yield server


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory):
    """A server of tests/data/models."""
    with serving(tmp_path_factory.mktemp("models"), paths.TEST_MODELS) as server, _watched(server):
        yield server


@pytest.fixture
def start_server(tmp_path):
    """Starts servers of one test: start_server(models_folder, *flags, env=, tls=). Each must stop cleanly: the fixture
    sees to it unless the test has ended the process itself."""
    numbers = itertools.count()
    with contextlib.ExitStack() as stack:
        started: list[Server] = []

        def start_one(folder, *flags, **options) -> Server:
            server = start(tmp_path / f"server-{next(numbers)}", folder, *flags, **options)
            stack.enter_context(_watched(server))
            started.append(server)
            return server

        try:
            yield start_one
            for server in started:
                if server.process.returncode is None:
                    server.stop()
                server.check_sanitizers()
        finally:
            for server in started:
                if server.alive():
                    server.process.kill()
                server.process.wait()


@pytest.fixture(scope="session")
def reader_environment(tmp_path_factory: pytest.TempPathFactory):
    """For lines that a reader pastes: a PATH whose curl fails where the reader would see an error."""
    folder = tmp_path_factory.mktemp("bin")
    curl = folder / "curl"
    curl.write_text(f'#!/bin/sh\nexec {paths.tool("curl")} --fail-with-body --max-time 60 "$@"\n')
    curl.chmod(0o755)
    return clean_environment({"PATH": f"{folder}:{os.environ['PATH']}"})


@pytest.fixture
def stub(examples: Server):
    """Plain grpcio to the server of examples/models."""
    with channel(examples.authority) as connection:
        yield Stub(connection)


@pytest.fixture
def models_stub(models: Server):
    """Plain grpcio to the server of tests/data/models."""
    with channel(models.authority) as connection:
        yield Stub(connection)
