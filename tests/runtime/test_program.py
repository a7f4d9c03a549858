"""The standalone program, driven with hand-written networks (fake_model.c,
fake_two.c): results, formats, options, every kind of input, exit statuses.

    test_program.py PROGRAMS DATA      (folders)
"""
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

PROGRAMS, DATA = (os.path.abspath(p) for p in sys.argv[1:3])
WORK = tempfile.mkdtemp(prefix="vtc_program_")
checks = failures = 0


def check(good, *what):
    global checks, failures
    checks += 1
    if not good:
        failures += 1
        print("FAILED:", *what)


def run(program, *args, **options):
    return subprocess.run([os.path.join(PROGRAMS, program), *args], cwd=WORK,
                          capture_output=True, text=True, timeout=60, **options)


def expect(args, status, out=None, err=None, program="fake"):
    """Runs and checks the exit status and a part of what is printed (out: the
    whole of it when it ends with a newline)."""
    r = run(program, *args)
    check(r.returncode == status, args, "exit", r.returncode, "not", status,
          r.stderr)
    if out is not None:
        whole = out.endswith("\n") or out == ""
        check(r.stdout == out if whole else out in r.stdout, args, "printed",
              repr(r.stdout), "not", repr(out))
    if err is not None:
        check(err in r.stderr, args, "said", repr(r.stderr), "not", repr(err))
        check(r.stderr.count("\n") <= 2, args, "said too much", r.stderr)
    return r


def path(name):
    return os.path.join(WORK, name)


def write(name, content):
    with open(path(name), "wb") as f:
        f.write(content)


def ppm(name, rgb, size=8):
    write(name, b"P6 %d %d 255\n" % (size, size) + bytes(rgb) * (size * size))


def npy(name, descr, shape, data):
    text = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n" % (
        descr, tuple(shape))
    write(name, b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) +
          text.encode() + data)


def read_npy(name):
    with open(path(name), "rb") as f:
        content = f.read()
    n = struct.unpack("<H", content[8:10])[0]
    header = eval(content[10:10 + n])  # our own file
    count = (len(content) - 10 - n) // 4
    kind = {"<f4": "f", "<i4": "i"}[header["descr"]]
    return header["shape"], struct.unpack("<%d%s" % (count, kind),
                                          content[10 + n:])


def xxh64(data):
    """An independent implementation of the hash of weights files."""
    mask = (1 << 64) - 1
    p1, p2, p3, p4, p5 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F,
                          0x165667B19E3779F9, 0x85EBCA77C2B2AE63,
                          0x27D4EB2F165667C5)

    def rotl(x, r):
        return ((x << r) | (x >> (64 - r))) & mask

    def rnd(acc, x):
        return rotl((acc + x * p2) & mask, 31) * p1 & mask

    at, n = 0, len(data)
    h = p5
    if n >= 32:
        v = [(p1 + p2) & mask, p2, 0, -p1 & mask]
        while at + 32 <= n:
            v = [rnd(a, x)
                 for a, x in zip(v, struct.unpack_from("<4Q", data, at))]
            at += 32
        h = sum(rotl(a, r) for a, r in zip(v, (1, 7, 12, 18))) & mask
        for a in v:
            h = ((h ^ rnd(0, a)) * p1 + p4) & mask
    h = (h + n) & mask
    while at + 8 <= n:
        h ^= rnd(0, struct.unpack_from("<Q", data, at)[0])
        h = (rotl(h, 27) * p1 + p4) & mask
        at += 8
    if at + 4 <= n:
        h ^= struct.unpack_from("<I", data, at)[0] * p1 & mask
        h = (rotl(h, 23) * p2 + p3) & mask
        at += 4
    for b in data[at:]:
        h = rotl(h ^ b * p5 & mask, 11) * p1 & mask
    h = (h ^ h >> 33) * p2 & mask
    h = (h ^ h >> 29) * p3 & mask
    return h ^ h >> 32


def weights_file(payload, name=b"fake_file", order=0x01020304, version=1):
    return (b"vtcblob\n" + struct.pack("=II", order, version) +
            struct.pack("=QQ", len(payload), xxh64(payload)) +
            name.ljust(32, b"\0") + payload)


WEIGHTS = struct.pack("=16f", 4, -2, -2, -2, 4, -2, -2, -2, 4,
                      0, 0, 0, 0, 0, 0, 0.5)


