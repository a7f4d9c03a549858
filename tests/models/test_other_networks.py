"""Networks as other frameworks and papers have them, as texts of the language and as ONNX
files that are imported: residual networks for CIFAR whose shortcuts have no weights (with a
checkpoint of PyTorch), pooling that rounds up as Caffe's, and TensorFlow's SAME padding.
Each is compiled, run, and compared with PyTorch.

    test_other_networks.py VTC MODELS
"""
import os
import subprocess
import sys
import tempfile
import warnings

try:
    import numpy as np
    import onnx
    import torch
    from onnx import helper, numpy_helper
    from torch import nn
except ImportError as missing:
    print("skipped: %s" % missing)
    sys.exit(77)

F = nn.functional
warnings.simplefilter("ignore")  # the exporter's, of its own shapes
TOLERANCE = 1e-5  # of the range of the outputs
vtc, models = [os.path.abspath(a) for a in sys.argv[1:3]]
failed = checks = 0


# ---- the networks in PyTorch -----------------------------------------------------------


class Block(nn.Module):
    """Option A of the paper, as the usual implementation writes it."""

    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.more = c_out - c_in

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.more:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more // 2))
        return F.relu(y + x)


class Cifar(nn.Module):
    def __init__(self, blocks):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        for i, c in enumerate((16, 32, 64)):
            first = Block(c if i == 0 else c // 2, c, 1 if i == 0 else 2)
            layer = [first] + [Block(c, c, 1) for _ in range(blocks - 1)]
            setattr(self, "layer%d" % (i + 1), nn.Sequential(*layer))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(F.avg_pool2d(x, 8).flatten(1))


class Caffe(nn.Module):
    """Pools of 3 with stride 2 whose last window may end outside."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, 2)
        self.conv2 = nn.Conv2d(8, 16, 3, 1, 1)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.mean = nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False)

    def forward(self, x):
        return self.mean(F.relu(self.conv2(self.pool(F.relu(self.conv1(x))))))


class Same(nn.Module):
    """SAME of an even input, stride 2: the odd row and column of zeros come last."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, 2)
        self.depthwise = nn.Conv2d(8, 8, 5, 2, groups=8)

    def forward(self, x):
        x = F.relu(self.conv1(F.pad(x, (0, 1, 0, 1))))
        x = F.relu(self.depthwise(F.pad(x, (1, 2, 1, 2))))
        return F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=-np.inf), 3, 2)


CAFFE = """model caffe(x: f32[1, 3, 30, 30]) {
    conv1: x = relu(conv2d(x, out = 8, kernel = 3, stride = 2, bias = true))
    x = max_pool2d(x, kernel = 3, stride = 2, ceil_mode = true)
    conv2: x = relu(conv2d(x, out = 16, kernel = 3, pad = 1, bias = true))
    y = avg_pool2d(x, kernel = 3, stride = 2, pad = 1, ceil_mode = true, count_pad = false)
    output y
}
"""
SAME = """model same(x: f32[1, 3, 32, 32]) {
    conv1: x = conv2d(x, out = 8, kernel = 3, stride = 2, pad = [0, 0, 1, 1], bias = true)
    x = relu(x)
    depthwise: x = conv2d(x, out = 8, kernel = 5, stride = 2, pad = [1, 1, 2, 2], groups = 8,
                          bias = true)
    y = max_pool2d(relu(x), kernel = 3, stride = 2, pad = [0, 0, 1, 1])
    output y
}
"""


def same_as_onnx(net, path):
    """With the attribute that converters from TensorFlow write."""
    def conv(name, x, y, module):
        return [helper.make_node("Conv", [x, name + ".weight", name + ".bias"], [name],
                                 auto_pad="SAME_UPPER", strides=[2, 2], group=module.groups),
                helper.make_node("Relu", [name], [y])]
    nodes = conv("conv1", "x", "a", net.conv1) + conv("depthwise", "a", "b", net.depthwise)
    nodes.append(helper.make_node("MaxPool", ["b"], ["y"], auto_pad="SAME_UPPER",
                                  kernel_shape=[3, 3], strides=[2, 2]))
    weights = [numpy_helper.from_array(v.numpy(), k) for k, v in net.state_dict().items()]
    ports = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, s)
             for n, s in (("x", [1, 3, 32, 32]), ("y", [1, 8, 4, 4]))]
    graph = helper.make_graph(nodes, "same", ports[:1], ports[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, path)


# ---- compiled, and compared ---------------------------------------------------------------


def check(good, what):
    global failed, checks
    checks += 1
    failed += not good
    print(("ok   " if good else "FAIL ") + what)


def run(work, *args):
    r = subprocess.run(args, cwd=work, capture_output=True, text=True)
    check(r.returncode == 0, "%s: exit %d %s" % (" ".join(args[:3])[-70:], r.returncode,
                                                 r.stderr[-300:] if r.returncode else ""))


def compare(work, what, wanted):
    run(work, "./net", "--raw=found.npy", "input.npy")
    found = np.load(work + "/found.npy").reshape(wanted.shape)
    error = abs(found - wanted).max() / (wanted.max() - wanted.min())
    check(error <= TOLERANCE, "%s: within %.1e of PyTorch" % (what, error))


def check_network(work, name, net, text, exported):
    """The text with a checkpoint, the ONNX file, and the text that import makes of it."""
    torch.manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
    net.eval()
    x = torch.randn(1, 3, *((30, 30) if name == "caffe" else (32, 32)))
    np.save(work + "/input.npy", x.numpy())
    wanted = net(x).detach().numpy()
    torch.save({"state_dict": nn.DataParallel(net).state_dict()}, work + "/net.pth")
    run(work, vtc, "build", text, "--weights=net.pth", "-o", "net")
    compare(work, name + ", the text", wanted)
    if not exported:
        return
    exported(net, work + "/net.onnx")
    run(work, vtc, "build", "net.onnx", "-o", "net")
    compare(work, name + ", ONNX", wanted)
    run(work, vtc, "import", "net.onnx", "-o", "text.vt")
    run(work, vtc, "build", "text.vt", "-o", "net")
    compare(work, name + ", imported", wanted)


def export(net, path):
    size = 30 if isinstance(net, Caffe) else 32
    torch.onnx.export(net, torch.zeros(1, 3, size, size), path, opset_version=13)


def main():
    with tempfile.TemporaryDirectory() as work:
        for name, text in (("caffe.vt", CAFFE), ("same.vt", SAME)):
            with open(os.path.join(work, name), "w", encoding="utf-8") as f:
                f.write(text)
        for depth, exported in ((20, export), (56, None)):
            name = "cifar_resnet%d" % depth
            check_network(work, name, Cifar((depth - 2) // 6), "%s/%s.vt" % (models, name),
                          exported)
        check_network(work, "caffe", Caffe(), "caffe.vt", export)
        check_network(work, "same", Same(), "same.vt", same_as_onnx)
    print("%d checks, %d failed" % (checks, failed))
    return failed > 0


sys.exit(main())
