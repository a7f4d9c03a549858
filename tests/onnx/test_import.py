"""`vtc import`: PyTorch's modules exported by torch.onnx, and our own networks written as
ONNX, become a text that `vtc check` accepts without a word, that is short, keeps names,
and computes the same: against PyTorch within 1e-4 of the range as a program, and to the
last bit against the file by the same engine.

    test_import.py VTC MODELS [short]
"""
import os
import re
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import onnx
import torch

import networks
from torch_executor import Executor

VTC, MODELS, SHORT = sys.argv[1], sys.argv[2], len(sys.argv) > 3
TOLERANCE = 1e-4


def run(*args):
    done = subprocess.run([VTC, *args], capture_output=True, text=True)
    if done.returncode or "warning" in done.stderr:
        sys.exit("failed: %s\n%s%s" % (" ".join(args), done.stdout, done.stderr))
    return done.stdout


def worst(got, want):
    assert got.shape == want.shape, (got.shape, want.shape)
    return np.abs(got - want).max() / np.abs(want).max()


class Import:
    """A file, its text, and both written as ONNX by us."""

    def __init__(self, folder, name, source):
        self.path = lambda end: os.path.join(folder, name + end)
        run("import", source, "-o", self.path(".vt"))
        run("check", self.path(".vt"))
        run("build", source, "--emit=onnx", "-o", self.path(".1.onnx"))
        run("build", self.path(".vt"), "--emit=onnx", "-o", self.path(".2.onnx"))
        with open(self.path(".vt")) as file:
            self.text = file.read()
        self.lines = len(self.text.splitlines())

    def same(self, inputs):
        """Do file and text give the same bits by the same engine?"""
        a = Executor(self.path(".1.onnx")).run(inputs)
        b = Executor(self.path(".2.onnx")).run(inputs)
        assert list(a) == list(b), (list(a), list(b))
        for name in a:
            assert np.array_equal(a[name], b[name]), name
        return a

    def program(self, x):
        np.save(self.path(".x.npy"), x)
        run("build", self.path(".vt"), "-o", self.path(""))
        subprocess.run([self.path(""), "--quiet", "--raw=" + self.path(".y.npy"),
                        self.path(".x.npy")], check=True, capture_output=True)
        return np.load(self.path(".y.npy"))


def exported(net, size, path):
    torch.manual_seed(3)
    x = torch.randn(1, 3, size, size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, x, path, opset_version=13, input_names=["image"],
                          output_names=["logits"])
    return x.numpy(), net(x).detach().numpy()


def check_torch(folder, net, size):
    name = type(net).__name__
    source = os.path.join(folder, name + ".file.onnx")
    x, want = exported(net, size, source)
    run("verify", source, "--backend=llvm")
    found = Import(folder, name, source)
    found.same({"image": x})
    program = worst(found.program(x), want)
    assert program < TOLERANCE, (name, program)
    print("%-14s %3d lines, within %.1e of PyTorch" % (name, found.lines, program))
    return found


def names_in(path):
    import json
    data = open(path, "rb").read()
    size = int.from_bytes(data[:8], "little")
    return {n for n in json.loads(data[8:8 + size]) if n != "__metadata__"}


def check_resnet(folder):
    net = networks.prepared(networks.ResNet(width=16, classes=10))
    found = check_torch(folder, net, 64)
    assert found.lines <= 45, found.text
    assert len(re.findall("^module ", found.text, re.M)) == 3, found.text
    assert "for i in 0..2" in found.text, found.text
    names = names_in(found.path(".safetensors"))
    convs = {n + ".weight" for n, m in net.named_modules()
             if isinstance(m, (torch.nn.Conv2d, torch.nn.Linear))}
    assert convs <= names, convs - names


