"""The networks of bench/: each one that is timed has a model that `vtc check` accepts, and
each model of bench/networks is timed.

    test_networks.py VTC BENCH"""
import os
import subprocess
import sys

vtc, bench = sys.argv[1:3]
sys.path.insert(0, bench)
import networks  # noqa: E402

failed = 0


def check(good, text):
    global failed
    print("ok  " if good else "FAIL", text)
    failed += not good


timed = {name: folder for name, (folder, _) in networks.NETWORKS.items()}
timed.update((name, networks.OWN) for name in networks.MODULES)
for name, folder in sorted(timed.items()):
    done = subprocess.run([vtc, "check", os.path.join(folder, name + ".vt")],
                          capture_output=True, text=True)
    check(done.returncode == 0, "%s is right: %s" % (name, done.stderr.strip()))
own = sorted(f[:-3] for f in os.listdir(networks.OWN) if f.endswith(".vt"))
check(own == sorted(n for n, folder in timed.items() if folder == networks.OWN),
      "all of bench/networks is timed")
sys.exit(failed > 0)
