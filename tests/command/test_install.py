"""vtc away from where it was built: `cmake --install`, then the prefix moved; and the
runtime's sources alone, in a folder of their own.

    test_install.py VTC MODELS
"""
import os
import re
import shutil

from harness import (call, check, copy, expect, finish, here, models, path, read, skip, slow,
                     tree, vtc, write)

root, build = os.path.dirname(models), os.path.dirname(vtc)
FLAGS = ["-fsanitize=address,undefined"] if slow else []


def run(*args):
    r = call(*args[1:], program=args[0])
    check(r.returncode == 0, " ".join(args), "exit", r.returncode, r.stdout[-600:], r.stderr[-600:])
    return r.stdout


def check_installed():
    """Moved, it takes its parts from its own prefix and makes the same program."""
    run("cmake", "--install", build, "--prefix", path("prefix"))
    os.rename(path("prefix"), path("moved"))
    moved = path("moved/bin/vtc")
    r = expect(["build", "small.vt", "-o", "there", "--verbose"], 0, program=moved)
    words = r.stderr.split()
    own = [w for w in words if w.startswith(path("moved")) and w.endswith("libvtcrt.a")]
    check(own, "its own runtime library:", r.stderr[-400:])
    includes = [words[i + 1] for i, w in enumerate(words) if w == "-I"]
    check(not [i for i in includes if i.startswith((root, build))], "nothing of the tree:", includes)
    expect(["build", "small.vt", "-o", "here"], 0)
    check(read("there") == read("here"), "the same program")
    if os.path.exists(path("moved/lib/vtc/vtc_llvm.so")):
        expect(["build", "small.vt", "--emit=llvm", "-o", "out.ll"], 0, program=moved)
    else:
        skip("the installed LLVM part: this vtc was built without LLVM")


def check_engine():
    """The script that runs ONNX Runtime is the prefix's own; the Python here only tells it."""
    python = path(write("python", '#!/bin/sh\necho "$1" > asked\nexit 42\n'))
    os.chmod(python, 0o755)
    call("verify", "small.vt", "--with=onnxruntime", program=path("moved/bin/vtc"),
         env=dict(os.environ, VTC_ONNXRUNTIME_PYTHON=python))
    asked = os.path.realpath(read("asked").decode().strip())
    check(asked == os.path.realpath(path("moved/lib/vtc/onnxruntime_run.py")), "its script:", asked)


def check_runtime_alone():
    """Its folder builds by its own CMakeLists.txt with nothing around it, and a network in C
    is linked with what comes out."""
    shutil.copytree(root + "/runtime", path("alone"))
    options = ["-DCMAKE_BUILD_TYPE=Debug"] + (["-DVTC_SANITIZE=ON"] if slow else [])
    run("cmake", "-S", "alone", "-B", "out", *options)
    run("cmake", "--build", "out", "-j2")
    check("libvtcrt.a" in tree(path("out")), "the library")
    expect(["build", "small.vt", "--emit=c", "-o", "sources"], 0)
    write("main.c", '#include "small.h"\n#include "program.h"\n'
                    "const VtcModel *const vtc_main_model = &small_model;\n")
    shutil.copy(path("sources/small.weights"), path("small.weights"))
    target = re.search(r"network for ([\w-]+)", read("sources/small.h").decode()).group(1)
    march = ["-march=" + target] if target.startswith("x86-64") else []
    run("gcc", "-std=c11", "-O1", "-w", *march, *FLAGS, "-Isources", "-Ialone", "main.c",
        "sources/small.c", "sources/small_weights.S", "out/libvtcrt.a", "-lpthread", "-lm",
        "-o", "program")
    check("input image f32 1x3x64x64" in run(path("program"), "--info"), "a program of both")


copy(here + "/report/small.vt", "small.vt")
expect(["init", "small.vt", "-o", "small.safetensors"], 0)
check_installed()
check_engine()
check_runtime_alone()
finish()
