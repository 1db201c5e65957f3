# SPDX-License-Identifier: Apache-2.0
"""`./dev bench tfserving`: what TensorFlow Serving's protocol costs beside our own, and its JSON beside the original's way.

    python benchmarks/tfserving.py            all of it (about 2 minutes); rewrites TFSERVING.md and its JSON
    python benchmarks/tfserving.py --quick    short turns, under a minute; prints only
    --binary PATH      the server (default build/release/protean)
    --built PATH       where tfserving_bench and saved_model_probe were built (default build/bench)
    --write            rewrite TFSERVING.md and its JSON after --quick too

The method is in benchmarks/TFSERVING.md.
"""

import argparse
import json
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import clients
import measure
import payloads
import report
import servers

ROOT = Path(__file__).resolve().parent.parent
TENSORFLOW = ROOT / ".deps/tensorflow"
PREDICT = "/tensorflow.serving.PredictionService/Predict"
ORIGINAL_IN_MB_S = 150  # JSON in, measured with the original beforehand
ORIGINAL_OUT_NS = 240  # a float out, likewise
SHAPES = {"tiny": ("x", [1, 4]), "image": ("image", [1, 224, 224, 3])}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--binary", type=Path, default=ROOT / "build/release/protean")
    parser.add_argument("--built", type=Path, default=ROOT / "build/bench")
    parser.add_argument("--tools", type=Path, default=ROOT / ".deps/bench/build")
    return parser.parse_args()


class Paths:
    """What clients.py asks for, and the cores that both sides are pinned to."""

    server_core = 0
    client_core = 1

    def __init__(self, run, tools):
        self.run = run
        self.tools = tools


class ModelServer(servers.Server):
    """`protean serve` with one port of TensorFlow Serving's dialect, which speaks the Open Inference Protocol as well."""

    name = "protean"
    ready_path = "/v2/health/ready"

    def __init__(self, paths, binary, models, library):
        super().__init__(paths.run, paths.server_core)
        self.binary, self.models, self.library = binary, models, library

    def command(self):
        return [self.binary, "serve", self.models, "--listen", f"127.0.0.1:{self.port}=tfserving", "--log-level", "error",
                "--state", "none", "--cache", self.folder / "cache", "--body-bytes-max", "64MiB",
                "--tensorflow-library", self.library]


class Migration(servers.Server):
    """`protean migrate` in front of a server that is both the old and the new one; on the clients' core."""

    def __init__(self, paths, binary, server, mirror):
        self.name = f"migrate-{mirror}"
        super().__init__(paths.run, paths.client_core)
        self.binary, self.server, self.mirror = binary, server, mirror

    def command(self):
        sides = [flag for side in ("--from", "--to") for wire in ("http", "grpc")
                 for flag in (side, f"{wire}://127.0.0.1:{self.server.port}")]
        return [self.binary, "migrate", *sides, "--dialect", "tfserving", "--listen", f"127.0.0.1:{self.port}",
                "--mirror", self.mirror]


def nested(values, shape):
    for size in reversed(shape[1:]):
        values = [values[i:i + size] for i in range(0, len(values), size)]
    return values


def tensor_proto(shape, raw, typed):
    """TensorProto: dtype = 1 (DT_FLOAT 1), tensor_shape = 2, tensor_content = 4 or float_val = 5 (packed)."""
    dims = b"".join(payloads._field(2, b"\x08" + payloads._varint(size)) for size in shape)
    return b"\x08\x01" + payloads._field(2, dims) + payloads._field(5 if typed else 4, raw)


def predict_frame(model, name, shape, raw, typed):
    """PredictRequest: model_spec = 1 {name = 1}, inputs = 2 {key = 1, value = 2}."""
    entry = payloads._field(1, name.encode()) + payloads._field(2, tensor_proto(shape, raw, typed))
    return payloads.grpc_frame(payloads._field(1, payloads._field(1, model.encode())) + payloads._field(2, entry))


