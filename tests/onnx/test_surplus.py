"""Nothing of an ONNX file is ignored silently. The reader's table of what a node may have is
that of ONNX's own schemas, for every operator and opset they know; what a node has beside
it, or what its builder does not read, is an error that names the node; all errors of a
file are told in one run.

    test_surplus.py VTC FRONTEND
"""
import os
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, defs, helper, numpy_helper

VTC, FRONTEND = os.path.abspath(sys.argv[1]), sys.argv[2]
KINDS = {"FLOAT": "f", "INT": "i", "STRING": "s", "TENSOR": "t", "SPARSE_TENSOR": "p",
         "FLOATS": "F", "INTS": "I", "STRINGS": "S"}
checks = failed = 0


def check(good, *what):
    global checks, failed
    checks += 1
    failed += not good
    if not good:
        print("FAIL", *what)


# ---- the table --------------------------------------------------------------------------------


def rows(name, pattern):
    with open(os.path.join(FRONTEND, name)) as f:
        text = re.sub(r'"\s+"', "", re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S))
    return re.findall(pattern, text)


def schema_at(history, opset):
    known = [s for s in history if s.since_version <= opset]
    return max(known, key=lambda s: s.since_version) if known else None


def expected(schema):
    bound = lambda n: "MANY" if n > 1000 else str(n)
    kinds = sorted("%s:%s" % (name, KINDS[str(a.type).split(".")[-1]])
                   for name, a in schema.attributes.items() if name != "consumed_inputs")
    return bound(schema.max_input), bound(schema.max_output), " ".join(kinds)


def check_table():
    operators = rows("onnx_operators.def", r"ONNX_OPERATOR\((\w+),")
    table = rows("onnx_signatures.def",
                 r'ONNX_SIGNATURE\((\w+),\s*(\d+),\s*(\w+),\s*(\w+),\s*"([^"]*)"\)')
    history = {}
    for schema in defs.get_all_schemas_with_history():
        if schema.domain == "":
            history.setdefault(schema.name, []).append(schema)
    for operator in operators:
        mine = [(int(since), rest) for name, since, *rest in table if name == operator]
        check(mine and mine == sorted(mine), operator, "has no rows, or not in order")
        for opset in range(6, defs.onnx_opset_version() + 1):
            schema = schema_at(history.get(operator, []), opset)
            held = [rest for since, rest in mine if since <= opset]
            if schema is None or not held:
                check(schema is None and not held, operator, opset, "is in one of both alone")
            elif not schema.deprecated:
                check(tuple(held[-1]) == expected(schema), operator, opset, "is", held[-1],
                      "expected", expected(schema))
    check(set(row[0] for row in table) == set(operators), "rows of operators that are not read")


# ---- files ------------------------------------------------------------------------------------


def node(op, inputs, name, outputs=1, **attributes):
    return helper.make_node(op, inputs, [name + "_%d" % i for i in range(outputs)], name=name,
                            **attributes)


def with_attribute(made, **fields):
    made.attribute.add(**fields)
    return made


W = [numpy_helper.from_array(np.ones(4, np.float32), "w"),
     numpy_helper.from_array(np.float32([1, 1, 2, 2]), "scales"),
     numpy_helper.from_array(np.int64([1, 4, 8, 8]), "sizes")]


def save(path, nodes, opset, initializers=W, inputs=("x",), domain="", change=None):
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, (1, 4, 4, 4)) for n in inputs]
    last = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "surplus", ports, [last], list(initializers))
    opsets = [helper.make_opsetid("", opset)] + [helper.make_opsetid(domain, 1)] * bool(domain)
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    if change:
        change(model)
    onnx.save(model, path)


def errors_of(path):
    r = subprocess.run([VTC, "check", path], capture_output=True, text=True)
    check(r.returncode in (0, 1), path, "exit", r.returncode, r.stderr[-300:])
    return [line for line in r.stderr.splitlines() if "error:" in line]


