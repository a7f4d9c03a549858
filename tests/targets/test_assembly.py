"""The inner loops of products, as each compiler leaves them: sums stay in registers.

    test_assembly.py VTC MODELS SCRATCH

Reads the assembly of gcc, clang and LLVM for AVX-512 and AVX2. An innermost loop with
many multiply-adds and no other arithmetic is a product's (one that also adds or
multiplies transforms tiles). In it all of them have the full width of a register,
every weight is loaded once for many, and at most one sum goes to the stack and back,
once for all unrolled steps. Whole networks are read for that too: what a compiler spills,
or reads again for each row, depends on all that a kernel holds. Of other inner loops
(windows of narrow groups, polynomials of exp) a part may go to the stack, as clang does
with their weights and constants: what is read again, not sums.
"""
import os
import re
import shutil
import subprocess
import sys

vtc, models, scratch = (os.path.abspath(a) for a in sys.argv[1:4])
runtime = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "runtime")
failed = skipped = 0

# One layer of each kind. First: stem, both strides by Winograd, long and short products,
# few places with wide weights. Then groups (depthwise, narrow, wide), and a visual
# transformer: scores, softmax, tokens, products of tokens, of a vector and of eight.
NETS = {"maps": """
model maps(image: f32[1, 3, 112, 112]) {
    stem: x = relu(conv2d(image, out = 64, kernel = 7, stride = 2, pad = 3))
    same: x = relu(conv2d(x, out = 64, kernel = 3, pad = 1))
    half: x = relu(conv2d(x, out = 128, kernel = 3, stride = 2, pad = 1))
    wide: x = relu(conv2d(x, out = 512, kernel = 1))
    long: x = relu(conv2d(x, out = 128, kernel = 1, stride = 2))
    deep: y = relu(conv2d(x, out = 256, kernel = 3, stride = 2, pad = 1))
    add:  z = y + conv2d(y, out = 256, kernel = 1)
    output z
}
""", "tokens": """
model tokens(image: f32[1, 64, 28, 28]) {
    depth: x = relu(conv2d(image, out = 64, kernel = 3, pad = 1, groups = 64))
    few: x = relu(conv2d(x, out = 64, kernel = 3, pad = 1, groups = 16))
    wide: x = relu(conv2d(x, out = 64, kernel = 3, pad = 1, groups = 2))
    score: s = conv2d(x, out = 16, kernel = 1)
    a = softmax(flatten(s, axis = 2), axis = 2)
    value: v = conv2d(x, out = 64, kernel = 1, groups = 4)
    token: t = conv1d(matmul(flatten(v, axis = 2), a, transpose_b = true), out = 256)
    key: k = conv1d(t, out = 64)
    query: q = conv2d(x, out = 64, kernel = 1)
    b = softmax(matmul(flatten(q, axis = 2), k, transpose_a = true), axis = 2)
    back: w = conv1d(t, out = 64)
    x = x + reshape(matmul(w, b, transpose_b = true), shape = x.shape)
    fc: y = linear(mean(x, axis = [2, 3]), out = 100)
    eight: z = conv1d(reshape(t, shape = [1, 512, 8]), out = 96)
    output y
    output z
}
"""}
FLAGS = ["-std=c11", "-O2", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]
# Its flags, the name of a full register, multiply-adds that make a loop a product's,
# loads for each of them: in a whole tile (6x4: 10 for 24; 4x3: 7 for 12), and at edges.
TARGETS = {"x86-64-v4": (["-march=x86-64-v4", "-mprefer-vector-width=512"], "zmm", 40,
                         10 / 24, 0.8),
           "x86-64-v3": (["-march=x86-64-v3"], "ymm", 32, 7 / 12, 1.2)}
MOST_SPILLS = 2       # one sum, stored and loaded
MOST_AGAIN = 1 / 8    # of the multiply-adds, where sums and weights fill the registers
WHOLE = ["resnet50", "vt_resnet18"]
FEWEST_OTHER = 8      # multiply-adds of another loop that is looked at
MOST_OTHER = {"map": 2 / 3, "": 1 / 4}  # by kind of kernel: maps hold exp's polynomials
LEAST_LOOPS, LEAST_WHOLE = 8, 3


def check(good, text):
    global failed
    print("ok  " if good else "FAIL", text)
    failed += not good


def innermost_loops(lines):
    """(function, its lines), from a label to the jump back to it."""
    function, labels, loops = "", {}, []
    for i, line in enumerate(lines):
        name = re.match(r"([A-Za-z_]\w*):", line)
        label = re.match(r"(\.L\w+):", line)
        jump = re.match(r"\s+j\w+\s+(\.L\w+)", line)
        function = name[1] if name else function
        if label:
            labels[label[1]] = i
        if jump and jump[1] in labels:
            loops.append((function, labels[jump[1]], i))
    return [(f, lines[a:b + 1]) for f, a, b in loops
            if not any(a <= c and d <= b and (c, d) != (a, b) for _, c, d in loops)]


def is_transform(body):
    return any(re.match(r"\s+v(add|sub|mul)p[sd]\s", l) for l in body)


def loads_of(body):
    return sum(bool(re.match(r"\s+(vmov[au]p[sd]|vbroadcastss)\s+[^%]", l)) for l in body)