def requests_of(model):
    """{way: what is sent}: REST bodies as whole HTTP requests, gRPC ones as (method, frame)."""
    name, shape = SHAPES[model]
    count = 1
    for size in shape:
        count *= size
    numbers = random.Random(7)
    raw = struct.pack(f"<{count}f", *(numbers.random() for _ in range(count)))
    values = [round(value, 7) for value in struct.unpack(f"<{count}f", raw)]
    rest = json.dumps({"instances": nested(values, shape)}).encode()
    tensor = payloads.Tensor(name, "FP32", shape, raw)
    binary, json_bytes = payloads.binary_infer_body([tensor], [])
    headers = [("Content-Type", "application/octet-stream"), ("Inference-Header-Content-Length", str(json_bytes))]
    return {
        "own binary route": payloads.http_post(f"/v2/models/{model}/infer", binary, headers),
        "REST predict": payloads.http_post(f"/v1/models/{model}:predict", rest, [("Content-Type", "application/json")]),
        "own gRPC": (clients.MODEL_INFER, payloads.grpc_frame(payloads.grpc_infer_message(model, [tensor]))),
        "gRPC, tensor_content": (PREDICT, predict_frame(model, name, shape, raw, False)),
        "gRPC, float_val": (PREDICT, predict_frame(model, name, shape, raw, True)),
    }, len(rest)


def sample(paths, server, request, seconds):
    load = clients.Load(1, 1, seconds)
    before = server.cpu()
    if isinstance(request, tuple):
        turn = clients.grpc_load(paths, server.port, load, request[1], request[0])
    else:
        turn = clients.http_load(paths, server.port, load, request)
    return {"cpu_us": server.cpu().since(before) / 1000 / turn["requests"], "p50_us": turn["p50_us"]}


def served(paths, options, models, library):
    """{model: {way: medians}}: all ways in turns, so that the machine's moods are shared."""
    found = {}
    seconds, turns = (0.3, 3) if options.quick else (1.0, 9)
    with ModelServer(paths, options.binary.resolve(), models, library) as server:
        sent = {model: requests_of(model) for model in SHAPES}
        taken = {(model, way): [] for model, (ways, _) in sent.items() for way in ways}
        for (model, way) in taken:
            request = sent[model][0][way]
            if isinstance(request, tuple):
                clients.verify_grpc(paths, server.port, request[1], request[0])
        for _ in range(turns + 1):
            for (model, way), samples in taken.items():
                samples.append(sample(paths, server, sent[model][0][way], seconds))
    for (model, way), samples in taken.items():
        found.setdefault(model, {})[way] = {key: statistics.median(turn[key] for turn in samples[1:])
                                            for key in samples[0]}
    return found, {model: size for model, (_, size) in sent.items()}


def through_migrate(paths, options, models, library):
    """{way: (median p50, µs)} of the tiny model: straight, through migrate, and with every request mirrored."""
    seconds, turns = (0.3, 3) if options.quick else (1.0, 9)
    binary = options.binary.resolve()
    request = requests_of("tiny")[0]["REST predict"]
    with (ModelServer(paths, binary, models, library) as server,
          Migration(paths, binary, server, 0) as passing,
          Migration(paths, binary, server, 1) as mirroring):
        ways = {"straight to the server": server, "through migrate": passing, "through migrate, mirrored": mirroring}
        taken = {way: [] for way in ways}
        for _ in range(turns + 1):
            for way, entry in ways.items():
                load = clients.Load(1, 1, seconds)
                taken[way].append(clients.http_load(paths, entry.port, load, request)["p50_us"])
    return {way: statistics.median(samples[1:]) for way, samples in taken.items()}


def bare_session(options, models, library, model):
    """Microseconds of one run through TensorFlow's C library alone, on the calling thread and on TensorFlow's own."""
    runs = 500 if model == "tiny" else 100
    turns = []
    for _ in range(3 if options.quick else 9):
        done = subprocess.run(["taskset", "-c", str(Paths.server_core), options.built / "tests/saved_model_probe", library],
                              input=f"bare {models / model / '1'} {runs}\n", capture_output=True, text=True, check=True,
                              timeout=300)
        word, *nanoseconds = done.stdout.splitlines()[-1].split()
        if word != "ok":
            raise clients.ClientFailed(f"saved_model_probe: {done.stdout}")
        turns.append(min(float(value) for value in nanoseconds) / 1000)
    return statistics.median(turns)


def json_costs(options):
    rounds = "5" if options.quick else "31"
    done = subprocess.run(["taskset", "-c", str(Paths.server_core), options.built / "benchmarks/tfserving_bench", rounds],
                          capture_output=True, text=True, check=True, timeout=600)
    found = json.loads(done.stdout)
    found["median"] = {name: statistics.median(all_of) for name, all_of in found["seconds"].items()}
    return found


