"""A network through every stage of the compiler (vtc verify) and beside the same one
written in PyTorch, in double, with the weights under the names of the language."""
import json
import os
import re
import struct
import subprocess
import sys
import tempfile


def skip(why):
    print("skipped: %s" % why)
    sys.exit(77)


try:
    import numpy as np
    import torch
    import torch.nn.functional as F
except ImportError as absent:
    skip(absent)

TOLERANCE = 1e-4


# ---- weights by their names ----------------------------------------------------


def safetensors(path):
    with open(path, "rb") as f:
        data = f.read()
    size, = struct.unpack("<Q", data[:8])
    tensors = {}
    for name, t in json.loads(data[8:8 + size]).items():
        if name != "__metadata__":
            low, high = (8 + size + i for i in t["data_offsets"])
            values = np.frombuffer(data[low:high], np.float32).reshape(t["shape"])
            tensors[name] = torch.from_numpy(values.astype(np.float64))
    return tensors


class Net:
    """Layers by name: net("conv1") is the part of the network under that label. What
    a layer's sizes and groups are, its weights say."""

    def __init__(self, weights, prefix=""):
        self.weights, self.prefix = weights, prefix

    def __call__(self, label):
        return Net(self.weights, "%s%s." % (self.prefix, label))

    def get(self, name):
        return self.weights[self.prefix + name]

    def has(self, name):
        return any(w.startswith(self.prefix + name) for w in self.weights)

    def bias(self, name):
        return self.weights.get("%s%s.bias" % (self.prefix, name))

    def conv(self, name, x, stride=1):
        """Padded to the size of x (over the stride), over maps or over tokens."""
        w = self(name).get("weight")
        conv = F.conv2d if w.dim() == 4 else F.conv1d
        return conv(x, w, self.bias(name), stride, w.shape[-1] // 2,
                    groups=x.shape[1] // w.shape[1])

    def linear(self, name, x):
        return F.linear(x, self(name).get("weight"), self.bias(name))

    def norm(self, name, x):
        n = self(name)
        return F.batch_norm(x, n.get("running_mean"), n.get("running_var"),
                            n.get("weight"), n.get("bias"))


# ---- comparing -----------------------------------------------------------------


def stages(vtc, model, weights, folder, given):
    """Every stage of the compiler; false when one differs."""
    run = subprocess.run([vtc, "verify", *model, "--weights=" + weights, "--exact",
                          "--vectors=" + folder, *given], capture_output=True, text=True)
    print(model[1].split("=")[1], run.stdout, run.stderr, sep="\n")
    good = run.returncode == 0 and "C by gcc" in run.stdout
    if "built without LLVM" in run.stdout:
        print("skipped: the LLVM back end (package llvm-19-dev)")
    else:
        good = good and "LLVM, 2 threads        the same bits" in run.stdout
    return good


def input_shape(path, name):
    with open(path, encoding="utf-8") as f:
        shape, = re.findall(r"model %s\(image: f32\[(.*?)\]" % name, f.read())
    return [int(n) for n in shape.split(",")]


def beside_torch(path, name, forward, weights, folder):
    x = np.fromfile(os.path.join(folder, "input_0.bin"), np.float32)
    x = torch.from_numpy(x.reshape(input_shape(path, name)).astype(np.float64))
    found = np.fromfile(os.path.join(folder, "output_0.bin"), np.float32)
    with torch.no_grad():
        y = forward(Net(safetensors(weights)), x).numpy().ravel()
    if y.size != found.size or y.max() == y.min():
        print("%s: PyTorch has %d elements, we %d" % (name, y.size, found.size))
        return False
    off = np.abs(found - y).max() / (y.max() - y.min())
    print("%s: %.1e of the range off PyTorch" % (name, off))
    return off <= TOLERANCE


def compare(vtc, path, name, forward, image=None):
    """`image`: the input as an array, else vtc's random one."""
    with tempfile.TemporaryDirectory() as folder:
        model = [path, "--model=" + name]
        weights, given = os.path.join(folder, "w.safetensors"), []
        if image is not None:
            np.save(os.path.join(folder, "image.npy"), image)
            given = ["--input=" + os.path.join(folder, "image.npy")]
        subprocess.run([vtc, "init", *model, "--seed=3", "-o", weights], check=True,
                       stderr=subprocess.DEVNULL)
        return (stages(vtc, model, weights, folder, given) and
                beside_torch(path, name, forward, weights, folder))


def run(vtc, names, network):
    """network(name) is the arguments of compare; the process's exit code."""
    failed = [name for name in names if not compare(vtc, *network(name))]
    print("%d failed" % len(failed), *failed)
    return len(failed) != 0
