"""Runs a page of the documentation as a reader would: every block with a file's name
becomes that file, then every block of `sh` is run, in order, in a folder with `models`.

    run_page.py PAGE VTC MODELS
"""
import os
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.M | re.S)


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
        blocks = BLOCK.findall(text)
        files = [(name.strip(), body) for _, name, body in blocks if name.strip()]
        scripts = [body for kind, name, body in blocks if kind == "sh" and not name.strip()]
        for name, body in files:
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(body)
        for body in scripts:
            done = subprocess.run(["sh", "-eu", "-c", body], cwd=folder, env=environment,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode:
                sys.exit("failed (exit code %d):\n%s\n%s" %
                         (done.returncode, body, done.stdout))
        print("%d files, %d scripts" % (len(files), len(scripts)))
        if not files or not scripts:
            sys.exit("nothing to run in " + page)


main(*sys.argv[1:])
