"""Every command as users call it when all is well: exit code 0, what is printed and what
is written, --help of each, and the options of a compiled program.

    test_calls.py VTC MODELS
"""
import json
import os
import re
import struct

from bad_calls import COMMANDS
from harness import (call, check, copy, expect, finish, here, models, path, read, tree,
                     write)

root = os.path.dirname(models)


def rows(file, pattern):
    with open(os.path.join(root, file)) as f:
        return re.findall(pattern, f.read(), re.M)


def check_help():
    """--help tells every command, and of each command its options, all of them valid."""
    r = expect(["--help"], 0, "Exit codes: 0 done, 1 the input is wrong,")
    check(re.findall(r"^  (\w+) ", r.stdout, re.M) and
          set(re.findall(r"^  (\w+) ", r.stdout, re.M)) == set(COMMANDS), r.stdout)
    check(call("help").stdout == r.stdout, "help and --help are the same")
    r = call()
    check(r.returncode == 2 and "vtc COMMAND --help" in r.stderr and not r.stdout,
          "no command is a wrong call")
    for command in COMMANDS:
        r = expect([command, "--help"], 0, "vtc %s" % command)
        check(not r.stderr, command, "--help on stderr")
        for option, value in re.findall(r"^  (-[-\w]+)(=| )?", r.stdout, re.M):
            r = call(command, option, *([] if value != "=" else []), "--help")
            check("unknown option" not in r.stderr and "not an option" not in r.stderr,
                  command, option, "is told but not taken")
        check(call(command, "--help", "--nonsense").returncode == 2, "wrong beside --help")


def check_lists():
    """The lists are the tables."""
    ops = expect(["ops"], 0).stdout
    named = rows("ir/ops.def", r"^OP\((\w+),")
    check(len(named) > 40 and named == re.findall(r"^(\w+) ", ops, re.M), "vtc ops")
    passes = expect(["passes"], 0).stdout
    named = rows("passes/passes.def", r"^PASS\(\w+,\s*(\w+),")
    check(len(named) > 15 and named == re.findall(r"^(\w+) ", passes, re.M), "vtc passes")
    must = rows("passes/passes.def", r"^PASS\(\w+,\s*(\w+),.*\btrue, ")
    check(must == re.findall(r"^(\w+) +required", passes, re.M), "which are required")
    targets = expect(["targets"], 0).stdout
    check(all(name in targets for name in ("x86-64-v3", "aarch64", "c11")), "vtc targets")
    json.loads(expect(["targets", "--format=json"], 0).stdout)


def check_commands():
    """Each command once on a small network, and nothing beside what it is to write."""
    copy(here + "/report/small.vt", "small.vt")
    before = set(tree())
    expect(["check", "small.vt"], 0)
    for args in (["report"], ["dump"], ["dump", "--stage=ast"], ["dump", "--stage=loops"],
                 ["dump", "--stage=c"], ["dump", "--after=group"], ["dump", "--after=all"],
                 ["dump", "--stop-after=layout"]):
        r = expect([args[0], "small.vt"] + args[1:], 0)
        check(r.stdout and not r.stderr, args, "prints")
    check(set(tree()) == before, "commands that print write nothing")
    expect(["init", "small.vt", "--seed=3"], 0)
    check(set(tree()) == before | {"small.safetensors"}, "init writes NAME.safetensors")
    first = read("small.safetensors")
    expect(["init", "small.vt", "--seed=3", "-o", "again"], 0)
    expect(["init", "small.vt", "--seed=4", "-o", "other"], 0)
    check(first == read("again") and first != read("other"), "weights by seed")
    expect(["build", "small.vt", "--time-passes"], 0, "plan_memory")
    expect(["build", "small.vt", "--verbose", "-o", "small"], 0, "-std=c11")


OUTPUTS = {"exe": ["small"], "c": ["small.c", "small.h", "small.weights", "small_weights.S"],
           "obj": ["small.h", "small.o"], "lib": ["libsmall.a", "small.h"],
           "so": ["libsmall.so", "small.h"],
           "asm": ["small.h", "small.s", "small.weights", "small_weights.S"],
           "onnx": ["small.onnx"]}


