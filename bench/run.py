"""Times networks by vtc and by other engines in turns and prints a table.

    run.py VTC BUILD_FOLDER [--networks=a,b] [--rounds=N] [--threads=1,2] [--json=FILE]

Every engine runs the same ONNX or the program made from the same weights; one whose
output differs from ours by more than 1e-3 of its range is not timed but named. A
ratio is minimum by minimum over rounds taken in turns (A B C A B C)."""
import argparse
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import time

import numpy as np

import engines

HERE = os.path.dirname(os.path.abspath(__file__))
PAUSE = 0.3  # seconds: threads of the engine before that wait by spinning stop
NETWORKS = "resnet18,resnet34,resnet50,resnet101,vt_resnet18,vt_resnet34,vt_resnet50"


class Network:
    def __init__(self, vtc, folder, name):
        self.folder, self.name = folder, name
        source = os.path.join(HERE, "..", "models", name + ".vt")
        weights = self.path("safetensors")
        self.program, self.onnx = self.path("program"), self.path("onnx")
        if not os.path.exists(weights):
            call([vtc, "init", source, "--seed=1", "-o", weights])
        call([vtc, "build", source, "--weights=" + weights, "-o", self.program])
        if not os.path.exists(self.onnx):
            call([vtc, "build", source, "--weights=" + weights, "--emit=onnx", "-o", self.onnx])
        self.input, self.output = "image", "logits"
        report = json.loads(call([vtc, "report", source, "--format=json"]))
        self.macs = report["total"]["macs"]

    def path(self, suffix):
        return os.path.join(self.folder, "%s.%s" % (self.name, suffix))


def call(arguments):
    done = subprocess.run(arguments, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit("%s: %s" % (" ".join(arguments), done.stderr))
    return done.stdout


def measure_limits(folder):
    """GFLOP/s of one core and GB/s of memory, by small programs compiled here."""
    limits = {}
    for name in ("peak", "bandwidth"):
        program = os.path.join(folder, name)
        call(["gcc", "-O2", "-march=native", "-mprefer-vector-width=512", "-o", program,
              os.path.join(HERE, name + ".c")])
        limits.update(json.loads(call([program])))
    return limits


def times_of(engine, x, runs):
    if isinstance(engine, engines.Ours):
        return engine.times(runs)
    engine.run(x)
    samples = []
    for _ in range(runs):
        start = time.perf_counter()
        engine.run(x)
        samples.append((time.perf_counter() - start) * 1e3)
    return min(samples), statistics.median(samples)


def try_engine(peer, network, threads, x):
    peer(network, threads).run(x)


def survives(peer, network, threads, x):
    """In a process of its own: some engines crash on networks they do not know."""
    child = multiprocessing.get_context("spawn").Process(target=try_engine,
                                                         args=(peer, network, threads, x))
    child.start()
    child.join()
    return child.exitcode == 0


def load_engines(network, threads, x, skipped):
    ours = engines.Ours(network, threads)
    right = ours.run(x)
    loaded = {ours.name: ours}
    for peer in engines.PEERS:
        try:
            if not survives(peer, network, threads, x):
                raise RuntimeError("it fails or crashes on this network")
            engine = peer(network, threads)
            difference = np.abs(np.reshape(engine.run(x), right.shape) - right).max()
            if difference > 1e-3 * np.abs(right).max():
                raise RuntimeError("its output differs by %.2g" % difference)
            loaded[peer.name] = engine
        except Exception as error:  # whatever an engine raises is its answer
            skipped.add("%s, %s: %s" % (peer.name, network.name, str(error).split("\n")[0]))
    return loaded


def time_network(network, threads, rounds, runs, skipped):
    x = np.random.default_rng(1).standard_normal((1, 3, 224, 224)).astype(np.float32)
    loaded = load_engines(network, threads, x, skipped)
    results = {name: [] for name in loaded}
    for _ in range(rounds):
        for name, engine in loaded.items():
            time.sleep(PAUSE)
            results[name].append(times_of(engine, x, runs))
    return {name: {"min_ms": min(a for a, _ in t),
                   "median_ms": statistics.median(b for _, b in t)}
            for name, t in results.items()}


def print_row(row, limits):
    ours = row["engines"]["vtc"]["min_ms"]
    peers = {n: e["min_ms"] for n, e in row["engines"].items() if n != "vtc"}
    peak = 2 * row["macs"] / ours / 1e6 / limits["gflops"] / row["threads"]
    cells = ["%s %.2f ms (%.2fx)" % (n, t, t / ours) for n, t in peers.items()]
    print("| %s | %d | %.2f | %.0f %% | %s |" % (row["network"], row["threads"], ours,
                                                100 * peak, " | ".join(cells)), flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("vtc")
    p.add_argument("folder")
    p.add_argument("--networks", default=NETWORKS)
    p.add_argument("--threads", default="1,2")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--runs", type=int, default=8)
    p.add_argument("--json")
    o = p.parse_args()
    os.makedirs(o.folder, exist_ok=True)
    limits = measure_limits(o.folder)
    print("one core: %(gflops).0f GFLOP/s; memory %(memory_gbps).0f GB/s, last-level cache "
          "%(cache_gbps).0f GB/s" % limits)
    print("| network | threads | vtc ms | of fma peak | others, and how often we are as fast |")
    print("|---|---|---|---|---|")
    rows, skipped = [], set()
    for name in o.networks.split(","):
        network = Network(o.vtc, o.folder, name)
        for threads in (int(t) for t in o.threads.split(",")):
            row = {"network": name, "threads": threads, "macs": network.macs,
                   "engines": time_network(network, threads, o.rounds, o.runs, skipped)}
            print_row(row, limits)
            rows.append(row)
    for line in sorted(skipped):
        print("not timed: " + line)
    if o.json:
        with open(o.json, "w") as file:
            json.dump({"machine": platform.processor() or platform.machine(),
                       "limits": limits, "rows": rows, "skipped": sorted(skipped)}, file,
                      indent=1)


if __name__ == "__main__":
    sys.exit(main())
