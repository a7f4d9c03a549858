"""What exporters spell out is read as one operator: each spelling alone in a file, the
operator seen in `vtc dump`, the value held to PyTorch's, and the spelling gone.

    test_patterns.py VTC
"""
import math
import os
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

F = nn.functional
VTC = sys.argv[1]


class Graph:
    """A file made node by node: g.Mul(x, 0.5) is the name of the result."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, value):
        if isinstance(value, str):
            return value
        name = "c%d" % len(self.constants)
        dtype = np.int64 if isinstance(value, list) else np.float32
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def __getattr__(self, op):
        def add(*args, **attributes):
            name = "v%d" % len(self.nodes)
            self.nodes.append(helper.make_node(op, [self.constant(a) for a in args], [name],
                                               **attributes))
            return name
        return add

    def save(self, path, result, shape, out):
        def info(name, dims):
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
        graph = helper.make_graph(self.nodes, "pattern", [info("x", shape)],
                                  [info(result, out)], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)],
                                  ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)


R = np.random.default_rng(9)
C, SHAPE = 6, (2, 6, 5)
turned_w = np.random.default_rng(8).normal(size=(7, 6)).astype(np.float32)
scale, shift, mean = (R.normal(size=C).astype(np.float32) for _ in range(3))
var = R.uniform(.5, 2, size=C).astype(np.float32)


def t(array):
    return torch.from_numpy(np.asarray(array))


def gelu_erf(g, x):
    return g.Mul(g.Mul(x, g.Add(g.Erf(g.Div(x, math.sqrt(2))), 1.0)), 0.5)


def gelu_erf_half_first(g, x):
    return g.Mul(g.Mul(0.5, x), g.Add(1.0, g.Erf(g.Mul(x, math.sqrt(.5)))))


def gelu_tanh_power(g, x):
    inner = g.Add(x, g.Mul(g.Pow(x, 3.0), 0.044715))
    return g.Mul(g.Mul(0.5, x), g.Add(g.Tanh(g.Mul(inner, math.sqrt(2 / math.pi))), 1.0))


def gelu_tanh_products(g, x):
    inner = g.Add(x, g.Mul(g.Mul(g.Mul(x, x), x), 0.044715))
    return g.Mul(x, g.Mul(g.Add(g.Tanh(g.Mul(inner, math.sqrt(2 / math.pi))), 1.0), 0.5))


def hard_swish_clip(g, x):
    return g.Div(g.Mul(x, g.Clip(g.Add(x, 3.0), 0.0, 6.0)), 6.0)


def hard_swish_gate(g, x):
    return g.Mul(x, g.Div(g.Clip(g.Add(x, 3.0), 0.0, 6.0), 6.0))


def hard_swish_sigmoid(g, x):
    return g.Mul(x, g.HardSigmoid(x, alpha=1 / 6, beta=0.5))


def layer_norm(g, x, root=True, power=True):
    d = g.Sub(x, g.ReduceMean(x, axes=[-1]))
    v = g.Add(g.ReduceMean(g.Pow(d, 2.0) if power else g.Mul(d, d), axes=[-1]), 1e-6)
    y = g.Div(d, g.Sqrt(v)) if root else g.Mul(d, g.Reciprocal(g.Sqrt(v)))
    return y


def layer_norm_affine(g, x):
    return g.Add(g.Mul(layer_norm(g, x), scale[:5]), shift[:5])


def layer_norm_dropped(g, x):
    """Dimensions dropped by the mean and put back."""
    m = g.Unsqueeze(g.ReduceMean(x, axes=[2], keepdims=0), [2])
    d = g.Sub(x, m)
    v = g.Unsqueeze(g.ReduceMean(g.Mul(d, d), axes=[2], keepdims=0), [2])
    return g.Div(d, g.Sqrt(g.Add(v, 1e-6)))


def batch_norm(g, x, shape=(C, 1)):
    m, v, s, b = (a.reshape(shape) for a in (mean, var, scale, shift))
    return g.Add(g.Mul(g.Div(g.Sub(x, m), g.Sqrt(g.Add(v, 1e-3))), s), b)


def softmax(g, x):
    e = g.Exp(g.Sub(x, g.ReduceMax(x, axes=[1])))
    return g.Div(e, g.ReduceSum(e, [1]))


def softmax_plain(g, x):
    e = g.Exp(x)
    return g.Mul(e, g.Reciprocal(g.ReduceSum(e, [2])))


def attention(g, x, heads=2):
    """x [2,6,4] to keys, values and queries of two heads."""
    def part(at):
        y = g.Slice(x, [at], [at + 2], [1])
        y = g.Reshape(g.Tile(y, [1, 2, 1]), [2, 4, heads, 4 // heads])
        return g.Transpose(y, perm=[0, 2, 1, 3])
    s = g.MatMul(part(0), g.Transpose(part(2), perm=[0, 1, 3, 2]))
    y = g.MatMul(g.Softmax(g.Div(s, math.sqrt(2)), axis=-1), part(4))
    return g.Reshape(g.Transpose(y, perm=[0, 2, 1, 3]), [2, 4, 4])


def attention_torch(x):
    def part(at):
        return x[:, at:at + 2].repeat(1, 2, 1).reshape(2, 4, 2, 2).transpose(1, 2)
    y = torch.softmax(part(0) @ part(2).transpose(2, 3) / math.sqrt(2), -1) @ part(4)
    return y.transpose(1, 2).reshape(2, 4, 4)


def one_head(g, x):
    s = g.Mul(g.MatMul(g.Abs(x), g.Transpose(g.Neg(x), perm=[0, 2, 1])), 0.3)
    return g.MatMul(g.Softmax(s, axis=-1), x)


def linear_turned(g, x):
    """As exporters write it that leave weights as they are stored."""
    return g.MatMul(g.Transpose(x, perm=[0, 2, 1]), g.Transpose(turned_w, perm=[1, 0]))


def einsum_attention(g, x, heads=2):
    """The same with its products spelled by Einsum, heads split and values as exported."""
    def part(at):
        y = g.Reshape(g.Tile(g.Slice(x, [at], [at + 2], [1]), [1, 2, 1]), [2, 4, heads, 2])
        return g.Transpose(y, perm=[0, 2, 1, 3])
    s = g.Einsum(part(0), part(2), equation="bhid,bhjd->bhij")
    y = g.Einsum(g.Softmax(g.Div(s, math.sqrt(2)), axis=-1), part(4), equation="bhij,bhjd->bihd")
    return g.Reshape(y, [2, 4, 4])


def group_norm(g, x):
    y = g.InstanceNormalization(g.Reshape(x, [0, 3, -1]), np.ones(3), np.zeros(3), epsilon=1e-5)
    y = g.Reshape(y, list(SHAPE))
    return g.Add(g.Mul(y, scale.reshape(C, 1)), shift.reshape(C, 1))


def linear(g, x):
    w = R.normal(size=(5, 7)).astype(np.float32)
    linear.w = w
    return g.Add(g.MatMul(x, w), np.arange(7))


# name, how it is spelled, the operator in the dump, PyTorch's, operators that must be gone
CASES = [
    ("gelu erf", gelu_erf, "gelu %x mode=erf", F.gelu, "erf"),
    ("gelu erf, half first", gelu_erf_half_first, "gelu %x mode=erf", F.gelu, "erf"),
    ("gelu tanh, power", gelu_tanh_power, "gelu %x mode=tanh",
     lambda x: F.gelu(x, approximate="tanh"), "tanh"),
    ("gelu tanh, products", gelu_tanh_products, "gelu %x mode=tanh",
     lambda x: F.gelu(x, approximate="tanh"), "tanh"),
    ("silu", lambda g, x: g.Mul(g.Sigmoid(x), x), "silu %x", F.silu, "sigmoid"),
    ("hard-swish, clip", hard_swish_clip, "hard_swish %x", F.hardswish, "clamp"),
    ("hard-swish, gate", hard_swish_gate, "hard_swish %x", F.hardswish, "clamp"),
    ("hard-swish, HardSigmoid", hard_swish_sigmoid, "hard_swish %x", F.hardswish, "clamp"),
    ("layer norm", layer_norm, "layer_norm %x eps=1e-06 axis=2",
     lambda x: F.layer_norm(x, (5,), eps=1e-6), "reduce_mean"),
    ("layer norm, products", lambda g, x: layer_norm(g, x, False, False),
     "layer_norm %x eps=1e-06 axis=2", lambda x: F.layer_norm(x, (5,), eps=1e-6), "reduce_mean"),
    ("layer norm, dropped", layer_norm_dropped, "layer_norm %x eps=1e-06 axis=2",
     lambda x: F.layer_norm(x, (5,), eps=1e-6), "reduce_mean"),
    ("layer norm, affine", layer_norm_affine, r"layer_norm %x, %c\d, %c\d eps=1e-06 axis=2",
     lambda x: F.layer_norm(x, (5,), t(scale[:5]), t(shift[:5]), 1e-6), "reduce_mean"),
    ("batch norm", batch_norm, r"batch_norm %x, .* eps=0.001",
     lambda x: F.batch_norm(x, t(mean), t(var), t(scale), t(shift), eps=1e-3), "sqrt"),
    ("batch norm, 4-D constants", lambda g, x: batch_norm(g, x, (1, C, 1)), r"batch_norm %x",
     lambda x: F.batch_norm(x, t(mean), t(var), t(scale), t(shift), eps=1e-3), "sqrt"),
    ("softmax", softmax, "softmax %x axis=1", lambda x: torch.softmax(x, 1), "exp"),
    ("softmax, no maximum", softmax_plain, "softmax %x axis=2",
     lambda x: torch.softmax(x, 2), "exp"),
    ("attention", attention, "attention .* heads=2 scale=0.7071", attention_torch, "softmax"),
    ("attention by einsum", einsum_attention, "attention .* heads=2 scale=0.7071",
     attention_torch, "softmax"),
    ("einsum, values first", lambda g, x: g.Einsum(g.Abs(x), x, equation="bdi,bjd->bji"),
     "matmul %x, ", lambda x: x @ abs(x), "reduce_sum", (2, 5, 5)),
    ("group norm", group_norm, r"group_norm %x, .* groups=3",
     lambda x: F.group_norm(x, 3, t(scale), t(shift)), "mul"),
    ("linear", linear, r"linear %x, %c\d(\.1)?, %c\d",
     lambda x: x @ t(linear.w) + torch.arange(7), "matmul"),
    ("linear of what is turned", linear_turned, r"linear %\d+, %c\d",
     lambda x: x.transpose(1, 2) @ t(turned_w).T, "matmul"),
    ("attention of one head", one_head, "attention .* scale=0.3",
     lambda x: torch.softmax(0.3 * abs(x) @ -x.transpose(1, 2), -1) @ x, "softmax", SHAPE),
    ("rsqrt", lambda g, x: g.Reciprocal(g.Sqrt(g.Exp(x))), "rsqrt",
     lambda x: torch.rsqrt(torch.exp(x)), "div"),
]
# Nearly one of them, and none: these must stay what they are.
OTHERS = [
    ("gelu of another", lambda g, x: g.Mul(g.Mul(g.Exp(x), g.Add(g.Erf(g.Div(x, math.sqrt(2))),
                                                              1.0)), 0.5), "gelu"),
    ("gelu of another root", lambda g, x: g.Mul(g.Mul(x, g.Add(g.Erf(g.Div(x, 1.5)), 1.0)), 0.5),
     "gelu"),
    ("silu of two", lambda g, x: g.Mul(g.Sigmoid(g.Neg(x)), x), "silu"),
    ("softmax over two sums", lambda g, x: g.Div(g.Exp(x), g.ReduceSum(g.Exp(g.Neg(x)), [1])),
     "softmax"),
    ("layer norm over channels", lambda g, x: layer_norm_axis(g, x), "layer_norm"),
    ("hard-swish of 5", lambda g, x: g.Div(g.Mul(x, g.Clip(g.Add(x, 3.0), 0.0, 5.0)), 6.0),
     "hard_swish"),
]


def layer_norm_axis(g, x):
    d = g.Sub(x, g.ReduceMean(x, axes=[1]))
    return g.Div(d, g.Sqrt(g.Add(g.ReduceMean(g.Mul(d, d), axes=[1]), 1e-6)))


def dump(folder, make, shape, out):
    path = os.path.join(folder, "p.onnx")
    g = Graph()
    g.save(path, make(g, "x"), shape, out)
    done = subprocess.run([VTC, "dump", path], capture_output=True, text=True)
    if done.returncode:
        sys.exit("failed: dump\n" + done.stderr)
    return path, done.stdout


def value(folder, path, x):
    """By the graph as read: written again, run by PyTorch's operators."""
    from torch_executor import Executor
    again = os.path.join(folder, "again.onnx")
    subprocess.run([VTC, "build", path, "--emit=onnx", "-o", again], check=True)
    return list(Executor(again).run({"x": x}).values())[0]


