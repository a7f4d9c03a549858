"""Trained segmentation, compiled: PyTorch's class maps, and pictures of them.

    test_segmentation.py VTC MODELS

The 500 test scenes are composed again from Fashion-MNIST; the standalone programs
must find PyTorch's classes (train/NETWORK.predictions.npz) and its mIoU.
"""
import os
import re
import subprocess
import sys
import tempfile

vtc, models = sys.argv[1:3]
NETWORKS = ["fpn_scenes", "vt_fpn_scenes"]
MOST_POINTS, LEAST_SAME = 0.1, 99.9  # of mIoU, percent of pixels
failed = 0


def check(good, text):
    global failed
    print("ok  " if good else "FAIL", text)
    failed += not good


def run(*args):
    result = subprocess.run(args, capture_output=True, text=True)
    if result.returncode:
        print(result.stdout, result.stderr)
        sys.exit("%s: exit code %d" % (args[0], result.returncode))
    return result.stdout


def logged(name):
    """mIoU and scenes as the training's log tells them."""
    with open("%s/train/%s.log" % (models, name)) as f:
        found = re.findall(r"^test: mIoU ([\d.]+), .* (\d+) scenes$", f.read(), re.M)
    return float(found[-1][0]), int(found[-1][1])


def test_classes(name, folder, truth):
    program = folder + "/" + name
    run(vtc, "build", "%s/%s.vt" % (models, name), "-o", program)
    # One thread: several wait for each other at every layer where others run beside.
    run(program, "--quiet", "--threads=1", "--raw=" + program + ".npy", folder + "/scenes.npy")
    ours = np.load(program + ".npy")
    theirs = np.load("%s/train/%s.predictions.npz" % (models, name))["classes"]
    check(ours.shape == theirs.shape == truth.shape, "%s: %d scenes" % (
        name, len(ours)))
    same = 100 * (ours == theirs).mean()
    check(same >= LEAST_SAME, "%s: %.4f %% of pixels as PyTorch" % (name, same))
    iou, count = logged(name)
    check(count == len(truth), "%s: the log is of as many scenes" % name)
    found = scenes.class_ious(truth, ours).mean()
    check(abs(found - iou) <= MOST_POINTS, "%s: mIoU %.2f, PyTorch's %.2f" % (
        name, found, iou))


def png_size(path):
    with open(path, "rb") as f:
        head = f.read(24)
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def test_pictures(folder):
    program, label = folder + "/maps", "neck.tokenizer.1.attention"
    run(vtc, "build", models + "/vt_fpn_scenes.vt", "--output=" + label, "-o", program)
    text = run(program, "--overlay=%s/o.png" % folder, "--maps=%s/m.png" % folder,
               folder + "/scene-0.png")
    check(re.search(r"^.*o\.png: background #000000, .+ #[0-9a-f]{6}$", text, re.M),
          "the legend: " + text.strip().splitlines()[-1])
    check(png_size(folder + "/o.png") == (384, 384), "the overlay")
    # the photograph and 8 tokens: 3 by 3 tiles of 192 and gaps of 4
    check(png_size(folder + "/m.png") == (584, 584), "the maps of tokens")
    text = run(program, "--quiet", "--output=" + label, "--raw=%s/a.npy" % folder,
               folder + "/scene-0.png")
    sums = np.load(folder + "/a.npy").sum(2)
    check(sums.shape == (1, 8) and abs(sums - 1).max() < 1e-4,
          "each token's map adds up to 1")


def main():
    with tempfile.TemporaryDirectory() as folder:
        run(sys.executable, "-B", models + "/train/scenes.py", folder)
        truth = np.load(folder + "/maps.npy")
        for name in NETWORKS:
            test_classes(name, folder, truth)
        test_pictures(folder)
    print("%d failed" % failed)
    sys.exit(failed != 0)


if not os.path.isdir(os.environ.get("FASHION_MNIST",
                                    "/usr/share/datasets/fashion-mnist")):
    print("1 skipped: package dataset-fashion-mnist is missing")
    sys.exit(0)
try:
    import numpy as np
except ImportError:
    print("1 skipped: package python3-numpy is missing")
    sys.exit(0)
sys.path.insert(0, models + "/train")
import scenes

main()
