# SPDX-License-Identifier: Apache-2.0
"""What is compared with what: the list of cases, how one contestant of a case is measured, and the aims.

A case names a model, a transport and its contestants. All contestants of a case run at the same time and take turns
(A B C A B C ...), so that a slow minute of the machine falls on all of them.
"""

import contextlib
import json
import subprocess
from dataclasses import dataclass, field

import clients
import measure
import payloads
import servers

IRIS_VALUES = [5.1, 3.5, 1.4, 0.2]
WARM_UP_SECONDS = 0.3
IDLE_WARM_UP_CONNECTIONS = 100
REPLY_HEADER_BYTES = 120  # of a small HTTP/1.1 answer, for the raw echo


@dataclass
class Model:
    name: str
    version: str
    path: object
    signature: dict


@dataclass
class Case:
    id: str
    title: str
    model: str
    transport: str  # http_json, http_binary, grpc
    contestants: list
    connections: int = 1
    streams: int = 1
    rows: int = 1
    values: list = field(default_factory=lambda: [0.5])

    @property
    def group(self):
        return self.id[0]


@dataclass
class IdleCase:
    id: str
    title: str
    http2: bool
    count: int
    contestants: list

    group = "c"


def all_cases():
    iris = {"model": "iris", "values": IRIS_VALUES}
    image = {"model": "reduce_image", "connections": 8}
    return [
        Case("a-1", "iris, JSON, HTTP/1.1, 1 connection", transport="http_json",
             contestants=["protean", "nginx", "tcp echo", "bare"], **iris),
        Case("a-64", "iris, JSON, HTTP/1.1, 64 connections", transport="http_json", connections=64,
             contestants=["protean", "nginx", "bare"], **iris),
        Case("b-8x16", "iris, gRPC, 8 connections x 16 streams", transport="grpc", connections=8, streams=16,
             contestants=["protean", "grpc++", "bare"], **iris),
        Case("b-64x1", "iris, gRPC, 64 connections x 1 stream", transport="grpc", connections=64,
             contestants=["protean", "grpc++", "bare"], **iris),
        Case("c-http", "600 KB tensor, binary HTTP/1.1, 8 connections", transport="http_binary",
             contestants=["protean", "nginx", "nginx, body kept", "bare"], **image),
        Case("c-grpc", "600 KB tensor, gRPC, 8 connections x 1 stream", transport="grpc",
             contestants=["protean", "grpc++", "bare"], **image),
        IdleCase("c-idle-http1", "2,000 idle HTTP/1.1 connections, each", http2=False, count=2000,
                 contestants=["protean", "nginx"]),
        IdleCase("c-idle-http2", "1,000 idle HTTP/2 connections, each", http2=True, count=1000,
                 contestants=["protean", "nginx"]),
        Case("d-slow", "slow (tens of ms a call), JSON, 4 connections", model="slow", transport="http_json",
             connections=4, contestants=["protean", "bare"]),
        Case("d-digits-64", "digits, batch 64, binary HTTP/1.1, 4 connections", model="digits", transport="http_binary",
             connections=4, rows=64, contestants=["protean", "bare"]),
        Case("d-digits-512", "digits, batch 512, binary HTTP/1.1, 4 connections", model="digits",
             transport="http_binary", connections=4, rows=512, contestants=["protean", "bare"]),
        Case("d-iris", "iris, JSON, HTTP/1.1, 1 connection, over the loopback round trip", transport="http_json",
             contestants=["protean", "tcp echo", "bare"], **iris),
        Case("e-http-1", "iris, JSON, HTTP/1.1, 1 connection", transport="http_json",
             contestants=["protean", "triton", "tcp echo"], **iris),
        Case("e-http-64", "iris, JSON, HTTP/1.1, 64 connections", transport="http_json", connections=64,
             contestants=["protean", "triton"], **iris),
        Case("e-grpc", "iris, gRPC, 8 connections x 16 streams", transport="grpc", connections=8, streams=16,
             contestants=["protean", "triton"], **iris),
    ]


def describe_model(paths, name, version, path):
    done = subprocess.run([paths.tools / "bare_onnxruntime", "--library", paths.onnxruntime, "--model", path,
                           "--describe"], capture_output=True, text=True, check=True)
    return Model(name, version, path, json.loads(done.stdout))


def make_protean(paths, models):
    return servers.Protean(paths.run, paths.server_core, paths.binary, models)


