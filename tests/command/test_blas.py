"""--blas: large products by OpenBLAS, in C and by LLVM, in programs and libraries; what is
said where it cannot be.

    test_blas.py VTC MODELS
"""
import os
import re
import subprocess

from harness import call, check, expect, finish, path, read, write

# A ResNet in little: bottlenecks with and without stride, a head; tokens' products.
NET = """model reduced(image: f32[1, 3, 64, 64]) {
    stem: x = relu(conv2d(image, out = 64, kernel = 3, stride = 2, pad = 1))
    a1: y = relu(conv2d(x, out = 32, kernel = 1))
    a2: y = relu(conv2d(y, out = 32, kernel = 3, pad = 1))
    a3: y = conv2d(y, out = 64, kernel = 1)
    x = relu(x + y)
    b1: y = relu(conv2d(x, out = 64, kernel = 1))
    b2: y = relu(conv2d(y, out = 64, kernel = 3, stride = 2, pad = 1))
    b3: y = conv2d(y, out = 256, kernel = 1)
    b4: z = conv2d(x, out = 256, kernel = 1, stride = 2)
    x = relu(y + z)
    t = flatten(x, axis = 2)
    s = softmax(matmul(t, t, transpose_b = true) / 256, axis = 2)
    t = matmul(s, t)
    fc: y = linear(reshape(t, shape = [1, 65536]), out = 64)
    output y
}
"""


def prepare():
    write("net.vt", NET)
    expect(["init", "net.vt", "--seed=3", "-o", "net.safetensors"], 0)


def check_stages():
    """The whole chain; the same bits of every compiler and number of threads."""
    said = expect(["verify", "net.vt", "--blas"], 0).stdout
    for stage in "loop interpreter", "C by gcc", "C by clang", "LLVM":
        check(re.search(stage + r" .*steps agree", said), stage, "agrees in", said)
    check("bits a BLAS's own" in said, "bits are the library's:", said)
    bits = set(re.findall(r"bits ([0-9a-f]{16})", said))
    check(len(bits) == 1, "one set of bits:", said)
    check(said.count("the same bits") == 3, "with two threads:", said)
    loops = expect(["dump", "net.vt", "--blas", "--stage=loops"], 0).stdout
    check(loops.count(" = product ") >= 6, "calls in the loops")
    plain = expect(["dump", "net.vt", "--blas", "--plain", "--stage=loops"], 0).stdout
    check(" = product " not in plain, "--plain calls nothing")


def check_programs():
    """Programs give what the network gives without; the header says what is called."""
    write("x.npy", npy())
    found = {}
    for name, args in {"own": [], "c": ["--blas"], "llvm": ["--blas", "--backend=llvm"]}.items():
        expect(["build", "net.vt", "-o", name, *args], 0)
        r = call("--raw=" + name + ".out", "--threads=2", "x.npy", program=path(name))
        check(r.returncode == 0, name, "runs:", r.stderr)
        found[name] = floats(read(name + ".out"))
    check(found["c"] == found["llvm"], "C and LLVM call alike")
    worst = max(abs(a - b) for a, b in zip(found["own"], found["c"]))
    check(worst < 1e-4 * max(map(abs, found["own"])), "as without:", worst)
    expect(["build", "net.vt", "--blas", "--emit=c", "-o", "sources"], 0)
    check(b"cblas_sgemm: link with OpenBLAS" in read("sources/reduced.h"), "the header says it")
    runtime = os.environ.get("VTC_RUNTIME", os.path.join(os.path.dirname(__file__), "../../runtime"))
    for compiler in "gcc", "clang":
        r = subprocess.run([compiler, "-std=c11", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                            "-march=x86-64-v4", "-I", runtime, "-c", path("sources/reduced.c"),
                            "-o", path("reduced.o")], capture_output=True, text=True)
        check(r.returncode == 0, compiler, "is silent:", r.stderr[:500])
    expect(["build", "net.vt", "--emit=c", "-o", "sources"], 0)
    check(b"cblas" not in read("sources/reduced.h") + read("sources/reduced.c"), "only if asked")


def check_refusals():
    expect(["build", "net.vt", "--blas", "--profile=embedded"], 2, "takes no '--blas'")
    expect(["build", "net.vt", "--blas", "--target=aarch64"], 2, "no OpenBLAS for --blas for")
    hidden = path("hidden")
    os.mkdir(hidden)
    write("hidden/pkg-config", "#!/bin/sh\nexit 1\n")
    os.chmod(path("hidden/pkg-config"), 0o755)
    none = dict(os.environ, PATH=hidden + ":" + os.environ["PATH"])
    for backend in "c", "llvm":
        for emit in "exe", "so":
            expect(["build", "net.vt", "--blas", "--emit=" + emit, "--backend=" + backend, "-o",
                    "nothing"], 3, "'libopenblas-dev'", env=none)
    check(not os.path.exists(path("nothing")), "nothing is written")
    expect(["build", "net.vt", "--blas", "--emit=obj", "-o", "net.o"], 0, env=none)


def npy():
    import struct
    head = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 64, 64), }"
    head += " " * (117 - len(head)) + "\n"
    data = [((i * 7919) % 1000) / 500 - 1 for i in range(3 * 64 * 64)]
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + \
        struct.pack("<%df" % len(data), *data)


def floats(data):
    import struct
    at = 10 + struct.unpack("<H", data[8:10])[0]
    return struct.unpack("<%df" % ((len(data) - at) // 4), data[at:])


prepare()
check_stages()
check_programs()
check_refusals()
finish()
