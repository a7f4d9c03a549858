"""Checkpoints of PyTorch: safetensors and torch.save's own archives give the same bytes,
names behind a prefix are matched and told, what was used is reported, and what is not
data is refused by its name and never run.

    test_checkpoints.py VTC MODELS
"""
import os

import torch
from torch import nn

from bad_files import safetensors
from harness import call, check, expect, finish, path, read, write

NET = """model net(x: f32[1, 3, 8, 8]) {
    conv: y = conv2d(x, out = 4, kernel = 3, pad = 1, bias = true)
    bn:   y = relu(batch_norm(y))
    fc:   z = linear(flatten(y), out = 5)
    output z
}
"""
DTYPES = {torch.float32: "F32", torch.int64: "I64", torch.float16: "F16", torch.float64: "F64"}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.bn = nn.BatchNorm2d(4)
        self.fc = nn.Linear(256, 5)


def as_safetensors(state):
    """What safetensors.torch.save_file writes: all tensors, the counters too."""
    header, data = {}, b""
    for name, tensor in state.items():
        content = tensor.contiguous().numpy().tobytes()
        header[name] = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    return safetensors(header, data)


def save(name, value, **more):
    torch.save(value, path(name), **more)
    return name


def built(weights, message=""):
    """The bytes that a network becomes with these weights."""
    args = ["build", "net.vt", "--emit=c", "-o", "out"]
    r = expect(args + (["--weights=" + weights] if weights else []), 0, message)
    return (read("out/net.c"), read("out/net.weights")), r.stderr


def check_same(wanted, state):
    optimiser = {"state": {0: {"step": 7, "exp_avg": torch.ones(3)}}, "lr": 1e-3, "on": None}
    whole = {"epoch": 90, "state_dict": state, "optimizer": optimiser, "names": ["cat", "dog"]}
    turned = {k: v.contiguous(memory_format=torch.channels_last) if v.dim() == 4 else v
              for k, v in state.items()}
    check(not turned["conv.weight"].is_contiguous(), "a weight with its channels last")
    for name, value, more, said in (
            ("plain.pth", state, {}, "1 tensors num_batches_tracked"),
            ("any_name", state, {}, ""),
            ("newer.pth", state, {"pickle_protocol": 4}, ""),
            ("turned.pth", turned, {}, ""),
            ("parameters.pth", {k: nn.Parameter(v) if v.is_floating_point() else v
                                for k, v in state.items()}, {}, ""),
            ("double.pth", {k: v.double() for k, v in state.items()}, {}, ""),
            ("whole.pth", whole, {}, "tensors are those of 'state_dict' in its dictionary"),
            ("module.pth", {"module." + k: v for k, v in state.items()}, {},
             "taken without their prefix 'module.': 8 of 8 weights"),
            ("deep.pth", {"model": {"module.backbone." + k: v for k, v in state.items()}}, {},
             "taken without their prefix 'module.backbone.'")):
        got, stderr = built(save(name, value, **more), said)
        check(got == wanted, name, "gives the same network")
        check("error" not in stderr and "warning" not in stderr, name, stderr)
    for name, prefix in (("s.safetensors", ""), ("p.safetensors", "backbone.")):
        write(name, as_safetensors({prefix + k: v for k, v in state.items()}))
        check(built(name)[0] == wanted, name, "gives the same network")


def check_beside(wanted, state):
    for name in ("net.pt", "net.pth", "net.safetensors"):
        save(name, state) if name != "net.safetensors" else write(name, as_safetensors(state))
        check(built(None)[0] == wanted, name, "is found beside the text")
        os.remove(path(name))


