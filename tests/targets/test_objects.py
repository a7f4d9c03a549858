"""Objects of the two back ends replace each other: the same header, symbols and
record; and what is missing in the environment is named.

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


def build_bare(folder, *options):
    """With nothing installed: an empty PATH. The search for leaks crashes in itself after
    one of these builds, LLVM's archive for wasm32: there alone it is left out."""
    archive = "--target=wasm32" in options and "--emit=lib" in options
    kept = {"ASAN_OPTIONS": "detect_leaks=0"} if archive else {}
    return subprocess.run([os.path.abspath(vtc), "build", f"{top}/models/vt_fashion.vt", *options],
                          capture_output=True, text=True, cwd=folder,
                          env={"PATH": folder, "TMPDIR": folder, **kept})


def check_ld_alone(folder):
    for emit in ("exe", "so"):
        out = os.path.join(folder, "bare." + emit)
        bare = build_bare(folder, "--backend=llvm", "--emit=" + emit, "--target=x86-64-v2", "-o",
                          out)
        check(bare.returncode == 0, f"llvm and ld alone make the {emit} {bare.stderr}")
    helps = subprocess.run([os.path.join(folder, "bare.exe"), "--help"], capture_output=True)
    check(b"vt_fashion" in helps.stdout, "the program that ld alone made runs")


def test_bare(folder):
    for emit in ("obj", "asm", "llvm"):
        out = os.path.join(folder, "bare." + emit)
        bare = build_bare(folder, "--backend=llvm", "--emit=" + emit, "-o", out)
        check(bare.returncode == 0 and os.path.getsize(out) > 10000,
              f"llvm writes {emit} without a compiler")
    for target, package in (("x86-64-v2", "gcc"), ("aarch64", "gcc-aarch64-linux-gnu"),
                            ("riscv64-v", "clang-19"), ("cortex-m7", "gcc-arm-none-eabi")):
        bare = build_bare(folder, "--backend=c", "--emit=obj", "--target=" + target, "-o", "x.o")
        check(bare.returncode == 3 and package in bare.stderr,
              f"a missing compiler for {target} is exit 3 and names {package}")
    for target, package in (("x86-64-v2", "binutils"), ("aarch64", "gcc-aarch64-linux-gnu"),
                            ("wasm32", "llvm-19")):
        bare = build_bare(folder, "--backend=llvm", "--emit=lib", "--target=" + target, "-o", "x.a")
        check(bare.returncode == 3 and f"'{package}" in bare.stderr,
              f"a missing archiver for {target} is exit 3 and names {package}")
    for target, package in (("x86-64-v2", "gcc"), ("aarch64", "gcc-aarch64-linux-gnu")):
        bare = build_bare(folder, "--backend=llvm", "--target=" + target, "-o", "x")
        check(bare.returncode == 3 and package in bare.stderr,
              f"a missing linker for {target} is exit 3 and names {package}")
    os.symlink(shutil.which("ld"), os.path.join(folder, "ld"))
    if os.environ.get("VTC_SANITIZED"):
        print("skipped: a sanitized runtime is not linked by ld alone")
    else:
        check_ld_alone(folder)
    refused = build_bare(folder, "--target=cortex-m7", "-o", "x")
    check(refused.returncode == 1 and "no system" in refused.stderr,
          "no program for a machine without a system")


def expected_places(model, folder):
    """Of each step's function the place in the model that the C back end notes."""
    subprocess.run([vtc, "build", model, "--emit=c", "-o", folder], check=True)
    with open(os.path.join(folder, "vt_fashion.c")) as f:
        return re.findall(r"^/\* .*  (\S+):(\d+) \*/\nstatic void (step_\w+)", f.read(), re.M)


def places(program):
    """Of each function of a step or kernel the files and lines that debuggers see at
    its start and at some places inside, from the innermost inlined function outwards."""
    names = subprocess.run(["nm", "-S", program], capture_output=True, text=True,
                           check=True).stdout
    found = re.findall(r"^(\w+) (\w+) t ((?:step|k\d+)_\w+)", names, re.M)
    seen = {}
    for start, size, name in found:
        first, n = int(start, 16), int(size, 16)
        inside = [hex(first + n * i // 16) for i in range(16)]
        out = subprocess.run(["addr2line", "-a", "-i", "-e", program] + inside, check=True,
                             text=True, capture_output=True).stdout
        seen[name] = [place.split() for place in re.split(r"^0x\w+\n", out, flags=re.M)[1:]]
    return seen


def in_model(places_of_kernel):
    """Are nearly all of its instructions, or what they were inlined into, of the model's
    text? A compiler may move some to where two lines meet."""
    FEWEST = 12  # of 16
    outermost = [[p for p in place if ":" in p][-1] for place in places_of_kernel]
    return sum(".vt:" in place for place in outermost) >= FEWEST


def test_debug(folder):
    model = f"{top}/models/vt_fashion.vt"
    expected = expected_places(model, folder)
    for backend in ("c", "llvm"):
        program, again = (os.path.join(folder, n + backend) for n in ("one", "two"))
        for out in (program, again):
            subprocess.run([vtc, "build", model, "-g", "--backend=" + backend, "-o", out],
                           check=True)
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
    test_bare(folder)
    test_debug(folder)
    test_foreign(folder)
    shutil.rmtree(folder)
    return failures != 0


sys.exit(main())
