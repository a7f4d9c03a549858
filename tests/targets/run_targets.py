"""Compiled networks on every target: built by each back end, run where the target's
row says (this machine, qemu, node), compared bit by bit with what the loop
interpreter computes here for the same target.

    run_targets.py VTC RUNTIME [--models=FILE,..] [--targets=NAME,..]
                   [--record=FILE.def] [--markdown=FILE.md] [--jobs=N]

The first model is the one whose outputs are operators. Prints a line for each target
and back end; what a target lacks (a compiler, an emulator) is said and counted.
"""
import argparse
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
BACKENDS = ["c", "llvm"]
# Where NEON takes denormals for zero: parts of an output's largest element.
FLUSHED = 1e-5

NUMPY = {"f32": "f4", "i32": "i4", "u8": "u1", "bool": "u1"}


class Failure(Exception):
    pass


class TooLarge(Exception):
    """The network does not fit into the machine's memory."""


def run(command, **more):
    result = subprocess.run(command, capture_output=True, **more)
    if b"' overflowed by" in result.stderr:
        raise TooLarge
    if result.returncode != 0:
        text = (result.stdout + result.stderr).decode(errors="replace").strip()
        raise Failure(f"{' '.join(command[:3])} ..: exit {result.returncode}: {text[-300:]}")
    return result.stdout


def ports(header, kind):
    """Name, element type and bytes of each port, as the header's comment says."""
    found = re.findall(rf"^ \*   {kind} (\w+): (\w+)\[.*?\], (\d+) bytes", header, re.M)
    return [(name, dtype, int(size)) for name, dtype, size in found]


class Machine:
    """A target and the tools that its row names."""

    def __init__(self, row, runtime):
        self.row, self.runtime = row, runtime
        self.cc = (row["cc"] or "gcc").split()
        self.emulator = [] if row["here"] else row["run"].split()
        self.order = ">" if row["big_endian"] else "<"

    def missing(self):
        """What is not there to run it: the processor, or programs with what to install."""
        if not self.row["here"] and not self.emulator:
            return [f"a processor with {self.row['doc']}, which nothing emulates"]
        tools = {self.cc[0]: row_package(self.row)}
        if self.emulator:
            tools[self.emulator[0]] = package_of(self.emulator[0])
        return [f"{tool} (package {package})" for tool, package in tools.items()
                if not shutil.which(tool)]

    def how(self):
        return " ".join(self.emulator) if self.emulator else "on this machine"

    def sources(self):
        machine = ("machine_wasm.c" if "wasm" in self.row["triple"] else
                   "machine_cortex_m.c" if self.row["freestanding"] else "machine_hosted.c")
        return [os.path.join(HERE, f) for f in ("harness.c", machine)]

    def link(self, objects, model, out):
        command = self.cc + ["-std=gnu11", "-O2", f"-DMODEL={model}_model",
                             "-I" + self.runtime, "-I" + HERE] + self.row["cc_flags"].split()
        if "wasm" in self.row["triple"]:
            command += ["-nostdlib", "-fno-builtin", "-Wl,--no-entry",
                        "-Wl,-z,stack-size=1048576", "-fuse-ld=" + shutil.which("wasm-ld-19")]
        elif self.row["freestanding"]:
            command += ["-nostdlib", "-T", os.path.join(HERE, "cortex_m.ld")]
        else:
            command += ["-static"]
        command += self.sources() + objects + ["-o", out]
        run(command + ([] if self.row["freestanding"] else ["-lm"]))

    def start(self, program, inputs, folder):
        """What the program gives for the inputs."""
        if "wasm" in self.row["triple"]:
            return run(self.emulator + [os.path.join(HERE, "run_wasm.mjs"), program],
                       input=inputs)
        if not self.row["freestanding"]:
            return run(self.emulator + [program], input=inputs)
        with open(os.path.join(folder, "inputs.bin"), "wb") as f:
            f.write(inputs)
        run(self.emulator + [program], cwd=folder)
        with open(os.path.join(folder, "outputs.bin"), "rb") as f:
            return f.read()


def package_of(tool):
    return {"node": "nodejs", "qemu-system-arm": "qemu-system-arm"}.get(tool, "qemu-user")


