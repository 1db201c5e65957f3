# SPDX-License-Identifier: Apache-2.0
"""The cases of `./dev bench backends`: trees beside the libraries, crossing to a Python worker, and served requests.

Each takes a Bench and returns rows {what, aim, measured, met} for the table, with all figures taken under `figures`.
"""

import json
import os
import statistics
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import clients
import measure
import payloads
import servers

ROOT = Path(__file__).resolve().parent.parent
TRANSPORTS = ("HTTP, JSON", "HTTP, binary", "gRPC")


@dataclass
class Bench:
    """One run. `run`: its folder; `paths`, `served`: what backends_models.write_folder() made; the rest as in run.py."""

    run: Path
    tools: Path
    built: Path
    binary: Path
    onnxruntime: Path
    models: Path
    paths: dict
    served: list
    quick: bool = False
    server_core: int = 0
    client_core: int = 1

    @property
    def seconds(self):
        return 0.3 if self.quick else 0.5

    @property
    def rounds(self):
        return 5 if self.quick else 21

    @property
    def turns(self):
        return 2 if self.quick else 5


class ProteanFolder(servers.Server):
    """The server on the folder that the run has made."""

    name = "protean"
    ready_path = "/v2/health/ready"

    def __init__(self, bench):
        super().__init__(bench.run, bench.server_core)
        self.bench = bench

    def command(self):
        return [self.bench.binary, "serve", self.bench.models, "--listen", f"127.0.0.1:{self.port}", "--log-level",
                "error", "--state", self.folder / "state", "--cache", self.folder / "cache", "--python", sys.prefix]


def aim_row(what, measured, at_most, unit="x"):
    return {"what": what, "aim": f"at most {at_most} {unit}", "measured": f"{measured:.3g} {unit}",
            "met": bool(measured <= at_most)}


def library_of(package, pattern):
    import importlib.util

    folder = Path(importlib.util.find_spec(package).origin).parent
    return next(folder.rglob(pattern))


def trees_bench(bench, model, **peers):
    """trees_bench.cc on the server's core."""
    arguments = [f"{name}={value}" for name, value in peers.items()]
    done = subprocess.run(["taskset", "-c", str(bench.server_core), bench.built / "benchmarks/trees_bench",
                           f"rounds={bench.rounds}", f"rows={bench.paths['rows']}", "columns=30", f"protean={model}",
                           *arguments], capture_output=True, text=True, timeout=120, check=False,
                          env=dict(os.environ, OMP_NUM_THREADS="1"))
    if done.returncode != 0:
        raise clients.ClientFailed(f"trees_bench: {done.stderr}")
    return json.loads(done.stdout)


