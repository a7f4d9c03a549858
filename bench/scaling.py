"""One network with one thread and with several, in turns with as many programs of one thread
at once, each bound to a processor: how much slower these are than one alone is what the
machine keeps for itself (clock, last-level cache, memory), so that their speed together is
as far as threads can go."""
import json
import os
import subprocess

import numpy as np

import machine
from networks import NETWORKS, THREADS_GOALS, Failure, Network
from runners import Ours

RUNS = 20


def apart(program, count):
    """Of the slowest of so many programs at once."""
    processors = sorted(os.sched_getaffinity(0))[:count]
    running = [subprocess.Popen([program, "--bench=%d" % RUNS, "--threads=1", "--json"],
                                stdout=subprocess.PIPE, text=True,
                                preexec_fn=lambda p=p: os.sched_setaffinity(0, [p]))
               for p in processors]
    told = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        raise Failure("%s fails" % program)
    return max(json.loads(text)["min_ms"] for text in told)


def measure(context, network):
    program, x = network.path("program_scaling"), network.path("input.npy")
    network.build(context.vtc, program)
    np.save(x, np.random.default_rng(1).standard_normal(network.shape).astype(np.float32))
    start = os.path.join(context.folder, "start")
    cpus = len(os.sched_getaffinity(0))
    threads = [t for t in context.options.threads if 1 < t <= cpus]
    for t in context.options.threads:
        if t > cpus:
            context.skipped["scaling, %d threads" % t] = "there are %d processors" % cpus
    runners = {t: Ours(program, t, x, start) for t in [1, *threads]}
    least = {t: [] for t in [*runners, *(("apart", t) for t in threads)]}
    handover = []
    for _ in range(context.options.rounds):
        handover.append(machine.handover_ns(context.folder))
        for t, runner in runners.items():
            least[t].append(min(runner.times(RUNS)))
        for t in threads:
            least["apart", t].append(apart(program, t))
    least = {k: min(v) for k, v in least.items()}
    return [{"network": network.name, "threads": t, "one_ms": least[1], "ms": least[t],
             "apart_ms": least["apart", t], "times_one": least[1] / least[t],
             "machine_times_one": t * least[1] / least["apart", t], "handover_ns": handover}
            for t in threads]


def run(context):
    rows = context.results["scaling"] = []
    print("\n| network | threads | 1 thread ms | ms | times as fast (goal) | programs at once ms "
          "| times as fast | handover ns |\n" + "|---" * 8 + "|", flush=True)
    for name in context.options.networks:
        try:
            network = Network(context.vtc, context.folder, name, context.options.threads)
            found = measure(context, network)
        except Failure as failure:
            context.skipped["scaling, " + name] = str(failure)
            continue
        goal = THREADS_GOALS[NETWORKS[name][1]]
        for row in found:
            print("| {network} | {threads} | {one_ms:.3f} | {ms:.3f} | {times_one:.2f} ({0}) | "
                  "{apart_ms:.3f} | {machine_times_one:.2f} | {1} |".format(
                      goal if row["threads"] == 2 else "-",
                      " ".join("%.0f" % ns for ns in row["handover_ns"]), **row), flush=True)
        rows += found
        context.keep()
