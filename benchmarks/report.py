# SPDX-License-Identifier: Apache-2.0
"""Writes what was measured: tables for the terminal and README.md, everything (each turn) for results.json."""

import dataclasses
import json
from dataclasses import dataclass

BEGIN = "<!-- results: begin (written by ./dev bench; do not edit) -->"
END = "<!-- results: end -->"


@dataclass
class CaseResult:
    id: str
    title: str
    samples: dict
    medians: dict


def case_text(result):
    """Aligned lines for the terminal."""
    lines = []
    for name, figures in result.medians.items():
        cells = "  ".join(f"{label} {value}" for label, value in _cells(figures).items())
        lines.append(f"    {name:26} {cells}  {spread_text(result.samples[name])}")
    return "\n".join(lines)


def spread_text(turns):
    """Lowest and highest turn of the first figure: how far to trust its median."""
    first = next(iter(turns[0]))
    scale = 1024 if first.endswith("_bytes") else 1
    values = [turn[first] / scale for turn in turns]
    return f"({_number(min(values))} to {_number(max(values))})"


def _cells(figures):
    if "rss_bytes" in figures:
        return {"resident KB": _number(figures["rss_bytes"] / 1024),
                "private KB": _number(figures["private_bytes"] / 1024)}
    return {"CPU us": _number(figures["cpu_us"]), "requests/s": _number(figures["rps"]),
            "p50 us": _number(figures["p50_us"]), "p99 us": _number(figures["p99_us"])}


def _number(value):
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def verdict_table(verdicts):
    if not verdicts:
        return "No aims to judge: the server did not take part."
    rows = ["| case | what | aim | measured | |", "|---|---|---|---|---|"]
    for verdict in verdicts:
        measured = f"{_number(verdict.value)} {verdict.unit}".rstrip()
        outcome = {True: "met", False: "**missed**", None: ""}[verdict.met]
        rows.append(f"| {verdict.case} | {verdict.what} | {verdict.aim} | {measured} | {outcome} |")
    return "\n".join(rows)


def _case_table(result):
    """One case as Markdown: medians, the spread of CPU or memory, and the ratio to Protean's."""
    titles = list(_cells(next(iter(result.medians.values()))))
    ours = result.medians.get("protean")
    key = "rss_bytes" if "resident KB" in titles else "cpu_us"
    rows = [f"**{result.id}** - {result.title}", "",
            "| | " + " | ".join(titles) + " | lowest to highest | Protean is |", "|---" * (len(titles) + 3) + "|"]
    for name, figures in result.medians.items():
        ratio = f"{_number(ours[key] / figures[key])} x" if ours and name != "protean" and figures[key] else ""
        cells = " | ".join(_cells(figures).values())
        rows.append(f"| {name} | {cells} | {spread_text(result.samples[name])} | {ratio} |")
    return "\n".join(rows)


def _facts_text(facts):
    machine = facts["machine"]
    compared = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return (f"{machine['processor']}, {machine['cores']} cores, Linux {machine['kernel']}; {compared}; "
            f"medians of {facts['repetitions']} turns of {facts['seconds_a_turn']} s.")


def write_files(folder, facts, results, verdicts):
    data = dict(facts, verdicts=[dataclasses.asdict(verdict) for verdict in verdicts],
                cases=[dataclasses.asdict(result) for result in results])
    rounded = json.loads(json.dumps(data), parse_float=lambda text: round(float(text), 3))
    (folder / "results.json").write_text(json.dumps(rounded, indent=1) + "\n")
    section = "\n\n".join([_facts_text(facts), "### Aims", verdict_table(verdicts), "### Figures",
                           *[_case_table(result) for result in results]])
    replace_between(folder / "README.md", section)


def replace_between(page, section):
    """Puts `section` where the last run's results are."""
    text = page.read_text()
    before, _, rest = text.partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n\n{section}\n\n{END}" + rest.partition(END)[2])
