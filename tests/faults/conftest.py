# SPDX-License-Identifier: Apache-2.0
"""Servers with small limits: one for sizes and counts, one for times."""

import pytest

from harness import paths
from harness.server import serving

SIZES = {
    "--body-bytes-max": "1MiB",
    "--request-memory-max": "8MiB",
    "--header-bytes-max": "8KiB",
    "--chunks-max": "1000",
    "--streams-max": "10",
    "--pipeline-max": "8",
    "--output-bytes-max": "64KiB",
    "--connections-max": "200",
}
TIMES = {"--header-time-max": "300ms", "--body-idle-max": "500ms", "--idle-time-max": "600ms"}


def flags_of(limits: dict[str, str]) -> list[str]:
    return [part for pair in limits.items() for part in pair]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Takes little of everything."""
    with serving(tmp_path_factory.mktemp("small"), paths.TEST_MODELS, *flags_of(SIZES)) as server:
        yield server


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    """Waits for nobody."""
    with serving(tmp_path_factory.mktemp("hasty"), paths.TEST_MODELS, *flags_of(TIMES)) as server:
        yield server


@pytest.fixture(scope="module")
def hasty_tls(tmp_path_factory, certificate):
    """The same under TLS."""
    folder = tmp_path_factory.mktemp("hasty_tls")
    with serving(folder, paths.TEST_MODELS, *flags_of(TIMES), tls=certificate) as server:
        yield server
