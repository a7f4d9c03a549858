"""The memory plan of every network: the workspace is within 3 % of what must be alive at
once, which no plan can be below.

    test_memory.py VTC MODELS [NAME...]
"""
import glob
import json
import os
import subprocess
import sys

vtc, models, *names = sys.argv[1:]
MOST = 1.03
failed = 0

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
    print("%d networks %s" % (len(files), " ".join(options)))
sys.exit(failed > 0)
