"""The networks that are timed, and the files that engines take of them.

Every network is written for other engines twice: "naive", as the model says it, and
"fused", after our re-associations (tokenizer, projector): each engine gets the better
of the two. All are drawn with the same random weights."""
import json
import os
import re
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = os.path.join(HERE, "..", "models")
OWN = os.path.join(HERE, "networks")
FUSED = ["--keep-norms", "--passes=common_subexpressions,fuse_tokenizer,fuse_projector",
         "--stop-after=fuse_projector"]

# Kind -> what is aimed at, by threads: how often as fast as ONNX Runtime, and as the
# fastest engine. None: nothing is.
GOALS = {
    "basic":      {1: (2.2, 1.25), 2: (2.1, 1.45)},
    "bottleneck": {1: (1.35, 1.15), 2: (1.35, 1.2)},
    "v1_basic":   {1: (2.2, None), 2: (2.1, None)},
    "v1_bottleneck": {1: (1.35, None), 2: (1.35, None)},
    "fpn":        {1: (1.7, None), 2: (1.7, None)},
    "vt_fpn":     {1: (1.45, None), 2: (1.45, None)},
    "groups":     {1: (1.1, None), 2: (1.1, None)},
}
# How often as fast two threads are to be as one, by kind.
THREADS_GOALS = {kind: 1.9 if "bottleneck" in kind else 1.8 for kind in GOALS}
# Name -> folder, kind.
NETWORKS = {
    "resnet18":            (MODELS, "basic"),
    "resnet34":            (MODELS, "basic"),
    "resnet50":            (MODELS, "bottleneck"),
    "resnet101":           (MODELS, "bottleneck"),
    "vt_resnet18_v4":      (MODELS, "basic"),
    "vt_resnet34_v4":      (MODELS, "basic"),
    "vt_resnet50_v4":      (MODELS, "bottleneck"),
    "vt_resnet101_v4":     (MODELS, "bottleneck"),
    "vt_resnet18":         (MODELS, "v1_basic"),
    "vt_resnet34":         (MODELS, "v1_basic"),
    "vt_resnet50":         (MODELS, "v1_bottleneck"),
    "vt_resnet101":        (MODELS, "v1_bottleneck"),
    "fpn_resnet50_lip":    (OWN, "fpn"),
    "vt_fpn_resnet50_lip": (OWN, "vt_fpn"),
    "resnext_blocks":      (OWN, "groups"),
    "mobilenet_blocks":    (OWN, "groups"),
}
MODULES = ["vt_module_c512_l8", "vt_module_c512_l16", "vt_module_c1024_l8",
           "vt_module_c1024_l16"]


class Failure(Exception):
    """Something that was called did not do its work; the text says what and why."""


def call(arguments, **more):
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, **more)
    except OSError as error:
        raise Failure("%s: %s" % (arguments[0], error.strerror)) from None
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).split("\n")
        telling = next((l for l in lines if "error" in l), lines[-1])
        raise Failure("%s: exit code %d: %s" % (os.path.basename(arguments[0]),
                                                done.returncode, telling))
    return done.stdout


def report_of(vtc, source, *options):
    return json.loads(call([vtc, "report", source, "--format=json", *options]))["total"]


class Network:
    """In FOLDER/NAME: weights, our program, naive.onnx, fused.onnx. Programs are told the
    most threads that will be timed, as engines are."""

    def __init__(self, vtc, folder, name, threads):
        home, self.kind = NETWORKS.get(name, (OWN, None))
        self.name, self.folder = name, os.path.join(folder, name)
        self.source = os.path.join(home, name + ".vt")
        self.most = "--max-threads=%d" % max(threads)
        os.makedirs(self.folder, exist_ok=True)
        self.weights, self.program = self.path("weights.safetensors"), self.path("program")
        call([vtc, "init", self.source, "--seed=1", "-o", self.weights])
        self.build(vtc, self.program)
        self.forms = {"naive": self.export(vtc, "naive"),
                      "fused": self.export(vtc, "fused", *FUSED)} if self.kind else {}
        self.macs = report_of(vtc, self.source)["macs"]
        info = call([self.program, "--info"])
        self.shape = [int(d) for d in re.search(r"^input \S+ f32 (\S+)", info, re.M)[1].split("x")]

    def path(self, name):
        return os.path.join(self.folder, name)

    def build(self, vtc, out, *options, **more):
        call([vtc, "build", self.source, "--weights=" + self.weights, self.most, "-o", out,
              *options], **more)

    def export(self, vtc, form, *options):
        """What was converted from another file of this name is removed."""
        path, new = self.path(form + ".onnx"), self.path("new.onnx")
        self.build(vtc, new, "--emit=onnx", *options)
        if os.path.exists(path) and same_bytes(path, new):
            os.remove(new)
            return path
        for old in os.listdir(self.folder):
            if old.startswith(form):
                os.remove(self.path(old))
        os.rename(new, path)
        return path


def same_bytes(a, b):
    with open(a, "rb") as x, open(b, "rb") as y:
        return x.read() == y.read()
