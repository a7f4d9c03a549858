"""Our programs beside the other engines: rounds in turns (A B C A B C), minimum by
minimum.

Each engine gets the better of two exports and of its settings, found by a short trial;
one whose output differs from ours by more than a thousandth of its range is not timed
but named."""
import json
import math
import os
import statistics
import time

import numpy as np

import engines
import machine
from networks import GOALS, Failure, Network, call
from runners import Ours, Worker

PAUSE = 0.3       # seconds: threads of the engine before that wait by spinning stop
TOLERANCE = 1e-3  # of the output's range
TRIALS, TRIAL_RUNS = 2, 3
LEAST_RUNS, MOST_RUNS, ROUND_SECONDS = 3, 10, 0.8
HEAD = ["network", "threads", "engine", "min ms", "median ms", "ratio", "of peak",
        "memory MB", "cold start ms", "file MB", "taken"]


def folder_bytes(folder):
    return sum(os.path.getsize(os.path.join(base, f))
               for base, _, files in os.walk(folder) for f in files)


def engine_bytes(peer):
    import importlib.util
    spec = importlib.util.find_spec(peer.package)
    return folder_bytes(os.path.dirname(spec.origin)) if spec and spec.origin else 0


def missing(names):
    """Engines that are not installed, with the reason."""
    import importlib.util
    return {n: "%s is not installed" % engines.PEERS[n].package for n in names
            if not importlib.util.find_spec(engines.PEERS[n].package)}


def check_output(runner, right):
    found = np.reshape(runner.output(), -1)
    if found.size != right.size:
        raise Failure("its output has %d elements, not %d" % (found.size, right.size))
    gap = np.abs(found - right.reshape(-1)).max() / np.abs(right).max()
    if not gap <= TOLERANCE:
        raise Failure("its output differs by %.2g of the range" % gap)
    return float(gap)


def begin(peer, network, form, threads, setting, right, x):
    onnx, log = network.forms[form], network.path(peer.name + ".log")
    Worker.prepare(peer, onnx, x, log)
    runner = Worker(peer, onnx, threads, setting, x, log)
    try:
        runner.gap = check_output(runner, right)
    except Failure:
        runner.close()
        raise
    runner.form = form
    return runner


def best_of(candidates):
    """By the least time of short trials in turns; the others end."""
    least = [math.inf] * len(candidates)
    for _ in range(TRIALS if len(candidates) > 1 else 0):
        for i, candidate in enumerate(candidates):
            time.sleep(PAUSE)
            least[i] = min([least[i], *candidate.times(TRIAL_RUNS)])
    best = candidates[least.index(min(least))]
    for candidate in candidates:
        if candidate is not best:
            candidate.close()
    return best


def load_peer(peer, network, threads, right, x):
    """The fastest of its ways; raises what the last said where there is none."""
    candidates, why = [], None
    try:
        for form in network.forms:
            for setting in peer.settings:
                try:
                    candidates.append(begin(peer, network, form, threads, setting, right, x))
                except Failure as failure:
                    why = failure
        if not candidates:
            raise why
        return best_of(candidates)
    except BaseException:
        for candidate in candidates:
            candidate.close()
        raise


def cold_start(runner, network, peer, threads, x):
    again = Worker(peer, network.forms[runner.form], threads, runner.setting, x, runner.log)
    again.close()
    return min(runner.start_ms, again.start_ms)


class Beside:
    """One network at one number of threads."""

    def __init__(self, network, threads, options, start, skipped):
        self.network, self.threads, self.options = network, threads, options
        self.skipped, self.loaded = skipped, {}
        self.x = network.path("input.npy")
        np.save(self.x, np.random.default_rng(1).standard_normal(network.shape)
                .astype(np.float32))
        self.loaded["vtc"] = Ours(network.program, threads, self.x, start)

    def load(self):
        right = self.loaded["vtc"].output()
        for name in self.options.engines:
            peer = engines.PEERS[name]
            try:
                runner = load_peer(peer, self.network, self.threads, right, self.x)
                runner.start_ms = cold_start(runner, self.network, peer, self.threads, self.x)
                self.loaded[name] = runner
            except Failure as failure:
                self.skipped["%s, %s, %d threads" % (name, self.network.name, self.threads)] = \
                    str(failure)

    def measure(self):
        first = {n: min(r.times(2)) for n, r in self.loaded.items()}
        runs = {n: max(LEAST_RUNS, min(MOST_RUNS, int(1e3 * ROUND_SECONDS / t) + 1))
                for n, t in first.items()}
        times = {n: [] for n in self.loaded}
        for _ in range(self.options.rounds):
            for name, runner in self.loaded.items():
                time.sleep(PAUSE)
                times[name].append(runner.times(runs[name]))
        return times

    def row(self, times, limits):
        peak = limits["gflops"]
        row = {"network": self.network.name, "kind": self.network.kind,
               "threads": self.threads, "macs": self.network.macs, "engines": {}}
        ours = min(map(min, times["vtc"]))
        for name, rounds in times.items():
            runner, least = self.loaded[name], min(map(min, rounds))
            runner.end()
            row["engines"][name] = {
                "min_ms": least, "median_ms": statistics.median(sum(rounds, [])),
                "ratio": least / ours,
                "percent_of_peak": 2e-4 * self.network.macs / least / peak,
                "peak_mb": runner.peak_kb / 1024, "cold_start_ms": runner.start_ms,
                "file_mb": runner.bytes / 1e6, "setting": runner.setting,
                "form": getattr(runner, "form", "source"), "gap": getattr(runner, "gap", 0.0),
                "rounds_ms": [min(r) for r in rounds]}
        return row

    def close(self):
        for runner in self.loaded.values():
            runner.close()