class CaseRun:
    """One case with its servers up. A context manager; sample(contestant, seconds) measures one turn."""

    def __init__(self, case, paths, models, prefix=()):
        self.prefix = list(prefix)
        self.case = case
        self.paths = paths
        self.models = models
        self.model = models[case.model]
        self.stack = contextlib.ExitStack()
        self.servers = {}
        tensors = payloads.make_tensors(self.model.signature["inputs"], case.rows, case.values)
        replies = payloads.make_tensors(self.model.signature["outputs"], case.rows, [0.25])
        self.json_reply = payloads.json_reply_body(self.model.name, self.model.version, replies)
        self.grpc_reply = payloads.grpc_reply_message(self.model.name, self.model.version, replies)
        self.path = f"/v2/models/{self.model.name}/infer"
        self.headers = {"Content-Type": "application/json"}
        if case.transport == "http_binary":
            names = [output["name"] for output in self.model.signature["outputs"]]
            self.body, json_bytes = payloads.binary_infer_body(tensors, names)
            self.headers = {"Content-Type": "application/octet-stream",
                            "Inference-Header-Content-Length": str(json_bytes)}
        else:
            self.body = payloads.json_infer_body(tensors)
        self.frame = payloads.grpc_frame(payloads.grpc_infer_message(self.model.name, tensors))

    def __enter__(self):
        try:
            if "protean" in self.case.contestants:
                self._start("protean", make_protean(self.paths, self.models))
                self._learn_reply()
            for name in self.case.contestants:
                if name not in self.servers and name != "bare":
                    self._start(name, self._make_peer(name))
            self._verify_peers()
            return self
        except BaseException:
            self.stack.close()
            raise

    def __exit__(self, *_):
        self.stack.close()

    def sample(self, name, seconds):
        """{"cpu_us", "rps", "p50_us", "p99_us"} of one turn; CPU of the server, for one request."""
        if name == "bare":
            return self._sample_bare(seconds)
        server = self.servers[name]
        before = server.cpu()
        turn = self.load(name, seconds)
        cpu_ns = server.cpu().since(before)
        return {"cpu_us": cpu_ns / 1000 / turn["requests"], "rps": turn["rps"], "p50_us": turn["p50_us"],
                "p99_us": turn["p99_us"]}

    def _start(self, name, server):
        if isinstance(server, servers.Server):
            server.prefix = self.prefix
        self.servers[name] = self.stack.enter_context(server)

    def _make_peer(self, name):
        run, core, tools = self.paths.run, self.paths.server_core, self.paths.tools
        if name.startswith("nginx"):
            shared = self.servers.get("nginx")
            return contextlib.nullcontext(shared) if shared else servers.Nginx(run, core, self.json_reply)
        if name == "grpc++":
            return servers.GrpcCallback(run, core, tools, self.grpc_reply)
        if name == "tcp echo":
            return servers.TcpEcho(run, core, tools, len(self._http_request("protean")),
                                   self._echo_reply_bytes())
        return servers.Triton(run, core, tools, self.models, self.paths)

    def _learn_reply(self):
        """The constants of the peers are what the server really answers."""
        protean = self.servers["protean"]
        if self.case.transport == "grpc":
            self.grpc_reply = clients.verify_grpc(self.paths, protean.port, self.frame)
        else:
            reply = clients.post(protean.port, self.path, self.body, self.headers)
            self.json_reply = reply if self.case.transport == "http_json" else b"x" * len(reply)

    def _verify_peers(self):
        for name, server in self.servers.items():
            if self.case.transport == "grpc":
                clients.verify_grpc(self.paths, server.grpc_port, self.frame)
            elif name == "triton":
                reply = clients.post(server.port, self.path, self.body, self.headers)
                self._check_same_answer(json.loads(reply)["outputs"])

    def _check_same_answer(self, theirs):
        """A peer that computes must compute the same."""
        if "protean" not in self.servers:
            return
        ours = json.loads(self.json_reply)["outputs"]
        for our, their in zip(sorted(ours, key=_name), sorted(theirs, key=_name), strict=True):
            far = [1 for mine, other in zip(our["data"], their["data"], strict=True) if abs(mine - other) > 1e-5]
            if far or our["name"] != their["name"] or our["shape"] != their["shape"]:
                raise clients.ClientFailed(f"answers differ: {our} and {their}")

    def _http_request(self, name):
        path = {"nginx": "/constant", "nginx, body kept": "/kept"}.get(name, self.path)
        return payloads.http_post(path, self.body, self.headers.items())

    def load(self, name, seconds):
        """The client's figures of one turn of load."""
        server = self.servers[name]
        load = clients.Load(self.case.connections, self.case.streams, seconds)
        if self.case.transport == "grpc":
            turn = clients.grpc_load(self.paths, server.grpc_port, load, self.frame)
            if turn["body_bytes"] < 0.98 * len(self.grpc_reply):
                raise clients.ClientFailed(f"{name}: {turn['body_bytes']:.0f} bytes an answer, "
                                           f"expected {len(self.grpc_reply)}")
            return turn
        reply_bytes = self._echo_reply_bytes() if name == "tcp echo" else 0
        return clients.http_load(self.paths, server.port, load, self._http_request(name), reply_bytes)

    def _echo_reply_bytes(self):
        return len(self.json_reply) + REPLY_HEADER_BYTES

    def _sample_bare(self, seconds):
        done = subprocess.run(
            ["taskset", "-c", str(self.paths.server_core), self.paths.tools / "bare_onnxruntime", "--library",
             self.paths.onnxruntime, "--model", self.model.path, "--rows", str(self.case.rows), "--seconds",
             str(seconds), "--values", ",".join(map(str, self.case.values))],
            capture_output=True, text=True, check=True)
        loop = json.loads(done.stdout)
        return {"cpu_us": loop["cpu_us"], "rps": 1e6 / loop["wall_us"], "p50_us": loop["wall_us"], "p99_us": None}


