"""Runs a page of the documentation as a reader would, from its begin to its end, in a
folder with `models`: a block with a file's name becomes that file, a block of `sh` is run.

    run_page.py PAGE VTC MODELS
"""
import os
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.M | re.S)


def run(script, folder, environment):
    done = subprocess.run(["sh", "-eu", "-c", script], cwd=folder, env=environment,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit("failed (exit code %d):\n%s\n%s" % (done.returncode, script, done.stdout))


def main(page, vtc, models):
    with open(page, encoding="utf-8") as file:
        text = file.read()
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(models, os.path.join(folder, "models"))
        tools = os.path.join(folder, "bin")
        os.mkdir(tools)
        os.symlink(vtc, os.path.join(tools, "vtc"))
        os.symlink("/usr/bin/python3", os.path.join(tools, "python3"))
        environment = dict(os.environ, PATH=tools + ":" + os.environ["PATH"],
                           PYTHONDONTWRITEBYTECODE="1", PYTHONWARNINGS="ignore")
        files = scripts = 0
        for kind, name, body in BLOCK.findall(text):
            if name.strip():
                files += 1
                with open(os.path.join(folder, name.strip()), "w", encoding="utf-8") as file:
                    file.write(body)
            elif kind == "sh":
                scripts += 1
                run(body, folder, environment)
        print("%d files, %d scripts" % (files, scripts))
        if not files or not scripts:
            sys.exit("nothing to run in " + page)


main(*sys.argv[1:])
