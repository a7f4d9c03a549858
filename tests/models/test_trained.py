"""The trained network, compiled: as accurate as it must be, and PyTorch's classes.

    test_trained.py VTC MODELS
"""
import os
import re
import subprocess
import sys
import tempfile

import numpy as np

vtc, models = sys.argv[1:3]
LEAST_RIGHT, LEAST_SAME, ALL = 9300, 9998, 10000
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
    check(int(total) == ALL, "%s images run" % total)
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
        images = folder + "/test_images.npy"
        scores = folder + "/scores.npy"
        right = accuracy(run(program, "--expect=" + folder + "/test_labels.npy",
                             "--raw=" + scores, images))
        check(right >= LEAST_RIGHT, "%d of %d classes right, at least %d"
              % (right, ALL, LEAST_RIGHT))
        theirs = np.load(models + "/train/vt_fashion.predictions.npy")
        same = int((np.load(scores).reshape(ALL, -1).argmax(1) == theirs).sum())
        check(same >= LEAST_SAME, "%d classes are PyTorch's, at least %d"
              % (same, LEAST_SAME))
        one = run(program, "--top=1", folder + "/item-0.png")
        check("Ankle boot" in one, "a picture of an ankle boot is one: " + one.strip())


main()
print("%d failed" % failed)
sys.exit(failed != 0)
