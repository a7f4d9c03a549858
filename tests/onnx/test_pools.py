"""Pooling with every combination of ceil_mode, count_include_pad, padding and strides: the
file, the text that `vtc import` makes of it, and what is written of either as ONNX again
must all mean what ONNX Runtime and PyTorch mean: a last window may begin in the map or
in the padding before its end, and what ceil_mode adds behind the padding is no element.

    test_pools.py VTC RUNNER...
"""
import itertools
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper

import written_tests

VTC, *RUNNER = sys.argv[1:]
WINDOWS = [((2, 2), (2, 2), (0, 0, 0, 0)), ((3, 3), (2, 2), (1, 1, 1, 1)),
           ((3, 2), (2, 3), (1, 0, 2, 1)), ((4, 4), (3, 3), (2, 1, 1, 3)),
           ((2, 3), (3, 4), (1, 2, 0, 1)), ((1, 3), (2, 2), (0, 0, 0, 2))]


def outputs(size, kernel, stride, before, after, ceil):
    room = size + before + after - kernel
    n = (room + (stride - 1 if ceil else 0)) // stride + 1
    return n - (ceil and (n - 1) * stride >= size + before)


def spans(size, kernel, stride, before, after, ceil):
    """(first, last + 1) in the map, and how many of the padded map, for each output."""
    for i in range(outputs(size, kernel, stride, before, after, ceil)):
        first = i * stride - before
        last = min(first + kernel, size + after)
        yield max(first, 0), min(last, size), last - first


def pool(x, op, kernel, stride, pad, ceil, counted):
    rows = list(spans(x.shape[2], kernel[0], stride[0], pad[0], pad[2], ceil))
    columns = list(spans(x.shape[3], kernel[1], stride[1], pad[1], pad[3], ceil))
    y = np.zeros(x.shape[:2] + (len(rows), len(columns)), np.float32)
    for (i, (top, bottom, high)), (k, (left, right, wide)) in itertools.product(
            enumerate(rows), enumerate(columns)):
        part = x[:, :, top:bottom, left:right]
        if op == "MaxPool":
            y[:, :, i, k] = part.max((2, 3))
        else:
            n = high * wide if counted else part.shape[2] * part.shape[3]
            y[:, :, i, k] = part.sum((2, 3), dtype=np.float64) / n
    return y


def cases(x):
    for window, ceil, (op, counted) in itertools.product(
            WINDOWS, (0, 1), (("AveragePool", 0), ("AveragePool", 1), ("MaxPool", 0))):
        kernel, stride, pad = window
        attributes = {"kernel_shape": kernel, "strides": stride, "pads": pad, "ceil_mode": ceil}
        if op == "AveragePool":
            attributes["count_include_pad"] = counted
        yield op, attributes, pool(x, op, kernel, stride, pad, ceil, counted)


def main():
    x = np.random.default_rng(5).normal(size=(1, 2, 9, 8)).astype(np.float32)
    nodes, ports, wanted = [], [], []
    for i, (op, attributes, y) in enumerate(cases(x)):
        nodes.append(helper.make_node(op, ["x"], ["y%d" % i], **attributes))
        ports.append(helper.make_tensor_value_info("y%d" % i, TensorProto.FLOAT, y.shape))
        wanted.append(y)
    graph = helper.make_graph(
        nodes, "pools", [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)], ports)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    with tempfile.TemporaryDirectory() as folder:
        at = lambda name: os.path.join(folder, name)
        onnx.save(model, at("net.onnx"))
        for args in (["import", at("net.onnx"), "-o", at("net.vt")],
                     ["build", at("net.vt"), "--emit=onnx", "-o", at("text.onnx")],
                     ["build", at("net.onnx"), "--emit=onnx", "-o", at("again.onnx")]):
            subprocess.run([VTC, *args], check=True)
        names = ["net", "text", "again"]
        for name in names:
            written_tests.write(at(name), onnx.load(at(name + ".onnx")), [x], wanted)
        failed = written_tests.run(RUNNER, [at(name) for name in names], names)
    print("%d windows in %d files, %d failed" % (len(nodes), len(names), failed))
    return failed > 0


sys.exit(main())