def row_package(row):
    return row["package"] or "gcc"


class Network:
    """A model with weights, and what the loop interpreter makes of it for a target."""

    def __init__(self, vtc, path, folder):
        self.vtc, self.path = vtc, path
        self.name = os.path.splitext(os.path.basename(path))[0]
        self.weights = os.path.join(folder, self.name + ".safetensors")
        run([vtc, "init", path, "--seed=7", "-o", self.weights])

    def expect(self, target, folder):
        run([self.vtc, "verify", self.path, "--weights=" + self.weights, "--target=" + target,
             "--backend=llvm", "--vectors=" + folder])

    def build(self, target, backend, out):
        run([self.vtc, "build", self.path, "--weights=" + self.weights, "--target=" + target,
             "--backend=" + backend, "--emit=obj", "-o", out])
        with open(os.path.join(os.path.dirname(out), self.name + ".h")) as f:
            return f.read()


def elements(data, dtype, order):
    return np.frombuffer(data, np.dtype(NUMPY[dtype]).newbyteorder(order))


def read(folder, name):
    with open(os.path.join(folder, name), "rb") as f:
        return f.read()


def gather_inputs(header, folder, order):
    parts = [elements(read(folder, f"input_{i}.bin"), dtype, "=")
             for i, (_, dtype, _) in enumerate(ports(header, "input"))]
    return b"".join(x.astype(x.dtype.newbyteorder(order)).tobytes() for x in parts)


def equal(got, want, tolerance):
    if got.tobytes() == want.astype(got.dtype).tobytes():
        return True
    if not tolerance or got.dtype.kind != "f":
        return False
    scale = float(np.abs(want).max())
    return bool(np.isfinite(got).all() and np.abs(got - want).max() <= tolerance * scale)


def compare(header, given, folder, machine, tolerance):
    """Names of outputs that are right, and of those that are not."""
    right, wrong, at = [], [], 0
    for i, (name, dtype, size) in enumerate(ports(header, "output")):
        want = elements(read(folder, f"output_{i}.bin"), dtype, "=")
        part = given[at:at + size]
        at += size
        good = len(part) == size and equal(elements(part, dtype, machine.order), want, tolerance)
        (right if good else wrong).append(name)
    return right, wrong


def one_network(network, machine, backend, folder, expected):
    obj, program = os.path.join(folder, "network.o"), os.path.join(folder, "network")
    header = network.build(machine.row["name"], backend, obj)
    machine.link([obj], network.name, program)
    inputs = gather_inputs(header, expected, machine.order)
    given = machine.start(program, inputs, folder)
    tolerance = FLUSHED if machine.row["flushes"] and backend == "llvm" else 0
    return compare(header, given, expected, machine, tolerance)


class Row:
    """What was counted for a target and a back end."""

    def __init__(self, machine, backend):
        self.target, self.backend = machine.row["name"], backend
        self.operators = self.operators_of = self.networks = self.networks_of = 0
        self.how, self.wrong = machine.how(), []

    def add(self, network, first, right, wrong):
        if first:
            self.operators, self.operators_of = len(right), len(right) + len(wrong)
        else:
            self.networks += not wrong
            self.networks_of += 1
        self.wrong += [f"{network.name}: {name}" for name in wrong]

    def line(self):
        return (f"{self.target:11} {self.backend:5} operators {self.operators}/"
                f"{self.operators_of} networks {self.networks}/{self.networks_of}  {self.how}")

    def failed(self):
        return bool(self.wrong)


def test_row(row, network, machine, folder, expected):
    """Names of right and wrong outputs; None: the machine has no room."""
    work = tempfile.mkdtemp(dir=folder)
    try:
        if isinstance(expected, Failure):
            raise expected
        return one_network(network, machine, row.backend, work, expected)
    except TooLarge:
        print(f"{row.target:11} {row.backend:5} has no room for {network.name}")
        return None
    except Failure as failure:
        return [], [str(failure)]
    finally:
        shutil.rmtree(work)


def expectation(network, machine, folder):
    """The folder with what is expected, or why there is none."""
    expected = tempfile.mkdtemp(dir=folder)
    try:
        network.expect(machine.row["name"], expected)
    except Failure as failure:
        return failure
    return expected


