# SPDX-License-Identifier: Apache-2.0
"""Surroundings that fail: a small disk, system calls that return errors, a process that dies at a random moment.

$FAULT_RUNS says how many times something is killed (15 unless set), $FAULT_SEED where the random moments start.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.server import Server
from harness.wait import wait_until

_ROUND_SECONDS = 60


def fault_runs() -> Iterator[int]:
    """As many rounds as were asked for; each has its own time, however many there are."""
    for number in range(int(os.environ.get("FAULT_RUNS", "15"))):
        signal.alarm(_ROUND_SECONDS)
        yield number


def seeded_random() -> random.Random:
    """Prints its seed, which pytest shows when the test fails."""
    seed = int(os.environ.get("FAULT_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"FAULT_SEED={seed}")
    return random.Random(seed)


def kill_after(server: Server, seconds: float) -> None:
    """SIGKILL when so much time has passed. The moment is the fault; nothing is waited for."""
    moment = time.perf_counter() + seconds
    while time.perf_counter() < moment:
        pass
    server.signal(signal.SIGKILL)
    server.wait()


@contextlib.contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """A file system of `size` bytes (as mount takes them) in memory at `place`; skips where mounting is refused."""
    place.mkdir(mode=0o700)
    options = ["-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(place)]
    done = subprocess.run(["mount", *options], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"mounting a small disk was refused: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path) -> Path:
    """Takes the rest of the disk; delete the file to give it back."""
    path = disk / "filler"
    with contextlib.suppress(OSError), open(path, "wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    assert shutil.disk_usage(disk).free == 0
    return path


@contextlib.contextmanager
def failing_calls(server: Server, folder: Path, inject: str, *paths: Path) -> Iterator[Path]:
    """System calls of the running server fail as `inject` says (strace(1), -e inject=), those on `paths` alone if
    any are named. Yields the file with the calls that were traced. Skips where tracing is refused."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: run ./dev setup test")
    log = folder / "strace.txt"
    calls = inject.partition(":")[0]
    on = [part for path in paths for part in ("-P", str(path))]
    command = ["strace", "-f", "-q", "-o", log, "-p", str(server.pid), f"-etrace={calls}", f"-einject={inject}", *on]
    with open(folder / "strace-said.txt", "w+") as said:
        tracer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            wait_until(lambda: tracer.poll() is not None or _all_traced(server.pid), "strace has every thread")
            if tracer.returncode is not None:
                pytest.skip(f"tracing was refused: {Path(said.name).read_text().strip()}")
            yield log
        finally:
            if tracer.poll() is None:
                tracer.send_signal(signal.SIGTERM)
            tracer.wait(30)


def _all_traced(pid: int) -> bool:
    threads = list(Path(f"/proc/{pid}/task").iterdir())
    return all("TracerPid:\t0\n" not in (thread / "status").read_text() for thread in threads)
