# SPDX-License-Identifier: Apache-2.0
"""What a model prints or logs, as lines that name the request: the server puts them into its own log.

A line is RS, one letter for the level, the request's id, RS, and the text; where models share the process, the number of
the model's channel and US come before the id. Lines without that come from libraries that write to the descriptors
themselves."""

from __future__ import annotations

import contextvars
import io
import logging
import os
import sys
import threading

from protean_worker.interface import current_request_id

_LINE_MAX = 4096
_BREAKS = {ord(mark): " " for mark in "\r\n\x1e\x1f"}

current_channel: contextvars.ContextVar[int] = contextvars.ContextVar("channel", default=0)
"""Where models share the process: whose thread this is."""

_one_line = threading.RLock()  # long ones would mix in the pipe


def write_line(level: str, text: str, descriptor: int = 2) -> None:
    """One line, cut to what the server takes."""
    identity = current_request_id.get().translate(_BREAKS)
    if number := current_channel.get():
        identity = f"{number}\x1f{identity}"
    line = f"\x1e{level}{identity}\x1e{text[:_LINE_MAX].translate(_BREAKS)}\n"
    with _one_line:
        os.write(descriptor, line.encode(errors="replace"))


class LineStream(io.TextIOBase):
    """Takes the place of sys.stdout and sys.stderr. Thread-safe."""

    def __init__(self, descriptor: int, level: str):
        super().__init__()
        self.buffer = io.FileIO(descriptor, "w", closefd=False)
        self._descriptor = descriptor
        self._level = level
        self._lock = threading.RLock()
        self._rests: dict[int, str] = {}  # by channel

    encoding = "utf-8"

    @property
    def pending(self) -> bool:
        return current_channel.get() in self._rests

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, text: str) -> int:
        channel = current_channel.get()
        with self._lock:
            *lines, rest = (self._rests.pop(channel, "") + text).split("\n")
            if rest:
                self._rests[channel] = rest[:_LINE_MAX]
            for line in lines:
                write_line(self._level, line, self._descriptor)
        return len(text)

    def flush(self) -> None:
        with self._lock:
            if rest := self._rests.pop(current_channel.get(), ""):
                write_line(self._level, rest, self._descriptor)


class LogHandler(logging.Handler):
    """The root logger's handler: keeps the level."""

    _LETTERS = ((logging.ERROR, "E"), (logging.WARNING, "W"), (logging.INFO, "I"), (0, "D"))

    def emit(self, record: logging.LogRecord) -> None:
        letter = next(letter for level, letter in self._LETTERS if record.levelno >= level)
        try:
            for line in self.format(record).splitlines():
                write_line(letter, line)
        except Exception:  # noqa: BLE001 - a line that cannot be formatted must not fail the request
            self.handleError(record)


def flush() -> None:
    """Ends the lines that the request before has left open."""
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, LineStream) or stream.pending:
            stream.flush()


def redirect() -> None:
    """Sends print(), warnings and logging to the server."""
    sys.stdout = LineStream(1, "I")
    sys.stderr = LineStream(2, "W")
    handler = LogHandler()
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
