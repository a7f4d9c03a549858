"""Every weight matters: of visual transformers on a short trunk, reduced; of networks of
window attention, residual ones with their gates, and pyramids, small.

    test_zeroed_weights.py PROGRAM MODELS [NETWORK...]     PROGRAM: zeroed_weights
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import reduced

program, models = sys.argv[1:3]
SMALL = {"window_networks.vt": ["san_pairwise", "san_patchwise", "stand_alone",
                                "local_relation_net", "augmented_net"],
         "residual_networks.vt": ["plain", "gated_twice", "pyramid", "token_pyramid"]}
failed = 0


def check(*arguments):
    global failed
    failed += subprocess.run([program, *arguments], check=False).returncode != 0


def on_small_image(name, folder):
    """A network with all its channels, its image 64x64."""
    tree = shutil.copytree(models, folder, ignore=lambda *_: ["train"])
    path = "%s/%s.vt" % (tree, name)
    with open(path, encoding="utf-8") as f:
        text = f.read()
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace("224, 224]", "64, 64]").replace("crop 224", "crop 64"))
    return path


with tempfile.TemporaryDirectory() as folder:
    tree = reduced.reduce(reduced.on_trunk(models, folder + "/models"))
    names = sys.argv[3:] or [
        os.path.join(place, name)[:-len(".vt")] for place in ("", "ablations", "forms")
        for name in sorted(os.listdir(os.path.join(tree, place)))
        if place == "forms" and name.endswith(".vt") or re.match(r"vt_resnet.*\.vt", name)]
    for name in names:
        check("%s/%s.vt" % (tree, name))
    if not sys.argv[3:]:
        for name, networks in SMALL.items():
            check(os.path.join(reduced.HERE, name), *networks)
        check(on_small_image("resnet18_se", folder + "/gates"))
        print("%d networks" % (len(names) + sum(map(len, SMALL.values())) + 1))
print("%d failed" % failed)
sys.exit(failed != 0)
