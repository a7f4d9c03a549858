"""Several processor levels in one program: on older processors (emulated) the right one
is chosen, never an illegal instruction, and all read the same weights.

    test_levels.py VTC TOP
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np

vtc, top = sys.argv[1:3]
model = os.path.join(top, "models/vt_fashion.vt")
QEMU = "qemu-x86_64"
# A processor of each level and, last, one that is older than all.
PROCESSORS = ["Nehalem", "Haswell"]
TOO_OLD = "core2duo"
failures = 0

# A stem by minimal correlations, Winograd of both strides, 1x1, windows, a classifier:
# each way of packing weights. Channels that panels of 24, 48 and 64 divide.
EVERY_WAY = """
model ways(image: f32[1, 3, 28, 28]) {
    stem: x = relu(conv2d(image, out = 192, kernel = 7, stride = 2, pad = 3))
    same: x = relu(conv2d(x, out = 192, kernel = 3, pad = 1))
    half: x = relu(conv2d(x, out = 192, kernel = 3, stride = 2, pad = 1))
    wide: x = relu(conv2d(x, out = 192, kernel = 1))
    deep: x = relu(conv2d(x, out = 192, kernel = 3, groups = 192, pad = 1))
    five: x = relu(conv2d(x, out = 192, kernel = 5, groups = 4, pad = 2))
    fc:   y = linear(mean(x, axis = [2, 3]), out = 192)
    output y
}
"""


def check(condition, what):
    global failures
    failures += not condition
    print("ok  " if condition else "FAIL", what)


def build(out, *options):
    subprocess.run([vtc, "build", model, "-o", out, *options], check=True)
    return os.path.getsize(out)


def run(program, folder, processor=None):
    """Bits of the outputs and the exit code."""
    raw = os.path.join(folder, "out.npy")
    emulator = [QEMU, "-cpu", processor] if processor else []
    result = subprocess.run(emulator + [program, "--raw=" + raw,
                                        os.path.join(folder, "in.npy")], capture_output=True)
    values = np.load(raw) if result.returncode == 0 else None
    return result.returncode, values


def test_backend(backend, folder):
    several, single = (os.path.join(folder, f"{n}_{backend}") for n in ("several", "single"))
    size = build(several, "--cpu=v2,v3,v4", "--backend=" + backend)
    alone = build(single, "--cpu=v4", "--backend=" + backend)
    check(size < 1.1 * alone, f"{backend}: three levels take {size / alone:.2f} of one's size")
    outputs = {}
    for processor in PROCESSORS + [None]:
        code, outputs[processor] = run(several, folder, processor)
        check(code == 0, f"{backend}: runs on {processor or 'this machine'}")
    code, _ = run(several, folder, TOO_OLD)
    check(code == 3, f"{backend}: refuses {TOO_OLD} with exit {code}")
    code, _ = run(single, folder, PROCESSORS[0])
    check(code != 0, f"{backend}: one level alone does not run on {PROCESSORS[0]}")
    return outputs


def test_sources(folder):
    """--emit=c: every file compiled as its first lines say."""
    where, objects = os.path.join(folder, "sources"), []
    os.makedirs(where)
    subprocess.run([vtc, "build", model, "--cpu=v3,v2", "--emit=c", "-o", where], check=True)
    runtime = os.path.join(top, "runtime")
    here = os.path.dirname(os.path.abspath(__file__))
    for name in sorted(n for n in os.listdir(where) if n[-2:] in (".c", ".S")):
        with open(os.path.join(where, name)) as f:
            flags = re.findall(r"^ \*     (-std.*?) *\*/$", f.read(2000), re.M)
        objects.append(name + ".o")
        subprocess.run(["gcc", *(flags[0].split() if flags else []), "-Wall", "-Wextra", "-Werror",
                        "-I" + runtime, "-c", name, "-o", objects[-1]], check=True, cwd=where)
    subprocess.run(["gcc", "-DMODEL=vt_fashion_model", "-I" + runtime, here + "/harness.c",
                    here + "/machine_hosted.c", *objects, "-o", "net", "-lm"], check=True, cwd=where)
    image = np.load(os.path.join(folder, "in.npy")).tobytes()
    given = [subprocess.run(emulator + [os.path.join(where, "net")], input=image, check=True,
                            capture_output=True).stdout
             for emulator in ([QEMU, "-cpu", "Nehalem"], [QEMU, "-cpu", "Haswell"], [])]
    check(len(objects) == 4 and len(given[0]) == 40 and given[1] == given[2],
          f"{len(objects)} sources compile and run")
    old, new = (np.frombuffer(g, np.float32) for g in given[:2])
    check(np.allclose(old, new, atol=1e-4) and given[0] != given[1], "each level is itself")


def test_every_way(folder):
    """However weights are packed, levels read the same ones: the newest gives the bits
    that it gives alone, the others the same but for rounding."""
    source, raw, given = (os.path.join(folder, n) for n in ("ways.vt", "ways.npy", "given.npy"))
    image = np.random.default_rng(6).normal(size=(1, 3, 28, 28)).astype(np.float32)
    np.save(given, image)
    with open(source, "w") as f:
        f.write(EVERY_WAY)
    subprocess.run([vtc, "init", source, "--seed=5", "-o", folder + "/ways.safetensors"], check=True)
    bits, sizes = {}, {}
    for levels in ("v3", "v2,v3", "v3,v4", "v2,v3,v4"):
        out = os.path.join(folder, "ways")
        subprocess.run([vtc, "build", source, "--backend=llvm", "--cpu=" + levels, "-o", out],
                       check=True)
        sizes[levels] = os.path.getsize(out)
        for processor in PROCESSORS if levels == "v2,v3" else ["Haswell"]:
            subprocess.run([QEMU, "-cpu", processor, out, "--raw=" + raw, given], check=True,
                           capture_output=True)
            bits[levels, processor] = np.load(raw)
    want = bits["v3", "Haswell"]
    for (levels, processor), got in bits.items():
        check(np.abs(got - want).max() < 1e-4 * np.abs(want).max(),
              f"{levels}: {processor} computes the network")
    check(same(bits["v2,v3", "Haswell"], want), "the newest level's bits are those of it alone")
    check(max(sizes.values()) < 1.15 * sizes["v3"], f"one set of weights for all: {sizes}")


def same(a, b):
    return a is not None and b is not None and a.tobytes() == b.tobytes()


def main():
    if not shutil.which(QEMU):
        print("skipped: qemu-x86_64 (package qemu-user)")
        return 77
    folder = tempfile.mkdtemp()
    image = np.random.default_rng(5).normal(size=(1, 1, 28, 28)).astype(np.float32)
    np.save(os.path.join(folder, "in.npy"), image)
    c, llvm = test_backend("c", folder), test_backend("llvm", folder)
    for processor, values in c.items():
        check(same(values, llvm[processor]), f"c = llvm on {processor or 'this machine'}")
        close = values is not None and np.allclose(values, c[PROCESSORS[0]], atol=1e-4)
        check(close, f"the levels agree on {processor or 'this machine'}")
    test_sources(folder)
    test_every_way(folder)
    shutil.rmtree(folder)
    return failures != 0


sys.exit(main())
