"""Multiply-accumulates and parameters of the networks beside print, and those that
are pinned to the digit.

    test_published.py VTC MODELS
"""
import json
import subprocess
import sys

vtc, models = sys.argv[1:3]
failed = 0

# MMAC of the whole and, where given, of stage 5 (layer4), within these parts of it.
PINNED = {"resnet18": (1814.1, 411.0, 1e-4), "resnet34": (3663.8, 642.3, 1e-4),
          "resnet50": (4089.2, 809.2, 1e-4), "resnet101": (7801.4, 809.2, 1e-4),
          "vt_resnet18": (None, 71.4, 5e-3), "vt_resnet34": (None, 107.2, 5e-3),
          "vt_resnet50": (None, 195.0, 5e-3), "vt_resnet101": (None, 195.0, 5e-3)}


def check(good, what):
    global failed
    failed += not good
    print(("ok   " if good else "FAIL ") + what)


def report(*arguments):
    return json.loads(subprocess.run([vtc, "report", *arguments, "--format=json"], check=True,
                                     capture_output=True, text=True).stdout)


def near(found, expected, part):
    return abs(found - expected) <= max(part * expected, 0.05)


for name, (whole, stage5, part) in PINNED.items():
    r = report("%s/%s.vt" % (models, name))
    macs = r["total"]["macs"] / 1e6
    check(whole is None or near(macs, whole, part), "%s: %.1f MMAC" % (name, macs))
    layer4 = sum(s["macs"] for s in r["stages"] if s["name"] == "layer4") / 1e6
    check(near(layer4, stage5, part), "%s: %.1f MMAC in stage 5" % (name, layer4))

paper = report("--paper", "--models=" + models)["networks"]
check(len(paper) >= 12, "%d published networks" % len(paper))
for n in paper:
    off = abs(n["gmacs_difference"]) / n["published_gmacs"]
    check(off <= 0.03 or n["remark"], "%s: %.2f %% off print" % (n["name"], 100 * off))
    off = abs(n["mparams_difference"]) / n["published_mparams"]
    check(off <= 0.03 or n["remark"], "%s: parameters %.2f %% off print" % (n["name"], 100 * off))
print("%d failed" % failed)
sys.exit(failed != 0)
