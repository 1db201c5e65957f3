# SPDX-License-Identifier: Apache-2.0
"""Waiting for a condition, never for a time."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_PAUSE = threading.Event()


def wait_until(condition: Callable[[], T], what: str, seconds: float = 20.0) -> T:
    """The first truthy value of `condition`; fails with `what` when there is none within `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain: {what} (last value: {value!r})")
        _PAUSE.wait(0.005)
