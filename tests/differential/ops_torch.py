"""Every operator of the graph interpreter, both modes, beside PyTorch.

    ops_torch.py --program vtc_eval_graph --ops ir/ops.def [--seed N]

Tolerance, in parts of the largest magnitude expected: exact (double) 1e-9, quick
(f32) 1e-4; whole numbers and booleans must be equal. The seed is printed; a new
one is drawn when none is given. Exit code 77: PyTorch or NumPy is missing.
"""
import argparse
import collections
import pathlib
import re
import subprocess
import sys
import tempfile
import time

TOLERANCE = {"exact": 1e-9, "quick": 1e-4}
SKIPPED = 77


def operators(path):
    text = pathlib.Path(path).read_text(encoding="utf-8")
    return re.findall(r"^OP\((\w+)", text, re.MULTILINE)


def write_case(case, folder):
    folder.mkdir()
    (folder / "graph.txt").write_text(case.text(), encoding="utf-8")
    for i, tensor in enumerate(case.tensors):
        np.save(folder / f"t{i}.npy", tensor)


def difference(case, folder, mode):
    """None when all is well, else what is wrong."""
    found, expected = np.load(folder / f"y.{mode}.npy"), case.expected()
    if found.shape != expected.shape:
        return f"shape {found.shape}, expected {expected.shape}"
    expected = expected.astype(np.float64)
    if not np.isfinite(expected).all():
        return "the reference is not finite"
    gap = np.abs(found.astype(np.float64) - expected)
    allowed = TOLERANCE[mode] * case.magnitude() if case.dtype == "f32" else 0
    worst = gap.argmax()
    if gap.flat[worst] <= allowed:
        return None
    return (f"element {worst} is {found.flat[worst]!r}, expected "
            f"{expected.flat[worst]!r}, allowed {allowed:g}")


def check(case, folder):
    wrong = 0
    for mode in ["exact", "quick"] if case.quick else ["exact"]:
        message = difference(case, folder, mode)
        if message:
            wrong += 1
            print(f"{case.op} ({mode}, against {case.engine}): {message}\n"
                  f"{case.text()}")
    return wrong


def run(program, chosen, folder):
    folders = [folder / str(i) for i in range(len(chosen))]
    for case, place in zip(chosen, folders):
        write_case(case, place)
    result = subprocess.run([program, *map(str, folders)], stdout=subprocess.PIPE,
                            text=True, check=False)
    if result.returncode != 0:
        done = len(result.stdout.splitlines())  # in order, one line each
        print(f"{program} ended with {result.returncode} after {done} cases")
        if result.returncode < 0 and done < len(chosen):
            print(chosen[done].text())
        return 1
    return sum(check(case, place) for case, place in zip(chosen, folders))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--ops", required=True)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    names = operators(args.ops)
    try:
        global np
        import numpy as np
        import torch
        import op_cases
    except ImportError as missing:
        print(f"skipped {len(names)} operators: {missing}")
        return SKIPPED
    torch.set_num_threads(1)
    print(f"seed {args.seed}")
    chosen = list(op_cases.cases(args.seed))
    lacking = set(names) - {case.op for case in chosen}
    with tempfile.TemporaryDirectory() as folder:
        wrong = run(args.program, chosen, pathlib.Path(folder))
    for name in sorted(lacking):
        print(f"no case for operator {name}")
    engines = collections.Counter(case.engine for case in chosen)
    print(f"{len(chosen)} cases of {len(names) - len(lacking)} operators "
          f"({', '.join(f'{n} against {e}' for e, n in sorted(engines.items()))}), "
          f"{wrong} differ (seed {args.seed})")
    return 1 if wrong or lacking else 0


if __name__ == "__main__":
    sys.exit(main())
