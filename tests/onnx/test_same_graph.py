"""Export, import, export gives the same graph: what `vtc build --emit=onnx` writes of a
network, read and written again, is the same file to the byte; and by way of the text that
`vtc import` makes of it, which names things by their place, it is the same graph: the same
nodes with the same attributes, fed by the same nodes, the same constants and weights,
inputs and outputs of the same shapes. What is written after the last pass of the graph is
read as fewer nodes, but written again it stays as it is.

    test_same_graph.py VTC MODELS [all | NAME...]

Without names the trained networks, and small ones of each kind; `all` is every network of
models/ at its real size. Weights are those beside a network, else random numbers.
"""
import copy
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../models"))
import reduced

VTC, MODELS = sys.argv[1:3]
TRAINED = ["vt_fashion", "vt_fpn_scenes", "fpn_scenes", "cifar_resnet20"]
SMALL = {"window_networks.vt": ["san_pairwise", "san_patchwise", "stand_alone",
                                "local_relation_net", "augmented_net"],
         "residual_networks.vt": ["plain", "squeezed", "gated_twice", "pyramid",
                                  "token_pyramid"]}


def run(*args):
    done = subprocess.run([VTC, *args], capture_output=True, text=True)
    warned = "warning" in done.stderr.replace("warning: parameter 'blocks' is never used", "")
    if done.returncode or warned:  # the trunk of small networks has no blocks
        sys.exit("failed: %s\n%s%s" % (" ".join(args), done.stdout, done.stderr))
    return done.stdout


# ---- graphs up to names ---------------------------------------------------------

def shape_of(info):
    tensor = info.type.tensor_type
    return tensor.elem_type, tuple(d.dim_value for d in tensor.shape.dim)


def digest(*parts):
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def attribute_of(a):
    value = onnx.helper.get_attribute_value(a)
    return a.name, a.type, tuple(value) if isinstance(value, (list, tuple)) else value


class Same:
    """What a graph is but for names: a tensor is told by what makes it and from what."""

    def __init__(self, model):
        graph = model.graph
        self.label = {"": ""}
        for i, info in enumerate(graph.input):
            self.label[info.name] = digest("input", i, shape_of(info))
        for tensor in graph.initializer:
            held = numpy_helper.to_array(tensor).tobytes()
            self.label[tensor.name] = digest("constant", tensor.data_type, list(tensor.dims),
                                             hashlib.sha256(held).hexdigest())
        self.nodes = [self.node(n) for n in graph.node]
        self.initializers = sorted(self.label[t.name] for t in graph.initializer)
        self.inputs = [shape_of(i) for i in graph.input]
        self.outputs = [(shape_of(o), self.label[o.name]) for o in graph.output]
        self.opsets = [(o.domain, o.version) for o in model.opset_import]

    def node(self, node):
        attributes = sorted(attribute_of(a) for a in node.attribute)
        made = digest(node.op_type, attributes, [self.label[i] for i in node.input])
        for i, name in enumerate(node.output):
            self.label[name] = digest(made, i)
        return made


def difference(a, b):
    """None, or where two models are not the same graph."""
    x, y = Same(a), Same(b)
    for what in "opsets", "inputs":
        if getattr(x, what) != getattr(y, what):
            return "other %s: %s, %s" % (what, getattr(x, what), getattr(y, what))
    for side, other, model in ("first", y, a), ("second", x, b):
        known = sorted(other.nodes)
        for node, made in zip(model.graph.node, (x if other is y else y).nodes):
            if made not in known:
                return "only the %s has %s '%s'" % (side, node.op_type, node.name)
            known.remove(made)
    if x.outputs != y.outputs:
        return "other outputs"
    return None if x.initializers == y.initializers else "other constants"


# ---- can it fail? ----------------------------------------------------------------

def check_difference(model):
    """Each of these is another graph, but the last, which has other names."""
    def changed(change):
        other = copy.deepcopy(model)
        change(other.graph)
        return difference(model, other)

    def weight(graph):
        tensor = next(t for t in graph.initializer if t.data_type == 1)
        array = numpy_helper.to_array(tensor).copy()
        array.flat[0] += 1
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))

    def attribute(graph):
        node = next(n for n in graph.node if n.op_type == "Conv")
        next(a for a in node.attribute if a.name == "strides").ints[0] += 1

    def operator(graph):
        next(n for n in graph.node if n.op_type == "Relu").op_type = "Abs"

    def wire(graph):
        node = next(n for n in graph.node if n.op_type == "Add")
        node.input[0] = node.input[1]

    def twice(graph):
        relu = next(n for n in graph.node if n.op_type == "Relu")
        graph.node.add().CopyFrom(relu)
        graph.node[-1].output[0] += "again"

    def result(graph):
        graph.output[0].type.tensor_type.shape.dim[0].dim_value += 1

    def names(graph):
        for node in graph.node:
            node.name += "!"
            for side in node.input, node.output:
                side[:] = [name and name + "!" for name in side]
        for named in [*graph.input, *graph.output, *graph.initializer]:
            named.name += "!"

    for change in weight, attribute, operator, wire, twice, result:
        assert changed(change), "a changed %s passes" % change.__name__
    assert not changed(names), changed(names)


# ---- slices of slices --------------------------------------------------------------

