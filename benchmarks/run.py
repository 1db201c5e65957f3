# SPDX-License-Identifier: Apache-2.0
"""`./dev bench`: Protean beside nginx, grpc++, a bare ONNX Runtime loop and NVIDIA Triton, all in one run.

    python3 benchmarks/run.py                   the whole run (about 9 minutes); rewrites README.md and results.json
    python3 benchmarks/run.py --quick           short turns, under 3 minutes; prints only
    python3 benchmarks/run.py --only a,d-slow   some groups or cases; prints only
    --binary PATH      the server (default build/release/protean); without it the peers are measured alone
    --write            rewrite README.md and results.json after --quick or --only too

benchmarks/setup must have run once. The method is in benchmarks/README.md.
"""

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import cases
import clients
import measure
import report
import servers

ROOT = Path(__file__).resolve().parent.parent
MODELS = [
    ("iris", "2", "examples/models/iris/2/model.onnx"),
    ("digits", "1", "examples/models/digits.onnx"),
    ("slow", "1", "tests/data/models/slow.onnx"),
    ("reduce_image", "1", "tests/data/models/reduce_image.onnx"),
]


@dataclass
class Paths:
    run: Path
    tools: Path
    binary: Path
    onnxruntime: Path
    triton: Path
    server_core: int = 0
    client_core: int = 1


@dataclass
class Plan:
    repetitions: int
    seconds: float
    idle_repetitions: int


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--write", action="store_true")
    add_path_arguments(parser)
    return parser.parse_args()


def add_path_arguments(parser):
    parser.add_argument("--binary", type=Path, default=ROOT / "build/release/protean")
    parser.add_argument("--tools", type=Path, default=ROOT / ".deps/bench/build", help="where benchmarks/ was built")
    parser.add_argument("--triton", type=Path, default=ROOT / ".deps/bench/pytriton/pytriton/tritonserver")


def make_paths(options, run_folder):
    library = next(iter(sorted((ROOT / ".deps/onnxruntime/lib").glob("libonnxruntime.so*"))), None)
    if library is None or not (options.tools / "load_client").is_file():
        sys.exit("the benchmarks' tools are missing: run ./dev setup and benchmarks/setup")
    return Paths(run_folder, options.tools, options.binary, library, options.triton)


def describe_models(paths):
    return {name: cases.describe_model(paths, name, version, ROOT / path) for name, version, path in MODELS}


def select_cases(only, paths):
    """The cases asked for, with the contestants that exist here."""
    wanted = [part for part in only.split(",") if part]
    known = cases.all_cases()
    unknown = [part for part in wanted if not any(part in (case.id, case.group) for case in known)]
    if unknown:
        sys.exit(f"--only: no case or group {', '.join(unknown)}; cases: {', '.join(case.id for case in known)}")
    missing = set()
    if not paths.binary.is_file():
        print(f"no server at {paths.binary}: measuring the peers alone")
        missing.add("protean")
    if not (paths.triton / "bin/tritonserver").is_file():
        print(f"no Triton at {paths.triton}: leaving it out")
        missing.add("triton")
    selected = [case for case in known if not wanted or case.id in wanted or case.group in wanted]
    for case in selected:
        case.contestants = [name for name in case.contestants if name not in missing]
    return [case for case in selected if case.contestants]


def run_case(case, paths, models, plan):
    """{contestant: [sample, ...]}, in turns."""
    samples = {name: [] for name in case.contestants}
    if isinstance(case, cases.IdleCase):
        for _ in range(plan.idle_repetitions):
            for name in case.contestants:
                samples[name].append(cases.sample_idle(case, name, paths, models))
        return samples
    with cases.CaseRun(case, paths, models) as case_run:
        for name in case.contestants:
            case_run.sample(name, min(cases.WARM_UP_SECONDS, plan.seconds))
        for _ in range(plan.repetitions):
            for name in case.contestants:
                samples[name].append(case_run.sample(name, plan.seconds))
    return samples


def versions(paths):
    """What was compared, by version."""

    def package(name):
        done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, text=True,
                              check=False)
        return done.stdout or "unknown"

    found = {"nginx": package("nginx-light"), "grpc++": package("libgrpc++-dev"), "h2load": package("nghttp2-client"),
             "onnxruntime": paths.onnxruntime.resolve().name.partition(".so.")[2]}
    wheels = sorted(paths.triton.parent.parent.glob("nvidia_pytriton-*.dist-info"))
    if wheels:
        found["triton (nvidia-pytriton)"] = wheels[0].stem.removeprefix("nvidia_pytriton-")
    return found


def run_all(selected, paths, models, plan):
    results = []
    failures = []
    for number, case in enumerate(selected, 1):
        print(f"[{number}/{len(selected)}] {case.id}: {case.title}", flush=True)
        try:
            samples = run_case(case, paths, models, plan)
        except (servers.ServerFailed, clients.ClientFailed, subprocess.SubprocessError) as error:
            failures.append(case.id)
            print(f"    FAILED: {error}", flush=True)
            continue
        results.append(report.CaseResult(case.id, case.title, samples, cases.medians(samples)))
        print(report.case_text(results[-1]), flush=True)
    return results, failures


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that every `finally` below still runs
    options = parse_arguments()
    run_folder = Path(tempfile.mkdtemp(prefix="protean-bench-"))
    plan = Plan(5, 0.4, 1) if options.quick else Plan(5, 2.0, 3)
    clients.raise_file_limit()
    started = time.monotonic()
    try:
        paths = make_paths(options, run_folder)
        models = describe_models(paths)
        selected = select_cases(options.only, paths)
        results, failures = run_all(selected, paths, models, plan)
    finally:
        shutil.rmtree(run_folder, ignore_errors=True)
    verdicts = cases.judge({result.id: result.medians for result in results})
    print(report.verdict_table(verdicts))
    print(f"{time.monotonic() - started:.0f} s")
    if options.write or not (options.quick or options.only or failures):
        facts = {"machine": measure.machine(), "versions": versions(paths), "repetitions": plan.repetitions,
                 "seconds_a_turn": plan.seconds}
        report.write_files(ROOT / "benchmarks", facts, results, verdicts)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