def check_nameless(folder):
    """As old exporters name things, after the operator and a number: blocks are found by
    the flow of values."""
    net = networks.prepared(networks.ResNet(blocks=(3, 4), width=16, classes=10))
    net.layer3 = net.layer4 = torch.nn.Identity()
    net.fc = torch.nn.Linear(32, 10)
    source = os.path.join(folder, "nameless.onnx")
    x, want = exported(net, 48, source)
    model = onnx.load(source)
    kept = {p.name for p in list(model.graph.input) + list(model.graph.output)}
    names = {}
    for i, node in enumerate(model.graph.node):
        node.name = "%s_%d" % (node.op_type, i)
        for side in node.input, node.output:
            for k, name in enumerate(side):
                if name not in kept:
                    side[k] = names.setdefault(name, str(len(names) + 100))
    for tensor in model.graph.initializer:
        tensor.name = names[tensor.name]
    onnx.save(model, source)
    found = Import(folder, "unnamed", source)
    assert worst(found.same({"image": x})["logits"], want) < TOLERANCE
    for wanted in "module block(", "for i in 0..3", "for i in 4..7", "block.3: x = block_2(":
        assert wanted in found.text, found.text
    print("%-14s %3d lines" % ("without names", found.lines))


def check_zoo(folder, name):
    source = os.path.join(folder, name + ".onnx")
    run("build", os.path.join(MODELS, name + ".vt"), "--emit=onnx", "-o", source)
    found = Import(folder, name, source)
    image = Executor(source).model.graph.input[0]
    shape = [d.dim_value for d in image.type.tensor_type.shape.dim]
    x = np.random.default_rng(5).normal(size=shape).astype(np.float32)
    found.same({image.name: x})
    written = Executor(source).run({image.name: x})
    ours = found.same({image.name: x})
    for key in written:
        assert np.array_equal(written[key], ours[key]), key
    check_ends(folder, name, found)
    print("%-14s %3d lines, the same bits" % (name, found.lines))


def words_of(block):
    return [float(w) if w[0].isdigit() else w for w in re.findall(r"[\w.]+", block)]


def check_ends(folder, name, found):
    """Preprocessing and class names go with the network."""
    with open(os.path.join(MODELS, name + ".vt")) as file:
        source = file.read()
    words = re.search(r"preprocess image \{(.*?)\}", source, re.S).group(1)
    kept = re.search(r"preprocess image \{(.*?)\}", found.text, re.S).group(1)
    assert words_of(words) == words_of(kept), (words, kept)
    labels = re.search(r'labels "(.*?)"', source).group(1)
    output = re.search(r'output (\w+) \{ labels "(.*?)" \}', found.text)
    with open(os.path.join(MODELS, labels)) as a, \
            open(os.path.join(folder, output.group(2))) as b:
        assert a.read() == b.read(), "other class names"


def check_names(folder):
    """Names that are no words of the language, or the same word."""
    info = onnx.helper.make_tensor_value_info
    shape = [1, 3, 4, 4]
    nodes = [onnx.helper.make_node("Conv", ["input.1", "for.0.weight"], ["a b"], "/for/for.0/Conv"),
             onnx.helper.make_node("Add", ["a b", "input_1"], ["0"], "i"),
             onnx.helper.make_node("Relu", ["0"], ["output"]),
             onnx.helper.make_node("Neg", ["0"], ["out put"]),
             onnx.helper.make_node("Neg", ["output"], ["out_put"], "relu")]
    weight = onnx.numpy_helper.from_array(np.ones((3, 3, 1, 1), np.float32), "for.0.weight")
    graph = onnx.helper.make_graph(
        nodes, "1 net", [info("input.1", 1, shape), info("input_1", 1, shape)],
        [info(o, 1, shape) for o in ("output", "out put", "out_put", "0")], [weight])
    source = os.path.join(folder, "names.onnx")
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)]),
              source)
    found = Import(folder, "named", source)
    x = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    a = Executor(found.path(".1.onnx")).run({"input.1": x, "input_1": 2 * x})
    b = Executor(found.path(".2.onnx")).run({"input_1": x, "input_1_2": 2 * x})
    for p, q in zip(a.values(), b.values()):
        assert np.array_equal(p, q), found.text


def main():
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        check_names(folder)
        check_nameless(folder)
        check_resnet(folder)
        for form in networks.FORMS[4:5] if SHORT else networks.FORMS:
            found = check_torch(folder, networks.prepared(form()), 32)
            if form is networks.Encoder:
                assert "for i in 0..5" in found.text and "dot_attention" in found.text
        for name in ["vt_fashion"] if SHORT else ["vt_fashion", "vt_fpn_scenes", "fpn_scenes"]:
            check_zoo(folder, name)


main()
