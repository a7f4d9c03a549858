"""Every stage of networks on a photograph: `vtc verify --input`, whose
reference here is the interpreter in double.

    test_verify.py VTC MODELS NAME...

The first also with two threads at most, which changes steps (inputs are copied).
"""
import os
import subprocess
import sys

vtc, models = sys.argv[1:3]
PHOTO = "/usr/lib/python3/dist-packages/imageio/resources/images/chelsea.png"
failed = skipped = 0
names = sys.argv[3:]
for name, few in [(n, []) for n in names] + [(names[0], ["--max-threads=2"])]:
    args = [vtc, "verify", "%s/%s.vt" % (models, name), "--seed=1", "--exact", *few]
    if os.path.exists(PHOTO):
        args.append("--input=" + PHOTO)
    else:
        skipped += 1
        print("skipped: the photograph (package python3-imageio); random input instead")
    result = subprocess.run(args, capture_output=True, text=True)
    print(name, result.stdout, result.stderr, sep="\n")
    good = result.returncode == 0 and "C by gcc" in result.stdout
    if "built without LLVM" in result.stdout:
        skipped += 1
        print("skipped: the LLVM back end (package llvm-19-dev)")
    else:
        good = good and "LLVM, 2 threads        the same bits" in result.stdout
    failed += not good
print("%d skipped, %d failed" % (skipped, failed))
sys.exit(failed != 0)