CUTS = """model cuts(x: f32[2, 30, 9]) {
    y = slice(x, axis = 1, start = 3, end = 29, step = 2)
    z = slice(slice(y, axis = 1, start = 1, end = 12, step = 3), axis = 2, start = 2)
    whole = slice(slice(slice(z, axis = 0, end = 2), axis = 1, end = 4), axis = 2, end = 7)
    output y
    output z = neg(whole)
    output last = slice(whole, axis = 2, start = 6)
}
"""


def check_slices(folder):
    """One node each, and the elements they should take."""
    text, out = os.path.join(folder, "cuts.vt"), os.path.join(folder, "cuts.onnx")
    with open(text, "w") as file:
        file.write(CUTS)
    x = np.arange(540, dtype=np.float32).reshape(2, 30, 9)
    y = x[:, 3:29:2]
    z = y[:, 1:12:3, 2:]
    for call in [], ["--stop-after=canonicalize"]:
        run("build", text, "--emit=onnx", "-o", out, *call)
        graph = onnx.load(out).graph
        values = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        values["x"] = x
        for node in graph.node:
            got = [values[i] for i in node.input]
            if node.op_type == "Slice":
                assert node.input[0] == "x", "a slice of a slice"
                at = [slice(None)] * 3
                for axis, *cut in zip(got[3], got[1], got[2], got[4]):
                    at[axis] = slice(*cut)
            values[node.output[0]] = got[0][tuple(at)] if node.op_type == "Slice" else -got[0]
        for name, wanted in ("y", y), ("z", -z), ("last", z[..., 6:]):
            assert np.array_equal(values[name], wanted), name


# ---- networks --------------------------------------------------------------------

def weights_write(call, path):
    """Random numbers for every weight of a model, without the care of `vtc init`."""
    random = np.random.default_rng(1).normal(size=1 << 20).astype("<f4")
    header, at = {}, 0
    for name, dims in re.findall(r'= weight name="(.*?)".*? : f32\[([\d,]+)\]',
                                 run("dump", *call)):
        shape = [int(d) for d in dims.split(",")]
        header[name] = {"dtype": "F32", "shape": shape,
                        "data_offsets": [at, at + 4 * int(np.prod(shape))]}
        at = header[name]["data_offsets"][1]
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for i, weight in enumerate(header.values()):
            file.write(np.resize(random[i % 1000:], weight["shape"]).tobytes())
    return path


def same_bytes(a, b):
    with open(a, "rb") as x, open(b, "rb") as y:
        return x.read() == y.read()


def file_difference(a, b):
    return None if same_bytes(a, b) else difference(onnx.load(a), onnx.load(b))


class Network:
    def __init__(self, folder, model, name=None):
        self.path = lambda end: os.path.join(folder, end)
        call = [model] + (["--model=" + name] if name else [])
        beside = model[:-3] + ".safetensors"
        self.call = call + ["--weights=" + (
            beside if os.path.exists(beside) else weights_write(call, self.path("weights")))]

    def build(self, out, *call):
        run("build", *call, "--emit=onnx", "-o", self.path(out))
        return self.path(out)

    def check_again(self):
        first = self.build("first.onnx", *self.call)
        second = self.build("second.onnx", first)
        if not same_bytes(first, second):
            return file_difference(first, second) or "other names"
        return None

    def check_text(self):
        first, text = self.path("first.onnx"), self.path("text.vt")
        run("import", first, "-o", text)
        return file_difference(first, self.build("third.onnx", text))

    def check_passes(self, last):
        left = self.build("left.onnx", *self.call, "--stop-after=" + last)
        once = self.build("once.onnx", left)
        return None if same_bytes(once, self.build("twice.onnx", once)) else "other bytes"

    def check(self, last):
        """None, or what is not the same."""
        for what, found in (("", self.check_again), ("as text: ", self.check_text),
                            ("after passes: ", lambda: self.check_passes(last))):
            where = found()
            if where:
                return what + where
        return None


def every_network(models):
    return [os.path.join(place, name)[:-3] for place in ("", "ablations", "forms")
            for name in sorted(os.listdir(os.path.join(models, place)))
            if name.endswith(".vt")]


def networks(folder):
    """(what it is called, its file, the model in it or None)"""
    names = every_network(MODELS) if sys.argv[3:] == ["all"] else sys.argv[3:]
    if names:
        return [(name, os.path.join(MODELS, name + ".vt"), None) for name in names]
    tree = reduced.reduce(reduced.on_trunk(MODELS, folder + "/models"))
    small = [name for name in every_network(tree)
             if re.match("forms/|(ablations/)?vt_resnet(18|50)", name)]
    return ([(name, os.path.join(MODELS, name + ".vt"), None) for name in TRAINED] +
            [("small " + name, os.path.join(tree, name + ".vt"), None) for name in small] +
            [(name, os.path.join(reduced.HERE, file), name)
             for file, found in SMALL.items() for name in found])


def main():
    passes = [line.split()[0] for line in run("passes").splitlines()]
    last = passes[passes.index("lower") - 1]
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "fashion.onnx")
        run("build", os.path.join(MODELS, "vt_fashion.vt"), "--emit=onnx", "-o", path)
        check_difference(onnx.load(path))
        check_slices(folder)
        found = networks(folder)
        for name, model, inner in found:
            with tempfile.TemporaryDirectory() as place:
                where = Network(place, model, inner).check(last)
            wrong += where is not None
            print("%-42s %s" % (name, where or "the same"), flush=True)
    print("%d networks, %d differ" % (len(found), wrong))
    return wrong != 0


sys.exit(main())
