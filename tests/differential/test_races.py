"""A network's C, the runtime and their threads under the thread sanitizer: no element is
written by one task of a step and touched by another. With the algorithms that are chosen;
with others, for two threads (steps are copied then); and without optional passes.

    test_races.py VTC SOURCE_DIR"""
import glob
import os
import subprocess
import sys
import tempfile

VTC, SOURCE = sys.argv[1:]
HERE = os.path.join(SOURCE, "tests", "differential")
RUNTIME = os.path.join(SOURCE, "runtime")
MODEL = os.path.join(HERE, "races.vt")
OF_PROGRAMS = "main.c", "program.c", "options.c"  # of the runtime: this test has its own main
COMPILER = os.environ.get("CC", "gcc")
SKIPPED = 77


def call(arguments, folder):
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True)
    if done.returncode or "warning" in done.stderr:  # of a schedule that nothing takes, too
        sys.exit("%s: exit code %d\n%s%s" % (" ".join(arguments), done.returncode, done.stdout,
                                            done.stderr))


def sanitizer_works(folder):
    source = os.path.join(folder, "empty.c")
    with open(source, "w") as file:
        file.write("int main(void) { return 0; }\n")
    program = os.path.join(folder, "empty")
    made = subprocess.run([COMPILER, "-fsanitize=thread", source, "-o", program],
                          capture_output=True)
    return made.returncode == 0 and subprocess.run([program]).returncode == 0


def check(name, threads, options, folder):
    """Builds the network for so many threads at most, and runs it on as many."""
    out, program = os.path.join(folder, name), os.path.join(folder, name + "_races")
    call([VTC, "build", MODEL, "--weights=" + os.path.join(folder, "w.safetensors"), "--emit=c",
          "--max-threads=%d" % threads, "-o", out, *options], folder)
    runtime = [f for f in glob.glob(os.path.join(RUNTIME, "*.c"))
               if os.path.basename(f) not in OF_PROGRAMS]
    call([COMPILER, "-std=gnu11", "-O1", "-g", "-w", "-march=native", "-fsanitize=thread",
          "-I" + RUNTIME, "-I" + out, '-DNETWORK_HEADER="races.h"', "-DNETWORK=races_model",
          os.path.join(HERE, "races.c"), os.path.join(out, "races.c"),
          os.path.join(out, "races_weights.S"), *runtime, "-lpthread", "-lm", "-o", program], out)
    call([program, str(threads)], folder)
    print("%s: no two tasks of a step meet" % name)


with tempfile.TemporaryDirectory() as folder:
    if not sanitizer_works(folder):
        print("skipped: no thread sanitizer here")
        sys.exit(SKIPPED)
    call([VTC, "init", MODEL, "-o", os.path.join(folder, "w.safetensors")], folder)
    check("chosen", 4, [], folder)
    check("given", 2, ["--tuned=" + os.path.join(HERE, "races.tune")], folder)
    check("plain", 4, ["-O0"], folder)
