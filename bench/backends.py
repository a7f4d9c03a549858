"""The two back ends side by side: every network built by each, timed in turns.

    backends.py VTC SCRATCH [--networks=a,b] [--threads=1,2] [--rounds=N] [--seconds=S]
                [--most=1.05] [--json=FILE]

A network is a file below models/ without its .vt; without --networks all of them are
timed (models/, ablations/, forms/). A program runs S seconds a turn, three runs at
least; a ratio is minimum by minimum over rounds taken in turns (C LLVM C LLVM). One over
--most is measured for as many rounds again, twice, before it counts: noise only adds
time. The outputs of both must be the same bits. Exit code 1: a ratio is over --most, or
bits differ.
"""
import argparse
import glob
import json
import os
import re
import subprocess
import sys
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = os.path.join(HERE, "..", "models")
BACKENDS = ("c", "llvm")
AGAIN = 2  # times that a ratio over the limit is measured again


def call(*arguments):
    done = subprocess.run(arguments, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit("%s: %s" % (" ".join(arguments), done.stderr))
    return done.stdout


def all_networks():
    found = [p for sub in ("", "ablations", "forms")
             for p in sorted(glob.glob(os.path.join(MODELS, sub, "*.vt")))]
    return [os.path.relpath(p, MODELS)[:-len(".vt")] for p in found]


class Network:
    """A network's two programs; files are removed when the next one comes."""

    def __init__(self, vtc, folder, name):
        self.folder, self.files, self.seconds = folder, [], {}
        source, weights = os.path.join(MODELS, name + ".vt"), self.path("safetensors")
        call(vtc, "init", source, "--seed=1", "-o", weights)
        for backend in BACKENDS:
            begin = time.perf_counter()
            call(vtc, "build", source, "--weights=" + weights, "--backend=" + backend, "-o",
                 self.path(backend))
            self.seconds[backend] = time.perf_counter() - begin

    def path(self, suffix):
        path = os.path.join(self.folder, "network." + suffix)
        self.files.append(path)
        return path

    def remove(self):
        for path in set(self.files):
            if os.path.exists(path):
                os.unlink(path)

    def time(self, backend, runs, threads):
        out = call(os.path.join(self.folder, "network." + backend), "--bench=%d" % runs,
                   "--threads=%d" % threads, "--json")
        return json.loads(out)["min_ms"]

    def input(self):
        """A .npy for the network's input, whose shape the program tells."""
        info = call(os.path.join(self.folder, "network.c"), "--info")
        shape = [int(n) for n in re.search(r"^input \w+ f32 ([\dx]+)", info, re.M)[1].split("x")]
        path = self.path("input.npy")
        np.save(path, np.random.default_rng(1).standard_normal(shape).astype(np.float32))
        return path

    def same_bits(self):
        """Of both programs' outputs."""
        given, seen = self.input(), []
        for backend in BACKENDS:
            raw = self.path(backend + ".npy")
            call(os.path.join(self.folder, "network." + backend), "--quiet", "--raw=" + raw,
                 given)
            with open(raw, "rb") as f:
                seen.append(f.read())
        return seen[0] == seen[1]


def time_rounds(network, threads, rounds, seconds, best):
    for backend in BACKENDS:  # of the first turn only the length is of use
        best.setdefault(backend, network.time(backend, 3, threads))
    runs = max(3, int(seconds * 1e3 / max(best.values())))
    for _ in range(rounds):
        for backend in BACKENDS:
            best[backend] = min(best[backend], network.time(backend, runs, threads))
    return best["llvm"] / best["c"]


def time_network(network, threads, o):
    best = {}
    for _ in range(1 + AGAIN):
        ratio = time_rounds(network, threads, o.rounds, o.seconds, best)
        if ratio <= o.most:
            break
    return best, ratio


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("vtc")
    p.add_argument("folder")
    p.add_argument("--networks", default="")
    p.add_argument("--threads", default="1")
    p.add_argument("--rounds", type=int, default=4)
    p.add_argument("--seconds", type=float, default=1)
    p.add_argument("--most", type=float, default=1.05)
    p.add_argument("--json")
    return p.parse_args()


def main():
    o = arguments()
    os.makedirs(o.folder, exist_ok=True)
    vtc = os.path.abspath(o.vtc)
    print("| network | threads | C ms | LLVM ms | LLVM / C | bits | build s, C | LLVM |")
    print("|---|---|---|---|---|---|---|---|")
    rows = []
    for name in o.networks.split(",") if o.networks else all_networks():
        network = Network(vtc, o.folder, name)
        same = network.same_bits()
        for threads in (int(t) for t in o.threads.split(",")):
            best, ratio = time_network(network, threads, o)
            rows.append({"network": name, "threads": threads, "c_ms": best["c"],
                         "llvm_ms": best["llvm"], "ratio": ratio, "same_bits": same,
                         "build_seconds": network.seconds})
            print("| %s | %d | %.2f | %.2f | %.3f | %s | %.1f | %.1f |" % (
                name, threads, best["c"], best["llvm"], ratio, "same" if same else "DIFFER",
                network.seconds["c"], network.seconds["llvm"]), flush=True)
        network.remove()
    over = [r for r in rows if r["ratio"] > o.most]
    different = {r["network"] for r in rows if not r["same_bits"]}
    print("%d rows, %d over %.2f, %d networks with other bits" % (len(rows), len(over), o.most,
                                                                len(different)))
    if o.json:
        with open(o.json, "w") as file:
            json.dump(rows, file, indent=1)
    return bool(over or different)


if __name__ == "__main__":
    sys.exit(main())
