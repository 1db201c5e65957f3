# SPDX-License-Identifier: Apache-2.0
"""A process that several models share: the main thread takes their channels from the server, each is served by a thread
of its own.

Signals reach the main thread only, so it passes the wish to stop a run on, as an exception that Python raises in the
model's thread between two steps of its code. A wait is not interrupted by that, except for `await`."""

from __future__ import annotations

import contextvars
import ctypes
import gc
import os
import signal
import socket
import threading
from collections.abc import Callable
from types import TracebackType

from protean_worker.channel import Channel, ChannelClosed
from protean_worker.logs import current_channel
from protean_worker.serve import serve_channel
from protean_worker.stopping import SIGNAL, RunStopped

_JOIN = b"J"
_set_exception = ctypes.pythonapi.PyThreadState_SetAsyncExc
_set_exception.argtypes = (ctypes.c_ulong, ctypes.py_object)


class ThreadStopper:
    """As Stopper, for the thread that makes it; look() is for the main thread. `wake`: ends an `await` there."""

    def __init__(self, asked: Callable[[], bool]):
        self._asked = asked
        self._thread = threading.get_ident()
        self._lock = threading.RLock()  # a signal may come while another is being handled
        self._open = self._raised = False
        self.wake: Callable[[], None] = lambda: None

    def look(self) -> None:
        """Raises in the thread when its run is meant, once in each block."""
        with self._lock:
            if self._open and not self._raised and self._asked():
                self._raised = True
                _set_exception(self._thread, RunStopped)
                self.wake()

    def __enter__(self) -> None:
        with self._lock:
            self._raised = False
            self._open = True
            if self._asked():  # before there was anything to leave
                self._raised = True
                raise RunStopped

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # An exception that arrives in here leaves the block as one that came before.
        with self._lock:
            self._open = False
            if self._raised:
                _set_exception(self._thread, ctypes.py_object())  # withdraws one that has not been raised yet


class SharedWorker:
    """The models of this process."""

    def __init__(self) -> None:
        self._stoppers: dict[int, ThreadStopper] = {}

    def look(self, number: int = 0, frame: object = None) -> None:
        """For the main thread: a signal says that some run is to stop, the channels say which."""
        for stopper in list(self._stoppers.values()):
            stopper.look()

    def add(self, number: int, descriptor: int) -> None:
        name = f"channel {number}"
        threading.Thread(target=self._run, args=(number, descriptor), name=name, daemon=True).start()

    def _run(self, number: int, descriptor: int) -> None:
        contextvars.Context().run(self._serve, number, descriptor)
        gc.collect()  # its modules hold each other

    def _serve(self, number: int, descriptor: int) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, [SIGNAL])  # also in threads that libraries start from this one
        current_channel.set(number)
        channel = Channel(descriptor)
        stopper = self._stoppers[number] = ThreadStopper(channel.asked_to_stop)
        try:
            serve_channel(channel, stopper)
        except ChannelClosed:
            pass  # the version was unloaded
        finally:
            del self._stoppers[number]
            channel.close()


def serve_shared(descriptor: int) -> None:
    """`descriptor`: the socket on which channels arrive. Returns when the server has gone."""
    worker = SharedWorker()
    signal.signal(SIGNAL, worker.look)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, fileno=descriptor) as control:
        while True:
            message, descriptors, _, _ = socket.recv_fds(control, 16, 1)
            if not message:
                os._exit(0)  # threads of models do not end by themselves
            if message[:1] == _JOIN and len(descriptors) == 1:
                os.set_inheritable(descriptors[0], False)
                worker.add(int.from_bytes(message[1:5], "little"), descriptors[0])
