"""One visual transformer alone, nothing of it in a cache before a run, beside the least
time that memory or arithmetic allow: weights at the bandwidth measured, twice the
multiply-accumulates (of the model, before any was saved) at the peak measured."""
import json
import os

from machine import compiler
from networks import HERE, Failure, MODULES, Network, call

RUNTIME = os.path.join(HERE, "..", "runtime")
BAR = 1.3  # times the limit
RUNS = 40


def flushed_program(context, network):
    library, name = network.path("libnet.a"), network.name
    network.build(context.vtc, library, "--emit=lib")
    header = next(f for f in os.listdir(network.folder) if f.endswith(".h"))
    program = network.path("flushed")
    call([compiler(), "-O2", "-I", RUNTIME, "-I", network.folder, "-DHEADER=\"%s\"" % header,
          "-DMODEL=%s_model" % name, os.path.join(HERE, "flushed.c"), library,
          os.path.join(os.path.dirname(context.vtc), "runtime", "libvtcrt.a"), "-lpthread", "-lm", "-o",
          program])
    return program


def run(context):
    rows = context.results["modules"] = []
    print("\n| module, caches empty | threads | min ms | median ms | memory ms | compute ms | "
          "times the larger (bar %.1f) |\n|---|---|---|---|---|---|---|" % BAR, flush=True)
    programs = {}
    for name in MODULES:
        try:
            network = Network(context.vtc, context.folder, name, context.options.threads)
            programs[name] = (network, flushed_program(context, network))
        except Failure as failure:
            context.skipped["vtc, " + name] = str(failure)
    for threads in context.options.threads:
        told = {}
        for _ in range(context.options.rounds):
            for name, (_, program) in programs.items():
                now = json.loads(call([program, str(threads), str(RUNS)]))
                best = told.setdefault(name, now)
                told[name] = now if now["min_ms"] < best["min_ms"] else best
        for name, best in told.items():
            rows.append(row_of(programs[name][0], threads, best, context.limits[threads]))
            context.keep()


def row_of(network, threads, told, limits):
    memory = 1e-6 * told["weights_bytes"] / limits["memory_gbps"]
    compute = 2e-6 * network.macs / limits["gflops"]
    row = {"module": network.name, "threads": threads, **told, "macs": network.macs,
           "memory_ms": memory, "compute_ms": compute,
           "times_limit": told["min_ms"] / max(memory, compute)}
    print("| %s | %d | %.3f | %.3f | %.3f | %.3f | %.2f |" % (
        network.name, threads, told["min_ms"], told["median_ms"], memory, compute,
        row["times_limit"]), flush=True)
    return row