def make_inputs():
    ppm("red.ppm", (255, 0, 0))
    ppm("green.ppm", (0, 255, 0))
    ppm("gray.ppm", (128, 128, 128))
    ppm("big.ppm", (0, 0, 255), 100)
    write("broken.ppm", b"P6 8 8 255\nabc")
    write("text.doc", b"hello")
    image = struct.pack("<192f", *([1.0] * 64 + [-1.0] * 128))
    npy("red.npy", "<f4", (1, 3, 8, 8), image)
    npy("three.npy", "<f4", (3, 3, 8, 8),
        image + struct.pack("<192f", *([-1.0] * 64 + [1.0] * 64 + [-1.0] * 64))
        + image)
    npy("shape.npy", "<f4", (1, 3, 8, 7), image[:4 * 168])
    npy("bytes.npy", "|u1", (8, 8, 3), bytes((0, 0, 255)) * 64)
    npy("batch.npy", "|u1", (2, 8, 8, 1), bytes(128))
    npy("classes.npy", "<i8", (3,), struct.pack("<3q", 0, 1, 3))
    npy("floats.npy", "<f4", (3,), bytes(12))
    write("images.idx", bytes((0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 8, 0, 0, 0, 8))
          + bytes([200] * 128))
    write("classes.idx", bytes((0, 0, 8, 1, 0, 0, 0, 2, 3, 3)))
    os.mkdir(path("folder"))
    os.mkdir(path("empty"))
    shutil.copy(path("red.ppm"), path("folder/b.ppm"))
    shutil.copy(path("green.ppm"), path("folder/a.PPM"))
    shutil.copy(path("text.doc"), path("folder/c.doc"))
    shutil.copy(path("broken.ppm"), path("folder/.hidden.ppm"))
    write("folder/list.txt", b"# two\nb.ppm\r\n\n  \n../gray.ppm  \n")
    write("bare.txt", b"\n# nothing\n")
    write("labels.txt", b"rot\r\ngr\"un\nblau\ngrau")
    shutil.copy(os.path.join(DATA, "rgb.png"), path("rgb.png"))
    shutil.copy(os.path.join(DATA, "rgb.jpg"), path("rgb.jpg"))


def test_results():
    red = "red.ppm: red 1.00, gray 0.00, green 0.00, blue 0.00\n"
    expect(["red.ppm"], 0, red)
    expect(["--top=1", "red.ppm", "green.ppm"], 0,
           "red.ppm: red 1.00\ngreen.ppm: green 1.00\n")
    expect(["--top=1", "gray.ppm"], 0, "gray.ppm: gray 0.35\n")
    expect(["red.npy", "--top=1"], 0, "red.npy: red 1.00\n")
    expect(["--top=1", "three.npy"], 0, "three.npy[0]: red 1.00\n"
           "three.npy[1]: green 1.00\nthree.npy[2]: red 1.00\n")
    expect(["--top=1", "bytes.npy"], 0, "bytes.npy: blue 1.00\n")
    expect(["--top=1", "batch.npy"], 0, "batch.npy[1]: gray")
    expect(["--top=1", "images.idx"], 0, "images.idx[1]: gray")
    expect(["--top=1", "big.ppm"], 0, "big.ppm: blue 1.00\n")
    expect(["--top=1", "rgb.png", "rgb.jpg"], 0, "rgb.jpg: ")
    expect(["--top=1", "folder"], 0,
           "folder/a.PPM: green 1.00\nfolder/b.ppm: red 1.00\n")
    expect(["--top=1", "folder/list.txt"], 0,
           "folder/b.ppm: red 1.00\nfolder/../gray.ppm: gray 0.35\n")
    expect(["--labels=labels.txt", "--top=1", "gray.ppm"], 0,
           "gray.ppm: grau 0.35\n")
    expect(["--quiet", "red.ppm"], 0, "")
    expect(["--top=1", "--", "red.ppm"], 0, "red.ppm: red 1.00\n")
    for threads in "1234":
        expect(["--threads=" + threads, "red.ppm"], 0, red)


