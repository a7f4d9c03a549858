"""Debuggers and profilers show layers: what addr2line, gdb and perf say of a program of
each back end.

    test_debug.py VTC TOP
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np

vtc, top = (os.path.abspath(p) for p in sys.argv[1:3])
MODEL = "models/vt_fashion.vt"  # from `top`, where debuggers find it
PLACES = 16  # in each function
failures = 0


def check(condition, what):
    global failures
    failures += not condition
    print("ok  " if condition else "FAIL", what)


def build(*options):
    subprocess.run([vtc, "build", *options], check=True, cwd=top)


def expected_places(folder):
    """Of each step's function the place in the model that the C back end notes."""
    build(MODEL, "--emit=c", "-o", folder)
    with open(os.path.join(folder, "vt_fashion.c")) as f:
        return re.findall(r"^/\* .*  (\S+):(\d+) \*/\nstatic STEP void (step_\w+)", f.read(), re.M)


def places(program):
    """Of each function of a step or kernel the files and lines that debuggers see at
    its start and at some places inside, from the innermost inlined function outwards."""
    names = subprocess.run(["nm", "-S", program], capture_output=True, text=True,
                           check=True).stdout
    found = re.findall(r"^(\w+) (\w+) t ((?:step|k\d+)_\w+)", names, re.M)
    inside = [hex(int(start, 16) + int(size, 16) * i // PLACES)
              for start, size, _ in found for i in range(PLACES)]
    out = subprocess.run(["addr2line", "-a", "-i", "-e", program], input="\n".join(inside),
                         check=True, text=True, capture_output=True).stdout
    seen = [place.split() for place in re.split(r"^0x\w+\n", out, flags=re.M)[1:]]
    return {name: seen[PLACES * i:PLACES * (i + 1)] for i, (_, _, name) in enumerate(found)}


def in_model(places_of_kernel):
    """Are nearly all of its instructions, or what they were inlined into, of the model's
    text? A compiler may move some to where two lines meet."""
    FEWEST = PLACES * 3 // 4
    outermost = [[p for p in place if ":" in p][-1] for place in places_of_kernel]
    return sum(".vt:" in place for place in outermost) >= FEWEST


def test_places(folder):
    expected = expected_places(folder)
    for backend in ("c", "llvm"):
        program, again = (os.path.join(folder, n + backend) for n in ("one", "two"))
        for out in (program, again):
            build(MODEL, "-g", "--backend=" + backend, "-o", out)
        seen = places(program)
        right = [step for path, line, step in expected
                 if step in seen and
                 seen[step][0][0].endswith(os.path.basename(path) + ":" + line)]
        check(len(expected) > 20 and len(right) == len(expected),
              f"{backend}: {len(right)} of {len(expected)} steps are at their layer's line")
        kernels = [name for name in seen if name.startswith("k")]
        right = [k for k in kernels if in_model(seen[k])]
        check(len(kernels) > 10 and len(right) == len(kernels),
              f"{backend}: {len(right)} of {len(kernels)} kernels are in the model")
        with open(program, "rb") as one, open(again, "rb") as two:
            check(one.read() == two.read(), f"{backend}: the same bytes again")


def gdb(program, image, *commands):
    """What gdb answers, where the model's paths are right."""
    words = [w for c in commands for w in ("-ex", c)]
    return subprocess.run(["gdb", "-q", "-batch", "-nx", *words, "--args", program, "--quiet",
                           "--threads=1", image], capture_output=True, text=True, cwd=top,
                          check=True).stdout


def test_gdb(folder, image):
    """A kernel by its name: stopped there and stepping through it shows the model's line
    (mostly: of a short loop the load may be its helper's), and the layer whose step called it."""
    STOPS, INSTRUCTIONS = 8, 7
    stepping = [f"stepi {INSTRUCTIONS}", "backtrace 8"] * STOPS  # 8: also from within memset,
    # as a sanitizer has it
    for backend in ("c", "llvm"):
        program = os.path.join(folder, "one" + backend)  # of test_places
        names = subprocess.run(["nm", program], capture_output=True, text=True).stdout
        kernels = sorted(set(re.findall(r" t (k\d+_\w+)", names)))
        for kernel in kernels[::len(kernels) // 4]:
            out = gdb(program, image, "break " + kernel, "run", "backtrace 2", *stepping)
            frames = re.findall(r"^#\d+ .*?\b(k\d+_\w+|step_\w+) \(.*\) at (\S+):(\d+)$",
                                out, re.M)
            inside, around = frames[::2], frames[1::2]
            shown = [f for f in inside if f[1].endswith(".vt")]
            check(len(inside) == len(around) == STOPS + 1 and
                  {f[0] for f in inside} == {kernel} and inside[0] in shown and
                  len(shown) > STOPS // 2 + 1 and len(set(around)) == 1 and
                  around[0][0].startswith("step_") and around[0][1].endswith(".vt") and
                  model_line(*inside[0][1:]) in out,
                  f"{backend}: gdb in {kernel}, of {frames[1][0] if frames[1:] else out}")


def model_line(path, number):
    with open(os.path.join(top, path)) as f:
        return f.read().split("\n")[int(number) - 1].strip()


def test_perf(folder):
    """Without -g: samples are in kernels by name, and their callers are the layers."""
    small, weights = "tests/targets/small.vt", os.path.join(folder, "small.safetensors")
    subprocess.run([vtc, "init", small, "-o", weights], check=True, cwd=top)
    for backend in ("c", "llvm"):
        program = os.path.join(folder, "perf_" + backend)
        data = os.path.join(folder, "perf.data")
        build(small, "--weights=" + weights, "--backend=" + backend, "-o", program)
        recorded = subprocess.run(["perf", "record", "-q", "-e", "cpu-clock", "-F", "499",
                                   "--call-graph=dwarf", "-o", data, program, "--threads=1",
                                   "--bench=3000"], capture_output=True, text=True)
        if recorded.returncode != 0:
            print("skipped: perf may not measure here:", recorded.stderr.strip()[-100:])
            return
        report = subprocess.run(["perf", "report", "-i", data, "--stdio", "--children",
                                 "-g", "none", "-s", "symbol"], capture_output=True, text=True,
                                check=True).stdout
        share = {name: float(part) for part, name in
                 re.findall(r"^ +([\d.]+)% +[\d.]+% +\[\.\] (\w+)", report, re.M)}
        kernels = sum(v for k, v in share.items() if re.match(r"k\d+_", k))
        layers = sum(v for k, v in share.items() if k.startswith("step_"))
        check(kernels > 50 and layers > 50, f"{backend}: perf: {kernels:.0f}% in "
              f"{sum(k.startswith('k') for k in share)} kernels, {layers:.0f}% in layers")


def main():
    folder = tempfile.mkdtemp()
    image = os.path.join(folder, "in.npy")
    np.save(image, np.random.default_rng(2).normal(size=(1, 1, 28, 28)).astype(np.float32))
    test_places(folder)
    if shutil.which("gdb"):
        test_gdb(folder, image)
    else:
        print("skipped: gdb (package gdb)")
    if shutil.which("perf"):
        test_perf(folder)
    else:
        print("skipped: perf (package linux-perf)")
    shutil.rmtree(folder)
    return failures != 0


sys.exit(main())
