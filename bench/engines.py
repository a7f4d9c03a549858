"""The engines: each loads an ONNX file, or what its own converter makes of it, and runs
it on one input.

    name      as in tables          package  what PyPI calls it, the folder it fills
    settings  ways to run it: the fastest is taken whose output agrees
    prepare   the converter, before any clock runs     files  what the engine then loads

All run in fp32 at their highest level of optimization; an engine that cannot raises."""
import os
import subprocess
import sys


class OnnxRuntime:
    name, package, settings = "onnxruntime", "onnxruntime", [{}]

    def __init__(self, onnx, threads, setting):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(onnx, options,
                                                    providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    @staticmethod
    def prepare(onnx):
        pass

    @staticmethod
    def files(onnx):
        return [onnx]

    def run(self, x):
        return self.session.run(None, {self.input: x})[0]


class OpenVino:
    name, package, settings = "openvino", "openvino", [{}]

    def __init__(self, onnx, threads, setting):
        import openvino
        model = openvino.Core().compile_model(onnx, "CPU", {
            "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1})
        self.request = model.create_infer_request()

    prepare = OnnxRuntime.prepare
    files = OnnxRuntime.files

    def run(self, x):
        return self.request.infer({0: x}, share_inputs=True, share_outputs=True)[0]


class Mnn:
    """Its Winograd tiles grow with the hint winograd_memory (3 unless said): the largest
    are off by up to 1 % of the range on deep networks, so smaller ones are tried too."""
    name, package = "mnn", "MNN"
    settings = [{}, {"winograd_memory": 0}, {"winograd_memory": 1}]
    HINT = 3  # MNN::Interpreter::WINOGRAD_MEMORY_LEVEL

    def __init__(self, onnx, threads, setting):
        import MNN.expr as expr
        import MNN.nn as nn
        import MNN.numpy
        runtime = nn.create_runtime_manager(({
            "backend": 0, "precision": "high", "memory": "high", "power": "high",
            "numThread": threads},))
        if "winograd_memory" in setting:
            runtime.set_hint(self.HINT, setting["winograd_memory"])
        inputs, outputs = ports(onnx)
        self.expr, self.array = expr, MNN.numpy.array
        self.net = nn.load_module_from_file(self.files(onnx)[0], inputs, outputs,
                                            runtime_manager=runtime)

    @classmethod
    def prepare(cls, onnx):
        if made(cls.files(onnx)[0]):
            return
        new = onnx + ".part.mnn"
        subprocess.run([beside_python("mnnconvert"), "-f", "ONNX", "--modelFile", onnx,
                        "--MNNModel", new, "--bizCode", "bench"], check=True,
                       stdout=sys.stderr)
        os.rename(new, cls.files(onnx)[0])

    @staticmethod
    def files(onnx):
        return [onnx[:-5] + ".mnn"]

    def run(self, x):
        import numpy as np
        value = self.expr.convert(self.array(x), self.expr.NC4HW4)
        out = self.net.forward([value])
        out = out[0] if isinstance(out, (list, tuple)) else out
        return np.array(self.expr.convert(out, self.expr.NCHW).read())


class Ncnn:
    """It knows no batch: respell.py first makes one of channels. fp16 storage, its habit,
    would not be fp32."""
    name, package, settings = "ncnn", "ncnn", [{}]

    def __init__(self, onnx, threads, setting):
        import ncnn
        self.ncnn, self.net = ncnn, ncnn.Net()
        self.net.opt.num_threads = threads
        for option in ("fp16_packed", "fp16_storage", "fp16_arithmetic"):
            setattr(self.net.opt, "use_" + option, False)
        param, weights = self.files(onnx)
        if self.net.load_param(param) or self.net.load_model(weights):
            raise RuntimeError("ncnn does not load what pnnx wrote")

    @classmethod
    def prepare(cls, onnx):
        if made(cls.files(onnx)[1]):
            return
        import respell
        stem = onnx[:-5] + "_ncnn"  # pnnx names its files after it
        respell.respell(onnx, stem + ".onnx")
        subprocess.run([package_file("pnnx", "pnnx"), stem + ".onnx", "fp16=0"], check=True,
                       cwd=os.path.dirname(onnx), stdout=sys.stderr)
        for end, wanted in zip((".ncnn.param", ".ncnn.bin"), cls.files(onnx)):
            os.rename(stem + end, wanted)

    @staticmethod
    def files(onnx):
        return [onnx[:-5] + ".param", onnx[:-5] + ".bin"]

    def run(self, x):
        import numpy as np
        with self.net.create_extractor() as e:
            e.input(self.net.input_names()[0], self.ncnn.Mat(x[0]).clone())
            status, out = e.extract(self.net.output_names()[0])
            if status:
                raise RuntimeError("ncnn does not run it: %d" % status)
            return np.array(out)


def made(path):
    """It is there, and made as this file and respell.py say now."""
    here = os.path.dirname(os.path.abspath(__file__))
    return os.path.exists(path) and all(
        os.path.getmtime(path) > os.path.getmtime(os.path.join(here, script))
        for script in ("engines.py", "respell.py"))


def beside_python(command):
    return os.path.join(os.path.dirname(sys.executable), command)


def package_file(package, name):
    """Found without importing the package: pnnx's asks for PyTorch."""
    import importlib.util
    return os.path.join(os.path.dirname(importlib.util.find_spec(package).origin), name)


def ports(onnx):
    """Names of inputs and outputs, once for every file: reading it is no part of a
    start."""
    import json
    path = onnx[:-5] + ".ports"
    if not os.path.exists(path):
        import onnx as package
        graph = package.load(onnx, load_external_data=False).graph
        known = {w.name for w in graph.initializer}
        names = [[i.name for i in graph.input if i.name not in known],
                 [o.name for o in graph.output]]
        with open(path, "w") as file:
            json.dump(names, file)
    with open(path) as file:
        return json.load(file)


PEERS = {peer.name: peer for peer in (OnnxRuntime, OpenVino, Mnn, Ncnn)}