def test_json():
    r = expect(["--json", "--top=2", "--labels=labels.txt", "green.ppm",
                "three.npy"], 0)
    lines = [json.loads(line) for line in r.stdout.splitlines()]
    check(len(lines) == 4, "json lines", r.stdout)
    first = lines[0]["outputs"][0]
    check(lines[0]["file"] == "green.ppm" and "index" not in lines[0], lines[0])
    check(lines[3]["index"] == 2, lines[3])
    check(first["name"] == "logits" and first["shape"] == [1, 4] and
          first["dtype"] == "f32", first)
    check(first["top"][0]["class"] == 1 and
          first["top"][0]["label"] == 'gr"un' and
          0.99 < first["top"][0]["probability"] <= 1 and
          first["top"][0]["value"] == 16, first)
    check(len(first["top"]) == 2, first)
    odd = "odd\udcff\"\n.ppm"  # a name that is neither UTF-8 nor plain
    shutil.copy(path("red.ppm"), path(odd))
    r = expect(["--json", odd], 0)
    check(json.loads(r.stdout)["file"] == 'odd\ufffd"\n.ppm', r.stdout)


def test_expect_and_raw():
    expect(["--quiet", "--expect=classes.npy", "three.npy"], 0,
           "accuracy 2/3\n")
    expect(["--expect=classes.idx", "--top=1", "images.idx"], 0, None)
    r = expect(["--expect=classes.idx", "--quiet", "images.idx"], 0,
               "accuracy 2/2\n")
    r = expect(["--json", "--quiet", "--expect=classes.npy", "three.npy"], 0)
    check(json.loads(r.stdout) == {"right": 2, "of": 3}, r.stdout)
    expect(["--expect=classes.npy", "red.ppm"], 1, None, "3 classes are expected"
           " of 1 inputs")
    expect(["--expect=classes.idx", "--quiet", "three.npy"], 1, "",
           "2 classes are expected of 3 inputs")
    expect(["--expect=floats.npy", "three.npy"], 1, "", "integer classes")
    expect(["--expect=none.npy", "three.npy"], 1, "", "No such file")
    expect(["--raw=out.npy", "--quiet", "red.npy"], 0, "")
    check(read_npy("out.npy") == ((1, 4), (8, -4, -4, .5)), read_npy("out.npy"))
    expect(["--raw=out.npy", "--quiet", "three.npy", "red.npy"], 0, "")
    shape, values = read_npy("out.npy")
    check(shape == (4, 4) and values[4:8] == (-4, 8, -4, .5), shape, values)
    check(os.stat(path("out.npy")).st_mode == os.stat(path("red.npy")).st_mode,
          "mode of out.npy")
    before = sorted(os.listdir(WORK))
    expect(["--raw=new.npy", "red.npy", "broken.ppm"], 1, None, "truncated PPM")
    expect(["--raw=none/out.npy", "red.npy"], 3, "", "cannot write")
    expect(["--raw=new.npy", "--expect=classes.idx", "--quiet", "red.npy"], 1)
    check(sorted(os.listdir(WORK)) == before, "files were left behind",
          os.listdir(WORK))


def test_bench():
    r = expect(["--bench=3"], 0, "fake: min ")
    check("3 runs" in r.stdout, r.stdout)
    r = expect(["--bench=3", "--json", "--layers", "--threads=2", "red.ppm"], 0)
    bench = json.loads(r.stdout)
    check(bench["threads"] == 2 and bench["runs"] == 3 and
          0 < bench["min_ms"] <= bench["median_ms"], bench)
    check([step["name"] for step in bench["layers"]] == ["mean", "linear"] and
          all(step["min_ms"] > 0 for step in bench["layers"]), bench)
    expect(["--bench=2", "--layers"], 0, "ms  linear")
    write("fake_file.weights", weights_file(WEIGHTS))
    expect(["--bench=2", "--layers", "--weights=fake_file.weights"], 2, "",
           "single steps", program="fake_file")


