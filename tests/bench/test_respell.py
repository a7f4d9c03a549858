"""bench/respell.py: what engines without batches get is the same network.

    test_respell.py VTC SOURCES
"""
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx

vtc, sources = sys.argv[1:3]
sys.path[:0] = [os.path.join(sources, "bench"), os.path.join(sources, "tests", "onnx")]
import respell
import torch_executor

# Batches of convolutions, one grouped, and of a resize; a resize that is none; a nearest
# resize of no whole scale; norms of groups.
NET = """
model net(x: f32[1, 12, 15, 15]) {
    y = reshape(x, shape = [3, 4, 15, 15])
    y = resize(y, size = [30, 30], mode = "bilinear", coords = "half_pixel")
    a: y = relu(conv2d(y, out = 6, kernel = 3, stride = 2, pad = 1, bias = true))
    b: y = conv2d(y, out = 4, kernel = 1, groups = 2)
    y = resize(y, size = [15, 15], mode = "nearest", coords = "asymmetric")
    y = reshape(y, shape = [1, 12, 15, 15])
    y = resize(y, size = [29, 29], mode = "nearest", coords = "asymmetric")
    c: y = group_norm(y, groups = 3)
    d: y = conv2d(relu(y), out = 5, kernel = 1)
    output y
}
"""


def group_norm(args, a):
    import torch
    return torch.nn.functional.group_norm(args[0], a["num_groups"], args[1], args[2],
                                          a["epsilon"])


torch_executor.RULES["GroupNormalization"] = group_norm
torch_executor.RULES.setdefault("Identity", lambda args, a: args[0])


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = lambda name: os.path.join(folder, name)
        with open(path("net.vt"), "w") as file:
            file.write(NET)
        for call in (["init", path("net.vt"), "--seed=3", "-o", path("w.safetensors")],
                     ["build", path("net.vt"), "--weights=" + path("w.safetensors"),
                      "--emit=onnx", "-o", path("net.onnx")]):
            subprocess.run([vtc, *call], check=True)
        respell.respell(path("net.onnx"), path("new.onnx"))
        nodes = [n.op_type for n in onnx.load(path("new.onnx")).graph.node]
        x = np.random.default_rng(0).normal(size=(1, 12, 15, 15)).astype(np.float32)
        wanted, found = (torch_executor.Executor(path(n), check=False).run({"x": x})["y"]
                         for n in ("net.onnx", "new.onnx"))
    assert nodes.count("GroupNormalization") == 1 and nodes.count("Resize") == 2, nodes
    assert "Gather" not in nodes and "InstanceNormalization" not in nodes, nodes
    gap = np.abs(wanted - found).max() / np.abs(wanted).max()
    print("%d nodes, gap %.2g" % (len(nodes), gap))
    assert wanted.shape == found.shape and gap < 1e-5


main()
