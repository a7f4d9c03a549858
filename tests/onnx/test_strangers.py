"""Files from strangers that ask for much in few bytes: each is read or refused with a word,
within bounds of memory and of processor time.

    test_strangers.py VTC
"""
import os
import resource
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

VTC = os.path.abspath(sys.argv[1])
MEMORY, SECONDS = 3 << 30, 60
SHORT = len(sys.argv) > 2  # under sanitizers, which reserve memory without end
failed = checks = 0


def limit():
    if not SHORT:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


def check(folder, name, said, code=1, silent=False):
    global failed, checks
    r = subprocess.run([VTC, "check", name], cwd=folder, capture_output=True, text=True,
                       preexec_fn=limit)
    good = r.returncode == code and said in r.stderr and len(r.stderr) < 30000
    good = good and not (silent and r.stderr)
    checks += 1
    failed += not good
    if not good:
        print("FAIL %s: exit %d, expected %d and '%s': %s" % (name, r.returncode, code, said,
                                                             r.stderr[-400:]))


def ints(name, values):
    return numpy_helper.from_array(np.asarray(values, np.int64), name)


def save(folder, name, nodes, initializers=(), shape=(1, 4), output="y"):
    ports = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape),
             helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "stranger", ports[:1], ports[1:], list(initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, os.path.join(folder, name))


def node(op, inputs, output, **attributes):
    return helper.make_node(op, inputs, [output], **attributes)


def much(folder):
    """What is computed while reading."""
    large = [numpy_helper.from_array(np.float32(v), n) for v, n in
             ((0, "begin"), (1 << 23, "end"), (1, "step"))]
    ranges = [node("Range", ["begin", "end", "step"], "r%d" % i) for i in range(200)]
    save(folder, "ranges.onnx", ranges + [node("Identity", ["x"], "y")], large)
    check(folder, "ranges.onnx", "takes more memory than a file of this size may ask for")
    eyes = [node("EyeLike", ["x"], "e%d" % i) for i in range(9)]
    save(folder, "eyes.onnx", eyes + [node("Add", ["x", "e1"], "y")], shape=(30000, 30000))
    check(folder, "eyes.onnx", "takes more memory than a file of this size may ask for")
    sizes = [node("Resize", ["x", "", "", "size"], "z%d" % i, mode="cubic") for i in range(60)]
    save(folder, "resizes.onnx", sizes + [node("Identity", ["z1"], "y")],
         [ints("size", [1, 1, 4096, 4096])], shape=(1, 1, 4095, 4095))
    check(folder, "resizes.onnx", "takes more memory than a file of this size may ask for")
    grown = [node("ConstantOfShape", ["size"], "v0")]
    grown += [node("Add", ["v%d" % i, "v%d" % i], "v%d" % (i + 1)) for i in range(4000)]
    save(folder, "folded.onnx", grown + [node("Identity", ["x"], "y")], [ints("size", [65536])])
    check(folder, "folded.onnx", "takes more memory than a file of this size may ask for")
    huge = [node("ConstantOfShape", ["size"], "v"), node("Add", ["v", "x"], "y")]
    save(folder, "huge.onnx", huge, [ints("size", [1 << 20, 1 << 20])])
    check(folder, "huge.onnx", "out of range")


def many(folder):
    """What costs more than once for each node."""
    save(folder, "names.onnx", [node("None%d" % i, ["x"], "u%d" % i) for i in range(20000)] +
         [node("Identity", ["x"], "y")])
    check(folder, "names.onnx", "operator None0 (opset 13) is not supported: 1 node, 'u0'")
    wide = [node("Add", ["x", "x"], "a0")]
    wide += [node("Concat", ["a%d" % i] * 8, "a%d" % (i + 1), axis=0) for i in range(3)]
    wide += [node("Add", ["a%d" % i, "a%d" % i], "a%d" % (i + 1)) for i in range(3, 60)]
    wide += [node("Cast", ["a60"], "s", to=TensorProto.INT64), node("Reshape", ["x", "s"], "y")]
    save(folder, "paths.onnx", wide)
    check(folder, "paths.onnx", "depends on the network's input")
    deep = node("Identity", ["x"], "y")
    for _ in range(200):
        inner = helper.make_graph([deep], "g", [], [])
        deep = helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner) \
            if _ % 200 == 0 else helper.make_node("Loop", ["x"], ["y"], body=inner)
    save(folder, "deep.onnx", [deep])
    check(folder, "deep.onnx", "protobuf is damaged")


