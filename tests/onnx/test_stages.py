"""--emit=onnx after each pass of the graph, all of them or only those that must run: the
file is valid, an executor of PyTorch's operators computes what it does of the network as
written, and what is read of it is written as the same bytes again. And calls that are
wrong.

    test_stages.py VTC MODELS
"""
import os
import subprocess
import sys
import tempfile

import numpy as np

from torch_executor import Executor

VTC, MODELS = sys.argv[1:]
TOLERANCE = 1e-5


def run(*args, code=0):
    done = subprocess.run([VTC, *args], capture_output=True, text=True)
    if done.returncode != code:
        sys.exit("exit code %d, not %d: %s\n%s" % (done.returncode, code, " ".join(args),
                                                   done.stderr))
    return done.stdout + done.stderr


def graph_passes():
    names = [line.split()[0] for line in run("passes").splitlines()]
    return names[:names.index("lower")]


class Stages:
    def __init__(self, folder, name):
        self.path = lambda end: os.path.join(folder, name + end)
        self.model = os.path.join(MODELS, name + ".vt")
        executor = self.written()
        port = executor.model.graph.input[0]
        shape = [d.dim_value for d in port.type.tensor_type.shape.dim]
        x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        self.inputs = {port.name: x}
        self.wanted = executor.run(self.inputs)

    def written(self, *options):
        run("build", self.model, "--emit=onnx", "-o", self.path(".1.onnx"), *options)
        return Executor(self.path(".1.onnx"))

    def check(self, *options):
        found = self.written(*options).run(self.inputs)
        for name, want in self.wanted.items():
            gap = np.abs(found[name].astype(np.float64) - want).max() / np.abs(want).max()
            assert gap <= TOLERANCE, (options, name, gap)

    def check_again(self):
        """Patterns are recognised when it is read: from then on it is the same."""
        for before, after in (1, 2), (2, 3):
            run("build", self.path(".%d.onnx" % before), "--emit=onnx", "-o",
                self.path(".%d.onnx" % after))
        with open(self.path(".2.onnx"), "rb") as a, open(self.path(".3.onnx"), "rb") as b:
            assert a.read() == b.read(), "written again it is another file"


def check_calls(folder):
    model, out = os.path.join(MODELS, "vt_fashion.vt"), os.path.join(folder, "x.onnx")
    call = ["build", model, "--emit=onnx", "-o", out]
    assert "graph" in run(*call, "--stop-after=lower", code=2)
    assert "nothing" in run(*call, "--stop-after=nothing", code=2)
    assert "--stop-after" in run(*call, "--skip=merge_siblings", code=2)
    assert "weights" in run("build", os.path.join(MODELS, "resnet18.vt"), "--emit=onnx", "-o",
                            out, code=1)
    assert not os.path.exists(out)
    run("build", model, "--emit=onnx", "-o", os.path.join(folder, "none", "x.onnx"), code=3)


def main():
    with tempfile.TemporaryDirectory() as folder:
        check_calls(folder)
        stages = Stages(folder, "vt_fashion")
        names = graph_passes()
        for name in names:
            stages.check("--stop-after=" + name)
            stages.check_again()
        stages.check("--stop-after=" + names[-1], "-O0")
        stages.check("--stop-after=fuse_projector", "--keep-norms")
        with open(stages.path(".1.onnx"), "rb") as file:
            assert b"Softmax" in file.read(), "--keep-norms leaves none"
        print("after %d passes the same values" % len(names))


main()