def read_again(body):
    """How often a multiply-add takes a vector from where another took it."""
    places = [re.search(r"[-\w]*\([^)]*\)(?!\{)", l) for l in body if "vfmadd" in l]
    places = [p[0] for p in places if p]
    return len(places) - len(set(places))


def read_other(function, body, fma, register, what):
    if len(fma) < FEWEST_OTHER or register not in "".join(fma):
        return
    kind = function.rsplit("_", 1)[-1]
    spills = sum("(%rsp)" in l and register in l for l in body)
    check(spills <= MOST_OTHER.get(kind, MOST_OTHER[""]) * len(fma),
          "%s, %s (%d multiply-adds): %d go to the stack" % (what, function, len(fma), spills))


def read_assembly(text, target, what):
    """In networks with groups, a loop that loads more than it multiplies is theirs."""
    _, register, fewest, whole_loads, most_loads = TARGETS[target]
    found = whole = 0
    for function, body in innermost_loops(text.splitlines()):
        fma = [l for l in body if "vfmadd" in l]
        adds = is_transform(body)
        loads = loads_of(body)
        product = len(fma) >= fewest and (loads <= len(fma) or what.startswith("maps"))
        if not product and (not adds or function.endswith("_map")):
            read_other(function, body, fma, register, what)
        if not product or adds:
            continue
        found += 1
        name = "%s, %s (%d multiply-adds)" % (what, function, len(fma))
        narrow = [l for l in fma if register not in l]
        check(not narrow, name + ": full width" + "".join(narrow[:1]))
        spills = sum("(%rsp)" in l and register in l for l in body)
        check(spills <= MOST_SPILLS, name + ": %d go to the stack" % spills)
        check(loads <= most_loads * len(fma), name + ": %d loads" % loads)
        whole += loads - spills <= whole_loads * len(fma)
    check(found >= LEAST_LOOPS and whole >= LEAST_WHOLE,
          "%s: %d loops of products, %d of whole tiles" % (what, found, whole))


def run(*args):
    done = subprocess.run(args, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout, done.stderr)
        sys.exit("%s: exit code %d" % (" ".join(args), done.returncode))


def read(path):
    with open(path) as f:
        return f.read()


def read_network(net, target, flags):
    global skipped
    folder, what = target + "_" + net + os.sep, "%s for %s" % (net, target)
    os.mkdir(folder)
    run(vtc, "build", net + ".vt", "--target=" + target, "--emit=c", "-o", folder)
    for compiler in ("gcc", "clang"):
        if not shutil.which(compiler):
            skipped += 1
            print("skipped: %s is not installed" % compiler)
            continue
        run(compiler, *FLAGS, *flags, "-I", runtime, "-S", "-o", "net.s", folder + net + ".c")
        read_assembly(read("net.s"), target, what + " by " + compiler)
    done = subprocess.run([vtc, "build", net + ".vt", "--target=" + target, "--emit=asm",
                           "--backend=llvm", "-o", "llvm.s"], capture_output=True, text=True)
    if done.returncode == 3:
        skipped += 1
        print("skipped: " + done.stderr.strip())
        return
    check(done.returncode == 0, "LLVM writes assembly " + done.stderr)
    read_assembly(read("llvm.s"), target, what + " by LLVM")


def read_whole(net, target):
    flags, register, fewest, *_ = TARGETS[target]
    folder = target + "_" + net + os.sep
    os.mkdir(folder)
    run(vtc, "build", os.path.join(models, net + ".vt"), "--weights=" + net + ".safetensors",
        "--target=" + target, "--emit=c", "-o", folder)
    run("gcc", *FLAGS, *flags, "-I", runtime, "-S", "-o", "net.s", folder + net + ".c")
    loops = spilled = seen = repeated = 0
    for function, body in innermost_loops(read("net.s").splitlines()):
        fma = sum("vfmadd" in l and register in l for l in body)
        if fma < FEWEST_OTHER:
            continue
        seen += 1
        again = 0 if is_transform(body) else read_again(body)
        if again > MOST_AGAIN * fma:
            print("%s (%d multiply-adds): %d vectors are read again" % (function, fma, again))
            repeated += 1
        if fma < fewest:
            continue
        loops += 1
        spills = sum("(%rsp)" in l and register in l for l in body)
        spilled += spills > MOST_SPILLS
        if spills > MOST_SPILLS:
            print("%s: %d go to the stack" % (function, spills))
    check(loops >= LEAST_LOOPS and not spilled and not repeated,
          "%s for %s by gcc: %d of %d loops of products spill, %d of %d read vectors again" %
          (net, target, spilled, loops, repeated, seen))


def read_all_of(net):
    global skipped
    if not shutil.which("gcc"):
        skipped += 1
        print("skipped: gcc is not installed")
        return
    run(vtc, "init", os.path.join(models, net + ".vt"), "--seed=1", "-o", net + ".safetensors")
    for target in TARGETS:
        read_whole(net, target)


def main():
    shutil.rmtree(scratch, ignore_errors=True)
    os.makedirs(scratch)
    os.chdir(scratch)
    for net, text in NETS.items():
        with open(net + ".vt", "w") as f:
            f.write(text)
        run(vtc, "init", net + ".vt", "--seed=1", "-o", net + ".safetensors")
        for target, (flags, *_) in TARGETS.items():
            read_network(net, target, flags)
    for net in WHOLE:
        read_all_of(net)
    print("%d skipped, %d failed" % (skipped, failed))
    sys.exit(failed != 0)


main()
