"""The programs of docs/embedding.md: two networks in one C and in one C++ program, from
archives, shared libraries and objects; no allocation in a run; no system under one.

    test_embedding.py VTC TOP RUNTIME_LIBRARY [FLAG...]

The flags are those of a sanitized runtime.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

vtc, top, library = [os.path.abspath(path) for path in sys.argv[1:4]]
flags = sys.argv[4:]
here = os.path.dirname(os.path.abspath(__file__))
work = tempfile.mkdtemp(prefix="vtc_embedding_")
failures = checks = 0
skipped = []
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
NETWORKS = ["colors", "tokens"]
LIBRARIES = {"lib": "lib%s.a", "so": "lib%s.so", "obj": "%s.o"}


def check(good, *what):
    global failures, checks
    checks += 1
    if not good:
        failures += 1
        print("FAIL", *what)


def run(*args, **more):
    r = subprocess.run(args, cwd=work, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       encoding="utf-8", errors="replace", **more)
    check(r.returncode == 0, " ".join(args), "exit", r.returncode, r.stderr[-800:])
    return r.stdout


def build(emit, *options):
    """Both networks into a folder; the files to link."""
    folder = os.path.join(work, emit)
    os.makedirs(folder, exist_ok=True)
    files = []
    for name in NETWORKS:
        out = os.path.join(folder, LIBRARIES[emit] % name) if emit in LIBRARIES else folder
        run(vtc, "build", here + "/%s.vt" % name, "--weights=%s.safetensors" % name,
            "--emit=" + emit, "-o", out, *options)
        files.append(out)
    return folder, files


def compile_program(compiler, source, folder, files, *more):
    program = os.path.join(folder, os.path.basename(source).replace(".", "_") + "_" + compiler)
    standard = "-std=c++11" if source.endswith("pp") else "-std=c11"
    run(compiler, standard, "-O1", *WARNINGS, "-I" + folder, "-I" + top + "/runtime",
        os.path.join(here, source), *files, library, *flags, *more, "-Wl,-rpath," + folder,
        "-lpthread", "-lm", "-o", program)
    return program


def values(text):
    return {line.split()[0]: [float.fromhex(x) for x in line.split()[1:]]
            for line in text.splitlines()}


def check_values(text):
    got = values(text)
    check([len(got.get(n, [])) for n in ("logits", "attention", "tokens")] == [5, 576, 24],
          "as many values as the networks have", text[:200])
    rows = [sum(got["attention"][i * 144:i * 144 + 144]) for i in range(4)]
    check(all(abs(row - 1) < 1e-5 for row in rows), "attention is a softmax", rows)
    check(len(set(got["logits"])) == 5, "logits differ", got["logits"])


def check_linked():
    """Every kind of file, by both languages' compilers: the same bits."""
    want = None
    for emit in LIBRARIES:
        folder, files = build(emit)
        for compiler, source in ("gcc", "two.c"), ("clang", "two.c"), ("g++", "two.cpp"), \
                ("clang++", "two.cpp"):
            if not shutil.which(compiler) or (flags and compiler.startswith("clang")):
                skipped.append("%s with %s" % (compiler, emit))
                continue
            out = run(compile_program(compiler, source, folder, files))
            want = want or out
            check(out == want, source, compiler, emit, "has other results")
    check_values(want)
    return want


def check_allocations():
    if flags:
        return skipped.append("counted allocations: a sanitizer has its own malloc")
    folder, files = os.path.join(work, "lib"), [os.path.join(work, "lib", "lib%s.a" % n)
                                                for n in NETWORKS]
    program = compile_program("gcc", "counted.c", folder, files, "-ldl",
                              "-Wno-error=missing-prototypes")
    said = run(program)
    print("allocations:", said.strip())
    check(re.match(r"[1-9]\d* before; in runs: 0 alone, 0 by a pool, 0 by another", said), said)


# What a freestanding gcc may ask for, and what docs/embedding.md names.
ALLOWED = {"memcpy", "memset", "memmove", "memcmp", "floorf", "sqrtf"}


