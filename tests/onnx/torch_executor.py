"""An executor of ONNX files whose arithmetic is PyTorch's: a function for each operator
that `--emit=onnx` writes, from the ONNX specification alone.

    Executor(path).run({"image": array}) -> {output name: array}
"""
import math

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper

F = torch.nn.functional
TYPES = {1: torch.float32, 2: torch.uint8, 6: torch.int32, 7: torch.int64, 9: torch.bool}
RULES = {}


def rule(*names):
    def add(function):
        for name in names:
            RULES[name] = function
        return function
    return add


def plain(function):
    return lambda args, a: function(*args)


for _name, _function in {
        "Relu": torch.relu, "Sigmoid": torch.sigmoid, "Tanh": torch.tanh, "Erf": torch.erf,
        "Exp": torch.exp, "Log": torch.log, "Sqrt": torch.sqrt, "Abs": torch.abs,
        "Neg": torch.neg, "Floor": torch.floor, "Not": torch.logical_not,
        "Reciprocal": torch.reciprocal, "Add": torch.add, "Sub": torch.sub,
        "Mul": torch.mul, "Div": torch.div, "Pow": torch.pow, "Max": torch.maximum,
        "Min": torch.minimum, "And": torch.logical_and, "Or": torch.logical_or,
        "Equal": torch.eq, "Less": torch.lt, "LessOrEqual": torch.le, "Greater": torch.gt,
        "GreaterOrEqual": torch.ge, "Where": torch.where, "MatMul": torch.matmul,
        "Identity": lambda x: x}.items():
    RULES[_name] = plain(_function)


# ---- windows ---------------------------------------------------------------


def sides(pads):
    """ONNX's befores and afters as F.pad counts them: from the last dimension."""
    n = len(pads) // 2
    return [p for i in reversed(range(n)) for p in (pads[i], pads[n + i])]


@rule("Conv")
def conv(args, a):
    x = F.pad(args[0], sides(a["pads"]))
    run = F.conv2d if x.dim() == 4 else F.conv1d
    return run(x, args[1], args[2] if len(args) > 2 else None, a["strides"], 0,
               a["dilations"], a["group"])


def pooled_sizes(x, a):
    """Windows along each axis, and how far the last one reaches."""
    sizes, reaches = [], []
    for i, size in enumerate(x.shape[2:]):
        k, s = a["kernel_shape"][i], a["strides"][i]
        room = size + a["pads"][i] + a["pads"][2 + i] - k
        n = (math.ceil if a.get("ceil_mode") else math.floor)(room / s) + 1
        if (n - 1) * s >= size + a["pads"][i]:
            n -= 1  # it would lie in the padding behind alone
        sizes.append(n)
        reaches.append((n - 1) * s + k)
    return sizes, reaches


def window(x, a, fill):
    """x with padding and what the last window needs behind it."""
    _, reaches = pooled_sizes(x, a)
    pads = []
    for i in (1, 0):
        before = a["pads"][i]
        pads += [before, reaches[i] - before - x.shape[2 + i]]
    return F.pad(x, pads, value=fill)


@rule("MaxPool")
def max_pool(args, a):
    return F.max_pool2d(window(args[0], a, -math.inf), a["kernel_shape"], a["strides"])


@rule("AveragePool")
def average_pool(args, a):
    x = args[0]
    counted = torch.ones_like(x)
    if a.get("count_include_pad"):
        counted = F.pad(counted, sides(a["pads"]), value=1)
        _, reaches = pooled_sizes(x, a)
        counted = F.pad(counted, [0, max(0, reaches[1] - counted.shape[3]),
                                  0, max(0, reaches[0] - counted.shape[2])])
        counted = counted[:, :, :reaches[0], :reaches[1]]
    else:
        counted = window(counted, a, 0)
    size = a["kernel_shape"], a["strides"]
    return F.avg_pool2d(window(x, a, 0), *size) / F.avg_pool2d(counted, *size)


# ---- products and norms ----------------------------------------------------


@rule("Gemm")
def gemm(args, a):
    y = args[0] @ (args[1].T if a.get("transB") else args[1])
    return y + args[2] if len(args) > 2 else y


@rule("BatchNormalization")
def batch_norm(args, a):
    x, scale, shift, mean, var = args
    return F.batch_norm(x, mean, var, scale, shift, eps=a["epsilon"])


@rule("InstanceNormalization")
def instance_norm(args, a):
    return F.instance_norm(args[0], weight=args[1], bias=args[2], eps=a["epsilon"])


@rule("LayerNormalization")
def layer_norm(args, a):
    return F.layer_norm(args[0], args[0].shape[a["axis"]:], args[1],
                        args[2] if len(args) > 2 else None, a["epsilon"])


@rule("HardSigmoid")
def hard_sigmoid(args, a):
    return torch.clamp(args[0] * a["alpha"] + a["beta"], 0, 1)


@rule("Clip")
def clip(args, a):
    low, high = (list(args[1:]) + [None, None])[:2]
    return torch.clamp(args[0], low, high)


