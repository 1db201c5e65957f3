# SPDX-License-Identifier: Apache-2.0
"""The page of rules says what the cases say, and no rule is without a case, a test or a reason."""

import subprocess
import sys

from harness import paths


def test_the_page_is_what_the_cases_make_it():
    command = [sys.executable, str(paths.ROOT / "tools" / "tfserving_conformance"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
