# SPDX-License-Identifier: Apache-2.0
"""`./dev bench backends`: what each backend costs beside the library whose files it serves.

    python benchmarks/backends.py                  all of it (about 2 minutes); rewrites BACKENDS.md and its JSON
    python benchmarks/backends.py --quick          short turns, under a minute; prints only
    python benchmarks/backends.py --only trees     trees, crossing, serving: some of it; prints only
    --binary PATH      the server (default build/release/protean)
    --built PATH       where trees_bench and python_bench were built (default build/bench)
    --write            rewrite BACKENDS.md and its JSON after --quick or --only too

The interpreter must have the libraries (.deps/venv). The method is in benchmarks/BACKENDS.md; backends_cases.py has the
cases, backends_models.py the models.
"""

import argparse
import importlib.metadata
import json
import sys
import tempfile
import time
from pathlib import Path

import backends_models  # first: it says how many threads the libraries may take
import backends_cases
import measure
import report

ROOT = Path(__file__).resolve().parent.parent
SERVED_NOTE = ("One row, one connection. Each cell: the server's CPU a request less the library's time for the row, in "
               "us (in brackets the whole CPU, and the client's p50).")
PACKAGES = ("xgboost-cpu", "lightgbm", "catboost", "scikit-learn", "mlflow-skinny", "numpy")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--binary", type=Path, default=ROOT / "build/release/protean")
    parser.add_argument("--built", type=Path, default=ROOT / "build/bench")
    parser.add_argument("--tools", type=Path, default=ROOT / ".deps/bench/build")
    return parser.parse_args()


def table_of(results):
    lines = ["| case | what | aim | measured | |", "|---|---|---|---|---|"]
    for case, rows in results.items():
        for row in rows:
            outcome = {True: "met", False: "**missed**", None: ""}[row.get("met")]
            lines.append(f"| {case} | {row['what']} | {row.get('aim', '')} | {row['measured']} | {outcome} |")
    return "\n".join(lines)


def facts_text(onnxruntime):
    machine = measure.machine()
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return (f"{machine['processor']}, {machine['cores']} cores, Linux {machine['kernel']}; {versions}, "
            f"onnxruntime {onnxruntime.name.partition('.so.')[2]}.")


def main():
    options = parse_arguments()
    wanted = [name for name in options.only.split(",") if name]
    unknown = set(wanted) - set(backends_cases.CASES)
    if unknown:
        sys.exit(f"--only: found {', '.join(sorted(unknown))}, expected some of {', '.join(backends_cases.CASES)}")
    started = time.monotonic()
    results = {}
    onnxruntime = next((ROOT / ".deps/onnxruntime/lib").glob("libonnxruntime.so.*.*"))
    with tempfile.TemporaryDirectory(prefix="protean-backends-") as folder:
        run = Path(folder)
        paths, served = backends_models.write_folder(run / "models", run / "made")
        bench = backends_cases.Bench(run, options.tools, options.built, options.binary.resolve(), onnxruntime,
                                     run / "models", paths, served, options.quick)
        figures = {}
        for name, case in backends_cases.CASES.items():
            if wanted and name not in wanted:
                continue
            print(f"-- {name}", flush=True)
            results[name] = case(bench, figures)
            figures[name] = results[name][0]["figures"]
            for row in results[name]:
                print(f"   {row['what']}: {row['measured']}" + (f" ({row['aim']})" if "aim" in row else ""), flush=True)
    facts = facts_text(onnxruntime)
    table = table_of(results)
    if "serving" in figures:
        table += f"\n\n### Served requests\n\n{SERVED_NOTE}\n\n{backends_cases.served_table(figures['serving'])}"
    print(f"\n{facts}\n\n{table}\n\n{time.monotonic() - started:.0f} s")
    if options.write or not (options.quick or wanted):
        report.replace_between(ROOT / "benchmarks/BACKENDS.md", f"{facts}\n\n{table}")
        (ROOT / "benchmarks/backends_results.json").write_text(
            json.dumps({"facts": facts, "cases": results}, indent=1, default=str) + "\n")


if __name__ == "__main__":
    main()
