# SPDX-License-Identifier: Apache-2.0
"""The interpreter that has TensorFlow: apart from the tests' own, because it is large and wants other versions."""

from pathlib import Path

import pytest

from harness.paths import ROOT


def interpreter() -> Path:
    """`.deps/tensorflow/bin/python`; a test that needs it is skipped where it is not installed."""
    found = ROOT / ".deps" / "tensorflow" / "bin" / "python"
    if not found.exists():
        pytest.skip(f"{found} does not exist (./dev setup test)")
    return found


@pytest.fixture(scope="session")
def tensorflow_python() -> Path:
    return interpreter()
