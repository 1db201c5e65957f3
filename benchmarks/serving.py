# SPDX-License-Identifier: Apache-2.0
"""`./dev bench serving`: what reloads, batching, overload and many models cost, beside NVIDIA Triton where it can do it.

    python3 benchmarks/serving.py                   all of it (about 12 minutes); rewrites SERVING.md and its JSON
    python3 benchmarks/serving.py --quick           short turns, few cycles; prints only
    python3 benchmarks/serving.py --only reload,overload
    --binary PATH      the server and load generator (default build/release/protean)

The method is in benchmarks/SERVING.md; serving_cases.py has the cases.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import report
import serving_cases
import serving_tools

ROOT = Path(__file__).resolve().parent.parent


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--write", action="store_true", help="rewrite SERVING.md also after --quick or --only")
    parser.add_argument("--binary", type=Path, default=ROOT / "build/release/protean")
    return parser.parse_args()


def rows_of(results):
    """The table: one line a figure."""
    lines = ["| case | what | aim | Protean | Triton |", "|---|---|---|---|---|"]
    for result in results:
        for row in result["rows"]:
            lines.append(f"| {result['case']} | {row['what']} | {row.get('aim', '')} | {row['protean']} "
                         f"| {row.get('triton', '')} |")
    return "\n".join(lines)


def main():
    options = parse_arguments()
    wanted = [name for name in options.only.split(",") if name]
    cases = [case for case in serving_cases.CASES if not wanted or case.__name__ in wanted]
    if not cases:
        sys.exit(f"--only: found '{options.only}', expected some of "
                 + ", ".join(case.__name__ for case in serving_cases.CASES))
    results = []
    with tempfile.TemporaryDirectory(prefix="protean-serving-") as folder:
        tools = serving_tools.Tools(Path(folder), options.binary, options.quick)
        for case in cases:
            print(f"-- {case.__name__}: {case.__doc__.splitlines()[0]}", flush=True)
            rows = case(tools)
            results.append({"case": case.__name__, "rows": rows})
            for row in rows:
                print("   " + json.dumps(row), flush=True)
    table = rows_of(results)
    print("\n" + table)
    if options.write or not (options.quick or wanted):
        report.replace_between(ROOT / "benchmarks/SERVING.md", table)
        (ROOT / "benchmarks/serving_results.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
