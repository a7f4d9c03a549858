"""What ONNX's own test data leave out: operators whose tests there are of other types, newer
opsets, and ways to store tensors. Each case is written as such a test (model, inputs, the
outputs that NumPy or PyTorch gives) and run by the conformance runner, through the graph
interpreter and compiled code.

    test_more_operators.py RUNNER
"""
import os
import sys
import tempfile

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

import written_tests

RUNNER = sys.argv[1:]
R = np.random.default_rng(3)
CASES = []


def draw(*shape):
    return R.normal(size=shape).astype(np.float32)


def case(name, nodes, inputs, output, opset=17, initializers=(), sidecar=None):
    """`nodes` read x0, x1, .. and make y."""
    CASES.append((name, nodes, inputs, output, opset, list(initializers), sidecar))


def one(name, op, inputs, output, opset=17, initializers=(), **attributes):
    names = ["x%d" % i for i in range(len(inputs))] + [t.name for t in initializers]
    case(name, [helper.make_node(op, names, ["y"], **attributes)], inputs, output, opset,
         initializers)


def t(x):
    return torch.from_numpy(x)


def ints(name, *values):
    return numpy_helper.from_array(np.asarray(values, np.int64), name)


# ---- operators ---------------------------------------------------------------------------

for equation, *shapes in (
        ("ij,jk->ik", (3, 4), (4, 5)), ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
        ("bhid,bhjd->bhij", (1, 2, 3, 4), (1, 2, 5, 4)), ("bhij,bhjd->bihd", (1, 2, 3, 5), (1, 2, 5, 4)),
        ("nchw,lc->nlhw", (1, 3, 4, 5), (2, 3)), ("i,j->ij", (3,), (4,)), ("ij->ji", (3, 4)),
        ("ii->i", (4, 4)), ("ij->", (3, 4)), ("...ij,...jk->...ik", (2, 3, 4), (2, 4, 5)),
        ("ij,ij->i", (3, 4), (3, 4)), ("ij,kj", (3, 4), (5, 4)),
        ("bhlm,bhdm->bhdl", (2, 3, 4, 5), (2, 3, 6, 5)), ("abk,kcd->dacb", (2, 3, 4), (4, 5, 6)),
        ("kbl,lmk->mb", (3, 2, 4), (4, 5, 3)), ("bij,j->bi", (2, 3, 4), (4,)),
        ("hbi,bhij->bjh", (3, 2, 4), (2, 3, 4, 5)), ("bij,bij->", (2, 3, 4), (2, 3, 4))):
    xs = [draw(*s) for s in shapes]
    one("einsum " + equation, "Einsum", xs, np.einsum(equation, *xs), equation=equation)

x = draw(2, 3, 4)
one("gelu", "Gelu", [x], torch.nn.functional.gelu(t(x)).numpy(), 20)
one("gelu tanh", "Gelu", [x], torch.nn.functional.gelu(t(x), approximate="tanh").numpy(), 20,
    approximate="tanh")
one("mish", "Mish", [x], torch.nn.functional.mish(t(x)).numpy(), 18)
one("lp normalization 2", "LpNormalization", [x],
    x / np.sqrt((x * x).sum(1, keepdims=True)), axis=1, p=2)
one("lp normalization 1", "LpNormalization", [x], x / abs(x).sum(-1, keepdims=True), p=1)
zeros = np.concatenate([x, np.zeros_like(x)])
for p in 1, 2:
    one("lp normalization %d of zeros" % p, "LpNormalization", [zeros],
        np.concatenate([x / np.linalg.norm(x, p, 2, keepdims=True), np.zeros_like(x)]), p=p)
one("cast like", "CastLike", [x, np.zeros(1, np.int32)], x.astype(np.int32))
one("reduce log sum exp", "ReduceLogSumExp", [x],
    np.log(np.exp(x).sum((0, 2), keepdims=True)).astype(np.float32), axes=[0, 2])
for exclusive in 0, 1:
    for reverse in 0, 1:
        y = x[:, ::-1] if reverse else x
        y = np.cumsum(y, 1) - (y if exclusive else 0)
        one("cumsum %d %d" % (exclusive, reverse), "CumSum", [x], y[:, ::-1] if reverse else y,
            initializers=[ints("axis", 1)], exclusive=exclusive, reverse=reverse)

# ---- newer opsets --------------------------------------------------------------------------

one("reduce mean 18", "ReduceMean", [x], x.mean((1, 2), keepdims=True), 18,
    [ints("axes", 1, 2)])
one("reduce max 18", "ReduceMax", [x], x.max(2), 18, [ints("axes", -1)], keepdims=0)
one("pad 18", "Pad", [x], np.pad(x, [(0, 0), (1, 2), (0, 0)]), 18,
    [ints("pads", 1, 2), numpy_helper.from_array(np.float32(0), "value"), ints("axes", 1)])
case("split 18", [helper.make_node("Split", ["x0"], ["a", "b"], axis=1, num_outputs=2),
                  helper.make_node("Neg", ["b"], ["y"])], [x], -x[:, 2:], 18)
image = draw(1, 2, 4, 4)
one("resize 18", "Resize", [image], np.repeat(np.repeat(image, 2, 2), 2, 3), 18,
    [numpy_helper.from_array(np.zeros(0, np.float32), "roi"),
     numpy_helper.from_array(np.float32([2, 2]), "scales")], axes=[2, 3], mode="nearest",
    coordinate_transformation_mode="asymmetric", nearest_mode="floor")
