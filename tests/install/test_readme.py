# SPDX-License-Identifier: Apache-2.0
"""What the documentation shows works: every block of shell and Python is run against a server of examples/models.

The server listens elsewhere than the pages say, so 127.0.0.1:8080 is replaced by its address. A block that cannot be
run stands behind `<!-- not run: reason -->`. `./dev VERB` must be a verb; it is not run, for it runs these tests.
"""

import re
import subprocess
import sys
import tomllib

import pytest

from harness import paths
from harness.markdown import Block, blocks_of, documents
from harness.server import clean_environment, run_protean

_ADDRESS = "127.0.0.1:8080"
_DEV = re.compile(r"^\./dev(?: ([a-z]+))?(?: .*)?$", re.MULTILINE)


def _blocks(*languages: str) -> list:
    found = [block for file in documents() for block in blocks_of(file) if block.language in languages]
    return [pytest.param(block, id=block.place) for block in found]


def _here(block: Block, server) -> str:
    if block.not_run:
        pytest.skip(block.not_run)
    return block.text.replace(_ADDRESS, server.authority)


@pytest.mark.parametrize("block", _blocks("bash", "sh"))
def test_shell_blocks_run(examples, reader_environment, block):
    text = _here(block, examples)
    verbs = subprocess.run([paths.ROOT / "dev"], capture_output=True, text=True, timeout=60).stdout
    for verb in _DEV.findall(text):
        assert not verb or re.search(rf"^  {verb} ", verbs, re.MULTILINE), f"{block.place}: ./dev has no verb '{verb}'"
    text = _DEV.sub("", text)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=paths.ROOT,
        env=reader_environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, f"{block.place}: exit status {done.returncode}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("block", _blocks("python"))
def test_python_blocks_run(examples, tmp_path, block):
    script = tmp_path / "block.py"
    script.write_text(_here(block, examples))
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, f"{block.place}: exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.stdout.strip(), f"{block.place} prints something"


@pytest.mark.parametrize("block", _blocks("toml"))
def test_configuration_blocks_are_accepted(tmp_path, block):
    if block.not_run:
        pytest.skip(block.not_run)
    file = tmp_path / "protean.toml"
    file.write_text(block.text)
    done = run_protean("serve", "--config", file, "--print-config")
    assert done.returncode == 0, f"{block.place}: {done.stderr}"
    effective = tomllib.loads(done.stdout)
    for key in tomllib.loads(block.text):
        assert key in effective and (f"{key} = " in done.stdout or f"[{key}." in done.stdout)


@pytest.mark.parametrize("block", _blocks("yaml"))
def test_prometheus_configurations_are_valid(tmp_path, block):
    if "scrape_configs" not in block.text:
        pytest.skip("no configuration of Prometheus")
    file = tmp_path / "prometheus.yml"
    file.write_text(block.text)
    done = subprocess.run([paths.tool("promtool"), "check", "config", file], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{block.place}: {done.stderr}"


def test_the_readme_has_blocks_to_run():
    runnable = [block for block in blocks_of(paths.ROOT / "README.md") if not block.not_run]
    assert sum(block.language == "bash" for block in runnable) >= 3
    assert any(block.language == "python" for block in runnable)


def test_reasons_for_not_running_are_sentences():
    for file in documents():
        for block in blocks_of(file):
            assert not block.not_run or len(block.not_run) > 8, f"{block.place}: '{block.not_run}'"