@rule("Cast")
def cast(args, a):
    x, to = args[0], TYPES[a["to"]]
    if to == torch.uint8 or (x.is_floating_point() and to == torch.int32):
        limits = torch.iinfo(to)  # what ONNX leaves open: as the graph says
        x = torch.nan_to_num(x.double(), nan=0).trunc().clamp(limits.min, limits.max)
    return x.to(to)


# ---- along axes ------------------------------------------------------------


@rule("Softmax")
def softmax(args, a):
    return torch.softmax(args[0], a["axis"])


@rule("ReduceSum")
def reduce_sum(args, a):
    return torch.sum(args[0], args[1].tolist(), bool(a["keepdims"])).to(args[0].dtype)


@rule("ReduceMean")
def reduce_mean(args, a):
    return torch.mean(args[0], a["axes"], bool(a["keepdims"]))


@rule("ReduceMax")
def reduce_max(args, a):
    return torch.amax(args[0], a["axes"], bool(a["keepdims"]))


@rule("ReduceMin")
def reduce_min(args, a):
    return torch.amin(args[0], a["axes"], bool(a["keepdims"]))


@rule("ArgMax")
def argmax(args, a):
    """The first of equals: PyTorch does not promise which."""
    return torch.from_numpy(np.asarray(np.argmax(args[0].numpy(), a["axis"]))) \
        if not a["keepdims"] else torch.from_numpy(
            np.argmax(args[0].numpy(), a["axis"], keepdims=True))


# ---- moves -----------------------------------------------------------------


@rule("Reshape")
def reshape(args, a):
    return args[0].reshape(args[1].tolist())


@rule("Expand")
def expand(args, a):
    return args[0].expand(args[1].tolist())


@rule("Transpose")
def transpose(args, a):
    return args[0].permute(a["perm"])


@rule("Concat")
def concat(args, a):
    return torch.cat(args, a["axis"])


@rule("Slice")
def cut(args, a):
    x, start, end, axes, step = args
    for s, e, axis, by in zip(*(t.tolist() for t in (start, end, axes, step))):
        x = x[(slice(None),) * axis + (slice(s, e, by),)]
    return x


@rule("Pad")
def pad(args, a):
    n = len(args[1]) // 2
    widths = list(zip(args[1].tolist()[:n], args[1].tolist()[n:]))
    more = {"constant_values": args[2].item()} if a["mode"] == "constant" else {}
    return torch.from_numpy(np.pad(args[0].numpy(), widths, a["mode"], **more))


@rule("Gather")
def gather(args, a):
    return args[0].index_select(a["axis"], args[1].long())


def nearest_index(size, out, coords, rounding):
    """In whole numbers: a coordinate on an edge must not fall to the other side."""
    i = np.arange(out)
    if coords == "asymmetric":
        top, bottom = i * size, out
    elif coords == "half_pixel":
        top, bottom = (2 * i + 1) * size - out, 2 * out
    else:
        top, bottom = i * (size - 1), max(out - 1, 1)
    if rounding == "round_prefer_ceil":
        top, bottom = 2 * top + bottom, 2 * bottom
    return np.clip(top // bottom, 0, size - 1)


@rule("Resize")
def resize(args, a):
    x, size = args[0], args[3].tolist()[2:]
    coords = a["coordinate_transformation_mode"]
    if a["mode"] == "nearest":
        for i in (0, 1):
            at = nearest_index(x.shape[2 + i], size[i], coords, a["nearest_mode"])
            x = x.index_select(2 + i, torch.from_numpy(at))
        return x
    if coords != "asymmetric":
        return F.interpolate(x, size, mode="bilinear", align_corners=coords == "align_corners")
    for i in (0, 1):
        n = x.shape[2 + i]
        at = np.arange(size[i]) * n / size[i]
        low = np.minimum(at.astype(np.int64), n - 1)
        part = torch.from_numpy((at - low).astype(np.float32)).reshape([-1] + [1] * (1 - i))
        below = x.index_select(2 + i, torch.from_numpy(low))
        above = x.index_select(2 + i, torch.from_numpy(np.minimum(low + 1, n - 1)))
        x = below + (above - below) * part
    return x


# ---- the walk --------------------------------------------------------------


def attribute(a):
    value = helper.get_attribute_value(a)
    if isinstance(value, bytes):
        return value.decode()
    return list(value) if isinstance(value, (list, tuple)) or hasattr(value, "append") else value


class Executor:
    def __init__(self, path, check=True):
        self.model = onnx.load(path)
        if check:
            onnx.checker.check_model(self.model, full_check=True)

    def run(self, inputs, fault=None):
        """`fault`: the node whose result is spoiled, or, "flat:NODE", gets another shape, to
        see that it is found."""
        graph = self.model.graph
        values = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy())
                  for t in graph.initializer}
        values.update({k: torch.from_numpy(np.array(v)) for k, v in inputs.items()})
        with torch.no_grad():
            for node in graph.node:
                args = [values[name] if name else None for name in node.input]
                a = {x.name: attribute(x) for x in node.attribute}
                result = RULES[node.op_type](args, a)
                if fault == node.name:
                    result = result * 2 + 1
                elif fault == "flat:" + node.name:
                    result = result.flatten()
                values[node.output[0]] = result
        return {o.name: values[o.name].numpy() for o in graph.output}