def trees(bench):
    """100 trees of depth 6 beside libxgboost, ONNX Runtime's tree operator and LightGBM; one thread each, in turns."""
    paths = bench.paths
    found = {
        "xgboost file": trees_bench(bench, paths["xgboost"],
                                    xgboost=f"{library_of('xgboost', 'libxgboost.so')},{paths['xgboost']}",
                                    onnxruntime=f"{bench.onnxruntime},{paths['onnx']}"),
        "lightgbm file": trees_bench(bench, paths["lightgbm"],
                                     lightgbm=f"{library_of('lightgbm', 'lib_lightgbm.so')},{paths['lightgbm']}"),
    }
    middle = {file: {case: {name: statistics.median(times) for name, times in result[case].items()}
                     for case in ("single", "batch", "explain")} for file, result in found.items()}
    ours = middle["xgboost file"]
    light = middle["lightgbm file"]
    rows = []
    for case, what, peer, at_most in (
            ("single", "one row, over libxgboost's C API", "xgboost", 0.1),
            ("single", "one row, over ONNX Runtime's tree operator", "onnxruntime", 0.4),
            ("batch", "1,024 rows, over libxgboost's C API", "xgboost", 0.7),
            ("explain", "TreeSHAP of 64 rows, over pred_contribs", "xgboost", 0.5)):
        row = aim_row(what, ours[case]["protean"] / ours[case][peer], at_most)
        row["measured"] += f" ({ours[case]['protean']:.2f} of {ours[case][peer]:.2f} us)"
        rows.append(row)
    rows.append({"what": "1,024 rows, over ONNX Runtime's tree operator",
                 "measured": f"{ours['batch']['protean'] / ours['batch']['onnxruntime']:.3g} x "
                             f"({ours['batch']['protean']:.2f} of {ours['batch']['onnxruntime']:.2f} us)"})
    for case, what in (("single", "one row"), ("batch", "1,024 rows"), ("explain", "TreeSHAP of 64 rows")):
        rows.append({"what": f"LightGBM's file: {what}, over LightGBM's C API",
                     "measured": f"{light[case]['protean'] / light[case]['lightgbm']:.3g} x "
                                 f"({light[case]['protean']:.2f} of {light[case]['lightgbm']:.2f} us)"})
    for file, result in middle.items():
        rows.append({"what": f"{file}: one row through what the server calls (tensors in and out), over the trees alone",
                     "measured": f"{result['single']['protean model'] / result['single']['protean']:.3g} x "
                                 f"({result['single']['protean model']:.2f} us)"})
    rows[0]["figures"] = {"medians_us": middle, "rounds_us": found}
    return rows


def crossing(bench):
    """A no-op run of a Python worker, and 600 KB to it beside the same bytes through a socket, without a server."""
    cores = f"{bench.server_core},{bench.client_core}"
    rounds = "300" if bench.quick else "3000"
    done = subprocess.run(["taskset", "-c", cores, bench.built / "benchmarks/python_bench", sys.prefix, rounds],
                          capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise clients.ClientFailed(f"python_bench: {done.stderr}")
    found = json.loads(done.stdout)
    row = aim_row("600 KB to the worker, over the same through a Unix socket", found["crossing_over_unix_socket"], 0.2)
    tcp = aim_row("600 KB to the worker, over the same through TCP", found["crossing_over_tcp_socket"], 0.2)
    row["figures"] = found
    noop = {"what": "one no-op run in the worker, there and back", "measured": f"{found['run_16_bytes']['median_us']} us"}
    return [row, tcp, noop]


@dataclass
class Request:
    """One row for one model, in the three forms."""

    http: dict
    frame: bytes


def make_request(bench, server, name):
    url = f"http://127.0.0.1:{server.port}/v2/models/{name}"
    with urllib.request.urlopen(url, timeout=10) as reply:
        signature = json.load(reply)
    tensors = payloads.make_tensors(signature["inputs"], 1, [0.25, -1.5, 0.75, 2.125, -0.375])
    body = payloads.json_infer_body(tensors)
    path = f"/v2/models/{name}/infer"
    answer = json.loads(clients.post(server.port, path, body, {"Content-Type": "application/json"}))
    binary, json_bytes = payloads.binary_infer_body(tensors, [output["name"] for output in answer["outputs"]])
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(json_bytes)}
    frame = payloads.grpc_frame(payloads.grpc_infer_message(name, tensors))
    clients.verify_grpc(bench, server.port, frame)
    return Request({"HTTP, JSON": payloads.http_post(path, body, [("Content-Type", "application/json")]),
                    "HTTP, binary": payloads.http_post(path, binary, headers.items())}, frame)


def sample(bench, server, request, transport):
    """One turn of one connection: the server's CPU a request with its workers', and the client's p50."""
    load = clients.Load(1, 1, bench.seconds)
    before = server.cpu()
    if transport == "gRPC":
        turn = clients.grpc_load(bench, server.port, load, request.frame)
    else:
        turn = clients.http_load(bench, server.port, load, request.http[transport])
    return {"cpu_us": server.cpu().since(before) / 1000 / turn["requests"], "p50_us": turn["p50_us"]}


