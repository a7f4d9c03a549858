"""A graph as `vtc dump --stage=graph` prints it, with its safetensors, as ONNX: the
same network and the same weights for the other engines. Operators that the networks
of the benchmark use; any other is an error by name."""
import json
import re
import struct

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LINE = re.compile(r"^  (%\S+) = (\w+) ?(.*?) : (\w+)\[([\d,]*)\](.*)$")
ATTRIBUTE = re.compile(r'(\w+)=(\[[^\]]*\]|"[^"]*"|\S+)')
DTYPES = {"F32": np.float32, "F16": np.float16, "I32": np.int32, "U8": np.uint8}


def read_safetensors(path):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    tensors = {}
    for name, t in json.loads(data[8:8 + size]).items():
        if name != "__metadata__":
            begin, end = (8 + size + x for x in t["data_offsets"])
            tensors[name] = np.frombuffer(data[begin:end], DTYPES[t["dtype"]]).reshape(
                t["shape"]).astype(np.float32)
    return tensors


def attribute(value):
    if value.startswith("["):
        return [int(x) for x in value[1:-1].split(",") if x]
    if value.startswith('"'):
        return value[1:-1]
    if value in ("true", "false"):
        return value == "true"
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            pass
    return value


def attributes(text):
    return {name: attribute(value) for name, value in ATTRIBUTE.findall(text)}


class Exporter:
    def __init__(self, weights):
        self.weights = weights
        self.nodes, self.initializers, self.inputs = [], [], []
        self.shape, self.serial = {}, 0

    def constant(self, array):
        self.serial += 1
        name = "constant_%d" % self.serial
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, op, args, out, **attrs):
        self.nodes.append(helper.make_node(op, args, [out], **attrs))

    def ints(self, values):
        return self.constant(np.array(values, np.int64))

    # ---- one method for each operator of the graph ----

    def input(self, out, args, a, shape):
        self.inputs.append(helper.make_tensor_value_info(out, TensorProto.FLOAT, shape))

    def weight(self, out, args, a, shape):
        self.initializers.append(numpy_helper.from_array(self.weights[a["name"]], out))

    def constant_value(self, out, args, a, shape):
        self.initializers.append(numpy_helper.from_array(
            np.full(shape, a.get("value", 0), np.float32), out))

    def conv(self, out, args, a, shape):
        self.node("Conv", args, out, strides=a["stride"], pads=a["pad"],
                  dilations=a.get("dilation"), group=a.get("groups", 1))

    conv1d = conv2d = conv

    def batch_norm(self, out, args, a, shape):
        self.node("BatchNormalization", args, out, epsilon=a.get("eps", 1e-5))

    def max_pool2d(self, out, args, a, shape):
        self.node("MaxPool", args, out, kernel_shape=a["kernel"], strides=a["stride"],
                  pads=a["pad"])

    def reshape(self, out, args, a, shape):
        self.node("Reshape", [args[0], self.ints(shape)], out)

    def transpose(self, out, args, a, shape):
        self.node("Transpose", args, out, perm=a["perm"])

    def slice(self, out, args, a, shape):
        start, step = a["start"], a.get("step", [1] * len(shape))
        end = [s + (n - 1) * k + 1 for s, n, k in zip(start, shape, step)]
        self.node("Slice", [args[0], self.ints(start), self.ints(end),
                            self.ints(range(len(shape))), self.ints(step)], out)

    def concat(self, out, args, a, shape):
        self.node("Concat", args, out, axis=a.get("axis", 0))

    def softmax(self, out, args, a, shape):
        self.node("Softmax", args, out, axis=a["axis"])

    def reduce_mean(self, out, args, a, shape):
        self.node("ReduceMean", args, out, axes=a["axes"], keepdims=int(a.get("keepdims", 0)))

    def matmul(self, out, args, a, shape):
        args = list(args)
        for i, key in enumerate(("transpose_a", "transpose_b")):
            if a.get(key):
                rank = len(self.shape[args[i]])
                perm = list(range(rank - 2)) + [rank - 1, rank - 2]
                turned = "%s_turned_%d" % (out, i)
                self.node("Transpose", [args[i]], turned, perm=perm)
                args[i] = turned
        self.node("MatMul", args, out)

    def linear(self, out, args, a, shape):
        self.node("Gemm", args, out, transB=1)

    def resize(self, out, args, a, shape):
        if self.shape[args[0]] == shape:
            self.node("Identity", args, out)
            return
        modes = {"nearest": "nearest", "bilinear": "linear"}
        coords = {"asymmetric": "asymmetric", "half_pixel": "half_pixel",
                  "align_corners": "align_corners"}
        more = {"nearest_mode": "floor"} if a["mode"] == "nearest" else {}
        empty = self.constant(np.array([], np.float32))
        self.node("Resize", [args[0], empty, empty, self.ints(shape)], out,
                  mode=modes[a["mode"]], coordinate_transformation_mode=coords[a["coords"]],
                  **more)


PLAIN = {"relu": "Relu", "add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div",
         "exp": "Exp", "sqrt": "Sqrt", "sigmoid": "Sigmoid"}


def export(text, weights, path):
    e = Exporter(weights)
    outputs = []
    for line in text.splitlines():
        line = line.split(" // ")[0].rstrip()
        output = re.match(r'^  output "([^"]*)" (%\S+)$', line)
        if output:
            outputs.append(output.groups())
            continue
        found = LINE.match(line)
        if not found:
            continue
        out, op, rest, _, shape, _ = found.groups()
        shape = [int(x) for x in shape.split(",") if x]
        args = re.findall(r"%[^\s,]+", rest)
        attrs = attributes(rest)
        e.shape[out] = shape
        if op in PLAIN:
            e.node(PLAIN[op], args, out)
        elif op == "constant":
            e.constant_value(out, args, attrs, shape)
        elif hasattr(e, op):
            getattr(e, op)(out, args, attrs, shape)
        else:
            raise SystemExit("graph_to_onnx: no rule for %s" % op)
    values = []
    for name, ref in outputs:
        e.node("Identity", [ref], name)
        values.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, e.shape[ref]))
    graph = helper.make_graph(e.nodes, "network", e.inputs, values, e.initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
