# SPDX-License-Identifier: Apache-2.0
"""The cases of `./dev bench serving`. Each is a function of Tools that returns rows {what, aim, protean, triton}.

A first line says what is asked; figures of one row come from one run, contestants taking turns.
"""

import re
import time

from serving_tools import CallFailed, call, in_background, median, resident_bytes

DEADLINE_MS = 100
CONNECTIONS = 64
LOAD_NOTE = re.compile(r"(?:optimised in |graph from cache \()(\d+) ms")


def p99(result):
    return result["latency_ms"]["p99"]


def failures(result):
    return result["failed"] + result["dropped"]


def swap_loop(server, name):
    """Loads, swaps and unloads `name` again and again until told to stop; counts the cycles."""
    cycles = []

    def work(stop):
        while not stop.is_set():
            server.load_model(name)
            server.load_model(name)  # replaces the version that serves
            server.unload_model(name)
            cycles.append(time.monotonic())

    return work, cycles


def measure_reload(tools, server):
    """p99 of iris at a modest rate, alone and while the 79 MB model comes and goes, in turns."""
    alone, beside, lost = [], [], 0
    work, cycles = swap_loop(server, "conv")
    server.unload_model("conv")
    for _ in range(tools.repetitions):
        load = {"rate": 2000, "connections": 16, "rows": 1}
        result = tools.load(server.port, "iris", **load)
        alone.append(p99(result))
        lost += failures(result)
        with in_background(work):
            result = tools.load(server.port, "iris", **load)
        beside.append(p99(result))
        lost += failures(result)
    return {"alone_ms": median(alone), "beside_ms": median(beside), "ratio": median(beside) / median(alone),
            "cycles": len(cycles), "lost": lost}


def reload(tools):
    """p99 of model A while model B (79 MB) loads, warms, swaps and unloads in a loop, over A's alone."""
    found = {}
    with tools.protean("iris", "conv") as server:
        found["protean"] = measure_reload(tools, server)
    with tools.triton_server("iris", "conv") as server:
        found["triton"] = measure_reload(tools, server)

    def told(name):
        result = found[name]
        return (f"{result['ratio']:.2f} ({result['alone_ms']:.3f} -> {result['beside_ms']:.3f} ms, "
                f"{result['cycles']} cycles, {result['lost']} requests lost)")

    return [{"what": "p99 of A beside B's reloads, over A's alone", "aim": "at most 1.2", "protean": told("protean"),
             "triton": told("triton"), "figures": found}]


def swaps(tools):
    """Failed requests over live swaps and alias moves under load."""
    moves = 100 if tools.quick else 1000
    counted = {"moves": 0, "reloads": 0}
    with tools.protean("iris") as server:
        tools.put(server.models, "iris", 2)
        wait_for(lambda: len(ready_versions(server, "iris")) == 2)
        server.admin("PUT", "/admin/v1/models/iris/aliases/champion", {"version": 1})

        def work(stop):
            while counted["moves"] < moves and not stop.is_set():
                server.admin("PUT", "/admin/v1/models/iris/aliases/champion", {"version": 1 + counted["moves"] % 2})
                counted["moves"] += 1
                if counted["moves"] % 10 == 0:
                    server.load_model("iris")
                    counted["reloads"] += 1

        failed = answers = 0
        while counted["moves"] < moves:
            with in_background(work):
                result = tools.load(server.port, "iris", connections=16, version="champion")
            failed += failures(result)
            answers += result["answers"]
    return [{"what": f"failed requests during {counted['moves']} alias moves and {counted['reloads']} reloads of the "
                     "model that serves", "aim": "0", "protean": f"{failed} of {answers}"}]


def ready_versions(server, name):
    return call(server.port, "GET", f"/v2/models/{name}")["versions"]


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise CallFailed("waited in vain")
        time.sleep(0.02)


def memory(tools):
    """Resident memory after many load/unload cycles, over that after the first five."""
    cycles, peer_cycles = (50, 20) if tools.quick else (500, 50)

    def run(server, cycles):
        server.unload_model("conv")
        early = 0
        for cycle in range(cycles):
            try:
                server.load_model("conv")
                server.unload_model("conv")
            except OSError as failure:
                raise CallFailed(f"{server.name}, cycle {cycle}: {failure}; its process ended with "
                                 f"{server.process.poll()}") from failure
            if cycle == 4:
                time.sleep(1)
                early = resident_bytes(server)
        time.sleep(1)
        return resident_bytes(server) / early, early

    with tools.protean("iris", "conv") as server:
        ratio, early = run(server, cycles)
    with tools.triton_server("iris", "conv") as server:
        peer, peer_early = run(server, peer_cycles)
    return [{"what": f"resident memory after {cycles} load/unload cycles of 79 MB (Triton: {peer_cycles}), over that "
                     f"after 5",
             "aim": "at most 1.05", "protean": f"{ratio:.3f} (of {early / 1e6:.0f} MB)",
             "triton": f"{peer:.3f} (of {peer_early / 1e6:.0f} MB)"}]


