"""Models with inputs and the outputs they must give, written as ONNX's backend tests are
and run by the conformance runner: through the graph interpreter and compiled code."""
import os
import subprocess

import numpy as np
import onnx
from onnx import numpy_helper


def write(folder, model, inputs, outputs):
    data = os.path.join(folder, "test_data_set_0")
    os.makedirs(data)
    onnx.save(model, os.path.join(folder, "model.onnx"))
    for kind, arrays in (("input", inputs), ("output", outputs)):
        for i, a in enumerate(arrays):
            with open("%s/%s_%d.pb" % (data, kind, i), "wb") as f:
                f.write(numpy_helper.from_array(np.array(a, order="C")).SerializeToString())


def run(runner, places, names):
    """How many of them fail; each is told."""
    r = subprocess.run(runner + places, capture_output=True, text=True)
    lines = [line.split("\t") for line in r.stdout.splitlines()]
    wrong = [(name, line) for name, line in zip(names, lines) if line[0] != "pass"]
    for name, line in wrong:
        print("FAIL %s: %s: %s" % (name, line[0], line[2]))
    if len(lines) != len(names):
        print("FAIL the runner stopped after %d: %s" % (len(lines), r.stderr[-300:]))
    return len(wrong) + (len(lines) != len(names))