def check_case(folder, name, make, wanted, reference, gone, shape=None):
    shape = shape or ((2, 6, 4) if name.startswith("attention") else SHAPE)
    x = R.normal(size=shape).astype(np.float32)
    out = [None] * 3
    path, text = dump(folder, make, shape, out)
    assert re.search("= " + wanted, text), "%s: no '%s' in\n%s" % (name, wanted, text)
    assert not re.search("= %s " % gone, text), "%s: %s is left in\n%s" % (name, gone, text)
    want = reference(t(x)).numpy()
    gap = np.abs(value(folder, path, x) - want).max() / np.abs(want).max()
    assert gap < 1e-5, (name, gap)


def check_again(folder):
    """One head is written as it was read."""
    g = Graph()
    path, again = (os.path.join(folder, n) for n in ("head.onnx", "again.onnx"))
    g.save(path, one_head(g, "x"), SHAPE, [None] * 3)
    subprocess.run([VTC, "build", path, "--emit=onnx", "-o", again], check=True)
    one, two = ([n.op_type for n in onnx.load(p).graph.node] for p in (path, again))
    assert one == two, (one, two)


def main():
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            check_case(folder, *case)
        check_again(folder)
        for name, make, never in OTHERS:
            _, text = dump(folder, make, SHAPE, [None] * 3)
            assert "= %s " % never not in text, "%s was taken for %s" % (name, never)
    print("%d spellings recognised, %d left alone" % (len(CASES), len(OTHERS)))


main()