def test_weights():
    good = weights_file(WEIGHTS)
    beside = os.path.join(PROGRAMS, "fake_file.weights")
    if os.path.exists(beside):
        os.unlink(beside)
    expect(["red.ppm"], 1, "", "fake_file.weights: cannot read weights",
           program="fake_file")
    write("w.weights", good)
    for args in ["--weights=w.weights"], []:
        expect(args + ["--top=1", "red.ppm"], 0, "red.ppm: red 1.00\n",
               program="fake_file")
        shutil.copy(path("w.weights"), beside)  # found without being named
    os.unlink(beside)
    bad = bytearray(good)
    bad[70] ^= 1
    other = bytearray(WEIGHTS)
    other[0] ^= 1
    for content, message in [
            (good[:-1], "truncated"), (good[:63], "truncated"), (b"", "truncated"),
            (good + b"x", "wrong size"), (b"x" + good[1:], "not a weights file"),
            (bytes(bad), "damaged"),
            (weights_file(WEIGHTS, order=0x04030201), "other byte order"),
            (weights_file(WEIGHTS, version=2), "format version 2"),
            (weights_file(bytes(other), b"x"), "another build of 'x'"),
            (weights_file(WEIGHTS * 2), "another build of 'fake_file'")]:
        write("w.weights", content)
        expect(["--weights=w.weights", "red.ppm"], 1, "", message,
               program="fake_file")


def test_wrong_inputs():
    for name, message in [
            ("none.png", "No such file"), ("broken.ppm", "truncated PPM"),
            ("text.doc", "not an image"), ("empty", "no .png"),
            ("bare.txt", "an empty list"), ("shape.npy", "1x3x8x7 is not input"),
            ("classes.npy", "nor u8 images"), ("/dev/null", "not a file")]:
        expect([name], 1, "", message)
    write("null.txt", b"a\0b\n")
    expect(["null.txt"], 1, "", "not a list")
    write("missing.txt", b"red.ppm\nnone.ppm\ngreen.ppm\n")
    r = expect(["--top=1", "missing.txt"], 1, None, "none.ppm: No such file")
    check("green.ppm: green" in r.stdout, "goes on after a wrong input", r.stdout)
    with open(path("cut.png"), "wb") as f, \
            open(os.path.join(DATA, "rgb.png"), "rb") as whole:
        f.write(whole.read()[:-5])
    expect(["cut.png"], 1, "", "truncated PNG")
    write("labels.bin", b"a\0b")
    expect(["--labels=labels.bin", "red.ppm"], 1, "", "not a text")
    expect(["--labels=none.txt", "red.ppm"], 1, "", "No such file")


def test_wrong_calls():
    for args, message in [
            ([], "no INPUT"), (["--what", "red.ppm"], "unknown option '--what'"),
            (["-j", "red.ppm"], "unknown option '-j'"),
            (["--top", "red.ppm"], "--top needs a value: --top=N"),
            (["--top=", "red.ppm"], "--top needs a value"),
            (["--top=0", "red.ppm"], "'0' is not a number from 1"),
            (["--top=-1", "red.ppm"], "'-1' is not a number"),
            (["--top=3x", "red.ppm"], "'3x' is not a number"),
            (["--top=99999999999", "red.ppm"], "is not a number"),
            (["--threads=two", "red.ppm"], "'two' is not a number"),
            (["--json=1", "red.ppm"], "--json takes no value"),
            (["--raw", "red.ppm"], "--raw needs a value: --raw=FILE.npy"),
            (["--layers", "red.ppm"], "--layers goes with --bench"),
            (["--bench=1", "--raw=x.npy", "red.ppm"], "does not go with"),
            (["--tops=1", "red.ppm"], "unknown option '--tops=1'"),
            (["--threads=5", "red.ppm"], "at most 4 threads"),
            (["--output=x", "red.ppm"], "no output 'x'")]:
        expect(args, 2, "", message)
    r = expect(["--help"], 0, "Usage: fake [OPTION]")
    for option in ("--top=N", "--raw=FILE.npy", "--expect=FILE", "Exit status"):
        check(option in r.stdout, option, "in --help")
    expect(["--info"], 0, "input image f32 1x3x8x8 image\noutput logits f32 1x4")


def test_environment():
    if os.path.exists("/dev/full"):
        with open("/dev/full", "w") as full:
            r = subprocess.run([os.path.join(PROGRAMS, "fake"), "red.ppm"],
                               cwd=WORK, stdout=full, stderr=subprocess.PIPE,
                               text=True)
        check(r.returncode == 3 and "cannot write" in r.stderr, r)


