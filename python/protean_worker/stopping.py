# SPDX-License-Identifier: Apache-2.0
"""Leaving a run in its middle: the server sends a signal when nobody waits for the answer any more."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import TracebackType

SIGNAL = signal.SIGUSR1


class RunStopped(BaseException):
    """Raised inside the model's methods. Not an Exception, so that `except Exception` lets it through."""


class Stopper:
    """`with stopper:` around what may be left; `asked`: whether the server means the present run. The signal raises at
    most once in each block, and nowhere else. For the main thread: Python handles signals there."""

    def __init__(self, asked: Callable[[], bool]):
        self._asked = asked
        self._open = False
        self.wake: Callable[[], None] = lambda: None  # a signal does that by itself
        signal.signal(SIGNAL, self._handle)

    def _handle(self, number: int, frame: object) -> None:
        if self._open and self._asked():
            self._open = False
            raise RunStopped

    def __enter__(self) -> None:
        self._open = True
        if self._asked():  # before there was anything to leave
            self._open = False
            raise RunStopped

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open = False
