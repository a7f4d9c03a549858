"""What the environment may do: no compiler, no room on the disk, no permission, signals, a
part of vtc that is missing. Exit code 3, an old file kept, nothing half-written left.

    test_environment.py VTC MODELS
"""
import ctypes
import os
import resource
import shutil
import signal
import subprocess
import time

import torch

from harness import (call, check, copy, expect, finish, models, path, read, skip, slow,
                     tree, vtc, work, write)

OLD = b"what was there before"
# Little to compile, and more weights than a full disk holds; then so many that writing
# them takes a while.
SMALL = """model small(image: f32[1, 3, 8, 8]) {
    fc: y = linear(reshape(image, shape = [1, 192]), out = 64)
    output y
}
"""
LARGE = SMALL.replace("small", "large").replace("64)", "100000)")
EMITS = ["exe", "obj", "lib", "so", "asm"]


def prepare():
    write("small.vt", SMALL)
    expect(["init", "small.vt", "-o", "small.safetensors"], 0)
    expect(["build", "small.vt", "--emit=onnx", "-o", "source.onnx"], 0)
    torch.save({"fc.weight": torch.ones(64, 192), "fc.bias": torch.ones(64)}, path("source.pth"))
    os.mkdir(path("temporary"))
    os.mkdir(path("empty"))
    os.environ["TMPDIR"] = path("temporary")


def nothing_left(what, before):
    check(tree() == before, what, "left", set(tree()) ^ set(before))
    check(not os.listdir(path("temporary")), what, "left temporaries",
          os.listdir(path("temporary")))


def check_compiler():
    """Without a C compiler: 3, and the package to install. A wished one is named."""
    before = tree()
    alone = dict(os.environ, PATH=path("empty"))
    alone.pop("CC", None)
    for emit in EMITS:
        expect(["build", "small.vt", "--emit=" + emit, "-o", "out"], 3, "package 'gcc'", env=alone)
    for args in ["bench", "small.vt"], ["run", "small.vt", "--input=small.vt", "--backend=c"]:
        expect(args, 3, "package 'gcc'", env=alone)
    expect(["build", "small.vt", "-o", "out"], 3,
           "'nonsense-cc -O1' does not run (the packages 'gcc'",
           env=dict(os.environ, CC="nonsense-cc -O1"))
    expect(["build", "small.vt", "-o", "out"], 0, env=dict(os.environ, CC="cc -O1"))
    os.unlink(path("out"))
    expect(["build", "small.vt", "-o", "out", "--target=aarch64"], 3,
           "'gcc-aarch64-linux-gnu", env=alone)
    expect(["build", "small.vt", "-o", "out"], 3, "cannot make a temporary folder",
           env=dict(os.environ, TMPDIR=path("nowhere")))
    write("failing", "#!/bin/sh\ntest \"$1\" = --version\n")
    os.chmod(path("failing"), 0o755)
    expect(["build", "small.vt", "-o", "out"], 3, "the C compiler failed",
           env=dict(os.environ, CC=path("failing")))
    os.unlink(path("failing"))
    strange = dict(os.environ, VTC_CFLAGS="-Wall --no-such-flag")
    expect(["build", "small.vt", "-o", "out"], 3, "the C compiler failed", env=strange)
    r = call("verify", "small.vt", "--backend=c", env=strange)
    check(r.returncode == 1 and "C by gcc               failed" in r.stdout,
          "what a compiler refuses is no success:", r.stdout)
    nothing_left("no compiler", before)
    expect(["build", "small.vt", "--emit=c", "-o", "sources"], 0, env=alone)
    shutil.rmtree(path("sources"))


