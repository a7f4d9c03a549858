"""--profile=embedded on each Cortex-M: bounds of the header against an emulated run, no
recursion, no library, and MISRA rules as docs/embedded.md says.

    test_embedded.py VTC TOP
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np

vtc, top = sys.argv[1:3]
HERE = os.path.dirname(os.path.abspath(__file__))
CC, EMULATOR = "arm-none-eabi-gcc", "qemu-system-arm"
FLAGS = "-O2 -ffp-contract=off -fno-math-errno -fno-trapping-math".split()
LIBRARY = {"memcpy", "memset", "memmove"}
failures = 0


def check(condition, what):
    global failures
    failures += not condition
    print("ok  " if condition else "FAIL", what)


def run(command, **more):
    return subprocess.run(command, check=True, capture_output=True, **more).stdout


def emit(model, target, folder, *options):
    run([vtc, "build", model, "--target=" + target, "--profile=embedded", "--emit=c",
         "--weights-as=c-array", "-o", folder, *options])
    with open(os.path.join(folder, os.path.basename(model)[:-3] + ".h")) as f:
        return dict((name, int(value)) for name, value in
                    re.findall(r"^    [A-Z0-9_]+?_(WORKSPACE|STACK|CODE|CONSTANT|WEIGHTS|MAX)"
                               r"_(?:BYTES|THREADS) = (\d+)", f.read(), re.M))


def compiler(row):
    """The command of a row of the targets; a row that names another compiler is a new kind."""
    assert row["cc"] == CC, row["cc"]
    return [CC, *row["cc_flags"].split(), *FLAGS, "-I" + top + "/runtime"]


def test_library(row, folder):
    """What the object wants from elsewhere, and who calls whom."""
    run([*compiler(row), "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wvla", "-Werror",
         "-fcallgraph-info", "-c", "vt_fashion.c", "-o", "net.o"], cwd=folder)
    wants = run(["arm-none-eabi-nm", "-u", "net.o"], cwd=folder, text=True).split()[1::2]
    others = set(wants) - LIBRARY - {"vt_fashion_weights"}
    check("vt_fashion_weights" in wants and not others, f"no library: {sorted(set(wants))}")
    with open(os.path.join(folder, "net.ci")) as f:
        calls = re.findall(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"', f.read())
    after = {}
    for caller, callee in calls:
        after.setdefault(caller, set()).add(callee)
    check(len(after) > 20, f"{len(after)} functions call others")
    check(not any(reaches(after, f, f) for f in after), "no recursion")


def reaches(after, start, goal):
    seen, todo = set(), list(after.get(start, ()))
    while todo:
        at = todo.pop()
        if at == goal:
            return True
        if at not in seen:
            seen.add(at)
            todo += after.get(at, ())
    return False


def test_stack(row, folder, bounds):
    sources = ["harness.c", "machine_cortex_m.c"]
    run([*compiler(row), "-std=gnu11", "-DMODEL=vt_fashion_model", "-I" + HERE, "-nostdlib", "-T",
         os.path.join(HERE, "cortex_m.ld"), *[os.path.join(HERE, s) for s in sources],
         "vt_fashion.c", "vt_fashion_weights.c", "-o", "net"], cwd=folder)
    np.zeros((28, 28), np.float32).tofile(os.path.join(folder, "inputs.bin"))
    run(row["run"].split() + ["net"], cwd=folder)
    with open(os.path.join(folder, "outputs.bin"), "rb") as f:
        given = f.read()
    used, bound = int.from_bytes(given[40:44], "little"), bounds["STACK"]
    check(len(given) == 44 and bound / 3 < used <= bound, f"stack: {used} of {bound} bytes used")


def test_loops(folder):
    with open(os.path.join(folder, "vt_fashion.c")) as f:
        text = f.read()
    kernels = text[:text.index("} steps[]")]
    loops = re.findall(r"for \(int64_t \w+ = 0; \w+ < (\d+); .*?\{(.*)", kernels)
    right = [n for n, rest in loops if f"loop bound: {n} " in rest]
    check(len(loops) > 100 and len(right) == len(loops), f"{len(right)} loops have their bound")


def test_misra(folder):
    with open(os.path.join(top, "docs/embedded.md")) as f:
        rows = re.findall(r"^\| ([\d., ]+) \|", f.read(), re.M)
    listed = {rule.strip() for row in rows for rule in row.split(",")}
    result = subprocess.run(["cppcheck", "--addon=misra", "--std=c11",
                             "--platform=arm32-wchar_t4", "-q", "-I" + top + "/runtime",
                             "operators.c"], capture_output=True, text=True, cwd=folder)
    found = set(re.findall(r"\[misra-c2012-([\d.]+)\]", result.stderr))
    others = set(re.findall(r"\[(\w+)\]$", result.stderr, re.M))
    check(not found - listed, f"MISRA: no rule that is not listed {sorted(found - listed)}")
    idle = listed - found - {"7.2"}  # whether 7.2 is found depends on a hash
    check(not idle, f"MISRA: every listed rule is needed {sorted(idle)}")
    check(not others, f"cppcheck finds nothing else {sorted(others)}")


def test_target(row, folder, weights):
    print(row["name"])
    os.mkdir(folder)
    bounds = emit(os.path.join(top, "models/vt_fashion.vt"), row["name"], folder)
    emit(os.path.join(HERE, "operators.vt"), row["name"], folder, "--weights=" + weights)
    check(min(bounds.values()) > 0 and len(bounds) == 6, f"the header tells bounds: {bounds}")
    test_library(row, folder)
    test_stack(row, folder, bounds)
    test_loops(folder)
    test_misra(folder)


def test_others(folder):
    """The profile is for any target whose objects are ELF: x86 pushes what calls pass."""
    for target in ("x86-64-v2", "x86-64-v3", "c11"):
        bounds = emit(os.path.join(top, "models/vt_fashion.vt"), target,
                      os.path.join(folder, target))
        check(min(bounds.values()) > 0 and len(bounds) == 6, f"{target}: bounds: {bounds}")


def main():
    tools = {CC: "gcc-arm-none-eabi", EMULATOR: "qemu-system-arm", "cppcheck": "cppcheck"}
    missing = [package for tool, package in tools.items() if not shutil.which(tool)]
    if missing:
        print("skipped: missing packages", *missing)
        return 77
    folder = tempfile.mkdtemp()
    weights = os.path.join(folder, "operators.safetensors")
    run([vtc, "init", os.path.join(HERE, "operators.vt"), "--seed=3", "-o", weights])
    rows = [row for row in json.loads(run([vtc, "targets", "--format=json"]))
            if row["run"].startswith(EMULATOR)]
    check(len(rows) >= 2, f"targets without a system: {[row['name'] for row in rows]}")
    for row in rows:
        test_target(row, os.path.join(folder, row["name"]), weights)
    test_others(folder)
    shutil.rmtree(folder)
    return failures != 0


sys.exit(main())
