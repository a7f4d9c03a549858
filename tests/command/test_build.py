"""What building promises: the same bytes however and wherever it is called, little time and
memory, and dumps that show what each pass changed and only that.

    test_build.py VTC MODELS
"""
import collections
import os
import re
import shutil
import subprocess
import time

from harness import (call, check, copy, expect, finish, here, models, path, read, skip, slow,
                     tree, vtc, write)

# What a C compiler makes of the same C is its affair: a sanitized vtc shows its own part.
BYTES = [("exe", "out"), ("c", "."), ("obj", "out.o"), ("lib", "libout.a"), ("so", "libout.so"),
         ("asm", "out.s"), ("onnx", "out.onnx")]
OWN = [("c", "."), ("onnx", "out.onnx"), ("llvm", "out.ll")]
LLVM = [("llvm", "out.ll"), ("obj", "out.o"), ("asm", "out.s"), ("lib", "out.a"), ("exe", "out")]


def contents(folder):
    return {name: read(os.path.join(folder, name)) for name in tree(folder)
            if not name.startswith("net.")}


def build_in(folder, source, options, out):
    """From a folder of its own, with the model beside it or far away."""
    os.makedirs(path(folder))
    r = expect(["build", source, "-o", out] + options, 0, cwd=path(folder))
    found = contents(path(folder))
    shutil.rmtree(path(folder))
    return found if r.returncode == 0 else None


def check_same_bytes():
    """Twice from one folder, then from another that names the model otherwise; also with
    other addresses, times and temporary folders."""
    copy(here + "/report/small.vt", "net.vt")
    expect(["init", "net.vt", "-o", "net.safetensors"], 0)
    for backend, emits in ("c", BYTES), ("llvm", LLVM):
        if backend == "llvm" and call("dump", "net.vt", "--stage=llvm").returncode == 3:
            skip("bytes of the LLVM back end: this vtc was built without LLVM")
            continue
        for emit, out in emits if not slow else OWN:
            if slow and (emit == "llvm") != (backend == "llvm"):
                continue
            options = ["--emit=" + emit] + (["--backend=llvm"] if backend == "llvm" else [])
            first = build_in("one", "../net.vt", options, out)
            again = build_in("one", "../net.vt", options, out)
            check(first and first == again, backend, emit, "twice: other bytes")
            far = build_in("two/deeper/place", path("net.vt"), options, out)
            differ = [n for n in first if far.get(n) != first[n]]
            check(not differ and set(far) == set(first), backend, emit,
                  "from another folder: other bytes of", differ)


def signed(lines, sign):
    """How often each line stands behind the sign, however far it is indented."""
    return collections.Counter(l[1:].strip() for l in lines if l.startswith(sign))


def check_graph_changes(name, before, after, lines):
    went = [line for line in before if line not in after]
    came = [line for line in after if line not in before]
    check(bool(lines) == bool(went or came), name, "is shown:", bool(lines))
    check(lines == ["-" + line for line in went] + ["+" + line for line in came],
          name, "shows its changes and only those")


def check_loop_changes(name, before, after, lines):
    """What went and came turns one program into the other, and kernels are named."""
    plain = [collections.Counter(line.strip() for line in text) for text in (before, after)]
    check(plain[0] - signed(lines, "-") + signed(lines, "+") == plain[1] and
          not signed(lines, "-") - plain[0], name, "shows what it changes")
    check(len(lines) <= len(before) + len(after) and (before != after) == bool(lines),
          name, "shows only that")
    check(all(re.match(r"[-+] |[-+]program|[-+]}|   kernel ", line) for line in lines), name,
          "has other lines:", [l for l in lines if l[0] not in "-+"][:3])


def check_dump_changes():
    """--after=all names exactly the passes whose graph or program is another afterwards."""
    model = models + "/vt_fashion.vt"
    told = expect(["dump", model, "--after=all"], 0).stdout
    parts = re.split(r"^--- after (\w+)\n", told, flags=re.M)
    check(parts[0] == "", "nothing before the first pass")
    shown = dict(zip(parts[1::2], parts[2::2]))
    before, examine = expect(["dump", model], 0).stdout.splitlines(), check_graph_changes
    for row in call("passes").stdout.splitlines():
        name = row.split()[0]
        after = call("dump", model, "--after=" + name).stdout.splitlines()
        if name == "lower":
            before, examine = [], check_loop_changes
        examine(name, before, after, shown.get(name, "").splitlines())
        before = after
    check(len(shown) > 12, "passes change this network:", list(shown))
    check(len(shown["legalize"]) < len(told) / 20, "few lines have an exp")


def check_graph_dump():
    """VT-ResNet-18 in less than 400 lines, each value with its shape and its line."""
    lines = expect(["dump", models + "/vt_resnet18.vt"], 0).stdout.splitlines()
    check(len(lines) < 400, "the graph has %d lines" % len(lines))
    values = [line for line in lines if " = " in line]
    check(len(values) > 150, "of which %d are values" % len(values))
    for line in values:
        check(re.search(r"\b(f32|u8|i32|bool)\[[\d,]*\]", line), "a shape in:", line)
        check(re.search(r"\w+\.vt:\d+", line), "a source line in:", line)
    sources = {name for name in re.findall(r"([\w/]+\.vt):\d+", "\n".join(values))}
    check(len(sources) > 1, "lines of the model and of its modules:", sources)


def check_cost():
    """VT-ResNet-18 to C: under a second, and in less than three times its weights."""
    if slow:
        return skip("time and memory: this compiler was built to find mistakes")
    expect(["init", models + "/vt_resnet18.vt", "-o", "vt.safetensors"], 0)
    os.mkdir(path("c"))
    times, peak = [], 0
    for _ in range(3): # the machine may be busy with other tests
        begin = time.monotonic()
        p = subprocess.Popen([vtc, "build", models + "/vt_resnet18.vt", "--emit=c", "-o", path("c"),
                              "--weights=" + path("vt.safetensors")])
        _, status, usage = os.wait4(p.pid, 0)
        times.append(min(time.monotonic() - begin, usage.ru_utime + usage.ru_stime))
        peak = usage.ru_maxrss * 1024
        check(status == 0, "builds")
    weights = os.path.getsize(path("vt.safetensors"))
    print("vt_resnet18 to C: %.2f s, %.1f MB, weights %.1f MB" %
          (min(times), peak / 1e6, weights / 1e6))
    check(min(times) < 1, "takes %.2f s" % min(times))
    check(peak < 3 * weights, "takes %.1f MB" % (peak / 1e6))


def check_many_ports():
    """A network may have more inputs and outputs than anybody thought of."""
    inputs, outputs = 23, 70
    write("many.vt", "model many(%s) {\n%s}\n" % (
        ", ".join("a%d: f32[1, 3]" % i for i in range(inputs)),
        "".join("    output b%d = a%d * %d - a%d\n" % (i, i % inputs, i + 2, (i + 1) % inputs)
                for i in range(outputs))))
    expect(["verify", "many.vt"], 0, "C by gcc               %3d steps agree" % outputs)
    expect(["build", "many.vt", "--emit=c", "-o", "."], 0)
    call_text = re.search(r"int many_run\(.*?\);", read("many.h").decode(), re.S).group()
    names = ["in_a%d" % i for i in range(inputs)] + ["out_b%d" % i for i in range(outputs)]
    lacking = [n for n in names if not re.search(r"\bfloat \*%s\b" % n, call_text)]
    check(not lacking, "many_run lacks", lacking)


check_same_bytes()
check_many_ports()
check_dump_changes()
check_graph_dump()
check_cost()
finish()