crop = np.float32([[[[1, 2, 3, 4]] * 2]])
one("crop and resize of axes 18", "Resize", [crop], np.float32([[[[2, 2.5, 3]] * 2]]), 18,
    [numpy_helper.from_array(np.float32([1 / 3, 0, 2 / 3, 1]), "roi"),
     numpy_helper.from_array(np.zeros(0, np.float32), "scales"), ints("sizes", 3, 2)],
    axes=[3, 2], mode="linear", coordinate_transformation_mode="tf_crop_and_resize")
groups, scale, bias = draw(1, 4, 3, 3), draw(4), draw(4)
one("group normalization 21", "GroupNormalization", [groups, scale, bias],
    torch.nn.functional.group_norm(t(groups), 2, t(scale), t(bias)).numpy(), 21, num_groups=2)
one("group normalization 18", "GroupNormalization", [groups, scale[:2], bias[:2]],
    torch.nn.functional.group_norm(t(groups), 2, t(scale[:2].repeat(2)),
                                   t(bias[:2].repeat(2))).numpy(), 18, num_groups=2)

# ---- older opsets, and what writers leave out ------------------------------------------------

values = R.permutation(12).reshape(3, 4).astype(np.float32)
case("top k of opset 9", [helper.make_node("TopK", ["x0"], ["y", "i"], axis=1, k=2)], [values],
     np.sort(values, 1)[:, :1:-1], 9)
one("resize of opset 10 that shrinks", "Resize", [image], image[:, :, [0, 2]][..., [0, 2, 3]], 10,
    [numpy_helper.from_array(np.float32([1, 1, 0.5, 0.75]), "scales")], mode="nearest")
zero = helper.make_node("Flatten", ["x0"], ["y"])
zero.attribute.add(name="axis", type=onnx.AttributeProto.INT)
case("a 0 that proto3 leaves out", [zero], [x], x.reshape(1, -1))
valid = torch.nn.functional.max_pool2d(t(image), 2, 2).numpy()
one("auto_pad VALID leaves pads out", "MaxPool", [image], valid, kernel_shape=[2, 2],
    strides=[2, 2], auto_pad="VALID", pads=[1, 1, 1, 1])
one("dropout with its ratio", "Dropout", [x], x,
    initializers=[numpy_helper.from_array(np.float32(0.3), "ratio")])
one("a reduction that may do nothing", "ReduceSum", [x], x.sum(2), keepdims=0,
    initializers=[ints("axes", 2)], noop_with_empty_axes=1)
one("cast 19", "Cast", [x], x.astype(np.int32), 19, to=TensorProto.INT32, saturate=0)
for size in 7, 5:  # 2 x 3.6 and 2 x 2.6: a length is cut, by halves on both sides
    scale = {7: 3.6, 5: 2.6}[size]
    source = 1 * (1 - size / (2 * scale)) + (np.arange(size) + 0.5) / scale - 0.5
    row = np.float32([[[2, 8]]])
    one("half pixel symmetric %d" % size, "Resize", [row],
        np.interp(source, [0, 1], [2, 8]).astype(np.float32)[None, None], 19,
        [numpy_helper.from_array(np.zeros(0, np.float32), "roi"),
         numpy_helper.from_array(np.float32([1, 1, scale]), "scales")], mode="linear",
        coordinate_transformation_mode="half_pixel_symmetric")

# ---- how tensors are stored ------------------------------------------------------------------

w = draw(3, 5)
typed = helper.make_tensor("w", TensorProto.FLOAT, w.shape, w.ravel().tolist())
half = numpy_helper.from_array(w.astype(np.float16), "h")
add = [helper.make_node("Add", ["x0", "w"], ["y"])]
v = draw(3, 5)
case("typed field", add, [v], v + w, initializers=[typed])
case("raw bytes", add, [v], v + w, initializers=[numpy_helper.from_array(w, "w")])
case("a node", [helper.make_node("Constant", [], ["w"], value=typed)] + add, [v], v + w)
case("half", [helper.make_node("Cast", ["h"], ["w"], to=TensorProto.FLOAT)] + add, [v],
     v + w.astype(np.float16).astype(np.float32), initializers=[half])
case("whole numbers", [helper.make_node("Cast", ["i"], ["w"], to=TensorProto.FLOAT)] + add, [v],
     v + 7, initializers=[numpy_helper.from_array(np.full(w.shape, 7, np.int8), "i")])
outside = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=w.shape,
                      data_location=TensorProto.EXTERNAL)
for key, value in (("location", "weights.bin"), ("offset", "12"), ("length", "60")):
    outside.external_data.add(key=key, value=value)
case("external data", add, [v], v + w, initializers=[outside],
     sidecar=("weights.bin", b"\xff" * 12 + w.tobytes() + b"\xff" * 4))


# ---- written as tests, and run -------------------------------------------------------------------


def info(name, array):
    dtype = helper.mapping.NP_TYPE_TO_TENSOR_TYPE[array.dtype]
    return helper.make_tensor_value_info(name, dtype, array.shape)


def write(folder, name, nodes, inputs, output, opset, initializers, sidecar):
    output = np.asarray(output)
    ports = [info("x%d" % i, a) for i, a in enumerate(inputs)]
    graph = helper.make_graph(nodes, "more", ports, [info("y", output)], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    written_tests.write(folder, model, inputs, [output])
    if sidecar:
        with open(os.path.join(folder, sidecar[0]), "wb") as f:
            f.write(sidecar[1])


def main():
    with tempfile.TemporaryDirectory() as folder:
        places = []
        for i, one_case in enumerate(CASES):
            places.append(os.path.join(folder, str(i)))
            write(places[-1], *one_case)
        failed = written_tests.run(RUNNER, places, [name for name, *_ in CASES])
    print("%d cases, %d failed" % (len(CASES), failed))
    return failed > 0


sys.exit(main())