def test_target(machine, networks, folder):
    """A row for each back end; none where tools are missing, which is said."""
    missing = machine.missing()
    if missing:
        print(f"{machine.row['name']:11} skipped: missing", ", ".join(missing))
        return []
    rows = [Row(machine, backend) for backend in BACKENDS]
    for number, network in enumerate(networks):
        expected = expectation(network, machine, folder)
        for row in rows:
            found = test_row(row, network, machine, folder, expected)
            if found:
                row.add(network, number == 0, *found)
    return rows


def write_record(path, rows):
    lines = ['/* What tools/test_targets.sh last saw, generated:',
             ' *     target, back end, operators right and tried, networks, how run */']
    lines += [f'TESTED("{r.target}", "{r.backend}", {r.operators}, {r.operators_of}, '
              f'{r.networks}, {r.networks_of}, "{r.how}")' for r in rows]
    with open(path, "w") as f:
        f.write("\n".join(lines + ["#undef TESTED"]) + "\n")


def write_markdown(path, rows, machines, networks):
    names = ", ".join(n.name for n in networks[1:])
    lines = ["# Targets", "",
             "Generated by `sh tools/test_targets.sh`, which builds every operator (one at a",
             "shape that fits no vector, `tests/targets/operators.vt`) and the networks "
             f"{names}", "by each back end, runs them as said and compares their bits with the "
             "loop", "interpreter's for the same target. Only what ran is listed.", "",
             "| target | what | back end | operators | networks | run |",
             "|---|---|---|---|---|---|"]
    doc = {m.row["name"]: m.row["doc"] for m in machines}
    lines += [f"| {r.target} | {doc[r.target]} | {r.backend} | {r.operators}/{r.operators_of} | "
              f"{r.networks}/{r.networks_of} | {r.how} |" for r in rows]
    with open(os.path.join(HERE, "targets.md.in")) as f:
        lines += ["", f.read().rstrip()]
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")


def operators_missing(vtc, model, ops):
    """Operators of the table that the model does not use."""
    graph = run([vtc, "dump", model, "--stage=graph"]).decode()
    used = set(re.findall(r"= (\w+)", graph))
    with open(ops) as f:
        table = re.findall(r"^OP\((\w+)", f.read(), re.M)
    made_by_passes = {"attention"}
    return [op for op in table if op not in used | made_by_passes]


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("vtc")
    parser.add_argument("top")
    parser.add_argument("--models", default="")
    parser.add_argument("--targets", default="")
    parser.add_argument("--record")
    parser.add_argument("--markdown")
    parser.add_argument("--jobs", type=int, default=1, help="targets at a time")
    return parser.parse_args()


def main():
    o = arguments()
    operators = os.path.join(HERE, "operators.vt")
    lacking = operators_missing(o.vtc, operators, os.path.join(o.top, "ir/ops.def"))
    if lacking:
        print("operators.vt lacks:", " ".join(lacking))
        return 1
    folder = tempfile.mkdtemp()
    try:
        return test_all(o, operators, folder)
    finally:
        shutil.rmtree(folder)


def test_all(o, operators, folder):
    wanted = [t for t in o.targets.split(",") if t]
    table = json.loads(run([o.vtc, "targets", "--format=json"]))
    paths = [operators, os.path.join(HERE, "small.vt")] + [m for m in o.models.split(",") if m]
    networks = [Network(o.vtc, path, folder) for path in paths]
    machines = [Machine(row, os.path.join(o.top, "runtime")) for row in table
                if not wanted or row["name"] in wanted]
    rows, skipped = [], 0
    with concurrent.futures.ThreadPoolExecutor(o.jobs) as pool:
        for found in pool.map(lambda m: test_target(m, networks, folder), machines):
            skipped += not found
            for row in found:
                print(row.line(), flush=True)
                print("".join(f"    wrong: {w}\n" for w in row.wrong), end="")
            rows += found
    if o.record:
        write_record(o.record, rows)
    if o.markdown:
        write_markdown(o.markdown, rows, machines, networks)
    failed = sum(row.failed() for row in rows)
    print(f"{len(rows)} rows, {failed} failed, {skipped} targets skipped")
    return failed != 0


sys.exit(main())