def test_two_inputs():
    npy("a.npy", "|u1", (1, 3, 2, 4), bytes([130] * 8 + [1] * 16))
    npy("b.npy", "<f4", (2, 3), struct.pack("<6f", 1, 2, 3, 4, 5, 6))
    npy("nan.npy", "<f4", (2, 3), struct.pack("<6f", *[float("nan")] * 6))
    two = {"program": "fake_two"}
    expect(["a.npy", "b.npy"], 0, "a.npy: sums: 2x3 f32, min 2, max 12, mean 7\n"
           "a.npy: map: 1x2x4 i32: class 2 100.0%\n"
           "a.npy: logits: class 0 1.00, class 1 0.00\n", **two)
    r = expect(["--json", "a.npy", "nan.npy"], 0, **two)
    sums, classes, logits = json.loads(r.stdout)["outputs"]
    check(sums["mean"] is None and sums["shape"] == [2, 3], sums)
    check(classes["histogram"] == [{"class": 2, "count": 8}], classes)
    check(logits["top"][0]["class"] == 0, logits)
    expect(["a.npy"], 1, "", "1 inputs are no multiple of the 2", **two)
    expect(["a.npy", "red.ppm"], 1, "", "declares no preprocessing", **two)
    expect(["b.npy", "a.npy"], 1, "", "is not input 'a'", **two)
    expect(["blue.ppm", "b.npy"], 1, "", "No such file", **two)
    ppm("blue.ppm", (10, 20, 200), 3)  # bgr: its blue comes first
    expect(["blue.ppm", "b.npy"], 0, "map: 1x2x4 i32: class 3 100.0%", **two)
    expect(["--output=map", "--raw=map.npy", "--quiet", "a.npy", "b.npy"], 0,
           "", **two)
    check(read_npy("map.npy") == ((1, 2, 4), (2,) * 8), read_npy("map.npy"))
    expect(["--raw=sums.npy", "--quiet", "a.npy", "b.npy"], 0, "", **two)
    check(read_npy("sums.npy") == ((2, 3), (2, 4, 6, 8, 10, 12)),
          read_npy("sums.npy"))
    expect(["--raw=sums.npy", "--quiet", "a.npy", "b.npy", "a.npy", "b.npy"], 0,
           "", **two)
    check(read_npy("sums.npy")[0] == (2, 2, 3), read_npy("sums.npy"))
    expect(["--expect=classes.npy", "a.npy", "b.npy"], 1, "",
           "'sums' is no vector", **two)
    expect(["--bench=2"], 0, "fake_two: min", **two)


def test_pictures():
    two = {"program": "fake_two"}
    expect(["--overlay=o.png", "a.npy", "b.npy"], 0,
           "a.npy: sums: 2x3 f32, min 2, max 12, mean 7\n"
           "a.npy: map: 1x2x4 i32: class 2 100.0%\n"
           "a.npy: logits: class 0 1.00, class 1 0.00\n"
           "o.png: class 2 #008000\n", **two)
    expect(["--overlay=o*.png", "--quiet", "a.npy", "b.npy", "a.npy", "b.npy"], 0, "",
           **two)
    for name in ("o.png", "o0.png", "o1.png"):
        with open(path(name), "rb") as f:
            content = f.read()
        check(content[:8] == b"\x89PNG\r\n\x1a\n", name)
        # 2 x 4 pixels, enlarged until the shorter side has 384
        check(struct.unpack(">II", content[16:24]) == (768, 384), name)
    check(open(path("o.png"), "rb").read() == open(path("o0.png"), "rb").read(),
          "the same picture again")
    expect(["--overlay=o.png", "--quiet", "a.npy", "b.npy", "a.npy", "b.npy"], 2,
           "", "write a '*'", **two)
    expect(["--overlay=o.png", "--output=sums", "a.npy", "b.npy"], 2, "",
           "output 'sums' is not a map of classes", **two)
    expect(["--maps=m.png", "a.npy", "b.npy"], 2, "", "no output is maps", **two)
    expect(["--overlay=o.png", "red.ppm"], 2, "", "no output is a map of classes")
    expect(["--overlay=o.png", "--bench=1"], 2, "", "does not go with")
    expect(["--maps=no/m.png", "--output=logits", "--quiet", "red.ppm"], 3, "", "no/m.png")
    expect(["--maps=m.png", "--output=logits", "--quiet", "red.ppm"], 0, "")
    with open(path("m.png"), "rb") as f:  # 2 tiles of 192 and a gap of 4
        check(struct.unpack(">II", f.read(24)[16:]) == (388, 192), "m.png")


make_inputs()
for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
shutil.rmtree(WORK)
print(f"{checks} checks, {failures} failed")
sys.exit(failures > 0)
