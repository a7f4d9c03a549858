"""Runs the programs of a document: each through every stage, against the interpreter.

    verify_examples.py VTC FOLDER     where `run_language docs` put them
"""
import glob
import os
import subprocess
import sys

vtc, folder = sys.argv[1:3]
LEAST = 9
failed = 0
programs = sorted(glob.glob(os.path.join(folder, "*.vt")))
for program in programs:
    done = subprocess.run([vtc, "verify", program], capture_output=True, text=True)
    good = done.returncode == 0 and "steps agree" in done.stdout and not done.stderr
    failed += not good
    print(("ok   " if good else "FAIL ") + os.path.basename(program))
    if not good:
        print(done.stdout + done.stderr)
print("%d programs, %d failed" % (len(programs), failed))
sys.exit(failed > 0 or len(programs) < LEAST)
