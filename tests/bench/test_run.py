"""bench/run.py without its engines: wrong calls, what cannot be timed, what is kept.

    test_run.py VTC BENCH

Nothing here depends on a time."""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

vtc, bench = sys.argv[1:3]
failed = 0


def check(good, text):
    global failed
    print("ok  " if good else "FAIL", text)
    failed += not good


def call(folder, *options):
    return [sys.executable, "-B", os.path.join(bench, "run.py"), *options, vtc, folder]


def wrong_calls(folder):
    for words, option in (("no network 'resnet17'", "--networks=resnet17"),
                          ("there are: resnet18", "--networks="),
                          ("no engine 'tvm'", "--engines=tvm"), ("no part 'x'", "--parts=x"),
                          ("numbers from 1", "--threads=0"), ("numbers from 1", "--threads=a"),
                          ("numbers from 1", "--rounds=0")):
        done = subprocess.run(call(folder, option), capture_output=True, text=True)
        check(done.returncode == 2 and words in done.stderr, option + " is refused")


def without_engines(folder):
    """Python here has none of them, or not all: what is missing is named, ours is timed."""
    result = os.path.join(folder, "kept", "result.json")
    done = subprocess.run(
        call(folder, "--parts=engines", "--engines=mnn,ncnn", "--networks=mobilenet_blocks",
             "--threads=1", "--rounds=1", "--json=" + result),
        capture_output=True, text=True)
    check(done.returncode == 0, "runs: " + done.stderr[-300:])
    with open(result) as file:
        kept = json.load(file)
    row = kept["rows"][0]
    ours = row["engines"]["vtc"]
    check(kept["finished"] and row["network"] == "mobilenet_blocks", "the row is kept")
    check(all(ours[k] > 0 for k in ("min_ms", "median_ms", "percent_of_peak", "peak_mb",
                                    "cold_start_ms", "file_mb")), "with all its figures")
    check(row["limit_ms"] > 0 and kept["limits"]["1"]["l2_gbps"] > 0, "and its limit")
    for name in ("mnn", "ncnn"):
        where = row["engines"].get(name) or kept["skipped"].get(name)
        check(where and (name in row["engines"] or "not timed: " + name in done.stdout),
              name + " is timed or named")
    check("%d not timed" % len(kept["skipped"]) in done.stdout, "and counted")


def interrupted(folder):
    """While the machine is measured, or later: it ends, and what there is, is whole."""
    result = os.path.join(folder, "stopped.json")
    run = subprocess.Popen(call(folder, "--parts=engines", "--engines=mnn", "--networks=resnet18",
                                "--json=" + result), stdout=subprocess.PIPE, text=True)
    while not os.path.exists(result) and run.poll() is None:
        time.sleep(0.05)
    run.send_signal(signal.SIGTERM)
    text = run.communicate()[0]
    check(run.returncode == 130 and "interrupted" in text, "a signal ends it")
    with open(result) as file:
        check(json.load(file)["finished"] is False, "the result file is whole")


def main():
    with tempfile.TemporaryDirectory() as folder:
        wrong_calls(folder)
        without_engines(folder)
        interrupted(folder)
    sys.exit(failed > 0)


main()
