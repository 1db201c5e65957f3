# SPDX-License-Identifier: Apache-2.0
"""The reference pages in docs/ and the program tell the same: every flag, every figure."""

import re

from harness import paths
from harness.server import run_protean

_CONFIGURATION = paths.ROOT / "docs" / "configuration.md"
_METRICS = paths.ROOT / "docs" / "metrics.md"


def test_every_option_has_its_place_in_the_configuration_page():
    page = _CONFIGURATION.read_text()
    options = re.findall(
        r"^(\w+) = ", run_protean("serve", paths.EXAMPLE_MODELS, "--print-config").stdout, re.MULTILINE
    )
    assert len(options) > 20
    missing = [key for key in options if f"--{key.replace('_', '-')}" not in page]
    assert not missing, f"{_CONFIGURATION.name} does not tell of {missing}"


def test_the_configuration_page_names_no_flag_that_does_not_exist():
    known = set(re.findall(r"--[a-z0-9-]+", run_protean("serve", "--help").stdout)) | {"--help", "--version"}
    unknown = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", _CONFIGURATION.read_text())) - known
    assert not unknown, f"{_CONFIGURATION.name} tells of {sorted(unknown)}"


def _families(server) -> set[str]:
    return set(re.findall(r"^# TYPE (\S+) ", server.metrics(), re.MULTILINE))


def test_every_figure_has_its_place_in_the_metrics_page_and_the_other_way_round(examples):
    # Some series begin with the first event of their kind.
    examples.curl.get("/nothing")
    examples.curl.post("/v2/models/iris/infer", b"{")
    examples.curl.infer("iris", {"inputs": []})
    examples.curl.get("/v2", "-H", "Content-Length: x")
    page = _METRICS.read_text()
    shown = _families(examples)
    missing = [name for name in sorted(shown) if f"`{name}" not in page]
    assert not missing, f"{_METRICS.name} does not tell of {missing}"
    told = set(re.findall(r"^\| `((?:protean|process)_\w+)", page, re.MULTILINE))
    gone = [name for name in sorted(told) if name not in shown]
    assert not gone, f"{_METRICS.name} tells of {gone}, which the server does not show"
