# SPDX-License-Identifier: Apache-2.0
"""Reads what a process costs from /proc: CPU time to the nanosecond, and memory that is its own.

CPU time is the sum over all threads of the first field of schedstat (time on a processor, ns). Threads that end between
two readings would be lost there, so the process's own total (utime + stime of stat, 10 ms steps) is read as well and
wins when it is clearly larger.
"""

import os
import statistics
from dataclasses import dataclass

CLOCK_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


@dataclass
class CpuReading:
    threads_ns: int
    process_ns: int

    def since(self, earlier):
        """Nanoseconds of CPU between two readings of the same processes."""
        by_threads = self.threads_ns - earlier.threads_ns
        by_process = self.process_ns - earlier.process_ns
        return by_process if by_process - by_threads > 4 * CLOCK_TICK_NS else by_threads


def process_tree(pid):
    """`pid` and all its descendants."""
    found = [pid]
    for parent in found:
        for task in _list(f"/proc/{parent}/task"):
            found.extend(int(child) for child in _read(f"/proc/{parent}/task/{task}/children").split())
    return found


def read_cpu(pid):
    """CPU used so far by `pid` and its descendants."""
    threads_ns = process_ns = 0
    for process in process_tree(pid):
        for task in _list(f"/proc/{process}/task"):
            fields = _read(f"/proc/{process}/task/{task}/schedstat").split()
            threads_ns += int(fields[0]) if fields else 0
        after_name = _read(f"/proc/{process}/stat").rpartition(")")[2].split()
        if after_name:
            process_ns += (int(after_name[11]) + int(after_name[12])) * CLOCK_TICK_NS
    return CpuReading(threads_ns, process_ns)


def read_memory_bytes(pid):
    """{"rss", "private"}: resident and private (clean + dirty) bytes of `pid` and its descendants."""
    rss = private = 0
    for process in process_tree(pid):
        for line in _read(f"/proc/{process}/smaps_rollup").splitlines():
            name, _, rest = line.partition(":")
            if name == "Rss":
                rss += int(rest.split()[0]) * 1024
            elif name in ("Private_Clean", "Private_Dirty"):
                private += int(rest.split()[0]) * 1024
    return {"rss": rss, "private": private}


def median(values):
    present = [value for value in values if value is not None]
    return statistics.median(present) if present else None


def machine():
    """What the figures were taken on: processor, cores, kernel."""
    model = "unknown"
    for line in _read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {"processor": model, "cores": os.cpu_count(), "kernel": os.uname().release.split("-")[0]}


def _read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _list(path):
    try:
        return os.listdir(path)
    except OSError:
        return []
