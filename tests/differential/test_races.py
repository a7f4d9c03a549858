"""A network's C, the runtime and their threads under the thread sanitizer: no element is
written by one task of a step and touched by another. Once as it is optimised, once not.

    test_races.py VTC SOURCE_DIR"""
import glob
import os
import subprocess
import sys
import tempfile

VTC, SOURCE = sys.argv[1:]
HERE = os.path.join(SOURCE, "tests", "differential")
RUNTIME = os.path.join(SOURCE, "runtime")
COMPILER = os.environ.get("CC", "gcc")
SKIPPED = 77


def call(arguments, folder):
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True)
    if done.returncode:
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


def check(name, options, folder):
    model, weights = os.path.join(HERE, "races.vt"), os.path.join(folder, "w.safetensors")
    out = os.path.join(folder, name)
    call([VTC, "init", model, "-o", weights], folder)
    call([VTC, "build", model, "--weights=" + weights, "--emit=c", "--max-threads=4", "-o", out,
          *options], folder)
    main = "main.c", "program.c", "options.c"
    runtime = [f for f in glob.glob(os.path.join(RUNTIME, "*.c"))
               if os.path.basename(f) not in main]
    call([COMPILER, "-std=gnu11", "-O1", "-g", "-w", "-march=native", "-fsanitize=thread",
          "-I" + RUNTIME, "-I" + out, '-DNETWORK_HEADER="races.h"', "-DNETWORK=races_model",
          os.path.join(HERE, "races.c"), os.path.join(out, "races.c"),
          os.path.join(out, "races_weights.S"), *runtime, "-lpthread", "-lm",
          "-o", os.path.join(folder, name + "_races")], out)
    call([os.path.join(folder, name + "_races")], folder)
    print("%s: no two tasks of a step meet" % name)


with tempfile.TemporaryDirectory() as folder:
    if not sanitizer_works(folder):
        print("skipped: no thread sanitizer here")
        sys.exit(SKIPPED)
    check("optimised", [], folder)
    check("plain", ["-O0"], folder)