def check_llvm():
    """Without its LLVM part vtc does all else; with `--backend=llvm` it is exit 3."""
    before = tree()
    none = dict(os.environ, VTC_LLVM=path("none.so"))
    for args in (["build", "small.vt", "--emit=obj"], ["bench", "small.vt"],
                 ["verify", "small.vt"]):
        expect(args + ["--backend=llvm"], 3, "cannot load the LLVM back end", env=none)
    expect(["build", "small.vt", "--emit=llvm", "-o", "out"], 3, "LLVM back end", env=none)
    expect(["dump", "small.vt", "--stage=llvm"], 3, "LLVM back end", env=none)
    expect(["check", "small.vt"], 0, env=none)
    write("image.ppm", b"P6 8 8 255\n" + bytes(192))
    expect(["run", "small.vt", "--input=image.ppm"], 1, "no preprocessing", env=none)
    os.unlink(path("image.ppm"))
    nothing_left("no LLVM", before)
    part = os.path.join(os.path.dirname(vtc), "vtc_llvm.so")
    if not os.path.exists(part):
        return skip("the LLVM part: this vtc was built without LLVM")
    for name in "moved/bin", "moved/lib/vtc":
        os.makedirs(path(name))
    shutil.copy(vtc, path("moved/bin/vtc"))
    for place in "moved/lib/vtc/", "moved/bin/":
        shutil.copy(part, path(place))
        expect(["build", "small.vt", "--emit=llvm", "-o", "out.ll"], 0,
               program=path("moved/bin/vtc"))
        check(b"define" in read("out.ll"), "moved, with its part in", place)
        os.unlink(path(place + "vtc_llvm.so"))
    shutil.rmtree(path("moved"))


def check_places():
    """Places that cannot be written; whoever may write anywhere is told to be skipped."""
    before = tree()
    for args in (["build", "small.vt", "-o", "none/out"], ["init", "small.vt", "-o", "none/out"],
                 ["build", "small.vt", "-o", "empty"], ["init", "small.vt", "-o", "empty"],
                 ["build", "small.vt", "--emit=obj", "-o", "none/out.o"],
                 ["build", "small.vt", "--emit=llvm", "-o", "none/out.ll"],
                 ["build", "small.vt", "--emit=c", "-o", "none/out"],
                 ["build", "small.vt", "--emit=onnx", "-o", "none/out"],
                 ["import", "source.onnx", "-o", "none/out"],
                 ["import", "source.onnx", "-o", "empty"],
                 ["build", "small.vt", "--weights=source.pth", "--emit=onnx", "-o", "none/out"],
                 ["report", "small.vt", "-o", "none/out"]):
        expect(args, 3, "cannot write '%s" % args[-1])
    nothing_left("no place", before)


def drop_rights():
    """Who may do all becomes one who may do little."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)


def check_rights():
    """Folders that may not be written, files that may not be read."""
    little = {"preexec_fn": drop_rights}
    os.chmod(work, 0o755)
    try:
        call("ops", **little)
    except (OSError, subprocess.SubprocessError):
        return skip("rights: a user who has few cannot run vtc")
    before = tree()
    os.chmod(path("empty"), 0o555)
    for args in (["build", "small.vt", "--emit=c"], ["build", "small.vt", "--emit=onnx"],
                 ["build", "small.vt", "--weights=source.pth", "--emit=onnx"],
                 ["import", "source.onnx"], ["init", "small.vt"]):
        expect(args + ["-o", "empty/out"], 3, "Permission denied", **little)
    os.chmod(path("empty"), 0o755)
    nothing_left("no rights to write", before)
    for source in "small.vt", "source.onnx", "source.pth", "small.safetensors":
        os.chmod(path(copy(path(source), "closed" + os.path.splitext(source)[1])), 0)
    before = tree()
    for command in "check", "build", "dump", "report", "verify", "init", "bench":
        expect([command, "closed.vt"], 1, "Permission denied", **little)
    for args in (["import", "closed.onnx"], ["check", "closed.onnx"],
                 ["build", "small.vt", "--weights=closed.pth", "--emit=c"],
                 ["build", "small.vt", "--weights=closed.safetensors", "--emit=c"]):
        expect(args, 1, "Permission denied", **little)
    nothing_left("no rights to read", before)
    for name in os.listdir(work):
        if name.startswith("closed"):
            os.unlink(path(name))
    os.chmod(work, 0o700)


def check_full_output():
    """Standard output, and a device as a file, on a full disk."""
    if not os.path.exists("/dev/full"):
        return skip("/dev/full")
    for args in ["ops"], ["passes"], ["targets"], ["report", "small.vt"], ["dump", "small.vt"]:
        with open("/dev/full", "w") as full:
            r = subprocess.run([vtc, *args], cwd=work, stdout=full, stderr=subprocess.PIPE,
                               text=True)
        check(r.returncode == 3 and "cannot write" in r.stderr, args, "to a full disk:", r)
    for args in (["init", "small.vt"], ["import", "source.onnx"],
                 ["build", "small.vt", "--emit=onnx"]):
        expect(args + ["-o", "/dev/full"], 3, "No space left")
    check(not os.path.exists("/dev/full.safetensors"), "weights of a text that is not there")
    check(os.stat("/dev/full").st_mode & 0o170000 == 0o020000, "/dev/full is still a device")


FULL = [("exe", "out"), ("obj", "out.o"), ("lib", "out.a"), ("so", "out.so"), ("c", "small.c"),
        ("onnx", "out.onnx"), ("asm", "out.s")]


def check_limit():
    """No file may grow beyond a few kilobytes: what a full disk says, at any user's."""
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    for emit, name in FULL:
        os.mkdir(path("place"))
        write("place/" + name, OLD)
        before = tree()
        expect(["build", "small.vt", "--emit=" + emit, "-o", "place/" + name], 3,
               preexec_fn=limit)
        check(read("place/" + name) == OLD, emit, "keeps the old file")
        nothing_left("a limit, " + emit, before)
        shutil.rmtree(path("place"))
    for name in "w", "net.vt", "net.safetensors":
        write(name, OLD)
    expect(["init", "small.vt", "-o", "w"], 3, "cannot write 'w': File too large",
           preexec_fn=limit)
    expect(["import", "source.onnx", "-o", "net.vt"], 3, "File too large", preexec_fn=limit)
    for name in "w", "net.vt", "net.safetensors":
        check(read(name) == OLD, name, "keeps what it had")
        os.unlink(path(name))


