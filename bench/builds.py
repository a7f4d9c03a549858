"""Our own builds beside each other, in turns: compilers, processor levels, tuned or not.

A row tells how often as fast as the first build of its comparison."""
import os
import statistics
import time

import numpy as np

from networks import Failure, Network, call
from runners import Ours

# Build -> options, compiler. "TUNED" becomes the tuning file.
BUILDS = {
    "gcc":   (["--backend=c"], "gcc"),
    "clang": (["--backend=c"], "clang"),
    "llvm":  (["--backend=llvm"], None),
    "v4":    (["--cpu=v4"], "gcc"),
    "v3":    (["--cpu=v3"], "gcc"),
    "untuned": ([], "gcc"),
    "tuned": (["--tuned=TUNED"], "gcc"),
    "embed": ([], "gcc"),
    "small": (["--small"], "gcc"),
    "plain": (["--plain"], "gcc"),
}
# Comparison -> builds, the first is what the others are compared with, and whether all
# must give the same bits.
COMPARISONS = {
    "compilers": (["gcc", "clang", "llvm"], True),
    "levels":    (["v4", "v3"], False),
    "tuning":    (["untuned", "tuned"], False),
    "algorithms": (["embed", "small", "plain"], False),
}
NETWORKS = ["resnet18", "resnet50", "vt_resnet18_v4", "vt_resnet50_v4"]
RUNS, PAUSE = 8, 0.1


def build(context, network, name):
    options, compiler = BUILDS[name]
    tuned, program = network.path("tuned"), network.path("program_" + name)
    if "--tuned=TUNED" in options:
        call([context.vtc, "tune", network.source, "--weights=" + network.weights,
              network.most, "--time=%d" % context.options.tune, "--threads=1", "-o", tuned])
    environment = {**os.environ, **({"CC": compiler} if compiler else {})}
    network.build(context.vtc, program, *[o.replace("TUNED", tuned) for o in options],
                  env=environment)
    return program


def load(context, network, comparison, threads, x):
    loaded = {}
    for name in COMPARISONS[comparison][0]:
        try:
            loaded[name] = Ours(build(context, network, name), threads, x,
                                os.path.join(context.folder, "start"))
        except Failure as failure:
            context.skipped["build %s, %s" % (name, network.name)] = str(failure)
    return loaded


def measure(loaded, rounds):
    times = {n: [] for n in loaded}
    for _ in range(rounds):
        for name, runner in loaded.items():
            time.sleep(PAUSE)
            times[name].append(runner.times(RUNS))
    return times


def same_bits(loaded):
    outputs = [r.output().tobytes() for r in loaded.values()]
    return all(o == outputs[0] for o in outputs)


def compare(context, network, comparison, threads, x):
    loaded = load(context, network, comparison, threads, x)
    if len(loaded) < 2:
        return []
    if COMPARISONS[comparison][1] and not same_bits(loaded):
        context.skipped["%s, %s" % (comparison, network.name)] = "their bits differ"
    first, rows = None, []
    for name, rounds in measure(loaded, context.options.rounds).items():
        least = min(map(min, rounds))
        first = first or least
        rows.append({"network": network.name, "comparison": comparison, "build": name,
                     "threads": threads, "min_ms": least,
                     "median_ms": statistics.median(sum(rounds, [])), "speed": first / least,
                     "cold_start_ms": loaded[name].start_ms,
                     "peak_mb": loaded[name].peak_kb / 1024,
                     "file_mb": loaded[name].bytes / 1e6})
        print("| {network} | {comparison} | {build} | {threads} | {min_ms:.3f} | "
              "{median_ms:.3f} | {speed:.3f} | {cold_start_ms:.0f} | {peak_mb:.0f} | "
              "{file_mb:.1f} |".format(**rows[-1]), flush=True)
    return rows


def run(context):
    rows = context.results["builds"] = []
    print("\n| network | comparison | build | threads | min ms | median ms | of the first's "
          "speed | cold start ms | memory MB | file MB |\n" + "|---" * 10 + "|", flush=True)
    chosen = context.options.given_networks or NETWORKS
    for name in chosen:
        network = Network(context.vtc, context.folder, name, context.options.threads)
        x = network.path("input.npy")
        np.save(x, np.random.default_rng(1).standard_normal(network.shape).astype(np.float32))
        for comparison in context.options.comparisons:
            for threads in context.options.threads:
                rows += compare(context, network, comparison, threads, x)
                context.keep()
