"""The trained network, compiled: as accurate as it must be, and PyTorch's classes.

    test_trained.py VTC MODELS [IMAGES]

IMAGES: only so many, where the runtime is slow.
"""
import os
import re
import subprocess
import sys
import tempfile

import numpy as np

vtc, models = sys.argv[1:3]
IMAGES = int(sys.argv[3]) if len(sys.argv) > 3 else 10000
LEAST_RIGHT, LEAST_SAME = 0.93 * IMAGES, IMAGES - 2
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


def accuracy(text):
    right, total = re.findall(r"^accuracy (\d+)/(\d+)$", text, re.M)[-1]
    check(int(total) == IMAGES, "%s images run" % total)
    return int(right)


def main():
    data = os.environ.get("FASHION_MNIST", "/usr/share/datasets/fashion-mnist")
    if not os.path.isdir(data):
        print("1 skipped: package dataset-fashion-mnist is missing")
        return
    with tempfile.TemporaryDirectory() as folder:
        run(sys.executable, "-B", models + "/train/fashion_data.py", folder)
        program = folder + "/vt_fashion"
        # The sanitizers' runtime is linked by the compiler's own flags.
        run(vtc, "build", models + "/vt_fashion.vt", "-o", program)
        images, labels = folder + "/test_images.npy", folder + "/test_labels.npy"
        scores = folder + "/scores.npy"
        for array in images, labels:
            np.save(array, np.load(array)[:IMAGES])
        # One thread: several wait for each other at every layer where others run beside.
        right = accuracy(run(program, "--threads=1", "--expect=" + labels,
                             "--raw=" + scores, images))
        check(right >= LEAST_RIGHT, "%d of %d classes right, at least %d"
              % (right, IMAGES, LEAST_RIGHT))
        theirs = np.load(models + "/train/vt_fashion.predictions.npy")[:IMAGES]
        same = int((np.load(scores).reshape(IMAGES, -1).argmax(1) == theirs).sum())
        check(same >= LEAST_SAME, "%d classes are PyTorch's, at least %d"
              % (same, LEAST_SAME))
        one = run(program, "--top=1", folder + "/item-0.png")
        check("Ankle boot" in one, "a picture of an ankle boot is one: " + one.strip())


main()
print("%d failed" % failed)
sys.exit(failed != 0)