def sample_idle(case, name, paths, models):
    """{"rss_bytes", "private_bytes"} that one idle connection adds to a fresh server."""
    tensors = payloads.make_tensors(models["iris"].signature["inputs"], 1, IRIS_VALUES)
    body = payloads.json_infer_body(tensors)
    if name == "protean":
        server, path = make_protean(paths, models), "/v2/models/iris/infer"
    else:
        server, path = servers.Nginx(paths.run, paths.server_core, b"x" * 120), "/constant"

    def open_connections(count):
        if case.http2:
            return clients.open_idle_http2(getattr(server, "http2_port", server.port), count, path, body)
        return clients.open_idle_http1(server.port, count,
                                       payloads.http_post(path, body, [("Content-Type", "application/json")]))

    with server:
        _close(open_connections(IDLE_WARM_UP_CONNECTIONS))
        before = server.memory_bytes()
        connections = open_connections(case.count)
        after = server.memory_bytes()
        _close(connections)
    return {f"{kind}_bytes": (after[kind] - before[kind]) / case.count for kind in before}


def _name(output):
    return output["name"]


def _close(connections):
    for connection in connections:
        connection.close()


@dataclass
class Verdict:
    case: str
    what: str
    aim: str
    value: float
    unit: str
    met: bool


def judge(results):
    """The aims, for the cases in which Protean took part. `results`: {case id: {contestant: {figure: median}}}."""
    verdicts = []

    def at_most(case_id, what, limit, unit, value):
        verdicts.append(Verdict(case_id, what, f"at most {limit} {unit}".rstrip(), value, unit, value <= limit))

    def at_least(case_id, what, limit, value):
        verdicts.append(Verdict(case_id, what, f"at least {limit}", value, "", value >= limit))

    for case_id, peer, limit in [("a-1", "nginx", 1.5), ("a-64", "nginx", 1.5), ("b-8x16", "grpc++", 0.25),
                                 ("b-64x1", "grpc++", 0.5), ("c-http", "nginx", 0.6), ("c-grpc", "grpc++", 0.35)]:
        figures = results.get(case_id, {})
        if {"protean", peer, "bare"} <= figures.keys():
            overhead = figures["protean"]["cpu_us"] - figures["bare"]["cpu_us"]
            at_most(case_id, f"server CPU a request, less the bare model call, over {peer}'s", limit, "",
                    overhead / figures[peer]["cpu_us"])
    figures = results.get("c-http", {})
    if {"protean", "nginx, body kept", "bare"} <= figures.keys():
        overhead = figures["protean"]["cpu_us"] - figures["bare"]["cpu_us"]
        verdicts.append(Verdict("c-http", "the same, over nginx's when it keeps the body in memory", "none, for scale",
                                overhead / figures["nginx, body kept"]["cpu_us"], "", None))
    for case_id, limit in [("c-idle-http1", 10), ("c-idle-http2", 20)]:
        if "protean" in results.get(case_id, {}):
            at_most(case_id, "resident memory an idle connection", limit, "KB",
                    results[case_id]["protean"]["rss_bytes"] / 1024)
    for case_id in ("d-slow", "d-digits-64", "d-digits-512"):
        figures = results.get(case_id, {})
        if {"protean", "bare"} <= figures.keys():
            at_least(case_id, "throughput over the bare loop's", 0.97,
                     figures["protean"]["rps"] / figures["bare"]["rps"])
    figures = results.get("d-iris", {})
    if {"protean", "tcp echo", "bare"} <= figures.keys():
        at_most("d-iris", "p50 less loopback round trip and bare call", 15, "us",
                figures["protean"]["p50_us"] - figures["tcp echo"]["p50_us"] - figures["bare"]["p50_us"])
    for case_id in ("e-http-1", "e-http-64", "e-grpc"):
        figures = results.get(case_id, {})
        if {"protean", "triton"} <= figures.keys():
            at_least(case_id, "Triton's CPU a request over Protean's", 5,
                     figures["triton"]["cpu_us"] / figures["protean"]["cpu_us"])
    figures = results.get("e-http-1", {})
    if {"protean", "triton", "tcp echo"} <= figures.keys():
        theirs, ours = (figures[name]["cpu_us"] - figures["tcp echo"]["cpu_us"] for name in ("triton", "protean"))
        if ours > 0:
            verdicts.append(Verdict("e-http-1", "the same, each less the loopback round trip's CPU", "none, for scale",
                                    theirs / ours, "", None))
    return verdicts


def medians(samples):
    """{contestant: {figure: median}} of {contestant: [sample]}."""
    return {name: {figure: measure.median([turn[figure] for turn in turns]) for figure in turns[0]}
            for name, turns in samples.items() if turns}
