# SPDX-License-Identifier: Apache-2.0
"""Where the server's time goes under one case of the benchmarks.

    python3 benchmarks/profile_case.py a-64                     perf: samples of the server's time, by function
    python3 benchmarks/profile_case.py a-64 --tool callgrind    instructions a request, by function, repeatable
    --server NAME      another contestant of the case: nginx (perf only), grpc++, triton
    --seconds S        length of the load (default 5); callgrind is 50 times slower than the server alone
    --calls            perf: with call graphs

perf samples by the processor's cycle counter, or by a timer (cpu-clock) where the machine has none, as virtual machines
often have not. Reports and raw data are left in .deps/bench/profile/.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cases
import clients
import measure
import run

REPORT_LINES = 60


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case")
    parser.add_argument("--tool", choices=["perf", "callgrind"], default="perf")
    parser.add_argument("--server", default="protean")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--calls", action="store_true")
    run.add_path_arguments(parser)
    return parser.parse_args()


def has_cycle_counter():
    done = subprocess.run(["perf", "stat", "-x,", "-e", "cycles", "true"], capture_output=True, text=True, check=False)
    return done.returncode == 0 and "not supported" not in done.stderr and "not counted" not in done.stderr


def profile_with_perf(case_run, options, output):
    server = case_run.servers[options.server]
    event = "cycles" if has_cycle_counter() else "cpu-clock"
    print(f"perf: sampling by {event}")
    data = Path(f"{output}.perf.data")
    pids = ",".join(str(pid) for pid in measure.process_tree(server.process.pid))
    recorder = subprocess.Popen(["perf", "record", "-q", "-e", event, "-F", "2999", "-o", data, "-p", pids,
                                 *(["--call-graph", "dwarf,16384"] if options.calls else []),
                                 "--", "sleep", str(options.seconds)])
    try:
        figures = case_run.sample(options.server, options.seconds + 0.5)
    finally:
        recorder.wait()
    print(f"{figures['cpu_us']:.2f} us of CPU a request, {figures['rps']:.0f} requests/s while sampled")
    children = "--children" if options.calls else "--no-children"
    done = subprocess.run(["perf", "report", "-i", data, "--stdio", children, "--percent-limit", "0.3", "-g", "none"],
                          capture_output=True, text=True, errors="replace", check=False)
    return "\n".join(line for line in done.stdout.splitlines() if line and not line.startswith("#"))


def profile_with_callgrind(case_run, options, output):
    """The server runs under callgrind from its start; counting is switched on after a warm-up."""
    server = case_run.servers[options.server]
    worker = measure.process_tree(server.process.pid)[-1]
    control = ["callgrind_control", str(worker)]
    subprocess.run([*control, "-i", "on"], capture_output=True, check=True)
    load = case_run.load(options.server, options.seconds)
    subprocess.run([*control, "-d"], capture_output=True, check=True)
    subprocess.run([*control, "-i", "off"], capture_output=True, check=True)
    dumps = sorted(output.parent.glob(f"{output.name}.callgrind.out.*"), key=lambda path: path.stat().st_mtime)
    done = subprocess.run(["callgrind_annotate", "--auto=no", dumps[-1]], capture_output=True, text=True, check=False)
    total = next((line for line in done.stdout.splitlines() if "PROGRAM TOTALS" in line), "")
    if not total:
        raise clients.ClientFailed("callgrind counted nothing: it follows single-process servers only")
    instructions = int(total.split()[0].replace(",", ""))
    print(f"{load['requests']} requests, {instructions / load['requests']:,.0f} instructions a request (user space)")
    return done.stdout


def main():
    options = parse_arguments()
    clients.raise_file_limit()
    case = next((known for known in cases.all_cases() if known.id == options.case), None)
    if case is None or options.server not in case.contestants or isinstance(case, cases.IdleCase):
        known = ", ".join(f"{one.id} ({'/'.join(one.contestants)})" for one in cases.all_cases())
        sys.exit(f"no such case and server; there are: {known}")
    case.contestants = [options.server]
    folder = run.ROOT / ".deps/bench/profile"
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / f"{case.id}.{options.server}"
    for stale in folder.glob(f"{output.name}.callgrind.out*"):
        stale.unlink()
    prefix = []
    if options.tool == "callgrind":
        prefix = ["valgrind", "--tool=callgrind", "--instr-atstart=no",
                  f"--callgrind-out-file={output}.callgrind.out.%p"]
    run_folder = Path(tempfile.mkdtemp(prefix="protean-profile-"))
    try:
        paths = run.make_paths(options, run_folder)
        models = run.describe_models(paths)
        with cases.CaseRun(case, paths, models, prefix) as case_run:
            case_run.load(options.server, cases.WARM_UP_SECONDS)
            profile = profile_with_perf if options.tool == "perf" else profile_with_callgrind
            report = profile(case_run, options, output)
    finally:
        shutil.rmtree(run_folder, ignore_errors=True)
    Path(f"{output}.{options.tool}.txt").write_text(report)
    print("\n".join(report.splitlines()[:REPORT_LINES]))
    print(f"whole report: {output}.{options.tool}.txt")


if __name__ == "__main__":
    main()
