"""What a case of one operator is, and drawing of shapes and values."""
import math

import numpy as np

SIZES = [1, 2, 3, 5, 7, 11, 13]
MOST_RANK = 8
# Results can cancel to nearly nothing: errors count against terms of size 1.
CANCELLING = {"conv2d", "conv1d", "linear", "matmul", "vecdot", "attention", "layer_norm",
              "group_norm", "batch_norm", "gelu", "resize"}
DTYPES = {"f32": np.float32, "i32": np.int32, "u8": np.uint8, "bool": np.bool_}
NAMES = {np.dtype(t): name for name, t in DTYPES.items()}


def spell(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(str(int(v)) for v in value) + "]"
    if isinstance(value, float):
        return repr(value)
    return str(value)


def type_text(array):
    return NAMES[array.dtype] + "[" + ",".join(map(str, array.shape)) + "]"


class Case:
    """One operator on tensors. `reference(*tensors)` gets NumPy arrays, reals as
    float64, and returns a torch tensor or an array of the result."""

    def __init__(self, op, tensors, attrs, reference, dtype="f32", quick=True,
                 engine="PyTorch"):
        self.op, self.tensors, self.attrs = op, tensors, attrs
        self.reference, self.dtype = reference, dtype
        self.quick = quick      # does quick mode hold the values?
        self.engine = engine    # who wrote the reference
        self._expected = None

    def expected(self):
        if self._expected is None:
            wide = [t.astype(np.float64) if t.dtype == np.float32 else t
                    for t in self.tensors]
            self._expected = np.asarray(self.reference(*wide))
        return self._expected

    def magnitude(self):
        """What a relative error is relative to."""
        largest = np.abs(self.expected().astype(np.float64)).max()
        return max(largest, 1.0) if self.op in CANCELLING else largest

    def is_resolved(self):
        """Do the results, where they differ, lie further apart than a hundredth of their
        size? (Outputs are compared in parts of their range.)"""
        y = self.expected().astype(np.float64)
        spread = y.max() - y.min()
        return self.dtype != "f32" or spread == 0 or spread >= np.abs(y).max() / 100

    def lines(self, prefix="", inputs=1):
        """Of a graph: the tensors, the first ones inputs and the others weights, the
        operator and its output. The prefix tells the names of several cases apart."""
        lines = []
        for i, t in enumerate(self.tensors):
            kind = "input" if i < inputs else "weight"
            lines.append(f'%{prefix}t{i} = {kind} name="{prefix}t{i}" : {type_text(t)}')
        args = ", ".join(f"%{prefix}t{i}" for i in range(len(self.tensors)))
        attrs = " ".join(f"{k}={spell(v)}" for k, v in self.attrs.items())
        shape = ",".join(map(str, self.expected().shape))
        label = f' label "{prefix}{self.op}"' if prefix else ""
        return lines + [f"%{prefix}y = {self.op} {args} {attrs} : {self.dtype}[{shape}]{label}",
                        f'output "{prefix}y" %{prefix}y']

    def text(self):
        return graph_text(self.lines())


class SourceCase(Case):
    """A graph of sources only: what makes %y, its tensor named t0."""

    def __init__(self, op, source, expected, tensors=()):
        super().__init__(op, list(tensors), {}, lambda *_: expected)
        self.source = source

    def lines(self, prefix="", inputs=1):
        source = self.source.replace('"t0"', f'"{prefix}t0"')
        return [f"%{prefix}y = {source}", f'output "{prefix}y" %{prefix}y']


def graph_text(lines):
    return 'graph "case" {\n  ' + "\n  ".join(lines) + "\n}\n"


# ---- drawing ---------------------------------------------------------------


class Draw:
    def __init__(self, seed):
        self.random = np.random.default_rng(seed)

    def size(self, *among):
        return int(self.random.choice(among or SIZES))

    def flag(self):
        return bool(self.random.integers(2))

    def shape(self, low=1, high=5):
        """Of a rank in low..high, at most some thousand elements; now and then of the
        highest rank there is."""
        deep = high == 5 and self.random.integers(6) == 0
        while True:
            rank = MOST_RANK if deep else int(self.random.integers(low, high + 1))
            shape = [self.size(1, 1, 2, 3) if deep else self.size() for _ in range(rank)]
            if math.prod(shape) <= 6000:
                return shape

    def real(self, *shape):
        return self.random.normal(size=shape).astype(np.float32)

    def positive(self, *shape):
        return self.random.uniform(0.1, 4, size=shape).astype(np.float32)

    def coarse(self, *shape):
        """Few different values, so that ties happen."""
        return (self.random.integers(-3, 4, size=shape) / 2).astype(np.float32)

    def whole(self, *shape, low=-100, high=100):
        return self.random.integers(low, high + 1, size=shape).astype(np.int32)

    def truth(self, *shape):
        return self.random.integers(0, 2, size=shape).astype(np.bool_)

    def less(self, shape):
        """A shape that broadcasts to `shape`."""
        small = [1 if self.random.integers(3) == 0 else s for s in shape]
        return small[int(self.random.integers(0, len(shape) + 1)):]

    def pair(self):
        """Two shapes that broadcast with each other."""
        shape = self.shape()
        a = [1 if self.random.integers(4) == 0 else s for s in shape]
        b = self.less(shape)
        return (a, b) if self.flag() else (b, a)


def torch_op(function):
    """A reference that works on torch tensors."""
    def reference(*arrays):
        import torch
        with torch.no_grad():
            return function(torch, *[torch.from_numpy(np.array(a)) for a in arrays])
    return reference
