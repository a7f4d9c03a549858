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

# Of what a VT-FPN adds, print counts the 1x1 convolutions between wide maps.
WIDE = ("lateral", "conv_value", "proj_query_conv", "output")


# GMAC of the semantic FPN: whole with ResNet-50 and with -101, and the pyramid; the
# VT-FPN's pyramid. Print has 37.1 and 12.8 at 473x473, where maps are rounded up.
PYRAMIDS = {"coco": (159.1, 231.1, 55.10, 8.46), "lip": (37.3, 54.4, 12.89, 1.99)}


def neck(name, parts=None):
    """GMAC of the pyramid: of all its layers, or of those whose labels hold a part."""
    layers = report("%s/%s.vt" % (models, name))["layers"]
    return sum(n["macs"] for n in layers if n["name"].startswith("neck.") and
               (parts is None or any(p in n["name"].split(".") for p in parts))) / 1e9


for size, (whole50, whole101, fpn, vt_fpn) in PYRAMIDS.items():
    for depth, whole in ((50, whole50), (101, whole101)):
        name = "fpn_resnet%d_%s" % (depth, size)
        found = report("%s/%s.vt" % (models, name))["total"]["macs"] / 1e9
        check(near(found, whole, 0), "%s: %.2f GMAC" % (name, found))
        found = neck(name)
        check(near(found, fpn, 1e-3), "%s: %.2f GMAC in the FPN" % (name, found))
        found = neck("vt_" + name, WIDE)
        check(abs(found - vt_fpn) < 0.01, "vt_%s: %.2f GMAC in the FPN, %.2f with tokens" % (
            name, found, neck("vt_" + name)))

paper = report("--paper", "--models=" + models)["networks"]
check(len(paper) >= 60, "%d published networks" % len(paper))
for n in paper:
    exact = n["family"] in ("VT", "VT ablation") and not n["remark"]
    for unit, most in (("gmacs", 1e-3), ("mparams", 0.1)):
        printed, off = n["published_" + unit], n[unit + "_difference"]
        if printed is None:
            check(n["remark"], "%s: no %s printed, a remark says so" % (n["name"], unit))
            continue
        good = abs(off) <= (most if exact else 0.03 * printed) or n["remark"]
        check(good, "%s: %s %.2f %% off print" % (n["name"], unit, 100 * off / printed))
print("%d failed" % failed)
sys.exit(failed != 0)