def check_free(want):
    """-ffreestanding, no runtime library: the same bits, and nothing asked for but a few
    functions of plain C."""
    target = re.search(r"compiled network for ([\w-]+)", header("lib")).group(1)
    folder, _ = build("c")
    objects = []
    run_flags = ["-std=c11", "-O2", "-ffreestanding", "-ffp-contract=off", "-I" + top + "/runtime"]
    if target.startswith("x86-64-"):
        run_flags.append("-march=" + target)
    for name in NETWORKS:
        for source in name + ".c", name + "_weights.S":
            compile_in(folder, run_flags, source)
        needs = set(re.findall(r" U (\w+)", run("nm", "-u", folder + "/%s.o" % name)))
        check(needs <= ALLOWED | {name + "_weights"}, name, "asks for", needs - ALLOWED)
        objects += [folder + "/%s.o" % name, folder + "/%s_weights.o" % name]
    program = os.path.join(folder, "free")
    run("gcc", "-std=c11", *WARNINGS, "-I" + folder, "-I" + top + "/runtime", here + "/free.c",
        *objects, "-lm", "-o", program)
    check(run(program) == want, "freestanding code has other results")


def header(emit):
    with open(os.path.join(work, emit, "colors.h")) as f:
        return f.read()


def compile_in(folder, options, source):
    r = subprocess.run(["gcc", *options, "-c", source], cwd=folder, stderr=subprocess.PIPE,
                       encoding="utf-8")
    check(r.returncode == 0, source, r.stderr)


def check_statuses():
    """What a wrong call of a network returns: the statuses that the document names."""
    source = os.path.join(work, "wrong.c")
    with open(source, "w") as f:
        f.write(WRONG)
    folder = os.path.join(work, "lib")
    run("gcc", "-std=c11", "-I" + folder, "-I" + top + "/runtime", source, folder + "/libcolors.a",
        "-lm", "-o", source[:-2])
    check(run(source[:-2]).split() == ["1", "1", "2", "2", "3", "3", "0"], run(source[:-2]))


WRONG = """
#include "colors.h"
#include <stdio.h>
static _Alignas(64) unsigned char space[COLORS_WORKSPACE_BYTES + 64];
static float image[768], logits[5];
static void never(void *s, VtcTask *t, void *c, int n) { (void)s, (void)t, (void)c, (void)n; }
int main(void)
{
    VtcExecutor none = {0, 0, never}, many = {COLORS_MAX_THREADS + 1, 0, never};
    printf("%d ", colors_run(NULL, image, logits, space, NULL));
    printf("%d ", colors_run(colors_weights, image, logits, NULL, NULL));
    printf("%d ", colors_run(colors_weights + 1, image, logits, space, NULL));
    printf("%d ", colors_run(colors_weights, image, logits, space + 4, NULL));
    printf("%d ", colors_run(colors_weights, image, logits, space, &none));
    printf("%d ", colors_run(colors_weights, image, logits, space, &many));
    printf("%d\\n", colors_run(colors_weights, image, logits, space, NULL));
}
"""


def check_document():
    """Every listing of the document is in the program that is tested here."""
    with open(top + "/docs/embedding.md") as f:
        text = f.read()
    listings = re.findall(r"^```(c|cpp)\n(.*?)^```", text, re.M | re.S)
    check(len(listings) >= 2, "listings:", len(listings))
    for kind, listing in listings:
        with open(here + "/two." + kind) as f:
            check(listing in f.read(), "not in two." + kind + ":", listing)


for network in NETWORKS:
    run(vtc, "init", here + "/%s.vt" % network, "-o", network + ".safetensors")
bits = check_linked()
check_allocations()
check_free(bits)
check_statuses()
check_document()
shutil.rmtree(work)
print("%d checks, %d failed, %d skipped" % (checks, failures, len(skipped)))
for what in skipped:
    print("skipped:", what)
sys.exit(failures > 0)
