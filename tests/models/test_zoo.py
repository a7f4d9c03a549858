"""All networks of models/ in one call each of `vtc check` and `vtc report`: nothing to
complain of, each short, all of them counted. The processor time of both calls is said
(it should be below 10 seconds), but depends on the machine and fails nothing.

    test_zoo.py VTC MODELS
"""
import glob
import json
import os
import resource
import subprocess
import sys

LEAST, MOST_LINES = 60, 40
vtc, models = sys.argv[1:3]
paths = sorted(p for p in glob.glob(models + "/**/*.vt", recursive=True)
               if not p.startswith(models + "/lib/"))
failed = 0


def check(good, what):
    global failed
    failed += not good
    print(("ok   " if good else "FAIL ") + what)


def run(*arguments):
    result = subprocess.run([vtc, *arguments], capture_output=True, text=True)
    check(result.returncode == 0 and not result.stderr, "vtc %s: exit code %d, %s" % (
        arguments[0], result.returncode, result.stderr or "silent"))
    return result.stdout


def lines(path):
    with open(path, encoding="utf-8") as f:
        return len(f.readlines())


run("check", *paths)
reports = json.loads(run("report", *paths, "--format=json"))
used = resource.getrusage(resource.RUSAGE_CHILDREN)
seconds = used.ru_utime + used.ru_stime
check(len(paths) >= LEAST, "%d networks" % len(paths))
print("    %.1f s of processor time" % seconds)
for path, report in zip(paths, reports, strict=True):
    name = os.path.basename(path)[:-len(".vt")]
    total = report["total"]
    check(report["model"] == name and total["macs"] > 0 and total["macs_lowered"] > 0 and
          total["params"] > 0, "%s: %.3f GMAC" % (name, total["macs"] / 1e9))
    # The forms stand for what users write, modules and all, in one file.
    check("/forms/" in path or lines(path) < MOST_LINES, "%s: %d lines" % (name, lines(path)))
print("%d failed" % failed)
sys.exit(failed != 0)
