"""The engines: each loads a network once and runs it on one input. A class tells its
name; `load` raises what the engine says when it cannot."""
import os
import re
import subprocess
import sys

import numpy as np


class OnnxRuntime:
    name = "onnxruntime"

    def __init__(self, network, threads):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(network.onnx, options,
                                                    providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    def run(self, x):
        return self.session.run(None, {self.input: x})[0]


class OpenVino:
    name = "openvino"

    def __init__(self, network, threads):
        import openvino
        model = openvino.Core().compile_model(network.onnx, "CPU", {
            "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY"})
        self.request = model.create_infer_request()

    def run(self, x):
        return list(self.request.infer({0: x}).values())[0]


class Mnn:
    name = "mnn"

    def __init__(self, network, threads):
        import MNN.expr as expr
        import MNN.nn as nn
        path = network.onnx[:-5] + ".mnn"
        if not os.path.exists(path):
            from MNN.tools import mnnconvert
            arguments = sys.argv
            sys.argv = ["mnnconvert", "-f", "ONNX", "--modelFile", network.onnx,
                        "--MNNModel", path, "--bizCode", "bench"]
            try:
                mnnconvert.main()
            finally:
                sys.argv = arguments
        runtime = nn.create_runtime_manager(({"backend": 0, "precision": "high",
                                              "numThread": threads},))
        self.expr = expr
        self.net = nn.load_module_from_file(path, [network.input], [network.output],
                                            runtime_manager=runtime)

    def run(self, x):
        import MNN.numpy
        value = self.expr.convert(MNN.numpy.array(x), self.expr.NC4HW4)
        out = self.net.forward([value])
        out = out[0] if isinstance(out, (list, tuple)) else out
        return np.array(self.expr.convert(out, self.expr.NCHW).read())


class Ncnn:
    name = "ncnn"

    def __init__(self, network, threads):
        import ncnn
        param = network.onnx[:-5] + ".ncnn.param"
        if not os.path.exists(param):
            pnnx = os.path.join(os.path.dirname(sys.executable), "pnnx")
            subprocess.run([pnnx, network.onnx, "fp16=0"], cwd=network.folder, check=True,
                           capture_output=True)
        self.ncnn, self.network = ncnn, network
        self.net = ncnn.Net()
        self.net.opt.num_threads = threads
        self.net.load_param(param)
        self.net.load_model(param[:-5] + "bin")

    def run(self, x):
        with self.net.create_extractor() as e:
            e.input(self.net.input_names()[0], self.ncnn.Mat(x[0]).clone())
            return np.array(e.extract(self.net.output_names()[0])[1])[None]


class Ours:
    """A standalone program, timed by itself: one process for a round."""
    name = "vtc"

    def __init__(self, network, threads):
        self.network, self.threads = network, threads

    def run(self, x):
        npy, raw = self.network.path("input.npy"), self.network.path("raw.npy")
        np.save(npy, x)
        subprocess.run([self.network.program, "--quiet", "--threads=%d" % self.threads,
                        "--raw=" + raw, npy], check=True, capture_output=True)
        return np.load(raw)

    def times(self, runs):
        out = subprocess.run([self.network.program, "--bench=%d" % runs,
                              "--threads=%d" % self.threads], check=True,
                             capture_output=True, text=True).stdout
        found = re.search(r"min ([\d.]+) ms, median ([\d.]+) ms", out)
        return float(found.group(1)), float(found.group(2))


PEERS = [OnnxRuntime, OpenVino, Mnn, Ncnn]
