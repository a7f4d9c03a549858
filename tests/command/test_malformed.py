"""Malformed networks, weights, images and calls: each has its exit code and its message,
and all of them together are counted.

    test_malformed.py VTC MODELS

The networks are those of tests/language/bad, whose lines announce their messages
(run_language compares each of them exactly; here they go through the command).
"""
import os
import re

import bad_calls
import bad_files
from harness import (call, check, copy, expect, finish, here, models, path, read, tree,
                     write)

NEEDED = 150
root = os.path.dirname(models)
counts = {}


def count(kind, message):
    counts.setdefault(kind, set()).add(message)


def prepare():
    copy(here + "/report/small.vt", "small.vt")
    os.mkdir(path("folder"))
    for end in "vt", "onnx":
        os.mkdir(path("folder." + end))
        write("empty." + end, b"")
        write("noise." + end, bytes(range(128, 256)) * 4)
    expect(["init", "small.vt", "-o", "small.safetensors"], 0)


def check_calls():
    before = tree()
    for args, code, message in bad_calls.calls():
        r = expect(args, code, message)
        check(not r.stdout, args, "printed", r.stdout[:200])
        count("calls", " ".join(args))
    check(tree() == before, "a call that failed left something:",
          set(tree()) ^ set(before))


def check_weights():
    for name, content, message in bad_files.weights():
        write("bad.safetensors", content)
        for command in ["build", "small.vt", "--emit=c", "-o", "folder"], ["report", "small.vt"]:
            expect(command + ["--weights=bad.safetensors"], 1, message)
        count("safetensors", name)
    check(not os.listdir(path("folder")), "bad weights left files")


def check_images():
    expect(["build", "small.vt", "-o", "small"], 0)
    with open(root + "/tests/runtime/data/rgb.jpg", "rb") as f:
        jpeg = f.read()
    for name, content, message in bad_files.images(jpeg):
        write(name, content)
        r = expect([name], 1, message, program=path("small"))
        check(name in r.stderr and r.stderr.count("\n") == 1, name, "is not named:", r.stderr)
        count("images", name)


def announced(file):
    """What the lines of a network, and of those that it imports, say about themselves."""
    with open(file, encoding="utf-8", errors="replace") as f:
        text = f.read()
    found = re.findall(r"// error: (.*?)(?= // (?:error|note|warning): |$)", text, re.M)
    for name in re.findall(r'^import "(sub/\w+\.vt|\w+\.vt)"', text, re.M):
        beside = os.path.join(os.path.dirname(file), name)
        if beside != file and os.path.exists(beside):
            found += announced(beside)
    return [text.strip() for text in found]


def check_networks():
    """`vtc check` says every announced error, and fails for no other reason."""
    folder = root + "/tests/language/bad"
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".vt"):
            continue
        try:
            texts = announced(os.path.join(folder, name))
        except RecursionError: # an import cycle: what it says is its own
            texts = ["import"]
        r = call("check", name, cwd=folder)
        check(r.returncode == (1 if texts else 0), name, "exit", r.returncode, texts)
        for text in texts:
            check(text in r.stderr, name, "does not say", text, ":", r.stderr[:400])
            count("networks", name + ": " + text)


def report():
    for kind in sorted(counts):
        print("%4d malformed %s" % (len(counts[kind]), kind))
    number = sum(len(found) for found in counts.values())
    print("%4d malformed in all, each with its message" % number)
    check(number >= NEEDED, "fewer than %d" % NEEDED)
    check(set(counts) == {"calls", "images", "networks", "safetensors"}, "a kind is missing")


prepare()
check_calls()
check_weights()
check_images()
check_networks()
report()
finish()