def outside(folder):
    """External data: only files below the model's folder, and what they have."""
    with open(os.path.join(folder, "data.bin"), "wb") as f:
        f.write(b"\0" * 4096)

    def external(name, location, offset=0, length=4096, count=1):
        tensors = []
        for i in range(count):
            t = TensorProto(name="w%d" % i, data_type=TensorProto.FLOAT, dims=[1024],
                            data_location=TensorProto.EXTERNAL)
            for key, value in (("location", location), ("offset", offset), ("length", length)):
                t.external_data.add(key=key, value=str(value))
            tensors.append(t)
        save(folder, name, [node("Add", ["x", "w0"], "y")], tensors, shape=(1, 1024))

    for name, location in (("up.onnx", "../data.bin"), ("root.onnx", "/etc/passwd"),
                           ("inner.onnx", "a/../../data.bin"), ("empty.onnx", "")):
        external(name, location)
        check(folder, name, "external data must lie in a file below the model's folder")
    external("short.onnx", "data.bin", offset=8)
    check(folder, "short.onnx", "4096 bytes are not at its place")
    external("far.onnx", "data.bin", offset=1 << 62)
    check(folder, "far.onnx", "4096 bytes are not at its place")
    external("absent.onnx", "absent.bin")
    check(folder, "absent.onnx", "absent.bin")
    external("right.onnx", "data.bin")
    check(folder, "right.onnx", "", code=0)


def equations(folder):
    """Einsum whose equation is not one of its operands."""
    for number, (equation, operands, said) in enumerate((
            ("ij,jk", 1, "does not fit its operands"), ("ij", 2, "does not fit its operands"),
            ("ij,ij,ij->ij", 2, "does not fit its operands"),
            ("ij->ij-", 1, "does not fit its operands"), ("ij->ij,", 1, "does not fit its operands"),
            ("ij->ijk", 1, "does not follow from its operands"),
            ("ij->ii", 1, "does not follow from its operands"),
            ("ij,ik->jkl", 2, "does not follow from its operands"))):
        name = "equation%d.onnx" % number
        save(folder, name, [node("Einsum", ["x"] * operands, "y", equation=equation)])
        check(folder, name, said)


def again(folder):
    """What is wrong in the same words a second time is not right by that."""
    broken = helper.make_node("Constant", [], ["c"], "twin")
    broken.attribute.add(name="value", type=onnx.AttributeProto.TENSOR)
    save(folder, "twins.onnx", [broken, broken, node("Add", ["x", "c"], "y")])
    check(folder, "twins.onnx", "attribute 'value' is not a tensor")
    short = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1, 4], raw_data=b"1234")
    save(folder, "short.onnx", [node("Add", ["x", "w"], "y")], [short, short])
    check(folder, "short.onnx", "'w'")


def outputs(folder):
    """Outputs that are said to be something else than their nodes make."""
    def saved(name, dtype, shape):
        ports = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4]),
                 helper.make_tensor_value_info("y", dtype, shape)]
        graph = helper.make_graph([node("Relu", ["x"], "y")], "stranger", ports[:1], ports[1:])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
        model.ir_version = 8
        onnx.save(model, os.path.join(folder, name))

    for number, (dtype, shape, said) in enumerate((
            (TensorProto.FLOAT, [1, 5], "f32[1,5]"), (TensorProto.FLOAT, [1, 4, 1], "f32[1,4,1]"),
            (TensorProto.INT64, ["n", 4], "i32[?,4]"), (TensorProto.STRING, [1], "no tensor"))):
        saved("output%d.onnx" % number, dtype, shape)
        check(folder, "output%d.onnx" % number, "output 'y' is said to be %s" % said, code=0)
    for number, (dtype, shape) in enumerate((
            (TensorProto.FLOAT, [1, 4]), (TensorProto.FLOAT16, ["n", None]),
            (TensorProto.FLOAT, None))):
        saved("agrees%d.onnx" % number, dtype, shape)
        check(folder, "agrees%d.onnx" % number, "", code=0, silent=True)


def main():
    with tempfile.TemporaryDirectory() as folder:
        much(folder)
        many(folder)
        outside(folder)
        equations(folder)
        outputs(folder)
        again(folder)
    print("%d checks, %d failed" % (checks, failed))
    return failed > 0


sys.exit(main())