def check_outputs():
    """What --emit says is written, under its usual name, and no more."""
    for emit, files in OUTPUTS.items():
        folder = path("out_" + emit)
        os.mkdir(folder)
        copy(path("small.vt"), folder + "/net.vt")
        copy(path("small.safetensors"), folder + "/net.safetensors")
        r = expect(["build", "net.vt", "--emit=" + emit], 0, cwd=folder)
        check(not r.stdout and not r.stderr, emit, "is quiet:", r.stdout, r.stderr)
        found = sorted(set(tree(folder)) - {"net.vt", "net.safetensors"})
        check(found == files, emit, "wrote", found)
    check(os.access(path("out_exe/small"), os.X_OK), "a program is executable")
    check(not os.access(path("out_obj/small.o"), os.X_OK), "an object is not")
    expect(["build", "small.vt", "--weights-as=file", "-o", "apart"], 0)
    check("small.weights" in tree(), "--weights-as=file")
    expect(["build", "small.vt", "--weights-as=c-array", "--emit=c", "-o", "text"], 0)
    check("small_weights.c" in tree(path("text")), "--weights-as=c-array")


def npy(count):
    text = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 3, 64, 64), }\n" % count
    return (b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() +
            struct.pack("<%df" % (count * 12288), *[(i % 97) / 97 for i in range(count * 12288)]))


def check_program():
    """A compiled program: results, forms, threads, and `vtc run` the same."""
    program = path("small")
    write("one.npy", npy(1))
    write("two.npy", npy(2))
    plain = expect(["one.npy"], 0, "one.npy: class ", program=program).stdout
    check(len(re.findall(r"class \d+", plain)) == 5, "five classes:", plain)
    top = expect(["--top=2", "one.npy"], 0, program=program).stdout
    check(re.findall(r"class \d+", top) == re.findall(r"class \d+", plain)[:2], "--top")
    for threads in "123":
        r = expect(["--threads=" + threads, "one.npy"], 0, program=program)
        check(r.stdout == plain, "the same at", threads, "threads")
    parts = json.loads(expect(["--json", "one.npy"], 0, program=program).stdout)
    check(parts["outputs"][0]["shape"] == [1, 10], parts)
    expect(["--raw=out.npy", "--quiet", "two.npy"], 0, program=program)
    check(b"(2, 10,)" in read("out.npy"), "--raw stacks")
    expect(["--bench=3"], 0, "small: min", program=program)
    os.mkdir(path("folder"))
    copy(path("one.npy"), "folder/b.npy")
    copy(path("two.npy"), "folder/a.npy")
    write("list.txt", "one.npy\nfolder/b.npy\n")
    r = expect(["--top=1", "folder"], 0, program=program)
    check([line.split(":")[0] for line in r.stdout.splitlines()] ==
          ["folder/a.npy[0]", "folder/a.npy[1]", "folder/b.npy"], "a folder:", r.stdout)
    r = expect(["--top=1", "list.txt"], 0, program=program)
    check(r.stdout.count("\n") == 2, "a list:", r.stdout)
    expect(["--info"], 0, "input image f32 1x3x64x64", program=program)
    expect(["one.npy"], 1, "small.weights: cannot read weights",
           program=copy_alone("apart"))
    expect(["--weights=small.weights", "one.npy"], 0, program=path("moved/apart"))
    ran = expect(["run", "small.vt", "--input=one.npy"], 0)
    check(ran.stdout == plain, "vtc run says the same:", ran.stdout)
    before = tree()
    ran = expect(["run", "small.vt", "--input=one.npy", "--backend=c"], 0)
    check(ran.stdout == plain and tree() == before, "and by way of a program")
    expect(["verify", "small.vt", "--backend=c", "--input=one.npy"], 0, "C by gcc, 2 threads")


def copy_alone(name):
    os.mkdir(path("moved"))
    copy(path(name), "moved/" + name)
    os.chmod(path("moved/" + name), 0o755)
    return path("moved/" + name)


check_help()
check_lists()
check_commands()
check_outputs()
check_program()
finish()
