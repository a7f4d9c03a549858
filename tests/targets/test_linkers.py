"""Tools that are missing, named with their package; and who links: the system's linker,
lld where there is none or on request, with a C compiler and without.

    test_linkers.py VTC TOP
"""
import os
import shutil
import subprocess
import sys
import tempfile

vtc, top = sys.argv[1:3]
LLD = "ld.lld-19"
SMALL, WEIGHTS = os.path.join(os.path.abspath(top), "tests/targets/small.vt"), []
failures = 0


def check(condition, what):
    global failures
    failures += not condition
    print("ok  " if condition else "FAIL", what)


def build_bare(folder, *options):
    """With nothing installed but what the folder has: it is the PATH. The search for leaks crashes in itself after
    one of these builds, LLVM's archive for wasm32: there alone it is left out."""
    archive = "--target=wasm32" in options and "--emit=lib" in options
    kept = {"ASAN_OPTIONS": "detect_leaks=0"} if archive else {}
    return subprocess.run([os.path.abspath(vtc), "build", SMALL, *WEIGHTS, *options],
                          capture_output=True, text=True, cwd=folder,
                          env={"PATH": folder, "TMPDIR": folder, **kept})


def install(folder, *tools):
    """A folder with these tools of this machine and no others."""
    os.makedirs(folder)
    for tool in tools:
        os.symlink(shutil.which(tool), os.path.join(folder, tool))
    return folder


def linker_of(path):
    """What the linker noted of itself; GNU's notes nothing."""
    notes = subprocess.run(["readelf", "-p", ".comment", path], capture_output=True, text=True,
                           check=True).stdout
    return "lld" if "Linker:" in notes and "LLD" in notes else "ld"


def check_runs(program, what):
    helps = subprocess.run([program, "--help"], capture_output=True)
    check(b"small" in helps.stdout, what + " runs")


def test_missing(folder):
    for emit in ("obj", "asm", "llvm"):
        out = os.path.join(folder, "bare." + emit)
        bare = build_bare(folder, "--backend=llvm", "--emit=" + emit, "-o", out)
        check(bare.returncode == 0 and os.path.getsize(out) > 10000,
              f"llvm writes {emit} without a compiler")
    for backend, emit, target, package in (
            ("c", "obj", "x86-64-v2", "gcc"), ("c", "obj", "aarch64", "gcc-aarch64-linux-gnu"),
            ("c", "obj", "riscv64-v", "clang-19"), ("c", "obj", "cortex-m7", "gcc-arm-none-eabi"),
            ("llvm", "lib", "x86-64-v2", "binutils"), ("llvm", "lib", "wasm32", "llvm-19"),
            ("llvm", "lib", "aarch64", "gcc-aarch64-linux-gnu"),
            ("llvm", "exe", "x86-64-v2", "binutils"), ("llvm", "so", "x86-64-v2", "lld-19"),
            ("llvm", "exe", "aarch64", "gcc-aarch64-linux-gnu"),
            ("llvm", "so", "aarch64", "lld-19")):
        bare = build_bare(folder, "--backend=" + backend, "--emit=" + emit, "--target=" + target,
                          "-o", "x")
        check(bare.returncode == 3 and f"'{package}" in bare.stderr,
              f"{target} by {backend}, {emit}, with no tools: exit 3 names {package}")
    bare = build_bare(folder, "--backend=llvm", "--linker=lld", "-o", "x")
    check(bare.returncode == 3 and "'lld-19'" in bare.stderr, "a wished lld that is not there")


def test_alone(folder, linker):
    """LLVM and a linker: no compiler."""
    tools = install(os.path.join(folder, "only-" + linker), linker)
    for emit in ("exe", "so"):
        out = os.path.join(tools, "bare." + emit)
        bare = build_bare(tools, "--backend=llvm", "--emit=" + emit, "--target=x86-64-v2", "-o",
                          out)
        check(bare.returncode == 0, f"llvm and {linker} alone make the {emit} {bare.stderr}")
    check_runs(os.path.join(tools, "bare.exe"), f"the program that {linker} alone made")
    if linker == LLD:
        out = os.path.join(tools, "foreign.so")
        bare = build_bare(tools, "--backend=llvm", "--emit=so", "--target=aarch64", "-o", out)
        check(bare.returncode == 0 and linker_of(out) == "lld",
              f"{linker} alone makes another machine's library {bare.stderr}")


def test_no_system_linker(folder):
    """A C compiler and lld: what that compiler would call is not there."""
    tools = install(os.path.join(folder, "no-ld"), "gcc", "as", LLD)
    for backend in ("c", "llvm"):
        out = os.path.join(tools, backend)
        bare = build_bare(tools, "--backend=" + backend, "-o", out)
        check(bare.returncode == 0 and linker_of(out) == "lld",
              f"{backend}: lld links where the system's linker is missing {bare.stderr}")
        check_runs(out, "what it links")


def test_wished(folder):
    """--linker: both back ends, this machine and others, every kind that is linked."""
    for target, emit, backend, linker in (
            ("x86-64-v2", "exe", "c", "lld"), ("x86-64-v2", "exe", "llvm", LLD),
            ("x86-64-v2", "so", "c", "lld"), ("x86-64-v2", "exe", "llvm", "ld"),
            ("x86-64-v2", "obj", "c", "lld"), ("aarch64", "exe", "c", "lld"),
            ("s390x", "so", "llvm", "lld"), ("riscv64-v", "exe", "llvm", "lld")):
        out = os.path.join(folder, "wished")
        made = subprocess.run([vtc, "build", SMALL, *WEIGHTS, "--emit=" + emit, "-o", out,
                               "--backend=" + backend, "--target=" + target,
                               "--linker=" + linker], capture_output=True, text=True)
        # An object that is linked again tells nothing of who made it.
        by = linker_of(out) if made.returncode == 0 and emit != "obj" else linker
        check(made.returncode == 0 and ("lld" in by) == ("lld" in linker),
              f"{target} by {backend}, {emit}: --linker={linker} {made.stderr}")
        if made.returncode == 0 and target == "x86-64-v2" and emit == "exe":
            check_runs(out, "it")


def main():
    folder = tempfile.mkdtemp()
    WEIGHTS.append("--weights=" + os.path.join(folder, "w.safetensors"))
    subprocess.run([vtc, "init", SMALL, "-o", WEIGHTS[0].split("=")[1]], check=True)
    test_missing(install(os.path.join(folder, "nothing")))
    if os.environ.get("VTC_SANITIZED"):
        print("skipped: a sanitized runtime is not linked by a linker alone, nor by lld")
    else:
        test_alone(folder, "ld")
        test_alone(folder, LLD)
        test_no_system_linker(folder)
        test_wished(folder)
    shutil.rmtree(folder)
    return failures != 0


sys.exit(main())
