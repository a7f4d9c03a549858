"""Spells a network for an engine that knows less: ncnn has no batch, no gathering along
two axes, and norms of groups only by their name.

    conv(x [B,C,H,W], w)  ->  reshape x to [1,B*C,H,W]; conv with B times the groups, w
                              repeated B times; reshape to [B,O,h,w]
    resize(x [B,C,H,W])   ->  the same around it; none where the size stays
    gather rows, then columns, each from the place floor(i * in / out)  ->  resize nearest
    reshape to groups, instance norm, reshape back, * w, + b            ->  group norm

Batches are tokens, in position codes; the gathers are how nearest resizes are written
whose scale is no whole number."""
import collections

import numpy as np
import onnx
from onnx import helper, numpy_helper, shape_inference


def shapes_of(model):
    graph = shape_inference.infer_shapes(model).graph
    return {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim]
            for v in [*graph.value_info, *graph.input, *graph.output]}


class Speller:
    def __init__(self, model):
        self.graph, self.shapes = model.graph, shapes_of(model)
        self.weights = {w.name: w for w in model.graph.initializer}
        self.makers = {y: n for n in model.graph.node for y in n.output}
        self.users = collections.Counter(x for n in model.graph.node for x in n.input)
        self.nodes = []

    def maker(self, name, kind):
        """What makes a value that nothing else reads; None if it is of another kind."""
        node = self.makers.get(name)
        return node if node and node.op_type == kind and self.users[name] == 1 else None

    def array(self, name):
        """A weight's or constant's value, through reshapes of it; None if it is neither."""
        while name in self.makers and self.makers[name].op_type == "Reshape":
            name = self.makers[name].input[0]
        return numpy_helper.to_array(self.weights[name]) if name in self.weights else None

    def constant(self, name, array):
        self.graph.initializer.append(numpy_helper.from_array(array, name))
        return name

    def reshape(self, x, y, shape):
        to = self.constant(y + "_shape", np.array(shape, np.int64))
        self.nodes.append(helper.make_node("Reshape", [x, to], [y]))

    def repeated(self, name, batch):
        array = numpy_helper.to_array(self.weights[name])
        return self.constant("%s_times_%d" % (name, batch),
                             np.tile(array, (batch,) + (1,) * (array.ndim - 1)))

    def fold(self, node):
        x, y = node.input[0], node.output[0]
        batch, channels, *size = self.shapes[x]
        self.reshape(x, y + "_folded", [1, batch * channels, *size])
        new = onnx.NodeProto()
        new.CopyFrom(node)
        new.input[0], new.output[0] = y + "_folded", y + "_result"
        if node.op_type == "Conv":
            for i in range(1, len(node.input)):
                new.input[i] = self.repeated(node.input[i], batch)
            groups = [a for a in new.attribute if a.name == "group"]
            groups = groups or [new.attribute.add(name="group", type=onnx.AttributeProto.INT, i=1)]
            groups[0].i *= batch
        elif len(node.input) > 3:  # its sizes; scales stay what they are
            new.input[3] = self.constant(y + "_sizes", np.array(
                [1, batch * channels, *self.shapes[y][2:]], np.int64))
        self.nodes.append(new)
        self.reshape(y + "_result", y, self.shapes[y])

    def is_nearest(self, gather, axis):
        size, index = self.shapes[gather.input[0]][axis], self.array(gather.input[1])
        wanted = [i * size // len(index) for i in range(len(index))] if index is not None else 0
        return attribute(gather, "axis", 0) == axis and np.array_equal(index, wanted)

    def gathered(self, columns):
        """Rows and columns gathered -> resize."""
        rows = self.maker(columns.input[0], "Gather")
        if not rows or not self.is_nearest(rows, 2) or not self.is_nearest(columns, 3):
            return False
        y = columns.output[0]
        sizes = self.constant(y + "_sizes", np.array(self.shapes[y], np.int64))
        self.nodes.append(helper.make_node(
            "Resize", [rows.input[0], "", "", sizes], [y], mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor"))
        self.drop |= {id(rows), id(columns)}
        return True

    def normed(self, add):
        """... + b -> group norm."""
        mul = self.maker(add.input[0], "Mul")
        back = mul and self.maker(mul.input[0], "Reshape")
        norm = back and self.maker(back.input[0], "InstanceNormalization")
        split = norm and self.maker(norm.input[0], "Reshape")
        if not split or self.shapes[split.input[0]] != self.shapes[add.output[0]]:
            return False
        y = add.output[0]
        weight, bias = self.array(mul.input[1]), self.array(add.input[1])
        if weight is None or bias is None:
            return False
        self.nodes.append(helper.make_node(
            "GroupNormalization",
            [split.input[0], self.constant(y + "_w", weight.reshape(-1)),
             self.constant(y + "_b", bias.reshape(-1))], [y],
            num_groups=self.shapes[norm.output[0]][1], epsilon=attribute(norm, "epsilon", 1e-5)))
        self.drop |= {id(n) for n in (split, norm, back, mul, add)}
        return True

    def one(self, node):
        shape = self.shapes.get(node.input[0], []) if node.input else []
        if node.op_type == "Resize" and shape == self.shapes[node.output[0]]:
            self.nodes.append(helper.make_node("Identity", [node.input[0]], [node.output[0]]))
        elif node.op_type in ("Conv", "Resize") and len(shape) == 4 and shape[0] > 1:
            self.fold(node)
        elif not (node.op_type == "Gather" and self.gathered(node) or
                  node.op_type == "Add" and self.normed(node)):
            self.nodes.append(node)

    def all(self):
        self.drop = set()
        for node in self.graph.node:
            self.one(node)
        kept = [n for n in self.nodes if id(n) not in self.drop]
        del self.graph.node[:]
        self.graph.node.extend(kept)


def attribute(node, name, default):
    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name),
                default)


def respell(path, out):
    model = onnx.load(path)
    Speller(model).all()
    if any(n.op_type == "GroupNormalization" for n in model.graph.node):
        model.opset_import[0].version = 21  # the first with a weight for each channel
    onnx.save(model, out)
