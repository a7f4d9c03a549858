"""What the machine can do, measured by small programs compiled here: multiply-adds
(peak.c), reading (bandwidth.c), handing over between cores (handover.c); start.c measures
how programs begin."""
import json
import os
import platform
import shutil

from networks import HERE, Failure, call

FLAGS = ["-O2", "-march=native", "-mprefer-vector-width=512", "-pthread"]
# Program -> source, more flags.
PROGRAMS = {"peak": ("peak.c", []), "peak_avx2": ("peak.c", ["-DONLY_AVX2"]),
            "bandwidth": ("bandwidth.c", []), "handover": ("handover.c", []),
            "start": ("start.c", [])}


def compiler():
    found = next((c for c in ("gcc", "cc", "clang") if shutil.which(c)), None)
    if not found:
        raise Failure("no C compiler: install the package gcc")
    return found


def compile_programs(folder):
    for name, (source, more) in PROGRAMS.items():
        call([compiler(), *FLAGS, *more, "-o", os.path.join(folder, name),
              os.path.join(HERE, source)])


def measure(folder, threads):
    """By number of threads: gflops, gflops_avx2, l2_gbps, llc_gbps, memory_gbps."""
    limits = {}
    for n in sorted({1, *threads}):
        told = [json.loads(call([os.path.join(folder, p), str(n)]))
                for p in ("peak", "peak_avx2", "bandwidth")]
        limits[n] = {**told[0], "gflops_avx2": told[1]["gflops"], **told[2]}
    return limits


def handover_ns(folder):
    """Between two cores, at this moment; None where there is one."""
    if len(os.sched_getaffinity(0)) < 2:
        return None
    return json.loads(call([os.path.join(folder, "handover")]))["handover_ns"]


def description():
    model, memory = platform.machine(), ""
    try:
        with open("/proc/cpuinfo") as file:
            model = next(line.split(":")[1].strip() for line in file
                         if line.startswith("model name"))
        with open("/proc/meminfo") as file:
            memory = "%.0f GB" % (int(file.readline().split()[1]) / 1e6)
    except (OSError, StopIteration):
        pass
    return {"processor": model, "cpus": os.cpu_count(), "memory": memory,
            "system": platform.platform()}


def sentence(limits):
    return "; ".join("%d thread%s: %.0f GFLOP/s (AVX2 %.0f), reading L2 %.0f, last-level "
                     "cache %.0f, memory %.1f GB/s" %
                     (n, "" if n == 1 else "s", l["gflops"], l["gflops_avx2"], l["l2_gbps"],
                      l["llc_gbps"], l["memory_gbps"]) for n, l in limits.items())