def check_report(state):
    more = {"student." + k: v for k, v in state.items()}
    more["student.head.weight"] = torch.ones(2)
    more["words"] = "none"
    r = expect(["check", "net.vt", "--weights=" + save("more.pth", more)], 0)
    lines = [" ".join(line.split()) for line in r.stdout.splitlines()]
    for line in ("used f32[4,3,3,3] student.conv.weight as conv.weight",
                 "not used I64[] student.bn.num_batches_tracked",
                 "not used f32[2] student.head.weight", "not used no tensor words",
                 "more.pth: 8 of 11 tensors used, for 8 weights"):
        check(line in lines, "the report says", line, lines)
    check("'student.head.weight' that no weight asks for" in r.stderr, "what is too much")
    many = dict(state, **{"extra.%d" % i: torch.ones(1) for i in range(50)})
    r = expect(["check", "net.vt", "--weights=" + save("many.pth", many)], 0,
               "and 30 more tensors")
    check(r.stderr.count("that no weight asks for") == 20, "not line after line")
    twice = {p + k: v for p in ("student.", "teacher.") for k, v in state.items()}
    expect(["check", "net.vt", "--weights=" + save("twice.pth", twice)], 1,
           "under several prefixes, 'student.' among them, 8 each")
    half = {"module." + k: v for k, v in state.items() if k != "fc.bias"}
    expect(["check", "net.vt", "--weights=" + save("half.pth", half)], 1,
           "weight 'fc.bias' is not in 'half.pth'")
    ints = dict(state, **{"fc.bias": torch.arange(5)})
    expect(["check", "net.vt", "--weights=" + save("ints.pth", ints)], 1,
           "weight 'fc.bias' is f32[5] here and I64[5] in 'ints.pth'")


class Evil:
    def __reduce__(self):
        return os.system, ("touch " + path("was_run"),)


class Settings:
    pass


def check_refused(state):
    for name, value, more, said in (
            ("evil.pth", dict(state, x=Evil()), {}, "the Python object 'posix.system'"),
            ("evil4.pth", dict(state, x=Evil()), {"pickle_protocol": 4},
             "the Python object 'posix.system'"),
            ("network.pth", nn.Linear(1, 1), {}, "the Python object 'torch.nn.modules.linear."),
            ("settings.pth", {"state_dict": state, "args": Settings()}, {},
             "the Python object '__main__.Settings'"),
            ("set.pth", dict(state, x={1, 2}), {"pickle_protocol": 4}, "opcode EMPTY_SET"),
            ("long.pth", dict(state, x=1 << 80), {}, "a number of more than 8 bytes"),
            ("list.pth", [torch.ones(1)], {}, "no dictionary of tensors"),
            ("number.pth", 3, {}, "no dictionary of tensors"),
            ("keys.pth", {1: torch.ones(1)}, {}, "a key of its dictionary is not a text"),
            ("wide.pth", {"x": torch.ones(1).expand(1000)}, {}, "lie outside its storage"),
            ("old.pth", state, {"_use_new_zipfile_serialization": False},
             "what PyTorch wrote before version 1.6")):
        r = expect(["check", "net.vt", "--weights=" + save(name, value, **more)], 1, said)
        check(name in r.stderr and len(r.stderr.splitlines()) == 1, "one message:", r.stderr)
    check(not os.path.exists(path("was_run")), "nothing of a pickle is run")


def check_damaged(state):
    content = read(save("whole.pth", state))
    for n in list(range(0, len(content) - 1, 97)) + [len(content) - 1]:
        write("cut.pth", content[:n])
        expect(["check", "net.vt", "--weights=cut.pth"], 1)
    for at in range(0, 1500, 31): # the pickle, above all
        write("changed.pth", content[:at] + bytes([content[at] ^ 0x41]) + content[at + 1:])
        code = call("check", "net.vt", "--weights=changed.pth").returncode
        check(code in (0, 1), "byte", at, "changed: exit", code)


torch.manual_seed(0)
net = Net()
net.bn.running_mean.uniform_(-1, 1)
net.bn.running_var.uniform_(0.5, 2)
state = net.state_dict()
write("net.vt", NET)
write("first.safetensors", as_safetensors({k: v for k, v in state.items()
                                           if v.is_floating_point()}))
wanted = built("first.safetensors")[0]
check_same(wanted, state)
check_beside(wanted, state)
check_report(state)
check_refused(state)
check_damaged(state)
finish()
