"""What the tests of the command share: calls in a folder of their own, and the verdict.

Every test is called as  test_NAME.py VTC MODELS  and ends with finish().
"""
import os
import shutil
import subprocess
import sys
import tempfile

vtc, models = [os.path.abspath(path) for path in sys.argv[1:3]]
here = os.path.dirname(os.path.abspath(__file__))
slow = "VTC_SLOW" in os.environ  # built to find mistakes, not to be fast
work = tempfile.mkdtemp(prefix="vtc_command_")
checks = failures = 0
skipped = []


def check(good, *what):
    global checks, failures
    checks += 1
    if not good:
        failures += 1
        print("FAIL", *what)


def skip(what):
    """Counted and said at the end: nothing is left out quietly."""
    skipped.append(what)


def path(name):
    return os.path.join(work, name)


def write(name, content):
    data = content if isinstance(content, bytes) else content.encode()
    with open(path(name), "wb") as f:
        f.write(data)
    return name


def read(name):
    with open(path(name), "rb") as f:
        return f.read()


def copy(source, name):
    shutil.copy(source, path(name))
    return name


def call(*args, program=None, **more):
    """The command (or a program) in the work folder, its output as text."""
    more.setdefault("cwd", work)
    return subprocess.run([program or vtc, *args], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, encoding="utf-8", errors="replace",
                          stdin=subprocess.DEVNULL, **more)


def expect(args, code, message="", **more):
    """The exit code, and a part of what is said: on stderr, or of what is well on either.
    What fails says nothing on stdout and is no crash."""
    r = call(*args, **more)
    said = r.stderr if code else r.stdout + r.stderr
    text = "%s: exit %d, not %d: %s" % (" ".join(args), r.returncode, code, r.stderr[-600:])
    check(r.returncode == code, text)
    check(message in said, "%s: expected '%s' in '%s'" % (" ".join(args), message, said[:600]))
    return r


def tree(folder=None):
    """Every file below a folder with its size: what a failed call must not change."""
    found = {}
    for base, _, names in os.walk(folder or work):
        for name in names:
            file = os.path.join(base, name)
            found[os.path.relpath(file, folder or work)] = os.lstat(file).st_size
    return found


def finish():
    shutil.rmtree(work)
    print("%d checks, %d failed, %d skipped" % (checks, failures, len(skipped)))
    for what in skipped:
        print("skipped:", what)
    sys.exit(failures > 0)