def bare_loops(bench, tree_times):
    """{name: microseconds of the library alone for one row}."""
    import backends_models

    bare = {}
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {bench.server_core})
    for served in bench.served:
        if served.timed_as:
            file = "lightgbm file" if served.timed_as == "lightgbm" else "xgboost file"
            bare[served.name] = tree_times[file]["single"][served.timed_as]
        elif served.bare:
            bare[served.name] = statistics.median(
                backends_models.loop_us(served.bare, bench.seconds) for _ in range(3))
        else:
            done = subprocess.run([bench.tools / "bare_onnxruntime", "--library", bench.onnxruntime, "--model",
                                   bench.models / served.name / "1/model.onnx", "--seconds", str(bench.seconds)],
                                  capture_output=True, text=True, check=True)
            bare[served.name] = json.loads(done.stdout)["wall_us"]
    os.sched_setaffinity(0, before)
    return bare


def serving(bench, earlier):
    """A request of one row at one connection, over the bare library's loop for that row."""
    figures = earlier.get("trees") or trees(bench)[0]["figures"]
    bare = bare_loops(bench, figures["medians_us"])
    samples = {(served.name, transport): [] for served in bench.served for transport in TRANSPORTS}
    echo_samples = []
    with ProteanFolder(bench) as server:
        requests = {served.name: make_request(bench, server, served.name) for served in bench.served}
        whole = requests["xgboost"].http["HTTP, JSON"]
        with servers.TcpEcho(bench.run, bench.server_core, bench.tools, len(whole), 250) as echo:
            for turn in range(bench.turns + 1):
                for name, transport in samples:
                    samples[name, transport].append(sample(bench, server, requests[name], transport))
                before = echo.cpu()
                done = clients.http_load(bench, echo.port, clients.Load(1, 1, bench.seconds), whole, 250)
                cpu = echo.cpu().since(before) / 1000 / done["requests"]
                echo_samples.append({"cpu_us": cpu, "p50_us": done["p50_us"]})
    middle = {key: median_of(taken[1:]) for key, taken in samples.items()}
    loopback = median_of(echo_samples[1:])
    return serving_rows(bench, bare, middle, loopback)


def median_of(taken):
    return {key: statistics.median(turn[key] for turn in taken) for key in taken[0]}


def serving_rows(bench, bare, middle, loopback):
    rows = []
    for transport in TRANSPORTS:
        ours, theirs = middle["noop", transport], middle["identity", transport]
        rows.append(aim_row(f"no-op in a Python worker less the same in the server, p50, {transport}",
                            ours["p50_us"] - theirs["p50_us"], 40, "us"))
        rows[-1]["measured"] += f" (CPU {ours['cpu_us'] - theirs['cpu_us']:+.1f} us)"
    rows.append({"what": "for scale: as many bytes there and back through TCP, no server",
                 "measured": f"{loopback['cpu_us']:.1f} us CPU, p50 {loopback['p50_us']:.0f} us"})
    rows[0]["figures"] = {"loopback": loopback,
                          "served": [{"backend": served.backend, "library": served.library,
                                    "bare_us": bare[served.name],
                                    "transports": {transport: middle[served.name, transport]
                                                   for transport in TRANSPORTS}} for served in bench.served]}
    return rows


def served_table(figures):
    """Markdown: one line a backend."""
    lines = ["| backend | the library alone, us | " + " | ".join(TRANSPORTS) + " |", "|---" * 5 + "|"]
    for entry in figures["served"]:
        cells = " | ".join(f"{found['cpu_us'] - entry['bare_us']:+,.1f} ({found['cpu_us']:.1f}, p50 {found['p50_us']:.0f})"
                           for found in entry["transports"].values())
        lines.append(f"| {entry['backend']} | {entry['bare_us']:,.2f} ({entry['library']}) | {cells} |")
    return "\n".join(lines)


CASES = {"trees": lambda bench, _: trees(bench), "crossing": lambda bench, _: crossing(bench), "serving": serving}
