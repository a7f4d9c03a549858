"""The cases of ops_torch.py through every stage: passes, loop interpreter, C by gcc, C by
clang, LLVM, each against the interpreter in double (which ops_torch.py holds to PyTorch).

    ops_stages.py --program vtc_verify_graph --target NAME [--each N] [--seed N]

Many cases are compiled as one graph. Every other case has only inputs, where the others
have weights, which passes fold and pack. Exit code 77: PyTorch or NumPy is missing.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile
import time

SKIPPED, TOGETHER = 77, 48


def write_group(cases, folder, first=0):
    folder.mkdir(parents=True)
    lines = []
    for i, case in enumerate(cases, first):
        prefix = f"c{i}_"
        lines += case.lines(prefix, inputs=len(case.tensors) if i % 2 else 1)
        for k, tensor in enumerate(case.tensors):
            np.save(folder / f"{prefix}t{k}.npy", tensor)
    (folder / "graph.txt").write_text(op_case.graph_text(lines), encoding="utf-8")


def show(result, group, program, target, folder):
    """Which cases fail by themselves, as graphs."""
    print(f"exit code {result.returncode}")
    for i, case in enumerate(group):
        write_group([case], folder / str(i), i)
        alone = subprocess.run([program, target, str(folder / str(i))], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if alone.returncode:
            print(alone.stdout, (folder / str(i) / "graph.txt").read_text(encoding="utf-8"))


def run(program, target, groups, folder):
    folders = [folder / str(i) for i in range(len(groups))]
    for group, place in zip(groups, folders):
        write_group(group, place)
    failed = 0
    for group, place in zip(groups, folders):
        result = subprocess.run([program, target, str(place)], stdout=subprocess.PIPE,
                                text=True, check=False)
        print(result.stdout, flush=True)
        if result.returncode:
            failed += 1
            show(result, group, program, target, folder / f"{place.name}_one")
    return failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--each", type=int, default=1)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    try:
        global np, op_case
        import numpy as np
        import torch
        import op_case
        import op_cases
    except ImportError as missing:
        print(f"skipped every operator for {args.target}: {missing}")
        return SKIPPED
    torch.set_num_threads(1)
    print(f"seed {args.seed}", flush=True)
    cases = list(op_cases.cases(args.seed, args.each))
    groups = [cases[i:i + TOGETHER] for i in range(0, len(cases), TOGETHER)]
    groups.append([case for case in cases if case.op == "constant"])  # nothing to give
    with tempfile.TemporaryDirectory() as folder:
        failed = run(args.program, args.target, groups, pathlib.Path(folder))
    print(f"{len(cases)} cases for {args.target}, {failed} of {len(groups)} graphs of them "
          f"differ (seed {args.seed})")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
