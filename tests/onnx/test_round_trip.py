"""Every operator written as ONNX: onnx.checker accepts the file, reading and writing it
again gives the same bytes, what was read has the values the reference has, and so has
the file in an executor made of PyTorch's operators. And every operator written as a
text of the language, as `vtc import` does.

    test_round_trip.py PROGRAM OP_CASES_FOLDER
"""
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch

sys.path.insert(0, sys.argv[2])
import op_cases
from torch_executor import Executor

EXACT, ENGINE = 1e-6, 1e-4  # of the largest magnitude; constants are f32 in the file


def gap(case, found):
    expected = case.expected()
    if found.shape != expected.shape:
        return "shape %s, expected %s" % (found.shape, expected.shape)
    worst = np.abs(found.astype(np.float64) - expected.astype(np.float64)).max()
    return worst / max(case.magnitude(), 1e-30)


def is_wrong(case, what, found, allowed):
    allowed = allowed if case.dtype == "f32" else 0
    distance = gap(case, found)
    if isinstance(distance, float) and distance <= allowed:
        return False
    print("%s by %s: %s (allowed %g)\n%s" % (case.op, what, distance, allowed, case.text()))
    return True


def write(case, folder):
    folder.mkdir()
    (folder / "graph.txt").write_text(case.text(), encoding="utf-8")
    for i, tensor in enumerate(case.tensors):
        np.save(folder / ("t%d.npy" % i), tensor)


def inputs_of(case):
    """The input, where the graph has one; sources stand alone."""
    return {"t0": case.tensors[0]} if 'input name="t0"' in case.text() else {}


def main():
    torch.set_num_threads(1)
    chosen = list(op_cases.cases(11, each=3))
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        folders = [pathlib.Path(folder) / str(i) for i in range(len(chosen))]
        for case, place in zip(chosen, folders):
            write(case, place)
        done = subprocess.run([sys.argv[1], *map(str, folders)], text=True,
                              stdout=subprocess.PIPE)
        print(done.stdout, end="")
        wrong += done.returncode != 0
        for case, place in zip(chosen, folders):
            if not (place / "y.text.npy").exists():
                print("not read again:\n" + case.text())
                wrong += 1
                continue
            wrong += is_wrong(case, "the graph read", np.load(place / "y.exact.npy"), EXACT)
            wrong += is_wrong(case, "its text", np.load(place / "y.text.npy"), EXACT)
            engine = Executor(str(place / "1.onnx")).run(inputs_of(case))["y"]
            wrong += is_wrong(case, "PyTorch", engine, ENGINE)
    print("%d cases of %d operators, %d wrong" %
          (len(chosen), len({case.op for case in chosen}), wrong))
    return wrong != 0


sys.exit(main())
