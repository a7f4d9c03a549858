"""Objects of the two back ends replace each other: the same header, symbols and record.

    test_objects.py VTC TOP
"""
import ctypes as ct
import os
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np

vtc, top = sys.argv[1:3]
HERE = os.path.dirname(os.path.abspath(__file__))
failures = 0


def check(condition, what):
    global failures
    failures += not condition
    print("ok  " if condition else "FAIL", what)


class Preprocess(ct.Structure):
    _fields_ = [(n, ct.c_int32) for n in ("resize_short", "resize_h", "resize_w", "filter",
                                          "crop_h", "crop_w", "order", "invert")]
    _fields_ += [("range", ct.c_float), ("mean", ct.c_float * 4), ("std", ct.c_float * 4)]


class Tensor(ct.Structure):
    _fields_ = [("name", ct.c_char_p), ("dtype", ct.c_int32), ("rank", ct.c_int32),
                ("dims", ct.c_int64 * 8), ("bytes", ct.c_uint64),
                ("preprocess", ct.POINTER(Preprocess)), ("labels", ct.POINTER(ct.c_char_p)),
                ("label_count", ct.c_int64)]


class Model(ct.Structure):
    _fields_ = [("abi_version", ct.c_uint32), ("align", ct.c_int32), ("name", ct.c_char_p),
                ("inputs", ct.POINTER(Tensor)), ("outputs", ct.POINTER(Tensor)),
                ("input_count", ct.c_int32), ("output_count", ct.c_int32),
                ("max_threads", ct.c_int32), ("step_count", ct.c_int32),
                ("step_names", ct.POINTER(ct.c_char_p)), ("workspace_bytes", ct.c_uint64),
                ("weights_bytes", ct.c_uint64), ("weights_hash", ct.c_uint64),
                ("weights", ct.c_void_p), ("run", ct.c_void_p), ("run_steps", ct.c_void_p)]


def plain(record):
    """A record without its pointers."""
    values = {}
    for name, kind in record._fields_:
        value = getattr(record, name)
        if isinstance(value, ct.Array):
            values[name] = list(value)
        elif not isinstance(value, ct._Pointer):
            values[name] = value
    return values


def tensor(t):
    seen = plain(t)
    seen["labels"] = [t.labels[i] for i in range(t.label_count)]
    seen["preprocess"] = plain(t.preprocess.contents) if t.preprocess else None
    return seen


def model_of(library, name):
    m = Model.in_dll(ct.CDLL(library), name + "_model")
    seen = plain(m)
    for pointer in ("weights", "run", "run_steps"):
        seen[pointer] = seen[pointer] is not None
    seen["inputs"] = [tensor(m.inputs[i]) for i in range(m.input_count)]
    seen["outputs"] = [tensor(m.outputs[i]) for i in range(m.output_count)]
    seen["steps"] = [m.step_names[i] for i in range(m.step_count)]
    seen["payload"] = ct.string_at(m.weights, m.weights_bytes)
    return seen


def symbols(library):
    out = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True,
                         text=True, check=True).stdout
    return sorted(line.split()[-1] for line in out.splitlines())


def same_library(model, name, folder, weights):
    seen = {}
    for backend in ("c", "llvm"):
        where = os.path.join(folder, backend)
        os.makedirs(where, exist_ok=True)
        library = os.path.join(where, f"lib{name}.so")
        subprocess.run([vtc, "build", model, "--emit=so", "--backend=" + backend, "-o", library,
                        *weights], check=True)
        with open(os.path.join(where, name + ".h")) as f:
            header = f.read()
        seen[backend] = header, symbols(library), model_of(library, name)
    for i, what in enumerate(("header", "symbols", "record and weights")):
        check(seen["c"][i] == seen["llvm"][i], f"{name}: the same {what}")
    check(len(seen["c"][2]["steps"]) > 3 and seen["c"][2]["inputs"][0]["rank"] == 4,
          f"{name}: the record tells something")


def test_texts(folder):
    """Assembly of both back ends and LLVM's text, assembled and linked by others."""
    want = None
    for backend, emit, tool in (("c", "asm", "gcc"), ("llvm", "asm", "gcc"),
                                ("llvm", "llvm", "clang-19")):
        where = os.path.join(folder, f"text_{backend}_{emit}")
        os.makedirs(where)
        text = os.path.join(where, "net." + {"asm": "s", "llvm": "ll"}[emit])
        subprocess.run([vtc, "build", f"{top}/models/vt_fashion.vt", "--backend=" + backend,
                        "--emit=" + emit, "-o", text], check=True)
        subprocess.run([tool, "-shared", "-fPIC", "-w", text, "vt_fashion_weights.S", "-o",
                        "libnet.so", "-lm"], check=True, cwd=where)
        seen = model_of(os.path.join(where, "libnet.so"), "vt_fashion")
        want = want or seen
        check(seen == want, f"{backend}: --emit={emit} links with its weights")


def raw_output(program, folder, emulator):
    subprocess.run(emulator + [program, "--raw=" + os.path.join(folder, "raw.npy"),
                               os.path.join(folder, "in.npy")], check=True, capture_output=True)
    return np.load(os.path.join(folder, "raw.npy"))


def test_foreign(folder):
    """Whole programs, with a runtime compiled for the other machine."""
    model = f"{top}/models/vt_fashion.vt"
    image = np.random.default_rng(2).normal(size=(1, 1, 28, 28)).astype(np.float32)
    np.save(os.path.join(folder, "in.npy"), image)
    here = os.path.join(folder, "here")
    subprocess.run([vtc, "build", model, "-o", here], check=True)
    want = raw_output(here, folder, [])
    for machine, backend in (("aarch64", "c"), ("s390x", "llvm")):
        if not shutil.which("qemu-" + machine) or not shutil.which(machine + "-linux-gnu-gcc"):
            print(f"skipped: {machine} (packages qemu-user, gcc-{machine}-linux-gnu)")
            continue
        program = os.path.join(folder, machine)
        subprocess.run([vtc, "build", model, "--target=" + machine, "--backend=" + backend, "-o",
                        program], check=True)
        got = raw_output(program, folder, ["qemu-" + machine, "-L", f"/usr/{machine}-linux-gnu"])
        check(np.allclose(got, want, atol=1e-4), f"{backend}: a program for {machine} runs there")


def main():
    folder = tempfile.mkdtemp()
    operators = os.path.join(folder, "operators.safetensors")
    source = os.path.join(HERE, "operators.vt")
    subprocess.run([vtc, "init", source, "--seed=3", "-o", operators], check=True)
    same_library(source, "operators", folder, ["--weights=" + operators])
    same_library(f"{top}/models/vt_fashion.vt", "vt_fashion", folder, [])
    test_texts(folder)
    test_foreign(folder)
    shutil.rmtree(folder)
    return failures != 0


sys.exit(main())
