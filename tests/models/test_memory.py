"""The memory plan of every network: the workspace is within 3 % of what must be alive at
once, which no plan can be below. That of window attention is smaller than the largest
map would be with its windows unfolded: they are read where they lie.

    test_memory.py VTC MODELS [NAME...]
"""
import glob
import json
import math
import os
import re
import subprocess
import sys

vtc, models, *names = sys.argv[1:]
MOST = 1.03
WINDOWS = ["san19_pairwise", "san19_patchwise", "lr_resnet50", "sasa_resnet50_conv_stem"]
failed = 0


def unfolded_bytes(path):
    """Of the largest value that the network states by `unfold`."""
    text = subprocess.run([vtc, "dump", path, "--stage=graph"], capture_output=True,
                          text=True, check=True).stdout
    shapes = re.findall(r"= unfold .* : f32\[([\d,]+)\]", text)
    return max(4 * math.prod(int(n) for n in shape.split(",")) for shape in shapes)

files = [os.path.join(models, n + ".vt") for n in names] or sorted(
    f for folder in ("", "ablations", "forms")
    for f in glob.glob(os.path.join(models, folder, "*.vt")))
for options in [], ["--target=x86-64-v4", "--max-threads=1"]:
    done = subprocess.run([vtc, "report", *files, "--format=json", *options],
                          capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    reports = json.loads(done.stdout)
    for report in reports if isinstance(reports, list) else [reports]:
        total = report["total"]
        needs, alive = total["workspace_bytes"], total["live_bytes"]
        if not 0 < alive <= needs <= MOST * alive:
            failed += 1
            print("FAIL %s %s: %d bytes of workspace, %d alive" %
                  (report["model"], " ".join(options), needs, alive))
        if report["model"] in WINDOWS:
            unfolded = unfolded_bytes(os.path.join(models, report["model"] + ".vt"))
            print("%s: %d bytes of workspace, %d unfolded" % (
                report["model"], needs, unfolded))
            failed += needs >= unfolded
    print("%d networks %s" % (len(files), " ".join(options)))
sys.exit(failed > 0)