def check_full_disk():
    """A real one, of 16 kB, where this user can mount one."""
    place = path("disk")
    os.mkdir(place)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", place.encode(), b"tmpfs", 0, b"size=16k") != 0:
        return skip("a full disk: " + os.strerror(ctypes.get_errno()))
    try:
        for emit, name in FULL:
            write("disk/" + name, OLD)
            before = tree()
            expect(["build", "small.vt", "--emit=" + emit, "-o", place + "/" + name], 3,
                   "No space left on device")
            check(read("disk/" + name) == OLD, emit, "keeps the old file")
            nothing_left("a full disk, " + emit, before)
            os.unlink(path("disk/" + name))
        more = {"net.vt": ["import", "source.onnx"], "net.onnx":
                ["build", "small.vt", "--weights=source.pth", "--emit=onnx"]}
        for name, args in more.items():
            for old in name, "net.safetensors":
                write("disk/" + old, OLD)
            before = tree()
            expect(args + ["-o", "disk/" + name], 3, "No space left on device")
            check(read("disk/" + name) == read("disk/net.safetensors") == OLD, args,
                  "keeps the old files")
            nothing_left("a full disk, " + args[0], before)
    finally:
        libc.umount2(place.encode(), 2)


def give_way():
    """Whoever watches a process of its own kind comes first, on a busy machine too."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def interrupt(args, number, after, prepare=lambda: None, **more):
    """Starts vtc, waits until `after` is true, sends the signal; what ends before that is
    started again, a few times."""
    for _ in range(5):
        prepare()
        p = subprocess.Popen([vtc, *args], cwd=work, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, start_new_session=True,
                             preexec_fn=give_way, **more)
        end = time.monotonic() + 60
        while p.poll() is None and not after() and time.monotonic() < end:
            time.sleep(0.001)
        running = p.poll() is None
        if running:
            os.kill(p.pid, number)
        p.wait(60)
        if p.returncode == -number:
            break
    check(running, args, "ended before it was interrupted")
    check(p.returncode == -number, args, "ended by its signal, not", p.returncode)


def check_signals():
    """Interrupted while the compiler works (one that takes its time), and while a large
    file is written: no output, no temporaries, no compiler left behind."""
    write("slow-cc", "#!/bin/sh\ntest \"$1\" = --version && exit\necho $$ > started\nsleep 30\n")
    os.chmod(path("slow-cc"), 0o755)
    write("out", OLD)
    before = tree()
    environment = dict(os.environ, CC=path("slow-cc"))
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        for args in ["build", "small.vt", "-o", "out"], ["bench", "small.vt"]:
            interrupt(args, number, lambda: os.path.exists(path("started")) and read("started"),
                      env=environment)
            compiler = int(read("started") or b"0")
            check(not compiler or not alive(compiler), number.name, args, "the compiler is still there")
            os.unlink(path("started"))
            nothing_left("%s, %s" % (number.name, args[0]), before)
    os.unlink(path("slow-cc"))
    before = tree()
    large = lambda: [name for name in os.listdir(work) if name.startswith("large")]
    interrupt(["init", models + "/resnet50.vt", "-o", "large"], signal.SIGTERM, large,
              lambda: [os.unlink(path(name)) for name in large()])
    nothing_left("SIGTERM, init", before)


def check_signals_of_exchange():
    """Interrupted while `vtc import`, or an export with the weights of a .pth, writes."""
    write("big.vt", LARGE)
    torch.save({"fc.weight": torch.ones(100000, 192), "fc.bias": torch.ones(100000)},
               path("big.pth"))
    export = ["build", "big.vt", "--weights=big.pth", "--emit=onnx"]
    expect(export + ["-o", "big.onnx"], 0)
    os.mkdir(path("place"))

    def prepare_place():
        for name in "net.vt", "net.safetensors", "net.onnx":
            write("place/" + name, OLD)
    prepare_place()
    before = tree()
    begun = lambda: len(os.listdir(path("place"))) > 3
    for number in signal.SIGINT, signal.SIGTERM:
        for args in ["import", "big.onnx", "-o", "place/net.vt"], export + ["-o", "place/net.onnx"]:
            interrupt(args, number, begun, prepare_place)
            nothing_left("%s, %s" % (number.name, args[0]), before)
    for name in "net.vt", "net.safetensors", "net.onnx":
        check(read("place/" + name) == OLD, name, "keeps what it had")
    shutil.rmtree(path("place"))


def alive(pid):
    """Running: a process that has ended and was not yet waited for does not count."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def check_quiet():
    """In a pipe nothing is said but what was asked for."""
    for args in (["build", "small.vt", "-o", "out"], ["init", "small.vt", "-o", "w"],
                 ["check", "small.vt"], ["build", "small.vt", "--emit=so", "-o", "o.so"]):
        r = expect(args, 0)
        check(not r.stdout and not r.stderr, args, "said", r.stdout, r.stderr)
    r = expect(["verify", "small.vt", "--backend=c"], 0)
    check(not r.stderr and "\x1b" not in r.stdout and "\r" not in r.stdout, "verify is plain")
    r = expect(["bench", "small.vt", "--runs=2"], 0)
    check(not r.stderr and "\x1b" not in r.stdout and "\r" not in r.stdout, "bench is plain")
    r = call("check", "none.vt")
    check("\x1b" not in r.stderr, "messages have no colours in a pipe")
    with subprocess.Popen([vtc, "ops"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
        p.stdout.close()
        check(p.wait(20) in (-signal.SIGPIPE, 0) and not p.stderr.read(), "a closed pipe")


def on_terminal(args, **more):
    """What is written to stderr when that is a terminal."""
    ours, theirs = os.openpty()
    r = subprocess.run([vtc, *args], cwd=work, stdout=subprocess.DEVNULL, stderr=theirs, **more)
    os.close(theirs)
    text = b""
    while True:
        try:
            text += os.read(ours, 65536) # at the end of a terminal: an error
        except OSError:
            break
    os.close(ours)
    return r.returncode, text.decode()


def check_progress():
    """Long work (a slow compiler's) says on a terminal what it is at, and takes that away."""
    write("slow-cc", "#!/bin/sh\ntest \"$1\" = --version || sleep 0.4\nexec cc \"$@\"\n")
    os.chmod(path("slow-cc"), 0o755)
    slowly = dict(os.environ, CC=path("slow-cc"))
    code, text = on_terminal(["build", "small.vt", "-o", "out"], env=slowly)
    lines = text.split("\r\x1b[K")
    check(code == 0 and "small: the linker for " in text and lines[0] == lines[-1] == "" and
          not any("\n" in line for line in lines), "progress is", repr(text))
    r = expect(["build", "small.vt", "-o", "out"], 0, env=slowly)
    check(not r.stderr + r.stdout, "quiet in a pipe:", repr(r.stderr))
    code, text = on_terminal(["check", "small.vt"])
    check((code, text) == (0, ""), "what is quick says nothing", repr(text))
    for name in "slow-cc", "out":
        os.unlink(path(name))


prepare()
check_compiler()
check_llvm()
check_places()
check_rights()
check_full_output()
check_limit()
check_full_disk()
if slow:
    skip("signals: a sanitized compiler is too slow to be interrupted at a known place")
else:
    check_signals()
    check_signals_of_exchange()
check_quiet()
check_progress()
finish()