def json_rows(costs):
    floats, median = costs["floats"], costs["median"]
    rows = []
    for what, size in (("short", costs["short_bytes"]), ("long", costs["long_bytes"])):
        ours, peer = median[f"in, {what}"], median[f"in, {what}, peer"]
        speed = size / ours / 1e6
        note = "7 to 9 digits" if what == "short" else "17 digits, as json.dumps() writes what NumPy made of float32"
        rows.append((f"JSON in, {floats:,} floats of {note}", "at least 6 x 150 MB/s",
                     f"{speed:,.0f} MB/s, {speed / ORIGINAL_IN_MB_S:.1f} x ({ours / floats * 1e9:.1f} ns, "
                     f"{floats / ours / 1e6:.0f} million floats a second; RapidJSON's tree walked here: {peer / ours:.1f} x "
                     "the time)", speed >= 6 * ORIGINAL_IN_MB_S))
    ours, peer = median["out"] / floats * 1e9, median["out, peer"] / floats * 1e9
    rows.append(("JSON out, a float", "at least 8 x faster than 240 ns",
                 f"{ours:.1f} ns, {ORIGINAL_OUT_NS / ours:.1f} x ({1000 / ours:.0f} million floats a second; by the C "
                 f"library here: {peer:.0f} ns)", ours * 8 <= ORIGINAL_OUT_NS))
    return rows


def served_table(found, bare, rest_bytes):
    lines = ["| model | way | server CPU, us | over the own route | less the bare session, us | p50, us |", "|---|---|---|---|---|---|"]
    for model, ways in found.items():
        for way, middle in ways.items():
            own = ways["own gRPC" if "gRPC" in way else "own binary route"]["cpu_us"]
            size = f" ({rest_bytes[model]:,} bytes)" if way == "REST predict" else ""
            lines.append(f"| {model} | {way}{size} | {middle['cpu_us']:.1f} | {middle['cpu_us'] / own:.2f} x | "
                         f"{middle['cpu_us'] - bare[model]:.1f} | {middle['p50_us']:.0f} |")
    return "\n".join(lines)


def main():
    options = parse_arguments()
    started = time.monotonic()
    library = next(TENSORFLOW.glob("lib/python3*/site-packages/tensorflow/libtensorflow_cc.so.2"))
    with tempfile.TemporaryDirectory(prefix="protean-tfserving-") as folder:
        run = Path(folder)
        paths = Paths(run, options.tools)
        models = run / "models"
        subprocess.run([TENSORFLOW / "bin/python", ROOT / "benchmarks/tfserving_models.py", models], check=True,
                       capture_output=True, timeout=300)
        costs = json_costs(options)
        bare = {model: bare_session(options, models, library, model) for model in SHAPES}
        found, rest_bytes = served(paths, options, models, library)
        migrated = through_migrate(paths, options, models, library)
    rows = json_rows(costs)
    machine = measure.machine()
    facts = (f"{machine['processor']}, {machine['cores']} cores, Linux {machine['kernel']}; TensorFlow's C library of "
             "tensorflow-cpu 2.20.0.")
    table = "| what | aim | measured | |\n|---|---|---|---|\n" + "\n".join(
        f"| {what} | {aim} | {measured} | {'met' if met else '**missed**'} |" for what, aim, measured, met in rows)
    bare_text = ", ".join(f"{model} {us:.1f} us" for model, us in bare.items())
    text = (f"{facts}\n\n{table}\n\nOne connection, one request at a time. A bare session loop in C takes: {bare_text}.\n\n"
            f"{served_table(found, bare, rest_bytes)}\n\nOne hop more, of REST predict on the tiny model (p50): "
            + ", ".join(f"{way} {us:.0f} us" for way, us in migrated.items()) + ".")
    print(f"{text}\n\n{time.monotonic() - started:.0f} s")
    if options.write or not options.quick:
        report.replace_between(ROOT / "benchmarks/TFSERVING.md", text)
        (ROOT / "benchmarks/tfserving_results.json").write_text(json.dumps(
            {"facts": facts, "json": costs["median"], "bare_us": bare, "served": found, "migrate_p50_us": migrated}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