def batching(tools):
    """Throughput of single rows at 64 connections, over the best batch in a bare loop, batching on and off."""
    off = "[batch]\nmode = \"off\"\n"
    rows = []
    for name in ("encoder", "digits", "linear"):
        bare = max(tools.bare(name, size) for size in (1, 4, 16, 64))
        found = {"on": [], "off": [], "triton": []}
        with tools.protean(name) as on, tools.protean(name, configs={name: off}) as without, \
                tools.triton_server(name, batch_rows_max={name: 64}) as triton:
            for _ in range(tools.repetitions):
                for label, server in (("on", on), ("off", without), ("triton", triton)):
                    found[label].append(tools.load(server.port, name, connections=CONNECTIONS, binary=True))
        rate = {label: median([r["requests_per_second"] for r in runs]) for label, runs in found.items()}
        tail = {label: median([p99(r) for r in runs]) for label, runs in found.items()}
        rows.append({"what": f"{name}: throughput at {CONNECTIONS} connections over the best bare batch "
                             f"({bare:,.0f} rows/s)",
                     "aim": "at least 0.9" if name != "linear" else "",
                     "protean": f"{rate['on'] / bare:.2f} ({rate['on']:,.0f}/s, p99 {tail['on']:.2f} ms)",
                     "triton": f"{rate['triton'] / bare:.2f} ({rate['triton']:,.0f}/s, p99 {tail['triton']:.2f} ms)"})
        rows.append({"what": f"{name}: throughput and p99 with batching over those without",
                     "aim": "more, and less" if name != "linear" else "nothing lost",
                     "protean": f"{rate['on'] / rate['off']:.2f} and {tail['on'] / tail['off']:.2f}"})
    return rows


def in_time_rate(result):
    return result["in_time"] / result["measured_s"]


def measure_overload(tools, server):
    """Capacity by a closed loop, then three times as much by an open one, then half of it."""
    peak = median([tools.load(server.port, "deep_encoder", connections=CONNECTIONS, binary=True)["requests_per_second"]
                   for _ in range(3)])
    calm_load = {"rate": peak / 2, "connections": 256, "binary": True, "deadline": f"{DEADLINE_MS}ms",
                 "arrivals": "poisson"}
    calm = tools.load(server.port, "deep_encoder", **calm_load)
    storm = tools.load(server.port, "deep_encoder", **{**calm_load, "rate": peak * 3, "connections": 1024,
                                                  "duration": f"{2 * tools.seconds}s"})
    after = tools.load(server.port, "deep_encoder", **{**calm_load, "warm_up": "4s", "duration": "1s"})
    answered = storm["answers"]
    return {"peak": peak, "goodput": in_time_rate(storm) / peak,
            "in_time": storm["in_time"] / answered if answered else 0.0,
            "refusal_p99_ms": storm["failure_latency_ms"]["p99"], "refused": storm["failed"],
            "dropped": storm["dropped"], "calm_p99_ms": p99(calm), "after_p99_ms": p99(after)}


def overload(tools):
    """Three times the capacity: goodput, admitted requests in time, speed of refusals, and recovery."""
    with tools.protean("deep_encoder") as server:
        ours = measure_overload(tools, server)
    with tools.triton_server("deep_encoder", batch_rows_max={"deep_encoder": 64}) as server:
        theirs = measure_overload(tools, server)
    rows = []
    for key, what, aim, form in (
            ("goodput", f"answers within {DEADLINE_MS} ms a second at 3 times the peak, over the peak", "at least 0.9",
             "{:.2f}"),
            ("in_time", "share of admitted requests answered in time", "at least 0.999", "{:.4f}"),
            ("refusal_p99_ms", "p99 of the time to a refusal, ms", "at most 10", "{:.1f}"),
            ("after_p99_ms", "p99 at half the peak, from four seconds after, ms", "", "{:.1f}"),
            ("calm_p99_ms", "p99 at half the peak, before, ms", "", "{:.1f}")):
        rows.append({"what": what, "aim": aim, "protean": form.format(ours[key]), "triton": form.format(theirs[key])})
    rows[0]["figures"] = {"protean": ours, "triton": theirs}
    return rows


def cold_start(tools):
    """Load time of large models with and without their optimised graphs in the cache."""
    rows = []
    for name, what in (("conv", "convolutions, 79 MB"), ("dense", "dense layers, 94 MB")):
        uncached, cached = [], []
        for _ in range(tools.repetitions):
            with tools.protean(name) as server:
                uncached.append(load_ms(server, name))
                server.unload_model(name)
                server.load_model(name)
                cached.append(load_ms(server, name))
        rows.append({"what": f"load of {what} without the cache, over the load with it", "aim": "at least 10",
                     "protean": f"{median(uncached) / median(cached):.1f} ({median(uncached):.0f} -> "
                                f"{median(cached):.1f} ms)"})
    return rows


def load_ms(server, name):
    """What the backend took, as the status tells it: the probe and the warm-up, which run the model, come on top."""
    notes = server.admin("GET", f"/admin/v1/models/{name}")["versions"][-1]["notes"]
    told = [LOAD_NOTE.search(note) for note in notes]
    return next(float(found[1]) for found in told if found)


def many_models(tools):
    """1,000 small models loaded, and 10,000 registered of which none is loaded yet: memory and start-up."""
    rows = []
    for count, flags in ((1000, []), (10000, ["--on-demand"])):
        if tools.quick:
            count //= 10
        server = tools.protean(flags=flags)
        for i in range(count):
            folder = server.models / f"m{i:05}"
            (folder / "1").mkdir(parents=True)
            (folder / "1" / "model.onnx").write_bytes(tools.models["linear"].read_bytes())
        start = time.monotonic()
        with server:
            ready_s = time.monotonic() - start
            resident = resident_bytes(server)
            before = time.monotonic()
            tools.load(server.port, f"m{count - 1:05}", connections=1, duration="200ms", warm_up="0s")
            first_s = time.monotonic() - before
        what = f"{count:,} small models " + ("registered, loaded on demand" if flags else "loaded")
        rows.append({"what": what, "protean": f"ready after {ready_s:.1f} s, {resident / 1e6:.0f} MB resident "
                                              f"({resident / count / 1e3:.0f} KB a model)", "first_call_s": first_s})
    return rows


CASES = [reload, swaps, memory, batching, overload, cold_start, many_models]
