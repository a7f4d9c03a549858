"""Cases for every operator of ir/ops.def: a graph as text, its tensors, and the
reference by PyTorch in float64 (NumPy where PyTorch has no such operator).

Shapes are odd on purpose: 1, primes, not multiples of any vector.

    for case in cases(seed): case.op, case.text(), case.tensors, case.expected()
"""
import math

import numpy as np

from op_case import Case, Draw, DTYPES, NAMES, SourceCase, torch_op, type_text


# ---- contractions ----------------------------------------------------------


def window(d, size, kernel, stride, dilation):
    """Padding (before, after) so that the window fits."""
    reach = dilation * (kernel - 1) + 1
    before, after = (int(d.random.integers(0, kernel + 1)) for _ in range(2))
    return before + max(0, reach - size - before - after), after


def conv_weights(d, groups, taps):
    inputs, outputs = groups * d.size(1, 2, 3, 5), groups * d.size(1, 2, 3, 7)
    w = d.real(outputs, inputs // groups, *taps)
    return inputs, [w] + ([d.real(outputs)] if d.flag() else [])


def conv2d(d):
    kernel = [d.size(1, 2, 3, 5), d.size(1, 1, 3, 7)]
    stride = [d.size(1, 1, 2, 3), d.size(1, 1, 2, 3)]
    dilation = [d.size(1, 1, 2), d.size(1, 1, 3)]
    groups = d.size(1, 1, 2, 3, 5)
    inputs, weights = conv_weights(d, groups, kernel)
    size = [d.size(1, 3, 7, 13, 17), d.size(1, 2, 5, 11, 19)]
    (top, bottom), (left, right) = (window(d, *z)
                                    for z in zip(size, kernel, stride, dilation))

    def reference(torch, x, w, bias=None):
        F = torch.nn.functional
        return F.conv2d(F.pad(x, (left, right, top, bottom)), w, bias, stride, 0,
                        dilation, groups)
    return Case("conv2d", [d.real(d.size(1, 1, 2), inputs, *size)] + weights,
                dict(stride=stride, pad=[top, left, bottom, right],
                     dilation=dilation, groups=groups), torch_op(reference))


def conv2d_large(d):
    """More columns than one piece of the im2col buffer holds."""
    x, w = d.real(1, 97, 71, 67), d.real(3, 97, 5, 5)

    def reference(torch, x, w):
        return torch.nn.functional.conv2d(x, w, padding=2)
    return Case("conv2d", [x, w], dict(pad=[2, 2, 2, 2]), torch_op(reference))


def conv2d_strided_point(d):
    """1x1 with a stride and padding that leave the map its size."""
    size, axis = d.size(3, 5, 7), d.size(0, 1)
    stride, padding = [1, 1], [0, 0]
    stride[axis], padding[axis] = 2, size // 2
    x, w = d.real(1, 3, size, size), d.real(2, 3, 1, 1)

    def reference(torch, x, w):
        return torch.nn.functional.conv2d(x, w, stride=stride, padding=padding)
    return Case("conv2d", [x, w], dict(stride=stride, pad=padding * 2),
                torch_op(reference))


def conv1d(d):
    kernel, stride = d.size(1, 2, 3, 5), d.size(1, 2, 3)
    dilation, groups = d.size(1, 1, 2), d.size(1, 2, 3)
    inputs, weights = conv_weights(d, groups, [kernel])
    size = d.size(1, 5, 13, 31)
    pad = window(d, size, kernel, stride, dilation)

    def reference(torch, x, w, bias=None):
        F = torch.nn.functional
        return F.conv1d(F.pad(x, pad), w, bias, stride, 0, dilation, groups)
    return Case("conv1d", [d.real(d.size(1, 2), inputs, size)] + weights,
                dict(stride=[stride], pad=pad, dilation=[dilation], groups=groups),
                torch_op(reference))


def linear(d):
    lead, inputs, outputs = d.shape(0, 3), d.size(1, 3, 17, 31), d.size(1, 5, 13)
    bias = [d.real(outputs)] if d.flag() else []
    return Case("linear", [d.real(*lead, inputs), d.real(outputs, inputs)] + bias, {},
                torch_op(lambda torch, *a: torch.nn.functional.linear(*a)))


def matmul(d):
    m, n, k = d.size(1, 5, 17), d.size(1, 3, 19), d.size(1, 7, 31)
    lead_a, lead_b = d.pair()
    lead_a, lead_b = lead_a[-3:], lead_b[-3:]
    ta, tb = d.flag(), d.flag()
    a, b = d.real(*lead_a, m, k), d.real(*lead_b, k, n)
    a = np.ascontiguousarray(a.swapaxes(-1, -2)) if ta else a
    b = np.ascontiguousarray(b.swapaxes(-1, -2)) if tb else b

    def reference(torch, a, b):
        return (a.mT if ta else a) @ (b.mT if tb else b)
    return Case("matmul", [a, b], dict(transpose_a=ta, transpose_b=tb),
                torch_op(reference))


def attention(d):
    heads, batch = d.size(1, 2, 3), d.size(1, 2)
    queries, keys = d.size(1, 5, 16), d.size(1, 7, 49)
    width, depth = heads * d.size(1, 3, 8), heads * d.size(1, 2, 5)
    scale = float(d.random.uniform(0.2, 2))

    def split(x):
        return x.view(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)

    def reference(torch, q, k, v):
        scores = (scale * split(q) @ split(k).mT).softmax(-1)
        return (scores @ split(v)).transpose(1, 2).reshape(batch, queries, depth)
    return Case("attention", [d.real(batch, queries, width), d.real(batch, keys, width),
                              d.real(batch, keys, depth)],
                dict(heads=heads, scale=scale), torch_op(reference))


# ---- pooling and norms -----------------------------------------------------


def pool_geometry(d):
    kernel = [d.size(1, 2, 3, 5), d.size(1, 2, 3, 4)]
    stride = [d.size(1, 2, 3), d.size(1, 2, 3)]
    size = [k + d.size(0, 1, 4, 9) for k in kernel]
    return kernel, stride, d.real(d.size(1, 2), d.size(1, 3, 5), *size)


def hangs_over(x, kernel, stride, pad):
    """Does ceil_mode add a window that ends outside?"""
    for size, k, s, p in zip(x.shape[2:], kernel, stride, pad):
        room = size + 2 * p - k
        if room % s and (room // s + 1) * s < size + p:
            return True
    return False


def symmetric_pool(op, ceil_mode=False):
    """Padding as PyTorch has it; with ceil_mode there is a window for it."""
    def make(d):
        while True:
            kernel, stride, x = pool_geometry(d)
            pad = [int(d.random.integers(0, k // 2 + 1)) for k in kernel]
            if not ceil_mode or hangs_over(x, kernel, stride, pad):
                break
        attrs = dict(kernel=kernel, stride=stride, pad=pad * 2, ceil_mode=ceil_mode)
        more = {}
        if op == "avg_pool2d":
            attrs["count_pad"] = more["count_include_pad"] = d.flag()

        def reference(torch, x):
            return getattr(torch.nn.functional, op)(
                x, kernel, stride, pad, ceil_mode=ceil_mode, **more)
        return Case(op, [x], attrs, torch_op(reference))
    return make


def asymmetric_pads(d, kernel):
    top, bottom = (int(d.random.integers(0, kernel[0])) for _ in range(2))
    left, right = (int(d.random.integers(0, kernel[1])) for _ in range(2))
    return [top, left, bottom, right], (left, right, top, bottom)


def asymmetric_max_pool(d):
    kernel, stride, x = pool_geometry(d)
    pad, sides = asymmetric_pads(d, kernel)

    def reference(torch, x):
        F = torch.nn.functional
        return F.max_pool2d(F.pad(x, sides, value=-math.inf), kernel, stride)
    return Case("max_pool2d", [x], dict(kernel=kernel, stride=stride, pad=pad),
                torch_op(reference))


def asymmetric_avg_pool(d):
    kernel, stride, x = pool_geometry(d)
    pad, sides = asymmetric_pads(d, kernel)
    count_pad = d.flag()

    def reference(torch, x):
        F = torch.nn.functional
        mean = F.avg_pool2d(F.pad(x, sides), kernel, stride)
        share = F.avg_pool2d(F.pad(torch.ones_like(x), sides), kernel, stride)
        return mean if count_pad else mean / share
    return Case("avg_pool2d", [x], dict(kernel=kernel, stride=stride, pad=pad,
                                        count_pad=count_pad), torch_op(reference))


def batch_norm(d):
    shape = d.shape(2, 5)
    c, eps = shape[1], float(d.random.choice([1e-5, 1e-3]))
    tensors = [d.real(*shape), d.real(c), d.real(c), d.real(c), d.positive(c)]

    def reference(torch, x, w, b, mean, var):
        return torch.nn.functional.batch_norm(x, mean, var, w, b, eps=eps)
    return Case("batch_norm", tensors, dict(eps=eps), torch_op(reference))


def layer_norm(d):
    shape = d.shape(1, 4)
    axis = int(d.random.integers(0, len(shape)))
    tail, eps = shape[axis:], 1e-5
    weights = [d.real(*tail), d.real(*tail)][:d.size(0, 1, 2)]

    def reference(torch, x, *wb):
        return torch.nn.functional.layer_norm(x, tail, *wb, eps=eps)
    return Case("layer_norm", [d.real(*shape)] + weights, dict(axis=axis, eps=eps),
                torch_op(reference))


def group_norm(d):
    groups, eps = d.size(1, 2, 3), 1e-5
    shape = d.shape(2, 5)
    shape[1] = c = groups * d.size(1, 2, 5)
    weights = [d.real(c), d.real(c)][:d.size(0, 1, 2)]

    def reference(torch, x, *wb):
        return torch.group_norm(x, groups, *wb, eps=eps)
    return Case("group_norm", [d.real(*shape)] + weights,
                dict(groups=groups, eps=eps), torch_op(reference))


# ---- elementwise -----------------------------------------------------------


def unary(op, function, values="real", **attrs):
    def make(d):
        x = getattr(d, values)(*d.shape())
        if values == "real":
            x = x * np.float32(3)
        dtype = NAMES[x.dtype]
        return Case(op, [x], attrs, torch_op(function), dtype)
    return make


def clamp(d):
    low, high = sorted(float(x) for x in d.random.normal(size=2))
    attrs = dict([("min", low), ("max", high)][d.size(0, 0, 1):][:d.size(1, 2)])
    return Case("clamp", [d.real(*d.shape())], attrs,
                torch_op(lambda torch, x: torch.clamp(x, **attrs)))


def cast(source, to):
    def make(d):
        shape = d.shape()
        x = {"f32": d.real(*shape) * np.float32(10.0 ** d.size(0, 2, 5)),
             "i32": d.whole(*shape, low=-300, high=300),
             "u8": d.whole(*shape, low=0, high=255).astype(np.uint8),
             "bool": d.truth(*shape)}[source]

        def reference(x):
            if to == "bool":
                return x != 0
            if to in ("i32", "u8"):
                range_ = np.iinfo(DTYPES[to])
                return np.clip(np.trunc(x.astype(np.float64)), range_.min, range_.max)
            return x.astype(np.float64)
        return Case("cast", [x], dict(to=to), reference, to, engine="NumPy")
    return make


def cast_extremes(d):
    x = np.array([3e9, -3e9, np.nan, np.inf, -np.inf, 255.9, -0.9, 1e-30], np.float32)
    big, small = np.iinfo(np.int32).max, np.iinfo(np.int32).min
    expected = np.array([big, small, 0, big, small, 255, 0, 0], np.float64)
    return Case("cast", [x], dict(to="i32"), lambda x: expected, "i32", quick=False,
                engine="NumPy")


def binary(op, function, values=("real", "real"), dtype="f32", quick=True):
    def make(d):
        shapes = d.pair()
        tensors = [getattr(d, v)(*s) for v, s in zip(values, shapes)]
        return Case(op, tensors, {}, torch_op(function), dtype, quick)
    return make


def wrapping(op, function):
    def make(d):
        a, b = (d.whole(*s, low=-2**31, high=2**31 - 1) for s in d.pair())
        return Case(op, [a, b], {}, torch_op(function), "i32", quick=False)
    return make


def pow_whole(d):
    a, b = d.pair()
    return Case("pow", [d.real(*a), d.whole(*b, low=-2, high=3).astype(np.float32)], {},
                torch_op(lambda torch, a, b: a ** b))


def select(values, dtype):
    def make(d):
        shape = d.shape()
        tensors = [d.truth(*d.less(shape)), getattr(d, values)(*d.less(shape)),
                   getattr(d, values)(*d.less(shape))]
        return Case("select", tensors, {},
                    torch_op(lambda torch, c, a, b: torch.where(c, a, b)), dtype)
    return make


# ---- windows ---------------------------------------------------------------


def vecdot(d):
    a, b = d.pair()
    rank = max(len(a), len(b))
    axes = sorted({int(d.random.integers(0, rank)) for _ in range(d.size(1, 2, 3))})
    keep = d.flag()
    return Case("vecdot", [d.real(*a), d.real(*b)], dict(axes=axes, keepdims=keep),
                torch_op(lambda torch, a, b: (a * b).sum(axes, keepdim=keep)))


def unfold(d):
    kernel, stride, dilation = ([d.size(1, 2, 3), d.size(1, 2, 5)] for _ in range(3))
    size = [(k - 1) * t + d.size(1, 2, 7) for k, t in zip(kernel, dilation)]
    x = d.real(d.size(1, 2), d.size(1, 3), *size)

    def reference(torch, x):
        y = torch.nn.functional.unfold(x, kernel, dilation, 0, stride)
        out = [(n - (k - 1) * t - 1) // s + 1
               for n, k, t, s in zip(size, kernel, dilation, stride)]
        return y.reshape(*x.shape[:2], *kernel, *out)
    return Case("unfold", [x], dict(kernel=kernel, stride=stride, dilation=dilation),
                torch_op(reference))


# ---- along axes ------------------------------------------------------------


def softmax(d):
    shape = d.shape()
    axis = int(d.random.integers(0, len(shape)))
    x = d.real(*shape) * np.float32(d.size(1, 10, 100))
    return Case("softmax", [x], dict(axis=axis),
                torch_op(lambda torch, x: x.softmax(axis)))


def reduction(op, function):
    def make(d):
        shape = d.shape()
        count = int(d.random.integers(1, len(shape) + 1))
        axes = sorted(int(a) for a in d.random.choice(len(shape), count, replace=False))
        keep = d.flag()
        return Case(op, [d.real(*shape)], dict(axes=axes, keepdims=keep),
                    torch_op(lambda torch, x: function(torch)(x, axes, keepdim=keep)))
    return make


def argmax(d):
    shape = d.shape()
    axis, keep = int(d.random.integers(0, len(shape))), d.flag()

    def reference(x):  # NumPy promises the first; PyTorch promises any
        index = x.argmax(axis)
        return np.expand_dims(index, axis) if keep else index
    return Case("argmax", [d.coarse(*shape)], dict(axis=axis, keepdims=keep), reference,
                "i32", engine="NumPy")


def one_hot(d):
    shape, depth = d.shape(0, 4), d.size(1, 3, 7)
    axis = int(d.random.integers(0, len(shape) + 1))

    def reference(torch, x):
        hot = torch.nn.functional.one_hot(x.long(), depth)
        return hot.movedim(-1, axis).double()
    return Case("one_hot", [d.whole(*shape, low=0, high=depth - 1)],
                dict(depth=depth, axis=axis), torch_op(reference))


def one_hot_outside(d):
    x = d.whole(*d.shape(1, 2), low=-3, high=9)
    return Case("one_hot", [x], dict(depth=5, axis=0),
                lambda x: (x[None] == np.arange(5).reshape((5,) + (1,) * x.ndim)) * 1.0,
                engine="NumPy")


# ---- moving ----------------------------------------------------------------


def any_tensor(d, shape):
    kind = d.size(0, 1, 2, 3)
    x = [d.real(*shape), d.whole(*shape), d.truth(*shape),
         d.whole(*shape, low=0, high=255).astype(np.uint8)][kind]
    return x, NAMES[x.dtype]


def concat(d):
    shape = d.shape()
    axis = int(d.random.integers(0, len(shape)))
    tensors = []
    for _ in range(d.size(1, 2, 3, 5)):
        shape[axis] = d.size(1, 2, 5)
        tensors.append(shape.copy())
    kind = d.size(0, 1, 2)
    tensors = [[d.real, d.whole, d.truth][kind](*s) for s in tensors]
    return Case("concat", tensors, dict(axis=axis),
                torch_op(lambda torch, *t: torch.cat(t, axis)), NAMES[tensors[0].dtype])


def slice_(d):
    shape = d.shape()
    x, dtype = any_tensor(d, shape)
    start, count, step = [], [], []
    for n in shape:
        step.append(d.size(1, 1, 2, 3))
        start.append(int(d.random.integers(0, n)))
        count.append(int(d.random.integers(1, (n - start[-1] - 1) // step[-1] + 2)))
    pick = tuple(slice(s, s + (c - 1) * t + 1, t) for s, c, t in zip(start, count, step))
    return Case("slice", [x], dict(start=start, shape=count, step=step),
                torch_op(lambda torch, x: x[pick]), dtype)


def pad_constant(d):
    shape = d.shape()
    x, dtype = any_tensor(d, shape)
    before, after = ([d.size(0, 0, 1, 3) for _ in shape] for _ in range(2))
    value = float(d.size(0, 1)) if dtype != "f32" else float(d.random.normal())
    sides = [side for b, a in zip(before[::-1], after[::-1]) for side in (b, a)]

    def reference(torch, x):
        return torch.nn.functional.pad(x, sides, value=value)
    return Case("pad", [x], dict(pad=before + after, mode="constant", value=value),
                torch_op(reference), dtype)


def pad_reflect(d):
    shape = d.shape()
    before, after = ([int(d.random.integers(0, n)) for n in shape] for _ in range(2))
    return Case("pad", [d.real(*shape)], dict(pad=before + after, mode="reflect"),
                lambda x: np.pad(x, list(zip(before, after)), mode="reflect"),
                engine="NumPy")


def pad_reflect_map(d):
    h, w = d.size(2, 5, 7), d.size(3, 4, 11)
    top, bottom = (int(d.random.integers(0, h)) for _ in range(2))
    left, right = (int(d.random.integers(0, w)) for _ in range(2))

    def reference(torch, x):
        return torch.nn.functional.pad(x, (left, right, top, bottom), mode="reflect")
    return Case("pad", [d.real(d.size(1, 2), d.size(1, 3), h, w)],
                dict(pad=[0, 0, top, left, 0, 0, bottom, right], mode="reflect"),
                torch_op(reference))


def reshape(d):
    shape = d.shape()
    x, dtype = any_tensor(d, shape)
    rest, to = math.prod(shape), []
    for factor in (2, 3, 5, 7):
        if rest % factor == 0:
            to.append(factor)
            rest //= factor
    to = [rest, 1] + to if d.flag() else to + [rest]
    return Case("reshape", [x], dict(shape=to),
                torch_op(lambda torch, x: x.reshape(to)), dtype)


def transpose(d):
    shape = d.shape()
    x, dtype = any_tensor(d, shape)
    perm = [int(p) for p in d.random.permutation(len(shape))]
    return Case("transpose", [x], dict(perm=perm),
                torch_op(lambda torch, x: x.permute(perm)), dtype)


def broadcast(d):
    shape = d.shape()
    x, dtype = any_tensor(d, d.less(shape))
    return Case("broadcast", [x], dict(shape=shape),
                torch_op(lambda torch, x: x.expand(shape)), dtype)


def resize_sizes(d):
    sizes = [1, 2, 3, 5, 7, 8, 13, 49]
    return ([d.size(*sizes), d.size(*sizes)], [d.size(*sizes), d.size(*sizes)])


def index_of(coords, size, out):
    """The rule in whole numbers."""
    i = np.arange(out)
    if coords == "asymmetric":
        index = i * size // out
    elif coords == "half_pixel":
        index = (2 * i + 1) * size // (2 * out)
    else:
        index = (2 * i * (size - 1) + out - 1) // max(1, 2 * (out - 1))
    return np.minimum(index, size - 1)


def float_rounds(coords, size, out):
    """PyTorch finds the index in float32, which can miss the exact edge."""
    i = np.arange(out).astype(np.float32)
    i += np.float32(0.5 if coords == "half_pixel" else 0)
    index = np.minimum(np.floor(i * np.float32(size / out)), size - 1)
    return bool((index != index_of(coords, size, out)).any())


def resize_nearest(coords, mode):
    def make(d):
        from_, to = resize_sizes(d)
        while any(float_rounds(coords, *z) for z in zip(from_, to)):
            from_, to = resize_sizes(d)
        x = d.real(d.size(1, 2), d.size(1, 3), *from_)

        def reference(torch, x):
            return torch.nn.functional.interpolate(x, to, mode=mode)
        return Case("resize", [x], dict(shape=list(x.shape[:2]) + to, mode="nearest",
                                        coords=coords), torch_op(reference))
    return make


def resize_nearest_index(coords):
    def make(d):
        from_, to = resize_sizes(d)
        rows, columns = (index_of(coords, *z) for z in zip(from_, to))
        x = d.real(d.size(1, 2), d.size(1, 3), *from_)
        return Case("resize", [x], dict(shape=list(x.shape[:2]) + to, mode="nearest",
                                        coords=coords),
                    lambda x: x[:, :, rows][:, :, :, columns], engine="NumPy")
    return make


def resize_bilinear(coords, **how):
    def make(d):
        from_, to = resize_sizes(d)
        x = d.real(d.size(1, 2), d.size(1, 3), *from_)

        def reference(torch, x):
            return torch.nn.functional.interpolate(x, to, mode="bilinear", **how)
        return Case("resize", [x], dict(shape=list(x.shape[:2]) + to, mode="bilinear",
                                        coords=coords), torch_op(reference))
    return make


def resize_bilinear_asymmetric(d):
    from_, to = resize_sizes(d)

    def weights(size, out):
        """[out, size]: rows that blend two elements."""
        matrix = np.zeros((out, size))
        for i in range(out):
            low = i * size // out
            weight = i * size / out - low
            matrix[i, low] += 1 - weight
            matrix[i, min(low + 1, size - 1)] += weight
        return matrix
    rows, columns = (weights(*z) for z in zip(from_, to))
    x = d.real(d.size(1, 2), d.size(1, 3), *from_)
    return Case("resize", [x], dict(shape=list(x.shape[:2]) + to, mode="bilinear",
                                    coords="asymmetric"),
                lambda x: rows @ x @ columns.T, engine="NumPy")


# ---- sources ---------------------------------------------------------------


def source_input(d):
    x = d.real(*d.shape())
    return SourceCase("input", f'input name="t0" : {type_text(x)}', x, [x])


def source_weight(d):
    x = d.real(*d.shape())
    return SourceCase("weight", f'weight name="t0" : {type_text(x)}', x, [x])


def constant_fill(d):
    shape, value = d.shape(), d.size()
    text = ",".join(map(str, shape))
    return SourceCase("constant", f"constant value={value} : f32[{text}]",
                      np.full(shape, value, np.float64))


def constant_data(d):
    x = d.coarse(d.size(), d.size(1, 3))
    data = ",".join(repr(float(e)) for e in x.flat)
    return SourceCase("constant", f"constant : {type_text(x)} data {{{data}}}", x)


# ---- all -------------------------------------------------------------------


def unary_makers():
    plain = ["relu", "sigmoid", "tanh", "erf", "exp", "abs", "neg", "floor"]
    makers = [unary(op, lambda torch, x, op=op: getattr(torch, op)(x)) for op in plain]
    makers += [unary(op, lambda torch, x, op=op: getattr(torch, op)(x), "positive")
               for op in ["log", "sqrt", "rsqrt"]]
    makers += [
        unary("silu", lambda torch, x: torch.nn.functional.silu(x)),
        unary("hard_swish", lambda torch, x: torch.nn.functional.hardswish(x)),
        unary("gelu", lambda torch, x: torch.nn.functional.gelu(x), mode="erf"),
        unary("gelu", lambda torch, x: torch.nn.functional.gelu(x, approximate="tanh"),
              mode="tanh"),
        unary("neg", lambda torch, x: -x, "whole"),
        unary("not", lambda torch, x: torch.logical_not(x), "truth"),
        clamp, cast_extremes,
    ]
    return makers + [cast(a, b) for a in DTYPES for b in DTYPES]


def binary_makers():
    real = {"add": "add", "sub": "sub", "mul": "mul", "maximum": "maximum",
            "minimum": "minimum"}
    makers = []
    for op, name in real.items():
        function = lambda torch, a, b, name=name: getattr(torch, name)(a, b)
        makers.append(binary(op, function))
        makers.append(binary(op, function, ("whole", "whole"), "i32"))
        makers.append(wrapping(op, function))
    makers += [binary("div", lambda torch, a, b: a / b, ("real", "positive")),
               binary("pow", lambda torch, a, b: a ** b, ("positive", "real")),
               pow_whole,
               binary("and", lambda torch, a, b: a & b, ("truth", "truth"), "bool"),
               binary("or", lambda torch, a, b: a | b, ("truth", "truth"), "bool")]
    for op in ["eq", "ne", "lt", "le", "gt", "ge"]:
        function = lambda torch, a, b, op=op: getattr(torch, op)(a, b)
        makers.append(binary(op, function, ("coarse", "coarse"), "bool"))
        makers.append(binary(op, function, ("whole", "whole"), "bool"))
    return makers + [select("real", "f32"), select("whole", "i32")]


def makers():
    return [
        source_input, source_weight, constant_fill, constant_data,
        conv2d, conv2d, conv2d, conv2d_strided_point, conv1d, linear, matmul, attention,
        vecdot, unfold,
        *[symmetric_pool(op, ceil_mode) for op in ["max_pool2d", "avg_pool2d"]
          for ceil_mode in [False, True]],
        asymmetric_max_pool, asymmetric_avg_pool,
        batch_norm, layer_norm, group_norm,
        *unary_makers(), *binary_makers(),
        softmax,
        reduction("reduce_sum", lambda torch: torch.sum),
        reduction("reduce_mean", lambda torch: torch.mean),
        reduction("reduce_max", lambda torch: torch.amax),
        reduction("reduce_min", lambda torch: torch.amin),
        argmax, one_hot, one_hot_outside,
        concat, slice_, pad_constant, pad_reflect, pad_reflect_map,
        reshape, transpose, broadcast,
        resize_nearest("asymmetric", "nearest"),
        resize_nearest("half_pixel", "nearest-exact"),
        *(resize_nearest_index(c) for c in ["asymmetric", "half_pixel", "align_corners"]),
        resize_bilinear("half_pixel", align_corners=False),
        resize_bilinear("align_corners", align_corners=True),
        resize_bilinear_asymmetric,
    ]


def draw_telling(make, draw):
    """A case whose results f32 holds finer than their range asks: of two saturated ones the
    last bit alone is a thousandth of what lies between them."""
    case = make(draw)
    while not case.is_resolved():
        case = make(draw)
    return case


def cases(seed, each=6):
    """`each` cases of every maker; the same seed gives the same cases."""
    draw = Draw(seed)
    for make in makers():
        for _ in range(each):
            yield draw_telling(make, draw)
    yield conv2d_large(draw)
