"""A ResNet exported by torch.onnx gives PyTorch's numbers, as a compiled program's
every stage (vtc verify) and against PyTorch itself; what cannot be read is said."""
import os
import subprocess
import sys
import tempfile

import numpy
import onnx
import torch
from torch import nn

from networks import BasicBlock

VTC = sys.argv[1]


class Net(nn.Module):
    """view() by x.size(): the exporter writes Shape, Gather, Concat, Reshape."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 7, 2, 3)
        self.pool = nn.MaxPool2d(3, 2, 0, ceil_mode=True)
        self.blocks = nn.Sequential(BasicBlock(16, 16, 1), BasicBlock(16, 32, 2))
        self.fc = nn.Linear(32, 10)

    def forward(self, x):
        y = self.blocks(self.pool(torch.relu(self.stem(x))))
        y = y.view(y.size(0), y.size(1), -1).mean(2)
        return self.fc(y)


def exported(folder, opset):
    torch.manual_seed(1)
    net = Net()
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.normal_(0, .1)
            m.running_var.uniform_(.5, 1.5)
    net.eval()
    path = os.path.join(folder, "net%d.onnx" % opset)
    torch.onnx.export(net, torch.randn(1, 3, 47, 41), path, opset_version=opset,
                      input_names=["image"], output_names=["logits"],
                      dynamic_axes={"image": {0: "batch", 2: "height"}})
    return net, path


def run(*args):
    return subprocess.run([VTC, *args], capture_output=True, text=True)


def check(condition, what):
    if not condition:
        sys.exit("failed: %s" % what)


def check_unsupported(folder):
    """All at once, with names, versions and counts."""
    def node(op, i, **more):
        return onnx.helper.make_node(op, ["x"], ["%s%d" % (op, i)], "%s_%d" % (op, i), **more)
    nodes = [node("Det", i) for i in range(3)] + [node("Relu", 0), node("NonZero", 0)] + \
        [node("Fused", i, domain="com.example") for i in range(10)]
    info = onnx.helper.make_tensor_value_info("x", 1, [2, 3, 3])
    graph = onnx.helper.make_graph(nodes, "g", [info],
                                   [onnx.helper.make_empty_tensor_value_info("Relu0")])
    path = os.path.join(folder, "strange.onnx")
    onnx.save(onnx.helper.make_model(graph, opset_imports=[
        onnx.helper.make_opsetid("", 12), onnx.helper.make_opsetid("com.example", 3)]), path)
    done = run("build", path)
    lines = [x for x in done.stderr.splitlines() if "is not supported" in x]
    check(done.returncode == 1 and len(lines) == 3, done.stderr)
    for line, wanted in zip(lines, [
            "operator Det (opset 12) is not supported: 3 nodes, 'Det_0', 'Det_1', 'Det_2'",
            "operator NonZero (opset 12) is not supported: 1 node, 'NonZero_0'",
            "operator com.example.Fused (opset 3) is not supported: 10 nodes, 'Fused_0', "]):
        check(wanted in line, line)


def check_metadata(folder):
    """What does not fit is left out with a warning, however it is written."""
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g",
                                   [info("x", 1, [1, 3, 8, 8])], [info("y", 1, [1, 3, 8, 8])])
    path = os.path.join(folder, "meta.onnx")
    for key, value, good in [
            ("vtc.preprocess.x", "resize 8 8 bilinear; rgb; mean 0 0 0; std 1 1 1", True),
            ("vtc.preprocess.x", "resize 9 9 bilinear; rgb", False),
            ("vtc.preprocess.x", "rgb } output image } model n(z: f32[1]) { output z", False),
            ("vtc.preprocess.x", "std 0 0 0", False), ("vtc.preprocess.x", "rgb\n" * 999, False),
            ("vtc.preprocess.z", "rgb", False), ("vtc.labels.y", "a\nb\nc\n", True),
            ("vtc.labels.y", "a\nb\n", False), ("vtc.labels.z", "a\nb\nc\n", False),
            ("author", "} {", True)]:
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)])
        onnx.helper.set_model_props(model, {key: value})
        onnx.save(model, path)
        done = run("check", path)
        check(done.returncode == 0 and ("does not fit" in done.stderr) != good,
              "%s %r: %s" % (key, value[:60], done.stderr))


def main():
    with tempfile.TemporaryDirectory() as folder:
        for opset in (11, 13):
            net, path = exported(folder, opset)
            free = run("check", path)
            check(free.returncode == 1 and "--dim height=" in free.stderr, free.stderr)
            dims = ["--dim", "height=47", "--dim", "batch=2"]
            none = run("check", path, *dims, "--dim", "width=3")
            check(none.returncode == 1 and "--dim width: no input has a free dimension of that "
                  "name (free: batch, height)" in none.stderr, none.stderr)
            x = torch.randn(2, 3, 47, 41)
            numpy.save(os.path.join(folder, "x.npy"), x.numpy())
            program = os.path.join(folder, "net")
            built = run("build", path, *dims, "-o", program)
            check(built.returncode == 0, built.stderr)
            done = subprocess.run([program, os.path.join(folder, "x.npy"),
                                   "--raw=" + os.path.join(folder, "y.npy")],
                                  capture_output=True, text=True)
            check(done.returncode == 0, done.stderr)
            got, want = numpy.load(os.path.join(folder, "y.npy")), net(x).detach().numpy()
            worst = abs(got.reshape(want.shape) - want).max() / abs(want).max()
            check(got.size == want.size and worst < 1e-4, "opset %d: %g" % (opset, worst))
            print("opset %d: within %.1e of PyTorch" % (opset, worst))
        other = os.path.join(folder, "net.bin")
        os.rename(path, other)
        done = run("check", other, *dims)
        check(done.returncode == 0, "known by what is in it: " + done.stderr)
        os.rename(other, path)
        for call in ["init"], ["dump", "--stage=ast"]:
            done = run(*call, path)
            check(done.returncode == 1 and "is an ONNX file" in done.stderr, done.stderr)
        text = os.path.join(folder, "text.vt")
        with open(text, "w") as f:
            f.write("model m(x: f32[1, 4]) { output x }\n")
        done = run("check", text, "--dim", "batch=1")
        check(done.returncode == 1 and "--dim fixes dimensions of ONNX files" in done.stderr,
              done.stderr)
        check_unsupported(folder)
        check_metadata(folder)
        broken = os.path.join(folder, "broken.onnx")
        with open(path, "rb") as f, open(broken, "wb") as g:
            g.write(f.read()[:1000])
        done = run("check", broken)
        check(done.returncode == 1 and "damaged" in done.stderr, done.stderr)


main()
