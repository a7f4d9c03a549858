"""vtc bench: times of a whole run and of every layer, against the machine's own limits.

    test_bench.py VTC MODELS
"""
import json
import os
import re
import subprocess
import sys

vtc, models = sys.argv[1:3]
small = os.path.join(os.path.dirname(os.path.abspath(__file__)), "report", "small.vt")
failed = 0


def check(good, text):
    global failed
    print("ok  " if good else "FAIL", text)
    failed += not good


def call(*args):
    return subprocess.run([vtc, *args], capture_output=True, text=True)


def output(*args):
    result = call(*args)
    if result.returncode or result.stderr:
        print(result.stdout, result.stderr)
        sys.exit("%s: exit code %d" % (" ".join(args), result.returncode))
    return result.stdout


def check_layers(model, *options):
    bench = json.loads(output("bench", model, "--layers", "--runs=5", "--format=json",
                              "--threads=1", *options))
    report = json.loads(output("report", model, "--format=json"))
    name = "%s %s" % (bench["name"], bench["backend"])
    layers = bench["layers"]
    check(sum(l["macs_lowered"] for l in layers) == report["total"]["macs_lowered"],
          name + ": the layers execute what the report says")
    stated = {l["name"]: l["macs"] for l in report["layers"]}
    check(all(l["macs"] == stated.get(l["name"], 0) for l in layers),
          name + ": and state what it says")
    check(0 < bench["min_ms"] <= bench["median_ms"] and bench["threads"] == 1 and
          bench["runs"] == 5, name + ": times of whole runs")
    check(bench["peak_gflops"] > 0.5 and bench["bandwidth_gbs"] > 0.2,
          name + ": %.1f GFLOP/s, %.1f GB/s" % (bench["peak_gflops"], bench["bandwidth_gbs"]))
    check(abs(sum(l["share_percent"] for l in layers) - 100) < 1e-6, name + ": shares are all")
    for l in layers:
        gflops = 2e-6 * l["macs_lowered"] / l["min_ms"]
        check(l["min_ms"] > 0 and l["bytes"] > 0 and abs(gflops - l["gflops"]) < 1e-6 * gflops + 1e-9,
              name + ": time, bytes and rate of " + l["name"])
        compute = 2e-6 * l["macs_lowered"] / bench["peak_gflops"]
        memory = 1e-6 * l["bytes"] / bench["bandwidth_gbs"]
        check(l["bound"] == ("compute" if compute >= memory else "memory") and
              abs(l["bound_percent"] * l["min_ms"] / 100 / max(compute, memory) - 1) < 1e-3,
              name + ": bound of " + l["name"])
    return bench


def check_sane(bench):
    """Of a real network every layer has a time and a share of the peak. What they are
    is said, not judged: machines that tests share are noisy."""
    large = [l for l in bench["layers"] if l["macs_lowered"] > 20e6]
    check(large and all(l["min_ms"] > 0 and l["peak_percent"] > 0 for l in large),
          "large layers have a time and a rate")
    ratio = sum(l["min_ms"] for l in bench["layers"]) / bench["min_ms"]
    print("     layers add up to %.2f of the whole, the best at %.0f %% of the peak" %
          (ratio, max(l["peak_percent"] for l in large)))
    algorithms = {l["name"]: l["algorithm"] for l in bench["layers"]}
    check(algorithms["conv1"] == "toom_cook(4)" and algorithms["fc"] == "direct" and
          re.fullmatch(r"winograd\(\d\)", algorithms["layer1.0.conv1"]),
          "algorithms are named, with their tiles")


def main():
    c = check_layers(small)
    if "LLVM" in call("build", "--backend=llvm", "--emit=asm", small, "-o", os.devnull).stderr:
        print("1 skipped: built without LLVM")
    else:
        llvm = check_layers(small, "--backend=llvm")
        check([l["name"] for l in llvm["layers"]] == [l["name"] for l in c["layers"]],
              "both back ends time the same layers")
    check_sane(check_layers(models + "/resnet18.vt"))
    table = output("bench", small, "--layers", "--runs=3", "--threads=1")
    check(re.search(r"^grouped +conv2d +\[1,32,32,32\] +\S+ +\d", table, re.M) and
          re.search(r"peak [\d.]+ GFLOP/s, memory [\d.]+ GB/s", table), "as a table")
    plain = json.loads(output("bench", small, "--runs=3", "--format=json", "--threads=1"))
    check(plain["layers"] == [] and plain["min_ms"] > 0, "without layers: the program's own")
    for code, words, args in (
            (2, "none of", ["--format=csv"]),
            (2, "does not run here", ["--layers", "--target=cortex-m7"]),
            (2, "more than --max-threads", ["--layers", "--max-threads=2", "--threads=3"])):
        result = call("bench", small, "--runs=2", *args)
        check(result.returncode == code and words in result.stderr,
              "exit %d: %s" % (code, " ".join(args)))
    sys.exit("%d checks failed" % failed if failed else 0)


main()
