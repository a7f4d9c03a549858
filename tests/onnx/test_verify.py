"""`vtc verify` against an engine: with a Python that has none it says so; with a stand-in
for ONNX Runtime (PyTorch's operators, behind the same interface) networks agree, and of
a file with a wrong node the first node that differs is named.

    test_verify.py VTC MODELS
"""
import os
import subprocess
import sys
import tempfile

import onnx
from onnx import TensorProto, helper

VTC, MODELS = sys.argv[1:]
HERE = os.path.dirname(os.path.abspath(__file__))

# The part of onnxruntime that tools/onnxruntime_run.py uses. FAULT names a node whose
# result it spoils.
STAND_IN = '''
import io, os, sys
sys.path.insert(0, %r)
import numpy, onnx, torch_executor
__version__ = "stand-in"
class SessionOptions: pass
class GraphOptimizationLevel: ORT_DISABLE_ALL, ORT_ENABLE_ALL = 0, 1
class Port:
    def __init__(self, info):
        self.name = info.name
        self.type = "tensor(%%s)" %% {1: "float", 6: "int32", 2: "uint8"}[info.type.tensor_type.elem_type]
class InferenceSession:
    def __init__(self, data, options, providers):
        self.executor = torch_executor.Executor(io.BytesIO(data), check=False)
    def get_inputs(self):
        return [Port(i) for i in self.executor.model.graph.input]
    def run(self, names, inputs):
        return list(self.executor.run(inputs, os.environ.get("FAULT")).values())
'''


def run(*args, **environment):
    return subprocess.run([VTC, *args], capture_output=True, text=True,
                          env=dict(os.environ, **environment))


def check(condition, done):
    if not condition:
        sys.exit("failed: %s\n%s%s" % (" ".join(done.args), done.stdout, done.stderr))


def python_with(folder, text):
    """A Python in which `import onnxruntime` finds that text."""
    place = os.path.join(folder, "site")
    os.makedirs(place, exist_ok=True)
    with open(os.path.join(place, "onnxruntime.py"), "w") as file:
        file.write(text)
    program = os.path.join(folder, "python")
    with open(program, "w") as file:
        file.write('#!/bin/sh\nPYTHONPATH="%s" exec /usr/bin/python3 -B "$@"\n' % place)
    os.chmod(program, 0o755)
    return program


def check_output_in_the_middle(folder, engine):
    """An output that later nodes read: it comes before them, and is named by its node. A
    result of another shape is a difference like any."""
    path = os.path.join(folder, "middle.onnx")
    nodes = [helper.make_node("Relu", ["x"], ["y"], name="first"),
             helper.make_node("Neg", ["y"], ["m"], name="second"),
             helper.make_node("Exp", ["m"], ["z"], name="third")]
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [2, 3]) for n in "xyz"]
    graph = helper.make_graph(nodes, "middle", ports[:1], ports[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)
    for fault, said in (("", "3 nodes agree"), ("first", "first difference at Relu 'first'"),
                        ("third", "first difference at Exp 'third'"),
                        ("flat:second", "at Neg 'second': f32[6] there, here f32[2,3]")):
        done = run("verify", path, "--with=onnxruntime", "--nodes",
                   VTC_ONNXRUNTIME_PYTHON=engine, FAULT=fault)
        check(done.returncode == bool(fault) and said in done.stdout, done)


def main():
    with tempfile.TemporaryDirectory() as folder:
        net = os.path.join(folder, "net.onnx")
        done = run("build", os.path.join(MODELS, "vt_fashion.vt"), "--emit=onnx", "-o", net)
        check(done.returncode == 0, done)
        none = python_with(folder, "raise ImportError")
        done = run("verify", net, "--with=onnxruntime", VTC_ONNXRUNTIME_PYTHON=none)
        check(done.returncode == 3 and "not installed" in done.stdout, done)
        engine = python_with(folder, STAND_IN % HERE)
        for model in net, os.path.join(MODELS, "vt_fpn_scenes.vt"):
            done = run("verify", model, "--with=onnxruntime", VTC_ONNXRUNTIME_PYTHON=engine)
            check(done.returncode == 0 and "ONNX Runtime stand-in" in done.stdout, done)
        done = run("verify", net, "--with=onnxruntime", "--nodes",
                   VTC_ONNXRUNTIME_PYTHON=engine)
        nodes = len(onnx.load(net).graph.node)
        check(done.returncode == 0 and "nodes agree" in done.stdout, done)
        fault = onnx.load(net).graph.node[nodes // 2]
        done = run("verify", net, "--with=onnxruntime", "--nodes",
                   VTC_ONNXRUNTIME_PYTHON=engine, FAULT=fault.name)
        wanted = "first difference at %s '%s'" % (fault.op_type, fault.name)
        check(done.returncode == 1 and wanted in done.stdout, done)
        check_output_in_the_middle(folder, engine)
        done = run("verify", os.path.join(MODELS, "vt_fashion.vt"), "--nodes")
        check(done.returncode == 2, done)


main()
