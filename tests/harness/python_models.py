# SPDX-License-Identifier: Apache-2.0
"""Python models for tests, one that misbehaves on request, and what a server holds for its workers."""

import os
from pathlib import Path

from harness.curl import Reply
from harness.server import Server

HEAD = """
import ctypes, mmap, os, signal, socket, subprocess, sys, threading, time
import numpy as np
from protean_worker import Explanation, Input, InvalidInput, Model, Output, request_id


class Tested(Model):
    inputs = [Input("x", "FP32", [-1, 2])]
    outputs = [Output("y", "FP32", [-1, 2])]
"""
DOUBLE = """
    def predict(self, inputs):
        return inputs["x"] * 2
"""
# x[0, 0] asks for the fault of that number, x[0, 1] says how many seconds a `sleep` takes.
FAULTS = {
    "exit": "os._exit(7)",
    "crash": "ctypes.string_at(0)",
    "hang": "time.sleep(3600)",
    "deaf": "self.deaf()",
    "memory": "self.hoard()",
    "shared_memory": "self.hoard_shared()",
    "threads": "self.spin()",
    "scribble": "self.scribble()",
    "fork": "[os.fork() for _ in range(1000)]",
    "program": "subprocess.run(['/bin/true'])",
    "read_file": "open('/etc/passwd')",
    "read_server": "open(f'/proc/{os.getppid()}/environ')",
    "read_neighbour": "open('../../neighbour/1/model.py')",
    "write_file": "open('stolen', 'w')",
    "remove_file": "os.unlink('model.py')",
    "write_tmp": "open('/tmp/stolen', 'w')",
    "connect": "socket.create_connection(('127.0.0.1', 9))",
    "unix_socket": "socket.socket(socket.AF_UNIX)",
    "kill_server": "os.kill(os.getppid(), 9)",
    "output": "[os.write(1, (b'x' * 1000 + b'\\n') * 1000) for _ in range(1 << 10)]",
    "print": "print('printed by', request_id())",
    "sleep": "time.sleep(float(inputs['x'][0, 1]))",
}
FAULTY = (
    """
    def predict(self, inputs):
        fault = int(inputs["x"][0, 0])
        if fault: print("begins", fault, time.monotonic_ns())
"""
    + "".join(f"        if fault == {number}: {code}\n" for number, code in enumerate(FAULTS.values(), 1))
    + """
        return inputs["x"] * 2

    def deaf(self):
        until = time.monotonic() + 3600
        while time.monotonic() < until:
            try: time.sleep(3600)
            except BaseException: pass

    def hoard(self):
        kept = []
        try:
            while True: kept.append(np.ones(1 << 26, "u1"))
        finally:
            print("begins", 0, time.monotonic_ns())

    def hoard_shared(self):
        kept = []
        for _ in range(32):
            kept.append(mmap.mmap(-1, 1 << 26))
            np.frombuffer(kept[-1], "u1")[::4096] = 1
            print("begins", 0, time.monotonic_ns())
            if len(kept) > 7: time.sleep(1)

    def spin(self):
        threading.stack_size(1 << 16)
        for _ in range(1100): threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
        print("begins", 0, time.monotonic_ns())
        time.sleep(3600)

    def scribble(self):
        frame = sys._getframe()
        while "channel" not in frame.f_locals: frame = frame.f_back
        channel = frame.f_locals["channel"]
        channel._control[1 << 20:] = os.urandom(1 << 20)
        channel._answers[:] = os.urandom(len(channel._answers))
        os.write(channel._reply, b"?")
        time.sleep(3600)
"""
)


def number_of(fault: str) -> int:
    return list(FAULTS).index(fault) + 1 if fault else 0


def write_model(folder: Path, name: str, body: str, version: int = 1, config: str = "") -> Path:
    place = folder / name / str(version)
    place.mkdir(parents=True)
    (place / "model.py").write_text(HEAD + body)
    if config:
        (folder / name / "protean.toml").write_text(config)
    return place


def request(fault: str = "", second: float = 1, request_id: str = "") -> dict:
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [number_of(fault), second]}
    return {"inputs": [tensor]} | ({"id": request_id} if request_id else {})


def ask(server: Server, model: str, fault: str = "", second: float = 1, request_id: str = "") -> Reply:
    return server.curl.infer(model, request(fault, second, request_id))


def outputs(reply: Reply) -> list[float]:
    assert reply.status == 200, reply.text
    return reply.json()["outputs"][0]["data"]


def workers(server: Server) -> list[int]:
    """The server's child processes."""
    found = []
    for task in Path(f"/proc/{server.pid}/task").iterdir():
        try:
            found += map(int, (task / "children").read_text().split())
        except OSError:
            pass  # the thread has ended meanwhile
    return found


def holdings(server: Server) -> dict[str, int]:
    """What would grow if something leaked: descriptors, threads, children, and mappings of shared memory."""
    maps = Path(f"/proc/{server.pid}/maps").read_text().splitlines()
    return {
        "descriptors": len(os.listdir(f"/proc/{server.pid}/fd")),
        "threads": len(os.listdir(f"/proc/{server.pid}/task")),
        "children": len(workers(server)),
        "shared mappings": sum("/memfd:protean" in line for line in maps),
    }


def holds_no_more(server: Server, before: dict[str, int]) -> bool:
    """Whether the server holds at most what it held, and has all its workers."""
    now = holdings(server)
    return now["children"] == before["children"] and all(now[key] <= before[key] for key in before)