FLOAT, INT = onnx.AttributeProto.FLOAT, onnx.AttributeProto.INT
# node, opset, what is said
FAULTS = [
    (node("Relu", ["x", "w"], "n"), 13, "it has 2 inputs, in opset 13 at most 1"),
    (node("Add", ["x", "x", "x"], "n"), 13, "it has 3 inputs, in opset 13 at most 2"),
    (node("Squeeze", ["x", "sizes"], "n"), 11, "it has 2 inputs, in opset 11 at most 1"),
    (node("Relu", ["x"], "n", 2), 13, "it has 2 outputs, in opset 13 at most 1"),
    (node("MaxPool", ["x"], "n", 2, kernel_shape=[2, 2]), 13, "output 1 is not supported"),
    (node("Relu", ["x"], "n", alpha=1.0), 13, "it has no attribute 'alpha' in opset 13"),
    (node("Clip", ["x"], "n", min=0.0), 13, "it has no attribute 'min' in opset 13"),
    (node("Gemm", ["x", "x"], "n", broadcast=1), 7, "it has no attribute 'broadcast' in opset 7"),
    (node("MaxPool", ["x"], "n", kernel_shape=[2, 2], ceil_mode=1), 9,
     "it has no attribute 'ceil_mode' in opset 9"),
    (node("Flatten", ["x"], "n", axis=1.0), 13, "attribute 'axis' is not a whole number"),
    (node("LeakyRelu", ["x"], "n", alpha=1), 13, "attribute 'alpha' is not a real number"),
    (node("Transpose", ["x"], "n", perm=0), 13,
     "attribute 'perm' is not a list of whole numbers"),
    (node("ConstantOfShape", ["sizes"], "n", value=1.0), 13, "attribute 'value' is not a tensor"),
    (with_attribute(node("Flatten", ["x"], "n"), name="axis", type=INT, i=1, f=2), 13,
     "attribute 'axis' is not a whole number"),
    (with_attribute(node("Flatten", ["x"], "n"), name="axis", i=1, ref_attr_name="a"), 13,
     "attribute 'axis' refers to one of a function"),
    (with_attribute(node("Flatten", ["x"], "n", axis=1), name="axis", type=INT, i=2), 13,
     "attribute 'axis' is not understood"),
    (node("HardSwish", ["x"], "n"), 13, "opset 13 has no such operator"),
    (node("Resize", ["x", "", "scales", "sizes"], "n"), 13, "scales and sizes are both given"),
    (node("Resize", ["x", "", "scales"], "n", nearest_mode="up"), 13,
     "attribute 'nearest_mode' is 'up', none of: floor"),
    (node("Resize", ["x", "", "scales"], "n", coordinate_transformation_mode="half"), 13,
     "attribute 'coordinate_transformation_mode' is 'half'"),
    (node("MaxPool", ["x"], "n", kernel_shape=[2, 2], auto_pad="SAME"), 13,
     "attribute 'auto_pad' is 'SAME', none of: NOTSET VALID"),
    (node("DepthToSpace", ["x"], "n", blocksize=2, mode="RCD"), 13, "attribute 'mode' is 'RCD'"),
    (node("SpaceToDepth", ["x"], "n", blocksize=2, mode="CRD"), 28, "attribute 'mode' is 'CRD'"),
    (node("Gelu", ["x"], "n", approximate="sigmoid"), 20, "attribute 'approximate' is 'sigmoid'"),
    (node("LpNormalization", ["x"], "n", p=3), 13, "p = 3 is not supported"),
    (node("Split", ["x"], "n", 2, axis=1, num_outputs=3), 18, "num_outputs is 3, of 2"),
]


def check_faults(folder):
    path = os.path.join(folder, "fault.onnx")
    for made, opset, said in FAULTS:
        save(path, [made], opset)
        errors = errors_of(path)
        start = "%s 'n': " % made.op_type
        check(len(errors) == 1 and start in errors[0] and said in errors[0], made.op_type,
              "expected", repr(start + said), "but", errors)


def check_together(folder):
    """All nodes' errors at once, and two of one node."""
    path = os.path.join(folder, "all.onnx")
    nodes = [node("Relu", ["x"], "one", slope=1.0, bias=2.0), node("Neg", ["x", "w"], "two"),
             node("Elu", ["one_0"], "three", alpha=2), node("Abs", ["x"], "four"),
             node("Nothing", ["x"], "five")]
    save(path, nodes, 13)
    errors = "\n".join(errors_of(path))
    for said in ("Relu 'one': it has no attribute 'slope'", "Relu 'one': it has no attribute 'bias'",
                 "Neg 'two': it has 2 inputs", "Elu 'three': attribute 'alpha' is not a real number",
                 "operator Nothing (opset 13) is not supported: 1 node, 'five'"):
        check(said in errors, "expected", said, "in", errors)
    check(errors.count("error:") == 5, "five errors:", errors)


def check_names(folder):
    """A name stands for one value."""
    path = os.path.join(folder, "names.onnx")
    twice = node("Neg", ["x"], "n")
    for nodes, more, said in (
            ([node("Relu", ["x"], "n"), twice], {}, "Neg makes 'n_0', which there is already"),
            ([twice], {"initializers": W + W[:1]}, "two initialisers are called 'w'"),
            ([twice], {"inputs": ("x", "x")}, "two inputs are called 'x'"),
            ([helper.make_node("Add", ["x", "n_0"], ["n_0"])], {},
             "Add reads 'n_0', which nothing before it makes")):
        save(path, nodes, 13, **more)
        errors = errors_of(path)
        check(len(errors) == 1 and said in errors[0], "expected", said, "but", errors)
    other = helper.make_node("Relu", ["x", "w"], ["y"], domain="com.example", name="n", slope=1)
    save(path, [other], 13, domain="com.example")
    errors = errors_of(path)
    check(len(errors) == 1 and "operator com.example.Relu (opset 1) is not supported" in errors[0],
          "of another domain:", errors)


def check_surroundings(folder):
    """What stands beside the nodes: other forms of a tensor's elements, training, notes."""
    path = os.path.join(folder, "beside.onnx")

    def twice(model):
        model.graph.initializer[0].float_data.extend([1, 1, 1, 1])

    def segments(model):
        model.graph.initializer[0].segment.end = 2

    def training(model):
        model.training_info.add()

    def notes(model):
        model.graph.quantization_annotation.add(tensor_name="x")

    for change, level, said in (
            (twice, "error", "tensor 'w' holds its elements twice"),
            (segments, "error", "tensor 'w' holds its elements in segments"),
            (training, "warning", "what it says of training is left out"),
            (notes, "warning", "its notes on quantisation are left out")):
        save(path, [node("Relu", ["x"], "n")], 13, change=change)
        r = subprocess.run([VTC, "check", path], capture_output=True, text=True)
        check(level + ": " + said in r.stderr and r.returncode == (level == "error"),
              "expected", said, "but", r.stderr)


def main():
    check_table()
    with tempfile.TemporaryDirectory() as folder:
        check_faults(folder)
        check_together(folder)
        check_names(folder)
        check_surroundings(folder)
    print("%d checks, %d failed" % (checks, failed))
    return failed > 0


sys.exit(main())
