"""Runs an ONNX file by ONNX Runtime, for `vtc verify`.

    onnxruntime_run.py MODEL.onnx FOLDER BASE [plain]

FOLDER/input_N.npy become FOLDER/output_N.npy (f32, or i32 for whole numbers and
booleans) and FOLDER/version, which tells the engine's. External data is looked for in
BASE. `plain`: no optimisation, so that every node is run as it stands. Exit code 42:
there is no ONNX Runtime in this Python."""
import os
import sys

try:
    import numpy as np
    import onnxruntime
except ImportError:
    sys.exit(42)

LIMITS = np.iinfo(np.int32)


def stored(array):
    array = np.ascontiguousarray(array)
    if array.dtype.kind == "f":
        return array.astype(np.float32)
    return np.clip(array.astype(np.int64), LIMITS.min, LIMITS.max).astype(np.int32)


def element_type(text):
    """'tensor(float)' as NumPy says it"""
    name = text[len("tensor("):-1]
    return np.dtype({"float": "float32", "double": "float64"}.get(name, name))


def main(model, folder, base, *plain):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_DISABLE_ALL if plain else level.ORT_ENABLE_ALL
    with open(model, "rb") as file:
        data = file.read()
    folder = os.path.abspath(folder)
    os.chdir(base)
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    inputs = {}
    for i, port in enumerate(session.get_inputs()):
        array = np.load(os.path.join(folder, "input_%d.npy" % i))
        inputs[port.name] = array.astype(element_type(port.type))
    for i, array in enumerate(session.run(None, inputs)):
        np.save(os.path.join(folder, "output_%d.npy" % i), stored(array))
    with open(os.path.join(folder, "version"), "w") as file:
        file.write(onnxruntime.__version__)


main(*sys.argv[1:])