def group_limit(vtc, network, threads, limits):
    """Of a network of group convolutions: the least time that its multiply-adds need at
    the peak, and its bytes (each layer's tensors and weights) from the second-level
    cache, layer by layer the larger."""
    told = json.loads(call([vtc, "bench", network.source, "--layers", "--runs=3",
                            "--weights=" + network.weights, "--threads=%d" % threads,
                            "--format=json"]))
    limit = sum(max(2e-6 * l["macs"] / limits["gflops"], 1e-6 * l["bytes"] / limits["l2_gbps"])
                for l in told["layers"])
    return limit


def print_head():
    print("| " + " | ".join(HEAD) + " |\n|" + "---|" * len(HEAD), flush=True)


def print_row(row):
    for name, e in row["engines"].items():
        taken = " ".join([e["form"], *("%s=%s" % s for s in e["setting"].items())])
        print("| %s | %d | %s | %.2f | %.2f | %.2f | %.0f %% | %.0f | %.0f | %.1f | %s |" % (
            row["network"], row["threads"], name, e["min_ms"], e["median_ms"], e["ratio"],
            e["percent_of_peak"], e["peak_mb"], e["cold_start_ms"], e["file_mb"], taken),
              flush=True)


def verdict(ratio, goal):
    text = "-" if ratio is None else "%.2f" % ratio
    if ratio is None or goal is None:
        return text
    return "%s (%s %.2f)" % (text, "reaches" if ratio >= goal else "of", goal)


def print_goals(rows):
    """Ratios beside what is aimed at, and what a second thread brings."""
    print("\n| network | threads | of ONNX Runtime's speed | of the fastest engine's | "
          "of 1 thread's | of its limit |\n|---|---|---|---|---|---|")
    one = {r["network"]: r["engines"]["vtc"]["min_ms"] for r in rows if r["threads"] == 1}
    for row in rows:
        peers = {n: e["ratio"] for n, e in row["engines"].items() if n != "vtc"}
        goals = GOALS[row["kind"]].get(row["threads"], (None, None))
        fastest = min(peers, key=peers.get) if peers else None
        ours = row["engines"]["vtc"]["min_ms"]
        more = one.get(row["network"]) if row["threads"] > 1 else None
        limit = row.get("limit_ms")
        print("| %s | %d | %s | %s%s | %s | %s |" % (
            row["network"], row["threads"], verdict(peers.get("onnxruntime"), goals[0]),
            verdict(peers.get(fastest), goals[1]), " " + fastest if fastest else "",
            "%.2f" % (more / ours) if more else "-",
            "%.0f %%" % (100 * limit / ours) if limit else "-"))


def run(context):
    """Rows one by one; what is there is kept after each."""
    options = context.options
    context.skipped.update(missing(options.engines))
    options.engines = [n for n in options.engines if n not in context.skipped]
    context.results["engines_mb"] = {n: engine_bytes(engines.PEERS[n]) / 1e6
                                     for n in options.engines}
    rows = context.results["rows"] = []
    print_head()
    for name in options.networks:
        try:
            network = Network(context.vtc, context.folder, name, context.options.threads)
            for threads in options.threads:
                run_one(context, network, threads, rows)
        except Failure as failure:
            context.skipped["vtc, " + name] = str(failure)
    if rows:
        print_goals(rows)


def run_one(context, network, threads, rows):
    beside = Beside(network, threads, context.options, os.path.join(context.folder, "start"),
                    context.skipped)
    try:
        beside.load()
        before = machine.handover_ns(context.folder)
        row = beside.row(beside.measure(), context.limits[threads])
        row["handover_ns"] = [before, machine.handover_ns(context.folder)]
        if network.kind == "groups":
            row["limit_ms"] = group_limit(context.vtc, network, threads,
                                          context.limits[threads])
    finally:
        beside.close()
    rows.append(row)
    print_row(row)
    context.keep()
