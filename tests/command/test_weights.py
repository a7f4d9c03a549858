"""Weights that do not fit a network: all that is wrong is said at once, with the nearest
names, and every dtype that fits is taken.

    test_weights.py VTC MODELS
"""
import json
import os
import re
import struct

from bad_files import described, npy, safetensors
from harness import check, copy, expect, finish, here, models, path, read, write


def parse(content):
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:8 + size])
    header.pop("__metadata__", None)
    data = content[8 + size:]
    return {name: (t["dtype"], t["shape"], data[slice(*t["data_offsets"])])
            for name, t in header.items()}


def build(name, tensors):
    header, data = {}, b""
    for key, (dtype, shape, content) in tensors.items():
        header[key] = {"dtype": dtype, "shape": shape,
                       "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    return write(name, safetensors(header, data))


def floats(content):
    return struct.unpack("<%df" % (len(content) // 4), content)


def check_all_at_once(tensors):
    """One file with three mistakes of each kind."""
    bad = dict(tensors)
    for old, new in (("conv.weight", "convv.weight"), ("fc.bias", "fc.biass"),
                     ("norm.running_var", "norm.running_vars")):
        bad[new] = bad.pop(old)
    for name in ("norm.weight", "tokens.weight", "grouped.bias"):
        dtype, shape, content = bad[name]
        bad[name] = (dtype, [shape[0] // 2] + shape[1:], content[:len(content) // 2])
    bad["extra.weight"] = ("F32", [1], b"\0" * 4)
    build("bad.safetensors", bad)
    r = expect(["build", "small.vt", "--weights=bad.safetensors", "--emit=c", "-o", "out"], 1)
    for name, near in (("conv.weight", "convv.weight"), ("fc.bias", "fc.biass"),
                       ("norm.running_var", "norm.running_vars")):
        check("weight '%s' is not in 'bad.safetensors'" % name in r.stderr, name, "is missing")
        check("'%s'" % near in r.stderr, "the nearest name to", name, "is told")
    for name, has, wants in (("norm.weight", "f32[16]", "f32[32]"),
                             ("grouped.bias", "f32[16]", "f32[32]"),
                             ("tokens.weight", "[6,", "[12,")):
        at = r.stderr.find("weight '%s' is" % name)
        check(at >= 0 and wants in r.stderr[at:at + 90] and has in r.stderr[at:at + 90],
              name, "has another shape:", r.stderr[at:at + 90])
    check("'extra.weight' that no weight asks for" in r.stderr, "what is too much is told")
    check(r.stderr.count("small.vt:") >= 6, "each at its line of the model")
    check(not os.path.exists(path("out")), "nothing is written, not even the folder")


def check_nearest():
    """A name that nobody asks for comes before a nearer one that has its weight; one behind
    a prefix is near however long that is, on either side."""
    write("twins.vt", """model twins(image: f32[1, 3, 8, 8]) {
        conv1: x = conv2d(image, out = 3, kernel = 1)
        conv2: x = conv2d(x, out = 3, kernel = 1)
        fc: x = linear(x, out = 8, bias = false)
        backbone.layer4.fc2: x = linear(x, out = 8)
        output x
    }""")
    expect(["init", "twins.vt", "-o", "twins.safetensors"], 0)
    bad = parse(read("twins.safetensors"))
    near = {"conv1.weight": "conv1.wieght", "fc.weight": "some.long.prefix.fc.weight",
            "backbone.layer4.fc2.weight": "fc2.weight"}
    for name, other in near.items():
        bad[other] = bad.pop(name)
    build("bad.safetensors", bad)
    r = expect(["build", "twins.vt", "--weights=bad.safetensors", "--emit=c", "-o", "out"], 1)
    told = dict(re.findall(r"weight '(\S+)' is not in (?:[^\n]*\n){3}"
                           r"vtc: note: the nearest name there is '(\S+)'", r.stderr))
    check(told == near, "the nearest names:", told)


def check_extra_only(tensors):
    more = dict(tensors)
    more["num_batches_tracked"] = ("I64", [1], b"\0" * 8)
    more = {k: v for k, v in more.items() if v[0] == "F32"}
    more["left.over"] = ("F32", [1], b"\0" * 4)
    build("more.safetensors", more)
    expect(["build", "small.vt", "--weights=more.safetensors", "--emit=c", "-o", "out"], 0,
           "warning: 'more.safetensors' has a tensor 'left.over' that no weight asks for")


def check_dtypes(tensors):
    """The same numbers as bf16 and as f32 give the same bytes of C and of weights."""
    def short(content):
        return b"".join(struct.pack("<H", struct.unpack("<I", struct.pack("<f", x))[0] >> 16)
                        for x in floats(content))

    def long(content):
        return b"".join(b"\0\0" + content[i:i + 2] for i in range(0, len(content), 2))

    halves = {k: ("BF16", shape, short(content)) for k, (_, shape, content) in tensors.items()}
    same = {k: ("F32", shape, long(content)) for k, (_, shape, content) in halves.items()}
    results = []
    for name, content in ("bf16", halves), ("f32", same):
        build(name + ".safetensors", content)
        expect(["build", "small.vt", "--weights=%s.safetensors" % name, "--emit=c", "-o", "n"], 0)
        results.append((read("n/small.c"), read("n/small.weights")))
    check(results[0] == results[1], "bf16 is read exactly")


def check_other_images():
    """Random weights are set on one image; in another whose places are more alike, deep
    attention does not blow up: its means fade less there than those it was set on."""
    write("deep.vt", """
        import "%s/lib/resnet.vt"
        model deep(image: f32[1, 3, 56, 56]) {
            conv1: x = conv2d(image, out = 64, kernel = 3, stride = 2, pad = 1)
            bn1: x = relu(batch_norm(x))
            layer1: x = bottleneck_stage(x, channels = 64, blocks = 8, stride = 2,
                                         mixer = "stand_alone")
            output x
        }""" % models)
    halves = [1 if i % 56 < 28 else -1 for i in range(56 * 56)]
    pixels = [[0.5, 0.25, -0.5][c] * x for c in range(3) for x in halves]
    write("halves.npy", npy(described(shape=(1, 3, 56, 56)),
                            struct.pack("<%df" % len(pixels), *pixels)))
    expect(["init", "deep.vt", "--seed=1", "-o", "deep.safetensors"], 0)
    text = expect(["run", "deep.vt", "--weights=deep.safetensors", "--input=halves.npy"], 0).stdout
    largest = float(re.search(r"max ([-+.e0-9]+)", text)[1])
    check(1 < largest < 40, "the largest of the deep network:", text)


copy(here + "/report/small.vt", "small.vt")
expect(["init", "small.vt", "-o", "w.safetensors"], 0)
tensors = parse(read("w.safetensors"))
expect(["build", "small.vt", "--emit=c"], 1, "vtc init makes random ones")
check_all_at_once(tensors)
check_nearest()
check_extra_only(tensors)
check_dtypes(tensors)
check_other_images()
finish()
